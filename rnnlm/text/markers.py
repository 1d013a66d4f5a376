"""Sentence markers in a text: literal `<s>` and `</s>` around its lines, counted for a note to the user.

`rnnlm.text.vocab.split` leaves out a `<s>` that begins a line and a `</s>` that ends it, as SRILM does: a line is a
sentence, and both would be words out of the vocabulary that a model predicts without fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rnnlm.text.vocab import BOS, EOS, MARKED, SPECIALS, cut, unmarked

MARKERS = (SPECIALS[BOS], SPECIALS[EOS])
NEARLY_ALL = 0.9  # of the lines of a text of characters: so many markers are no accident


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
