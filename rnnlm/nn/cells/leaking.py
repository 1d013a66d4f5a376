"""The leaky recurrence, which leaky units and the reservoir have in common."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from rnnlm.nn.cells.base import Cell
from rnnlm.nn.ops import ACTIVATIONS, project
from rnnlm.nn.parallel import through_time


class Leaking(Cell):
    """Leaky recurrence: h_t = (1 - alpha) h_{t-1} + alpha f(a_t),  a_t = b + W h_{t-1} + U x_t.

    A subclass names alpha and f.
    """

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
        f, h, fa, buf, W, alpha = ACTIVATIONS[self.activation], work.h, work.fa, work.buf, p["W"], self.rate(p)
        work.x, h[0] = x, state[0]
        project(x, p["U"], out=fa)
        fa += p["b"]

        def steps(part):  # a part of the B sequences, as in the vanilla cell
            for t in range(len(fa)):
                np.dot(h[t, part], W, out=buf[part])
                fa[t, part] += buf[part]
                f.apply(fa[t, part], out=fa[t, part])
                np.subtract(fa[t, part], h[t, part], out=h[t + 1, part])
                h[t + 1, part] *= alpha
                h[t + 1, part] += h[t, part]

        through_time(steps, len(buf), W)
        return h[1:], (h[-1].copy(),)

    def errors(self, p, dy, dstate, work):
        """Compute da (T, B, H), turn dy into the whole dL/dh_t in place, and return dL/d(first state)."""
        f, fa, da, dh, buf = ACTIVATIONS[self.activation], work.fa, work.da, work.dh, work.buf
        W, alpha = p["W"], self.rate(p)
        f.slope(fa, out=da)
        da *= alpha
        dh[...] = 0 if dstate is None else dstate[0]

        def steps(part):
            for t in reversed(range(len(da))):
                dy[t, part] += dh[part]
                da[t, part] *= dy[t, part]
                np.dot(da[t, part], W.T, out=buf[part])
                np.multiply(dy[t, part], 1 - alpha, out=dh[part])
                dh[part] += buf[part]

        through_time(steps, len(dh), W)
        return (dh.copy(),)
