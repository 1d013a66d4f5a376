"""Names of texts: files, patterns, folders, home folders."""

import pytest

from rnnlm.config import load
from rnnlm.errors import DataError, TextWarning, UsageError
from rnnlm.experiment import Config, prepare
from rnnlm.text.names import joined, texts


@pytest.fixture
def books(tmp_path, monkeypatch):
    """A folder with two texts, one in a folder of its own, and what lies about in folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "books" / "more").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "more/c.txt", ".hidden.txt"):
        (tmp_path / "books" / name).write_text(f"words of {name}\n" * 3)
    return tmp_path / "books"


@pytest.mark.parametrize(("name", "found"), [
    ("books/a.txt", ["books/a.txt"]),
    ("books/none.txt", ["books/none.txt"]),
    ("-", ["-"]),
    ("books/*.txt", ["books/a.txt", "books/b.txt"]),
    ("books/[ab].txt", ["books/a.txt", "books/b.txt"]),
    ("books/**/*.txt", ["books/a.txt", "books/b.txt", "books/more/c.txt"]),
    ("books", ["books/a.txt", "books/b.txt", "books/more/c.txt"]),
    ("~/books/?.txt", ["{home}/books/a.txt", "{home}/books/b.txt"]),
    ("~/none.txt", ["{home}/none.txt"]),
])  # fmt: skip
def test_what_a_name_stands_for(books, name, found):
    assert texts([name]) == [path.format(home=books.parent) for path in found]


def test_a_file_goes_before_a_pattern(books):
    (books / "[ab].txt").write_text("a\n")
    assert texts(["books/[ab].txt"]) == ["books/[ab].txt"]


def test_other_files_in_a_folder_are_left_out_and_said(books):
    (books / "cover.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (books / "runs" / "a").mkdir(parents=True)
    for name in ("env.json", "vocab.txt"):
        (books / "runs" / "a" / name).write_text("of a run\n")
    with pytest.warns(TextWarning, match=r"books: 3 texts in this folder; left out: cover.png \(a picture"):
        assert len(texts(["books"])) == 3


@pytest.mark.parametrize(("name", "words"), [("books/*.md", "no file matches"), ("empty", "without files")])
def test_nothing_found(books, name, words):
    (books.parent / "empty").mkdir()
    with pytest.raises(DataError, match=words):
        texts([name])


def test_names_in_a_configuration(books):
    """The run's configuration has the files that were found, so that it trains on the same ones when it is resumed."""
    config = books.parent / "c.yaml"
    config.write_text("data: {train: books, valid: 'books/?.txt', test: ~/books/a.txt}")
    data = prepare(load(config, Config)[0]).config.data
    assert data.train == ["books/a.txt", "books/b.txt", "books/more/c.txt"]
    assert data.valid == ["books/a.txt", "books/b.txt"]
    assert data.test == str(books / "a.txt")
    with pytest.raises(UsageError, match="one text, found 2"):
        prepare(load(config, Config, ["data.test=books/?.txt"])[0])


def test_names_in_messages():
    assert joined(["a", "b", "c"]) == "a + b + c"
    assert joined(["a", "b", "c", "d"]) == "a + ... + d (4 texts)"
