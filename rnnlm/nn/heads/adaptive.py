"""The adaptive softmax: frequent words at once, rare words in clusters that are computed only when needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from rnnlm.config import option
from rnnlm.errors import UsageError
from rnnlm.nn.heads.base import Head, log_unigram
from rnnlm.nn.heads.softmax import CrossEntropy, log_softmax
from rnnlm.nn.initializers import Glorot, Init, Zeros
from rnnlm.nn.params import Spec
from rnnlm.text.vocab import SPECIALS


@dataclass(frozen=True)
class Adaptive(Head, kind="adaptive"):
    """Adaptive softmax (Grave et al. 2017): p_0(w) for the k most frequent words, p_0(cluster i) p_i(w) for others.

    p_0 = softmax(c_0 + V_0 y) over k words and C clusters; p_i = softmax(c_i + V_i P_i y) over the words of cluster i.
    Exact probabilities at the cost of the words that are needed: most tokens open no cluster. Ids
    must be in the order of frequency, as in every vocabulary of rnnlm. P_i narrows to D / narrow^i; with `tied`
    the rows of all V_i are those of the input embedding, and nothing is narrowed.
    """

    cutoffs: list[int] = option(doc="first word of each cluster of rare words, such as [2000, 10000]")
    narrow: float = option(4.0, "each cluster's vectors are this much narrower than the one's before", low=1)
    tied: bool = option(False, "use the input embedding's rows as V")
    bias: Literal["unigram", "zeros", "none"] = option(
        "unigram", "start of c: log unigram frequencies, or zeros; none: no c"
    )
    init_V: Init = option(Glorot(), "start of V, when not tied, and of the projections P and the clusters' rows")

    def __post_init__(self):
        if not self.cutoffs or self.cutoffs != sorted(set(self.cutoffs)) or self.cutoffs[0] < 1:
            raise ValueError(f"cutoffs: expected rising word numbers, found {self.cutoffs}")

    def specs(self, n_in, vocab):
        K, k, C = len(vocab), self.cutoffs[0], len(self.cutoffs)
        if self.cutoffs[-1] >= K:
            raise UsageError(
                f"model.head.cutoffs: the last is {self.cutoffs[-1]}, but the vocabulary has {K} words",
                "give smaller cutoffs, or use head: softmax",
            )
        specs: Any = {"clusters": Spec((C, n_in), self.init_V)}
        if self.bias != "none":
            unigram = np.exp(log_unigram(vocab.counts))
            shares = np.array([unigram[part].sum() for part in self._parts(K)])
            zeros = self.bias == "zeros"
            specs["c"] = Spec((K,), Zeros() if zeros else lambda shape, rng: np.log(unigram))
            specs["c_clusters"] = Spec((C,), Zeros() if zeros else lambda shape, rng: np.log(shares))
        if not self.tied:
            specs["V"] = Spec((k, n_in), self.init_V)
            for i, part in enumerate(self._parts(K), 1):
                d = max(1, round(n_in / self.narrow**i))
                specs[f"tail{i}"] = {
                    "P": Spec((n_in, d), self.init_V),
                    "V": Spec((part.stop - part.start, d), self.init_V),
                }
        return specs

    def warning(self, vocab):
        """Words that are not in the order of frequency, so that many tokens open a cluster."""
        first, total = max(self.cutoffs[0], len(SPECIALS)), max(int(vocab.counts.sum()), 1)
        rare = vocab.counts[first:].sum() / total
        least = np.sort(vocab.counts[len(SPECIALS) :])[: len(vocab) - first].sum() / total
        if rare <= least + 0.05:
            return ""
        return (
            "the vocabulary is not in the order of frequency, which makes the adaptive softmax slow: "
            f"{rare:.0%} of the tokens fall into clusters of rare words, {least:.0%} would if it were sorted by count"
        )

    def _parts(self, K: int) -> list[slice]:
        """Slices of the ids: the words of each cluster."""
        return [slice(a, b) for a, b in zip(self.cutoffs, [*self.cutoffs[1:], K])]

    def _size(self, p: Any) -> int:
        """Number K of words, from the parameters."""
        return len(p["V"]) + (0 if self.tied else sum(len(p[f"tail{i}"]["V"]) for i in range(1, len(self.cutoffs) + 1)))

    def _tails(self, p: Any) -> Iterator[tuple[slice, np.ndarray | None, np.ndarray, np.ndarray | None]]:
        """Yield for each cluster its words, P (D, d) or None, V (words, d), c (words,) or None."""
        for i, part in enumerate(self._parts(self._size(p)), 1):
            P, V = (None, p["V"][part]) if self.tied else (p[f"tail{i}"]["P"], p[f"tail{i}"]["V"])
            yield part, P, V, p["c"][part] if "c" in p else None

    def _head(self, p: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Return copies of V_0 (k + C, D) and c_0 (k + C,)."""
        k = self.cutoffs[0]
        c = np.concatenate([p["c"][:k], p["c_clusters"]]) if "c" in p else None
        return np.concatenate([p["V"][:k], p["clusters"]]), c

    def workspace(self, p, N, empty):
        D, n0 = p["clusters"].shape[1], self.cutoffs[0] + len(self.cutoffs)
        tails = []  # for each cluster, memory for up to N tokens
        for _, _, V, _ in self._tails(p):
            K, d = V.shape
            memory = CrossEntropy.workspace(N, K, d, empty)
            tails.append(SimpleNamespace(memory=memory, z=empty(N, d), dz=empty(N, d), dy=empty(N, D)))
        head = CrossEntropy.workspace(N, n0, D, empty)
        return SimpleNamespace(V0=empty(n0, D), dV0=empty(n0, D), head=head, tails=tails)

    def forward(self, p, y, targets, work):
        k = self.cutoffs[0]
        V0, c0 = self._head(p)
        work.V0[...] = V0
        opens = np.searchsorted(self.cutoffs, targets, side="right")  # 0: a frequent word; i: cluster i
        nats = work.head.forward(y, work.V0, c0, np.where(opens > 0, k - 1 + opens, targets))
        for i, ((part, P, V, c), tail) in enumerate(zip(self._tails(p), work.tails), 1):
            tail.rows = np.flatnonzero(opens == i)  # (n,) the tokens that open it
            n, memory = len(tail.rows), tail.memory
            tail.opened, tail.y = CrossEntropy(memory.e[:n], memory.Z[:n], memory.buf[:n]), y[tail.rows]
            z = tail.y if P is None else np.dot(tail.y, P, out=tail.z[:n])
            nats[tail.rows] += tail.opened.forward(z, V, c, targets[tail.rows] - part.start)
        return nats

    def backward(self, p, g, scale, work, dy):
        k = self.cutoffs[0]
        work.dV0[...] = 0
        dc0 = np.zeros(len(work.V0), dy.dtype) if "c" in p else None
        work.head.backward(work.V0, work.dV0, dc0, scale, dy)
        g["V"][:k] += work.dV0[:k]
        g["clusters"] += work.dV0[k:]
        if dc0 is not None:
            g["c"][:k] += dc0[:k]
            g["c_clusters"] += dc0[k:]
        for (_, P, V, _), (_, dP, dV, dc), tail in zip(self._tails(p), self._tails(g), work.tails):
            n = len(tail.rows)
            dz = tail.dz[:n]
            tail.opened.backward(V, dV, dc, scale[tail.rows], dz)
            if P is not None:
                dP += tail.y.T @ dz
                dz = np.dot(dz, P.T, out=tail.dy[:n])
            dy[tail.rows] += dz

    def softmaxes(self, work):
        """Return the one over frequent words and clusters, then that of each cluster, of the tokens that open it."""
        return [work.head, *(tail.opened for tail in work.tails)]

    def log_probs(self, p, y):
        k, (V0, c0) = self.cutoffs[0], self._head(p)
        head = log_softmax(y, V0, c0)
        log_p = [head[:, :k]]
        for i, (_, P, V, c) in enumerate(self._tails(p)):
            log_p.append(log_softmax(y if P is None else y @ P, V, c) + head[:, k + i : k + i + 1])
        return np.concatenate(log_p, axis=1)
