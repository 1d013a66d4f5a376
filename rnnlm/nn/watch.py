"""A network watched while it reads one sequence: its hidden vectors, and the errors that arrive at them.

The cells of a copy of the model, in float64, are replaced by ones that do the same step by step and keep what they
find. So any model can be watched, with any cell in it, and neither knows of it.

Dimension letters: T steps, H hidden units, L leaves and M inner nodes of a tree.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from rnnlm.nn.cells.base import Cell, Compound
from rnnlm.nn.compose.base import Composition
from rnnlm.nn.network import Network
from rnnlm.nn.state import State, arrays


@dataclass
class Seen:
    """Record of one cell over a sequence, in the order of its own time, or of one composition over a tree.

    path    where it is in the model, such as ("cell", "cells", "0")
    h       outputs: (T, H), or (L + M, H) for the nodes of a tree
    memory  further arrays of the state by name, such as "c" of an LSTM, (T, H) each
    dh      dL/dh, from outputs and from later steps or nodes above, in the shape of h; None before the backward pass
    """

    path: tuple[str, ...]
    h: np.ndarray
    memory: dict[str, np.ndarray] = field(default_factory=dict)
    dh: np.ndarray | None = None


class Watch:
    """A copy of a network in float64 that says what its cells do."""

    def __init__(self, network: Network):
        self._seen: list[Seen] = []
        self.network = Network(watched(network.model, self._seen), network.vocab, np.float64)
        self.network.params.flat[...] = network.params.flat

    def read(self, batch: Any, state: State = ()) -> tuple[np.ndarray, State, list[Seen]]:
        """Return -log p of each target of a batch of one sequence, the state after it, and what each cell has done.

        Cells come in the order in which the model runs them; a cell that runs in both directions comes twice.
        """
        self._seen.clear()
        nats, state = self.network.nats(batch, state)
        return nats, state, list(self._seen)

    def errors(self, batch: Any) -> None:
        """Set `dh` of what the last `read` has returned, of the same batch: L is the sum of its nats."""
        self.network.backward(batch)


def watched(part: Any, seen: list[Seen], path: tuple[str, ...] = ()) -> Any:
    """Copy of a model, or of a part of it, whose cells and compositions append what they do to `seen`."""
    changed = {}
    for name in (one.name for one in dataclasses.fields(part)):
        value = getattr(part, name)
        if isinstance(value, (Cell, Composition)):
            changed[name] = watched(value, seen, (*path, name))
        elif isinstance(value, list) and value and isinstance(value[0], Cell):
            changed[name] = [watched(cell, seen, (*path, name, str(i))) for i, cell in enumerate(value)]
    if changed:
        return dataclasses.replace(part, **changed)
    if isinstance(part, Composition):
        return WatchedComposition(part, path, seen)
    return WatchedCell(part, path, seen) if isinstance(part, Cell) else part


@dataclass(frozen=True, eq=False)
class WatchedCell(Compound):
    """A cell that takes one sequence (B = 1) step by step. Outputs and gradients are those of `cell`.

    An error is followed back through all steps, also where the cell itself would follow it for a few only.
    """

    cell: Cell
    path: tuple[str, ...]
    seen: list[Seen]

    @property
    def causal(self):  # type: ignore[override]
        return self.cell.causal

    @property
    def n_out(self):
        return self.cell.n_out

    def specs(self, n_in):
        return self.cell.specs(n_in)

    def initial_state(self, B, dtype):
        return self.cell.initial_state(B, dtype)

    def workspace_for(self, n_in, T, B, empty):
        return SimpleNamespace(step=self.cell.workspace_for(n_in, 1, B, empty), y=empty(T, B, self.n_out))

    def forward_padded(self, p, x, state, work, lengths, rng=None):
        work.x, work.states = x, [state]
        for t in range(len(x)):
            y, state = self.cell.forward(p, x[t : t + 1], state, work.step)
            work.y[t] = y[0]
            work.states.append(state)
        memory = {
            name: np.stack([list(arrays(after))[i][0] for after in work.states[1:]])
            for i, name in enumerate(self.cell.memory, 1)
        }
        work.seen = Seen(self.path, work.y[:, 0].copy(), memory)
        self.seen.append(work.seen)
        return work.y, state

    def backward_padded(self, p, g, dy, dstate, work, lengths, dx=None):
        work.seen.dh = np.empty_like(work.seen.h)
        for t in reversed(range(len(dy))):
            step = slice(t, t + 1)
            self.cell.forward(p, work.x[step], work.states[t], work.step)  # the step's memory as it was
            work.seen.dh[t] = self.cell.whole_error(dy[t], work.states[t + 1], dstate)[0]
            below = None if dx is None else dx[step]
            dstate = self.cell.backward(p, g, dy[step], dstate, work.step, below)
        return dstate


@dataclass(frozen=True, eq=False)
class WatchedComposition(Composition):
    """A composition that keeps the vectors of all nodes and their gradients."""

    compose: Composition
    path: tuple[str, ...]
    seen: list[Seen]

    @property
    def n_out(self):
        return self.compose.n_out

    def specs(self, n_in, onehot):
        return self.compose.specs(n_in, onehot)

    def workspace(self, L, M, empty):
        return self.compose.workspace(L, M, empty)

    def forward(self, p, x, trees, work):
        h = self.compose.forward(p, x, trees, work)
        self.seen.append(Seen(self.path, h.copy()))
        return h

    def backward(self, p, g, dh, trees, work, dx):
        self.compose.backward(p, g, dh, trees, work, dx)
        self.seen[-1].dh = dh.copy()
