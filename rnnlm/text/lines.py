"""Lines of a text from a file or standard input: UTF-8, plain or gzipped, block by block."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from rnnlm.errors import DataError
from rnnlm.files import shortened

TextPath = str | os.PathLike[str]
STDIN = "-"
BLOCK = 1 << 17  # bytes read, encoded and written at a time
MAX_LINE = 1 << 26  # bytes; the gigabytes that a few kilobytes of gzip can stand for need have no line end at all
GZIP_MAGIC = b"\x1f\x8b"


def lines(path: TextPath, seen: Callable[[bytes], object] | None = None) -> Iterator[str]:
    """Lines of a UTF-8 text, without their ends.

    path: a file, plain or gzipped (its first bytes tell which), or "-" for standard input.
    seen: is called with the bytes of the text as they are read (for progress bars and checksums).

    Only "\\n" ends a line, with or without "\\r" before it; the last line may lack it. A byte order mark at the start
    is dropped. Lines typed or piped in slowly are yielded as they come. Memory: a block of text, or the longest line.

    Raises DataError for a file that cannot be read, for text that is not UTF-8, with its line and byte (counted from
    0), and for a line of more than MAX_LINE bytes.
    """
    for block in blocks(path, seen):
        yield from block


def blocks(path: TextPath, seen: Callable[[bytes], object] | None = None) -> Iterator[list[str]]:
    """Lists of lines of a text, about BLOCK bytes each; of text piped in slowly, the lines there are. See `lines`."""
    offset = line = 0
    with opened(path) as stream:
        while block := stream.read1(BLOCK):
            if not block.endswith(b"\n"):
                block += stream.readline(MAX_LINE)
                if len(block) >= MAX_LINE and not block.endswith(b"\n"):
                    line += block.count(b"\n") + 1
                    raise DataError(
                        f"{text_name(path)}:{line}: a line of more than {MAX_LINE >> 20} MB, which no sentence has",
                        "break it up, for example with: fold -s -w 1000",
                    )
            if seen:
                seen(block)
            try:
                text = block.decode()
            except UnicodeDecodeError as error:
                line += block.count(b"\n", 0, error.start) + 1
                raise DataError(
                    f"{text_name(path)}:{line}: byte {offset + error.start}: not UTF-8 (0x{block[error.start]:02x})",
                    "convert it, for example with: iconv -f ISO-8859-1 -t UTF-8",
                ) from None
            if offset == 0:
                text = text.removeprefix("\ufeff")
            offset += len(block)
            line += block.count(b"\n")
            if text:
                text = text if text.endswith("\n") else text + "\n"
                yield text.replace("\r\n", "\n")[:-1].split("\n")


def columns(path: TextPath, column: int, seen: Callable[[bytes], object] | None = None) -> Iterator[list[str]]:
    """Blocks of one column, 0 or 1, of a text whose lines are two parts with a tab between: `label<TAB>text`.

    White space around a part does not belong to it. An empty line has two empty parts. Raises DataError, naming the
    line, for one that lacks the tab or a part.
    """
    number = 0
    for block in blocks(path, seen):
        yield [part(line, column, path, number + i) for i, line in enumerate(block, 1)]
        number += len(block)


def part(line: str, column: int, path: TextPath, number: int) -> str:
    """One part, 0 or 1, of a line `left<TAB>right`; the line's number is for the message."""
    left, tab, right = line.partition("\t")
    if not tab and not line.strip():
        return ""
    if not (left.strip() and right.strip()):
        what = "an empty part beside the tab" if tab else "no tab"
        found = shortened(line)
        raise DataError(
            f"{text_name(path)}:{number}: {what} in {found}",
            "expected two parts with a tab between",
        )
    return (right if column else left).strip()


@contextlib.contextmanager
def opened(path: TextPath) -> Iterator[Any]:
    """A binary stream of a text, unzipped. Raises DataError, whatever prevents reading it."""
    name = text_name(path)
    try:
        if str(path) == STDIN:
            if sys.stdin is None:
                raise DataError(f"{name}: is closed", "pipe a text in, or name a file")
            yield sys.stdin.buffer
            return
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise DataError(f"{name}: is a directory", "name the text files in it")
        if not stat.S_ISREG(mode):  # most texts are read twice
            raise DataError(f"{name}: is a pipe or a device, not a file", "pipe the text in, and name it '-'")
        with io.BufferedReader(io.FileIO(os.fspath(path)), BLOCK) as file:
            yield gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == GZIP_MAGIC else file
    except FileNotFoundError:
        from rnnlm.corpora import catalogue

        raise DataError(f"{name}: no such file (tried {os.path.abspath(path)})", catalogue.hint(str(path))) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name}: broken gzip file: {error}", "copy or download it again") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror}", "check the file and its permissions") from None


def text_name(path: TextPath) -> str:
    """Name of a text in reports and messages."""
    return "<stdin>" if str(path) == STDIN else str(path) or "''"
