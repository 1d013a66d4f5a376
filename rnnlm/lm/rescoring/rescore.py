"""Rescoring n-best lists: each hypothesis gets a model's log-probability, and a weighted sum of scores ranks them.

    score = ac * (acoustic score) + lm * (log-probability of the words and `</s>` under a model)
          + old * (log-probability of the words under the recogniser's own model) - penalty * (number of words)

in natural logarithms; ac, lm, old and penalty are the `Weights`. Each word out of the vocabulary takes the weight oov
from log10 of the model's probability, or counts nothing but that (`rnnlm.lm.oov`). Noise is neither scored nor counted.

    for scored in rescore(scorer, nbest.read(["test.nbest"], "mikolov")):
        print(scored.best(Weights(lm=8)))

Letters: N hypotheses of an utterance.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rnnlm.lm.rescoring.nbest import NBest, write
from rnnlm.lm.scorer import LN10, Scorer

LOG_ZERO = -99 * LN10  # score of a word of probability zero, as in ARPA files


class Weights(NamedTuple):
    """Weights of the scores of a hypothesis."""

    ac: float = 1.0
    lm: float = 1.0
    old: float = 0.0
    penalty: float = 0.0
    oov: float = 0.0  # log10, and part of the model's log-probability: it is multiplied by lm

    @property
    def factors(self) -> np.ndarray:
        """Factors of the columns of `Scored.scores`, (5,)."""
        return np.array([self.ac, self.lm, self.old, self.penalty, self.lm * self.oov * LN10])

    @classmethod
    def of(cls, factors: np.ndarray, oov: float) -> Weights:
        """Weights with these factors; `oov` where the model has no weight."""
        ac, lm, old, penalty, x = map(float, factors)
        return cls(ac, lm, old, penalty, x / lm / LN10 if lm else oov)


class Scored(NamedTuple):
    """N-best list whose hypotheses a model has scored."""

    nbest: NBest
    scores: np.ndarray  # (N, 5) float64: ac, lm, old, the negative numbers of words and of OOVs

    def ranking(self, weights: Weights) -> np.ndarray:
        """Indices of the hypotheses, (N,), the best first; equal ones in the order of the list."""
        return np.argsort(-combined(self.scores.T, weights.factors), kind="stable")

    def best(self, weights: Weights, noise: bool = False) -> str:
        """Best hypothesis as a line `ID words...`, with its noise if that is wanted."""
        hypothesis = self.nbest.hypotheses[self.ranking(weights)[0]]
        return " ".join([self.nbest.id, *(hypothesis.everything if noise else hypothesis.words)])

    def lines(self, weights: Weights, form: str) -> Iterator[str]:
        """Lines of the whole list in a format of n-best lists, best first; `srilm` is written as `srilm-stream`."""
        form = "srilm-stream" if form == "srilm" else form
        lm = self.scores[:, 1] + self.scores[:, 4] * weights.oov * LN10
        return (write(self.nbest.id, self.nbest.hypotheses[n], lm[n], form) for n in self.ranking(weights))


def rescore(
    scorer: Scorer,
    lists: Iterable[NBest],
    split: Callable[[str], Sequence[str]] = str.split,
    how: str = "unk",
) -> Iterator[Scored]:
    """N-best lists with a model's scores. Some lists are read ahead.

    split: from a line to the model's tokens. how: what words out of the vocabulary count, see `rnnlm.lm.oov.Oov`.
    """
    lists, ahead = itertools.tee(lists)
    tokens, own = itertools.tee([split(" ".join(h.words)) for h in nbest.hypotheses] for nbest in ahead)
    for nbest, sentences, log_probs in zip(lists, own, scorer.alternatives(tokens)):
        rows = []
        for h, words, log_p in zip(nbest.hypotheses, sentences, log_probs):
            known = scorer.vocab.known(words)
            lm = np.maximum(log_p if how == "unk" else log_p[known], LOG_ZERO).sum(dtype=float)
            oovs = 0 if how == "exclude" else known.count(False)
            rows.append((h.ac, lm, h.old, -len(h.words), -oovs))
        yield Scored(nbest, np.array(rows, float))


def combined(scores: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Weighted sum of scores, (5, ...) -> (...): to the last bit the same for one list and for many, unlike `@`."""
    ac, lm, old, words, oovs = scores
    return ac * factors[0] + lm * factors[1] + old * factors[2] + words * factors[3] + oovs * factors[4]
