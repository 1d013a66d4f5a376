"""The recursive network: the vanilla recurrence, along a tree instead of a line."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.compose.base import Composition
from rnnlm.nn.initializers import Glorot, Init, Orthogonal, Zeros
from rnnlm.nn.ops import ACTIVATIONS, project, project_backward
from rnnlm.nn.parallel import add_product, product
from rnnlm.nn.params import Spec


@dataclass(frozen=True)
class Recursive(Composition, kind="recursive"):
    """a = b + W_l h_l + W_r h_r,  h = f(a)  for a node with children l and r.

    A leaf is the vector of its word, h = E[w], if the embedding has H numbers, and otherwise h = U x, x the embedding
    or a one-hot row. W_l, W_r (H, H), U (D, H), b (H,). A chain in which every left child is a leaf is the vanilla
    recurrent network with U = W_l and W = W_r, reading the words from the last to the first. (Goller & Küchler 1996;
    Socher et al. 2011.)
    """

    size: int = option(100, "numbers H of a node's vector", low=1)
    activation: Literal["tanh", "relu", "sigmoid", "identity"] = option("tanh", "f, elementwise")
    init_W: Init = option(Orthogonal(0.7), "start of W_l and W_r; with 0.7 a node is as long as each of its children")
    init_U: Init = option(Glorot(), "start of U")

    def specs(self, n_in, onehot):
        H = self.size
        specs = {"U": Spec((n_in, H), self.init_U)} if onehot or n_in != H else {}
        return {**specs, "W_l": Spec((H, H), self.init_W), "W_r": Spec((H, H), self.init_W), "b": Spec((H,), Zeros())}

    def workspace(self, L, M, empty):
        H = self.size
        return SimpleNamespace(
            h=empty(L + M, H),
            h_l=empty(M, H),  # left children of the inner nodes
            h_r=empty(M, H),  # right children
            da=empty(M, H),
            buf=empty(M, H),
        )

    def forward(self, p, x, trees, work):
        f, h, h_l, h_r, buf = ACTIVATIONS[self.activation], work.h, work.h_l, work.h_r, work.buf
        work.x, leaves, inner = x, h[: len(x)], h[len(x) :]
        if "U" in p:
            project(x, p["U"], out=leaves)
        else:
            leaves[...] = x
        for n in trees.heights:  # all nodes n of one height at once
            np.take(h, trees.left[n], axis=0, out=h_l[n], mode="clip")
            np.take(h, trees.right[n], axis=0, out=h_r[n], mode="clip")
            product(h_l[n], p["W_l"], out=inner[n])
            product(h_r[n], p["W_r"], out=buf[n])
            inner[n] += buf[n]
            inner[n] += p["b"]
            f.apply(inner[n], out=inner[n])
        return h

    def backward(self, p, g, dh, trees, work, dx):
        f, x, da, buf = ACTIVATIONS[self.activation], work.x, work.da, work.buf
        f.slope(work.h[len(x) :], out=da)  # f'(a) of every inner node, from its h
        dh_leaves, dh_inner = dh[: len(x)], dh[len(x) :]
        for n in reversed(trees.heights):  # dh of a node is complete when those above it are done
            da[n] *= dh_inner[n]
            product(da[n], p["W_l"].T, out=buf[n])
            dh[trees.left[n]] += buf[n]  # each node has one parent, so no index comes twice
            product(da[n], p["W_r"].T, out=buf[n])
            dh[trees.right[n]] += buf[n]
        add_product(work.h_l.T, da, out=g["W_l"])  # the sum over all nodes as one product
        add_product(work.h_r.T, da, out=g["W_r"])
        g["b"] += da.sum(axis=0)
        if "U" in p:
            project_backward(x, dh_leaves, p["U"], g["U"], dx)
        elif dx is not None:
            dx[...] = dh_leaves
