"""Figures with their spread, and tables of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Settings(NamedTuple):
    """What the command line asks of every table."""

    repeats: int  # turns of each contender
    seconds: float  # length of a turn
    quick: bool  # a rough look: few and small sizes


class Spread(NamedTuple):
    """The 10th percentile, the median and the 90th percentile of repeated measurements."""

    low: float
    median: float
    high: float

    def __format__(self, unit):
        """`unit` is the format of each number; without one, three digits."""
        low, median, high = (format(x, unit) if unit else number(x) for x in self)
        return f"{median} ({low}-{high})"

    def __str__(self):
        return format(self)


def spread(values: Iterable[float]) -> Spread:
    """Of at least one value; percentiles between two of them are interpolated."""
    ordered = sorted(values)

    def at(share):
        i, fraction = divmod(share * (len(ordered) - 1), 1)
        low, high = ordered[int(i)], ordered[min(int(i) + 1, len(ordered) - 1)]
        return low + fraction * (high - low)

    return Spread(at(0.1), at(0.5), at(0.9))


def ratio(numerators: Iterable[float], denominators: Iterable[float]) -> Spread:
    """The ratio turn by turn."""
    return spread(a / b for a, b in zip(numerators, denominators))


def number(x: float) -> str:
    """Three digits, or all those before the point."""
    return f"{x:,.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


class Table:
    """A table whose rows are printed as they come. The first column is text, the others are figures."""

    def __init__(self, title: str, note: str, columns: dict[str, int]):
        """`columns`: headings, and the widths that their figures need."""
        self.widths = [max(width, len(heading)) for heading, width in columns.items()]
        print(f"\n## {title}\n\n{note}\n" if note else f"\n## {title}\n")
        self.row(*columns)
        print("|" + "|".join("-" * (width + 2) for width in self.widths) + "|", flush=True)

    def row(self, first: str, *figures: object) -> None:
        """Print a row; what is missing or None stays empty."""
        cells = [first.ljust(self.widths[0])]
        figures += (None,) * (len(self.widths) - 1 - len(figures))
        cells += [("" if x is None else str(x)).rjust(width) for x, width in zip(figures, self.widths[1:])]
        print("| " + " | ".join(cells) + " |", flush=True)
