"""The loop of the textbooks and tutorials: one sentence and one word at a time, outer products summed up as they come.

The same network and the same gradient as `Vanilla(bias=False, truncate=k)` with a softmax without bias, in the simplest
NumPy; weights are stored (outputs, inputs), as the equations are written on paper.
"""

from __future__ import annotations

import numpy as np

from tests.bench.inputs import sentences, zipf_ids
from tests.bench.race import Work

BOS = 0


class Textbook(Work):
    """A step of SGD after each sentence of a text of about N tokens."""

    def __init__(self, K: int, H: int, truncate: int, N: int, dtype: str, lr: float = 0.005):
        rng = np.random.default_rng(1)
        self.U = rng.uniform(-(K**-0.5), K**-0.5, (H, K)).astype(dtype)
        self.W, self.V = (rng.uniform(-(H**-0.5), H**-0.5, size).astype(dtype) for size in ((H, H), (K, H)))
        self.truncate, self.lr = truncate, lr
        self.sentences = sentences(zipf_ids(K, N))

    def __call__(self):
        for ids in self.sentences:
            self.step([BOS, *ids[:-1]], ids)
        return sum(map(len, self.sentences))

    def step(self, x, y):
        """x, y: the words of a sentence, and the word after each."""
        U, W, V = self.U, self.W, self.V
        h, p = [np.zeros(len(W), W.dtype)], []  # h[t + 1] and p[t] belong to word t
        for word in x:
            h.append(np.tanh(U[:, word] + W @ h[-1]))
            o = V @ h[-1]
            e = np.exp(o - o.max())
            p.append(e / e.sum())
        dU, dW, dV = np.zeros_like(U), np.zeros_like(W), np.zeros_like(V)
        for t in reversed(range(len(x))):
            do = p[t]
            do[y[t]] -= 1
            dV += np.outer(do, h[t + 1])
            da = (V.T @ do) * (1 - h[t + 1] ** 2)
            for s in range(t, max(t - self.truncate, 0) - 1, -1):
                dW += np.outer(da, h[s])
                dU[:, x[s]] += da
                da = (W.T @ da) * (1 - h[s] ** 2)
        U -= self.lr * dU
        W -= self.lr * dW
        V -= self.lr * dV
