"""Fetching: from a folder and from a server on loopback that misbehaves; a file is whole and right, or not there."""

import hashlib
import random
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rnnlm.corpora import catalogue
from rnnlm.corpora.catalogue import CORPORA, Downloaded, File, Generated, check, count, fetch, find, hint, state
from rnnlm.corpora.python_docs import PythonDocs
from rnnlm.errors import DataError, UsageError

SIZE = 200_000  # bytes: several blocks
TRAIN = random.Random(1).randbytes(SIZE)
TEST = b"a small file\n"
WRONG = random.Random(2).randbytes(SIZE)
CONTENTS = {"train.txt": TRAIN, "test.txt": TEST}

ELSEWHERE = "take the files from elsewhere: --from DIR|URL"
NETWORK = f"check the network, or {ELSEWHERE}"
AGAIN = "run the same command again: it goes on from there"


def digest(content):
    return hashlib.sha256(content).hexdigest()


def toy(url="https://example.invalid/toy"):
    files = (
        File("train.txt", SIZE, digest(TRAIN), also=("toy.train.tokens",)),
        File("test.txt", len(TEST), digest(TEST)),
    )
    return Downloaded("toy", "noise", "200 kB", "none", "nowhere", url=url, files=files)


class Server(ThreadingHTTPServer):
    """Serves `contents` as the test has it misbehave, and keeps the paths and ranges `asked` for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents, self.ranges, self.cut, self.asked = dict(CONTENTS), True, None, []
        self.announce, self.redirect, self.speak = True, None, threading.Event()
        self.speak.set()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that hangs up is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, name, start = self.server, self.path.rpartition("/")[2], 0
        server.asked.append((self.path, self.headers["Range"]))
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return
        if name not in server.contents:
            self.send_error(404)
            return
        content = server.contents[name]
        if self.headers["Range"] and server.ranges:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if server.announce:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        server.speak.wait()
        self.wfile.write(content[start : server.cut])

    def log_message(self, *arguments):
        """Tests are quiet."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.speak.set()
        server.shutdown()
        thread.join()


def put(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def tree(folder):
    """The files under a folder: name -> content."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WHOLE = {"toy/train.txt": TRAIN, "toy/test.txt": TEST}


def refusal(kind, *arguments, **options):
    with pytest.raises(kind) as caught:
        fetch(*arguments, **options)
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize(
    ("folder", "contents"),
    [
        (".", CONTENTS),
        ("toy", CONTENTS),
        (".", {"toy.train.tokens": TRAIN, "test.txt": TEST}),
    ],
)
def test_a_folder_is_copied(tmp_path, folder, contents):
    put(tmp_path / "from" / folder, contents)
    told = []
    fetched = fetch(toy(), tmp_path / "to", str(tmp_path / "from"), progress=lambda *count: told.append(count))
    assert fetched == ([tmp_path / "to/toy/train.txt", tmp_path / "to/toy/test.txt"], [])
    assert tree(tmp_path / "to") == WHOLE
    total = SIZE + len(TEST)
    assert told == [(65536, total), (131072, total), (196608, total), (SIZE, total), (total, total)]


def test_a_server_is_read(tmp_path, server):
    fetch(toy(server.url), tmp_path)
    assert tree(tmp_path) == WHOLE
    assert server.asked == [("/train.txt", None), ("/test.txt", None)]


def test_a_mirror_takes_the_place_of_the_server(tmp_path, server):
    fetch(toy(), tmp_path, f"{server.url}/some/where/")
    assert tree(tmp_path) == WHOLE
    assert server.asked == [("/some/where/train.txt", None), ("/some/where/test.txt", None)]


def test_a_cut_download_is_resumed(tmp_path, server):
    server.cut = 70_000
    assert refusal(DataError, toy(server.url), tmp_path) == (
        f"{server.url}/train.txt: the connection ended after 70,000 of 200,000 bytes",
        AGAIN,
    )
    assert tree(tmp_path) == {"toy/train.txt.part": TRAIN[:70_000]}

    server.cut = None
    told = []
    fetch(toy(server.url), tmp_path, progress=lambda done, total: told.append(done))
    assert tree(tmp_path) == WHOLE
    assert server.asked[1:] == [("/train.txt", "bytes=70000-"), ("/test.txt", None)]
    assert told[0] > 70_000
    assert told[-1] == SIZE + len(TEST)


def test_a_server_without_ranges_starts_over(tmp_path, server):
    put(tmp_path / "toy", {"train.txt.part": TRAIN[:70_000]})
    server.ranges = False
    fetch(toy(server.url), tmp_path)
    assert tree(tmp_path) == WHOLE


def test_a_whole_part_that_was_never_verified_is_fetched_anew(tmp_path, server):
    put(tmp_path / "toy", {"train.txt.part": WRONG})
    fetch(toy(server.url), tmp_path)
    assert tree(tmp_path) == WHOLE
    assert server.asked[0] == ("/train.txt", None)


def test_a_range_beyond_the_end_is_taken_back(tmp_path, server):
    put(tmp_path / "toy", {"train.txt.part": TRAIN[:70_000]})
    server.contents["train.txt"] = TRAIN[:50_000]
    assert refusal(DataError, toy(server.url), tmp_path) == (
        f"{server.url}/train.txt: refused: found 50,000 bytes, wanted 200,000",
        ELSEWHERE,
    )
    assert server.asked == [("/train.txt", "bytes=70000-"), ("/train.txt", None)]


def test_wrong_content_is_refused_and_forgotten(tmp_path, server):
    server.contents["train.txt"] = WRONG
    assert refusal(DataError, toy(server.url), tmp_path) == (
        f"{server.url}/train.txt: refused: found SHA-256 {digest(WRONG)}, wanted {digest(TRAIN)}",
        ELSEWHERE,
    )
    assert tree(tmp_path) == {}


def test_a_stream_of_unknown_length_is_not_read_for_ever(tmp_path, server):
    server.announce = False
    server.contents["train.txt"] = TRAIN + WRONG
    message, _ = refusal(DataError, toy(server.url), tmp_path)
    assert message.startswith(f"{server.url}/train.txt: refused: found 2")
    assert message.endswith(" bytes, wanted 200,000")
    assert tree(tmp_path) == {}


def test_wrong_content_in_a_folder_is_refused(tmp_path):
    put(tmp_path / "from", {"train.txt": b"short", "test.txt": TEST})
    assert refusal(DataError, toy(), tmp_path / "to", str(tmp_path / "from")) == (
        f"{tmp_path}/from/train.txt: refused: found 5 bytes, wanted 200,000",
        ELSEWHERE,
    )
    assert tree(tmp_path / "to") == {}


def test_a_folder_without_the_file(tmp_path):
    assert refusal(DataError, toy(), tmp_path, str(tmp_path / "from")) == (
        f"{tmp_path}/from: found no train.txt or toy.train.tokens there",
        "--from wants the folder that holds the files",
    )


def test_a_missing_page(tmp_path, server):
    del server.contents["test.txt"]
    assert refusal(DataError, toy(server.url), tmp_path) == (
        f"{server.url}/test.txt: found HTTP 404 Not Found, wanted the file",
        NETWORK,
    )
    assert tree(tmp_path) == {"toy/train.txt": TRAIN}


def test_a_redirection_to_plain_http_is_refused(tmp_path, server):
    server.redirect = f"{server.url}/other/train.txt"
    assert refusal(DataError, toy(server.url), tmp_path) == (
        f"{server.url}/train.txt: refused: redirected to {server.url}/other/train.txt, wanted https",
        ELSEWHERE,
    )
    assert server.asked == [("/train.txt", None)]


def test_no_server(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert refusal(DataError, toy(url), tmp_path) == (f"{url}/train.txt: Connection refused", NETWORK)


def test_a_silent_server_is_given_up(tmp_path, server, monkeypatch):
    monkeypatch.setattr(catalogue, "TIMEOUT", 0.1)
    server.speak.clear()
    assert refusal(DataError, toy(server.url), tmp_path) == (f"{server.url}/train.txt: timed out", AGAIN)


@pytest.mark.parametrize("address", ["ftp://example.invalid/toy", "file:///tmp"])
def test_other_protocols_are_refused(tmp_path, address):
    assert refusal(UsageError, toy(), tmp_path, address) == (
        f"--from {address}: found neither a folder nor an http(s) address",
        "give DIR or https://...",
    )


def test_what_is_there_and_right_is_left_alone(tmp_path, server):
    put(tmp_path / "toy", {"train.txt": TRAIN})
    assert fetch(toy(server.url), tmp_path).written == [tmp_path / "toy/test.txt"]
    assert fetch(toy(server.url), tmp_path).written == []
    assert server.asked == [("/test.txt", None)]


def test_what_is_there_and_differs_is_replaced_only_by_force(tmp_path, server):
    put(tmp_path / "toy", {"train.txt": b"my own text\n"})
    assert refusal(DataError, toy(server.url), tmp_path) == (
        f"{tmp_path}/toy/train.txt: exists and differs: found 12 bytes, wanted 200,000",
        "move it away, or replace it with --force",
    )
    assert tree(tmp_path) == {"toy/train.txt": b"my own text\n"}
    fetch(toy(server.url), tmp_path, force=True)
    assert tree(tmp_path) == WHOLE


def test_a_folder_that_cannot_be_made(tmp_path, server):
    put(tmp_path, {"toy": b"a file where the folder should be"})
    assert refusal(DataError, toy(server.url), tmp_path) == (
        f"{tmp_path}/toy: File exists",
        "check permissions and free space, then run it again",
    )


def test_a_corpus_in_a_word(tmp_path):
    home = tmp_path / "toy"
    assert state(toy(), tmp_path) == "missing"
    put(home, {"train.txt": TRAIN})
    assert state(toy(), tmp_path) == "incomplete"
    put(home, {"test.txt": TEST})
    assert state(toy(), tmp_path) == "verified"
    put(home, {"train.txt": WRONG})
    assert state(toy(), tmp_path) == "damaged"
    assert check(toy(), tmp_path) == {
        home / "train.txt": f"found SHA-256 {digest(WRONG)}, wanted {digest(TRAIN)}",
        home / "test.txt": "",
    }


def made(lines=("one two three",), notes=()):
    parts = {"train": list(lines), "valid": ["a valid line"], "test": ["a test line"]}
    return Generated("made", "text", "1 kB", "none", "here", build=lambda progress: PythonDocs(parts, list(notes)))


def test_a_generated_corpus_is_written_with_its_checksums(tmp_path):
    fetched = fetch(made(lines=["one two", "three"], notes=["a note"]), tmp_path)
    home = tmp_path / "made"
    assert fetched == ([home / "train.txt", home / "valid.txt", home / "test.txt"], ["a note"])
    texts = {"train.txt": b"one two\nthree\n", "valid.txt": b"a valid line\n", "test.txt": b"a test line\n"}
    sums = "".join(f"{digest(text)}  {name}\n" for name, text in texts.items())
    assert tree(home) == {**texts, "SHA256SUMS": sums.encode()}
    assert state(made(), tmp_path) == "verified"
    assert fetch(made(), tmp_path).written == []  # another text now, but what is there is whole


def test_a_damaged_generated_corpus(tmp_path):
    fetch(made(), tmp_path)
    train = put(tmp_path / "made", {"train.txt": b"edited\n"}) / "train.txt"
    assert refusal(DataError, made(), tmp_path) == (
        f"{train}: exists and differs: found SHA-256 {digest(b'edited' + bytes([10]))}, wanted what SHA256SUMS says",
        "move it away, or replace it with --force",
    )
    fetch(made(), tmp_path, force=True)
    assert train.read_bytes() == b"one two three\n"
    train.with_name("SHA256SUMS").unlink()
    assert state(made(), tmp_path) == "damaged"


def test_a_generated_corpus_has_no_source(tmp_path):
    assert refusal(UsageError, made(), tmp_path, "some/folder") == (
        "made: made on the spot, not taken from some/folder",
        "leave out --from",
    )


def test_sentences_and_words_are_counted(tmp_path):
    put(tmp_path, {"text": b" \n = A heading = \n\none two\tthree\r\nno newline at the end"})
    assert count(tmp_path / "text") == (3, 12)
    with pytest.raises(DataError) as caught:
        count(tmp_path / "none")
    assert caught.value.message == f"{tmp_path}/none: No such file or directory"


def test_a_corpus_is_found_by_name():
    assert find("ptb").name == "ptb"
    for name, message in [
        ("ptbb", "unknown corpus 'ptbb'; did you mean 'ptb'?"),
        ("zzz", "unknown corpus 'zzz'"),
    ]:
        with pytest.raises(UsageError) as caught:
            find(name)
        assert (caught.value.message, caught.value.hint) == (
            message,
            "known: python-docs, python-packages, addition-2, addition-3, numbers, ptb, wikitext-2, tiny-shakespeare",
        )


HERE = "a relative path starts at the working directory"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data/ptb/ptb.train.txt", "`rnnlm data fetch ptb` brings it"),
        (Path("data/python-docs/test.txt").absolute(), "`rnnlm data fetch python-docs` brings it"),
        ("my texts/wikitext-2/valid.txt", "`rnnlm data fetch wikitext-2 --dir 'my texts'` brings it"),
        ("tiny-shakespeare/input.txt", "`rnnlm data fetch tiny-shakespeare --dir .` brings it"),
        ("data/ptb/train.txt", HERE),
        ("data/mine/train.txt", HERE),
        ("train.txt", HERE),
    ],
)
def test_a_missing_file_names_the_command_that_brings_it(path, expected):
    assert hint(path) == expected


DOWNLOADED = [corpus for corpus in CORPORA.values() if isinstance(corpus, Downloaded)]


@pytest.mark.parametrize("corpus", DOWNLOADED, ids=lambda corpus: corpus.name)
def test_every_download_is_pinned_and_documented(corpus):
    assert re.match(r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/", corpus.url)
    assert f"{sum(file.size for file in corpus.files) / 1e6:.1f} MB" in corpus.size
    readme = Path(__file__).parents[2].joinpath("data/README.md").read_text(encoding="utf-8")
    for file in corpus.files:
        assert f"| `{corpus.name}/{file.name}` | {file.size:,} | `{file.sha256}` |" in readme
