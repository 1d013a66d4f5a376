"""Texts on the page: what cannot be seen, and what is too long."""

import pytest

from rnnlm.report.page import LONGEST, cut, shown


@pytest.mark.parametrize(
    "text", ["", "word", "中文", "שלום", "a b", "naïve", "\U0001f431", "می\u200cخواهم", "a\tb\nc", "<b>", "\u3000"]
)
def test_what_can_be_seen_stays(text):
    assert shown(text) == text


@pytest.mark.parametrize(("text", "found"), [
    ("\x00", "\\x00"), ("\x1b[31m", "\\x1b[31m"), ("\u202eabc", "\\u202eabc"), ("a\u200f", "a\\u200f"),
    ("\u2066", "\\u2066"), ("\ufeff", "\\ufeff"), ("\u2028", "\\u2028"), ("\udc80", "\\udc80"), ("\r", "\\r"),
])  # fmt: skip
def test_what_cannot_be_seen_is_escaped(text, found):
    assert shown(text) == found


def test_other_values_stay():
    assert [shown(value) for value in (None, 3, 0.5)] == [None, 3, 0.5]


def test_long_words_are_cut():
    assert cut("x" * LONGEST) == "x" * LONGEST
    found = cut("x" * 10000)
    assert found == "x" * LONGEST + "… (10,000 characters)"
