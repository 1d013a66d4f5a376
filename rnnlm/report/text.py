"""Texts as a page shows them: nothing hidden, nothing that turns the direction of writing, nothing endless."""

from __future__ import annotations

import unicodedata
from typing import Any

LONGEST = 60  # characters of a word that are shown
HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}  # categories of characters that are shown as escapes
KEPT = set("\t\n\u200c\u200d")  # the two joiners belong to the spelling of Persian and Indian words


def shown(value: Any) -> Any:
    """Text with escapes in place of characters that cannot be seen; other values as they are."""
    if type(value) is not str or value.isprintable():  # markup is no str of its own
        return value
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in HIDDEN and c not in KEPT else c for c in value)


def cut(text: str, longest: int = LONGEST) -> str:
    """Text as `shown`; of one that is too long the beginning, and its length."""
    return shown(text) if len(text) <= longest else f"{shown(text[:longest])}… ({len(text):,} characters)"
