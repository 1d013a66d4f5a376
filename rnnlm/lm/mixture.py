"""Mixtures of language models: p(w | h) = sum_i weight_i p_i(w | h), of networks, n-gram models and mixtures.

Dimension letters: M models, K words of the vocabulary, n words of a sentence.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rnnlm.errors import DataError, UsageError
from rnnlm.lm.scorer import Scorer, Walk
from rnnlm.text.vocab import SPECIALS, Vocabulary, listed

ITERATIONS = 10_000  # of EM, at most; a few dozen are usual
PRECISION = 1e-8  # EM ends when no weight moves by more


class Mixture(Scorer):
    """Mixture of language models, itself a `rnnlm.lm.scorer.Scorer`.

    The vocabulary is the union of the models' vocabularies. A model gives words that it lacks, but that another knows,
    probability zero, and reads them as `<unk>`; `<unk>` stands for what none of them knows. So the probabilities of
    the mixture add up to one if those of each model do. A model whose vocabulary lacks much gets little weight.

    weights: one per model, not negative, with sum 1; equal by default. If one model lowercases its text, all do.
    `lacks` is, of each model, the words that it lacks and another knows. Raises UsageError for other weights, and for
    models of characters mixed with models of words.
    """

    kind = "mix"

    def __init__(self, scorers: Sequence[Scorer], weights: Sequence[float] | None = None):
        self.scorers = list(listed(scorers, "models"))
        M = len(self.scorers)
        self.weights = np.full(M, 1 / M) if weights is None else np.array(weights, float)
        if len(self.weights) != M or not (self.weights >= 0).all() or not abs(self.weights.sum() - 1) < 1e-4:
            found = ", ".join(f"{w:g}" for w in self.weights)
            raise UsageError(f"weights {found}: expected {M} of them, not negative, with sum 1", "one for each model")
        self.weights /= self.weights.sum()
        self.vocab = _union([scorer.vocab for scorer in self.scorers])
        self.start = self.scorers[0].start
        self.carried = any(scorer.carried for scorer in self.scorers)
        ids = self.vocab.index | {word: i for i, word in enumerate(SPECIALS)}
        self._ids = [np.array([ids[word] for word in scorer.vocab.words]) for scorer in self.scorers]
        self.lacks = [self.vocab.index.keys() - scorer.vocab.index.keys() for scorer in self.scorers]

    @property
    def order(self) -> float:
        """On how many words a probability depends at most: see `rnnlm.lm.scorer.Scorer`."""
        return max(scorer.order for scorer in self.scorers)

    def log_probs(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Log-probabilities of the words of sentences: see `rnnlm.lm.scorer.Scorer`."""
        return map(self.mix, self.parts(sentences))

    def parts(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Log-probabilities of the words of sentences under each model, (M, n + 1) per sentence."""
        own, *texts = itertools.tee(sentences, 1 + len(self.scorers))
        parts = (scorer.log_probs(text) for scorer, text in zip(self.scorers, texts))
        return (self._table(words, rows) for words, *rows in zip(own, *parts))

    def alternatives(self, lists: Iterable[Sequence[Sequence[str]]]) -> Iterator[list[np.ndarray]]:
        """Log-probabilities of n-best lists: see `rnnlm.lm.scorer.Scorer`."""
        own, *texts = itertools.tee(lists, 1 + len(self.scorers))
        parts = (scorer.alternatives(text) for scorer, text in zip(self.scorers, texts))
        for sentences, *columns in zip(own, *parts):
            yield [self.mix(self._table(words, rows)) for words, *rows in zip(sentences, *columns)]

    def _table(self, words: Sequence[str], rows: Sequence[np.ndarray]) -> np.ndarray:
        """Each model's log-probabilities of a sentence, (M, n + 1): -inf for words that it lacks and another knows."""
        table = np.array(rows, float)
        for lacks, row in zip(self.lacks, table):
            if lacks:
                row[:-1][[word in lacks for word in words]] = -np.inf
        return table

    def mix(self, parts: np.ndarray) -> np.ndarray:
        """Log-probabilities of the mixture, (n,), from those of the models, (M, n)."""
        with np.errstate(divide="ignore"):  # a weight may be zero
            return np.logaddexp.reduce(parts + np.log(self.weights)[:, None], axis=0)

    def distributions(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Log-probabilities of the whole vocabulary: see `rnnlm.lm.scorer.Scorer`."""
        texts = itertools.tee(sentences, len(self.scorers))
        parts = (scorer.distributions(text) for scorer, text in zip(self.scorers, texts))
        return map(self.combine, zip(*parts))

    def combine(self, rows: Iterable[np.ndarray]) -> np.ndarray:
        """Log-probabilities of the mixture's vocabulary, (K,), from each model's of its own."""
        parts = np.full((len(self.scorers), len(self.vocab)), -np.inf)
        for part, ids, row in zip(parts, self._ids, rows):
            part[ids] = row
        return self.mix(parts)

    def walk(self, bos: bool = True) -> Walk:
        """The beginning of a sentence: see `rnnlm.lm.scorer.Scorer`."""
        return MixtureWalk(self, tuple(scorer.walk(bos) for scorer in self.scorers))


@dataclass(frozen=True)
class MixtureWalk:
    """A sentence read so far by the models of a mixture: see `rnnlm.lm.scorer.Walk`."""

    mixture: Mixture
    walks: tuple[Walk, ...]

    @property
    def log_p(self) -> np.ndarray:
        """Log-probabilities of the next word: see `rnnlm.lm.scorer.Walk`."""
        return self.mixture.combine(walk.log_p for walk in self.walks)

    def next(self, word: str | None) -> tuple[float, int]:
        """Log-probability of one word to come next: see `rnnlm.lm.scorer.Walk`."""
        log_p, lengths = zip(*(walk.next(word) for walk in self.walks))
        parts = [-np.inf if word in lacks else part for part, lacks in zip(log_p, self.mixture.lacks)]
        return float(self.mixture.mix(np.array(parts)[:, None])[0]), max(lengths)

    def after(self, word: str | None) -> MixtureWalk:
        """The sentence with one more word: see `rnnlm.lm.scorer.Walk`."""
        return MixtureWalk(self.mixture, tuple(walk.after(word) for walk in self.walks))


def fit(mixture: Mixture, sentences: Iterable[Sequence[str]], name: str = "text") -> np.ndarray:
    """Weights (M,) under which a text is most probable, words that no model knows left out.

    Expectation maximization from equal weights: w_i becomes the mean of w_i p_i / sum_j w_j p_j over the tokens, until
    no weight moves by more than PRECISION. The likelihood has one maximum, so the start makes no difference. Memory: M
    numbers per token. Raises DataError, with the `name` of the text, if it has no sentences.
    """
    own, ahead = itertools.tee(sentences)
    columns = [parts[:, mixture.vocab.known(words)] for words, parts in zip(own, mixture.parts(ahead))]
    if not columns:
        raise DataError(f"{name}: no sentences", "a sentence is a line with at least one word")
    M, parts = len(mixture.scorers), np.concatenate(columns, axis=1)
    best = parts.max(axis=0)
    p = np.exp(parts[:, best > -np.inf] - best[best > -np.inf])
    weights = np.full(M, 1 / M)
    for _ in range(ITERATIONS if p.size else 0):
        before, weights = weights, weights * (p / (weights @ p)).mean(axis=1)
        if np.abs(weights - before).max() < PRECISION:
            break
    return weights / weights.sum()


def _union(vocabularies: Sequence[Vocabulary]) -> Vocabulary:
    """The vocabulary of every word of these, in the order of the first, the second, ... Counts are the first's."""
    first = vocabularies[0]
    for other in vocabularies:
        if other.level != first.level:
            raise UsageError(
                f"a model of {first.level}s and one of {other.level}s cannot be mixed",
                "mix models that predict the same things",
            )
    words = dict.fromkeys((word for each in vocabularies for word in each.words), 0)
    words |= zip(first.words, first.counts.tolist())
    return Vocabulary(list(words), list(words.values()), first.level, any(v.lower for v in vocabularies))
