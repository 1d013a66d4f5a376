"""Models side by side: on a text, with what chance allows for; or runs, by their configurations and results."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rnnlm.errors import DataError, UsageError
from rnnlm.lm.scorer import Scorer

GROUPS = 10_000  # sentences drawn one by one; of a longer text, neighbours are drawn together
DRAWS = 64  # resampled texts at a time, so that memory stays small


@dataclass
class Comparison:
    """M models on a text of S sentences. Only tokens that every model knows, and holds possible, are compared."""

    nats: np.ndarray  # (M, S) -log p of the compared tokens of each sentence
    tokens: np.ndarray  # (S,) how many they are
    left_out: int  # tokens that are not compared
    oovs: list[int]  # of each model
    zeroprobs: list[int]  # of each model: known words, and sentence ends, of probability zero
    words: dict[str, Word] = field(default_factory=dict)

    @property
    def ppl(self) -> np.ndarray:
        """(M,) perplexities."""
        return np.exp(self.nats.sum(axis=1) / self.tokens.sum())

    def most_different(self, n: int) -> list[tuple[str, Word]]:
        """The n words for which the models' -log p, summed over the text, lie farthest apart."""
        return sorted(self.words.items(), key=lambda item: (-np.ptp(item[1].nats), item[0]))[:n]


@dataclass
class Word:
    """A word of a text, or `</s>`."""

    count: int
    nats: np.ndarray  # (M,) summed over its occurrences


def compare(scorers: Sequence[Scorer], sentences: Iterable[Sequence[str]], name: str = "text") -> Comparison:
    """Score a text, which messages call `name`, with every model. Memory grows with its sentences and types alone.

    Raises UsageError for models of words beside models of characters, DataError for a text with nothing to compare.
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
    """Where 95 % of resampled texts lie."""

    low: float
    high: float


class Bootstrap(NamedTuple):
    """What the choice of sentences may have to do with the perplexities of M models."""

    ppl: list[Interval]  # of each model
    against: list[Interval]  # of each model's perplexity divided by that of the first, on the same sentences
    better: list[float]  # share of the texts on which a model's perplexity is below that of the first


def bootstrap(comparison: Comparison, resamples: int = 1000, seed: int = 1) -> Bootstrap:
    """Draw sentences with replacement, as many as the text has, `resamples` times (Efron 1979).

    The same draws serve all models, so differences are paired (Koehn 2004). Sentences count as independent, which those
    of an article are not quite: true intervals are wider.
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
