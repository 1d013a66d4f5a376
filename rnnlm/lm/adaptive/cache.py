"""The neural cache: a word that followed a similar hidden vector before is likely to follow again.

    p(w | past) = (1 - lam) p_network(w | past) + lam p_cache(w | past)
    p_cache(w | past) ~ sum over the last N positions i of exp(theta h_t . h_i) [w_{i+1} = w]

(Grave, Joulin & Usunier 2017.) h_t is the input of the output layer that predicts w_{t+1}. The cache goes on from
sentence to sentence, even if the network's hidden state does not, and each text begins with an empty one; while it is
empty, p is the network's.

Dimension letters: T tokens of a window, N positions of the cache, N' positions compared with a window, D hidden units,
K words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from rnnlm.lm.network import SequentialScorer, Window

THETAS = (0.0, 0.03, 0.1, 0.2, 0.3, 0.5)  # the grid of `tune`
LAMS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)


class CacheScorer(SequentialScorer):
    """A network, static or under dynamic evaluation, mixed with a cache of the last `size` positions."""

    def __init__(self, scorer: SequentialScorer, size: int, theta: float, lam: float):
        super().__init__(scorer.network, scorer.stream, scorer.carried, scorer.tokens)
        self.kind = f"{scorer.kind}+cache"
        self.scorer, self.size, self.theta, self.lam = scorer, size, theta, lam

    def windows(self, sentences: Iterable[np.ndarray]) -> Iterator[Window]:
        """The windows of sentences of token ids: see `SequentialScorer`."""
        past = Past(self.size, self.tokens)
        for window in self.scorer.windows(sentences):
            found = past.compare(window)
            log_p = partial(self._log_p, window, found)
            yield window._replace(nats=found.mix(-window.nats, found.p(self.theta), self.lam), log_p=log_p)

    def _log_p(self, window: Window, found: Compared) -> np.ndarray:
        """Log-probabilities of the whole vocabulary at each step, (T, K)."""
        p = [np.bincount(found.words, row, len(self.vocab)) for row in found.weights(self.theta)]
        return -found.mix(window.log_p(), np.array(p), self.lam)


def tune(
    scorer: SequentialScorer,
    documents: Iterable[Iterable[np.ndarray]],
    size: int,
    thetas: Sequence[float] = THETAS,
    lams: Sequence[float] = LAMS,
) -> np.ndarray:
    """Cross-entropy of a text in nats per token, for each theta and lam: (thetas, lams). Reads the text once.

    documents: the sentences of each, which begins with an empty cache; of a text as it is, there is one.
    """
    nats, tokens = np.zeros((len(thetas), len(lams))), 0
    for sentences in documents:
        past = Past(size, scorer.tokens)
        for window in scorer.windows(sentences):
            found = past.compare(window)
            for row, theta in zip(nats, thetas):
                p = found.p(theta)
                row += [found.mix(-window.nats, p, lam).sum(dtype=float) for lam in lams]
            tokens += len(window.nats)
    return nats / tokens


class Compared(NamedTuple):
    """A window of T tokens, compared with N' positions, among which are the cached ones of each token."""

    dots: np.ndarray  # (T, N') the products h_t . h_i
    among: np.ndarray  # (T, N') whether position i is in the cache when token t is predicted
    words: np.ndarray  # (N',) the word that followed position i
    targets: np.ndarray  # (T,)

    def weights(self, theta: float) -> np.ndarray:
        """Share of each position in p_cache, (T, N'): rows with sum one, or of zeros where the cache is empty."""
        e = theta * self.dots
        e[~self.among] = -np.inf
        top = e.max(axis=1, keepdims=True)
        e -= np.where(np.isneginf(top), 0, top)
        np.exp(e, out=e)
        total = e.sum(axis=1, keepdims=True)
        e /= np.where(total > 0, total, 1)
        return e

    def p(self, theta: float) -> np.ndarray:
        """Probability p_cache of each token, (T,)."""
        return (self.weights(theta) * (self.words == self.targets[:, None])).sum(axis=1)

    def mix(self, log_p: np.ndarray, p: np.ndarray, lam: float) -> np.ndarray:
        """Mixture of the network's log_p with the cache's p, both (T,) or (T, K), as -log of the probability."""
        lams = np.where(self.among.any(axis=1), lam, 0).astype(log_p.dtype).reshape(-1, *[1] * (p.ndim - 1))
        with np.errstate(divide="ignore"):  # log 0: nothing in the past was followed by this word
            return -np.logaddexp(np.log1p(-lams) + log_p, np.log(lams * p.astype(log_p.dtype)))


class Past:
    """Cache of the last `size` positions: their hidden vectors h (N, D), and the words (N,) that followed them."""

    def __init__(self, size: int, tokens: int):
        """An empty cache for windows of up to `tokens` tokens."""
        self.size, self.length = size, 0  # length: positions stored, of which the last `size` matter
        self.h: np.ndarray | None = None
        self.words = np.empty(2 * size + tokens, np.int32)

    def compare(self, window: Window) -> Compared:
        """Add a window, and compare each token t of it with the `size` positions i before t."""
        T = len(window.targets)
        if self.h is None:
            self.h = np.empty((len(self.words), window.hidden.shape[1]), window.hidden.dtype)
        if self.length + T > len(self.h):  # move what matters to the front, once in about `size` tokens
            kept = slice(self.length - self.size, self.length)
            self.h[: self.size], self.words[: self.size] = self.h[kept], self.words[kept]
            self.length = self.size
        now = slice(self.length, self.length + T)
        self.h[now], self.words[now] = window.hidden, window.targets
        self.length = now.stop
        near = slice(max(now.start - self.size, 0), now.stop)
        t, i = np.arange(now.start, now.stop)[:, None], np.arange(near.start, near.stop)
        among = (i < t) & (i >= t - self.size)
        return Compared(window.hidden @ self.h[near].T, among, self.words[near], window.targets)
