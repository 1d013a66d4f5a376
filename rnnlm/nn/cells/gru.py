"""The gated recurrent unit: a memory like the LSTM's with two gates, and no second state."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.initializers import Glorot, Init, Orthogonal, Zeros, side_by_side
from rnnlm.nn.ops import ACTIVATIONS, project, project_backward, rows
from rnnlm.nn.parallel import add_product, through_time
from rnnlm.nn.params import Spec

SIGMOID, TANH = ACTIVATIONS["sigmoid"], ACTIVATIONS["tanh"]


@dataclass(frozen=True)
class GRU(Cell, kind="gru"):
    """Gated recurrent unit (Cho et al. 2014): h_t = z_t h_{t-1} + (1 - z_t) n_t,  n_t = tanh(b^n + U^n x_t + r_t m_t).

    m_t = c + W^n h_{t-1}; r_t and z_t are sigmoid(b + W h_{t-1} + U x_t) with their own weights. Products of vectors
    are elementwise: z_t keeps the old state, r_t lets the candidate n_t see it. W (H, 3H), U (D, 3H) and b (3H,) hold
    r, z, n side by side. The equations and the order are those of PyTorch's nn.GRU: the reset gate comes after the
    product with W^n, so that one product per step serves all three, and m_t has a bias c (H,) of its own.
    """

    size: int = option(256, "hidden units H", low=1)
    init_W: Init = option(Orthogonal(), "start of each of the three parts of W")
    init_U: Init = option(Glorot(), "start of each of the three parts of U")

    def specs(self, n_in):
        H = self.size
        return {
            "U": Spec((n_in, 3 * H), side_by_side(self.init_U, 3)),
            "W": Spec((H, 3 * H), side_by_side(self.init_W, 3)),
            "b": Spec((3 * H,), Zeros()),
            "c": Spec((H,), Zeros()),
        }

    def workspace(self, T, B, empty):
        H = self.size
        return SimpleNamespace(
            h=empty(T + 1, B, H),  # h[0] is the state before the window, h[1:] are the outputs
            gates=empty(T, B, 3 * H),  # r, z and the candidate n side by side
            m=empty(T, B, H),  # c + W^n h_{t-1}
            da=empty(T, B, 3 * H),  # the gradient by a^r, a^z and m; after the loop by a^r, a^z and a^n
            da_n=empty(T, B, H),
            dh=empty(B, H),
            buf=empty(B, 3 * H),
            back=empty(B, H),
        )

    def _split(self, a):
        """Split (..., 3H) into its three parts (..., H), and the two for the sigmoid in one, (..., 2H)."""
        H = self.size
        return *(a[..., k * H : (k + 1) * H] for k in range(3)), a[..., : 2 * H]

    def forward(self, p, x, state, work, rng=None):
        h, m, buf, W, c = work.h, work.m, work.buf, p["W"], p["c"]
        work.x, h[0] = x, state[0]
        project(x, p["U"], out=work.gates)
        work.gates += p["b"]
        r, z, n, rz = self._split(work.gates)
        *_, Wh_n, Wh_rz = self._split(buf)

        def steps(part):  # a part of the B sequences, as in the vanilla cell
            for t in range(len(m)):
                np.dot(h[t, part], W, out=buf[part])
                rz[t, part] += Wh_rz[part]
                SIGMOID.apply(rz[t, part], out=rz[t, part])
                np.add(Wh_n[part], c, out=m[t, part])
                n[t, part] += np.multiply(r[t, part], m[t, part], out=h[t + 1, part])
                np.tanh(n[t, part], out=n[t, part])
                np.subtract(h[t, part], n[t, part], out=h[t + 1, part])  # h_t = n_t + z_t (h_{t-1} - n_t)
                h[t + 1, part] *= z[t, part]
                h[t + 1, part] += n[t, part]

        through_time(steps, len(buf), W)
        return h[1:], (h[-1].copy(),)

    def backward(self, p, g, dy, dstate, work, dx=None):
        h, m, da, da_n, dh, W = work.h, work.m, work.da, work.da_n, work.dh, p["W"]
        dh[...] = 0 if dstate is None else dstate[0]

        def steps(part):
            r, z, n, rz = self._split(work.gates[:, part])
            da_r, da_z, dm, da_rz = self._split(da[:, part])
            SIGMOID.slope(rz, out=da_rz)  # for all t at once: dh_t/da^z_t, dh_t/da^n_t and da^n_t/da^r_t
            da_r *= m[:, part]
            np.subtract(h[:-1, part], n, out=dm)
            da_z *= dm
            TANH.slope(n, out=da_n[:, part])
            np.subtract(1, z, out=dm)
            da_n[:, part] *= dm
            for t in reversed(range(len(da))):
                dh[part] += dy[t, part]
                da_z[t] *= dh[part]
                da_n[t, part] *= dh[part]
                da_r[t] *= da_n[t, part]
                np.multiply(da_n[t, part], r[t], out=dm[t])
                dh[part] *= z[t]
                dh[part] += np.dot(da[t, part], W.T, out=work.back[part])

        through_time(steps, len(dh), W)
        add_product(rows(h[:-1]).T, rows(da), out=g["W"])
        g["c"] += rows(da)[:, -self.size :].sum(axis=0)
        da[..., -self.size :] = da_n
        g["b"] += rows(da).sum(axis=0)
        project_backward(work.x, da, p["U"], g["U"], dx)
        return (dh.copy(),)
