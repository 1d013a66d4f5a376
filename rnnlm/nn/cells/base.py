"""The notation of this package, and what a recurrent cell is.

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
from rnnlm.nn.params import Specs
from rnnlm.nn.state import State

Empty = Callable[..., np.ndarray]  # empty(T, B, H): an uninitialised array in the network's memory


class Cell(Choice, default="vanilla"):
    """A recurrence over a window of T steps: a frozen dataclass of hyperparameters, without weights, state or memory.

    A new kind is one file with a subclass, `class MyCell(Cell, kind="mine")`, one import in `cells/__init__.py` and one
    example in `tests/kinds.py`.
    """

    causal: ClassVar[bool] = True  # y_t depends on x_1 ... x_t only

    @property
    def n_out(self) -> int:
        """Width H of the outputs y."""
        raise NotImplementedError

    def specs(self, n_in: int) -> Specs:
        """The parameters for inputs of width n_in (the vocabulary's size K where the inputs are ids).

        Arrays whose shape depends on n_in are (n_in, ...), and `project` alone uses them.
        """
        raise NotImplementedError

    def initial_state(self, p: Any, B: int) -> State:
        """The state before the first step of B sequences."""
        raise NotImplementedError

    def workspace(self, p: Any, T: int, B: int, empty: Empty) -> Any:
        """Memory for what forward leaves for backward, for windows of T steps."""
        raise NotImplementedError

    def forward(self, p: Any, x: np.ndarray, state: State, work: Any, rng: np.random.Generator | None = None):
        """x (ids (T, B) or vectors (T, B, D)), state -> y (T, B, n_out), the state after the last step.

        y may be a view into `work`, the state is not. With `rng`, masks of dropout are drawn; None means evaluation.
        """
        raise NotImplementedError

    def backward(self, p: Any, g: Any, dy: np.ndarray, dstate: State | None, work: Any, dx: np.ndarray | None = None):
        """dL/dy (T, B, n_out) and dL/d(last state) (None: zero) -> dL/d(first state).

        Adds the gradient of the parameters into g; writes that of the inputs into dx (T, B, D) if given. Must follow
        the forward that filled `work`; may overwrite dy.
        """
        raise NotImplementedError

    def forward_padded(self, p: Any, x: np.ndarray, state: State, work: Any, lengths: np.ndarray | None,
                       rng: np.random.Generator | None = None):  # fmt: skip
        """Forward over sequences of which the n-th ends after lengths[n] >= 1 steps (None: all after T).

        -> y, which means nothing beyond the ends, and the state after each sequence's own last step. This is right for
        cells whose state is their last output, (h,) with y = h; others have their own, and their own backward.
        """
        y, last = self.forward(p, x, state, work, rng)
        return y, last if lengths is None else (ends(y, lengths),)

    def backward_padded(self, p: Any, g: Any, dy: np.ndarray, dstate: State | None, work: Any,
                        lengths: np.ndarray | None, dx: np.ndarray | None = None):  # fmt: skip
        """The backward of `forward_padded`, as `backward` is forward's; what dy holds beyond the ends counts as 0."""
        if lengths is not None:
            dy[beyond(lengths, len(dy))] = 0
            if dstate is not None:
                ends_add(dy, lengths, dstate[0])
                dstate = None
        return self.backward(p, g, dy, dstate, work, dx)


def beyond(lengths: np.ndarray, T: int) -> np.ndarray:
    """(T, B): True at the steps after the end of each sequence."""
    return np.arange(T)[:, None] >= lengths


def ends(y: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """What stands in y (T, B, H) at the last step of each sequence: (B, H), a copy."""
    return y[lengths - 1, np.arange(len(lengths))]


def ends_add(dy: np.ndarray, lengths: np.ndarray, dlast: np.ndarray) -> None:
    """The backward of `ends`: adds dlast (B, H) to dy (T, B, H) at the last steps."""
    dy[lengths - 1, np.arange(len(lengths))] += dlast
