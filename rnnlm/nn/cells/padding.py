"""Sequences of a batch that end before the window does, the n-th after lengths[n] >= 1 steps."""

from __future__ import annotations

import numpy as np


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
