"""Output layer: from hidden vectors to the probabilities of words or labels. Part of every model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnlm.nn.cells.base import Empty
from rnnlm.nn.dropout import Dropout
from rnnlm.nn.heads import Head
from rnnlm.nn.initializers import Glorot, Init
from rnnlm.nn.ops import project, project_backward, rows
from rnnlm.nn.params import Spec, Specs, Views
from rnnlm.text.vocab import Vocabulary


@dataclass
class Work:
    head: Any
    dropout: Dropout
    memory: Any  # (..., B, D') for y, unless y is h itself
    dy: np.ndarray  # (..., B, D')
    dh: Any  # (..., B, H); None: there is no P
    h: Any = None  # (..., B, H)
    y: Any = None  # (..., B, D') inputs of the head
    ready: Any = None  # called by backward, when the gradient of this layer's own parameters is complete


@dataclass(frozen=True)
class Output:
    """Output layer: y = m * (P h),  p = head(y).

    h (..., B, H) can be one vector per step, (T, B, H), or one per sequence, (B, H).
    The projection P (H, D) fits h to a table of words of another width; without it, y = m * h. m is the dropout mask.
    """

    head: Head
    n_in: int  # H
    projection: int | None = None  # D; None: no P
    dropout: float = 0.0
    init_P: Init = Glorot()

    def specs(self, vocab: Vocabulary) -> Specs:
        """Parameters: "P", where there is one, and those of the "head"."""
        if self.projection is None:
            return {"head": self.head.specs(self.n_in, vocab)}
        return {"P": Spec((self.n_in, self.projection), self.init_P), "head": self.head.specs(self.projection, vocab)}

    def workspace(self, p: Any, shape: tuple[int, ...], empty: Empty) -> Work:
        """Memory for h of shape (*shape, H), where shape is (T, B) or (B,)."""
        projected, N = self.projection is not None, int(np.prod(shape))
        D = self.projection or self.n_in
        return Work(
            self.head.workspace(p["head"], N, empty), Dropout(self.dropout, (shape[-1], D), empty, "targets"),
            memory=empty(*shape, D) if projected or self.dropout else None,
            dy=empty(*shape, D), dh=empty(*shape, self.n_in) if projected else None,
        )  # fmt: skip

    def forward(self, p: Any, h: np.ndarray, targets: np.ndarray, work: Work, rng: np.random.Generator | None = None):
        """Return -log p of the targets, in nats and in their shape."""
        y = self.inputs(p, h, work, rng)
        return self.head.forward(p["head"], rows(y), targets.ravel(), work.head).reshape(targets.shape)

    def log_probs(self, p: Any, h: np.ndarray, work: Work) -> np.ndarray:
        """Return log p of all K words, (..., B, K)."""
        y = self.inputs(p, h, work, None)
        return self.head.log_probs(p["head"], rows(y)).reshape(*h.shape[:-1], -1)

    def inputs(self, p: Any, h: np.ndarray, work: Work, rng: np.random.Generator | None) -> np.ndarray:
        """Return the inputs y of the head."""
        work.h = work.y = h
        if self.projection is not None:
            project(h, p["P"], out=work.memory)
            work.y = work.memory
        work.y = work.dropout.forward(work.y, rng, out=work.memory)
        return work.y

    def backward(self, p: Any, g: Any, scale: np.ndarray, work: Work) -> np.ndarray:
        """Return dL/dh for L = sum scale * nats, and add the gradient of the parameters to g."""
        self.head.backward(p["head"], g["head"], scale.ravel(), work.head, rows(work.dy))
        work.dropout.backward(work.dy)
        if self.projection is not None:
            project_backward(work.h, work.dy, p["P"], g["P"], work.dh)
        if work.ready is not None:
            work.ready()
        return work.dy if self.projection is None else work.dh


def tied(p: Any) -> Views:
    """Parameters with the embedding E known to the head as V: both uses add their gradients to the one array."""
    return Views({**p, "head": Views({**p["head"], "V": p["E"]})})
