"""Words of a text that a vocabulary lacks, and sentence markers in it, counted for notes to the user.

A text of which half or more is unknown is warned of: its figures say little, and are plausible all the same. A `<s>`
that begins a line and a `</s>` that ends it are left out by `rnnlm.text.vocab.split`, as by SRILM: a line is a
sentence, and both would be words out of the vocabulary that a model predicts without fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rnnlm.files import shortened
from rnnlm.text.vocab import BOS, EOS, MARKED, SPECIALS, Vocabulary, cut, unmarked

MARKERS = (SPECIALS[BOS], SPECIALS[EOS])
NEARLY_ALL = 0.9  # of the lines of a text of characters: so many markers are no accident
SHOWN = 8  # unknown words that a note names
MANY = 0.5  # share of unknown words that is warned of
OTHER = "another language, case or tokenization than that of the model's training text?"
# Three or more characters of scripts without blanks between words: Chinese, Japanese, Thai, Lao, Khmer, Burmese.
UNCUT = re.compile(
    "[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]{3,}"
)


def warning(oovs: int, words: int, name: str) -> str:
    """Warning of a text half of whose words, or more, are out of the vocabulary; empty for another text."""
    if not oovs or oovs < MANY * words:
        return ""
    return f"warning: {name}: {oovs / words:.2%} OOV: {OTHER}"


def notes(corpus: Any) -> list[str]:
    """Lines for the user about an encoded text: notes of sentence markers, a warning of many unknown words."""
    return [*filter(None, [*corpus.markers.notes, warning(corpus.oovs, corpus.words, corpus.name)])]


@dataclass
class Markers:
    """Counts of the sentence markers in a text, which its lines are shown to as they are read."""

    level: str = "word"
    lower: bool = False
    lines: int = 0  # that are not empty
    begins: int = 0  # lines that `<s>` begins
    ends: int = 0  # lines that `</s>` ends
    within: int = 0  # markers elsewhere in a line
    name: str = ""  # of the text
    place: str = ""  # the text and line of the first of those

    def block(self, lines: Sequence[str], name: str, before: int) -> None:
        """Count in lines of a text, of which there were some before."""
        self.name = self.name or name
        self.lines += sum(map(bool, lines))
        lines = list(map(str.lower, lines)) if self.lower else lines
        for number, line in enumerate(lines, before + 1):
            if MARKED not in line:
                continue
            if self.level != "word":
                self.begins += line.startswith(MARKERS[0])
                self.ends += line.endswith(MARKERS[1])
                continue
            words = cut(line)
            kept = unmarked(words)
            first = words[0] == MARKERS[0]
            self.begins += first
            self.ends += len(words) - len(kept) - first
            within = sum(map(kept.count, MARKERS))
            if within and not self.within:
                self.place = f"{name}:{number}"
            self.within += within

    def watch(self, lines: Iterable[str], name: str) -> Iterator[str]:
        """The lines themselves, counted."""
        for number, line in enumerate(lines):
            self.block([line], name, number)
            yield line

    @property
    def notes(self) -> list[str]:
        """Lines for the user: a note of markers that are left out, a warning of others."""
        notes = []
        counts = [
            f"{marker} {does} {n} of {self.lines} lines"
            for marker, does, n in zip(MARKERS, ("begins", "ends"), (self.begins, self.ends))
            if n
        ]
        if self.level == "word" and counts:
            notes.append(f"note: {self.name}: {', '.join(counts)}: left out, as markers of sentences")
        elif counts and min(self.begins, self.ends) >= NEARLY_ALL * self.lines:
            notes.append(
                f"warning: {self.name}: {', '.join(counts)}: to a model of characters they are text; take them out"
            )
        if self.within:
            others = f" (the first of {self.within})" if self.within > 1 else ""
            notes.append(
                f"warning: {self.place}: <s> or </s> within a line{others}, read as <unk>: each sentence wants a line"
            )
        return notes


class UnknownWords:
    """Words that a vocabulary lacks, and sentence markers, counted as the lines of a text are cut into words."""

    def __init__(self, vocab: Vocabulary, name: str = "text"):
        self.vocab, self.name, self.words, self.number = vocab, name, 0, 0
        self.markers, self.lines = Markers(vocab.level, vocab.lower), 0
        self.first: dict[str, None] = {}  # the first different ones, in their order

    def split(self, line: str) -> list[str]:
        """The tokens of a line, counted."""
        self.markers.block([line], self.name, self.lines)
        self.lines += 1
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
    def warning(self) -> str:
        """Warning of many unknown words: see `rnnlm.text.unknown.warning`."""
        return warning(self.number, self.words, self.name)

    @property
    def note(self) -> str:
        """Lines about sentence markers, how many words are unknown, and which; empty if there is nothing to say."""
        lines = self.markers.notes
        if self.number:
            unit = "word" if self.vocab.level == "word" else "character"
            names = [*map(shortened, list(self.first)[:SHOWN]), *(["..."] if len(self.first) > SHOWN else [])]
            counts = f"{self.number} of {self.words} {unit}{'s' * (self.words != 1)}"
            kind = "warning" if self.warning else "note"
            lines.append(f"{kind}: {counts} not in the vocabulary, read as <unk>: {', '.join(names)}")
            uncut = next(filter(UNCUT.search, self.first), None)
            if unit == "word" and uncut:
                lines.append(
                    f"note: {shortened(uncut, 20)} has no blanks, but this model reads words with blanks between them: "
                    "cut the text into words as its training text was"
                )
        return "\n".join(lines)
