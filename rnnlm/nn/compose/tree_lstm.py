"""The tree LSTM: a memory for every node, and a forget gate for each of its children."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from rnnlm.config import option
from rnnlm.nn.compose.base import Composition
from rnnlm.nn.initializers import Glorot, Init, Orthogonal, side_by_side
from rnnlm.nn.ops import ACTIVATIONS, project, project_backward
from rnnlm.nn.parallel import add_product, product
from rnnlm.nn.params import Spec

SIGMOID, TANH = ACTIVATIONS["sigmoid"], ACTIVATIONS["tanh"]


@dataclass(frozen=True)
class TreeLSTM(Composition, kind="tree_lstm"):
    """c = i g + f_l c_l + f_r c_r,  h = o tanh(c)  for a node with children l and r  (Tai, Socher & Manning 2015).

    o, i, f_l, f_r = sigmoid(a),  g = tanh(a),  each a = b + W_l h_l + W_r h_r with weights of its own; a leaf has no
    children but an input x, a = b + U x, and so no forget gates: c = i g. Products of vectors are elementwise. W_l, W_r
    (H, 5H) and b (5H,) hold o, i, f_l, f_r, g side by side, U (D, 3H) o, i, g. (The binary tree LSTM of section 3.2.)
    """

    size: int = option(100, "numbers H of a node's vector, and of its memory", low=1)
    forget_bias: float = option(1.0, "start of the bias of both forget gates: large values remember at first")
    init_W: Init = option(Orthogonal(0.7), "start of each of the five parts of W_l and W_r")
    init_U: Init = option(Glorot(), "start of each of the three parts of U")

    def specs(self, n_in, onehot):
        H = self.size
        return {
            "U": Spec((n_in, 3 * H), side_by_side(self.init_U, 3)),
            "W_l": Spec((H, 5 * H), side_by_side(self.init_W, 5)),
            "W_r": Spec((H, 5 * H), side_by_side(self.init_W, 5)),
            "b": Spec((5 * H,), lambda shape, rng: np.repeat([0, 0, self.forget_bias, self.forget_bias, 0], H)),
        }

    def workspace(self, L, M, empty):
        H, N = self.size, L + M
        return SimpleNamespace(
            h=empty(N, H),
            c=empty(N, H),  # memory of each node
            tanh_c=empty(N, H),  # in backward dh/dc
            leaves=empty(L, 3 * H),  # o, i, g of the leaves side by side
            gates=empty(M, 5 * H),  # o, i, f_l, f_r, g of the inner nodes
            h_l=empty(M, H),  # left children of the inner nodes
            h_r=empty(M, H),  # right children
            c_l=empty(M, H),
            c_r=empty(M, H),
            dc=empty(N, H),
            da_leaves=empty(L, 3 * H),
            da=empty(M, 5 * H),
            wide=empty(M, 5 * H),
            buf=empty(M, H),
        )

    def _split(self, a):
        """(n, k H) -> its k parts (n, H)."""
        return [a[:, i : i + self.size] for i in range(0, a.shape[1], self.size)]

    def forward(self, p, x, trees, work):
        H, L, h, c, tanh_c = self.size, len(x), work.h, work.c, work.tanh_c
        work.x = x
        project(x, p["U"], out=work.leaves)
        work.leaves[:, : 2 * H] += p["b"][: 2 * H]
        work.leaves[:, 2 * H :] += p["b"][4 * H :]
        SIGMOID.apply(work.leaves[:, : 2 * H], out=work.leaves[:, : 2 * H])
        np.tanh(work.leaves[:, 2 * H :], out=work.leaves[:, 2 * H :])
        o, i, g = self._split(work.leaves)
        np.multiply(i, g, out=c[:L])
        np.tanh(c[:L], out=tanh_c[:L])
        np.multiply(o, tanh_c[:L], out=h[:L])
        for n in trees.heights:  # all nodes n of one height at once
            a, above = work.gates[n], slice(L + n.start, L + n.stop)
            np.take(h, trees.left[n], axis=0, out=work.h_l[n], mode="clip")
            np.take(c, trees.left[n], axis=0, out=work.c_l[n], mode="clip")
            np.take(h, trees.right[n], axis=0, out=work.h_r[n], mode="clip")
            np.take(c, trees.right[n], axis=0, out=work.c_r[n], mode="clip")
            product(work.h_l[n], p["W_l"], out=a)
            product(work.h_r[n], p["W_r"], out=work.wide[n])
            a += work.wide[n]
            a += p["b"]
            SIGMOID.apply(a[:, : 4 * H], out=a[:, : 4 * H])
            np.tanh(a[:, 4 * H :], out=a[:, 4 * H :])
            o, i, f_l, f_r, g = self._split(a)
            np.multiply(i, g, out=c[above])
            c[above] += np.multiply(f_l, work.c_l[n], out=work.buf[n])
            c[above] += np.multiply(f_r, work.c_r[n], out=work.buf[n])
            np.tanh(c[above], out=tanh_c[above])
            np.multiply(o, tanh_c[above], out=h[above])
        return h

    def backward(self, p, g, dh, trees, work, dx):
        H, L, dc, shown = self.size, len(work.x), work.dc, work.tanh_c
        dc[...] = 0
        for n in reversed(trees.heights):  # dh and dc of a node are complete when those above it are done
            above = slice(L + n.start, L + n.stop)
            o, i, f_l, f_r, candidate = self._split(work.gates[n])
            da_o, da_i, da_l, da_r, da_g = self._split(work.da[n])
            self._into_memory(o, shown[above], dh[above], dc[above], da_o)
            SIGMOID.slope(work.gates[n, : 4 * H], out=work.wide[n, : 4 * H])
            slope_o, slope_i, slope_l, slope_r, _ = self._split(work.wide[n])
            da_o *= slope_o
            np.multiply(slope_i, candidate, out=da_i)
            np.multiply(slope_l, work.c_l[n], out=da_l)
            np.multiply(slope_r, work.c_r[n], out=da_r)
            TANH.slope(candidate, out=da_g)
            da_g *= i
            for da in (da_i, da_l, da_r, da_g):
                da *= dc[above]
            for child, f, W in ((trees.left[n], f_l, p["W_l"]), (trees.right[n], f_r, p["W_r"])):
                dc[child] += np.multiply(f, dc[above], out=work.buf[n])  # each node has one parent
                product(work.da[n], W.T, out=work.buf[n])
                dh[child] += work.buf[n]
        o, i, candidate = self._split(work.leaves)
        da_o, da_i, da_g = self._split(work.da_leaves)
        self._into_memory(o, shown[:L], dh[:L], dc[:L], da_o)
        da_o *= o * (1 - o)
        np.multiply(dc[:L], candidate * i * (1 - i), out=da_i)
        np.multiply(dc[:L], i * (1 - candidate**2), out=da_g)
        add_product(work.h_l.T, work.da, out=g["W_l"])  # the sum over all nodes as one product
        add_product(work.h_r.T, work.da, out=g["W_r"])
        g["b"] += work.da.sum(axis=0)
        g["b"][: 2 * H] += work.da_leaves[:, : 2 * H].sum(axis=0)
        g["b"][4 * H :] += work.da_leaves[:, 2 * H :].sum(axis=0)
        project_backward(work.x, work.da_leaves, p["U"], g["U"], dx)

    @staticmethod
    def _into_memory(o, shown, dh, dc, do):
        """h = o tanh(c): writes dL/do, and adds dL/dc. shown: tanh(c), which is used up."""
        np.multiply(dh, shown, out=do)
        TANH.slope(shown, out=shown)
        shown *= o
        shown *= dh
        dc += shown
