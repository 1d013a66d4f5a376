"""Downloads from a server on loopback that misbehaves: a file is whole and right, or not there."""

import errno
import io
import socket

import pytest

from rnnlm.corpora import download
from rnnlm.corpora.download import fetch
from rnnlm.errors import DataError


@pytest.fixture
def train(toy):
    """The larger file of the corpus `toy`."""
    return toy().files[0]


def refusal(folder, file, source):
    """The message and the hint, after which nothing is left in the folder."""
    with pytest.raises(DataError) as caught:
        fetch(file, source, folder / "x.txt", print)
    assert caught.value.message.startswith(f"{source}: ")
    assert list(folder.iterdir()) == []
    return caught.value.message, caught.value.hint


def test_a_server_is_read(tmp_path, server, train, contents):
    told = []
    fetch(train, f"{server.url}/train.txt", tmp_path / "x.txt", told.append)
    assert (tmp_path / "x.txt").read_bytes() == contents["train.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]
    assert told == sorted(told)
    assert told[-1] == train.size


def test_a_download_that_breaks_off(tmp_path, server, train):
    server.cut = 70_000
    message, hint = refusal(tmp_path, train, f"{server.url}/train.txt")
    assert "70,000 bytes" in message
    assert "200,000" in message
    assert "try again" in hint


def test_wrong_content_is_refused_and_forgotten(tmp_path, server, train, contents):
    server.contents["train.txt"] = contents["train.txt"][::-1]
    message, hint = refusal(tmp_path, train, f"{server.url}/train.txt")
    assert "refused: found SHA-256" in message
    assert train.sha256 in message
    assert "--from" in hint


@pytest.mark.parametrize("announce", [False, True])
def test_a_stream_without_end_is_not_read_for_ever(tmp_path, server, train, announce):
    server.announce = announce
    server.contents["train.txt"] *= 20
    told = []
    with pytest.raises(DataError, match="refused: found 2.*wanted 200,000"):
        fetch(train, f"{server.url}/train.txt", tmp_path / "x.txt", told.append)
    assert told[-1] <= train.size + download.BLOCK
    assert list(tmp_path.iterdir()) == []


def test_a_missing_page(tmp_path, server, train):
    message, hint = refusal(tmp_path, train, f"{server.url}/none.txt")
    assert "404" in message
    assert "network" in hint


def test_a_redirection_to_plain_http_is_refused(tmp_path, server, train):
    server.redirect = f"{server.url}/other/train.txt"
    message, hint = refusal(tmp_path, train, f"{server.url}/train.txt")
    assert f"redirected to {server.url}/other/train.txt" in message
    assert "https" in message
    assert "--from" in hint
    assert server.asked == ["/train.txt"]


def test_a_redirection_to_https_is_followed(server, monkeypatch):
    asked = []

    def https_open(self, request):
        asked.append(request.full_url)
        raise OSError(errno.ECONNREFUSED, "refused by the test")

    monkeypatch.setattr("urllib.request.HTTPSHandler.https_open", https_open)
    server.redirect = "https://example.invalid/train.txt"
    with pytest.raises(DataError, match="refused by the test"):
        next(download._blocks(f"{server.url}/train.txt"))
    assert asked == ["https://example.invalid/train.txt"]


def test_no_server(tmp_path, monkeypatch, train):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        message, hint = refusal(tmp_path, train, f"http://127.0.0.1:{unused.getsockname()[1]}/train.txt")
    assert "Connection refused" in message
    assert "network" in hint


def test_a_silent_server_is_given_up(tmp_path, server, monkeypatch, train):
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    server.speak.clear()
    message, _ = refusal(tmp_path, train, f"{server.url}/train.txt")
    assert "timed out" in message


def test_a_full_disk_is_no_failure_of_the_network(tmp_path, server, monkeypatch, train):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("builtins.open", lambda *_: Full())
    with pytest.raises(DataError) as caught:
        fetch(train, f"{server.url}/train.txt", tmp_path / "x.txt", print)
    assert caught.value.message.startswith(f"{tmp_path}/x.txt: cannot be written")
