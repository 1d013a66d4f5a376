"""Files: written whole or not at all, refused unless regular, small texts read whole; texts shown in messages."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from rnnlm.errors import DataError, UsageError


def write_whole(
    path: str | os.PathLike[str], content: bytes | Callable[[BinaryIO], Any], previous: Path | None = None
) -> None:
    """Write a file whole or not at all: under a temporary name beside `path`, synced to the disk, then renamed.

    content: the bytes, or a function that writes them to a binary file. The file that it replaces is kept as
    `previous`. Raises DataError when the disk is full, the folder read-only or gone, or `path` no regular file; what
    stood at `path` is then untouched.
    """
    path = Path(path)
    refuse_irregular(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content) if isinstance(content, bytes) else content(file)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None:
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, previous)  # not a link: not every file system has them
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written: {error.strerror or error}", "make room there, or choose another folder"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()  # there is none if all went well


def refuse_irregular(path: Path) -> None:
    """Raise DataError if `path` exists and is not a regular file: a folder, a pipe or a device."""
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: is a directory, a pipe or a device, not a file", "name a regular file")


def shortened(text: str, longest: int = 40) -> str:
    """`text` in quotes, cut to `longest` characters, for messages."""
    return repr(text if len(text) <= longest else text[: longest - 3] + "...")


def one_line(text: str) -> str:
    """`text` as it is, or in quotes with escapes if it is empty or would not be printed in one line."""
    return text if text and text.isprintable() else repr(text)


def read_text(path: Path, longest: int, wanted: str) -> str:
    """The text of a small UTF-8 file that the user has named; `wanted` says what it should be: "a YAML file".

    Raises UsageError if it cannot be read, has more than `longest` bytes or, with line and offset, is not UTF-8.
    """
    name = one_line(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(longest + 1)
        if len(data) <= longest:
            return data.decode()
    except OSError as error:
        problem = "no such file" if isinstance(error, FileNotFoundError) else f"{error.strerror}; expected {wanted}"
        tried = "" if path.is_absolute() else f" (tried {path.absolute()})"
        raise UsageError(f"{name}: {problem}{tried}", "a relative path starts at the working directory") from None
    except UnicodeDecodeError as error:
        line, byte = data.count(b"\n", 0, error.start) + 1, data[error.start]
        hint = "convert it, for example with: iconv -f ISO-8859-1 -t UTF-8"
        raise UsageError(f"{name}:{line}: not UTF-8: byte 0x{byte:02x} at offset {error.start}", hint) from None
    raise UsageError(f"{name}: larger than {longest} bytes; expected {wanted}", "check the name")
