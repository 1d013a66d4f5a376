"""The encoded corpus: ids and figures, little memory, nothing left on disk; and how a corpus is cut in two."""

import errno
import gzip
import subprocess
import sys
import tempfile
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlm.errors import DataError
from rnnlm.text.corpus import Corpus, digest_of, encode
from rnnlm.text.lines import lines
from rnnlm.text.vocab import EOS, SPECIALS, UNK, OpenVocabulary, Vocabulary, build, count
from rnnlm.text.windows import Stream

VOCAB = Vocabulary([*SPECIALS, "the", "cat", "dog", "sat"], [0, 1, 1, 9, 3, 2, 1])  # ids 3, 4, 5, 6


def test_words(write):
    path = write("the cat\n\n  the\tmouse <unk> </s> <s>\n\n")
    text = encode([path], VOCAB)
    assert text.ids.tolist() == [3, 4, EOS, 3, -1, UNK, -1, -1, EOS]
    assert text.ends.tolist() == [3, 9]
    assert (text.ids.dtype, text.ends.dtype) == (np.int32, np.int64)
    assert (text.sentences, text.words, text.oovs, text.blank) == (2, 7, 3, 2)
    assert (text.characters, text.bytes) == (37, 37)
    assert text.name == str(path)
    assert not text.ids.flags.writeable


@pytest.mark.parametrize("block", [2, 4, 1 << 20])
def test_characters(write, blocks_of, block):
    blocks_of(block)
    vocab = Vocabulary([*SPECIALS, "不", "春", " "], [0] * 6, level="char")
    path = write("春 不\r\n\r\n\n覺\U0001f600 \n\n")
    text = encode([path], vocab)
    assert text.ids.tolist() == [4, 5, 3, EOS, -1, -1, 5, EOS]
    assert (text.sentences, text.words, text.oovs, text.blank, text.characters) == (2, 6, 2, 3, 11)
    text = encode([path], vocab, blank_lines=True)
    assert text.ids.tolist() == [4, 5, 3, EOS, EOS, EOS, -1, -1, 5, EOS, EOS]
    assert text.ends.tolist() == [4, 5, 6, 10, 11]
    assert (text.sentences, text.words, text.oovs, text.blank, text.characters) == (5, 6, 2, 0, 11)


@pytest.mark.parametrize("block", [1, 3, 1 << 20])
def test_each_sentence_with_its_end(write, blocks_of, block):
    blocks_of(block)
    text = encode([write("the cat\n\nmouse\nsat\n")], VOCAB)
    assert [ids.tolist() for ids in text] == [[3, 4, EOS], [-1, EOS], [6, EOS]]
    assert text.sentence(1).tolist() == [-1, EOS]
    assert [ids.tolist() for ids in text.cut(1)[1]] == [[-1, EOS], [6, EOS]]


def test_a_text_read_once_gives_the_vocabulary_of_its_words(write):
    lines = ["the cat", "", "the </s> <unk>", "<s> the"]
    every = OpenVocabulary()
    text = encode([write("\n".join(lines))], every)
    assert text.oovs == 0
    assert build(text.counts(every)).to_bytes() == build(count(lines)).to_bytes()


def test_blank_lines_mean_nothing_for_words(write):
    assert encode([write("the\n\ncat\n")], VOCAB, blank_lines=True).ids.tolist() == [3, EOS, 4, EOS]


def test_characters_are_those_of_the_text_not_of_its_lower_case(write):
    text = encode([write("İİ the\n")], Vocabulary(VOCAB.words, VOCAB.counts, lower=True))
    assert (text.ids.tolist(), text.characters) == ([-1, 3, EOS], 7)


@pytest.mark.parametrize("block", [2, 7, 64])
def test_blocks_leave_no_trace(write, blocks_of, block):
    path = write("the cat sat\n\nthe dog\r\n" * 20 + "sat")
    whole = encode([path], VOCAB)
    blocks_of(block)
    text = encode([path], VOCAB)
    assert text.ids.tolist() == whole.ids.tolist()
    assert text.table.tolist() == whole.table.tolist()
    assert text.sha256 == whole.sha256


def test_several_files_follow_each_other(write):
    paths = [write("the cat", "a.txt"), write("dog\n", "b.txt")]
    text = encode(paths, VOCAB)
    assert text.ids.tolist() == [3, 4, EOS, 5, EOS]
    assert (text.characters, text.bytes, text.name) == (12, 11, f"{paths[0]} + {paths[1]}")
    assert encode([write("the catdog\n")], VOCAB).sha256 != text.sha256


def test_standard_input(stdin):
    stdin(b"the cat\n")
    text = encode(["-"], VOCAB)
    assert (text.ids.tolist(), text.name) == ([3, 4, EOS], "<stdin>")


@pytest.mark.parametrize(("content", "size", "empty"), [(b"", 0, 0), (b"\n \n", 3, 2), (b"\xef\xbb\xbf", 3, 0)])
def test_a_text_without_sentences(write, content, size, empty):
    path = write(content)
    with pytest.raises(DataError) as caught:
        encode([path], VOCAB)
    assert caught.value.message.startswith(f"{path}: no sentences")
    assert f"{size} bytes" in caught.value.message
    assert f"{empty} empty lines" in caught.value.message


def test_the_digest_is_that_of_the_text_unzipped(write):
    content = b"\xef\xbb\xbfthe cat\r\n\nsat"
    plain, zipped = write(content, "a.txt"), write(gzip.compress(content), "b.gz")
    for paths in ([plain], [plain, zipped]):
        assert encode(paths, VOCAB).sha256 == digest_of(paths)
    assert digest_of([plain]) == digest_of([zipped])
    assert encode([zipped], VOCAB).bytes == len(content)


# --- the temporary file --------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from rnnlm.text.corpus import encode
from rnnlm.text.vocab import SPECIALS, Vocabulary
class Killer(Vocabulary):
    def encode(self, lines):
        found = os.listdir(os.environ["TMPDIR"])
        print(found, flush=True)
        if sys.argv[2] == "now":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(lines)
text = encode([sys.argv[1]], Killer([*SPECIALS, "the"], [0] * 4))
print(os.listdir(os.environ["TMPDIR"]), text.ids.tolist(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["now", "later"])
def test_nothing_stays_on_disk_even_after_a_kill(write, tmp_path, when):
    folder = tmp_path / "temporary"
    folder.mkdir()
    home = tmp_path / "home"
    environment = {"TMPDIR": str(folder), "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(write("the\n")), when], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (-9, "")
    assert done.stdout.splitlines() == ["[]"] + (["[] [3, 1]"] if when == "later" else [])
    assert list(folder.iterdir()) == []
    assert not home.exists()


def test_pages_that_are_let_go_come_back(write):
    text = encode([write("the cat\n")], VOCAB)
    assert len(text.mappings) == 2
    text.forget()
    assert text.ids.tolist() == [3, 4, EOS]
    assert text.table.tolist() == [[3, 8, 1]]


def test_a_full_disk(write, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    path = write("the cat\n")
    with pytest.raises(DataError) as caught:
        encode([path], VOCAB)
    assert caught.value.message.startswith(f"{path}: ")
    assert "No space left" in caught.value.message
    assert "TMPDIR" in caught.value.hint


def test_no_folder_for_temporary_files(write, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    path = write("the cat\n")
    with pytest.raises(DataError) as caught:
        encode([path], VOCAB)
    assert caught.value.message.startswith(f"{path}: ")
    assert "TMPDIR" in caught.value.hint


@pytest.mark.parametrize("level", ["word", "char"])
def test_memory_does_not_grow_with_the_text(write, blocks_of, level):
    blocks_of(1 << 14)

    def peak(repeats):
        path = write("the cat sat on the dog\n" * repeats)
        tracemalloc.start()
        try:
            vocab = build(count(lines(path), level))
            assert encode([path], vocab).oovs == 0
            for batch in Stream(encode([path], vocab), 20, 35).batches():
                assert batch.inputs.shape[1] == 20
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1_250)  # whatever is loaded at the first use
    assert peak(12_000) < 1.1 * peak(1_500)


# --- split ---------------------------------------------------------------------------------------------------------


def made(lengths):
    """A corpus of sentences of the given lengths, sentence ends included."""
    ends = np.cumsum(lengths)
    ids = np.arange(3, 3 + ends[-1], dtype=np.int32)
    ids[ends - 1] = EOS
    table = np.stack([ends, 2 * ends, np.arange(1, len(ends) + 1)], axis=1)
    return Corpus(ids, table, int(2 * ends[-1]), 0, "made.txt", 0, "")


def test_split_has_the_figures_of_both_parts(write):
    contents = "\nthe cat\n\nmouse sat\n", "\nthe mouse <unk>\n\n\n"
    text = encode([write("".join(contents))], VOCAB)
    head, tail = text.split(0.4)
    for part, content in zip((head, tail), contents):
        alone = encode([write(content, "part.txt")], VOCAB)
        assert part.ids.tolist() == alone.ids.tolist()
        assert part.ends.tolist() == alone.ends.tolist()
        for figure in ("sentences", "words", "oovs", "characters", "blank"):
            assert getattr(part, figure) == getattr(alone, figure), figure


@given(st.lists(st.integers(1, 9), min_size=2, max_size=30), st.floats(0, 1))
def test_split_cuts_at_the_nearest_sentence_end(lengths, fraction):
    text = made(lengths)
    head, tail = text.split(fraction)
    assert np.concatenate([head.ids, tail.ids]).tolist() == text.ids.tolist()
    assert head.sentences + tail.sentences == text.sentences
    assert (head.ids[-1], tail.ids[-1]) == (EOS, EOS)
    assert (head.ends[-1], tail.ends[-1]) == (len(head.ids), len(tail.ids))
    best = min(abs(end - (1 - fraction) * len(text.ids)) for end in text.ends[:-1])
    assert abs(len(head.ids) - (1 - fraction) * len(text.ids)) == best
    assert head.blank + tail.blank == text.blank
    assert head.characters + tail.characters == text.characters


def test_one_sentence_cannot_be_split():
    with pytest.raises(DataError, match=r"^made\.txt: cannot be split"):
        made([5]).split(0.1)
