"""The neural cache: words that followed when the network was in a similar state are likely to follow again.

    p(w | past) = (1 - lam) p_network(w | past) + lam p_cache(w | past)
    p_cache(w | past) ~ sum over the last N positions i of exp(theta h_t . h_i) [w_{i+1} = w]

(Grave, Joulin & Usunier 2017.) h_t is what the head sees when it predicts w_{t+1}. The cache goes on from sentence to
sentence, also where the network's own state does not, and begins empty with each text; while it is empty, p is that of
the network alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from rnnlm.reader import Reader, Window

ROWS = 256  # tokens compared with the past at once
THETAS = (0.0, 0.03, 0.1, 0.2, 0.3, 0.5)
LAMS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)


class CacheScorer(Reader):
    """A reader of text, static or dynamic, mixed with a cache of the last `size` positions."""

    def __init__(self, reader: Reader, size: int, theta: float, lam: float):
        super().__init__(reader.network, reader.stream, reader.carried, reader.tokens)
        self.reader, self.size, self.theta, self.lam = reader, size, theta, lam

    def windows(self, sentences: Iterable[np.ndarray]) -> Iterator[Window]:
        """See `Reader`."""
        for window, ((nats,),) in lookups(self.reader, sentences, self.size, [self.theta], [self.lam]):
            yield window._replace(nats=nats)


def tune(
    reader: Reader,
    sentences: Iterable[np.ndarray],
    size: int,
    thetas: Sequence[float] = THETAS,
    lams: Sequence[float] = LAMS,
) -> np.ndarray:
    """The entropy of a text, in nats per token, for each theta and lam: (thetas, lams), in one reading."""
    nats, tokens = np.zeros((len(thetas), len(lams))), 0
    for window, mixed in lookups(reader, sentences, size, thetas, lams):
        nats += [[x.sum(dtype=float) for x in row] for row in mixed]
        tokens += len(window.nats)
    return nats / tokens


def lookups(
    reader: Reader, sentences: Iterable[np.ndarray], size: int, thetas: Sequence[float], lams: Sequence[float]
) -> Iterator[tuple[Window, list[list[np.ndarray]]]]:
    """Windows of up to ROWS tokens, and -log p of their tokens (T,) with the cache, for each theta and each lam."""
    past = Past(size)
    for window in reader.windows(sentences):
        for first in range(0, len(window.targets), ROWS):
            part = Window(*(x[first : first + ROWS] for x in window))
            compared = past.compare(part)
            cached = (_cached(*compared, theta) for theta in thetas)
            yield part, [[_mix(part.nats, p, lam) for lam in lams] for p in cached]


class Past:
    """The last `size` positions: their hidden vectors h (N, D), and the words (N,) that followed them."""

    def __init__(self, size: int):
        self.size, self.length = size, 0  # length: positions stored, of which the last `size` matter
        self.h: np.ndarray | None = None
        self.words: np.ndarray | None = None

    def compare(self, window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Take in a window of T tokens, and compare each t of them with the `size` positions i before it.

        -> h_t . h_i; whether i is one of those positions; whether so, and what followed i followed t. All (T, N').
        """
        T = len(window.targets)
        if self.h is None or self.words is None:
            self.h = np.empty((2 * self.size + ROWS, window.hidden.shape[1]), window.hidden.dtype)
            self.words = np.empty(len(self.h), np.int32)
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
        return window.hidden @ self.h[near].T, among, among & (self.words[near] == window.targets[:, None])


def _cached(dots: np.ndarray, among: np.ndarray, same: np.ndarray, theta: float) -> np.ndarray:
    """p_cache of each token, (T,); nan where there is no past."""
    e = theta * dots
    e[~among] = -np.inf
    top = e.max(axis=1, keepdims=True)
    e -= np.where(np.isneginf(top), 0, top)
    np.exp(e, out=e)
    total = e.sum(axis=1)
    e *= same
    with np.errstate(invalid="ignore"):
        return e.sum(axis=1) / total


def _mix(nats: np.ndarray, p: np.ndarray, lam: float) -> np.ndarray:
    """-log of the mixture, (T,)."""
    with np.errstate(divide="ignore", invalid="ignore"):  # log 0: nothing in the past was followed by this word
        mixed = -np.logaddexp(math.log1p(-lam) - nats, np.log(lam * p))
    return np.where(np.isnan(p), nats, mixed)
