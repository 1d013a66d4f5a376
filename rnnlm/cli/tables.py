"""Tables in the terminal: aligned columns, wide characters counted as two cells, no wider than the terminal."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, takewhile, zip_longest
from typing import Any

Token = tuple[str, str, Any]  # a text, a figure below it, and what decides its colour
NARROW = 16  # cells of the terminal; columns are not made narrower than this
LARGE = 1e7  # from here on numbers have an exponent
NAMES = {" ": "<space>", "\t": "<tab>", "\u3000": "<wide space>"}


def table(rows: Iterable[Sequence[Any]], align: str = "lr", gap: int = 2, limit: int | None = None) -> Iterator[str]:
    """Lines of a table, from rows of cells; a heading is a row like the others.

    align: "l" (left) or "r" (right) for each column; the last letter holds for all columns that follow.
    limit: width of a line. Default: `terminal_width`.

    In a table that is too wide, long cells are wrapped within their columns. Where that is not enough, the columns are
    parted into several tables, one below the other, each of which begins with the first column.
    """
    cells = [[visible(str(cell)) for cell in row] for row in rows]
    columns = list(zip_longest(*cells, fillvalue=""))
    align = align.ljust(len(columns), align[-1])
    limit = terminal_width() if limit is None else limit
    widths = [max(map(width, column)) for column in columns]
    blocks = [list(range(len(columns)))]
    if limit is not None and sum(widths) + gap * (len(widths) - 1) > limit:
        widths, blocks = _fit(widths, gap, limit)
    for number, block in enumerate(blocks):
        if number:
            yield ""
        for row in zip(*(columns[i] for i in block)):
            wrapped = (wrap(cell, widths[i]) for cell, i in zip(row, block))
            for parts in zip_longest(*wrapped, fillvalue=""):
                yield line(parts, [widths[i] for i in block], "".join(align[i] for i in block), gap)


def terminal_width() -> int | None:
    """Width of the terminal that is standard output; None if standard output is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def line(cells: Iterable[Any], widths: Sequence[int], align: str = "lr", gap: int = 2) -> str:
    """One line of a table whose columns have the given widths: for tables that are shown row by row."""
    parts = []
    for text, wide, side in zip(map(str, cells), widths, align.ljust(len(widths), align[-1])):
        space = " " * (wide - width(text))
        parts.append(text + space if side == "l" else space + text)
    return (" " * gap).join(parts).rstrip()


def decimal(x: float, sign: str = "") -> str:
    """A number with two decimals, or with an exponent where its digits would fill the line; sign "+" shows a plus."""
    return format(x, f"{sign}.2f" if abs(x) < LARGE else f"{sign}.4g")


def cell(value: Any, layout: Callable[[Any], str], missing: str = "-") -> str:
    """A value in a layout; `missing` in place of None."""
    return missing if value is None else layout(value)


def visible(text: str) -> str:
    """`text` with names for white space alone, and escapes for what does not show or moves the cursor."""
    return text if text.isprintable() and text not in NAMES else NAMES.get(text, repr(text)[1:-1])


def cut(text: str, limit: int) -> str:
    """`text` as it is `visible`; if that is wider than `limit` cells, its beginning and an ellipsis."""
    text = visible(text)
    if width(text) <= limit and len(text) <= 4 * limit:  # combining marks have no width
        return text
    return text[: _fitting(text[: 4 * limit], limit - 1)] + "…"


def coloured() -> bool:
    """Whether standard output shows colours: it is a terminal, and the user has not set NO_COLOR."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def width(text: str) -> int:
    """Cells that `text` takes in a terminal: two for each wide character, such as Chinese, none for combining marks."""
    return sum(map(_cells, text))


def wrap(text: str, limit: int) -> list[str]:
    """Parts of `text` that are at most `limit` cells wide, parted at spaces where there are any."""
    parts = []
    while width(text) > limit:
        end = _fitting(text, limit)
        space = text.rfind(" ", 1, end + 1)
        end = space if space > 0 else max(end, 1)
        parts.append(text[:end])
        text = text[end:].lstrip(" ")
    return [*parts, text]


def in_rows(tokens: Iterable[Token], gap: int, limit: int) -> Iterator[list[Token]]:
    """Tokens in rows of at most `limit` cells, with gaps between them: (text, figure below it, anything else)."""
    row: list[Token] = []
    used = 0
    for token in tokens:
        wide = max(map(width, token[:2]))
        if row and used + wide > limit:
            yield row
            row, used = [], 0
        row.append(token)
        used += wide + gap
    if row:
        yield row


def annotated(row: Iterable[Token], gap: int, paint: Callable[[str, Any], str] | None) -> list[str]:
    """Lines of a row of tokens: paint(text, anything else) of each, or without `paint` their figures below them."""
    texts, figures, others = zip(*row)
    if paint:
        return [(" " * gap).join(map(paint, texts, others))]
    widths = [max(map(width, pair)) for pair in zip(texts, figures)]
    return [line(texts, widths, "l", gap), line(figures, widths, "l", gap)]


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _fitting(text: str, limit: int) -> int:
    """Number of characters at the beginning of `text` that fit into `limit` cells."""
    return len(list(takewhile(lambda wide: wide <= limit, accumulate(map(_cells, text)))))


def _fit(widths: list[int], gap: int, limit: int) -> tuple[list[int], list[list[int]]]:
    """Widths of the columns, and the columns of each block, so that no block is wider than `limit`."""
    narrowed, room = list(widths), limit - gap * (len(widths) - 1)
    while (excess := sum(narrowed) - room) > 0 and max(narrowed) > NARROW:
        widest = max(narrowed)
        narrower = max([NARROW, *(n for n in narrowed if n < widest)])
        share = -(-excess // narrowed.count(widest))
        narrowed = [max(narrower, n - share) if n == widest else n for n in narrowed]
    if excess <= 0:
        return narrowed, [list(range(len(widths)))]
    first = min(widths[0], limit // 2)
    widths = [first, *(max(2, min(n, limit - first - gap)) for n in widths[1:])]
    blocks = [[0]]
    for i in range(1, len(widths)):
        if sum(widths[k] for k in blocks[-1]) + gap * len(blocks[-1]) + widths[i] > limit and len(blocks[-1]) > 1:
            blocks.append([0])
        blocks[-1].append(i)
    return widths, blocks
