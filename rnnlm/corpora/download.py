"""Files from a server or from a folder, verified: a file arrives whole and right, or not at all."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rnnlm import __version__
from rnnlm.errors import DataError
from rnnlm.files import write_whole

TIMEOUT = 30.0  # seconds to wait for a server's next byte
BLOCK = 1 << 16  # bytes read at a time
ELSEWHERE = "take the files from elsewhere: --from DIR|URL"
NETWORK = f"check the network and try again, or {ELSEWHERE}"


class File(NamedTuple):
    """Name, size and checksum of a file; `also` is another name that local copies of it go by."""

    name: str
    size: int  # bytes
    sha256: str
    also: str = ""


def fetch(file: File, source: str, path: Path, progress: Callable[[int], object]) -> None:
    """Write the file at `source`, an address or a path, to `path`; `progress` is told the bytes done so far.

    Raises DataError, and writes nothing, when the source cannot be read or has something else than `file`.
    """

    def write(target: BinaryIO) -> None:
        digest, done = hashlib.sha256(), 0
        for block in _blocks(source):
            digest.update(block)
            target.write(block)
            done += len(block)
            progress(done)
            if done > file.size:  # a stream of unknown length is not read for ever
                break
        if done != file.size:
            raise DataError(f"{source}: refused: found {done:,} bytes, wanted {file.size:,}", NETWORK)
        if digest.hexdigest() != file.sha256:
            raise DataError(f"{source}: refused: found SHA-256 {digest.hexdigest()}, wanted {file.sha256}", ELSEWHERE)

    write_whole(path, write)


def is_url(source: str) -> bool:
    """Whether `source` is an address and not a path."""
    return source.startswith(("http://", "https://"))


def _blocks(source: str) -> Iterator[bytes]:
    """The content of an address or a file, block by block. Raises DataError when it cannot be read."""
    try:
        with _opened(source) as stream:
            while block := stream.read(BLOCK):
                yield block
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(f"{source}: found HTTP {error.code} {error.reason}, wanted the file", NETWORK) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        cause = getattr(error, "reason", error)  # urllib wraps the error of the socket
        hint = NETWORK if is_url(source) else "check the file and its permissions"
        raise DataError(f"{source}: cannot be read: {getattr(cause, 'strerror', None) or cause}", hint) from error


def _opened(source: str) -> BinaryIO | http.client.HTTPResponse:
    if not is_url(source):
        return open(source, "rb")
    request = urllib.request.Request(source, headers={"User-Agent": f"rnnlm/{__version__}"})
    return urllib.request.build_opener(_HttpsRedirects).open(request, timeout=TIMEOUT)


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections to https only: nobody on the way may send us elsewhere."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if not newurl.startswith("https://"):
            fp.close()
            raise DataError(f"{req.full_url}: refused: redirected to {newurl}, wanted https", ELSEWHERE)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
