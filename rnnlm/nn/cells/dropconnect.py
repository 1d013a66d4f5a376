"""DropConnect: in training, a cell works with a W some of whose weights are dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from rnnlm.nn.cells.base import Cell
from rnnlm.nn.dropout import Dropout
from rnnlm.nn.params import Views

Kind = TypeVar("Kind", bound=type[Cell])


@dataclass
class Thinned:
    """Memory for DropConnect in one window."""

    dropout: Dropout  # its mask has the shape of W
    W: np.ndarray  # W under the mask
    dW: np.ndarray  # its gradient


def dropconnect(cell: Kind) -> Kind:
    """Class decorator of cells with an option `dropconnect`: one mask for the weights of W in each window.

        W' = m * W,  dW = m * dW'     m_ij = 0 with the probability `dropconnect`, otherwise 1 / (1 - dropconnect)

    (Wan et al. 2013; Merity et al. 2018.) The cell's own equations find W' in p["W"], and leave dW' in g["W"].
    """
    methods: Any = cell
    workspace, forward, backward = methods.workspace, methods.forward, methods.backward

    def workspace_with_mask(self, T, B, empty):
        work = workspace(self, T, B, empty)
        shape = self.specs(1)["W"].shape
        if self.dropconnect:
            work.thinned = Thinned(Dropout(self.dropconnect, shape, empty), empty(*shape), empty(*shape))
        return work

    def forward_thinned(self, p, x, state, work, rng=None):
        if work.thinned is not None and work.thinned.dropout.draw(rng):
            p = Views({**p, "W": np.multiply(p["W"], work.thinned.dropout.mask, out=work.thinned.W)})
        return forward(self, p, x, state, work, rng)

    def backward_thinned(self, p, g, dy, dstate, work, dx=None):
        thinned = work.thinned
        if thinned is None or not thinned.dropout.on:
            return backward(self, p, g, dy, dstate, work, dx)
        thinned.dW[...] = 0
        p, g_thinned = Views({**p, "W": thinned.W}), Views({**g, "W": thinned.dW})
        dfirst = backward(self, p, g_thinned, dy, dstate, work, dx)
        thinned.dropout.backward(thinned.dW)
        g["W"] += thinned.dW
        return dfirst

    methods.workspace, methods.forward, methods.backward = workspace_with_mask, forward_thinned, backward_thinned
    return cell
