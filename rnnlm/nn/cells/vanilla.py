"""The vanilla (Elman) recurrent network: forward through time, and backpropagation through time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.initializers import Glorot, Init, Orthogonal, Zeros
from rnnlm.nn.ops import ACTIVATIONS, dropout_mask, product, project, project_backward, rows, through_time
from rnnlm.nn.params import Spec


@dataclass
class Work:
    """What forward leaves for backward, in one place for windows of T steps."""

    x: np.ndarray | None  # (T, B) ids or (T, B, D) vectors
    h: np.ndarray  # (T+1, B, H): h[0] is the past, h[1:] are the outputs, h[:-1] their predecessors
    da: np.ndarray  # (T, B, H)
    dh: np.ndarray  # (B, H)
    buf: np.ndarray  # (B, H)
    dW: np.ndarray  # (H, H)
    delta: np.ndarray | None  # (2, T, B, H): truncated BPTT, the errors i and i+1 steps back
    mask: np.ndarray | None  # (H, H): DropConnect's mask of this window
    W: np.ndarray | None  # (H, H): W as this window used it


@dataclass(frozen=True)
class Vanilla(Cell, kind="vanilla"):
    """a_t = b + W h_{t-1} + U x_t,  h_t = f(a_t)  (Elman 1990).

    W (H, H) carries the past, U (D, H) the input, b (H,). Trained by backpropagation through the whole window;
    `truncate` follows each output's error back at most k steps (Williams & Peng 1990). DropConnect thins W with one
    mask per window (Wan et al. 2013; Merity et al. 2018).
    """

    size: int = option(100, "hidden units H", low=1)
    activation: Literal["tanh", "relu", "sigmoid", "identity"] = option("tanh", "f, elementwise")
    bias: bool = option(True, "whether a_t has the bias b")
    init_W: Init = option(Orthogonal(), "start of W (with relu and identity: the IRNN)")
    init_U: Init = option(Glorot(), "start of U")
    truncate: int | None = option(
        None, "follow each error back at most this many steps (null: the whole window)", low=0
    )
    dropconnect: float = option(0.0, "share of W's weights dropped in each window", low=0, below=1)

    @property
    def n_out(self):
        return self.size

    def specs(self, n_in):
        H = self.size
        specs = {"U": Spec((n_in, H), self.init_U), "W": Spec((H, H), self.init_W)}
        return specs | {"b": Spec((H,), Zeros())} if self.bias else specs

    def initial_state(self, p, B):
        return (np.zeros((B, self.size), p["W"].dtype),)

    def workspace(self, p, T, B, empty):
        H = self.size
        return Work(
            x=None, h=empty(T + 1, B, H), da=empty(T, B, H), dh=empty(B, H), buf=empty(B, H), dW=empty(H, H),
            delta=None if self.truncate is None else empty(2, T, B, H),
            mask=empty(H, H) if self.dropconnect else None, W=empty(H, H) if self.dropconnect else None,
        )  # fmt: skip

    def forward(self, p, x, state, work, rng=None):
        f, h, buf = ACTIVATIONS[self.activation], work.h, work.buf
        work.x, h[0] = x, state[0]
        W = self._thin(p["W"], work, rng)
        project(x, p["U"], out=h[1:])  # U x_t for every t: one gather (ids), or one matrix product (vectors)
        if self.bias:
            h[1:] += p["b"]

        def steps(B):  # the sequences B, which know nothing of each other: each thread takes its own
            for t in range(1, len(h)):  # only W h_{t-1} has to wait for the past
                np.dot(h[t - 1, B], W, out=buf[B])
                h[t, B] += buf[B]
                f.apply(h[t, B], out=h[t, B])

        through_time(steps, len(buf), W)
        return h[1:], (h[-1].copy(),)

    def backward(self, p, g, dy, dstate, work, dx=None):
        f, h, da, dh, buf = ACTIVATIONS[self.activation], work.h, work.da, work.dh, work.buf
        W = p["W"] if work.W is None else work.W
        f.slope(h[1:], out=da)  # f'(a_t), from the output, for every t
        if self.truncate is None:
            dh[...] = 0 if dstate is None else dstate[0]

            def steps(B):
                for t in reversed(range(len(da))):
                    np.add(dy[t, B], dh[B], out=buf[B])  # dL/dh_t: from above and from t+1
                    da[t, B] *= buf[B]
                    np.dot(da[t, B], W.T, out=dh[B])

            through_time(steps, len(buf), W)
        else:
            self._truncated(W, dy, dstate, work)
        product(rows(h[:-1]).T, rows(da), out=work.dW)  # the sum over t as one product
        if work.mask is not None:
            work.dW *= work.mask
        g["W"] += work.dW
        if self.bias:
            g["b"] += rows(da).sum(axis=0)
        project_backward(work.x, da, p["U"], g["U"], dx)
        return (dh.copy(),)

    def _truncated(self, W, dy, dstate, work):
        """da_t = sum_{i=0..k} delta^i_t, with delta^0_t = f'(a_t) dy_t and delta^i_t = f'(a_t) W^T delta^{i-1}_{t+1}.

        delta^i_t is the error of output t+i, i steps back. One product moves the errors of all outputs one step back,
        so k products do what the textbooks' loop over outputs does in T k small ones.
        """
        da, (delta, back) = work.da, work.delta
        slope = da.copy()
        if dstate is not None:
            dy[-1] += dstate[0]
        np.multiply(slope, dy, out=delta)
        da[...], work.dh[...] = delta, 0
        for _ in range(self.truncate):
            product(rows(delta), W.T, out=rows(back))
            work.dh += back[0]  # reaches the state before the window
            np.multiply(back[1:], slope[:-1], out=delta[:-1])
            delta[-1] = 0
            da += delta

    def _thin(self, W, work, rng):
        """W, or with DropConnect in training W times a mask that stays for the window."""
        if work.mask is None:
            return W
        dropout_mask(self.dropconnect, rng, out=work.mask)
        return np.multiply(W, work.mask, out=work.W)
