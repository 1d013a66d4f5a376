"""The neural cache: words that followed when the network was in a similar state are likely to follow again.

    p(w | past) = (1 - lam) p_network(w | past) + lam p_cache(w | past)
    p_cache(w | past) ~ sum over the last N positions i of exp(theta h_t . h_i) [w_{i+1} = w]

(Grave, Joulin & Usunier 2017.) h_t is what the head sees when it predicts w_{t+1}. The cache goes on from sentence to
sentence, also where the network's own state does not, and begins empty with each text; while it is empty, p is that of
the network alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from rnnlm.lm.reader import Reader, Window

THETAS = (0.0, 0.03, 0.1, 0.2, 0.3, 0.5)  # what `tune` tries
LAMS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)


class CacheScorer(Reader):
    """A reader of text, static or dynamic, mixed with a cache of the last `size` positions."""

    def __init__(self, reader: Reader, size: int, theta: float, lam: float):
        super().__init__(reader.network, reader.stream, reader.carried, reader.tokens)
        self.kind = f"{reader.kind}+cache"
        self.reader, self.size, self.theta, self.lam = reader, size, theta, lam

    def windows(self, sentences: Iterable[np.ndarray]) -> Iterator[Window]:
        """See `Reader`."""
        past = Past(self.size, self.tokens)
        for window in self.reader.windows(sentences):
            found = past.compare(window)
            log_p = partial(self._log_p, window, found)
            yield window._replace(nats=found.mix(-window.nats, found.p(self.theta), self.lam), log_p=log_p)

    def _log_p(self, window: Window, found: Compared) -> np.ndarray:
        """log p of every word at each place, (T, K)."""
        p = [np.bincount(found.words, row, len(self.vocab)) for row in found.weights(self.theta)]
        return -found.mix(window.log_p(), np.array(p), self.lam)


def tune(
    reader: Reader,
    sentences: Iterable[np.ndarray],
    size: int,
    thetas: Sequence[float] = THETAS,
    lams: Sequence[float] = LAMS,
) -> np.ndarray:
    """The entropy of a text, in nats per token, for each theta and lam: (thetas, lams), in one reading."""
    nats, tokens, past = np.zeros((len(thetas), len(lams))), 0, Past(size, reader.tokens)
    for window in reader.windows(sentences):
        found = past.compare(window)
        for row, theta in zip(nats, thetas):
            p = found.p(theta)
            row += [found.mix(-window.nats, p, lam).sum(dtype=float) for lam in lams]
        tokens += len(window.nats)
    return nats / tokens


class Compared(NamedTuple):
    """T tokens, and N' positions among which are the cached ones of each of them."""

    dots: np.ndarray  # (T, N') h_t . h_i
    among: np.ndarray  # (T, N') whether position i is in the cache when token t is predicted
    words: np.ndarray  # (N',) what followed i
    targets: np.ndarray  # (T,)

    def weights(self, theta: float) -> np.ndarray:
        """The share of each position in p_cache: (T, N'), rows with sum one, or of zeros where there is no past."""
        e = theta * self.dots
        e[~self.among] = -np.inf
        top = e.max(axis=1, keepdims=True)
        e -= np.where(np.isneginf(top), 0, top)
        np.exp(e, out=e)
        total = e.sum(axis=1, keepdims=True)
        e /= np.where(total > 0, total, 1)
        return e

    def p(self, theta: float) -> np.ndarray:
        """p_cache of each token, (T,)."""
        return (self.weights(theta) * (self.words == self.targets[:, None])).sum(axis=1)

    def mix(self, log_p: np.ndarray, p: np.ndarray, lam: float) -> np.ndarray:
        """-log of the mixture of the network's log_p with the cache's p, both (T,) or (T, K)."""
        lams = np.where(self.among.any(axis=1), lam, 0).astype(log_p.dtype).reshape(-1, *[1] * (p.ndim - 1))
        with np.errstate(divide="ignore"):  # log 0: nothing in the past was followed by this word
            return -np.logaddexp(np.log1p(-lams) + log_p, np.log(lams * p.astype(log_p.dtype)))


class Past:
    """The last `size` positions: their hidden vectors h (N, D), and the words (N,) that followed them."""

    def __init__(self, size: int, tokens: int):
        """tokens: of the largest window."""
        self.size, self.length = size, 0  # length: positions stored, of which the last `size` matter
        self.h: np.ndarray | None = None
        self.words = np.empty(2 * size + tokens, np.int32)

    def compare(self, window: Window) -> Compared:
        """Take in a window, and compare each token t of it with the `size` positions i before t."""
        T = len(window.targets)
        if self.h is None:
            self.h = np.empty((len(self.words), window.hidden.shape[1]), window.hidden.dtype)
        if self.length + T > len(self.h):  # what matters moves to the front, once in about `size` tokens
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
