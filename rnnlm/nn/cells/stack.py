"""Cells on cells: the deep recurrent network."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell, Compound
from rnnlm.nn.dropout import Dropout


@dataclass(frozen=True)
class Stack(Compound, kind="stack"):
    """Deep network: the outputs of each cell are the inputs of the next, x^{l+1}_t = m^l y^l_t.

    The mask m^l drops units between layers; it is the same for all steps of a window (locked dropout: Gal & Ghahramani
    2016).
    """

    cells: list[Cell] = option(doc="from the input upwards")
    dropout: float = option(0.0, "share of units dropped between layers", low=0, below=1)

    def __post_init__(self):
        if not self.cells:
            raise ValueError("cells: expected at least one cell, found none")

    @property
    def causal(self):  # type: ignore[override]
        return all(cell.causal for cell in self.cells)

    @property
    def n_out(self):
        return self.cells[-1].n_out

    def specs(self, n_in):
        widths = [n_in, *(cell.n_out for cell in self.cells)]
        return {f"layer{i}": cell.specs(n) for i, (cell, n) in enumerate(zip(self.cells, widths))}

    def initial_state(self, B, dtype):
        return tuple(cell.initial_state(B, dtype) for cell in self.cells)

    def workspace_for(self, n_in, T, B, empty):
        widths = [cell.n_out for cell in self.cells[:-1]]  # what stands between two cells
        return SimpleNamespace(
            cells=[cell.workspace_for(n, T, B, empty) for cell, n in zip(self.cells, [n_in, *widths])],
            dy=[empty(T, B, n) for n in widths],  # that comes down to each cell but the last
            dropouts=[Dropout(self.dropout, (B, n), empty, "inputs") for n in widths],
            dropped=[empty(T, B, n) if self.dropout else None for n in widths],  # outputs under the mask
        )

    def forward_padded(self, p, x, state, work, lengths, rng=None):
        after = []
        for i, cell in enumerate(self.cells):
            if i:
                x = work.dropouts[i - 1].forward(x, rng, out=work.dropped[i - 1])
            x, last = cell.forward_padded(p[f"layer{i}"], x, state[i], work.cells[i], lengths, rng)
            after.append(last)
        return x, tuple(after)

    def backward_padded(self, p, g, dy, dstate, work, lengths, dx=None):
        before: list[Any] = [None] * len(self.cells)
        for i in reversed(range(len(self.cells))):
            below, name = work.dy[i - 1] if i else dx, f"layer{i}"
            last = None if dstate is None else dstate[i]
            before[i] = self.cells[i].backward_padded(p[name], g[name], dy, last, work.cells[i], lengths, below)
            if i:
                work.dropouts[i - 1].backward(below)
            dy = below
        return tuple(before)
