"""What stands on top of a network of text: from hidden vectors to the probability of the next word, and the loss."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from rnnlm.cells.base import Empty
from rnnlm.config import Choice, option
from rnnlm.initializers import Glorot, Init, Zeros
from rnnlm.ops import in_parallel, scatter_add
from rnnlm.params import Spec, Specs
from rnnlm.vocab import Vocabulary


class Loss(NamedTuple):
    """Cross-entropy of some tokens: addable, so that averages are never averaged."""

    nats: float = 0.0  # sum of -log p over the tokens
    tokens: float = 0.0

    def __add__(self, other):  # type: ignore[override]
        return Loss(self.nats + other.nats, self.tokens + other.tokens)

    @property
    def mean(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def bits(self) -> float:
        """Bits per token."""
        return self.mean / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp(nats per token)."""
        return math.exp(self.mean) if self.mean < 700 else math.inf


class Head(Choice, default="softmax"):
    """A distribution over K words given y (N, D), one row per token."""

    tied: bool = False  # whether V is the table of input embeddings

    def specs(self, n_in: int, vocab: Vocabulary) -> Specs:
        """The parameters for inputs of width n_in."""
        raise NotImplementedError

    def workspace(self, p: Any, N: int, empty: Empty) -> Any:
        """Memory for what forward leaves for backward, for N tokens."""
        raise NotImplementedError

    def forward(self, p: Any, y: np.ndarray, targets: np.ndarray, work: Any) -> np.ndarray:
        """y (N, D), targets (N,) -> -log p(target), (N,), in nats."""
        raise NotImplementedError

    def backward(self, p: Any, g: Any, scale: np.ndarray, work: Any, dy: np.ndarray) -> None:
        """The gradient of L = sum_n scale_n (-log p(target_n)): adds that of the parameters into g, writes dL/dy (N, D)."""
        raise NotImplementedError

    def log_probs(self, p: Any, y: np.ndarray) -> np.ndarray:
        """y (N, D) -> log p of every word, (N, K)."""
        raise NotImplementedError


@dataclass
class Work:
    y: np.ndarray | None  # (N, D) the inputs
    targets: np.ndarray | None  # (N,) ids
    e: np.ndarray  # (N, K) exp(o - max o), unnormalised
    Z: np.ndarray  # (N, 1) its sums over the words
    buf: np.ndarray  # (N, D)


@dataclass(frozen=True)
class Softmax(Head, kind="softmax"):
    """o = c + y V^T,  p = softmax(o),  L = -log p[target].  V (K, D) has a row per word, c (K,) is the output bias.

    With `tied`, V is the table of input embeddings (Press & Wolf 2017).
    """

    tied: bool = option(False, "use the input embedding's table as V")
    bias: Literal["unigram", "zeros", "none"] = option("unigram", "start of c: log unigram frequencies, or zeros; none: no c")
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
        return Work(y=None, targets=None, e=empty(N, K), Z=empty(N, 1), buf=empty(N, D))

    def forward(self, p, y, targets, work):
        work.y, work.targets = y, targets
        o = self._logits(p, y, out=work.e)
        nats = self._exp(p, o, targets, work, shifted=False)
        if not np.isfinite(nats).all():  # exp overflowed, or lost a whole row: subtract each row's maximum, as one must
            nats = self._exp(p, self._logits(p, y, out=work.e), targets, work, shifted=True)
        return nats

    def _logits(self, p, y, out=None):
        return np.dot(y, p["V"].T, out=out)

    def _exp(self, p, o, targets, work, shifted):
        """o -> e = exp(o + c) in place and its sums Z; -log p[target]. The plain exp saves two passes over N K numbers."""
        nats, n = np.empty(len(o), o.dtype), np.arange(len(o))

        @np.errstate(over="ignore", divide="ignore", invalid="ignore")  # the caller looks at what comes out
        def rows_of(part):
            for b in blocks(part, o.shape[1]):  # so that each pass finds its numbers in the processor's cache
                e, Z = o[b], work.Z[b]
                if self.bias != "none":
                    e += p["c"]
                if shifted:
                    e -= e.max(axis=1, keepdims=True)
                score = e[n[: len(e)], targets[b]]
                np.exp(e, out=e)
                e.sum(axis=1, keepdims=True, out=Z)
                np.subtract(np.log(Z[:, 0]), score, out=nats[b])

        in_parallel(rows_of, len(o))
        return nats

    def backward(self, p, g, scale, work, dy):
        # do = scale (p - onehot(target)) has N K entries and is never formed: with p = e / Z, the factor scale / Z goes
        # to the narrow side of each product, and the one-hot part touches one row of V per token.
        y, targets, e, buf = work.y, work.targets, work.e, work.buf
        scale = scale[:, None]
        r = scale / work.Z
        np.multiply(y, r, out=buf)
        g["V"] += e.T @ buf
        np.multiply(y, -scale, out=buf)
        scatter_add(g["V"], targets, buf)
        if self.bias != "none":
            g["c"] += r[:, 0] @ e
            g["c"] -= np.bincount(targets, weights=scale[:, 0], minlength=len(p["V"]))
        np.dot(e, p["V"], out=dy)
        dy *= r
        np.take(p["V"], targets, axis=0, out=buf, mode="clip")
        buf *= scale
        dy -= buf

    def log_probs(self, p, y):
        o = self._logits(p, y)
        if self.bias != "none":
            o += p["c"]
        o -= o.max(axis=1, keepdims=True)
        o -= np.log(np.exp(o).sum(axis=1, keepdims=True))
        return o


BLOCK = 1 << 16  # elements of a block: 256 kB in float32, half of a usual second-level cache


def blocks(part: slice, K: int) -> Iterator[slice]:
    """The rows of `part`, in slices of about BLOCK elements of K to a row."""
    step = max(1, BLOCK // K)
    return (slice(i, min(i + step, part.stop)) for i in range(part.start, part.stop, step))


def log_unigram(counts: np.ndarray) -> np.ndarray:
    """log of the add-one unigram frequencies (K,), so that training starts from the unigram model and not from ln K."""
    smoothed = counts + 1.0
    return np.log(smoothed / smoothed.sum())
