"""Word error rates of first-best, rescored and oracle hypotheses, against reference transcripts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rnnlm.errors import DataError
from rnnlm.lm.rescoring.nbest import NBest, read_references
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


class ErrorTable:
    """Word errors of first-best, rescored and oracle hypotheses, for each part of a text.

    parts   {name of a part: {"first-best": Errors, "rescored": Errors, "oracle": Errors}}
    unused  ids of references whose utterance has not come yet
    """

    def __init__(self, path: TextPath):
        """Read the references, lines of `ID words...`. Raises DataError."""
        self.path, self.references = path, read_references(path)
        self.unused = set(self.references)
        self.parts: dict[str, dict[str, Errors]] = {}

    def distances(self, nbest: NBest) -> np.ndarray:
        """Word errors of each hypothesis of a list, (N,). Raises DataError if its utterance has no reference."""
        if nbest.id not in self.references:
            raise DataError(f"{self.path}: no reference for utterance {nbest.id!r}", "every utterance needs one")
        self.unused.discard(nbest.id)
        return edit_distances(self.references[nbest.id], [hypothesis.words for hypothesis in nbest.hypotheses])

    def add(self, nbest: NBest, chosen: int, part: str = "") -> None:
        """Count an utterance in a part of the text. chosen: index of the rescored hypothesis."""
        d, words = self.distances(nbest), len(self.references[nbest.id])
        row = self.parts.setdefault(part, {})
        for name, errors in (("first-best", d[0]), ("rescored", d[chosen]), ("oracle", d.min())):
            row[name] = row.get(name, Errors()) + Errors(1, words, int(errors))


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
