"""Line charts: from figures to the coordinates that the page draws as SVG.

A chart is small, so that several stand side by side on a wide screen and one below the other on a phone, where letters
keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeGuard

from rnnlm.show.curves import ticks

WIDTH, HEIGHT = 360, 240  # of the SVG's own coordinates
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 44  # margins, in which ticks and the names of the axes stand
MOST = 300  # points of a curve: more are averaged, since no more can be seen
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Series:
    """A curve y over x. Where y is None or not finite there is a gap.

    low, high: the edges of a band around it, as long as y. marked: a symbol stands at every point.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    marked: bool = False
    dotted: bool = False


class Axis(NamedTuple):
    """Values low ... high on the coordinates first ... last, on a logarithmic scale if `log`."""

    low: float
    high: float
    first: float
    last: float
    log: bool = False

    def place(self, value: float) -> float:
        """Coordinate of a value."""
        low, high, at = map(math.log10, (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        return round(self.first + (at - low) / (high - low) * (self.last - self.first), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Round values on the axis, as (coordinate, label)."""
        return [(self.place(value), label(value)) for value in ticks(self.low, self.high, log=self.log)]


def chart(
    title: str,
    x_label: str,
    y_label: str,
    series: Sequence[Series],
    summary: str,
    log: bool = False,
    rules: Sequence[tuple[float, str]] = (),
) -> dict[str, Any] | None:
    """A chart as the page draws it; None if there is nothing to be seen. On a linear axis y begins at 0.

    summary: in words, for those who do not see it. log: y has a logarithmic scale, on which what is not positive is a
    gap. rules: vertical lines at (x, label). In the chart, these and the ticks are (coordinate, label).
    """
    series = [thinned(one) for one in series]
    xs = [x for one in series for x, y in zip(one.x, one.y) if visible(y, log)]
    ys = [y for one in series for part in (one.y, one.low, one.high) for y in part if visible(y, log)]
    if not xs:
        return None
    low, high = (min(ys), max(ys)) if log else (min(0.0, *ys), max(ys))
    if low == high:
        low, high = (low / 2, high * 2) if log else (low, low + 1)
    wide = max(xs) - min(xs)
    x_axis = Axis(min(xs), max(xs) if wide else min(xs) + 1, LEFT, WIDTH - RIGHT)
    y_axis = Axis(low, high, HEIGHT - BOTTOM, TOP, log)
    return {
        "title": title, "x_label": x_label, "y_label": y_label, "summary": summary,
        "x_ticks": x_axis.ticks(), "y_ticks": y_axis.ticks(), "curves": [curve(one, x_axis, y_axis) for one in series],
        "rules": [(x_axis.place(x), name) for x, name in rules if x_axis.low <= x <= x_axis.high],
    }  # fmt: skip


def curve(series: Series, x_axis: Axis, y_axis: Axis) -> dict[str, Any]:
    """A series in the coordinates of its axes: SVG paths of line and band, and the places of its symbols."""

    def places(ys: Sequence[float | None]) -> list[tuple[float, float] | None]:
        return [(x_axis.place(x), y_axis.place(y)) if visible(y, y_axis.log) else None for x, y in zip(series.x, ys)]

    points = places(series.y)
    edges = [pair for pair in zip(places(series.low), places(series.high)) if None not in pair]
    band = [high for _, high in edges] + [low for low, _ in reversed(edges)]
    marks = [point for point in points if point] if series.marked else []
    return {
        "name": series.name, "line": path(points), "band": path(band) + ("Z" if band else ""), "marks": marks,
        "dotted": series.dotted,
    }  # fmt: skip


def path(points: Sequence[tuple[float, float] | None]) -> str:
    """SVG path through points; None lifts the pen."""
    parts, down = [], False
    for point in points:
        if point:
            parts.append(f"{'L' if down else 'M'}{point[0]:g} {point[1]:g}")
        down = point is not None
    return "".join(parts)


def thinned(series: Series) -> Series:
    """A series of at most MOST points, each the mean of equally many neighbours."""
    n = -(-len(series.x) // MOST)
    if n <= 1:
        return series

    def mean(values: Sequence[float | None]) -> list[Any]:
        groups = ([v for v in values[i : i + n] if visible(v)] for i in range(0, len(values), n))
        return [sum(group) / len(group) if group else None for group in groups]

    return replace(series, x=mean(series.x), y=mean(series.y), low=mean(series.low), high=mean(series.high))


def visible(y: float | None, log: bool = False) -> TypeGuard[float]:
    """Whether a value has a place on an axis."""
    return y is not None and math.isfinite(y) and (y > 0 or not log)


def label(value: float) -> str:
    """A value as a tick has it: 0.002, 50, 20,000, 10⁻⁵."""
    if value and not 1e-3 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.2e}".split("e")
        mantissa = f"{float(mantissa):g}"
        power = "10" + str(int(exponent)).translate(SUPERSCRIPT)
        return power if mantissa == "1" else f"{mantissa}·{power}"
    return f"{value:,.6g}" if abs(value) >= 1000 else f"{value:.6g}"
