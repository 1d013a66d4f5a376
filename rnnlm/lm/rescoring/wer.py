"""Word error rates of first-best, rescored and oracle hypotheses, against reference transcripts."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from rnnlm.errors import DataError
from rnnlm.lm.compare import Interval, resampled
from rnnlm.lm.rescoring.nbest import NBest, likeness, read_references
from rnnlm.text.lines import TextPath


class Errors(NamedTuple):
    """Numbers of utterances, of words in their references, and of word errors. Addable."""

    utterances: int = 0
    words: int = 0
    errors: int = 0  # substituted, deleted and inserted words

    def __add__(self, other):  # type: ignore[override]
        return Errors(*(a + b for a, b in zip(self, other)))

    @property
    def wer(self) -> float:
        """Word error rate; nan if the references have no words."""
        return self.errors / self.words if self.words else math.nan


class Utterance(NamedTuple):
    """Words in the reference of an utterance, and word errors of its first-best, rescored and oracle hypothesis."""

    id: str
    words: int
    errors: tuple[int, int, int]  # in the order of NAMES


class Difference(NamedTuple):
    """Word error rate of the rescored hypotheses less that of the first-best ones, with its significance."""

    wer: float
    interval: Interval  # of 95 % of the resampled texts
    better: float  # share of the resampled texts in which the rescored hypotheses have fewer errors


class ErrorTable:
    """Word errors of first-best, rescored and oracle hypotheses, for each part of a text.

    utterances  {name of a part: its utterances}
    unused      ids of references whose utterance has not come yet
    """

    def __init__(self, path: TextPath, noise: Collection[str] = ()):
        """Read the references, lines of `ID words...`, in which noise does not count. Raises DataError."""
        self.path, self.references = path, read_references(path, noise)
        self.unused = set(self.references)
        self.utterances: dict[str, list[Utterance]] = {}

    def distances(self, nbest: NBest) -> np.ndarray:
        """Word errors of each hypothesis of a list, (N,). Raises DataError if its utterance has no reference."""
        if nbest.id not in self.references:
            alike = [id for id in self.references if likeness(id) == likeness(nbest.id)]
            close = alike or [id for id in self.references if id.startswith(f"{nbest.id}-")]
            meant = f"; there is one for {close[0]!r}" if close else ""
            raise DataError(f"{self.path}: no reference for utterance {nbest.id!r}{meant}", "every utterance needs one")
        self.unused.discard(nbest.id)
        return edit_distances(self.references[nbest.id], [hypothesis.words for hypothesis in nbest.hypotheses])

    def add(self, nbest: NBest, chosen: int, part: str = "") -> Utterance:
        """Count an utterance in a part of the text. chosen: index of the rescored hypothesis."""
        d = self.distances(nbest)
        errors = int(d[0]), int(d[chosen]), int(d.min())
        utterance = Utterance(nbest.id, len(self.references[nbest.id]), errors)
        self.utterances.setdefault(part, []).append(utterance)
        return utterance

    @property
    def parts(self) -> dict[str, dict[str, Errors]]:
        """Errors of each part of the text, by NAMES."""
        return {part: summed(utterances) for part, utterances in self.utterances.items()}

    def lengths(self, part: str) -> dict[str, dict[str, Errors]]:
        """Errors of a part of the text by the length of the reference, for the lengths that there are."""
        groups: dict[str, list[Utterance]] = {}
        for utterance in sorted(self.utterances[part], key=lambda utterance: utterance.words):
            i = bisect_left(LENGTHS, utterance.words)
            low = LENGTHS[i - 1] + 1 if i else 0
            groups.setdefault(f"{low}-{LENGTHS[i]}" if i < len(LENGTHS) else f"{low}-", []).append(utterance)
        return {name: summed(utterances) for name, utterances in groups.items()}

    def difference(self, part: str, resamples: int = 1000, seed: int = 1) -> Difference:
        """How much rescoring changes the word error rate of a part, by a paired bootstrap over its utterances."""
        rows = np.array([[u.words, *u.errors[:2]] for u in self.utterances[part]], float).T
        words, first, rescored = resampled(rows, resamples, seed)
        with np.errstate(invalid="ignore", divide="ignore"):  # a draw of utterances without words
            drawn = (rescored - first) / words
        row = self.parts[part]
        wer = row["rescored"].wer - row["first-best"].wer
        return Difference(wer, Interval.of(drawn), float((rescored < first).mean()))


NAMES = ("first-best", "rescored", "oracle")
LENGTHS = (5, 10, 20, 40)  # longest references of each group


def summed(utterances: Sequence[Utterance]) -> dict[str, Errors]:
    """Sum of the errors of utterances, by NAMES."""
    words = sum(u.words for u in utterances)
    return {name: Errors(len(utterances), words, sum(u.errors[i] for u in utterances)) for i, name in enumerate(NAMES)}


def edit_distances(reference: Sequence[str], hypotheses: Sequence[Sequence[str]]) -> np.ndarray:
    """Fewest substitutions, deletions and insertions that turn the reference into each hypothesis, (N,) int."""
    number = {word: i for i, word in enumerate(reference)}
    L = max(map(len, hypotheses), default=0)
    words = np.full((len(hypotheses), L), -1)
    for row, hypothesis in zip(words, hypotheses):
        row[: len(hypothesis)] = [number.get(word, -1) for word in hypothesis]
    insertions = np.arange(L + 1)
    d = np.tile(insertions, (len(hypotheses), 1))  # d[n, j]: from the reference so far to the first j words of n
    for word in reference:
        above = d + 1
        above[:, 1:] = np.minimum(above[:, 1:], d[:, :-1] + (words != number[word]))
        # d[n, j] = min over k <= j of above[n, k] + (j - k): every run of insertions at once
        d = np.minimum.accumulate(above - insertions, axis=1) + insertions
    return d[np.arange(len(hypotheses)), [len(hypothesis) for hypothesis in hypotheses]]
