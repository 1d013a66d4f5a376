"""N-gram models: interpolated modified Kneser-Ney estimated from text, and the scorer of any model with backoffs.

    p(w | h) = p of the listed n-gram (h, w), if there is one, and else backoff(h) p(w | h without its first word)

An n-gram is a context and a word. Those of one order stand in arrays, sorted by  i K + w:  i the place of the context
among the n-grams of the order below (a word's place is its id), w the last word. So the n-grams of one context stand
together, and a text is looked up by one binary search per order and word, for all words at once.

Letters: K words of the vocabulary, N the order, T tokens. Logarithms are natural.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rnnlm.errors import DataError, UsageError
from rnnlm.text.lines import TextPath, blocks, text_name
from rnnlm.text.vocab import BOS, EOS, OOV, UNK, Counts, Vocabulary, build

BLOCK = 1 << 14  # tokens looked up at once
FALLBACK = (0.5, 1.0, 1.5)  # discounts where a text is too small to have its own


class Order(NamedTuple):
    """The n-grams of one order, in the order of their keys."""

    keys: np.ndarray  # (n,) int64, ascending
    log_p: np.ndarray  # (n,) float64, log p of the word after the context
    backoff: np.ndarray  # (n,) float64, log of the factor of shorter contexts where this n-gram is the context


@dataclass
class Ngram:
    """An n-gram model with backoffs, and its `rnnlm.scoring.Scorer`. Every sentence begins with `<s>`, on its own.

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
        """See `rnnlm.scoring.Scorer`."""
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
        """See `rnnlm.scoring.Scorer`."""
        return (list(self.log_probs(sentences)) for sentences in lists)

    def distributions(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """See `rnnlm.scoring.Scorer`."""
        for ids in self._blocks(sentences):
            contexts = np.stack([context for _, context, _ in self._places(ids)] or [np.full(len(ids), -1)])
            yield from (self._distribution(contexts[:, t]) for t in np.flatnonzero(ids != BOS))

    def walk(self) -> Walk:
        """See `rnnlm.scoring.Scorer`."""
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
    """See `rnnlm.scoring.Walk`."""

    model: Ngram
    ids: tuple[int, ...]  # the words that the next one depends on

    @property
    def log_p(self) -> np.ndarray:
        """See `rnnlm.scoring.Walk`."""
        contexts = [place[-1] for place in self._contexts()]
        return self.model._distribution(contexts)

    def after(self, word: str) -> Walk:
        """See `rnnlm.scoring.Walk`."""
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


# --- estimation ----------------------------------------------------------------------------------------------------


def read(paths: Sequence[TextPath], vocab: Vocabulary | None = None) -> tuple[np.ndarray, Vocabulary]:
    """Texts -> ids, EOS after every sentence, and the vocabulary: the given one, or that of every word of the texts.

    Empty lines are skipped. Raises DataError as `rnnlm.text.lines.lines`, and for a text without sentences.
    """
    types: dict[str, int] = {}
    numbers: list[np.ndarray] = []  # of types, in the order of their first occurrence; -1 ends a sentence
    sentences = blank = 0
    for path in paths:
        for block in blocks(path):
            tokens = [line.lower().split() if vocab and vocab.lower else line.split() for line in block]
            tokens = [words for words in tokens if words]
            blank += len(block) - len(tokens)
            sentences += len(tokens)
            ends = np.cumsum([len(words) for words in tokens], dtype=np.int64)
            flat = (types.setdefault(word, len(types)) for words in tokens for word in words)
            numbers.append(np.insert(np.fromiter(flat, np.int32), ends, -1))
    if not sentences:
        name = " + ".join(map(text_name, paths))
        raise DataError(f"{name}: no sentences ({blank} empty lines)", "a sentence is a line with at least one word")
    text = np.concatenate(numbers)
    if vocab is None:
        counts = np.bincount(text[text >= 0], minlength=len(types)).tolist()
        vocab = build(Counts(Counter(dict(zip(types, counts))), sentences, blank, "word", False))
    ids = np.array([*(UNK if i == OOV else i for i in vocab.ids(types)), EOS], np.int32)
    return ids[text], vocab


def estimate(ids: np.ndarray, vocab: Vocabulary, order: int = 5, prune: Sequence[int] = ()) -> Ngram:
    """Interpolated modified Kneser-Ney (Chen & Goodman 1998) from a text: ids (T,), every sentence followed by EOS.

    With a(g) how often an n-gram g occurs, or for shorter ones than N how many different words come before it, except
    that n-grams which begin with `<s>`, before which there is nothing, keep their counts:

        p(w | h) = (a(hw) - D(a(hw))) / sum_v a(hv) + backoff(h) p(w | h without its first word)
        backoff(h) = sum_v D(a(hv)) / sum_v a(hv)
        D(1) = 1 - 2 Y n2 / n1,  D(2) = 2 - 3 Y n3 / n2,  D(3 and more) = 3 - 4 Y n4 / n3,  Y = n1 / (n1 + 2 n2)

    n1 ... n4 is how many n-grams of an order have a = 1 ... 4. Below the single words stands the uniform distribution
    over the vocabulary without `<s>`, so a word of the vocabulary that the text lacks has a probability too. Where the
    text is too small for these discounts, they are FALLBACK.

    prune: n-grams of order 1, 2, ... that occur at most so many times are not listed, the last number holding for all
    longer ones; what they had goes to shorter contexts. Raises UsageError unless these begin with 0 and never fall.
    """
    thresholds = [*prune, *[prune[-1] if prune else 0] * order][:order]
    if thresholds[0] or thresholds != sorted(thresholds):
        raise UsageError(
            f"prune {' '.join(map(str, prune))}: expected numbers that begin with 0 and never fall",
            "0 0 1 drops what occurs once, from three words on",
        )
    K = len(vocab)
    ends = np.flatnonzero(ids == EOS)
    ids = np.insert(ids, np.concatenate([[0], ends[:-1] + 1]), BOS)
    keys, raw, suffixes = _count(ids, K, order)
    p: list[np.ndarray] = []
    backoff, listed, discounts = [], [], []
    initial = np.arange(K) == BOS  # whether an n-gram begins with <s>
    for n in range(1, order + 1):
        a = raw[n - 1] if n == order else np.bincount(suffixes[n], minlength=len(keys[n - 1]))
        if n > 1:
            context, word = np.divmod(keys[n - 1], K)
            initial = initial[context]
        a = np.where(initial, raw[n - 1], a).astype(float)
        if n == 1:
            context, a[BOS] = np.zeros(K, np.int64), 0
        kept = raw[n - 1] > thresholds[n - 1] if n > 1 else np.ones(K, bool)
        D, own = _discounts(a)
        discounts.append((D, own))
        taken = np.where(kept, np.array([0, *D])[np.minimum(a, 3).astype(int)], a)
        total = np.bincount(context, a, minlength=len(p[-1]) if p else 1)
        left = np.bincount(context, taken, minlength=len(total)) / np.maximum(total, 1)
        left[total == 0] = 1
        lower = p[-1][suffixes[n - 1]] if p else np.where(initial, 0, 1 / (K - 1))
        p.append((a - taken) / np.maximum(total, 1)[context] + left[context] * lower)
        backoff.append(left)
        listed.append(kept)
    backoff.append(np.ones(len(p[-1])))
    orders, place = [], np.zeros(1, np.int64)
    for n in range(order):
        k = keys[n] if n == 0 else place[keys[n] // K] * K + keys[n] % K
        with np.errstate(divide="ignore"):  # p(<s>) is zero
            orders.append(Order(k[listed[n]], np.log(p[n][listed[n]]), np.log(backoff[n + 1][listed[n]])))
        place = np.cumsum(listed[n]) - 1
    return Ngram(vocab, orders, discounts)


def _count(ids: np.ndarray, K: int, order: int) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Per order: the keys of its n-grams, how often each occurs, and where among those one word shorter each one
    without its first word stands."""
    place = ids.astype(np.int64)
    first = ids == BOS
    keys, raw, suffixes = [np.arange(K)], [np.bincount(ids, minlength=K)], [np.empty(0, np.int64)]
    for _ in range(1, order):
        context = np.concatenate([[-1], place[:-1]])
        context[first] = -1
        at = np.flatnonzero(context >= 0)
        key, index, inverse, number = np.unique(
            context[at] * K + ids[at], return_index=True, return_inverse=True, return_counts=True
        )
        keys.append(key)
        raw.append(number)
        suffixes.append(place[at[index]])
        place = np.full(len(ids), -1)
        place[at] = inverse
    return keys, raw, suffixes


def _discounts(a: np.ndarray) -> tuple[tuple[float, float, float], bool]:
    """Modified Kneser-Ney's discounts of counts 1, 2 and from 3 on; and whether they are the text's own."""
    n1, n2, n3, n4 = (int((a == k).sum()) for k in (1, 2, 3, 4))
    if n1 and n2 and n3:
        Y = n1 / (n1 + 2 * n2)
        D = (1 - 2 * Y * n2 / n1, 2 - 3 * Y * n3 / n2, 3 - 4 * Y * n4 / n3)
        if all(0 < d <= k for d, k in zip(D, (1, 2, 3))):
            return D, True
    return FALLBACK, False
