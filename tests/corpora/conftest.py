import hashlib
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rnnlm.corpora.catalogue import Corpus
from rnnlm.corpora.download import File

SIZE = 200_000  # bytes: several blocks
CONTENTS = {"train.txt": random.Random(1).randbytes(SIZE), "test.txt": b"a small file\n"}


class Server(ThreadingHTTPServer):
    """Serves `contents` as the test has it misbehave, and keeps the paths `asked` for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents, self.cut, self.asked = dict(CONTENTS), None, []
        self.announce, self.redirect, self.speak = True, None, threading.Event()
        self.speak.set()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that hangs up is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, name = self.server, self.path.rpartition("/")[2]
        server.asked.append(self.path)
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
        elif name not in server.contents:
            self.send_error(404)
        else:
            self.send_response(200)
            if server.announce:
                self.send_header("Content-Length", str(len(server.contents[name])))
            self.end_headers()
            server.speak.wait()
            self.wfile.write(server.contents[name][: server.cut])

    def log_message(self, *arguments):
        """Tests are quiet."""


@pytest.fixture
def server(monkeypatch):
    """A server on loopback."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.speak.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def contents():
    """The files of the corpus `toy`: name -> bytes."""
    return CONTENTS


@pytest.fixture
def toy():
    """A function from an address to a corpus of two files."""

    def toy(url="https://example.invalid/toy"):
        files = [File(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in CONTENTS.items()]
        files[0] = files[0]._replace(also="toy.train.tokens")
        return Corpus("toy", "noise", 0.2, 0.2, "none", "nowhere", url=url, files=tuple(files))

    return toy


@pytest.fixture
def put():
    """A function that writes files into a folder, which it makes, and returns the folder."""

    def put(folder, contents):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        return folder

    return put


@pytest.fixture
def tree():
    """A function from a folder to the files under it: name -> content."""

    def tree(folder):
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return tree
