"""The softmax over all words and its cross-entropy, computed in the memory of its logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Empty
from rnnlm.nn.heads.base import Head, log_unigram
from rnnlm.nn.initializers import Glorot, Init, Zeros
from rnnlm.nn.parallel import blocks, in_parallel, product
from rnnlm.nn.params import Spec

EXP = 64  # multiply-adds that take the time of an exponential


@dataclass(frozen=True)
class Softmax(Head, kind="softmax"):
    """Softmax over all words: o = c + V y,  p = softmax(o),  L = -log p[target].

    V (K, D) has a row per word, c (K,) is the output bias.

    With `tied`, V is the table of input embeddings (Press & Wolf 2017).
    """

    tied: bool = option(False, "use the input embedding's table as V")
    bias: Literal["unigram", "zeros", "none"] = option(
        "unigram", "start of c: log unigram frequencies, or zeros; none: no c"
    )
    init_V: Init = option(Glorot(), "start of V, when not tied")

    def specs(self, n_in, vocab):
        K, specs = len(vocab), {}
        if not self.tied:
            specs["V"] = Spec((K, n_in), self.init_V)
        if self.bias != "none":
            specs["c"] = Spec((K,), Zeros() if self.bias == "zeros" else lambda shape, rng: log_unigram(vocab.counts))
        return specs

    def workspace(self, p, N, empty):
        K, D = p["V"].shape
        return CrossEntropy.workspace(N, K, D, empty)

    def forward(self, p, y, targets, work):
        return work.forward(y, p["V"], p.get("c"), targets)

    def backward(self, p, g, scale, work, dy):
        work.backward(p["V"], g["V"], g.get("c"), scale, dy)

    def softmaxes(self, work):
        return [work]

    def log_probs(self, p, y):
        return log_softmax(y, p["V"], p.get("c"))


@dataclass
class CrossEntropy:
    """Softmax and cross-entropy of an affine map: memory for N rows, filled by forward and read by backward."""

    e: np.ndarray  # (N, K) the logits, then exp(o), unnormalised
    Z: np.ndarray  # (N, 1) the sums of e over the words
    buf: np.ndarray  # (N, D)
    y: Any = None  # (N, D)
    targets: Any = None  # (N,)

    @classmethod
    def workspace(cls, N: int, K: int, D: int, empty: Empty) -> CrossEntropy:
        """Memory for N rows."""
        return cls(empty(N, K), empty(N, 1), empty(N, D))

    def forward(self, y: np.ndarray, V: np.ndarray, c: np.ndarray | None, targets: np.ndarray) -> np.ndarray:
        """Return -log softmax(o)[target], (N,), for o = c + y V^T (N, K). y (N, D), V (K, D), c (K,), targets (N,)."""
        self.y, self.targets = y, targets
        nats = self._forward(y, V, c, shifted=False)
        if not np.all((self.Z > 1e-30) & (self.Z < 1e30)):  # exp or 1 / Z left float32: subtract each row's maximum
            nats = self._forward(y, V, c, shifted=True)
        return nats

    def _forward(self, y, V, c, shifted):
        """Forward with or without the shift by the maximum, which costs two of six passes over N K numbers."""
        K, nats, n = len(V), np.empty(len(y), y.dtype), np.arange(len(y))

        def rows_of(part):
            np.dot(y[part], V.T, out=self.e[part])
            for b in blocks(part, K):  # so that each pass finds its numbers in the processor's cache
                e, Z = self.e[b], self.Z[b]
                if c is not None:
                    e += c
                if shifted:
                    e -= e.max(axis=1, keepdims=True)
                score = e[n[: len(e)], self.targets[b]]
                np.exp(e, out=e)
                e.sum(axis=1, keepdims=True, out=Z)
                np.subtract(np.log(Z[:, 0]), score, out=nats[b])

        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # the caller looks at the results
            in_parallel(rows_of, len(y), each=V.size + EXP * K)
        return nats

    def backward(self, V: np.ndarray, dV: np.ndarray, dc: np.ndarray | None, scale: np.ndarray, dy: np.ndarray) -> None:
        """Gradient of L = sum_n scale_n nats_n: adds to dV (K, D) and dc (K,), writes dy (N, D), overwrites e.

        do = scale (p - onehot(target)) = scale / Z (e - Z onehot(target)) is never formed: of its N K entries only N
        are touched, and the factor scale / Z goes to the narrow side of each product.
        """
        e, r = self.e, scale[:, None] / self.Z
        e[np.arange(len(e)), self.targets] -= self.Z[:, 0]
        np.multiply(self.y, r, out=self.buf)

        def words_of(part):
            for words in blocks(part, V.shape[1]):  # so that the summand is small and stays in the cache
                dV[words] += e.T[words] @ self.buf
            if dc is not None:
                dc[part] += e.T[part] @ r[:, 0]

        def rows_of(part):
            np.dot(e[part], V, out=dy[part])
            dy[part] *= r[part]

        in_parallel(words_of, len(V), each=self.y.size)
        in_parallel(rows_of, len(e), each=V.size)


def log_softmax(y: np.ndarray, V: np.ndarray, c: np.ndarray | None) -> np.ndarray:
    """Return log softmax(c + y V^T), (N, K)."""
    o = np.empty((len(y), len(V)), y.dtype)
    product(y, V.T, out=o)

    def rows_of(part):
        for b in blocks(part, len(V)):
            if c is not None:
                o[b] += c
            normalise(o[b])

    in_parallel(rows_of, len(y), each=V.size)
    return o


def normalise(o: np.ndarray) -> None:
    """Turn scores o (N, K) into log softmax(o), in place."""
    o -= o.max(axis=1, keepdims=True)
    o -= np.log(np.exp(o).sum(axis=1, keepdims=True))
