"""Activation regularization: a price on large hidden vectors, and on those that change fast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Penalty:
    """Activation regularization of each token: R_t = ar |y_t|^2 / D + tar |h_t - h_{t-1}|^2 / H.

    y (T, B, D) are the inputs of the head, under their dropout mask; h (T, B, H) the outputs of the cell, of which the
    first in a window has no predecessor. Both terms are means over units, so that `ar` and `tar` do not depend on the
    size of the network, and are added to the nats of the token before these are averaged, so that they do not depend
    on the size of the batch (Merity, McCann & Socher 2017, who use 2 and 1). The loss that is reported is without R.
    """

    ar: float = 0.0
    tar: float = 0.0

    @property
    def on(self) -> bool:
        """Whether there is anything to pay for."""
        return bool(self.ar or self.tar)

    def value(self, y: np.ndarray, h: np.ndarray, scale: np.ndarray) -> float:
        """Return sum_t scale_t R_t, with scale (T, B): 0 for padding."""
        size, change = np.square(y).mean(axis=-1), np.square(np.diff(h, axis=0)).mean(axis=-1)
        return float(self.ar * np.sum(scale * size) + self.tar * np.sum(scale[1:] * change))

    def add_dy(self, y: np.ndarray, scale: np.ndarray, dy: np.ndarray) -> None:
        """Add the gradient of the first term to dy (T, B, D)."""
        if self.ar:
            dy += y * (2 * self.ar / y.shape[-1] * scale)[..., None]

    def add_dh(self, h: np.ndarray, scale: np.ndarray, dh: np.ndarray) -> None:
        """Add the gradient of the second term to dh (T, B, H)."""
        if self.tar:
            change = np.diff(h, axis=0)
            change *= (2 * self.tar / h.shape[-1] * scale[1:])[..., None]
            dh[1:] += change
            dh[:-1] -= change
