"""The leaky recurrence, which leaky units, the reservoir and zoneout have in common.

    h_t = (1 - alpha_t) h_{t-1} + alpha_t f(a_t),  a_t = b + W h_{t-1} + U x_t

alpha is a number or an array that broadcasts to (T, B, H), such as (H,). A workspace of h (T+1, B, H), fa and da
(T, B, H), dh and buf (B, H) serves all functions.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from rnnlm.nn.cells.base import Cell
from rnnlm.nn.ops import ACTIVATIONS, project, project_backward, rows
from rnnlm.nn.parallel import add_product, through_time
from rnnlm.nn.state import State


class Leaking(Cell):
    """Cell of which every unit has an alpha of its own: a subclass names alpha and f."""

    activation: Any  # f

    def rate(self, p: Any) -> Any:
        """Return alpha: a number, or (H,), one for each unit."""
        raise NotImplementedError

    def workspace(self, T, B, empty):
        H = self.size
        return SimpleNamespace(
            h=empty(T + 1, B, H),  # h[0] is the state before the window, h[1:] are the outputs
            fa=empty(T, B, H),  # f(a_t)
            da=empty(T, B, H),
            dh=empty(B, H),
            buf=empty(B, H),
        )

    def forward(self, p, x, state, work, rng=None):
        return leaky_forward(self, p, x, state, work, self.rate(p))


def leaky_forward(cell: Any, p: Any, x: np.ndarray, state: State, work: Any, alpha: Any) -> tuple[np.ndarray, State]:
    """Map x and a state to h, and the state after the last step: `Cell.forward` of the recurrence with this alpha."""
    f, h, fa, buf, W = ACTIVATIONS[cell.activation], work.h, work.fa, work.buf, p["W"]
    alpha = np.broadcast_to(np.asarray(alpha, h.dtype), fa.shape)
    work.x, h[0] = x, state[0]
    project(x, p["U"], out=fa)
    if "b" in p:
        fa += p["b"]

    def steps(part):  # a part of the B sequences, as in the vanilla cell
        for t in range(len(fa)):
            np.dot(h[t, part], W, out=buf[part])
            fa[t, part] += buf[part]
            f.apply(fa[t, part], out=fa[t, part])
            np.subtract(fa[t, part], h[t, part], out=h[t + 1, part])
            h[t + 1, part] *= alpha[t, part]
            h[t + 1, part] += h[t, part]

    through_time(steps, len(buf), W)
    return h[1:], (h[-1].copy(),)


def leaky_errors(cell: Any, p: Any, dy: np.ndarray, dstate: State | None, work: Any, alpha: Any) -> State:
    """Compute da (T, B, H), turn dy into the whole dL/dh_t in place, and return dL/d(first state)."""
    f, da, dh, buf, W = ACTIVATIONS[cell.activation], work.da, work.dh, work.buf, p["W"]
    kept = np.broadcast_to(np.asarray(1 - alpha, da.dtype), da.shape)
    f.slope(work.fa, out=da)
    da *= alpha
    dh[...] = 0 if dstate is None else dstate[0]

    def steps(part):
        for t in reversed(range(len(da))):
            dy[t, part] += dh[part]
            da[t, part] *= dy[t, part]
            np.dot(da[t, part], W.T, out=buf[part])
            np.multiply(dy[t, part], kept[t, part], out=dh[part])
            dh[part] += buf[part]

    through_time(steps, len(dh), W)
    return (dh.copy(),)


def leaky_backward(cell: Any, p: Any, g: Any, dy: np.ndarray, dstate: State | None, work: Any, alpha: Any,
                   dx: np.ndarray | None) -> State:  # fmt: skip
    """Compute `leaky_errors`, and add the gradient of W, b and U to g: `Cell.backward` of the recurrence."""
    dfirst = leaky_errors(cell, p, dy, dstate, work, alpha)
    add_product(rows(work.h[:-1]).T, rows(work.da), out=g["W"])
    if "b" in g:
        g["b"] += rows(work.da).sum(axis=0)
    project_backward(work.x, work.da, p["U"], g["U"], dx)
    return dfirst
