"""The Jordan network: what is put out comes back in, and nothing else is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell, beyond, ends, ends_add
from rnnlm.nn.initializers import Glorot, Init, Zeros
from rnnlm.nn.ops import ACTIVATIONS, add_product, product, project, project_backward, rows, through_time
from rnnlm.nn.params import Spec


@dataclass
class Work:
    x: np.ndarray | None  # (T, B) ids or (T, B, D) vectors
    y: np.ndarray | None  # (T+1, B, K): y[0] is the past, y[1:] are the distributions put out; forced: not needed
    h: np.ndarray  # (T, B, H)
    o: np.ndarray  # (T, B, K) the outputs
    da: np.ndarray  # (T, B, H)
    dh: np.ndarray  # (B, H)
    buf: np.ndarray  # forced: (T, B, H); otherwise (B, H)
    back: np.ndarray  # (B, K)


@dataclass(frozen=True)
class Jordan(Cell, kind="jordan"):
    """h_t = f(b + W y_{t-1} + U x_t),  o_t = c + V h_t,  y_t = softmax(o_t)  (Jordan 1986).

    The outputs are the scores o_t, K = `outputs` wide, and the head `scores` makes of them the distribution y_t: so
    what comes back at the next step is the model's own output distribution, which is all that it remembers. Each step
    has the cost of a softmax over K. (Below another head or cell, y_t is a distribution over K inner symbols.)

    With teacher forcing, the true previous output comes back instead, and no step waits for another: all are computed
    in parallel, without a loop over time and without a state. In a language model, the true previous output is the
    input: x_t, one-hot or embedded, goes through W and through U. Then nothing older than x_t can have any effect: it
    is a bigram model, and cannot represent even that the same word two steps ago matters.
    """

    outputs: int = option(doc="width K of the outputs; in a language model the size of the vocabulary", low=1)
    size: int = option(100, "hidden units H", low=1)
    teacher_forcing: bool = option(False, "feed back the true previous output (the input) instead of y")
    activation: Literal["tanh", "relu", "sigmoid", "identity"] = option("tanh", "f, elementwise")
    init_W: Init = option(Glorot(), "start of W")
    init_U: Init = option(Glorot(), "start of U")
    init_V: Init = option(Glorot(), "start of V")

    @property
    def n_out(self):
        return self.outputs

    def specs(self, n_in):
        H, K = self.size, self.outputs
        return {
            "U": Spec((n_in, H), self.init_U),
            "W": Spec((n_in if self.teacher_forcing else K, H), self.init_W),
            "b": Spec((H,), Zeros()),
            "V": Spec((K, H), self.init_V),
            "c": Spec((K,), Zeros()),
        }

    def initial_state(self, p, B):
        return () if self.teacher_forcing else (np.zeros((B, self.outputs), p["W"].dtype),)

    def workspace(self, p, T, B, empty):
        H, K, forced = self.size, self.outputs, self.teacher_forcing
        return Work(
            x=None, y=None if forced else empty(T + 1, B, K), h=empty(T, B, H), o=empty(T, B, K), da=empty(T, B, H),
            dh=empty(B, H), buf=empty(T, B, H) if forced else empty(B, H), back=empty(B, K),
        )  # fmt: skip

    def forward(self, p, x, state, work, rng=None):
        f, h, o, y, buf = ACTIVATIONS[self.activation], work.h, work.o, work.y, work.buf
        W, V, c, work.x = p["W"], p["V"], p["c"], x
        project(x, p["U"], out=h)
        h += p["b"]
        if self.teacher_forcing:
            project(x, W, out=buf)
            h += buf
            f.apply(h, out=h)
            product(rows(h), V.T, out=rows(o))
            o += c
            return o, ()
        y[0] = state[0]

        def steps(B):  # the sequences B, as in the vanilla cell
            for t in range(len(h)):
                np.dot(y[t, B], W, out=buf[B])
                h[t, B] += buf[B]
                f.apply(h[t, B], out=h[t, B])
                np.dot(h[t, B], V.T, out=o[t, B])
                o[t, B] += c
                np.subtract(o[t, B], o[t, B].max(axis=-1, keepdims=True), out=y[t + 1, B])
                np.exp(y[t + 1, B], out=y[t + 1, B])
                y[t + 1, B] /= y[t + 1, B].sum(axis=-1, keepdims=True)

        through_time(steps, len(buf), W)
        return o, (y[-1].copy(),)

    def backward(self, p, g, dy, dstate, work, dx=None):
        f, h, y, da, dh, back = ACTIVATIONS[self.activation], work.h, work.y, work.da, work.dh, work.back
        W, V, do = p["W"], p["V"], dy
        if self.teacher_forcing:
            product(rows(do), V, out=rows(da))
            f.slope(h, out=work.buf)
            da *= work.buf
            project_backward(work.x, da, W, g["W"], None)
        else:
            f.slope(h, out=da)
            back[...] = 0 if dstate is None else dstate[0]

            def steps(B):
                for t in reversed(range(len(h))):
                    do[t, B] += _softmax_backward(y[t + 1, B], back[B])  # from above and from t+1
                    np.dot(do[t, B], V, out=dh[B])
                    da[t, B] *= dh[B]
                    np.dot(da[t, B], W.T, out=back[B])

            through_time(steps, len(back), W)
            add_product(rows(y[:-1]).T, rows(da), out=g["W"])
        add_product(rows(do).T, rows(h), out=g["V"])
        g["c"] += rows(do).sum(axis=0)
        g["b"] += rows(da).sum(axis=0)
        project_backward(work.x, da, p["U"], g["U"], dx)
        if self.teacher_forcing and dx is not None:
            dx += da @ W.T
        return () if self.teacher_forcing else (back.copy(),)

    def forward_padded(self, p, x, state, work, lengths, rng=None):
        o, last = self.forward(p, x, state, work, rng)
        return o, last if lengths is None or self.teacher_forcing else (ends(work.y[1:], lengths),)

    def backward_padded(self, p, g, dy, dstate, work, lengths, dx=None):
        if lengths is not None:
            dy[beyond(lengths, len(dy))] = 0
            if dstate:
                ends_add(dy, lengths, _softmax_backward(ends(work.y[1:], lengths), dstate[0]))
                dstate = None
        return self.backward(p, g, dy, dstate, work, dx)


def _softmax_backward(y, dy):
    """The gradient by o, of y = softmax(o). y, dy (B, K)."""
    return y * (dy - (y * dy).sum(axis=-1, keepdims=True))
