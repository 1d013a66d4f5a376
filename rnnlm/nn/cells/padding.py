"""Sequences of a batch that end before the window does: the state after each one's own last step."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnlm.nn.state import State


class Padding:
    """Forward and backward over sequences of which the n-th ends after lengths[n] >= 1 steps.

    Right for cells whose state is their last output, (h,) with y = h. A cell with more in its state has its own.
    """

    def forward_padded(self: Any, p: Any, x: np.ndarray, state: State, work: Any, lengths: np.ndarray | None,
                       rng: np.random.Generator | None = None):  # fmt: skip
        """Map x and a state to y, which means nothing beyond the ends, and the state after each sequence's last step.

        lengths (B,); None: all sequences have T steps.
        """
        y, last = self.forward(p, x, state, work, rng)
        return y, last if lengths is None else (ends(y, lengths),)

    def backward_padded(self: Any, p: Any, g: Any, dy: np.ndarray, dstate: State | None, work: Any,
                        lengths: np.ndarray | None, dx: np.ndarray | None = None):  # fmt: skip
        """Backward of `forward_padded`, as `Cell.backward` is of forward; dy beyond the ends counts as 0."""
        if lengths is not None:
            dy[beyond(lengths, len(dy))] = 0
            if dstate is not None:
                ends_add(dy, lengths, dstate[0])
                dstate = None
        return self.backward(p, g, dy, dstate, work, dx)


class Compound:
    """Forward and backward of cells that are made of cells: they leave padding, and the width of inputs, to those."""

    def workspace(self: Any, T, B, empty):
        return self.workspace_for(None, T, B, empty)

    def forward(self: Any, p, x, state, work, rng=None):
        return self.forward_padded(p, x, state, work, None, rng)

    def backward(self: Any, p, g, dy, dstate, work, dx=None):
        return self.backward_padded(p, g, dy, dstate, work, None, dx)


def beyond(lengths: np.ndarray, T: int) -> np.ndarray:
    """Mask (T, B): True at the steps after the end of each sequence."""
    return np.arange(T)[:, None] >= lengths


def ends(y: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Rows of y (T, B, H) at the last step of each sequence: (B, H), a copy."""
    return y[lengths - 1, np.arange(len(lengths))]


def ends_add(dy: np.ndarray, lengths: np.ndarray, dlast: np.ndarray) -> None:
    """Backward of `ends`: adds dlast (B, H) to dy (T, B, H) at the last steps."""
    dy[lengths - 1, np.arange(len(lengths))] += dlast


def turned(lengths: np.ndarray | None, T: int, B: int) -> np.ndarray:
    """Row numbers (T, B) of the (T B) rows of a batch, for `rows(x)[turned]`: each sequence from its end to its start.

    Steps beyond the end of a sequence stay where they are. Turning twice changes nothing.
    """
    t, lengths = np.arange(T)[:, None], np.full(B, T) if lengths is None else lengths
    return np.where(t < lengths, lengths - 1 - t, t) * B + np.arange(B)
