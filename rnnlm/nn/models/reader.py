"""What the models of the family share: words into hidden vectors, and the state of a cell as one vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnlm.nn.cells.base import Cell
from rnnlm.nn.initializers import Init
from rnnlm.nn.models.folded import Folded
from rnnlm.nn.ops import dropout_mask, project, project_backward
from rnnlm.nn.params import Parameters, Spec
from rnnlm.nn.state import State, transformed


@dataclass
class Work:
    ids: Any  # (T, B)
    lengths: Any  # (B,) None: T
    E: Any  # (T, B, D) the words' vectors
    x: Any  # (T, B, D + C) what the cell sees; None: it reads ids
    dx: Any  # (T, B, D + C)
    dE: Any  # (T, B, D)
    mask_words: Any  # (K, 1)
    mask: Any  # (B, D)
    folded: Any  # E and the cell's U in one: no x is needed, except under a mask
    looked_up: bool  # whether the last forward went that way
    cell: Any


@dataclass(frozen=True)
class Reader:
    """x_t = [E[w_t]; c],  y_t, s_t = cell(x_t, s_{t-1}): without an embedding E (K, D) the ids are one-hot input.

    c (B, C) is a vector that stands beside every word. `dropout` drops components of the words' vectors, the same ones
    in all steps of a window (locked); `dropout_words` drops whole rows of E (Gal & Ghahramani 2016).
    """

    cell: Cell
    embedding: int | None  # D
    init_E: Init
    dropout: float = 0.0
    dropout_words: float = 0.0
    beside: int = 0  # C

    @property
    def _drops(self) -> bool:
        return self.dropout > 0 or self.dropout_words > 0

    def specs(self, K: int, own_E: bool = True) -> dict[str, Any]:
        """The parameters for K words; without `own_E`, the table of words is somebody else's."""
        D = self.embedding
        if D is None:
            return {"cell": self.cell.specs(K)}
        specs = {"E": Spec((K, D), self.init_E)} if own_E else {}
        return {**specs, "cell": self.cell.specs(D + self.beside)}

    def initial_state(self, p: Any, B: int) -> State:
        """The state before the first step of B sequences."""
        return self.cell.initial_state(p["cell"], B)

    def workspace(self, p: Any, T: int, B: int, empty: Any) -> Work:
        """Memory for windows of T steps."""
        D, C = self.embedding, self.beside
        apart = D is not None and C > 0
        folded, x, dx = None, None, None
        if D is not None and not apart and T > 1 and Folded.possible(self.cell):  # one step repeats too few words
            folded = Folded(self.cell, len(p["E"]), D, T * B, empty)
        if D is not None and (folded is None or self._drops):
            x, dx = empty(T, B, D + C), empty(T, B, D + C)
        return Work(
            ids=None, lengths=None, E=empty(T, B, D) if apart else x, x=x, dx=dx, dE=empty(T, B, D) if apart else dx,
            mask_words=empty(len(p["E"]), 1) if self.dropout_words else None,
            mask=empty(B, D) if self.dropout else None,
            folded=folded, looked_up=False, cell=self.cell.workspace(p["cell"], T, B, empty),
        )  # fmt: skip

    def forward(self, p: Any, ids: np.ndarray, state: State, work: Work, lengths: np.ndarray | None = None,
                c: np.ndarray | None = None, rng: np.random.Generator | None = None):  # fmt: skip
        """ids (T, B), of which sequence n has lengths[n], c (B, C) -> y (T, B, H), the state after each one's end."""
        work.ids, work.lengths, x, cell = ids, lengths, ids, p["cell"]
        work.looked_up = work.folded is not None and not (self._drops and rng is not None)
        if work.looked_up:
            cell, x = work.folded.forward(cell, p["E"], ids)
        elif work.x is not None:
            project(ids, p["E"], out=work.E)
            if work.mask_words is not None:
                dropout_mask(self.dropout_words, rng, out=work.mask_words)
                work.E *= work.mask_words[ids]
            if work.mask is not None:
                dropout_mask(self.dropout, rng, out=work.mask)
                work.E *= work.mask
            if work.E is not work.x:
                work.x[:, :, : self.embedding], work.x[:, :, self.embedding :] = work.E, c
            x = work.x
        return self.cell.forward_padded(cell, x, state, work.cell, lengths, rng)

    def backward(self, p: Any, g: Any, dy: np.ndarray, dstate: State | None, work: Work):
        """-> dL/d(first state), dL/dc (B, C) or None. Adds into g; may overwrite dy."""
        if work.looked_up:
            folded, dfolded = work.folded.p, work.folded.gradients(g["cell"])
            first = self.cell.backward_padded(folded, dfolded, dy, dstate, work.cell, work.lengths)
            work.folded.backward(p["cell"], g["cell"], g["E"])
            return first, None
        first = self.cell.backward_padded(p["cell"], g["cell"], dy, dstate, work.cell, work.lengths, work.dx)
        if work.dx is None:
            return first, None
        dc = None
        if work.dE is not work.dx:
            work.dE[...] = work.dx[:, :, : self.embedding]
            dc = work.dx[:, :, self.embedding :].sum(axis=0)
        if work.mask is not None:
            work.dE *= work.mask
        if work.mask_words is not None:
            work.dE *= work.mask_words[work.ids]
        project_backward(work.ids, work.dE, p["E"], g["E"], None)
        return first, dc


def widths(cell: Cell) -> State:
    """How wide the parts of a cell's state are, nested as they are: only a state can say."""
    one = cell.initial_state(Parameters(cell.specs(1)), 1)
    return transformed(one, lambda array: array.shape[1])
