"""Embedding times input weights of a cell, computed once for each different word of a window."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnnlm.nn.cells.base import Cell, Empty
from rnnlm.nn.parallel import add_product, product
from rnnlm.nn.params import Spec, Views, leaves_of


class Folded:
    """Embedding folded into input weights, U x_t = (E U)[w_t]: the cell reads ids, and looks up rows of E U.

        F = E' U    dU += E'^T dF    dE' += dF U^T    E' (K', D): the rows of E of the K' different words of a window

    A text repeats its words, so the three products with U have fewer rows than the N = T B of the window: half as many
    at K = 10,000 and N = 700 (an LSTM of 400 units: -5 % of a step), K at most (K = 65, H = 512, 64 x 64: -30 %).
    The weights in the place of U are found in the cell's own specs: their shape depends on the width of the input.
    """

    @staticmethod
    def possible(cell: Cell) -> bool:
        """Whether the cell trains its input weights; a reservoir has no gradient for F, and so none for E."""
        found = input_weights(cell).values()
        return bool(found) and all(spec.trainable for spec in found)

    def __init__(self, cell: Cell, K: int, D: int, N: int, empty: Empty):
        most = min(K, N)
        shapes = {name: (most, *spec.shape[1:]) for name, spec in input_weights(cell).items()}
        self.E = empty(most, D)
        self.F = {name: empty(*shape) for name, shape in shapes.items()}
        self.dF = {name: empty(*shape) for name, shape in shapes.items()}

    def forward(self, p: Views, E: np.ndarray, ids: np.ndarray) -> tuple[Views, np.ndarray]:
        """Map the cell's parameters p for vectors, and ids (T, B), to its parameters for ids, and those ids."""
        if len(E) <= ids.size:
            self.words = np.arange(len(E))
        else:
            self.words, ids_of = np.unique(ids.ravel(), return_inverse=True)
            ids = ids_of.reshape(ids.shape)
        n = slice(len(self.words))
        np.take(E, self.words, axis=0, out=self.E[n], mode="clip")
        for name, F in self.F.items():
            product(self.E[n], array(p, name), out=F[n])
        self.p = replaced(p, {name: F[n] for name, F in self.F.items()})
        return self.p, ids

    def gradients(self, g: Views) -> Views:
        """Return memory to which the cell, reading ids, adds its gradients."""
        n = slice(len(self.words))
        for dF in self.dF.values():
            dF[n] = 0
        return replaced(g, {name: dF[n] for name, dF in self.dF.items()})

    def backward(self, p: Views, g: Views, dE: np.ndarray) -> None:
        """Add to g and dE (K, D) what follows from the gradients that the cell has computed. E' is overwritten."""
        n = slice(len(self.words))
        for name, dF in self.dF.items():
            add_product(self.E[n].T, dF[n], out=array(g, name))
        for name, dF in self.dF.items():
            product(dF[n], array(p, name).T, out=self.E[n])
            dE[self.words] += self.E[n]


def input_weights(cell: Cell) -> dict[str, Spec]:
    """Specs of the weights with a row for each component of the input, by name."""
    one, two = (dict(leaves_of(cell.specs(n_in))) for n_in in (1, 2))
    return {name: spec for name, spec in one.items() if spec.shape != two[name].shape}


def array(views: Views, name: str) -> np.ndarray:
    """The array called "cell.W"."""
    for part in name.split("."):
        views = views[part]
    return views  # type: ignore[return-value]


def replaced(views: Views, arrays: Mapping[str, np.ndarray], prefix: str = "") -> Views:
    """Copy of `views` with other arrays in some places, {"cell.W": array}."""
    return Views({
        name: replaced(entry, arrays, f"{prefix}{name}.")
        if isinstance(entry, Views)
        else arrays.get(prefix + name, entry)
        for name, entry in views.items()
    })  # fmt: skip
