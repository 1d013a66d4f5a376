"""Long short-term memory: a state that is added to instead of multiplied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell, beyond, ends, ends_add
from rnnlm.nn.initializers import Glorot, Init, Orthogonal
from rnnlm.nn.ops import ACTIVATIONS, dropout_mask, product, project, project_backward, rows, through_time
from rnnlm.nn.params import Spec

SIGMOID = ACTIVATIONS["sigmoid"]


@dataclass
class Work:
    x: np.ndarray | None  # (T, B) ids or (T, B, D) vectors
    h: np.ndarray  # (T+1, B, H): h[0] is the past, h[1:] are the outputs
    c: np.ndarray  # (T+1, B, H): likewise
    tanh_c: np.ndarray  # (T, B, H); in backward dh_t/dc_t
    gates: np.ndarray  # (T, B, 4H): o, i, f and the candidate g beside each other
    da: np.ndarray  # (T, B, 4H): likewise
    dh: np.ndarray  # (B, H)
    dc: np.ndarray  # (B, H)
    buf: np.ndarray  # (B, 4H)
    dW: np.ndarray  # (H, 4H)
    mask: np.ndarray | None  # (H, 4H): DropConnect's mask of this window
    W: np.ndarray | None  # (H, 4H): W as this window used it


@dataclass(frozen=True)
class LSTM(Cell, kind="lstm"):
    """c_t = f_t c_{t-1} + i_t g_t,  h_t = o_t tanh(c_t);  o, i, f = sigmoid(a^o, a^i, a^f),  g = tanh(a^g).

    Each a_t = b + W h_{t-1} + U x_t. Products of vectors are elementwise: i_t lets the candidate g_t in, f_t keeps the
    memory c, o_t shows it (Hochreiter & Schmidhuber 1997; the forget gate f: Gers, Schmidhuber & Cummins 2000). W (H,
    4H), U (D, 4H) and b (4H,) hold o, i, f, g side by side: one product per step serves all four. The equations are
    those of PyTorch's nn.LSTM, whose order is i, f, g, o, and whose two biases are one here.
    """

    size: int = option(100, "hidden units H", low=1)
    forget_bias: float = option(1.0, "start of f's bias: large values remember at first (Jozefowicz et al. 2015)")
    init_W: Init = option(Orthogonal(), "start of each of the four parts of W")
    init_U: Init = option(Glorot(), "start of each of the four parts of U")
    dropconnect: float = option(0.0, "share of W's weights dropped in each window", low=0, below=1)

    @property
    def n_out(self):
        return self.size

    def specs(self, n_in):
        H = self.size

        def each(init):
            return lambda shape, rng: np.hstack([init((shape[0], H), rng) for _ in range(4)])

        def start_b(shape, rng):
            return np.repeat([0, 0, self.forget_bias, 0], H)

        return {
            "U": Spec((n_in, 4 * H), each(self.init_U)),
            "W": Spec((H, 4 * H), each(self.init_W)),
            "b": Spec((4 * H,), start_b),
        }

    def initial_state(self, p, B):
        return np.zeros((B, self.size), p["W"].dtype), np.zeros((B, self.size), p["W"].dtype)

    def workspace(self, p, T, B, empty):
        H = self.size
        return Work(
            x=None, h=empty(T + 1, B, H), c=empty(T + 1, B, H), tanh_c=empty(T, B, H),
            gates=empty(T, B, 4 * H), da=empty(T, B, 4 * H), dh=empty(B, H), dc=empty(B, H), buf=empty(B, 4 * H),
            dW=empty(H, 4 * H), mask=empty(H, 4 * H) if self.dropconnect else None,
            W=empty(H, 4 * H) if self.dropconnect else None,
        )  # fmt: skip

    def _split(self, a):
        """(..., 4H) -> its four parts (..., H), and the three that go through the sigmoid in one, (..., 3H)."""
        H = self.size
        return *(a[..., k * H : (k + 1) * H] for k in range(4)), a[..., : 3 * H]

    def forward(self, p, x, state, work, rng=None):
        h, c, tanh_c, buf = work.h, work.c, work.tanh_c, work.buf
        work.x, (h[0], c[0]) = x, state
        W = self._thin(p["W"], work, rng)
        project(x, p["U"], out=work.gates)
        work.gates += p["b"]
        o, i, f, g, oif = self._split(work.gates)

        def steps(B):  # the sequences B, as in the vanilla cell
            for t in range(len(o)):
                np.dot(h[t, B], W, out=buf[B])
                work.gates[t, B] += buf[B]
                SIGMOID.apply(oif[t, B], out=oif[t, B])
                np.tanh(g[t, B], out=g[t, B])
                np.multiply(i[t, B], g[t, B], out=c[t + 1, B])
                kept = np.multiply(f[t, B], c[t, B], out=h[t + 1, B])
                c[t + 1, B] += kept
                np.tanh(c[t + 1, B], out=tanh_c[t, B])
                np.multiply(o[t, B], tanh_c[t, B], out=h[t + 1, B])

        through_time(steps, len(buf), W)
        return h[1:], (h[-1].copy(), c[-1].copy())

    def backward(self, p, g, dy, dstate, work, dx=None):
        h, c, tanh_c, da, dh, dc = work.h, work.c, work.tanh_c, work.da, work.dh, work.dc
        W = p["W"] if work.W is None else work.W
        dh[...], dc[...] = (0, 0) if dstate is None else dstate

        def steps(B):
            o, i, f, candidate, oif = self._split(work.gates[:, B])
            da_o, da_i, da_f, da_g, da_oif = self._split(da[:, B])
            past, shown = c[:-1, B], tanh_c[:, B]
            SIGMOID.slope(oif, out=da_oif)  # of all t at once: what each a_t does to h_t (o) and to c_t (i, f, g)
            da_o *= shown
            da_i *= candidate
            da_f *= past
            np.multiply(candidate, candidate, out=da_g)
            np.subtract(1, da_g, out=da_g)
            da_g *= i
            np.multiply(shown, shown, out=shown)  # dh_t/dc_t = o (1 - tanh(c)^2)
            np.subtract(1, shown, out=shown)
            shown *= o
            da_ifg = da[:, B, self.size :].reshape(len(da), -1, 3, self.size)
            for t in reversed(range(len(da))):
                dh[B] += dy[t, B]
                dc[B] += np.multiply(dh[B], shown[t], out=shown[t])
                da_o[t] *= dh[B]
                da_ifg[t] *= dc[B, None]
                dc[B] *= f[t]
                np.dot(da[t, B], W.T, out=dh[B])

        through_time(steps, len(dh), W)
        product(rows(h[:-1]).T, rows(da), out=work.dW)
        if work.mask is not None:
            work.dW *= work.mask
        g["W"] += work.dW
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

    def _thin(self, W, work, rng):
        """W, or with DropConnect in training W times a mask that stays for the window."""
        if work.mask is None:
            return W
        dropout_mask(self.dropconnect, rng, out=work.mask)
        return np.multiply(W, work.mask, out=work.W)
