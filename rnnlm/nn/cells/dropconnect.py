"""DropConnect: in training, a cell works with a W some of whose weights are dropped."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from rnnlm.nn.cells.base import Cell
from rnnlm.nn.dropout import Dropout
from rnnlm.nn.params import Views

Kind = TypeVar("Kind", bound=type[Cell])


def dropconnect(cell: Kind) -> Kind:
    """Class decorator of cells with an option `dropconnect`: one mask for the weights of W in each window.

        W' = m * W,  dW = m * dW'     m_ij = 0 with the probability `dropconnect`, otherwise 1 / (1 - dropconnect)

    (Wan et al. 2013; Merity et al. 2018.) The cell's own equations find W' in p["W"], and leave dW' in g["W"].

    A cell whose option `dropconnect_self` is false has m_ii = 1. A unit whose W_ii is near 1 is a slow memory: with
    m_ii = 0 it forgets, and otherwise W_ii' = W_ii / (1 - dropconnect) can be above 1, where a tanh unit holds on to
    one sign whatever it reads.
    """
    methods: Any = cell
    workspace, forward, backward = methods.workspace, methods.forward, methods.backward

    def workspace_with_mask(self, T, B, empty):
        work = workspace(self, T, B, empty)
        shape = self.specs(1)["W"].shape
        work.dropout = Dropout(self.dropconnect, shape, empty)
        if self.dropconnect:
            work.W, work.dW = empty(*shape), empty(*shape)  # W under the mask, and its gradient
        return work

    def forward_thinned(self, p, x, state, work, rng=None):
        if work.dropout.draw(rng):
            if not getattr(self, "dropconnect_self", True):
                np.fill_diagonal(work.dropout.mask, 1)
            p = Views({**p, "W": np.multiply(p["W"], work.dropout.mask, out=work.W)})
        return forward(self, p, x, state, work, rng)

    def backward_thinned(self, p, g, dy, dstate, work, dx=None):
        if not work.dropout.on:
            return backward(self, p, g, dy, dstate, work, dx)
        work.dW[...] = 0
        p, g_thinned = Views({**p, "W": work.W}), Views({**g, "W": work.dW})
        dfirst = backward(self, p, g_thinned, dy, dstate, work, dx)
        work.dropout.backward(work.dW)
        g["W"] += work.dW
        return dfirst

    methods.workspace, methods.forward, methods.backward = workspace_with_mask, forward_thinned, backward_thinned
    return cell
