"""Two cells of a kind, one for each direction of time."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell, Compound
from rnnlm.nn.cells.padding import turned


@dataclass(frozen=True)
class Bidirectional(Compound, kind="bidirectional"):
    """Bidirectional network (Schuster & Paliwal 1997): y_t = [h_t, h'_t], or h_t + h'_t, where h' runs backwards.

    h runs from the first step to the last, h' from the last to the first; they have weights of their own. Each sequence
    is turned round within its own length. The state is (forwards, backwards): h' starts from its part at the end of the
    window, and its state after the window is h' at the first step, as in PyTorch.
    """

    causal = False

    cell: Cell = option(doc="the cell of each direction")
    merge: Literal["concat", "sum"] = option("concat", "how the two outputs become one")

    @property
    def n_out(self):
        return self.cell.n_out * (2 if self.merge == "concat" else 1)

    def specs(self, n_in):
        return {"forwards": self.cell.specs(n_in), "backwards": self.cell.specs(n_in)}

    def initial_state(self, B, dtype):
        return self.cell.initial_state(B, dtype), self.cell.initial_state(B, dtype)

    def workspace_for(self, n_in, T, B, empty):
        H = self.cell.n_out
        return SimpleNamespace(
            cells=[self.cell.workspace_for(n_in, T, B, empty) for _ in range(2)],
            x=None if n_in is None else empty(T, B, n_in),  # turned round; None: made when vectors come
            dx=None if n_in is None else empty(T, B, n_in),  # of the backward direction, in its own order of time
            y=empty(T, B, self.n_out),
            h=empty(T, B, H),
            dh=empty(T, B, H),
        )

    def forward_padded(self, p, x, state, work, lengths, rng=None):
        H, y, h = self.cell.n_out, work.y, work.h
        work.order = turned(lengths, *x.shape[:2]).ravel()  # (T B,) which row takes the place of each
        if x.dtype.kind != "i" and work.x is None:
            work.x, work.dx = np.empty_like(x), np.empty_like(x)
        x_turned = _turn(x, work.order, out=np.empty_like(x) if x.dtype.kind == "i" else work.x)
        ahead, last = self.cell.forward_padded(p["forwards"], x, state[0], work.cells[0], lengths, rng)
        back, first = self.cell.forward_padded(p["backwards"], x_turned, state[1], work.cells[1], lengths, rng)
        _turn(back, work.order, out=h)
        if self.merge == "sum":
            np.add(ahead, h, out=y)
        else:
            y[..., :H], y[..., H:] = ahead, h
        return y, (last, first)

    def backward_padded(self, p, g, dy, dstate, work, lengths, dx=None):
        H, dh = self.cell.n_out, work.dh
        dlast, dfirst = (None, None) if dstate is None else dstate
        below = None if dx is None else work.dx
        work.h[...] = dy if self.merge == "sum" else dy[..., H:]
        _turn(work.h, work.order, out=dh)
        dfirst = self.cell.backward_padded(p["backwards"], g["backwards"], dh, dfirst, work.cells[1], lengths, below)
        work.h[...] = dy if self.merge == "sum" else dy[..., :H]
        dlast = self.cell.backward_padded(p["forwards"], g["forwards"], work.h, dlast, work.cells[0], lengths, dx)
        if dx is not None:
            dx += _turn(below, work.order, out=work.x)
        return dlast, dfirst


def _turn(x, order, out):
    """Turn the sequences of x (T, B) or (T, B, D) round."""
    np.take(x.reshape(len(order), -1), order, axis=0, out=out.reshape(len(order), -1), mode="clip")
    return out
