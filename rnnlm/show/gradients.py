"""How an error fades on its way back through time, in any cell.

The error of one output alone, dL_t/dh_t, is sent back k steps: the norm of dL_t/ds_{t-k} over the lag k. (Bengio,
Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnlm.errors import DataError
from rnnlm.nn.cells import Cell, Vanilla
from rnnlm.nn.network import Network
from rnnlm.nn.state import State, arrays, joined
from rnnlm.text.windows import Batch

STEEPEST = {"tanh": 1.0, "relu": 1.0, "sigmoid": 0.25, "identity": 1.0}  # max f'


@dataclass(frozen=True)
class Fading:
    """Norms of the errors of N outputs, at lags k = 0 ... K.

    whole: (K + 1, N), of dL_t/ds_{t-k}, the gradient by the whole state (of an LSTM: h and c).
    hidden: (K + 1, N), of the part of it that belongs to h; None where the state is that of several cells.
    bound: (|W| max f')^k for k = 0 ... K of a vanilla cell, |W| being the largest singular value; otherwise None.
    singular, eigenvalues: of W (H,), the largest first, the latter complex; None for other cells.
    """

    whole: np.ndarray
    hidden: np.ndarray | None
    bound: np.ndarray | None = None
    singular: np.ndarray | None = None
    eigenvalues: np.ndarray | None = None

    @property
    def quartiles(self) -> np.ndarray:
        """Lower quartile, median and upper quartile of |dL_t/ds_{t-k}| / |dL_t/dh_t| over the outputs: (K + 1, 3)."""
        return np.quantile(self.whole / self.whole[0], [0.25, 0.5, 0.75], axis=1).T


def sent_back(cell: Cell, p: Any, g: Any, x: np.ndarray, state: State, dy: np.ndarray) -> State:
    """Gradient of the error of the last output by the first state, for windows x (k, B) or (k, B, D), k >= 1.

    dy (B, n_out) is the error of that output, dL/dy. p holds parameters in float64, and g takes their gradient, which
    is of no interest here; no masks are drawn.
    """
    T, B = x.shape[:2]
    n_in = x.shape[2] if x.ndim == 3 else None
    work = cell.workspace_for(n_in, T, B, lambda *shape: np.empty(shape))
    y, _ = cell.forward(p, x, state, work)
    errors = np.zeros(y.shape)
    errors[-1] = dy
    return cell.backward(p, g, errors, None, work, None if n_in is None else np.empty(x.shape))


def fading(cell: Cell, p: Any, g: Any, x: np.ndarray, dy: np.ndarray, lags: int, positions: int = 64) -> Fading:
    """Norms of the errors of up to `positions` outputs of a sequence, spread over it evenly, at lags 0 ... `lags`.

    p, g: as for `sent_back`. x: ids (T,) or vectors (T, D). dy (T, n_out): error of each output by itself, dL_t/dy_t.
    The sequence starts from the initial state. Raises DataError for a sequence of at most `lags` steps.
    """
    T = len(x)
    if lags >= T:
        raise DataError(f"the text has {T} tokens, expected more than the {lags} lags", "ask for fewer with --lags")
    states = _states(cell, p, x)
    chosen = np.unique(np.linspace(lags, T - 1, min(positions, T - lags)).astype(int))
    chosen = chosen[np.linalg.norm(dy[chosen], axis=1) > 0]
    first = np.linalg.norm(dy[chosen], axis=1)
    whole, hidden = [first], [first]
    for k in range(1, lags + 1):
        windows = np.stack([x[t - k + 1 : t + 1] for t in chosen], axis=1)
        ds = sent_back(cell, p, g, windows, joined([states[t - k + 1] for t in chosen]), dy[chosen])
        whole.append(np.sqrt(sum((np.square(part).sum(axis=1) for part in arrays(ds)), np.zeros(len(chosen)))))
        if ds and isinstance(ds[0], np.ndarray):
            hidden.append(np.linalg.norm(ds[0], axis=1))
    flat = len(hidden) == len(whole)
    return Fading(np.stack(whole), np.stack(hidden) if flat else None, *_matrix(cell, p, lags))


def of_network(network: Network, ids: np.ndarray, start: int, lags: int, positions: int = 64) -> Fading:
    """Fading of the errors of a language model's outputs over token ids (T,), read as one text that follows `start`."""
    model: Any = network.model
    double = Network(model, network.vocab, np.float64)
    double.params.flat[...] = network.params.flat
    targets = ids.astype(np.int32)[:, None]
    inputs = np.concatenate([[[start]], targets[:-1]]).astype(np.int32)
    double.loss(Batch(inputs, targets), None)
    work, scale = double._work(*inputs.shape), np.ones(targets.shape)
    dy = model._output.backward(double.p, double.model.tie(double.grads), scale, work.output)[:, 0].copy()
    x = inputs[:, 0] if model.embedding is None else double.p["E"][inputs[:, 0]]
    return fading(model.cell, double.p["cell"], double.grads["cell"], x, dy, lags, positions)


def _states(cell: Cell, p: Any, x: np.ndarray) -> list[State]:
    """States of one sequence before its first step and after each: T + 1."""
    states = [cell.initial_state(1, np.float64)]
    n_in = x.shape[1] if x.ndim == 2 else None
    work = cell.workspace_for(n_in, 1, 1, lambda *shape: np.empty(shape))
    for t in range(len(x)):
        states.append(cell.forward(p, x[t : t + 1, None], states[-1], work)[1])
    return states


def _matrix(cell: Cell, p: Any, lags: int) -> tuple[Any, Any, Any]:
    """Bound, singular values and eigenvalues of W, of a vanilla cell."""
    if not isinstance(cell, Vanilla):
        return None, None, None
    singular = np.linalg.svd(p["W"], compute_uv=False)
    eigenvalues = np.linalg.eigvals(p["W"])
    factor = cell.zoneout + (1 - cell.zoneout) * singular[0] * STEEPEST[cell.activation]
    return factor ** np.arange(lags + 1), singular, eigenvalues[np.argsort(-np.abs(eigenvalues), kind="stable")]
