"""N-gram models estimated from text by interpolated modified Kneser-Ney smoothing (Chen & Goodman 1998).

Letters: K words of the vocabulary, N the order, T tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnlm.errors import UsageError
from rnnlm.lm.ngram import Ngram, Order
from rnnlm.text import unknown
from rnnlm.text.corpus import encode
from rnnlm.text.lines import TextPath
from rnnlm.text.vocab import BOS, EOS, OpenVocabulary, Vocabulary, build, readable

FALLBACK = (0.5, 1.0, 1.5)  # discounts for a text too small to estimate them from


def read(
    paths: Sequence[TextPath], vocab: Vocabulary | None = None, notes: list[str] | None = None
) -> tuple[np.ndarray, Vocabulary]:
    """Token ids of texts, (T,) int32 with EOS after every sentence, and the vocabulary.

    vocab: read the texts with these words, others as `<unk>`; None: make a vocabulary of every word of the texts.
    notes: gets a line for each thing to report, such as sentence markers that are left out.
    Empty lines are skipped. Raises DataError as `rnnlm.text.corpus.encode`.
    """
    every = vocab or OpenVocabulary()  # a text is read once, because it may be standard input
    text = encode(paths, every)
    if notes is not None:
        notes += unknown.notes(text)
    if vocab is not None:
        return readable(text.ids), vocab
    vocab = build(text.counts(every))
    ids = vocab.read(every.words)
    ids[EOS] = EOS
    return ids[text.ids], vocab


def estimate(ids: np.ndarray, vocab: Vocabulary, order: int = 5, prune: Sequence[int] = ()) -> Ngram:
    """Interpolated modified Kneser-Ney model of a text, ids (T,) as `read` gives them (Chen & Goodman 1998).

    The count a(g) of an n-gram g of order N is how often it occurs. For a shorter one it is the number of different
    words that precede it, or again how often it occurs if it begins with `<s>`, which nothing precedes.

        p(w | h) = (a(hw) - D(a(hw))) / sum_v a(hv) + backoff(h) p(w | h without its first word)
        backoff(h) = sum_v D(a(hv)) / sum_v a(hv)
        D(1) = 1 - 2 Y n2 / n1,  D(2) = 2 - 3 Y n3 / n2,  D(3 and more) = 3 - 4 Y n4 / n3,  Y = n1 / (n1 + 2 n2)

    n1 ... n4 are the numbers of n-grams of an order with a = 1 ... 4; a text too small for these discounts gets
    FALLBACK. Below the unigrams is the uniform distribution over the vocabulary without `<s>`, so that a word of the
    vocabulary which the text lacks has a probability too.

    prune: n-grams of order 1, 2, ... that occur at most so many times are not listed; the last number holds for all
    longer ones. Their probability goes to shorter contexts. Raises UsageError unless the numbers begin with 0 and never
    fall.
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
    initial = np.arange(K) == BOS  # n-grams that begin with <s>
    for n in range(1, order + 1):
        a = raw[n - 1] if n == order else np.bincount(suffixes[n], minlength=len(keys[n - 1]))
        if n > 1:
            context = keys[n - 1] // K
            initial = initial[context]
        a = np.where(initial, raw[n - 1], a).astype(float)
        if n == 1:
            context, a[BOS] = np.zeros(K, np.int64), 0
        listed.append(raw[n - 1] > thresholds[n - 1] if n > 1 else np.ones(K, bool))
        discounts.append(_discounts(a))
        D = np.array([0, *discounts[-1][0]])[np.minimum(a, 3).astype(int)]
        D = np.where(listed[-1], D, a)  # an n-gram that is not listed gives all it has
        total = np.bincount(context, a, minlength=len(p[-1]) if p else 1)
        left = np.bincount(context, D, minlength=len(total)) / np.maximum(total, 1)
        left[total == 0] = 1
        lower = p[-1][suffixes[n - 1]] if p else np.where(initial, 0, 1 / (K - 1))
        p.append((a - D) / np.maximum(total, 1)[context] + left[context] * lower)
        backoff.append(left)
    backoff.append(np.ones(len(p[-1])))
    orders, place = [], np.zeros(1, np.int64)
    for n in range(order):
        k = keys[n] if n == 0 else place[keys[n] // K] * K + keys[n] % K
        with np.errstate(divide="ignore"):  # p(<s>) is zero
            orders.append(Order(k[listed[n]], np.log(p[n][listed[n]]), np.log(backoff[n + 1][listed[n]])))
        place = np.cumsum(listed[n]) - 1
    return Ngram(vocab, orders, discounts)


def _count(ids: np.ndarray, K: int, order: int) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Per order: keys of its n-grams, how often each occurs, and the index of its suffix in the order below.

    The suffix of an n-gram is the n-gram without its first word. ids (T,): sentences, each from BOS to EOS.
    """
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
    """Discounts of the counts 1, 2 and from 3 on, and whether they come from the counts `a` or are FALLBACK."""
    n1, n2, n3, n4 = (int((a == k).sum()) for k in (1, 2, 3, 4))
    if n1 and n2 and n3:
        Y = n1 / (n1 + 2 * n2)
        D = (1 - 2 * Y * n2 / n1, 2 - 3 * Y * n3 / n2, 3 - 4 * Y * n4 / n3)
        if all(0 < d <= k for d, k in zip(D, (1, 2, 3))):
            return D, True
    return FALLBACK, False
