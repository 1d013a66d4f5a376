"""Output layer: from hidden vectors to the probabilities of words or labels. Part of every model."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from rnnlm.nn.cells.base import Empty
from rnnlm.nn.dropout import Dropout
from rnnlm.nn.heads import Head
from rnnlm.nn.initializers import Glorot, Init
from rnnlm.nn.ops import project, project_backward, rows
from rnnlm.nn.params import Spec, Specs, Views
from rnnlm.text.vocab import Vocabulary


@dataclass(frozen=True)
class Penalty:
    """Activation regularization of each token: R_t = ar |y_t|^2 / D + tar |h_t - h_{t-1}|^2 / H.

    y (T, B, D) are the inputs of the head, under their dropout mask; h (T, B, H) the outputs of the cell, of which the
    first in a window has no predecessor. Both terms are means over units, so that `ar` and `tar` do not depend on the
    size of the network, and are added to the nats of the token before these are averaged, so that they do not depend
    on the size of the batch (Merity, McCann & Socher 2017, who use 2 and 1). The loss that is reported is without R.
    """

    ar: float = 0.0
    tar: float = 0.0

    @property
    def on(self) -> bool:
        """Whether there is anything to pay for."""
        return bool(self.ar or self.tar)

    def value(self, y: np.ndarray, h: np.ndarray, scale: np.ndarray) -> float:
        """Return sum_t scale_t R_t, with scale (T, B): 0 for padding."""
        size, change = np.square(y).mean(axis=-1), np.square(np.diff(h, axis=0)).mean(axis=-1)
        return float(self.ar * np.sum(scale * size) + self.tar * np.sum(scale[1:] * change))

    def add_dy(self, y: np.ndarray, scale: np.ndarray, dy: np.ndarray) -> None:
        """Add the gradient of the first term to dy (T, B, D)."""
        if self.ar:
            dy += y * (2 * self.ar / y.shape[-1] * scale)[..., None]

    def add_dh(self, h: np.ndarray, scale: np.ndarray, dh: np.ndarray) -> None:
        """Add the gradient of the second term to dh (T, B, H)."""
        if self.tar:
            change = np.diff(h, axis=0)
            change *= (2 * self.tar / h.shape[-1] * scale[1:])[..., None]
            dh[1:] += change
            dh[:-1] -= change


@dataclass(frozen=True)
class Output:
    """Output layer: y = m * (P h + x),  p = head(y).

    h (..., B, H) can be one vector per step, (T, B, H), or one per sequence, (B, H).
    The projection P (H, D) fits h to a table of words of another width; without it, y = m * (h + x). m is the dropout
    mask. x (..., B, D) is there with `skip` alone. `penalty` is on y and h.
    """

    head: Head
    n_in: int  # H
    projection: int | None = None  # D; None: no P
    dropout: float = 0.0
    init_P: Init = Glorot()
    skip: bool = False
    penalty: Penalty = Penalty()

    def specs(self, vocab: Vocabulary) -> Specs:
        """Parameters: "P", where there is one, and those of the "head"."""
        if self.projection is None:
            return {"head": self.head.specs(self.n_in, vocab)}
        return {"P": Spec((self.n_in, self.projection), self.init_P), "head": self.head.specs(self.projection, vocab)}

    def workspace(self, p: Any, shape: tuple[int, ...], empty: Empty) -> Any:
        """Memory for h of shape (*shape, H), where shape is (T, B) or (B,)."""
        projected, N = self.projection is not None or self.skip, int(np.prod(shape))
        D = self.projection or self.n_in
        return SimpleNamespace(
            head=self.head.workspace(p["head"], N, empty),
            dropout=Dropout(self.dropout, (shape[-1], D), empty, "targets"),
            memory=empty(*shape, D) if projected or self.dropout else None,  # for y, unless y is h itself
            dy=empty(*shape, D),  # in the end the gradient of y before its mask
            dh=empty(*shape, self.n_in) if projected else None,  # None: it is dy
            ready=None,  # called by backward, when the gradient of this layer's own parameters is complete
        )

    def forward(self, p: Any, h: np.ndarray, targets: np.ndarray, work: Any, rng: np.random.Generator | None = None,
                x: Any = None):  # fmt: skip
        """Return -log p of the targets, in nats and in their shape."""
        y = self.inputs(p, h, work, rng, x)
        return self.head.forward(p["head"], rows(y), targets.ravel(), work.head).reshape(targets.shape)

    def log_probs(self, p: Any, h: np.ndarray, work: Any, x: Any = None) -> np.ndarray:
        """Return log p of all K words, (..., B, K)."""
        y = self.inputs(p, h, work, None, x)
        return self.head.log_probs(p["head"], rows(y)).reshape(*h.shape[:-1], -1)

    def inputs(self, p: Any, h: np.ndarray, work: Any, rng: np.random.Generator | None, x: Any = None) -> np.ndarray:
        """Return the inputs y of the head."""
        work.h = work.y = h
        work.penalized = rng is not None and self.penalty.on
        if self.projection is not None:
            project(h, p["P"], out=work.memory)
            work.y = work.memory
        if x is not None:
            work.y = np.add(work.y, x, out=work.memory)
        work.y = work.dropout.forward(work.y, rng, out=work.memory)
        return work.y

    def backward(self, p: Any, g: Any, scale: np.ndarray, work: Any) -> np.ndarray:
        """Return dL/dh for L = sum scale * (nats + penalty), and add the gradient of the parameters to g.

        With `skip`, dL/dx is in work.dy.
        """
        dh = work.dy if work.dh is None else work.dh
        self.head.backward(p["head"], g["head"], scale.ravel(), work.head, rows(work.dy))
        if work.penalized:
            self.penalty.add_dy(work.y, scale, work.dy)
        work.dropout.backward(work.dy)
        if self.projection is not None:
            project_backward(work.h, work.dy, p["P"], g["P"], work.dh)
        elif self.skip:
            np.copyto(work.dh, work.dy)
        if work.ready is not None:
            work.ready()
        if work.penalized:
            self.penalty.add_dh(work.h, scale, dh)
        return dh

    def penalties(self, scale: np.ndarray, work: Any) -> float:
        """Return sum scale * penalty for the last forward: 0 in evaluation."""
        return self.penalty.value(work.y, work.h, scale) if work.penalized else 0.0


def tied(p: Any) -> Views:
    """Parameters with the embedding E known to the head as V: both uses add their gradients to the one array."""
    return Views({**p, "head": Views({**p["head"], "V": p["E"]})})
