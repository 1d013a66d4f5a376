import gzip
import io
import multiprocessing
import os
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlm.errors import DataError
from rnnlm.text import corpus as corpus_module
from rnnlm.text import lines as lines_module
from rnnlm.text.corpus import Corpus, encode
from rnnlm.text.lines import lines
from rnnlm.text.vocab import BOS, EOS, SPECIALS, UNK, Vocabulary, build, count
from rnnlm.text.windows import Batch, Sentences, Stream

VOCAB = Vocabulary([*SPECIALS, "the", "cat", "dog", "sat"], [0, 1, 1, 9, 3, 2, 1])  # ids 3, 4, 5, 6


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RNNLM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def write(tmp_path):
    """A function that writes a text, as str or bytes, and returns its path."""

    def write(content, name="text.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def stdin(monkeypatch):
    """A function that puts bytes on standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def entries(tmp_path):
    return sorted((tmp_path / "cache").iterdir())


# --- lines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a b\nc\n", ["a b", "c"]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"a\r\n\r\nb\r", ["a", "", "b"]),
        (b"a\rb\r\r\n", ["a\rb\r"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        (b"\xef\xbb\xbf", []),
        (b"a\0b\x0c\x1c\n\0", ["a\0b\x0c\x1c", "\0"]),
        ("a\u2028b\x85c\u2029\n春眠\n".encode(), ["a\u2028b\x85c\u2029", "春眠"]),
    ],
)
@pytest.mark.parametrize("block", [2, 3, 1 << 20])
def test_lines(write, stdin, monkeypatch, content, expected, block):
    for module in (corpus_module, lines_module):
        monkeypatch.setattr(module, "BLOCK", block)
    assert list(lines(write(content))) == expected
    assert list(lines(write(gzip.compress(content), "text.txt.gz"))) == expected
    stdin(content)
    assert list(lines("-")) == expected


def test_a_gzipped_file_of_several_members_under_any_name(write):
    assert list(lines(write(gzip.compress(b"a\nb") + gzip.compress(b"c\n")))) == ["a", "bc"]


def test_a_line_of_ten_megabytes(write):
    (line,) = lines(write(b"x" * 10_000_000))
    assert len(line) == 10_000_000


def test_lines_come_as_they_are_piped_in(monkeypatch):
    reader, writer = os.pipe()
    with open(reader) as stream, open(writer, "wb", buffering=0) as pipe:
        monkeypatch.setattr(sys, "stdin", stream)
        answers = lines("-")
        pipe.write(b"a\n")
        assert next(answers) == "a"
        pipe.write(b"b\n")
        assert next(answers) == "b"


def test_the_bytes_behind_the_lines_are_shown(write):
    shown = []
    list(lines(write(gzip.compress(b"\xef\xbb\xbfa\r\nb")), seen=shown.append))
    assert b"".join(shown) == b"\xef\xbb\xbfa\r\nb"


@pytest.mark.parametrize("block", [2, 1 << 20])
@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"\xff", "1: byte 0: not UTF-8 (0xff)"),
        (b"a\nb\xe9 c\nd\n", "2: byte 3: not UTF-8 (0xe9)"),
        (b"\xef\xbb\xbfa\n\n\n\xe6\x98", "4: byte 7: not UTF-8 (0xe6)"),
        (b"a\n\xed\xa0\x80\n", "2: byte 2: not UTF-8 (0xed)"),  # half a surrogate pair
        ("a\n".encode("utf-16"), "1: byte 0: not UTF-8 (0xff)"),
    ],
)
def test_text_that_is_not_utf_8(write, monkeypatch, content, place, block):
    for module in (corpus_module, lines_module):
        monkeypatch.setattr(module, "BLOCK", block)
    path = write(content)
    for read in (lambda: list(lines(path)), lambda: encode([path], VOCAB)):
        with pytest.raises(DataError) as caught:
            read()
        assert caught.value.message == f"{path}:{place}"
        assert caught.value.hint == "convert it, for example with: iconv -f ISO-8859-1 -t UTF-8"


def test_a_missing_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for read in (lambda: list(lines("none.txt")), lambda: encode(["none.txt"], VOCAB)):
        with pytest.raises(DataError) as caught:
            read()
        assert caught.value.message == f"none.txt: no such file (tried {tmp_path}/none.txt)"


def test_a_missing_corpus_that_can_be_fetched(tmp_path):
    with pytest.raises(DataError) as caught:
        list(lines(tmp_path / "ptb" / "ptb.train.txt"))
    assert caught.value.hint == f"`rnnlm data fetch ptb --dir {tmp_path}` brings it"


def test_paths_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path, message in {
        "": "is a directory",
        "pipe": "is a pipe or a device, not a file",
        "loop": "cannot be read: Too many levels of symbolic links",
        "pipe/text": "cannot be read: Not a directory",
    }.items():
        with pytest.raises(DataError) as caught:
            encode([tmp_path / path], VOCAB)
        assert caught.value.message == f"{tmp_path / path}: {message}"


def test_broken_gzip_files(write):
    whole = gzip.compress(b"the cat\n" * 1000)
    for content, message in {
        whole[:-20]: "Compressed file ended before the end-of-stream marker was reached",
        whole[:10] + b"\xff" + whole[11:]: "Error -3 while decompressing data: invalid block type",
        whole + b"text": "Not a gzipped file (b'te')",
    }.items():
        path = write(content)
        with pytest.raises(DataError) as caught:
            list(lines(path))
        assert caught.value.message == f"{path}: broken gzip file: {message}"
        assert caught.value.hint == "copy or download it again"


def test_standard_input_that_is_closed(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError) as caught:
        list(lines("-"))
    assert caught.value.message == "<stdin>: is closed"


# --- encode --------------------------------------------------------------------------------------------------------


def test_words(write):
    path = write("the cat\n\n  the\tmouse <unk> </s> <s>\n\n")
    text = encode([path], VOCAB)
    assert text.ids.tolist() == [3, 4, EOS, 3, -1, UNK, -1, -1, EOS]
    assert text.ends.tolist() == [3, 9]
    assert (text.ids.dtype, text.ends.dtype) == (np.int32, np.int64)
    assert (text.sentences, text.words, text.oovs, text.blank) == (2, 7, 3, 2)
    assert (text.characters, text.bytes) == (37, 37)
    assert text.name == str(path)


@pytest.mark.parametrize("block", [2, 4, 1 << 20])
def test_characters(write, monkeypatch, block):
    for module in (corpus_module, lines_module):
        monkeypatch.setattr(module, "BLOCK", block)
    vocab = Vocabulary([*SPECIALS, "不", "春", " "], [0] * 6, level="char")
    path = write("春 不\r\n\r\n\n覺\U0001f600 \n\n")
    text = encode([path], vocab)
    assert text.ids.tolist() == [4, 5, 3, EOS, -1, -1, 5, EOS]
    assert (text.sentences, text.words, text.oovs, text.blank, text.characters) == (2, 6, 2, 3, 11)
    text = encode([path], vocab, blank_lines=True)
    assert text.ids.tolist() == [4, 5, 3, EOS, EOS, EOS, -1, -1, 5, EOS, EOS]
    assert text.ends.tolist() == [4, 5, 6, 10, 11]
    assert (text.sentences, text.words, text.oovs, text.blank, text.characters) == (5, 6, 2, 0, 11)


def test_blank_lines_mean_nothing_for_words(write):
    assert encode([write("the\n\ncat\n")], VOCAB, blank_lines=True).ids.tolist() == [3, EOS, 4, EOS]


def test_characters_are_those_of_the_text_not_of_its_lower_case(write):
    text = encode([write("İİ the\n")], Vocabulary(VOCAB.words, VOCAB.counts, lower=True))
    assert (text.ids.tolist(), text.characters) == ([-1, 3, EOS], 7)


@pytest.mark.parametrize("block", [2, 7, 64])
def test_blocks_leave_no_trace(write, monkeypatch, tmp_path, block):
    content = "the cat sat\n\nthe dog\r\n" * 20 + "sat"
    path = write(content)
    whole = encode([path], VOCAB, cache=tmp_path / "whole")
    for module in (corpus_module, lines_module):
        monkeypatch.setattr(module, "BLOCK", block)
    text = encode([path], VOCAB, cache=tmp_path / "blocks")
    assert text.ids.tolist() == whole.ids.tolist()
    assert text.table.tolist() == whole.table.tolist()
    assert text.sha256 == whole.sha256


def test_several_files_follow_each_other(write):
    paths = [write("the cat", "a.txt"), write("dog\n", "b.txt")]
    text = encode(paths, VOCAB)
    assert text.ids.tolist() == [3, 4, EOS, 5, EOS]
    assert (text.characters, text.bytes, text.name) == (12, 11, f"{paths[0]} + {paths[1]}")
    assert encode([write("the catdog\n")], VOCAB).sha256 != text.sha256


def test_standard_input_is_not_kept(stdin, tmp_path):
    stdin(b"the cat\n")
    text = encode(["-"], VOCAB)
    assert (text.ids.tolist(), text.name) == ([3, 4, EOS], "<stdin>")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "0 bytes, 0 empty lines"),
        (b"\n \n", "3 bytes, 2 empty lines"),
        (b"\xef\xbb\xbf", "3 bytes, 0 empty lines"),
    ],
)
def test_a_text_without_sentences(write, tmp_path, content, found):
    path = write(content)
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            encode([path], VOCAB)
        assert caught.value.message == f"{path}: no sentences ({found})"
    assert entries(tmp_path) == []


# --- the cache -----------------------------------------------------------------------------------------------------


def test_a_text_is_encoded_once(write, tmp_path):
    path = write("the cat\n")
    first = encode([path], VOCAB)
    (entry,) = entries(tmp_path)
    before = entry.stat()
    again = encode([write("the cat\n", "copy.txt")], VOCAB)
    assert again.ids.tolist() == first.ids.tolist()
    assert again.table.tolist() == first.table.tolist()
    assert (again.characters, again.blank, again.bytes, again.sha256) == (8, 0, 8, first.sha256)
    assert again.name.endswith("copy.txt")
    assert again.mapping is not None
    assert not again.ids.flags.writeable
    again.forget()  # the pages, not the text
    assert again.ids.tolist() == first.ids.tolist()
    after = entry.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_changed_text_or_vocabulary_is_encoded_anew(write, tmp_path):
    path = write("the cat\n")
    encode([path], VOCAB)
    stamp = path.stat()
    write("the dog\n")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert encode([path], VOCAB).ids.tolist() == [3, 5, EOS]
    assert encode([path], Vocabulary([*SPECIALS, "dog", "the"], [0] * 5)).ids.tolist() == [4, 3, EOS]
    assert encode([path], VOCAB).ids.tolist() == [3, 5, EOS]
    assert len(entries(tmp_path)) == 3


def test_blank_lines_have_an_entry_of_their_own(write, tmp_path):
    vocab = build(count(["a"], level="char"))
    path = write("a\n\na\n")
    assert [encode([path], vocab, blank).sentences for blank in (False, True, False, True)] == [2, 3, 2, 3]
    assert len(entries(tmp_path)) == 2


def damages():
    yield "empty", lambda data: b""
    yield "cut", lambda data: data[:-1]
    yield "cut in front", lambda data: data[1:]
    yield "longer", lambda data: data + b"\0"
    yield "garbage", lambda data: bytes(range(256)) * 4
    yield "another version", lambda data: data.replace(b"rnnlm\0\0\1", b"rnnlm\0\0\2")
    for i in (0, 13, 30, -1, -12, -30):
        yield f"bit flipped at {i}", lambda data, i=i: data[:i] + bytes([data[i] ^ 1]) + data[i:][1:]


@pytest.mark.parametrize("damage", [pytest.param(function, id=name) for name, function in damages()])
def test_a_damaged_entry_is_built_again(write, tmp_path, damage):
    path = write("the cat\nsat\n")
    expected = encode([path], VOCAB)
    (entry,) = entries(tmp_path)
    whole = entry.read_bytes()
    entry.unlink()  # the mapping of `expected` keeps the old file
    entry.write_bytes(damage(whole))
    assert entry.read_bytes() != whole
    text = encode([path], VOCAB)
    assert text.ids.tolist() == expected.ids.tolist()
    assert text.table.tolist() == expected.table.tolist()
    assert entry.read_bytes() == whole
    assert entries(tmp_path) == [entry]


def forge(data, change):
    """An entry with another content and a checksum that is right."""
    ids = np.frombuffer(data, "<i4", 6).copy()  # the cat </s> sat </s>, and one to fill up
    table = np.frombuffer(data, "<i8", 6, 24).reshape(2, 3).copy()
    change(ids, table)
    body = ids.tobytes() + table.tobytes() + data[72:-4]
    return body + zlib.crc32(body).to_bytes(4, "little")


@pytest.mark.parametrize(
    "change",
    [
        lambda ids, table: ids.__setitem__(0, 7), lambda ids, table: ids.__setitem__(1, -2),
        lambda ids, table: table.__setitem__((0, 0), 5), lambda ids, table: table.__setitem__((0, 0), -3),
        lambda ids, table: table.__setitem__((1, 0), 1 << 40), lambda ids, table: table.__setitem__((1, 0), 4),
        lambda ids, table: table.__setitem__((1, 2), 0),
    ],
)  # fmt: skip
def test_a_forged_entry_is_built_again(write, tmp_path, change):
    path = write("the cat\nsat\n")
    expected = encode([path], VOCAB).ids.tolist()
    (entry,) = entries(tmp_path)
    whole = entry.read_bytes()
    assert forge(whole, lambda ids, table: None) == whole
    entry.unlink()
    entry.write_bytes(forge(whole, change))
    assert encode([path], VOCAB).ids.tolist() == expected
    assert entry.read_bytes() == whole


def test_an_entry_that_promises_more_than_there_is(write, tmp_path):
    """Sizes whose product would not fit into 64 bits."""
    path = write("the cat\nsat\n")
    expected = encode([path], VOCAB).ids.tolist()
    (entry,) = entries(tmp_path)
    whole = entry.read_bytes()
    for N, S in ((1 << 62, 2), (5, 1 << 61), ((1 << 64) - 1, (1 << 64) - 1)):
        body = whole[:-44] + N.to_bytes(8, "little") + S.to_bytes(8, "little") + whole[-28:-4]
        entry.unlink()
        entry.write_bytes(body + zlib.crc32(body).to_bytes(4, "little"))
        assert encode([path], VOCAB).ids.tolist() == expected
        assert entry.read_bytes() == whole


def test_without_a_cache_that_can_be_written(write, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    path = write("the cat\n")
    assert encode([path], VOCAB).ids.tolist() == [3, 4, EOS]
    assert (tmp_path / "cache").read_text() == "in the way"


def test_an_entry_that_cannot_be_replaced(write, tmp_path):
    path = write("the cat\n")
    encode([path], VOCAB)
    (entry,) = entries(tmp_path)
    entry.unlink()
    entry.mkdir()
    assert encode([path], VOCAB).ids.tolist() == [3, 4, EOS]
    assert entries(tmp_path) == [entry]


def test_where_the_cache_is(write, tmp_path, monkeypatch):
    path = write("the cat\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    encode([path], VOCAB, cache=tmp_path / "argument")
    encode([path], VOCAB)
    monkeypatch.delenv("RNNLM_CACHE")
    encode([path], VOCAB)
    monkeypatch.delenv("XDG_CACHE_HOME")
    encode([path], VOCAB)
    for folder in ("argument", "cache", "xdg/rnnlm", "home/.cache/rnnlm"):
        assert len(list((tmp_path / folder).iterdir())) == 1


def encode_and_sum(path):
    text = encode([path], VOCAB)
    return int(text.ids.sum()), text.sentences


def test_several_processes_at_once(write, tmp_path):
    path = write("the cat sat\nthe dog\n" * 20_000)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        results = pool.map(encode_and_sum, [path] * 6, chunksize=1)
    assert set(results) == {((3 + 4 + 6 + EOS + 3 + 5 + EOS) * 20_000, 40_000)}
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize("level", ["word", "char"])
def test_memory_does_not_grow_with_the_text(write, monkeypatch, level):
    for module in (corpus_module, lines_module):
        monkeypatch.setattr(module, "BLOCK", 1 << 14)

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

    peak(2_500)  # whatever is loaded at the first use
    assert peak(24_000) < 1.1 * peak(3_000)


# --- split ---------------------------------------------------------------------------------------------------------


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


@settings(deadline=None)
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
    with pytest.raises(DataError) as caught:
        made([5]).split(0.1)
    assert caught.value.message == "made.txt: cannot be split: it has one sentence"


# --- batches -------------------------------------------------------------------------------------------------------


def made(lengths):
    """A corpus of sentences of the given lengths, sentence ends included: every token different, every tenth an OOV."""
    ends = np.cumsum(lengths)
    ids = np.arange(3, 3 + ends[-1], dtype=np.int32)
    ids[9::10] = -1
    ids[ends - 1] = EOS
    table = np.stack([ends, 2 * ends, np.arange(1, len(ends) + 1)], axis=1)
    return Corpus(ids, table, int(2 * ends[-1]), 0, "made.txt", 0, "")


def targets_in_order(reading, corpus):
    """The targets of all batches, put back to where they stand; every position must come once, padding apart."""
    found = np.full(len(corpus.ids), -1)
    tokens = 0
    for batch in reading.batches():
        assert batch.inputs.shape == batch.targets.shape == batch.positions.shape
        for array in (batch.inputs, batch.targets):
            assert array.dtype == np.int32
            assert array.flags.c_contiguous
            assert array.min() >= 0
        real = np.ones(batch.targets.shape, bool)
        if batch.weights is not None:
            assert batch.weights.dtype == np.float32
            assert set(np.unique(batch.weights)) == {0, 1}
            real = batch.weights == 1
        assert (found[batch.positions[real]] == -1).all()
        found[batch.positions[real]] = batch.targets[real]
        tokens += batch.tokens
    assert tokens == len(corpus.ids)
    return found


@settings(deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=20), st.integers(1, 12), st.integers(1, 12))
def test_stream_predicts_every_token_once_from_the_one_before(lengths, B, T):
    corpus = made(lengths)
    stream = Stream(corpus, B, T)
    known = np.where(corpus.ids < 0, UNK, corpus.ids)
    assert targets_in_order(stream, corpus).tolist() == known.tolist()
    batches = list(stream.batches())
    assert len(batches) == len(stream)
    assert [batch.fresh for batch in batches] == [True] + [False] * (len(stream) - 1)
    assert {batch.inputs.shape for batch in batches[:-1]} <= {(stream.window, stream.batch)}
    inputs = np.concatenate([batch.inputs for batch in batches]).T.ravel()  # columns, one after the other
    targets = np.concatenate([batch.targets for batch in batches]).T.ravel()
    assert inputs[: len(known)].tolist() == [EOS, *known[:-1]]
    assert targets[: len(known)].tolist() == known.tolist()
    same(list(stream.batches(len(stream) // 2)), batches[len(stream) // 2 :])


def same(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others):
        for x, y in zip(batch, other):
            assert (x is y is None) or np.array_equal(x, y)


def test_stream_pads_at_the_very_end_only():
    batches = list(Stream(made([5, 5]), 3, 2).batches())  # columns of 4, the last one of 2
    assert batches[0].weights is None
    assert batches[1].weights.tolist() == [[1, 1, 0], [1, 1, 0]]
    assert (batches[0].tokens, batches[1].tokens) == (6, 4)


def test_stream_adapts_to_a_short_corpus():
    stream = Stream(made([2, 1]), batch=20, window=35)
    assert (stream.batch, stream.window, len(stream)) == (3, 1, 1)
    assert stream.note == "made.txt: only 3 tokens in 2 sentences: batch 20 -> 3, window 35 -> 1"
    stream = Stream(made([700]), batch=20, window=35)
    assert (stream.batch, stream.window, len(stream), stream.note) == (20, 35, 1, "")


def test_the_shortest_corpus(write):
    text = encode([write("\n")], Vocabulary(SPECIALS, [0] * 3, level="char"), blank_lines=True)
    same(list(Stream(text, 4, 5).batches()), [Batch(np.array([[EOS]]), np.array([[EOS]]), None, True, np.array([[0]]))])
    same(list(Sentences(text, 4).batches()), [Batch(np.array([[BOS]]), np.array([[EOS]]), None, True, np.array([[0]]))])


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=20),
    st.integers(1, 8),
    st.integers(1, 30),
    st.none() | st.integers(0, 9),
)
def test_sentences_predict_every_token_once_from_their_own_past(lengths, B, tokens, seed):
    corpus = made(lengths)
    sentences = Sentences(corpus, B, tokens)
    known = np.where(corpus.ids < 0, UNK, corpus.ids)
    assert targets_in_order(sentences, corpus).tolist() == known.tolist()
    starts = set((corpus.ends - lengths).tolist())

    def batches(start=0):
        return list(sentences.batches(start, None if seed is None else np.random.default_rng(seed)))

    assert len(batches()) == len(sentences)
    for batch in batches():
        T, columns = batch.inputs.shape
        assert T * columns <= tokens
        assert columns <= sentences.batch <= B
        assert batch.fresh == (batch.positions[0, 0] in starts)
        real = np.ones((T, columns), bool) if batch.weights is None else batch.weights == 1
        expected = [BOS if p in starts else known[p - 1] for p in batch.positions[real].tolist()]
        assert batch.inputs[real].tolist() == expected
        assert (batch.inputs[~real] == EOS).all()
        assert (batch.targets[~real] == EOS).all()
    same(batches(len(sentences) // 2), batches()[len(sentences) // 2 :])


def test_sentences_of_equal_length_stand_together():
    corpus = made([3, 7, 3, 7, 3, 7, 3, 7])
    batches = list(Sentences(corpus, 4).batches())
    assert [batch.inputs.shape for batch in batches] == [(7, 4), (3, 4)]
    assert all(batch.weights is None for batch in batches)


def test_a_long_sentence_is_read_in_windows():
    batches = list(Sentences(made([2, 10]), 8, tokens=4).batches())
    assert [batch.inputs.shape for batch in batches] == [(4, 1), (4, 1), (2, 1), (2, 1)]
    assert [batch.fresh for batch in batches] == [True, False, False, True]


def test_shuffling_is_decided_by_the_generator():
    corpus = made([4] * 50 + [6] * 50)
    sentences = Sentences(corpus, 5)

    def order(rng):
        return [tuple(batch.positions[0]) for batch in sentences.batches(0, rng)]

    assert order(np.random.default_rng(1)) == order(np.random.default_rng(1))
    rng = np.random.default_rng(1)
    first, second = order(rng), order(rng)
    assert first != second
    assert {frozenset(row) for row in first} != {
        frozenset(row) for row in second
    }  # other company, not only other order
    assert order(None) == order(None)


def test_sentences_adapt_to_a_short_corpus():
    sentences = Sentences(made([3, 4]), 20)
    assert (sentences.batch, len(sentences)) == (2, 1)
    assert sentences.note == "made.txt: only 7 tokens in 2 sentences: batch 20 -> 2"


def test_inputs_and_targets_share_no_memory():
    for reading in (Stream(made([8]), 2, 2), Sentences(made([8]), 2)):
        for batch in reading.batches():
            assert not np.shares_memory(batch.inputs, batch.targets)
