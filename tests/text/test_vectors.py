"""Files of word vectors: what is written is read again, and what is broken is refused by line."""

import gzip
import io

import numpy as np
import pytest

from rnnlm.errors import DataError
from rnnlm.text import vectors

WORDS = ["the", "Café", "猫", "don't", "3"]
ROWS = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)


def written(kind, words=WORDS, rows=ROWS):
    file = io.BytesIO()
    if kind == "binary":
        vectors.write_binary(file, words, rows)
    else:
        vectors.write(file, words, rows, header=kind == "word2vec")
    return file.getvalue()


@pytest.fixture
def read(tmp_path):
    """A function that reads the vectors of words from a file with these bytes."""

    def reader(data, words=WORDS, D=4):
        (tmp_path / "vectors").write_bytes(data)
        return vectors.read(tmp_path / "vectors", words, D)

    return reader


@pytest.mark.parametrize("kind", ["word2vec", "binary", "text"])
def test_what_is_written_is_read_again_bit_for_bit(read, kind):
    found = read(written(kind), ["猫", "elsewhere", "the"])
    assert list(found) == ["the", "猫"]
    assert found["the"].dtype == np.float32
    np.testing.assert_array_equal([found["the"], found["猫"]], ROWS[[0, 2]])


def test_the_bytes_of_each_format(read):
    one = np.array([[0.5, -2]], np.float32)
    assert written("word2vec", ["a"], one) == b"1 2\na 0.5 -2\n"
    assert written("text", ["a"], one) == b"a 0.5 -2\n"
    assert written("binary", ["a"], one) == b"1 2\na \0\0\0\x3f\0\0\0\xc0\n"


@pytest.mark.parametrize("kind", ["word2vec", "text"])
def test_text_of_other_programs(read, kind):
    """With tabs, a blank at the end of lines, line ends of Windows, a byte order mark, compressed."""
    data = written(kind).replace(b"the ", b"the\t").replace(b"\n", b" \r\n")
    np.testing.assert_array_equal(read(gzip.compress(b"\xef\xbb\xbf" + data))["the"], ROWS[0])


def test_binary_without_line_ends_and_with_them_in_numbers(read):
    rows = np.frombuffer(b"\n \n " * 4, "<f4").reshape(2, 2)
    data = written("binary", ["a", "b"], rows)
    for each in (data, data.replace(b"\nb", b"b")[:-1]):
        np.testing.assert_array_equal(read(each, ["b"], 2)["b"], rows[1])


def test_binary_is_read_in_pieces(read, monkeypatch):
    monkeypatch.setattr(vectors, "PIECE", 3)
    np.testing.assert_array_equal(list(read(written("binary")).values()), ROWS)


def test_words_with_blanks_are_others_and_the_first_of_two_counts(read):
    found = read(b". 1 2\n. . . 3 4\n. 5 6\nat x@y.z 7 8\n\n", [".", "at"], 2)
    assert {word: vector.tolist() for word, vector in found.items()} == {".": [1, 2]}


def test_words_that_cannot_be_written():
    words = ["a", " ", "", "a b", "\t", "\u3000", "\x0b"]
    assert vectors.writable(words) == [True, False, False, False, False, True, False]


@pytest.mark.parametrize(
    ("data", "place", "word"),
    [
        (b"", ":1:", "empty"),
        (b"\n", ":1:", "found"),
        (b"the cat sat on it\n", ":1:", "expected a word and 4 numbers"),
        (b"the 1 2 3\n", ":1:", "of 3 numbers, expected 4"),
        (b"9 3\nthe 1 2 3\n", ":1:", "of 3 numbers, expected 4"),
        (b"a 1 2 3 4\nthe 1 2 3\n", ":2:", "expected a word and 4 numbers"),
        (b"a 1 2 3 4\nthe 1 2 x 4\n", ":2:", "expected a word and 4 numbers"),
        (b"a 1 2 3 4\nthe 1 2 nan 4\n", ":2:", "not finite"),
        (b"3 4\na 1 2 3 4\nb 1 2 3 4\n", ":3:", "promises 3"),
        (b"1 4\na 1 2 3 4\nb 1 2 3 4\n", ":3:", "promises 1"),
        (written("binary")[:-5], ": ", "word 5 of 5"),
        (b"2 4\n" + b"x" * 50, ": ", "word 1 of 2"),
        (b"1 4\nthe " + b"\xff" * 16, ": ", "not finite"),
        (b"PK\x03\x04" + bytes(range(256)), ":1:", "expected a word"),
    ],
)
def test_what_is_broken_is_refused(read, data, place, word):
    with pytest.raises(DataError) as error:
        read(data)
    assert f"vectors{place}" in error.value.message
    assert word in error.value.message


def test_a_word_without_end(read, monkeypatch):
    monkeypatch.setattr(vectors, "PIECE", 10)
    monkeypatch.setattr(vectors, "LONGEST", 20)
    with pytest.raises(DataError) as error:
        read(b"2 4\n" + b"x" * 100)
    assert "no end" in error.value.message


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(DataError) as error:
        vectors.read(tmp_path / "gone", WORDS, 4)
    assert "no such file" in error.value.message
