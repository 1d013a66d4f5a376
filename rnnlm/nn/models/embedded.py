"""Embedding and recurrent cell: token ids in, hidden vectors out. Part of every model."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from rnnlm.nn.cells.base import Cell, Empty
from rnnlm.nn.dropout import Dropout, add_noise
from rnnlm.nn.initializers import Init, Vectors
from rnnlm.nn.models.folded import Folded
from rnnlm.nn.ops import project, project_backward
from rnnlm.nn.params import Spec, Specs
from rnnlm.nn.state import State, transformed


@dataclass(frozen=True)
class Embedded:
    """Embedding and cell: x_t = [E[w_t]; c],  h_t, s_t = cell(x_t, s_{t-1}).

    Without an embedding E (K, D), the ids are one-hot input.
    c (B, C) is a vector next to every word vector. `dropout` drops components of the word vectors, the same ones in all
    steps of a window (locked); `dropout_words` drops whole rows of E (Gal & Ghahramani 2016); `noise` adds Gaussian
    noise, new for every token. Without all these, c and `skip`, E and the cell's input weights are multiplied once for
    each different word: see `Folded`.
    """

    cell: Cell
    embedding: int | None  # D
    init_E: Init
    dropout: float = 0.0
    dropout_words: float = 0.0
    noise: float = 0.0  # standard deviation
    context: int = 0  # C
    skip: bool = False  # the model reads x, too: it finds it in work.skipped, and passes its gradient to `backward`

    def table(self, vocab: Any) -> Specs:
        """The embedding E of a vocabulary, if there is one."""
        if self.embedding is None:
            return {}
        start = self.init_E.for_words(vocab.words)
        return {"E": Spec((len(vocab), self.embedding), start, trainable=not self.init_E.frozen)}

    def specs(self, vocab: Any, own_E: bool = True) -> Specs:
        """Parameters for a vocabulary; without `own_E`, E is a parameter of the model around it."""
        n_in = len(vocab) if self.embedding is None else self.embedding + self.context
        return {**(self.table(vocab) if own_E else {}), "cell": self.cell.specs(n_in)}

    def workspace(self, p: Any, T: int, B: int, empty: Empty) -> Any:
        """Memory for windows of T steps."""
        D, C = self.embedding or 0, self.context
        masked, K = bool(self.dropout or self.dropout_words or self.noise), len(p["E"]) if D else 0
        # One step repeats too few words to be worth folding.
        folds = D and not (C or self.skip) and T > 1 and Folded.possible(self.cell)
        n_in = D + C if D and (masked or not folds) else None  # None: the cell reads ids
        x = None if n_in is None else empty(T, B, n_in)
        return SimpleNamespace(
            cell=self.cell.workspace_for(n_in, T, B, empty),
            words=Dropout(self.dropout_words, (K, 1), empty),  # drops whole rows of E
            components=Dropout(self.dropout, (B, D), empty, "inputs"),
            x=x,  # inputs of the cell
            dx=None if n_in is None else empty(T, B, n_in),
            skipped=x if self.skip else None,
            folded=Folded(self.cell, K, D, T * B, empty) if folds else None,  # no x is needed, except under a mask
        )

    def forward(self, p: Any, ids: np.ndarray, state: State, work: Any, lengths: np.ndarray | None = None,
                c: np.ndarray | None = None, rng: np.random.Generator | None = None):  # fmt: skip
        """Map ids (T, B), of which sequence n has lengths[n], to h (T, B, H) and the state after each one's end."""
        work.ids, work.lengths, cell, x = ids, lengths, p["cell"], ids
        drops_words, drops_components = work.words.draw(rng), work.components.draw(rng)
        noisy = bool(self.noise) and rng is not None
        work.looked_up = work.folded is not None and not (drops_words or drops_components or noisy)
        if work.looked_up:
            cell, x = work.folded.forward(cell, p["E"], ids)
        elif self.embedding is not None:
            x, E = work.x, work.x[:, :, : self.embedding]
            project(ids, p["E"], out=E)
            if noisy:
                add_noise(self.noise, rng, out=E)
            if drops_words:
                E *= work.words.mask[ids]
            if drops_components:
                E *= work.components.mask
            if self.context:
                x[:, :, self.embedding :] = c
        return self.cell.forward_padded(cell, x, state, work.cell, lengths, rng)

    def backward(self, p: Any, g: Any, dh: np.ndarray, dstate: State | None, work: Any, dskip: Any = None):
        """Return dL/d(first state) and dL/dc (B, C) or None. Adds to g; may overwrite dh.

        dskip (T, B, D): what the other reader of x adds to dL/dx, if there is one (`skip`).
        """
        cell, lengths = self.cell, work.lengths
        if work.looked_up:
            folded, dfolded = work.folded.p, work.folded.gradients(g["cell"])
            first = cell.backward_padded(folded, dfolded, dh, dstate, work.cell, lengths)
            work.folded.backward(p["cell"], g["cell"], g["E"])
            return first, None
        first = cell.backward_padded(p["cell"], g["cell"], dh, dstate, work.cell, lengths, work.dx)
        if self.embedding is None:
            return first, None
        dE = work.dx[:, :, : self.embedding]
        if dskip is not None:
            dE += dskip
        work.components.backward(dE)
        if work.words.on:
            dE *= work.words.mask[work.ids]
        project_backward(work.ids, dE, p["E"], g["E"], None)
        return first, work.dx[:, :, self.embedding :].sum(axis=0) if self.context else None


def check_embedding(model: Any, untied: str = "") -> None:
    """Raise ValueError for an option of a model that needs an embedding where there is none.

    untied: why the model's head cannot be tied to the embedding at all.
    """
    if model.head.tied and untied:
        raise ValueError(f"head.tied: {untied}")
    if getattr(model, "skip", False) and not (model.head.tied or model.embedding in (None, model.cell.n_out)):
        raise ValueError(
            f"skip: y_t = h_t + x_t needs vectors of one size, found {model.cell.n_out} and {model.embedding}; "
            "make them equal, or set head.tied, which projects h_t"
        )
    if model.embedding is None:
        if model.head.tied:
            raise ValueError("head.tied: needs an embedding to share; set model.embedding to its size")
        for name, given in {
            "dropout_words": getattr(model, "dropout_words", 0),
            "dropout_input": model.dropout_input,
            "noise_input": getattr(model, "noise_input", 0),
            "skip": getattr(model, "skip", False),
            "init_E": isinstance(model.init_E, Vectors),
        }.items():
            if given:
                raise ValueError(f"{name}: needs an embedding; set model.embedding to its size")


def widths(cell: Cell) -> State:
    """Widths H of the arrays (B, H) of a cell's state, nested as they are."""
    return transformed(cell.initial_state(1, np.float32), lambda array: array.shape[1])
