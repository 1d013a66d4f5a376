"""The notation of this package, and the protocol of recurrent cells.

    a_t = b + W h_{t-1} + U x_t     before the nonlinearity
    h_t = f(a_t)                    hidden state
    o_t = c + V h_t                 scores (logits) of the words
    p_t = softmax(o_t)              the distribution of the next word
    L   = - sum_t log p_t[y_t]      cross-entropy, in nats

Letters: T time steps, B sequences side by side, H hidden units, D inputs, K words of the vocabulary. The gradient of L
by z is called dz. Arrays are time-major, (T, B, H). Weights are stored (inputs, outputs), so that `x @ U + h @ W + b`
reads in the order of the equation with one row per token; tables of words (E, V, and U under one-hot input) have one
row per word. (Goodfellow, Bengio & Courville, Deep Learning, chapter 10.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from rnnlm.config import Choice
from rnnlm.nn.cells.visible import Visible
from rnnlm.nn.params import Specs
from rnnlm.nn.state import State

Empty = Callable[..., np.ndarray]  # empty(T, B, H): an uninitialised array in the network's memory


class Cell(Visible, Choice, default="vanilla"):
    """Recurrence over a window of T steps: a frozen dataclass of hyperparameters, without weights, state or memory.

    A new kind is one file with a subclass, `class MyCell(Cell, kind="mine")`, one import in `cells/__init__.py` and one
    example in `tests/kinds.py`.
    """

    causal: ClassVar[bool] = True  # y_t depends on x_1 ... x_t only
    size: int  # H

    @property
    def n_out(self) -> int:
        """Width of the outputs y: H, unless a cell has its own."""
        return self.size

    def specs(self, n_in: int) -> Specs:
        """Parameters for inputs of width n_in (the vocabulary's size K where the inputs are ids).

        Arrays whose shape depends on n_in are (n_in, ...), and `project` alone uses them.
        """
        raise NotImplementedError

    def initial_state(self, B: int, dtype: Any) -> State:
        """State before the first step of B sequences: arrays (B, H) in nested tuples; here (h,), zero."""
        return (np.zeros((B, self.n_out), dtype),)

    def workspace(self, T: int, B: int, empty: Empty) -> Any:
        """Memory for windows of T steps: the arrays that forward leaves for backward, and what both write into."""
        raise NotImplementedError

    def workspace_for(self, n_in: int | None, T: int, B: int, empty: Empty) -> Any:
        """Workspace for vectors of width n_in, or for ids (None): for cells made of cells, others need not know."""
        return self.workspace(T, B, empty)

    def forward(self, p: Any, x: np.ndarray, state: State, work: Any, rng: np.random.Generator | None = None):
        """Map x (ids (T, B) or vectors (T, B, D)) and a state to y (T, B, n_out) and the state after the last step.

        y may be a view into `work`, the state is not. With `rng`, masks of dropout are drawn; None means evaluation.
        """
        raise NotImplementedError

    def backward(self, p: Any, g: Any, dy: np.ndarray, dstate: State | None, work: Any, dx: np.ndarray | None = None):
        """Map dL/dy (T, B, n_out) and dL/d(last state) (None: zero) to dL/d(first state).

        Adds the gradient of the parameters to g; writes that of the inputs into dx (T, B, D) unless it is None. Must
        follow the forward that filled `work`; may overwrite dy.
        """
        raise NotImplementedError
