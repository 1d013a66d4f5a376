"""The vanilla (Elman) recurrent network: forward through time, and backpropagation through time."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.cells.dropconnect import dropconnect
from rnnlm.nn.cells.truncated import truncated
from rnnlm.nn.cells.zoneout import zoneout
from rnnlm.nn.initializers import Glorot, Init, Orthogonal, Zeros
from rnnlm.nn.ops import ACTIVATIONS, project, project_backward, rows
from rnnlm.nn.parallel import add_product, through_time
from rnnlm.nn.params import Spec, Specs


@dropconnect
@zoneout
@dataclass(frozen=True)
class Vanilla(Cell, kind="vanilla"):
    """Vanilla recurrent network (Elman 1990): h_t = f(a_t),  a_t = b + W h_{t-1} + U x_t.

    W (H, H) carries the past, U (D, H) the input, b (H,) is the bias.
    """

    size: int = option(256, "hidden units H", low=1)
    activation: Literal["tanh", "relu", "sigmoid", "identity"] = option("tanh", "f, elementwise")
    bias: bool = option(True, "whether a_t has the bias b")
    init_W: Init = option(Orthogonal(), "start of W (with relu and identity: the IRNN)")
    init_U: Init = option(Glorot(), "start of U")
    truncate: int | None = option(
        None, "follow each error back at most this many steps (null: the whole window)", low=0
    )
    dropconnect: float = option(0.0, "share of W's weights dropped in each window", low=0, below=1)
    dropconnect_self: bool = option(True, "whether weights W_ii, of a unit from itself, are dropped, too")
    zoneout: float = option(0.0, "share of units that keep their value at each step", low=0, below=1)

    def __post_init__(self):
        if self.zoneout and self.truncate is not None:
            raise ValueError("zoneout: its errors are followed through the whole window; leave truncate out")

    def specs(self, n_in):
        H = self.size
        specs: Specs = {"U": Spec((n_in, H), self.init_U), "W": Spec((H, H), self.init_W)}
        return specs | {"b": Spec((H,), Zeros())} if self.bias else specs

    def workspace(self, T, B, empty):
        H = self.size
        return SimpleNamespace(
            h=empty(T + 1, B, H),  # h[0] is the state before the window, h[1:] are the outputs
            da=empty(T, B, H),
            dh=empty(B, H),
            buf=empty(B, H),
            delta=None if self.truncate is None else empty(2, T, B, H),
        )

    def forward(self, p, x, state, work, rng=None):
        f, h, Wh, W = ACTIVATIONS[self.activation], work.h, work.buf, p["W"]
        work.x, h[0] = x, state[0]
        project(x, p["U"], out=h[1:])  # U x_t for every t: one gather (ids), or one matrix product (vectors)
        if self.bias:
            h[1:] += p["b"]

        def steps(part):  # a part of the B sequences, which know nothing of each other: each thread takes its own
            for t in range(1, len(h)):  # only W h_{t-1} has to wait for the past
                np.dot(h[t - 1, part], W, out=Wh[part])
                h[t, part] += Wh[part]
                f.apply(h[t, part], out=h[t, part])

        through_time(steps, len(Wh), W)
        return h[1:], (h[-1].copy(),)

    def backward(self, p, g, dy, dstate, work, dx=None):
        f, h, da, dh, W = ACTIVATIONS[self.activation], work.h, work.da, work.dh, p["W"]
        f.slope(h[1:], out=da)  # f'(a_t), from the output, for every t
        dh[...] = 0 if dstate is None else dstate[0]

        def steps(part):
            for t in reversed(range(len(da))):
                dh_t = np.add(dy[t, part], dh[part], out=work.buf[part])  # dL/dh_t: from above and from t+1
                da[t, part] *= dh_t
                np.dot(da[t, part], W.T, out=dh[part])

        if self.truncate is None:
            through_time(steps, len(dh), W)
        else:
            truncated(self.truncate, W, da, dy, dh, work.delta)
        add_product(rows(h[:-1]).T, rows(da), out=g["W"])  # the sum over t as one product
        if self.bias:
            g["b"] += rows(da).sum(axis=0)
        project_backward(work.x, da, p["U"], g["U"], dx)
        return (dh.copy(),)
