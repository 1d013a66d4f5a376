"""Truncated backpropagation through time: each output's error is followed back at most k steps."""

from __future__ import annotations

import numpy as np

from rnnlm.nn.ops import rows
from rnnlm.nn.parallel import product


def truncated(k: int, W: np.ndarray, da: np.ndarray, dy: np.ndarray, dh: np.ndarray, delta: np.ndarray) -> None:
    """Errors da_t (T, B, H) of a vanilla cell, and dh (B, H) of the state before the window.

        da_t = sum_{i=0..k} delta^i_t,   delta^0_t = f'(a_t) dy_t,   delta^i_t = f'(a_t) W^T delta^{i-1}_{t+1}

    delta^i_t is the error of output t+i, i steps back (Williams & Peng 1990). One product moves the errors of all
    outputs one step back, so k products do what the textbooks' loop over outputs does in T k small ones.

    da holds f'(a_t) before, da_t after; dh holds the error of the last state before. dy (T, B, H) may be overwritten;
    delta (2, T, B, H) is memory.
    """
    delta, back = delta
    slope = da.copy()
    dy[-1] += dh
    np.multiply(slope, dy, out=delta)
    da[...], dh[...] = delta, 0
    for _ in range(k):
        product(rows(delta), W.T, out=rows(back))
        dh += back[0]  # reaches the state before the window
        np.multiply(back[1:], slope[:-1], out=delta[:-1])
        delta[-1] = 0
        da += delta
