"""Lists of words as vocabulary: which programs' files are read, and that the counts come from the text."""

import pytest

from rnnlm.errors import DataError
from rnnlm.text import vocab
from rnnlm.text.vocab import Vocabulary
from tests.kinds import refused

LISTS = {
    "plain": b"the\ncat\nsat\n",
    "SRILM": b"-pau-\n</s>\n<s>\n<unk>\nthe\ncat\nsat\n",
    "KenLM": b"<unk>\0<s>\0</s>\0the\0cat\0sat\0",
    "Kaldi": b"<eps> 0\nthe 1\ncat 2\nsat 3\n#0 4\n<s> 5\n</s> 6\n",
    "counts": b"the\t20\ncat\t3\nsat\t1\n",
    "Windows": b"\xef\xbb\xbfthe\r\ncat\r\n\r\nsat\r\ncat",
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_of_words(tmp_path, kind):
    (tmp_path / "v").write_bytes(LISTS[kind])
    found = vocab.load(tmp_path / "v")
    assert [word for word in found if word != "-pau-"] == ["the", "cat", "sat"]


def test_words_that_only_look_like_those_of_kaldi(tmp_path):
    (tmp_path / "v").write_text("#0\n#1\n<eps>\n1984\n")
    assert vocab.load(tmp_path / "v") == ["#0", "#1", "<eps>", "1984"]


def test_a_list_is_lowercased_and_read_as_characters(tmp_path):
    (tmp_path / "v").write_text("The\nthe\n")
    assert vocab.load(tmp_path / "v", lower=True) == ["the"]
    (tmp_path / "v").write_text("a\n \nb\n")
    assert vocab.load(tmp_path / "v", "char") == ["a", " ", "b"]


def test_a_vocabulary_file_stays_one(tmp_path):
    words = vocab.build(vocab.count(["b a b"]))
    words.save(tmp_path / "v")
    found = vocab.load(tmp_path / "v")
    assert isinstance(found, Vocabulary)
    assert (found.words, found.counts.tolist()) == (words.words, words.counts.tolist())


@pytest.mark.parametrize("content", [b"", b"the cat sat\non the mat\n", b"<s>\t0\n</s>\t1\na\t2\n", b"a\nb\xff\n"])
def test_what_is_neither(tmp_path, content):
    (tmp_path / "v").write_bytes(content)
    message, hint = refused(DataError, vocab.load, tmp_path / "v")
    assert str(tmp_path / "v") in message
    assert "list of words" in hint


def test_counts_come_from_the_training_text(tiny, tmp_path):
    own = tiny().vocab
    (tmp_path / "v.txt").write_text("\n".join(["nowhere", *reversed(own.words[3:])]))
    found = tiny("data.vocab=v.txt").vocab
    assert found.words == [*own.words, "nowhere"]
    assert found.counts.tolist() == [*own.counts.tolist(), 0]
    assert found.counts[1] == 60
    (tmp_path / "v.txt").write_bytes(Vocabulary(found.words, [7] * len(found)).to_bytes())
    again = tiny("data.vocab=v.txt").vocab
    assert again.fingerprint == found.fingerprint
    assert again.counts.tolist() == found.counts.tolist()


def test_a_list_without_some_words_of_the_text(tiny, tmp_path):
    own = tiny().vocab
    (tmp_path / "v.txt").write_text("\n".join(own.words[4:]))
    found = tiny("data.vocab=v.txt", "data.valid=0.5").vocab
    assert found.counts[2] > 0
    assert found.counts[1] < 60


def test_a_vocabulary_of_equal_counts_is_warned_of(rnnlm, tmp_path):
    (tmp_path / "words.txt").write_text("".join(f"w{i}\n" for i in range(30)))
    (tmp_path / "c.yaml").write_text("data: {train: words.txt}\nmodel: {cell: {size: 4}}\n")
    status, _, err = rnnlm("train", "c.yaml", "--dry-run")
    assert status == 0
    assert "equally often" in err
