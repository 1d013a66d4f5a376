"""The Jordan network: its output at one step is an input of the next, and nothing else is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.cells.padding import beyond, ends, ends_add
from rnnlm.nn.initializers import Glorot, Init, Zeros
from rnnlm.nn.ops import ACTIVATIONS, project, project_backward, rows
from rnnlm.nn.parallel import add_product, product, through_time
from rnnlm.nn.params import Spec


@dataclass(frozen=True)
class Jordan(Cell, kind="jordan"):
    """Jordan network (Jordan 1986): h_t = f(b + W y_{t-1} + U x_t),  o_t = c + V h_t,  y_t = softmax(o_t).

    The outputs are the scores o_t, K = `outputs` wide, and the head `scores` turns them into the distribution y_t: so
    the model's own output distribution comes back at the next step, and is all that the model remembers. Each step
    costs a softmax over K. (Below another head or cell, y_t is a distribution over K inner symbols.)

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

    def initial_state(self, B, dtype):
        return () if self.teacher_forcing else super().initial_state(B, dtype)

    def workspace(self, T, B, empty):
        H, K, forced = self.size, self.outputs, self.teacher_forcing
        return SimpleNamespace(
            y=None if forced else empty(T + 1, B, K),  # y[0] is the distribution before the window
            h=empty(T, B, H),
            o=empty(T, B, K),  # the outputs
            da=empty(T, B, H),
            dh=empty(B, H),
            buf=empty(T, B, H) if forced else empty(B, H),
            back=empty(B, K),
        )

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

        def steps(part):  # a part of the B sequences, as in the vanilla cell
            for t in range(len(h)):
                np.dot(y[t, part], W, out=buf[part])
                h[t, part] += buf[part]
                f.apply(h[t, part], out=h[t, part])
                np.dot(h[t, part], V.T, out=o[t, part])
                o[t, part] += c
                np.subtract(o[t, part], o[t, part].max(axis=-1, keepdims=True), out=y[t + 1, part])
                np.exp(y[t + 1, part], out=y[t + 1, part])
                y[t + 1, part] /= y[t + 1, part].sum(axis=-1, keepdims=True)

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

            def steps(part):
                for t in reversed(range(len(h))):
                    do[t, part] += _softmax_backward(y[t + 1, part], back[part])  # from above and from t+1
                    np.dot(do[t, part], V, out=dh[part])
                    da[t, part] *= dh[part]
                    np.dot(da[t, part], W.T, out=back[part])

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

    def whole_error(self, dy, state, dstate):
        return dy + _softmax_backward(state[0], dstate[0]) if dstate else dy.copy()


def _softmax_backward(y, dy):
    """Gradient by o of y = softmax(o). y, dy (B, K)."""
    return y * (dy - (y * dy).sum(axis=-1, keepdims=True))
