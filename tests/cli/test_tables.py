"""Tables in the terminal: alignment, wide characters, white space, and widths from 12 cells on."""

import itertools
import os
import random
import sys
from collections import Counter

import pytest

from rnnlm.cli.tables import coloured, cut, line, table, visible, width, wrap

ROWS = [("word", "n", "p"), ("cat", 3, 0.25), ("elephant", 1200, 0.5)]


@pytest.mark.parametrize(
    ("align", "lines"),
    [
        ("lr", ["word         n     p", "cat          3  0.25", "elephant  1200   0.5"]),
        ("l", ["word      n     p", "cat       3     0.25", "elephant  1200  0.5"]),
        ("llr", ["word      n        p", "cat       3     0.25", "elephant  1200   0.5"]),
    ],
)
def test_columns_are_aligned_as_asked_and_the_last_letter_holds_for_the_rest(align, lines):
    assert list(table(ROWS, align)) == lines


def test_a_row_may_have_fewer_cells():
    assert list(table([("a", "b", "c"), ("dd",)], "l", gap=1)) == ["a  b c", "dd"]
    assert list(table([])) == []


def test_wide_characters_take_two_cells_and_combining_marks_none():
    assert [width(text) for text in ("猫cat", "e\u0301", "")] == [5, 1, 0]
    assert list(table([("猫", 1), ("cat", 10), ("e\u0301", 2)])) == ["猫    1", "cat  10", "e\u0301     2"]


def test_white_space_and_what_does_not_show_is_named():
    assert [visible(word) for word in (" ", "\t", "\u3000", "\x1b[2J", "a b", "")] == [
        "<space>", "<tab>", "<wide space>", r"\x1b[2J", "a b", ""
    ]  # fmt: skip
    assert list(table([("\n", 1), (" ", 22)])) == [r"\n        1", "<space>  22"]


def test_a_long_cell_is_wrapped_at_a_space_where_there_is_one():
    assert wrap("the quick brown fox", 10) == ["the quick", "brown fox"]
    assert wrap("abcdefgh", 3) == ["abc", "def", "gh"]
    assert wrap("猫猫猫", 5) == ["猫猫", "猫"]
    rows = [("key", "value"), ("a", "one two three four five six seven")]
    assert list(table(rows, "l", limit=26)) == ["key  value", "a    one two three four", "     five six seven"]


def test_columns_that_do_not_fit_follow_below_with_the_first_column_repeated():
    rows = [("run", *range(1000, 1006)), ("a", *range(6))]
    assert list(table(rows, limit=15)) == [
        "run  1000  1001", "a       0     1", "", "run  1002  1003", "a       2     3", "", "run  1004  1005",
        "a       4     5",
    ]  # fmt: skip


def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost():
    rng = random.Random(1)
    for _ in range(500):
        rows = [
            ["".join(rng.choices("ab 猫e\u0301", k=rng.randrange(40))).strip() for _ in range(rng.randint(1, 6))]
            for _ in range(3)
        ]
        limit, gap = rng.randint(12, 100), rng.randint(1, 3)
        lines = list(table(rows, rng.choice(["l", "lr", "llr"]), gap, limit))
        assert max(map(width, lines)) <= limit, (rows, limit)
        asked, shown = (Counter("".join(texts).replace(" ", "")) for texts in (itertools.chain(*rows), lines))
        assert asked <= shown  # the first column may be there more than once


def test_the_width_is_the_terminals_and_there_is_none_where_output_is_piped(monkeypatch):
    rows = [("a", "x" * 60, "y" * 60)]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert list(table(rows)) == [f"a  {'x' * 60}  {'y' * 60}"]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setitem(os.environ, "COLUMNS", "80")
    assert max(map(width, table(rows))) <= 80


def test_a_line_alone_has_the_widths_it_is_given():
    assert line(("a", 1), (4, 3), gap=1) == "a      1"
    assert line(("a", 1), (4, 3), "l") == "a     1"


def test_cut_to_a_number_of_cells():
    assert [cut(text, 5) for text in ("abcde", "abcdef", "猫猫猫", "\x1b[2J", "", "猫猫a")] == [
        "abcde", "abcd…", "猫猫…", r"\x1b…", "", "猫猫a"
    ]  # fmt: skip
    assert width(cut("e" + 10_000 * "\u0301", 5)) <= 5
    assert len(cut("e" + 10_000 * "\u0301", 5)) < 30
    assert len(cut("x" * 1_000_000, 5)) == 5


def test_colours_are_for_terminals(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert coloured()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert not coloured()
