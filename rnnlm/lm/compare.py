"""Comparison of models on a text: perplexities on the tokens they share, with bootstrap confidence intervals.

Letters: M models, S sentences.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rnnlm.errors import DataError, UsageError
from rnnlm.lm.scorer import Scorer

GROUPS = 10_000  # units of resampling at most: sentences, or in a longer text runs of neighbouring sentences
DRAWS = 64  # resampled texts at a time, to bound memory


@dataclass
class Comparison:
    """Figures of models on a text, for the tokens that every model knows and gives a probability above zero."""

    nats: np.ndarray  # (M, S) -log p of each sentence's compared tokens
    tokens: np.ndarray  # (S,) number of compared tokens
    left_out: int  # number of tokens that are not compared
    oovs: list[int]  # per model, words out of its vocabulary
    zeroprobs: list[int]  # per model, known words and sentence ends of probability zero
    words: dict[str, Word] = field(default_factory=dict)

    @property
    def ppl(self) -> np.ndarray:
        """Perplexity of the compared tokens under each model, (M,)."""
        return np.exp(self.nats.sum(axis=1) / self.tokens.sum())

    def most_different(self, n: int) -> list[tuple[str, Word]]:
        """The n words whose -log p, summed over the text, differs most between models."""
        return sorted(self.words.items(), key=lambda item: (-np.ptp(item[1].nats), item[0]))[:n]


@dataclass
class Word:
    """Figures of a word of a text, or of `</s>`."""

    count: int
    nats: np.ndarray  # (M,) -log p, summed over its occurrences


def compare(scorers: Sequence[Scorer], sentences: Iterable[Sequence[str]], name: str = "text") -> Comparison:
    """Score a text with every model. name: what messages call it. Memory grows with its sentences and types alone.

    Raises UsageError for models of different levels, words and characters, and DataError for a text with no token that
    all models know.
    """
    if len({scorer.vocab.level for scorer in scorers}) > 1:
        raise UsageError("a model of words cannot be compared with one of characters", "compare models of one level")
    M = len(scorers)
    own, *texts = itertools.tee(sentences, 1 + M)
    nats, tokens = [], []
    words: dict[str, Word] = {}
    left_out, oovs, zeroprobs = 0, np.zeros(M, int), np.zeros(M, int)
    for sentence, *rows in zip(own, *(scorer.log_probs(text) for scorer, text in zip(scorers, texts))):
        log_p = np.array(rows, float)
        known = np.array([[*(word in scorer.vocab.index for word in sentence), True] for scorer in scorers])
        possible = log_p > -np.inf
        oovs += (~known).sum(axis=1)
        zeroprobs += (known & ~possible).sum(axis=1)
        compared = (known & possible).all(axis=0)
        left_out += int((~compared).sum())
        tokens.append(int(compared.sum()))
        nats.append(-log_p[:, compared].sum(axis=1))
        for i in np.flatnonzero(compared):
            word = words.setdefault([*sentence, "</s>"][i], Word(0, np.zeros(M)))
            word.count += 1
            word.nats -= log_p[:, i]
    if not sum(tokens):
        raise DataError(f"{name}: {left_out} tokens, none of which all models know", "compare models of one language")
    return Comparison(np.array(nats).T, np.array(tokens), left_out, oovs.tolist(), zeroprobs.tolist(), words)


class Interval(NamedTuple):
    """Interval that holds 95 % of the resampled texts."""

    low: float
    high: float


class Bootstrap(NamedTuple):
    """Confidence intervals of each model's perplexity, and of its comparison with the first model."""

    ppl: list[Interval]  # perplexity
    against: list[Interval]  # perplexity divided by that of the first model on the same sentences
    better: list[float]  # share of resampled texts on which the perplexity is below that of the first model


def bootstrap(comparison: Comparison, resamples: int = 1000, seed: int = 1) -> Bootstrap:
    """Paired bootstrap (Efron 1979, Koehn 2004): texts of as many sentences, drawn with replacement.

    All models are compared on the same draws. Sentences count as independent; those of one article are not quite, so
    true intervals are wider.
    """
    S = len(comparison.tokens)
    starts = np.unique(np.arange(min(S, GROUPS)) * S // min(S, GROUPS))
    sums = np.add.reduceat(np.vstack([comparison.nats, comparison.tokens]), starts, axis=1)
    rng, n = np.random.default_rng(seed), len(starts)
    drawn = [
        rng.multinomial(n, np.full(n, 1 / n), size=min(DRAWS, resamples - done)) @ sums.T
        for done in range(0, resamples, DRAWS)
    ]
    *nats, tokens = np.concatenate(drawn).T
    with np.errstate(invalid="ignore", divide="ignore"):  # a draw of sentences in which nothing was compared
        entropy = np.array(nats) / tokens
    return Bootstrap(
        [_interval(np.exp(x)) for x in entropy],
        [_interval(np.exp(x - entropy[0])) for x in entropy],
        [float((x < entropy[0]).mean()) for x in entropy],
    )


def _interval(x: np.ndarray) -> Interval:
    return Interval(*map(float, np.nanpercentile(x, [2.5, 97.5])))
