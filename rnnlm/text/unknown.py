"""Words of a text that a vocabulary lacks, counted for a note to the user."""

from __future__ import annotations

import re

from rnnlm.files import shortened
from rnnlm.text.vocab import Vocabulary

SHOWN = 8  # unknown words that a note names
# Three or more characters of scripts without blanks between words: Chinese, Japanese, Thai, Lao, Khmer, Burmese.
UNCUT = re.compile(
    "[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]{3,}"
)


class UnknownWords:
    """Words that a vocabulary lacks, counted as lines are cut into words."""

    def __init__(self, vocab: Vocabulary):
        self.vocab, self.words, self.number = vocab, 0, 0
        self.first: dict[str, None] = {}  # the first different ones, in their order

    def split(self, line: str) -> list[str]:
        """The tokens of a line, counted."""
        return self.count(self.vocab.split(line))

    def count(self, tokens: list[str]) -> list[str]:
        """The tokens themselves, counted."""
        unknown = [token for token in tokens if token not in self.vocab.index]
        self.words += len(tokens)
        self.number += len(unknown)
        for token in unknown:
            if len(self.first) <= SHOWN:
                self.first[token] = None
        return tokens

    @property
    def note(self) -> str:
        """How many words are unknown, and which; empty if all are known."""
        if not self.number:
            return ""
        unit = "word" if self.vocab.level == "word" else "character"
        names = [*map(shortened, list(self.first)[:SHOWN]), *(["..."] if len(self.first) > SHOWN else [])]
        counts = f"{self.number} of {self.words} {unit}{'s' * (self.words != 1)}"
        note = f"note: {counts} not in the vocabulary, read as <unk>: {', '.join(names)}"
        uncut = next(filter(UNCUT.search, self.first), None)
        if unit == "word" and uncut:
            note += (
                f"\nnote: {shortened(uncut, 20)} has no blanks, but this model reads words with blanks between them: "
            )
            note += "cut the text into words as its training text was"
        return note
