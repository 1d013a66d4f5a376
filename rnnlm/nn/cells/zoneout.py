"""Zoneout: in training, units chosen at random keep their old value for a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from rnnlm.nn.cells.base import Cell
from rnnlm.nn.dropout import dropout_mask
from rnnlm.nn.ops import ACTIVATIONS, project, project_backward, rows
from rnnlm.nn.parallel import add_product, through_time
from rnnlm.nn.state import State

Kind = TypeVar("Kind", bound=type[Cell])


@dataclass
class Zones:
    """Memory for zoneout in one window."""

    u: np.ndarray  # (T, B, H): the share of h_t that is new
    fa: np.ndarray  # (T, B, H): f(a_t)


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
            work.zones = Zones(u=empty(T, B, self.size), fa=empty(T, B, self.size))
        return work

    def forward_zoned(self, p, x, state, work, rng=None):
        return (_forward if self.zoneout else forward)(self, p, x, state, work, rng)

    def backward_zoned(self, p, g, dy, dstate, work, dx=None):
        return (_backward if self.zoneout else backward)(self, p, g, dy, dstate, work, dx)

    methods.workspace, methods.forward, methods.backward = workspace_with_zones, forward_zoned, backward_zoned
    return cell


def _forward(cell: Any, p: Any, x: np.ndarray, state: State, work: Any, rng: np.random.Generator | None = None):
    f, h, u, fa, buf, W = ACTIVATIONS[cell.activation], work.h, work.zones.u, work.zones.fa, work.buf, p["W"]
    if rng is None:
        u[...] = 1 - cell.zoneout
    else:
        dropout_mask(cell.zoneout, rng, u, of="inputs", axis=1)
        np.greater(u, 0, out=u, casting="unsafe")
    work.x, h[0] = x, state[0]
    project(x, p["U"], out=fa)
    if cell.bias:
        fa += p["b"]

    def steps(part):  # a part of the B sequences
        for t in range(len(fa)):
            np.dot(h[t, part], W, out=buf[part])
            fa[t, part] += buf[part]
            f.apply(fa[t, part], out=fa[t, part])
            np.subtract(fa[t, part], h[t, part], out=h[t + 1, part])
            h[t + 1, part] *= u[t, part]
            h[t + 1, part] += h[t, part]

    through_time(steps, len(buf), W)
    return h[1:], (h[-1].copy(),)


def _backward(cell: Any, p: Any, g: Any, dy: np.ndarray, dstate: State | None, work: Any, dx: np.ndarray | None = None):
    f, h, da, dh, W, kept = ACTIVATIONS[cell.activation], work.h, work.da, work.dh, p["W"], work.zones.u
    f.slope(work.zones.fa, out=da)
    da *= kept
    np.subtract(1, kept, out=kept)
    dh[...] = 0 if dstate is None else dstate[0]

    def steps(part):
        for t in reversed(range(len(da))):
            dh_t = np.add(dy[t, part], dh[part], out=work.buf[part])  # dL/dh_t: from above and from t+1
            da[t, part] *= dh_t
            np.dot(da[t, part], W.T, out=dh[part])
            dh_t *= kept[t, part]
            dh[part] += dh_t

    through_time(steps, len(dh), W)
    add_product(rows(h[:-1]).T, rows(da), out=g["W"])
    if cell.bias:
        g["b"] += rows(da).sum(axis=0)
    project_backward(work.x, da, p["U"], g["U"], dx)
    return (dh.copy(),)
