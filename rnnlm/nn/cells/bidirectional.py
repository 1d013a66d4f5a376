"""Two cells of a kind, one for each direction of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell


@dataclass
class Work:
    cells: tuple[Any, Any]  # the workspaces of the two directions
    x: np.ndarray | None  # the inputs turned round; made when forward knows whether they are ids or vectors
    dx: np.ndarray | None  # (T, B, D) what the backward direction sends down, in its own order of time
    place: np.ndarray | None  # (T B,) where each row of (T, B, .) stands when the sequences are turned round
    y: np.ndarray  # (T, B, n_out)
    h: np.ndarray  # (T, B, H)
    dh: np.ndarray  # (T, B, H)


@dataclass(frozen=True)
class Bidirectional(Cell, kind="bidirectional"):
    """y_t = [h_t, h'_t], or h_t + h'_t: h runs from the first step to the last, h' from the last to the first.

    The two are cells of one kind with weights of their own (Schuster & Paliwal 1997). Each sequence is turned round
    within its own length. The state is (forwards, backwards): h' starts from its part at the end of the window, and
    what it becomes is h' at the first step, as in PyTorch.
    """

    causal = False

    cell: Cell = option(doc="the cell of each direction")
    merge: Literal["concat", "sum"] = option("concat", "how the two outputs become one")

    @property
    def n_out(self):
        return self.cell.n_out * (2 if self.merge == "concat" else 1)

    def specs(self, n_in):
        return {"forwards": self.cell.specs(n_in), "backwards": self.cell.specs(n_in)}

    def initial_state(self, p, B):
        return self.cell.initial_state(p["forwards"], B), self.cell.initial_state(p["backwards"], B)

    def workspace(self, p, T, B, empty):
        H = self.cell.n_out
        return Work(
            cells=(self.cell.workspace(p["forwards"], T, B, empty), self.cell.workspace(p["backwards"], T, B, empty)),
            x=None, dx=None, place=None, y=empty(T, B, self.n_out), h=empty(T, B, H), dh=empty(T, B, H),
        )  # fmt: skip

    def forward(self, p, x, state, work, rng=None):
        return self.forward_padded(p, x, state, work, None, rng)

    def backward(self, p, g, dy, dstate, work, dx=None):
        return self.backward_padded(p, g, dy, dstate, work, None, dx)

    def forward_padded(self, p, x, state, work, lengths, rng=None):
        H, y, h = self.cell.n_out, work.y, work.h
        work.place = _turned(*x.shape[:2], lengths)
        if work.x is None or (work.x.shape, work.x.dtype) != (x.shape, x.dtype):
            work.x = np.empty_like(x)
        _turn(x, work.place, out=work.x)
        ahead, last = self.cell.forward_padded(p["forwards"], x, state[0], work.cells[0], lengths, rng)
        back, first = self.cell.forward_padded(p["backwards"], work.x, state[1], work.cells[1], lengths, rng)
        _turn(back, work.place, out=h)
        if self.merge == "sum":
            np.add(ahead, h, out=y)
        else:
            y[..., :H], y[..., H:] = ahead, h
        return y, (last, first)

    def backward_padded(self, p, g, dy, dstate, work, lengths, dx=None):
        H, dh = self.cell.n_out, work.dh
        dlast, dfirst = (None, None) if dstate is None else dstate
        if dx is not None and (work.dx is None or work.dx.shape != dx.shape):
            work.dx = np.empty_like(dx)
        below = None if dx is None else work.dx
        work.h[...] = dy if self.merge == "sum" else dy[..., H:]
        _turn(work.h, work.place, out=dh)
        dfirst = self.cell.backward_padded(p["backwards"], g["backwards"], dh, dfirst, work.cells[1], lengths, below)
        work.h[...] = dy if self.merge == "sum" else dy[..., :H]
        dlast = self.cell.backward_padded(p["forwards"], g["forwards"], work.h, dlast, work.cells[0], lengths, dx)
        if dx is not None:
            _turn(below, work.place, out=work.x)
            dx += work.x
        return dlast, dfirst


def _turned(T, B, lengths):
    """(T B,): the row of (T, B, .) that each row changes places with when each sequence is turned round."""
    t = np.arange(T)[:, None]
    lengths = np.full(B, T) if lengths is None else lengths
    return (np.where(t < lengths, lengths - 1 - t, t) * B + np.arange(B)).ravel()


def _turn(x, place, out):
    """Turn the sequences of x (T, B) or (T, B, D) round."""
    np.take(x.reshape(len(place), -1), place, axis=0, out=out.reshape(len(place), -1), mode="clip")
