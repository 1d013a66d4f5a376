"""Zoneout: in training, units chosen at random keep their old value for a step."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from rnnlm.nn.cells.base import Cell
from rnnlm.nn.cells.leaking import leaky_backward, leaky_forward
from rnnlm.nn.dropout import dropout_mask

Kind = TypeVar("Kind", bound=type[Cell])


def zoneout(cell: Kind) -> Kind:
    """Class decorator of the vanilla cell, whose option `zoneout` is the share of units that keep their value.

        h_t = (1 - u_t) h_{t-1} + u_t f(a_t)

    u_t (B, H) is 0 with the probability `zoneout` and otherwise 1, for every unit, sequence and step anew; in
    evaluation it is its mean, 1 - zoneout (Krueger et al. 2017). Without zoneout the cell's own loops run.
    """
    methods: Any = cell
    workspace, forward, backward = methods.workspace, methods.forward, methods.backward

    def workspace_with_zones(self, T, B, empty):
        work = workspace(self, T, B, empty)
        if self.zoneout:
            work.fa, work.u = empty(T, B, self.size), empty(T, B, self.size)  # f(a_t), and what is new in h_t
        return work

    def forward_zoned(self, p, x, state, work, rng=None):
        if not self.zoneout:
            return forward(self, p, x, state, work, rng)
        if rng is None:
            work.u[...] = 1 - self.zoneout
        else:
            dropout_mask(self.zoneout, rng, work.u, of="inputs", axis=1)
            np.greater(work.u, 0, out=work.u, casting="unsafe")
        return leaky_forward(self, p, x, state, work, work.u)

    def backward_zoned(self, p, g, dy, dstate, work, dx=None):
        if not self.zoneout:
            return backward(self, p, g, dy, dstate, work, dx)
        return leaky_backward(self, p, g, dy, dstate, work, work.u, dx)

    methods.workspace, methods.forward, methods.backward = workspace_with_zones, forward_zoned, backward_zoned
    return cell
