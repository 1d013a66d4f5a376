"""The gradient check: does backward compute the derivative of the loss that forward computes?

Central differences of fourth order, in float64, are compared with the analytic gradient: element by element, and along
a random direction through each whole array, so that a single wrong element of a large array shows too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from rnnlm.nn.network import Network
from rnnlm.nn.state import State
from rnnlm.text.vocab import SPECIALS, Vocabulary
from rnnlm.text.windows import Batch

# Truncation grows with the step, rounding shrinks with it, and a kink (of ReLU) spoils only the steps that reach
# across: a right gradient is confirmed by one of them, a wrong one is refuted by all.
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)
CONFIRMED = 1e-9  # relative error at which no smaller step is tried


class Check(NamedTuple):
    """Worst disagreement between analytic and numerical derivative in one array."""

    name: str
    shape: tuple[int, ...]
    checked: int  # derivatives compared
    error: float  # relative; inf where one of the two is not finite
    where: str  # the element, as [i, j], or "direction"
    analytic: float
    numeric: float


def check_batch(network: Network, batch: Any, state: State, seed: int = 0, elements: int = 20) -> list[Check]:
    """Check a float64 network's trainable parameters on a batch: one `Check` per array. All masks come from `seed`."""

    def loss() -> float:
        return network.loss(batch, state, np.random.default_rng(seed))[0].nats + network.penalties(batch)

    tokens = network.loss_and_grad(batch, state, np.random.default_rng(seed))[0].tokens
    grads = {name: tokens * mean for name, mean in network.grads.named.items()}
    trained = {name: array for name, array in network.params.named.items() if name not in network.params.frozen}
    return check_arrays(loss, trained, grads, seed, elements)


def check_arrays(
    loss: Callable[[], float],
    arrays: Mapping[str, np.ndarray],
    grads: Mapping[str, np.ndarray],
    seed: int = 0,
    elements: int = 20,
) -> list[Check]:
    """Compare `grads` with the numerical derivatives of loss() by `arrays`, which are float64 and are varied in place.

    In each array, `elements` random elements are checked one by one, as many where `grads` is not zero, and one random
    direction. Errors are relative to the largest of the analytic value, the numeric value and the root mean square of
    the array's analytic gradient: so the rounding of tiny elements does not count, and a zero that is wrong is found.
    An array whose gradient is rightly zero is compared with a thousandth of the root mean square of all.
    """
    rng = np.random.default_rng(seed)
    least = 1e-3 * _rms(np.concatenate([grads[name].ravel() for name in arrays]))
    return [_check(loss, name, array, grads[name], least, rng, elements) for name, array in arrays.items()]


def _check(loss, name, array, grad, least, rng, elements) -> Check:
    order = rng.permutation(array.size)
    busy = order[grad.flat[order] != 0]  # few rows of a large table of words are
    chosen = np.union1d(order[:elements], busy[:elements])
    direction = rng.standard_normal(array.shape)
    direction /= np.linalg.norm(direction)
    places: list[tuple[str, Any, Any]] = [("direction", ..., direction)]
    for index in zip(*np.unravel_index(chosen, array.shape)):
        places.append((f"[{', '.join(map(str, index))}]", index, 1.0))
    floor = max(_rms(grad), least)
    worst = Check(name, array.shape, len(places), -1.0, "", math.nan, math.nan)
    for where, index, along in places:
        analytic = float(np.sum(grad[index] * along))
        errors = {}
        for step in STEPS:
            numeric = _derivative(loss, array, index, along, step)
            errors[_relative_error(analytic, numeric, floor)] = numeric
            if min(errors) < CONFIRMED:
                break
        error = min(errors)
        if error > worst.error:
            worst = worst._replace(error=error, where=where, analytic=analytic, numeric=errors[error])
    return worst


def _derivative(loss, array, index, along, step) -> float:
    """Derivative of the loss by s at array[index] + s along, to fourth order in the step."""
    here = array[index].copy()

    def at(s: float) -> float:
        array[index] = here + s * along
        return loss()

    difference = 8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))
    array[index] = here
    return float(difference / (12 * step))


def _rms(array: np.ndarray) -> float:
    return math.sqrt(np.mean(np.square(array)))


def _relative_error(analytic: float, numeric: float, floor: float) -> float:
    if not (math.isfinite(analytic) and math.isfinite(numeric)):
        return math.inf
    scale = max(abs(analytic), abs(numeric), floor)
    return abs(analytic - numeric) / scale if scale else 0.0


def synthetic_vocab(size: int) -> Vocabulary:
    """A vocabulary of K = `size` words with falling counts."""
    words = [*SPECIALS, *(f"w{i}" for i in range(size - len(SPECIALS)))]
    return Vocabulary(words, [0, *range(size - 1, 0, -1)])


def synthetic_batch(K: int, T: int, B: int, rng: np.random.Generator) -> Batch:
    """T random words of B sequences; the last sequence ends halfway and is padded."""
    inputs, targets = rng.integers(0, K, (2, T, B), dtype=np.int32)
    targets[0, 0] = K - 1  # the rarest, whose cluster would seldom be opened by chance
    weights = np.ones((T, B), np.float32)
    weights[(T + 1) // 2 :, -1] = 0
    return Batch(inputs, targets, weights=weights)
