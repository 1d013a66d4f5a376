"""Lines of a text from wherever it comes: files, pipes and standard input, compressed or not, UTF-8 or marked UTF-16.

A source is bytes; `opened` decompresses them. `opened_text` makes UTF-8 of UTF-16 and UTF-32 with a byte order mark,
makes line feeds of the carriage returns of a text that has no others, and refuses what is no text. `lines` and `blocks`
cut it.
"""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import importlib
import io
import itertools
import lzma
import os
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from operator import methodcaller
from typing import Any

from rnnlm import files
from rnnlm.encodings import advice, kind_of, marked, quoted, unmarked
from rnnlm.errors import DataError, TextWarning
from rnnlm.files import STDIN, shortened

TextPath = str | os.PathLike[str]
BLOCK = 1 << 17  # bytes read, encoded and written at a time
HEAD = 1 << 20  # bytes that are looked at, at most, before the first line
LONGEST = 1 << 12  # bytes of a head that tell compressed and other files
MAX_LINE = 1 << 26  # bytes; the gigabytes that a few kilobytes of gzip can stand for need have no line end at all
# How a compressed file begins, its name, and what reads it.
COMPRESSED: list[tuple[bytes, str, Callable[[Any], Any]]] = [
    (rb"\x1f\x8b", "gzip", lambda file: gzip.GzipFile(fileobj=file)),
    (rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", "bzip2", bz2.BZ2File),
    (rb"\xfd7zXZ\0", "xz", lzma.LZMAFile),
]
with contextlib.suppress(ImportError):  # before Python 3.14
    COMPRESSED.append((rb"\x28\xb5\x2f\xfd", "zstd", importlib.import_module("compression.zstd").ZstdFile))
BROKEN = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


# --- bytes ---


def text_name(path: TextPath) -> str:
    """Name of a text in reports and messages."""
    return "<stdin>" if str(path) == STDIN else str(path) or "''"


def _whole(head: bytes, stream: Any, convert: Callable[[bytes], bytes] = bytes) -> io.BufferedReader:
    """A stream of which the head has been read, from its beginning, each block of it converted, and b"" at the end."""
    blocks = itertools.chain([head], iter(partial(stream.read1, BLOCK), b""), [b""])
    return io.BufferedReader(files.Blocks(map(convert, blocks)), BLOCK)


def _head(stream: Any, least: int) -> bytes:
    """The first bytes of a stream: up to the first line feed, or `least` of them, or all; as they come, and read."""
    head = b""
    while len(head) < least and b"\n" not in head and (block := stream.read1(BLOCK)):
        head += block
    return head


@contextlib.contextmanager
def opened(path: TextPath) -> Iterator[Any]:
    """A binary stream of a file, pipe or device, or of standard input ("-"), decompressed: gzip, bzip2, xz or zstd.

    The first bytes tell how it is compressed. zstd needs Python 3.14. Raises DataError, whatever prevents reading it.
    """
    name, compression = text_name(path), ""
    try:
        with contextlib.ExitStack() as stack:
            stream: Any = stack.enter_context(io.BufferedReader(files.opened(path), BLOCK))
            head = _head(stream, LONGEST)
            stream = _whole(head, stream)
            for begins, kind, decompressed in COMPRESSED:
                if re.match(begins, head):
                    compression, stream = kind, stack.enter_context(decompressed(stream))
                    break
            yield stream
    except FileNotFoundError:
        from rnnlm.corpora import catalogue

        raise DataError(f"{name}: no such file (tried {os.path.abspath(path)})", catalogue.hint(str(path))) from None
    except IsADirectoryError:
        raise DataError(f"{name}: is a directory", "name the text files in it") from None
    except (*BROKEN, OSError) as error:  # what decompresses raises OSError without a number, if at all
        if isinstance(error, OSError) and (error.errno is not None or not compression):
            raise DataError(f"{name}: cannot be read: {error.strerror}", "check the file and its permissions") from None
        what = f"broken {compression or 'compressed'} file: {error}"
        raise DataError(f"{name}: {what}", "copy or download it again") from None


@contextlib.contextmanager
def opened_text(path: TextPath) -> Iterator[io.BufferedReader]:
    """A binary stream of a text in UTF-8, decompressed, whose lines end with a line feed: see `opened`.

    UTF-16 and UTF-32 with a byte order mark become UTF-8. In a text whose first HEAD bytes have carriage returns but no
    line feed, as old Macintosh programs wrote it, every carriage return becomes one, with a TextWarning. Raises
    DataError for files that are no texts, such as archives and PDF documents, and for UTF-16 without a mark.
    """
    with opened(path) as stream:
        name, head = text_name(path), _head(stream, HEAD)
        if kind := kind_of(head, name):
            raise DataError(f"{name}: {kind.what}, expected a text", kind.hint)
        encoding = marked(head)
        if encoding is None and (found := unmarked(head)):
            raise DataError(
                f"{name}: UTF-16 without a byte order mark, expected UTF-8",
                f"convert it: iconv -f {found.upper().replace('16-', '16')} -t UTF-8 {quoted(name)}",
            )
        if encoding:
            stream = _whole(head, stream, _recoder(encoding, name))
            head = _head(stream, HEAD)
        convert: Callable[[bytes], bytes] = bytes
        if b"\n" not in head and (number := head[:-1].count(b"\r")):
            warnings.warn(
                TextWarning(
                    f"{name}: no line feed but carriage returns ({number} in its first {len(head)} bytes)"
                    ", which are read as line ends"
                ),
                stacklevel=2,
            )
            convert = methodcaller("replace", b"\r", b"\n")
        yield _whole(head, stream, convert)


def other_than_text(path: TextPath) -> str | None:
    """The kind of a file whose first bytes are no text's, in a few words; None of a text. Raises DataError as `opened`.

    Bytes of 0 are the mark of other files, except in UTF-16 and UTF-32.
    """
    with opened(path) as stream:
        head = _head(stream, LONGEST)[:LONGEST]
    if kind := kind_of(head, text_name(path)):
        return kind.what
    return "no text" if b"\0" in head and not marked(head) and not unmarked(head) else None


def _recoder(encoding: str, name: str) -> Callable[[bytes], bytes]:
    """A function that makes UTF-8 of blocks of a text in another encoding; b"" is the end. It raises DataError."""
    decoder, offset = codecs.getincrementaldecoder(encoding)(), 0

    def recode(block: bytes) -> bytes:
        nonlocal offset
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{name}: near byte {offset + max(error.start, 0)}: not {encoding.upper()}, as its mark says",
                "is the file whole? copy or download it again",
            ) from None
        offset += len(block)
        return text.encode()

    return recode


# --- lines ---


def lines(path: TextPath, seen: Callable[[bytes], object] | None = None) -> Iterator[str]:
    """Lines of a text, without their ends.

    path: a file or pipe, plain or compressed, or "-" for standard input; see `opened_text`.
    seen: is called with the bytes of the text, as UTF-8, as they are read (for progress bars and checksums).

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
    with opened_text(path) as stream:
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
                    advice(block, error.start, text_name(path)),
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
        found = f"{text_name(path)}:{number}: {what} in {shortened(line)}"
        raise DataError(found, "expected two parts with a tab between")
    return (right if column else left).strip()
