"""The head without weights: the outputs of the cell are the scores of the words themselves."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from rnnlm.errors import UsageError
from rnnlm.nn.heads.base import Head
from rnnlm.nn.heads.softmax import normalise
from rnnlm.nn.parallel import blocks


@dataclass(frozen=True)
class Scores(Head, kind="scores"):
    """Softmax without weights, p = softmax(y): for cells whose outputs are the scores of words, such as `jordan`."""

    def specs(self, n_in, vocab):
        if n_in != len(vocab):
            raise UsageError(
                f"model.head: scores needs from the cell one output for each of {len(vocab)} words, found {n_in}",
                f"set model.cell.outputs to {len(vocab)}",
            )
        return {}

    def workspace(self, p, N, empty):
        return SimpleNamespace()  # for y (N, K) and targets (N,)

    def forward(self, p, y, targets, work):
        work.y, work.targets = y, targets
        nats = np.empty(len(y), y.dtype)
        for part in blocks(slice(0, len(y)), y.shape[1]):
            log_p, n = self.log_probs(p, y[part]), np.arange(part.stop - part.start)
            np.negative(log_p[n, targets[part]], out=nats[part])
        return nats

    def backward(self, p, g, scale, work, dy):
        """Write dL/dy = scale (p - onehot(target)), with p computed anew in the memory of dy."""
        np.subtract(work.y, work.y.max(axis=1, keepdims=True), out=dy)
        np.exp(dy, out=dy)
        dy *= (scale / dy.sum(axis=1))[:, None]
        dy[np.arange(len(dy)), work.targets] -= scale

    def log_probs(self, p, y):
        log_p = y.copy()
        normalise(log_p)
        return log_p
