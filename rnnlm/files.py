"""Files: written whole or not at all; pipes and devices, read again where need be; texts shown in messages."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import stat
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO

from rnnlm.encodings import advice
from rnnlm.errors import DataError, UsageError

Name = str | os.PathLike[str]
STDIN = "-"
OF_A_RUN = {"last.npz", "previous.npz", "best.npz", "env.json"}  # one of them at least is in every run directory
KEPT = 1 << 32  # bytes of a pipe, at most, that are kept to be read again
PIECE = 1 << 20  # bytes copied at a time
DESCRIPTOR = re.compile(r"/dev/(?:fd/(\d+)|(stdin|stdout|stderr))|/proc/self/fd/(\d+)")


def resumable(run: Path) -> bool:
    """Whether there is a checkpoint in a run directory to go on from."""
    return (run / "last.npz").exists() or (run / "previous.npz").exists()


# --- writing -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def writing(path: Name, hint: str = "make room there, or choose another folder") -> Iterator[None]:
    """Raise DataError, with the hint, where `path` cannot be written; BrokenPipeError where nobody reads any more."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}", hint) from None


def write_whole(path: Name, content: bytes | Callable[[BinaryIO], Any], previous: Path | None = None) -> None:
    """Write a file whole or not at all: under a temporary name beside `path`, synced to the disk, then renamed.

    content: the bytes, or a function that writes them to a binary file. The file that it replaces is kept as
    `previous`. A pipe or a device at `path` is written to, once all is there. Raises DataError when the disk is full,
    the folder read-only or gone, or `path` a folder; what stood at `path` is then untouched. Raises BrokenPipeError
    when nobody reads from the pipe any more.
    """
    path = Path(path)
    if is_stream(path):
        _send(path, content)
        return
    refuse_irregular(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing(path), contextlib.ExitStack() as at_end:
        at_end.callback(temporary.unlink, missing_ok=True)  # there is none if all went well
        with open(temporary, "wb") as file:
            file.write(content) if isinstance(content, bytes) else content(file)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None:
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, previous)  # not a link: not every file system has them
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        at_end.callback(os.close, folder)
        os.fsync(folder)


def _send(path: Path, content: bytes | Callable[[BinaryIO], Any]) -> None:
    """Write to a pipe or a device, or to a descriptor of this process where it stands in its file.

    What is written comes from a temporary file, in which its writer can go back.
    """
    number = descriptor(path)
    if number == 1:
        sys.stdout.flush()
    with (
        writing(path, "choose another place"),
        tempfile.TemporaryFile() as whole,
        open(path if number is None else os.dup(number), "wb") as file,
    ):
        whole.write(content) if isinstance(content, bytes) else content(whole)  # type: ignore[arg-type]
        whole.seek(0)
        shutil.copyfileobj(whole, file, PIECE)


def descriptor(path: Name) -> int | None:
    """Number of the descriptor of this process that a name like /dev/stdout or /dev/fd/3 means; None for another."""
    found = DESCRIPTOR.fullmatch(str(path))
    return ("stdin", "stdout", "stderr").index(found[2]) if found and found[2] else found and int(found[1] or found[3])


def is_stream(path: Name) -> bool:
    """Whether there is a pipe or a device at a path, or a descriptor of this process, and no file or folder."""
    if descriptor(path) is not None:
        return True
    with contextlib.suppress(OSError, ValueError):
        mode = os.stat(path).st_mode
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    return False


def refuse_irregular(path: Path) -> None:
    """Raise DataError if `path` exists and is not a regular file: a folder, a pipe or a device."""
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: is a directory, a pipe or a device, not a file", "name a regular file")


# --- reading -------------------------------------------------------------------------------------------------------


_KEPT: dict[Any, IO[bytes]] = {}  # contents of pipes that are read more than once, in temporary files without a name


def _identity(path: Name) -> Any:
    """Key of a pipe in _KEPT: the object that is standard input now, or device and inode."""
    if str(path) == STDIN:
        return id(sys.stdin)
    about = os.stat(path)
    return about.st_dev, about.st_ino


class Blocks(io.RawIOBase):
    """Stream of the bytes in an iterator's blocks, as they come."""

    def __init__(self, blocks: Iterable[bytes]):
        self._blocks, self._ready = filter(None, blocks), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._ready:
            self._ready = memoryview(next(self._blocks, b""))
        n = min(len(buffer), len(self._ready))
        buffer[:n], self._ready = self._ready[:n], self._ready[n:]
        return n


def opened(path: Name) -> io.RawIOBase:
    """The bytes of a file, a pipe or a device, from its beginning; "-" is standard input.

    A pipe can be read once, or again and again if it was kept before: see `keep`. Raises OSError, and DataError for a
    standard input that is closed.
    """
    if str(path) == STDIN and sys.stdin is None:
        raise DataError("<stdin>: is closed", "pipe a text in, or name a file")
    if str(path) == STDIN or is_stream(path):
        if (kept := _KEPT.get(_identity(path))) is not None:
            number, size = kept.fileno(), os.fstat(kept.fileno()).st_size
            return Blocks(os.pread(number, PIECE, at) for at in range(0, size, PIECE))
        if str(path) == STDIN:
            stdin: Any = sys.stdin.buffer
            return Blocks(iter(partial(stdin.read1, PIECE), b""))
    return io.FileIO(os.fspath(path))


def keep(path: Name) -> None:
    """Keep what comes from a pipe, a device or standard input, so that it can be read more than once.

    Nothing is to be done about files. The content stays in a temporary file without a name, in the folder that TMPDIR
    names, as long as the process lives. Raises DataError for one of more than KEPT bytes, and if it cannot be kept.
    """
    if str(path) != STDIN and not is_stream(path):
        return
    name = "<stdin>" if str(path) == STDIN else path
    try:
        if (key := _identity(path)) in _KEPT:
            return
        with opened(path) as stream, contextlib.ExitStack() as undo:
            file = undo.enter_context(tempfile.TemporaryFile())
            while block := stream.read(PIECE):
                file.write(block)
                if file.tell() > KEPT:
                    raise DataError(
                        f"{name}: more than {KEPT >> 30} GB, of which no more can be kept to be read again",
                        "write it to a file, and name that",
                    )
            file.flush()
            undo.pop_all()
    except OSError as error:
        raise DataError(
            f"{name}: cannot be kept to be read again: {error.strerror}", "point TMPDIR to a folder with space"
        ) from None
    _KEPT[key] = file
    weakref.finalize(sys.stdin if str(path) == STDIN else keep, lambda: _KEPT.pop(key).close())


def read_text(path: Path, longest: int, wanted: str) -> str:
    """The text of a small UTF-8 file that the user has named; `wanted` says what it should be: "a YAML file".

    Raises UsageError if it cannot be read, has more than `longest` bytes or, with line and offset, is not UTF-8.
    """
    name = one_line(str(path))
    try:
        with io.BufferedReader(opened(path)) as file:
            data = file.read(longest + 1)
        if len(data) <= longest:
            return data.decode()
    except OSError as error:
        problem = "no such file" if isinstance(error, FileNotFoundError) else f"{error.strerror}; expected {wanted}"
        tried = "" if path.is_absolute() else f" (tried {path.absolute()})"
        raise UsageError(f"{name}: {problem}{tried}", "a relative path starts at the working directory") from None
    except UnicodeDecodeError as error:
        line, byte = data.count(b"\n", 0, error.start) + 1, data[error.start]
        raise UsageError(
            f"{name}:{line}: not UTF-8: byte 0x{byte:02x} at offset {error.start}", advice(data, error.start, str(path))
        ) from None
    raise UsageError(f"{name}: larger than {longest} bytes; expected {wanted}", "check the name")


# --- texts in messages ---------------------------------------------------------------------------------------------


def shortened(text: str, longest: int = 40) -> str:
    """`text` in quotes, cut to `longest` characters, for messages."""
    return repr(text if len(text) <= longest else text[: longest - 3] + "...")


def one_line(text: str) -> str:
    """`text` as it is, or in quotes with escapes if it is empty or would not be printed in one line."""
    return text if text and text.isprintable() else repr(text)
