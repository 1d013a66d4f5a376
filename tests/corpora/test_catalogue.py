"""Corpora: what is here, what is fetched from a folder or a server, what is refused; nothing is overwritten unasked."""

import hashlib
import re
from pathlib import Path

import pytest

from rnnlm.corpora.catalogue import CORPORA, Corpus, check, count, fetch, find, hint, state
from rnnlm.errors import DataError, UsageError


def digest(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def whole(contents):
    """What is in a folder after `toy` was fetched into it."""
    return {f"toy/{name}": content for name, content in contents.items()}


def refusal(kind, *arguments, **options):
    with pytest.raises(kind) as caught:
        fetch(*arguments, **options)
    assert caught.value.hint
    return f"{caught.value.message}\n{caught.value.hint}"


@pytest.mark.parametrize(
    ("folder", "names"),
    [(".", ["train.txt", "test.txt"]), ("toy", ["train.txt", "test.txt"]), (".", ["toy.train.tokens", "test.txt"])],
)
def test_a_folder_is_copied(tmp_path, toy, contents, whole, put, tree, folder, names):
    put(tmp_path / "from" / folder, dict(zip(names, contents.values())))
    told = []
    fetched = fetch(toy(), tmp_path / "to", str(tmp_path / "from"), progress=lambda *count: told.append(count))
    assert fetched == ([tmp_path / "to/toy/train.txt", tmp_path / "to/toy/test.txt"], [])
    assert tree(tmp_path / "to") == whole
    total = sum(map(len, contents.values()))
    assert told == [(n, total) for n in (65536, 131072, 196608, 200_000, total)]


def test_a_server_is_read(tmp_path, toy, whole, tree, server):
    fetch(toy(server.url), tmp_path)
    assert tree(tmp_path) == whole
    assert server.asked == ["/train.txt", "/test.txt"]


def test_a_mirror_takes_the_place_of_the_server(tmp_path, toy, whole, tree, server):
    fetch(toy(), tmp_path, f"{server.url}/some/where/")
    assert tree(tmp_path) == whole
    assert server.asked == ["/some/where/train.txt", "/some/where/test.txt"]


def test_what_arrived_before_a_failure_stays(tmp_path, toy, whole, tree, server):
    test = server.contents.pop("test.txt")
    assert "404" in refusal(DataError, toy(server.url), tmp_path)
    assert tree(tmp_path) == {name: whole[name] for name in ["toy/train.txt"]}
    server.contents["test.txt"] = test
    assert fetch(toy(server.url), tmp_path)[0] == [tmp_path / "toy/test.txt"]
    assert tree(tmp_path) == whole


def test_wrong_content_in_a_folder_is_refused(tmp_path, toy, put, tree):
    put(tmp_path / "from", {"train.txt": b"short", "test.txt": b""})
    said = refusal(DataError, toy(), tmp_path / "to", str(tmp_path / "from"))
    assert said.startswith(f"{tmp_path}/from/train.txt: refused: found 5 bytes, wanted 200,000")
    assert tree(tmp_path / "to") == {}


def test_a_folder_without_the_file(tmp_path, toy):
    said = refusal(DataError, toy(), tmp_path, str(tmp_path / "from"))
    assert said.startswith(f"{tmp_path}/from: ")
    assert "train.txt or toy.train.tokens" in said


@pytest.mark.parametrize("address", ["ftp://example.invalid/toy", "file:///tmp"])
def test_other_protocols_are_refused(tmp_path, toy, address):
    said = refusal(UsageError, toy(), tmp_path, address)
    assert said.startswith(f"--from {address}: ")
    assert "https" in said


def test_what_is_there_and_right_is_left_alone(tmp_path, toy, contents, put, server):
    put(tmp_path / "toy", {"train.txt": contents["train.txt"]})
    assert fetch(toy(server.url), tmp_path)[0] == [tmp_path / "toy/test.txt"]
    assert fetch(toy(server.url), tmp_path)[0] == []
    assert server.asked == ["/test.txt"]


def test_what_is_there_and_differs_is_replaced_only_by_force(tmp_path, toy, whole, put, tree, server):
    put(tmp_path / "toy", {"train.txt": b"my own text\n"})
    said = refusal(DataError, toy(server.url), tmp_path)
    assert said.startswith(f"{tmp_path}/toy/train.txt: exists and differs")
    assert "--force" in said
    assert tree(tmp_path) == {"toy/train.txt": b"my own text\n"}
    fetch(toy(server.url), tmp_path, force=True)
    assert tree(tmp_path) == whole


def test_a_folder_that_cannot_be_made(tmp_path, toy, put, server):
    put(tmp_path, {"toy": b"a file where the folder should be"})
    assert refusal(DataError, toy(server.url), tmp_path).startswith(f"{tmp_path}/toy: File exists")


def test_a_corpus_in_a_word(tmp_path, toy, contents, put):
    home = tmp_path / "toy"
    assert state(toy(), tmp_path) == "missing"
    put(home, {"train.txt": contents["train.txt"]})
    assert state(toy(), tmp_path) == "incomplete"
    put(home, {"test.txt": contents["test.txt"]})
    assert state(toy(), tmp_path) == "verified"
    put(home, {"train.txt": contents["train.txt"][::-1]})
    assert state(toy(), tmp_path) == "damaged"
    found, wanted = digest(contents["train.txt"][::-1]), digest(contents["train.txt"])
    assert check(toy(), tmp_path) == {
        home / "train.txt": f"found SHA-256 {found}, wanted {wanted}",
        home / "test.txt": "",
    }


def made(lines=("one two three",), notes=()):
    parts = {"train": list(lines), "valid": ["a valid line"], "test": ["a test line"]}
    return Corpus("made", "text", 0.001, 0.001, "none", "here", build=lambda progress: (parts, list(notes)))


def test_a_generated_corpus_is_written_with_its_checksums(tmp_path, tree):
    fetched = fetch(made(lines=["one two", "three"], notes=["a note"]), tmp_path)
    home = tmp_path / "made"
    assert fetched == ([home / "train.txt", home / "valid.txt", home / "test.txt"], ["a note"])
    texts = {"train.txt": b"one two\nthree\n", "valid.txt": b"a valid line\n", "test.txt": b"a test line\n"}
    sums = "".join(f"{digest(text)}  {name}\n" for name, text in texts.items())
    assert tree(home) == {**texts, "SHA256SUMS": sums.encode()}
    assert state(made(), tmp_path) == "verified"
    assert fetch(made(), tmp_path)[0] == []  # another text now, but what is there is whole


def test_a_damaged_generated_corpus(tmp_path, put):
    fetch(made(), tmp_path)
    train = put(tmp_path / "made", {"train.txt": b"edited\n"}) / "train.txt"
    said = refusal(DataError, made(), tmp_path)
    assert said.startswith(f"{train}: exists and differs: found SHA-256 {digest(b'edited' + bytes([10]))}")
    fetch(made(), tmp_path, force=True)
    assert train.read_bytes() == b"one two three\n"
    train.with_name("SHA256SUMS").unlink()
    assert state(made(), tmp_path) == "damaged"


def test_a_generated_corpus_has_no_source(tmp_path):
    said = refusal(UsageError, made(), tmp_path, "some/folder")
    assert said.startswith("made: ")
    assert "--from" in said


def test_sentences_and_words_are_counted(tmp_path, put):
    put(tmp_path, {"text": b" \n = A heading = \n\none two\tthree\r\nno newline at the end"})
    assert count(tmp_path / "text") == (3, 12)
    with pytest.raises(DataError, match=f"^{tmp_path}/none: No such file"):
        count(tmp_path / "none")


def test_a_corpus_is_found_by_name():
    assert find("ptb").name == "ptb"
    for name, message in [
        ("ptbb", "unknown corpus 'ptbb'; did you mean 'ptb'?"),
        ("zzz", "unknown corpus 'zzz'"),
    ]:
        with pytest.raises(UsageError) as caught:
            find(name)
        assert caught.value.message == message
        assert all(corpus in caught.value.hint for corpus in CORPORA)


HERE = "a relative path starts at the working directory"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data/ptb/ptb.train.txt", "`rnnlm data fetch ptb` fetches it"),
        (Path("data/python-docs/test.txt").absolute(), "`rnnlm data fetch python-docs` fetches it"),
        ("my texts/wikitext-2/valid.txt", "`rnnlm data fetch wikitext-2 --dir 'my texts'` fetches it"),
        ("tiny-shakespeare/input.txt", "`rnnlm data fetch tiny-shakespeare --dir .` fetches it"),
        ("data/ptb/train.txt", HERE),
        ("data/mine/train.txt", HERE),
        ("train.txt", HERE),
    ],
)
def test_a_missing_file_names_the_command_that_brings_it(path, expected):
    assert hint(path) == expected


DOWNLOADED = [corpus for corpus in CORPORA.values() if not corpus.build]


@pytest.mark.parametrize("corpus", DOWNLOADED, ids=lambda corpus: corpus.name)
def test_every_download_is_pinned_and_documented(corpus):
    assert re.match(r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/", corpus.url)
    assert corpus.megabytes == round(sum(file.size for file in corpus.files) / 1e6, 1)
    readme = Path(__file__).parents[2].joinpath("data/README.md").read_text(encoding="utf-8")
    for file in corpus.files:
        assert f"| `{corpus.name}/{file.name}` | {file.size:,} | `{file.sha256}` |" in readme
