"""Rescoring n-best lists: each hypothesis gets a model's log-probability, and a weighted sum of scores ranks them.

    score = ac * (acoustic score) + lm * (log-probability of the words and `</s>` under a model)
          + old * (log-probability of the words under the recogniser's own model) - penalty * (number of words)

in natural logarithms; ac, lm, old and penalty are the `Weights`.

    for scored in rescore(scorer, nbest.read(["test.nbest"], "mikolov")):
        print(scored.best(Weights(lm=8)))

Letters: N hypotheses of an utterance.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rnnlm.lm.rescoring.nbest import NBest, write
from rnnlm.lm.scorer import Scorer

LOG_ZERO = -99 * math.log(10)  # score of a word of probability zero, as in ARPA files


class Weights(NamedTuple):
    """Weights of the scores of a hypothesis."""

    ac: float = 1.0
    lm: float = 1.0
    old: float = 0.0
    penalty: float = 0.0


class Scored(NamedTuple):
    """N-best list whose hypotheses a model has scored."""

    nbest: NBest
    scores: np.ndarray  # (N, 4) float64: ac, lm, old and the negative number of words, in the order of Weights

    def ranking(self, weights: Weights) -> np.ndarray:
        """Indices of the hypotheses, (N,), the best first; equal ones in the order of the list."""
        return np.argsort(-combined(self.scores.T, weights), kind="stable")

    def best(self, weights: Weights) -> str:
        """Best hypothesis as a line `ID words...`."""
        return " ".join([self.nbest.id, *self.nbest.hypotheses[self.ranking(weights)[0]].words])

    def lines(self, weights: Weights, form: str) -> Iterator[str]:
        """Lines of the whole list in a format of n-best lists, best first; `srilm` is written as `srilm-stream`."""
        form = "srilm-stream" if form == "srilm" else form
        return (write(self.nbest.id, self.nbest.hypotheses[n], self.scores[n, 1], form) for n in self.ranking(weights))


def rescore(
    scorer: Scorer, lists: Iterable[NBest], split: Callable[[str], Sequence[str]] = str.split
) -> Iterator[Scored]:
    """N-best lists with a model's scores. split: from a line to the model's tokens. Some lists are read ahead."""
    lists, ahead = itertools.tee(lists)
    tokens = ([split(" ".join(hypothesis.words)) for hypothesis in nbest.hypotheses] for nbest in ahead)
    for nbest, log_probs in zip(lists, scorer.alternatives(tokens)):
        lm = [np.maximum(log_p, LOG_ZERO).sum(dtype=float) for log_p in log_probs]
        rows = [(h.ac, x, h.old, -len(h.words)) for h, x in zip(nbest.hypotheses, lm)]
        yield Scored(nbest, np.array(rows, float))


def combined(scores: np.ndarray, weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """Weighted sum of scores, (4, ...) -> (...): to the last bit the same for one list and for many, unlike `@`."""
    ac, lm, old, words = scores
    return ac * weights[0] + lm * weights[1] + old * weights[2] + words * weights[3]
