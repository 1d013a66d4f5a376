"""Dropout with a mask that stays for a window of T steps, and noise; neither is made at all in evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


class Masks(np.random.Generator):
    """Random numbers for masks and noise. With `rows`, those of some sequences of a batch; others compute the rest.

    rows: how many rows the inputs and the targets of the whole batch have, and which of them are computed here. Numbers
    are drawn for all of them, so that the masks of a sequence do not depend on how many share the batch out.
    strength: the share of every rate that is in force, 0 to 1.
    """

    rows: Mapping[str, tuple[int, slice]] | None = None
    strength = 1.0  # below 1 while dropout grows (Morerio et al. 2017)


class Dropout:
    """Inverted dropout: y = m * x, where m is 0 with the probability `rate` and 1 / (1 - rate) otherwise.

    One mask serves all steps of a window, and each sequence has its own ("locked" or "variational" dropout: Gal &
    Ghahramani 2016). In evaluation, where there is no random generator, and with rate 0, y = x.
    """

    def __init__(self, rate: float, shape: tuple[int, ...], empty: Callable[..., np.ndarray], of: str | None = None):
        """of: the mask has a row for each sequence of "inputs" or "targets"; None: it is one for the whole batch."""
        self.rate, self.on, self.of = rate, False, of  # on: whether x was multiplied by the mask
        self.mask: Any = empty(*shape) if rate else None

    def draw(self, rng: np.random.Generator | None) -> bool:
        """Draw a new mask; False in evaluation and with rate 0, where there is none."""
        self.on = self.mask is not None and rng is not None
        if self.on:
            dropout_mask(self.rate, rng, out=self.mask, of=self.of)
        return self.on

    def forward(self, x: np.ndarray, rng: np.random.Generator | None, out: np.ndarray | None) -> np.ndarray:
        """Return x, or its product with a new mask, which is written into `out`."""
        return np.multiply(x, self.mask, out=out) if self.draw(rng) else x

    def backward(self, dy: np.ndarray) -> None:
        """Turn dL/dy into dL/dx, in place."""
        if self.on:
            dy *= self.mask


def drawn(
    draw: Callable[..., np.ndarray], shape: tuple[int, ...], dtype: Any, of: str | None = None, axis: int = 0
) -> np.ndarray:
    """Random numbers of a shape, draw(shape, dtype), where `draw` is a method of a generator such as `Masks`.

    of: its rows, along `axis`, belong to the sequences of "inputs" or "targets"; None: to the whole batch.
    """
    rows = getattr(getattr(draw, "__self__", None), "rows", None)
    if of is None or rows is None:
        return draw(shape, dtype=dtype)
    number, part = rows[of]
    return draw((*shape[:axis], number, *shape[axis + 1 :]), dtype=dtype)[(slice(None),) * axis + (part,)]


def in_force(rate: float, rng: Any) -> float:
    """The rate, or deviation, with which a generator is to draw now."""
    return rate * rng.strength if isinstance(rng, Masks) else rate


def dropout_mask(rate: float, rng: Any, out: np.ndarray, of: str | None = None, axis: int = 0) -> None:
    """Fill `out` with 0 (probability `rate`) and 1 / (1 - rate), which keeps the mean. of, axis: see `drawn`."""
    rate = in_force(rate, rng)
    np.greater_equal(drawn(rng.random, out.shape, out.dtype, of, axis), rate, out=out, casting="unsafe")
    out /= 1 - rate


def add_noise(deviation: float, rng: Any, out: np.ndarray) -> None:
    """Add Gaussian noise of this standard deviation to `out` (T, B, D); the gradient passes it unchanged."""
    noise = drawn(rng.standard_normal, out.shape, out.dtype, "inputs", axis=1)
    noise *= in_force(deviation, rng)
    out += noise
