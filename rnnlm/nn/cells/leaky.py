"""Leaky units: each remembers over a time scale of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.initializers import Glorot, Init, Orthogonal, Zeros
from rnnlm.nn.ops import ACTIVATIONS, product, project, project_backward, rows, through_time
from rnnlm.nn.params import Spec


@dataclass
class Work:
    x: np.ndarray | None  # (T, B) ids or (T, B, D) vectors
    h: np.ndarray  # (T+1, B, H): h[0] is the past, h[1:] are the outputs
    fa: np.ndarray  # (T, B, H): f(a_t)
    da: np.ndarray  # (T, B, H)
    dh: np.ndarray  # (B, H)
    buf: np.ndarray  # (B, H)
    dW: np.ndarray  # (H, H)


@dataclass(frozen=True)
class Leaky(Cell, kind="leaky"):
    """h_t = (1 - alpha) h_{t-1} + alpha f(a_t),  a_t = b + W h_{t-1} + U x_t  (Jaeger et al. 2007).

    A unit forgets within about 1 / alpha steps. alpha is one number; or spread over the units on a logarithmic scale,
    alpha_i = alpha^(i/H) for i = 1 ... H, so that fast and slow units work side by side (El Hihi & Bengio 1996); or
    learned, alpha_i = sigmoid(s_i), from either start.
    """

    size: int = option(100, "hidden units H", low=1)
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

    @property
    def n_out(self):
        return self.size

    def specs(self, n_in):
        H = self.size
        specs = {"U": Spec((n_in, H), self.init_U), "W": Spec((H, H), self.init_W), "b": Spec((H,), Zeros())}
        return specs | {"s": Spec((H,), self._start_s)} if self.learned else specs

    def _start_alpha(self):
        """alpha of each unit, (H,), or what learning starts from."""
        return self.alpha ** (np.arange(1, self.size + 1) / self.size if self.spread else np.ones(self.size))

    def _start_s(self, shape, rng):
        alpha = self._start_alpha()
        return np.log(alpha / (1 - alpha))

    def _alpha(self, p):
        """alpha of each unit, (H,)."""
        return 1 / (1 + np.exp(-p["s"])) if self.learned else self._start_alpha().astype(p["W"].dtype)

    def initial_state(self, p, B):
        return (np.zeros((B, self.size), p["W"].dtype),)

    def workspace(self, p, T, B, empty):
        H = self.size
        return Work(
            x=None, h=empty(T + 1, B, H), fa=empty(T, B, H), da=empty(T, B, H), dh=empty(B, H), buf=empty(B, H),
            dW=empty(H, H),
        )  # fmt: skip

    def forward(self, p, x, state, work, rng=None):
        f, h, fa, buf, W, alpha = ACTIVATIONS[self.activation], work.h, work.fa, work.buf, p["W"], self._alpha(p)
        work.x, h[0] = x, state[0]
        project(x, p["U"], out=fa)
        fa += p["b"]

        def steps(B):  # the sequences B, as in the vanilla cell
            for t in range(len(fa)):
                np.dot(h[t, B], W, out=buf[B])
                fa[t, B] += buf[B]
                f.apply(fa[t, B], out=fa[t, B])
                np.subtract(fa[t, B], h[t, B], out=h[t + 1, B])
                h[t + 1, B] *= alpha
                h[t + 1, B] += h[t, B]

        through_time(steps, len(buf), W)
        return h[1:], (h[-1].copy(),)

    def backward(self, p, g, dy, dstate, work, dx=None):
        f, h, fa, da, dh, buf = ACTIVATIONS[self.activation], work.h, work.fa, work.da, work.dh, work.buf
        W, alpha = p["W"], self._alpha(p)
        f.slope(fa, out=da)
        da *= alpha
        dh[...] = 0 if dstate is None else dstate[0]

        def steps(B):
            for t in reversed(range(len(da))):
                dy[t, B] += dh[B]  # dL/dh_t, in place
                da[t, B] *= dy[t, B]
                np.dot(da[t, B], W.T, out=buf[B])
                np.multiply(dy[t, B], 1 - alpha, out=dh[B])
                dh[B] += buf[B]

        through_time(steps, len(buf), W)
        if self.learned:
            fa -= h[:-1]  # dh_t/dalpha
            fa *= dy
            g["s"] += alpha * (1 - alpha) * rows(fa).sum(axis=0)
        product(rows(h[:-1]).T, rows(da), out=work.dW)
        g["W"] += work.dW
        g["b"] += rows(da).sum(axis=0)
        project_backward(work.x, da, p["U"], g["U"], dx)
        return (dh.copy(),)
