"""A composition: how the vector of a tree's node comes from those of its two children.

Dimension letters: L leaves and M inner nodes of a batch of binary trees, D inputs, H outputs. Nodes 0 ... L-1 are the
leaves, L ... L+M-1 the inner nodes, by rising height, so that children stand before their parents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rnnlm.config import Choice
from rnnlm.nn.params import Specs


class Structure(NamedTuple):
    """The inner nodes of a batch of trees. Nodes of one height know nothing of each other: one product serves them."""

    left: np.ndarray  # (M,) the node that is the left child of each
    right: np.ndarray  # (M,) the right child
    heights: list[slice]  # the inner nodes of height 1, 2, ..., as slices of 0 ... M-1


class Composition(Choice, default="recursive"):
    """Vectors for all nodes of binary trees: a frozen dataclass of hyperparameters, without weights or memory.

    A new kind is one file with a subclass, `class Mine(Composition, kind="mine")`, one import in
    `compose/__init__.py` and one example in `tests/kinds.py`.
    """

    size: int  # H

    @property
    def n_out(self) -> int:
        """Width of a node's vector."""
        return self.size

    def specs(self, n_in: int, onehot: bool) -> Specs:
        """The parameters for leaves of width n_in, or with `onehot` for leaves that are one of n_in words."""
        raise NotImplementedError

    def workspace(self, L: int, M: int, empty: Callable[..., np.ndarray]) -> Any:
        """Memory for what forward leaves for backward."""
        raise NotImplementedError

    def forward(self, p: Any, x: np.ndarray, trees: Structure, work: Any) -> np.ndarray:
        """Leaves x (ids (L,) or vectors (L, D)) -> the vectors h (L + M, H) of all nodes, a view into `work`."""
        raise NotImplementedError

    def backward(self, p: Any, g: Any, dh: np.ndarray, trees: Structure, work: Any, dx: np.ndarray | None) -> None:
        """dL/dh (L + M, H), from the outputs alone -> adds the gradient of the parameters into g.

        Writes the gradient of the leaves into dx (L, D) if given; adds to dh what comes to each node from its parent.
        (Backpropagation through structure: Goller & Küchler 1996.)
        """
        raise NotImplementedError
