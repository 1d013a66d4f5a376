"""N-gram models with backoffs: lookup and scoring.

    p(w | h) = p of the listed n-gram (h, w), if there is one, and else backoff(h) p(w | h without its first word)

An n-gram is a context and a word. Those of one order stand in arrays, sorted by  i K + w:  i the place of the context
among the n-grams of the order below (a word's place is its id), w the last word. So the n-grams of one context stand
together, and a text is looked up by one binary search per order and word, for all words at once.

Letters: K words of the vocabulary, N the order, T tokens. Logarithms are natural.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rnnlm.text.vocab import BOS, EOS, OOV, UNK, Vocabulary

BLOCK = 1 << 14  # tokens looked up at once


class Order(NamedTuple):
    """The n-grams of one order, in the order of their keys."""

    keys: np.ndarray  # (n,) int64, ascending
    log_p: np.ndarray  # (n,) float64, log p of the word after the context
    backoff: np.ndarray  # (n,) float64, log of the factor of shorter contexts where this n-gram is the context


@dataclass
class Ngram:
    """An n-gram model with backoffs, and its `rnnlm.lm.scorer.Scorer`. Every sentence begins with `<s>`, on its own.

    The first order lists every word of the vocabulary; `<s>` has probability zero, as has `<unk>` where a model lacks
    it. discounts: of an estimated model, per order the three that were used, and whether they are the text's own.
    """

    vocab: Vocabulary
    orders: list[Order]
    discounts: list[tuple[tuple[float, float, float], bool]] = field(default_factory=list)
    kind = "ngram"
    start = BOS
    carried = False

    @property
    def order(self) -> int:
        """N, the length of the longest n-grams."""
        return len(self.orders)

    def log_probs(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """See `rnnlm.lm.scorer.Scorer`."""
        for ids in self._blocks(sentences):
            log_p = self.orders[0].log_p[ids]
            for n, context, place in self._places(ids):
                lower, this = self.orders[n - 2], self.orders[n - 1]
                log_p += np.where(context >= 0, lower.backoff[context], 0)
                listed = place >= 0
                log_p[listed] = this.log_p[place[listed]]
            starts = np.flatnonzero(ids == BOS)
            yield from (part[1:] for part in np.split(log_p, starts[1:]))

    def alternatives(self, lists: Iterable[Sequence[Sequence[str]]]) -> Iterator[list[np.ndarray]]:
        """See `rnnlm.lm.scorer.Scorer`."""
        return (list(self.log_probs(sentences)) for sentences in lists)

    def distributions(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """See `rnnlm.lm.scorer.Scorer`."""
        for ids in self._blocks(sentences):
            contexts = np.stack([context for _, context, _ in self._places(ids)] or [np.full(len(ids), -1)])
            yield from (self._distribution(contexts[:, t]) for t in np.flatnonzero(ids != BOS))

    def walk(self) -> Walk:
        """See `rnnlm.lm.scorer.Scorer`."""
        return Walk(self, (BOS,))

    def _distribution(self, contexts: Iterable[int]) -> np.ndarray:
        """log p of every word, (K,), after contexts of 1, 2, ... words, given by their places (-1: not listed)."""
        K = len(self.vocab)
        log_p = self.orders[0].log_p.copy()
        for lower, this, context in zip(self.orders, self.orders[1:], contexts):
            if context >= 0:
                log_p += lower.backoff[context]
                first, last = np.searchsorted(this.keys, [context * K, (context + 1) * K])
                log_p[this.keys[first:last] - context * K] = this.log_p[first:last]
        return log_p

    def _places(self, ids: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """For n = 2, 3, ...: n, the places of the contexts of n - 1 words before each id, and of the n-grams it ends.

        -1 stands for what is not listed. ids (T,): sentences on end, each beginning with BOS.
        """
        place = ids.astype(np.int64)
        first = ids == BOS
        for n, this in enumerate(self.orders[1:], 2):
            context = np.concatenate([[-1], place[:-1]])
            context[first] = -1
            place = find(this.keys, np.where(context >= 0, context * len(self.vocab) + ids, -1))
            yield n, context, place

    def _blocks(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """The ids of sentences on end, BLOCK tokens or a little more at a time: BOS, words, EOS of each."""
        ids: list[int] = []
        for words in sentences:
            ids += [BOS, *(UNK if i == OOV else i for i in self.vocab.ids(words)), EOS]
            if len(ids) >= BLOCK:
                yield np.array(ids)
                ids = []
        if ids:
            yield np.array(ids)


@dataclass(frozen=True)
class Walk:
    """See `rnnlm.lm.scorer.Walk`."""

    model: Ngram
    ids: tuple[int, ...]  # the words that the next one depends on

    @property
    def log_p(self) -> np.ndarray:
        """See `rnnlm.lm.scorer.Walk`."""
        contexts = [place[-1] for place in self._contexts()]
        return self.model._distribution(contexts)

    def after(self, word: str) -> Walk:
        """See `rnnlm.lm.scorer.Walk`."""
        (i,) = self.model.vocab.ids([word])
        ids = (*self.ids, UNK if i == OOV else i)
        return Walk(self.model, ids[max(0, len(ids) - self.model.order + 1) :])

    def _contexts(self) -> Iterator[np.ndarray]:
        ids = np.array([*self.ids, EOS])
        return (context for _, context, _ in self.model._places(ids))


def find(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The places of `wanted` in the ascending `keys`, -1 where they are not."""
    if not len(keys):
        return np.full(len(wanted), -1)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    place[keys[place] != wanted] = -1
    return place
