"""Long short-term memory: a state that is added to instead of multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.cells.dropconnect import dropconnect
from rnnlm.nn.cells.padding import beyond, ends, ends_add
from rnnlm.nn.initializers import Glorot, Init, Orthogonal, side_by_side
from rnnlm.nn.ops import ACTIVATIONS, project, project_backward, rows
from rnnlm.nn.parallel import add_product, through_time
from rnnlm.nn.params import Spec

SIGMOID, TANH = ACTIVATIONS["sigmoid"], ACTIVATIONS["tanh"]


@dropconnect
@dataclass(frozen=True)
class LSTM(Cell, kind="lstm"):
    """Long short-term memory (Hochreiter & Schmidhuber 1997): c_t = f_t c_{t-1} + i_t g_t,  h_t = o_t tanh(c_t).

    o, i, f = sigmoid(a^o, a^i, a^f) and g = tanh(a^g), each a_t = b + W h_{t-1} + U x_t. Products of vectors are
    elementwise: i_t lets the candidate g_t in, f_t keeps the memory c (forget gate: Gers, Schmidhuber & Cummins 2000),
    o_t shows it. W (H, 4H), U (D, 4H) and b (4H,) hold o, i, f, g side by side: one product per step serves all four.
    The equations are those of PyTorch's nn.LSTM, whose order is i, f, g, o, and whose two biases are one here.
    """

    memory = ("c",)

    size: int = option(256, "hidden units H", low=1)
    forget_bias: float = option(1.0, "start of f's bias: large values remember at first (Jozefowicz et al. 2015)")
    init_W: Init = option(Orthogonal(), "start of each of the four parts of W")
    init_U: Init = option(Glorot(), "start of each of the four parts of U")
    dropconnect: float = option(0.0, "share of W's weights dropped in each window", low=0, below=1)

    def specs(self, n_in):
        H = self.size

        def start_b(shape, rng):
            return np.repeat([0, 0, self.forget_bias, 0], H)

        return {
            "U": Spec((n_in, 4 * H), side_by_side(self.init_U, 4)),
            "W": Spec((H, 4 * H), side_by_side(self.init_W, 4)),
            "b": Spec((4 * H,), start_b),
        }

    def initial_state(self, B, dtype):
        return np.zeros((B, self.size), dtype), np.zeros((B, self.size), dtype)  # h, c

    def workspace(self, T, B, empty):
        H = self.size
        return SimpleNamespace(
            h=empty(T + 1, B, H),  # h[0] is the state before the window, h[1:] are the outputs
            c=empty(T + 1, B, H),  # c[0] is the memory before the window
            tanh_c=empty(T, B, H),  # in backward dh_t/dc_t
            gates=empty(T, B, 4 * H),  # o, i, f and the candidate g side by side
            da=empty(T, B, 4 * H),  # in the same order
            dh=empty(B, H),
            dc=empty(B, H),
            buf=empty(B, 4 * H),
        )

    def _split(self, a):
        """Split (..., 4H) into its four parts (..., H), and the three for the sigmoid in one, (..., 3H)."""
        H = self.size
        return *(a[..., k * H : (k + 1) * H] for k in range(4)), a[..., : 3 * H]

    def forward(self, p, x, state, work, rng=None):
        h, c, tanh_c, buf, W = work.h, work.c, work.tanh_c, work.buf, p["W"]
        work.x, (h[0], c[0]) = x, state
        project(x, p["U"], out=work.gates)
        work.gates += p["b"]
        o, i, f, g, oif = self._split(work.gates)

        def steps(part):  # a part of the B sequences, as in the vanilla cell
            for t in range(len(o)):
                np.dot(h[t, part], W, out=buf[part])
                work.gates[t, part] += buf[part]
                SIGMOID.apply(oif[t, part], out=oif[t, part])
                np.tanh(g[t, part], out=g[t, part])
                np.multiply(i[t, part], g[t, part], out=c[t + 1, part])
                kept = np.multiply(f[t, part], c[t, part], out=h[t + 1, part])
                c[t + 1, part] += kept
                np.tanh(c[t + 1, part], out=tanh_c[t, part])
                np.multiply(o[t, part], tanh_c[t, part], out=h[t + 1, part])

        through_time(steps, len(buf), W)
        return h[1:], (h[-1].copy(), c[-1].copy())

    def backward(self, p, g, dy, dstate, work, dx=None):
        h, c, tanh_c, da, dh, dc, W = work.h, work.c, work.tanh_c, work.da, work.dh, work.dc, p["W"]
        dh[...], dc[...] = (0, 0) if dstate is None else dstate

        def steps(part):
            o, i, f, candidate, oif = self._split(work.gates[:, part])
            da_o, da_i, da_f, da_g, da_oif = self._split(da[:, part])
            past, shown = c[:-1, part], tanh_c[:, part]
            SIGMOID.slope(oif, out=da_oif)  # for all t at once: dh_t/da^o_t, and dc_t/da_t of the others
            da_o *= shown
            da_i *= candidate
            da_f *= past
            TANH.slope(candidate, out=da_g)
            da_g *= i
            TANH.slope(shown, out=shown)  # dh_t/dc_t = o (1 - tanh(c)^2)
            shown *= o
            da_ifg = da[:, part, self.size :].reshape(len(da), -1, 3, self.size)
            for t in reversed(range(len(da))):
                dh[part] += dy[t, part]
                dc[part] += np.multiply(dh[part], shown[t], out=shown[t])
                da_o[t] *= dh[part]
                da_ifg[t] *= dc[part, None]
                dc[part] *= f[t]
                np.dot(da[t, part], W.T, out=dh[part])

        through_time(steps, len(dh), W)
        add_product(rows(h[:-1]).T, rows(da), out=g["W"])
        g["b"] += rows(da).sum(axis=0)
        project_backward(work.x, da, p["U"], g["U"], dx)
        return dh.copy(), dc.copy()

    def forward_padded(self, p, x, state, work, lengths, rng=None):
        y, last = self.forward(p, x, state, work, rng)
        return y, last if lengths is None else (ends(y, lengths), ends(work.c[1:], lengths))

    def backward_padded(self, p, g, dy, dstate, work, lengths, dx=None):
        if lengths is not None:
            after = beyond(lengths, len(dy))
            dy[after] = 0
            if dstate is not None:
                ends_add(dy, lengths, dstate[0])
                _, i, f, _, _ = self._split(work.gates)
                i[after], f[after] = 0, 1  # steps that keep c, so that its gradient comes down to the end unchanged
                dstate = 0, dstate[1]
        return self.backward(p, g, dy, dstate, work, dx)
