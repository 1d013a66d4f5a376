"""Charts: coordinates of curves, gaps, axes, and curves of many points."""

import math
import re

import pytest

from rnnlm.report.charts import BOTTOM, HEIGHT, LEFT, MOST, RIGHT, TOP, WIDTH, Axis, Series, chart, label, path, thinned

FRAME = (LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM)


def drawn(*series, log=False, rules=()):
    return chart("title", "x", "y", series, "in words", log, rules)


def points(line):
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", line)]


def test_curve_fills_the_frame():
    found = drawn(Series("a", [0, 1, 2], [0, 5, 10]))
    left, right, top, bottom = FRAME
    assert points(found["curves"][0]["line"]) == [
        (left, bottom),
        ((left + right) / 2, (top + bottom) / 2),
        (right, top),
    ]


def test_linear_axis_begins_at_zero():
    found = drawn(Series("a", [0, 1], [5, 10]))
    assert points(found["curves"][0]["line"])[0][1] == pytest.approx((TOP + HEIGHT - BOTTOM) / 2)
    assert found["y_ticks"][0] == (HEIGHT - BOTTOM, "0")


def test_logarithmic_axis():
    found = drawn(Series("a", [0, 1, 2], [1, 10, 100]), log=True)
    ys = [y for _, y in points(found["curves"][0]["line"])]
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.11)
    assert {"1", "10", "100"} <= {text for _, text in found["y_ticks"]}


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_a_gap(nothing):
    found = drawn(Series("a", [0, 1, 2, 3, 4], [1, 2, nothing, 3, 4]))
    assert [found["curves"][0]["line"].count(letter) for letter in "ML"] == [2, 2]


def test_what_is_not_positive_is_a_gap_on_a_logarithmic_axis():
    found = drawn(Series("a", [0, 1, 2], [1, 0, 0.01]), log=True)
    assert len(points(found["curves"][0]["line"])) == 2


def test_band():
    found = drawn(Series("a", [0, 1], [2, 4], low=[1, 3], high=[3, 5]))
    assert len(points(found["curves"][0]["band"])) == 4
    assert found["curves"][0]["band"].endswith("Z")


@pytest.mark.parametrize("series", [[], [Series("a", [], [])], [Series("a", [1], [None])]])
def test_nothing_to_be_seen(series):
    assert drawn(*series) is None


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("y", [1e-300, 1e-7, 0.5, 1, 12345, 1e200])
def test_one_point_is_inside(y, log):
    found = drawn(Series("a", [3], [y], marked=True), log=log)
    ((px, py),) = found["curves"][0]["marks"]
    assert LEFT <= px <= WIDTH - RIGHT
    assert TOP <= py <= HEIGHT - BOTTOM


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("top", [1e-6, 0.3, 2, 99, 5000, 3e7, 1e30])
def test_ticks_are_inside_few_and_increasing(top, log):
    low = top / 50 if log else 0
    places = [place for place, _ in Axis(low, top, HEIGHT - BOTTOM, TOP, log).ticks()]
    assert 2 <= len(places) <= 8
    assert places == sorted(places, reverse=True)
    assert all(TOP - 0.1 <= place <= HEIGHT - BOTTOM + 0.1 for place in places)


def test_rules_outside_are_left_out():
    found = drawn(Series("a", [0, 4], [0, 1]), rules=[(2, "best"), (9, "later")])
    assert [name for _, name in found["rules"]] == ["best"]


def test_many_points_are_averaged():
    n = 10 * MOST + 3
    found = thinned(Series("a", list(range(n)), [float(i % 2) for i in range(n)]))
    assert len(found.x) <= MOST
    assert len(found.x) == len(found.y)
    assert found.y[:-1] == pytest.approx([0.5] * (len(found.y) - 1), abs=0.05)
    assert found.x[0] == pytest.approx(5, abs=1)


def test_pen_is_lifted():
    assert path([(0, 1), (2, 3), None, (4, 5)]) == "M0 1L2 3M4 5"


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (0.002, "0.002"), (50, "50"), (20000, "20,000"), (1e-5, "10⁻⁵"), (2e-5, "2·10⁻⁵"), (1e9, "10⁹"),
])  # fmt: skip
def test_labels(value, text):
    assert label(value) == text
