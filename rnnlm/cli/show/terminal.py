"""Plots in the terminal: lines of Unicode braille, and round numbers along the axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from rnnlm.cli.tables import cut, width

# The colours of pictures (see `rnnlm.cli.show.plot`) among the 256 of a terminal, with grey in the place of black.
PALETTE = (32, 166, 36, 175, 214, 74, 246)
EMPTY = "\u2800"  # a braille character without dots
APART = 6  # cells between the marks of a line, at least on average


def canvas_kind() -> Any:
    """The class of plotille that draws lines; None where plotille is not installed."""
    try:
        from plotille import Canvas
    except ImportError:
        return None
    return Canvas


class Plot:
    """A pair of axes of some width and height in cells, on which lines are drawn one by one."""

    def __init__(self, title: str, x_label: str, x: Sequence[float], y: Sequence[float], size: tuple[int, int],
                 log: bool = False, coloured: bool = False):  # fmt: skip
        """x, y: limits, or all numbers to be drawn. size: (width, height), with the title and the axes' numbers."""
        from rnnlm.show.curves import ticks

        self.title, self.x_label, self.log, self.coloured = title, x_label, log, coloured
        self.wide, self.rows = size[0], max(size[1] - 3, 2)
        self.y_ticks = ticks(*_range(y, log), max(3, self.rows // 2), log)
        self.left = max(width(f"{tick:g}") for tick in self.y_ticks) + 1
        self.columns = max(self.wide - self.left - 1, 4)
        self.x_ticks = ticks(*_range(x), max(3, self.columns // 12))
        (x0, x1), (y0, y1) = _range(x), map(self._y, _range(y, log))
        dots = (x1 - x0) / (2 * self.columns - 1), (y1 - y0) / (4 * self.rows - 1)
        self.origin, self.cell = (x0, y0), (2 * dots[0], 4 * dots[1])
        # Each limit lies half a dot beyond what is drawn, so that the last dot is on the canvas.
        limits = x0 - dots[0] / 2, y0 - dots[1] / 2, x1 + dots[0] / 2, y1 + dots[1] / 2
        self.canvas = canvas_kind()(self.columns, self.rows, *limits, mode="byte")

    def line(self, x: Sequence[float], y: Sequence[float], colour: int, mark: str = "", joined: bool = True) -> None:
        """Draw a line, and on some of its points a mark; not `joined`: the marks alone."""
        fg = PALETTE[colour % len(PALETTE)] if self.coloured else None
        points = list(zip(x, map(self._y, y)))
        for one, other in pairwise(points if joined else ()):
            self.canvas.line(*one, *other, color=fg)
        stride = -(-len(points) // max(self.columns // APART, 1))
        for point in points[::-stride] if mark else points:
            self.canvas.point(*point, color=fg, marker=mark or None)

    def cross(self, x: float, colour: int) -> None:
        """Mark a place of the x axis by a cross at the upper edge."""
        fg = PALETTE[colour % len(PALETTE)] if self.coloured else None
        self.canvas.point(x, self.origin[1] + self.cell[1] * (self.rows - 0.5), color=fg, marker="×")

    def lines(self) -> list[str]:
        """The plot as lines of equal width."""
        margins = [" " * self.left + "│"] * self.rows
        for tick in self.y_ticks:
            row = math.floor((self._y(tick) - self.origin[1]) / self.cell[1] + 1e-6)
            if 0 <= row < self.rows:
                margins[-1 - row] = f"{tick:g}".rjust(self.left) + "┤"
        rule, numbers = ["─"] * self.columns, [" "] * self.columns
        for tick in self.x_ticks:
            column = min(max(math.floor((tick - self.origin[0]) / self.cell[0] + 1e-6), 0), self.columns - 1)
            rule[column] = "┬"
            text = f"{tick:g}"
            first = min(max(column - len(text) // 2, 0), self.columns - len(text))
            if set(numbers[max(first - 1, 0) : first + len(text) + 1]) <= {" "}:
                numbers[first : first + len(text)] = text
        named = f"{self.title} over {self.x_label}{', log' if self.log else ''}"
        title = cut(named if width(named) <= self.wide else self.title, self.wide)
        drawn = self.canvas.plot("\n").replace(EMPTY, " ").split("\n")
        return [
            title + " " * (self.wide - width(title)),
            *(margin + row for margin, row in zip(margins, drawn)),
            " " * self.left + "└" + "".join(rule),
            " " * (self.left + 1) + "".join(numbers),
        ]

    def _y(self, y: float) -> float:
        return math.log10(y) if self.log else y


def side_by_side(plots: Sequence[Sequence[str]], gap: int = 2) -> list[str]:
    """Plots of equal height next to each other."""
    return [(" " * gap).join(rows) for rows in zip(*plots)]


def _range(values: Sequence[float], log: bool = False) -> tuple[float, float]:
    """Smallest and largest number; more where they are one."""
    low, high = min(values), max(values)
    if low < high:
        return low, high
    return (low / 2, high * 2) if log else (low - (abs(low) / 2 or 1), high + (abs(high) / 2 or 1))
