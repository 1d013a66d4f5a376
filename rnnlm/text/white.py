"""White space: ASCII characters separate words, as in SRILM, KenLM and Mikolov's RNNLM.

Other white space is part of a word: "10 000" with a no-break space U+00A0 is one word, in a text, a vocabulary, an ARPA
file and a list of hypotheses alike, so that all programs count the same words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

BLANKS = " \t\n\r\v\f"
OTHERS = re.compile("[\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")  # str.split() cuts at them


def split(text: str, maxsplit: int = -1) -> list[str]:
    """What ASCII white space separates, as `str.split` does with all white space."""
    if OTHERS.search(text) is None:
        return text.split(None, maxsplit)
    return [part.decode(errors="surrogatepass") for part in text.encode(errors="surrogatepass").split(None, maxsplit)]


def note(words: Iterable[str]) -> list[str]:
    """A note of words with other white space in them, for the user: none if there are none."""
    found = [word for word in words if OTHERS.search(word)]
    if not found:
        return []
    some = f"{len(found):,} words contain" if len(found) > 1 else "a word contains"
    return [
        f"note: {some} white space beyond ASCII, such as {ascii(found[0])}: "
        "it separates no words, as in SRILM and KenLM"
    ]


def strip(text: str) -> str:
    """The text without ASCII white space around it."""
    return text.strip(BLANKS)
