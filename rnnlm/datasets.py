"""The corpora that `rnnlm data` knows: where each comes from, and how its files arrive whole or not at all.

A file is written under a temporary name (`.part`), synced, verified and only then renamed: what bears the right name is
right. An interrupted download leaves its `.part`, and the next one asks the server for the rest of it.
"""

from __future__ import annotations

import difflib
import hashlib
import http.client
import os
import shlex
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

from rnnlm import __version__, pythondocs
from rnnlm.errors import DataError, UsageError

FOLDER = Path("data")  # where corpora are kept unless the user says otherwise, each in a folder of its own name
CHECKSUMS = "SHA256SUMS"  # beside the files of a generated corpus, in the format of `sha256sum --check`
MISSING = "missing"
TIMEOUT = 30.0  # seconds to wait for a server's next byte
BLOCK = 1 << 16  # bytes read at a time

Progress = Callable[[int, int], None]  # told (done, total) in the unit of the corpus


class File(NamedTuple):
    """A file as it must be, byte for byte; `also` are other names that local copies of it go by."""

    name: str
    size: int  # bytes
    sha256: str
    also: tuple[str, ...] = ()


class Fetched(NamedTuple):
    written: list[Path]
    notes: list[str]  # what the user should know of it, a line each


@dataclass(frozen=True)
class Corpus:
    """What a user wants to know of a corpus before fetching it. A subclass knows how its files are come by."""

    name: str
    what: str
    size: str
    licence: str
    source: str

    unit: ClassVar[str]  # of the progress

    @property
    def names(self) -> list[str]:
        """The names of the files."""
        raise NotImplementedError

    def problem(self, path: Path) -> str:
        """What is wrong with the file `path` of the corpus; empty if nothing is, MISSING if it is not there."""
        raise NotImplementedError

    def bring(self, paths: list[Path], source: str, progress: Progress) -> Fetched:
        """Write at least the files `paths`, over what is there. All are in one folder, and it exists."""
        raise NotImplementedError


@dataclass(frozen=True)
class Downloaded(Corpus):
    """A corpus of known files, all in the folder `url` of a server."""

    url: str
    known: tuple[File, ...]

    unit: ClassVar[str] = "B"

    @property
    def names(self) -> list[str]:
        return [file.name for file in self.known]

    def problem(self, path: Path) -> str:
        return self._compare(path, self._file(path.name))

    def bring(self, paths: list[Path], source: str, progress: Progress) -> Fetched:
        files = [next(file for file in self.known if file.name == path.name) for path in paths]
        total, before = sum(file.size for file in files), 0
        for path, file in zip(paths, files):
            part = path.with_name(path.name + ".part")
            if is_url(source or self.url):
                origin = f"{(source or self.url).rstrip('/')}/{file.name}"
                blocks = download(origin, part, file.size)
            else:
                origin = find_copy(file, [Path(source, self.name), Path(source)])
                blocks = copy(origin, part)
            for done in blocks:
                progress(before + done, total)
            problem = compare(part, file.size, file.sha256)
            if problem:
                part.unlink()
                raise DataError(f"{origin}: refused: {problem}", f"it is not the {file.name} of {self.name}")
            os.replace(part, path)
            before += file.size
        return Fetched(paths, [])


@dataclass(frozen=True)
class Generated(Corpus):
    """A corpus made on the spot, of parts `train`, `valid` and `test`, with its checksums beside it."""

    build: Callable[..., pythondocs.PythonDocs]

    unit: ClassVar[str] = " files"

    @property
    def names(self) -> list[str]:
        return [f"{part}.txt" for part in pythondocs.PARTS]
