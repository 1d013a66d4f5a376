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
from rnnlm.nn.cells.padding import beyond, ends, ends_add
from rnnlm.nn.params import Specs
from rnnlm.nn.state import State

Empty = Callable[..., np.ndarray]  # empty(T, B, H): an uninitialised array in the network's memory


class Cell(Choice, default="vanilla"):
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

    # --- sequences that end before the window does: right where the state is the last output alone, (h,) with y = h ---

    def forward_padded(self, p: Any, x: np.ndarray, state: State, work: Any, lengths: np.ndarray | None,
                       rng: np.random.Generator | None = None):  # fmt: skip
        """Map x and a state to y, which means nothing beyond the ends, and the state after each sequence's last step.

        lengths (B,), at least 1; None: all sequences have T steps.
        """
        y, last = self.forward(p, x, state, work, rng)
        return y, last if lengths is None else (ends(y, lengths),)

    def backward_padded(self, p: Any, g: Any, dy: np.ndarray, dstate: State | None, work: Any,
                        lengths: np.ndarray | None, dx: np.ndarray | None = None):  # fmt: skip
        """Backward of `forward_padded`; dy beyond the ends counts as 0."""
        if lengths is not None:
            dy[beyond(lengths, len(dy))] = 0
            if dstate is not None:
                ends_add(dy, lengths, dstate[0])
                dstate = None
        return self.backward(p, g, dy, dstate, work, dx)

    # --- for `rnnlm.nn.watch`: right where the output is the first array of the state ---

    memory: ClassVar[tuple[str, ...]] = ()  # names of the arrays of the state behind the first

    def whole_error(self, dy: np.ndarray, state: State, dstate: State | None) -> np.ndarray:
        """Whole dL/dy_t (B, n_out) of one step, from dy, that by the output alone, and dstate, by the state after it.

        dstate None: no later step.
        """
        return dy.copy() if dstate is None else dy + dstate[0]


class Compound(Cell):
    """A cell made of cells, to which it leaves padding and the width of inputs. It has the methods with these alone."""

    def workspace(self, T, B, empty):
        return self.workspace_for(None, T, B, empty)

    def forward(self, p, x, state, work, rng=None):
        return self.forward_padded(p, x, state, work, None, rng)

    def backward(self, p, g, dy, dstate, work, dx=None):
        return self.backward_padded(p, g, dy, dstate, work, None, dx)
