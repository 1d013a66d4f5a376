"""Leaky units: each remembers over a time scale of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.leaking import Leaking, leaky_backward
from rnnlm.nn.initializers import Glorot, Init, Orthogonal, Zeros
from rnnlm.nn.ops import rows
from rnnlm.nn.params import Spec, Specs


@dataclass(frozen=True)
class Leaky(Leaking, kind="leaky"):
    """Leaky units (Jaeger et al. 2007): h_t = (1 - alpha) h_{t-1} + alpha f(a_t),  a_t = b + W h_{t-1} + U x_t.

    A unit forgets within about 1 / alpha steps. alpha is one number; or spread over the units on a logarithmic scale,
    alpha_i = alpha^(i/H) for i = 1 ... H, so that fast and slow units work side by side (El Hihi & Bengio 1996); or
    learned, alpha_i = sigmoid(s_i), from either start.
    """

    size: int = option(256, "hidden units H", low=1)
    alpha: float = option(
        0.5, "share of h that is new at each step; if spread, that of the slowest unit", above=0, high=1
    )
    spread: bool = option(False, "whether alpha is spread over the units, from nearly 1 down to `alpha`")
    learned: bool = option(False, "whether each unit's alpha is learned, from this start")
    activation: Literal["tanh", "relu", "sigmoid", "identity"] = option("tanh", "f, elementwise")
    init_W: Init = option(Orthogonal(), "start of W")
    init_U: Init = option(Glorot(), "start of U")

    def __post_init__(self):
        if self.learned and self.alpha == 1:
            raise ValueError("alpha: expected a number below 1 to start learning from, found 1")

    def specs(self, n_in):
        H = self.size
        specs: Specs = {"U": Spec((n_in, H), self.init_U), "W": Spec((H, H), self.init_W), "b": Spec((H,), Zeros())}
        return specs | {"s": Spec((H,), self._start_s)} if self.learned else specs

    def _start_alpha(self):
        """Return alpha of each unit, (H,): if it is learned, its start."""
        return self.alpha ** (np.arange(1, self.size + 1) / self.size if self.spread else np.ones(self.size))

    def _start_s(self, shape, rng):
        alpha = self._start_alpha()
        return np.log(alpha / (1 - alpha))

    def rate(self, p):
        return 1 / (1 + np.exp(-p["s"])) if self.learned else self._start_alpha().astype(p["W"].dtype)

    def backward(self, p, g, dy, dstate, work, dx=None):
        alpha = self.rate(p)
        dfirst = leaky_backward(self, p, g, dy, dstate, work, alpha, dx)
        if self.learned:
            work.fa -= work.h[:-1]  # dh_t/dalpha
            work.fa *= dy
            g["s"] += alpha * (1 - alpha) * rows(work.fa).sum(axis=0)
        return dfirst
