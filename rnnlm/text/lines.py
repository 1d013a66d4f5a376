"""Lines of a text from a file, a pipe or standard input, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rnnlm.encodings import advice
from rnnlm.errors import DataError
from rnnlm.files import STDIN, shortened
from rnnlm.text.sources import BLOCK, TextPath, opened_text, text_name

__all__ = ["BLOCK", "MAX_LINE", "STDIN", "TextPath", "blocks", "columns", "lines", "part", "text_name"]

MAX_LINE = 1 << 26  # bytes; the gigabytes that a few kilobytes of gzip can stand for need have no line end at all


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
