"""The echo state network: a recurrence that is drawn once and never trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnlm.config import option
from rnnlm.errors import UsageError
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.initializers import Uniform
from rnnlm.nn.ops import product, project, rows, through_time
from rnnlm.nn.params import Spec


@dataclass
class Work:
    h: np.ndarray  # (T+1, B, H): h[0] is the past, h[1:] are the outputs
    fa: np.ndarray  # (T, B, H): tanh(a_t)
    da: np.ndarray  # (T, B, H)
    dh: np.ndarray  # (B, H)
    buf: np.ndarray  # (B, H)


@dataclass(frozen=True)
class Reservoir(Cell, kind="reservoir"):
    """h_t = (1 - leak) h_{t-1} + leak tanh(b + W h_{t-1} + U x_t), with fixed random W, U and b  (Jaeger 2001).

    A share `density` of W's weights are not zero, and its largest absolute eigenvalue is `spectral_radius`: below 1,
    the echo of an input dies away, slowly if near it. All three are frozen parameters: kept with the model, but not in
    the optimizer's vector. Gradients pass through to the inputs, so that an embedding below can learn.
    """

    size: int = option(100, "hidden units H", low=1)
    density: float = option(0.1, "share of W that is not zero", above=0, high=1)
    spectral_radius: float = option(0.9, "largest absolute eigenvalue of W", low=0)
    input_scale: float = option(1.0, "largest absolute value in U and b", above=0)
    leak: float = option(1.0, "share of h that is new at each step", above=0, high=1)

    @property
    def n_out(self):
        return self.size

    def specs(self, n_in):
        H, uniform = self.size, Uniform(self.input_scale)
        return {
            "U": Spec((n_in, H), uniform, trainable=False),
            "W": Spec((H, H), self._start_W, trainable=False),
            "b": Spec((H,), uniform, trainable=False),
        }

    def _start_W(self, shape, rng):
        W = np.where(rng.random(shape) < self.density, rng.uniform(-1, 1, shape), 0)
        radius = np.abs(np.linalg.eigvals(W)).max()
        if not radius:  # no unit feeds back to itself on any path
            raise UsageError(
                f"reservoir: with {self.size} units at density {self.density:g}, W has no cycle that could remember",
                "raise model.cell.density or model.cell.size",
            )
        return W * (self.spectral_radius / radius)

    def initial_state(self, p, B):
        return (np.zeros((B, self.size), p["W"].dtype),)

    def workspace(self, p, T, B, empty):
        H = self.size
        return Work(h=empty(T + 1, B, H), fa=empty(T, B, H), da=empty(T, B, H), dh=empty(B, H), buf=empty(B, H))

    def forward(self, p, x, state, work, rng=None):
        h, fa, buf, W = work.h, work.fa, work.buf, p["W"]
        h[0] = state[0]
        project(x, p["U"], out=fa)
        fa += p["b"]

        def steps(B):  # the sequences B, as in the vanilla cell
            for t in range(len(fa)):
                np.dot(h[t, B], W, out=buf[B])
                fa[t, B] += buf[B]
                np.tanh(fa[t, B], out=fa[t, B])
                np.subtract(fa[t, B], h[t, B], out=h[t + 1, B])
                h[t + 1, B] *= self.leak
                h[t + 1, B] += h[t, B]

        through_time(steps, len(buf), W)
        return h[1:], (h[-1].copy(),)

    def backward(self, p, g, dy, dstate, work, dx=None):
        fa, da, dh, buf, W = work.fa, work.da, work.dh, work.buf, p["W"]
        np.multiply(fa, fa, out=da)
        np.subtract(1, da, out=da)
        da *= self.leak
        dh[...] = 0 if dstate is None else dstate[0]

        def steps(B):
            for t in reversed(range(len(da))):
                dh[B] += dy[t, B]
                da[t, B] *= dh[B]
                np.dot(da[t, B], W.T, out=buf[B])
                dh[B] *= 1 - self.leak
                dh[B] += buf[B]

        through_time(steps, len(buf), W)
        if dx is not None:  # the only gradient that is wanted: g stays as it is
            product(rows(da), p["U"].T, out=rows(dx))
        return (dh.copy(),)
