"""Operations that layers share, each with its backward: a product with the inputs, and the activations.

Letters: T time steps, B sequences, N = T B rows, D inputs, H outputs. Arrays are time-major, (T, B, H).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rnnlm.errors import NumericalError
from rnnlm.nn.parallel import add_product, product, scatter_add


def rows(x: np.ndarray) -> np.ndarray:
    """View of x (T, B, D) as (T B, D): one row per token."""
    return x.reshape(-1, x.shape[-1])


def project(x: np.ndarray, U: np.ndarray, out: np.ndarray) -> None:
    """Product x U for every time step at once. x: ids (T, B), meaning one-hot rows, or vectors (T, B, D)."""
    if x.dtype.kind == "i":
        np.take(U, x, axis=0, out=out, mode="clip")  # clip: with the default mode NumPy buffers the whole output
    else:
        product(rows(x), U, out=rows(out))


def project_backward(x: np.ndarray, da: np.ndarray, U: np.ndarray, dU: np.ndarray, dx: np.ndarray | None) -> None:
    """Backward of a = x U: adds x^T da to dU, and writes da U^T into dx, which is None where x are ids."""
    if x.dtype.kind == "i":
        scatter_add(dU, x.ravel(), rows(da))
    else:
        add_product(rows(x).T, rows(da), out=dU)
    if dx is not None:
        product(rows(da), U.T, out=rows(dx))


class Activation(NamedTuple):
    """An elementwise function f, and its slope f'(a) as a function of the output h = f(a). Both write into `out`."""

    apply: Callable[..., object]  # apply(a, out)
    slope: Callable[..., object]  # slope(h, out)


def _tanh_slope(h, out):  # 1 - h^2
    np.multiply(h, h, out=out)
    np.subtract(1, out, out=out)


def _relu(a, out):
    np.maximum(a, 0, out=out)


def _relu_slope(h, out):
    np.greater(h, 0, out=out, casting="unsafe")


def _sigmoid(a, out):  # (1 + tanh(a / 2)) / 2, since tanh saturates quietly where exp(-a) would overflow
    np.multiply(a, 0.5, out=out)
    np.tanh(out, out=out)
    out += 1
    out *= 0.5


def _sigmoid_slope(h, out):  # h (1 - h)
    np.subtract(1, h, out=out)
    out *= h


def _identity(a, out):
    if out is not a:
        out[...] = a


def _identity_slope(h, out):
    out[...] = 1


ACTIVATIONS = {
    "tanh": Activation(np.tanh, _tanh_slope),
    "relu": Activation(_relu, _relu_slope),
    "sigmoid": Activation(_sigmoid, _sigmoid_slope),
    "identity": Activation(_identity, _identity_slope),
}


def check_numbers(log_p: np.ndarray) -> None:
    """Raise NumericalError if some log-probabilities are NaN, which weights that are too large lead to."""
    if np.isnan(log_p).any():
        raise NumericalError(
            "the model's probabilities: found some that are not numbers, expected that they add up to 1",
            "its weights are too large: train again, with a lower learning rate",
        )
