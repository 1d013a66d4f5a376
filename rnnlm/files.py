"""Files: written whole or not at all, refused unless regular; texts from them cut to a readable length."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from rnnlm.errors import DataError


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
