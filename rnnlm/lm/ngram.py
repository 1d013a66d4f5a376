"""Backoff n-gram models: lookup and scoring.

    p(w | h) = p of the listed n-gram (h, w) if there is one, otherwise backoff(h) p(w | h without its first word)

An n-gram is a context and a word. The n-grams of one order are arrays sorted by the key  i K + w,  where i is the index
of the context among the n-grams of the order below (for a single word: its id) and w is the id of the last word. So the
n-grams of one context lie side by side, and a whole text is looked up with one binary search per order and token.

Letters: K words of the vocabulary, N the order, T tokens. Logarithms are natural.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rnnlm.lm.scorer import Scorer, in_blocks, token
from rnnlm.text.vocab import BOS, EOS, Vocabulary, readable

BLOCK = 1 << 14  # tokens looked up at once


class Order(NamedTuple):
    """N-grams of one order, sorted by key."""

    keys: np.ndarray  # (n,) int64, ascending
    log_p: np.ndarray  # (n,) float64, log p(last word | context)
    backoff: np.ndarray  # (n,) float64, log of the backoff weight of this n-gram as a context


@dataclass
class Ngram(Scorer):
    """Backoff n-gram model, a `rnnlm.lm.scorer.Scorer`. Every sentence is independent and begins with `<s>`.

    orders     one `Order` per length; the first lists every word of the vocabulary. `<s>` has probability zero, and so
               has `<unk>` in a model without it
    discounts  of an estimated model: for each order its three discounts, and whether they come from the text itself
    """

    vocab: Vocabulary
    orders: list[Order]
    discounts: list[tuple[tuple[float, float, float], bool]] = field(default_factory=list)
    kind = "ngram"
    start = BOS
    carried = False

    @property
    def order(self) -> int:
        """Length of the longest n-grams, N."""
        return len(self.orders)

    def log_probs(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """See `rnnlm.lm.scorer.Scorer`."""
        for ids in self._blocks(sentences):
            starts = np.flatnonzero(ids == BOS)
            yield from (part[1:] for part in np.split(self.look_up(ids)[0], starts[1:]))

    def distributions(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """See `rnnlm.lm.scorer.Scorer`."""
        for ids in self._blocks(sentences):
            contexts = np.stack([context for _, context, _ in self._places(ids)] or [np.full(len(ids), -1)])
            yield from (self._distribution(contexts[:, t]) for t in np.flatnonzero(ids != BOS))

    def walk(self, bos: bool = True) -> Walk:
        """See `rnnlm.lm.scorer.Scorer`."""
        return Walk(self, (BOS,) if bos else ())

    def look_up(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log p of each id (T,) after those before it, and the length of the longest listed n-gram that it ends."""
        log_p, length = self.orders[0].log_p[ids], np.ones(len(ids), int)
        for n, context, place in self._places(ids):
            lower, this = self.orders[n - 2], self.orders[n - 1]
            backed_off, listed = context >= 0, place >= 0
            log_p[backed_off] += lower.backoff[context[backed_off]]
            log_p[listed], length[listed] = this.log_p[place[listed]], n
        return log_p, length

    def _distribution(self, contexts: Iterable[int]) -> np.ndarray:
        """Log p of every word, (K,), given the indices of the contexts of 1, 2, ... words (-1: not listed)."""
        K = len(self.vocab)
        log_p = self.orders[0].log_p.copy()
        for lower, this, context in zip(self.orders, self.orders[1:], contexts):
            if context >= 0:
                log_p += lower.backoff[context]
                first, last = np.searchsorted(this.keys, [context * K, (context + 1) * K])
                log_p[this.keys[first:last] - context * K] = this.log_p[first:last]
        return log_p

    def _places(self, ids: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """For n = 2, 3, ...: n, and for each id the index of the context before it and of the n-gram that it ends.

        The index is -1 where an n-gram is not listed. ids (T,): concatenated sentences, each beginning with BOS.
        """
        place = ids.astype(np.int64)
        first = ids == BOS
        for n, this in enumerate(self.orders[1:], 2):
            context = np.concatenate([[-1], place[:-1]])
            context[first] = -1
            place = find(this.keys, np.where(context >= 0, context * len(self.vocab) + ids, -1))
            yield n, context, place

    def _blocks(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Ids of concatenated sentences (BOS, words, EOS of each), about BLOCK tokens at a time."""
        for block in in_blocks(sentences, lambda words: len(words) + 2, BLOCK):
            yield readable(np.array([i for words in block for i in (BOS, *self.vocab.ids(words), EOS)]))


@dataclass(frozen=True)
class Walk:
    """See `rnnlm.lm.scorer.Walk`."""

    model: Ngram
    ids: tuple[int, ...]  # the words that the next one depends on

    @property
    def log_p(self) -> np.ndarray:
        """See `rnnlm.lm.scorer.Walk`."""
        ids = np.array([*self.ids, EOS])
        return self.model._distribution(context[-1] for _, context, _ in self.model._places(ids))

    def next(self, word: str | None) -> tuple[float, int]:
        """See `rnnlm.lm.scorer.Walk`."""
        log_p, length = self.model.look_up(np.array([*self.ids, token(self.model.vocab, word)]))
        return float(log_p[-1]), int(length[-1])

    def after(self, word: str | None) -> Walk:
        """See `rnnlm.lm.scorer.Walk`."""
        ids = (*self.ids, token(self.model.vocab, word))
        return Walk(self.model, ids[max(0, len(ids) - self.model.order + 1) :])


def find(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Indices of `wanted` in the ascending `keys`, -1 for those that are not there."""
    if not len(keys):
        return np.full(len(wanted), -1)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    place[keys[place] != wanted] = -1
    return place
