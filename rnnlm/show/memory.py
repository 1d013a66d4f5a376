"""Memory of recurrent cells: whether they learn the adding problem and the copy problem at growing lag.

Letters: T time steps, B sequences, H hidden units, D inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from rnnlm.nn.cells import GRU, LSTM, Cell, Leaky, Reservoir, Vanilla
from rnnlm.nn.initializers import Chain, Glorot, Identity, Orthogonal, TimeScales, Zeros
from rnnlm.nn.ops import rows
from rnnlm.nn.params import Parameters, Spec
from rnnlm.training.optim import Adam, clip_norm, gradient_norm

BATCH, TEST = 32, 500  # sequences of an update, and of the test whether the problem is solved
EVERY = 50  # updates between tests
SOLVED = 0.1  # error, relative to guessing, below which a problem is solved

CELLS: dict[str, Callable[[int], Cell]] = {  # from the number of units to the cell
    "tanh, orthogonal": lambda H: Vanilla(size=H),
    "tanh, 0.5 orthogonal": lambda H: Vanilla(size=H, init_W=Orthogonal(0.5)),
    "tanh, timescales": lambda H: Vanilla(size=H, init_W=TimeScales()),
    "tanh, chain": lambda H: Vanilla(size=H, init_W=Chain()),
    "relu, identity": lambda H: Vanilla(size=H, activation="relu", init_W=Identity()),
    "leaky, spread": lambda H: Leaky(size=H, alpha=0.1, spread=True),
    "reservoir": lambda H: Reservoir(size=H, spectral_radius=0.99, density=min(1, 5 / H), input_scale=0.1),
    "lstm": lambda H: LSTM(size=H),
    "gru": lambda H: GRU(size=H),
}


class Adding:
    """Adding problem (Hochreiter & Schmidhuber 1997): the sum of the two marked numbers among T = lag.

    x_t = (number, mark), with one mark in each half. Guessing the mean, 1, has a mean square error of 1/6.
    """

    n_in: ClassVar[int] = 2
    n_out: ClassVar[int] = 1
    answers: ClassVar[int] = 1  # steps at the end at which an output is wanted

    def draw(self, lag: int, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Random inputs (T, B, 2) and their sums (1, B)."""
        x, n = np.zeros((lag, B, 2), np.float32), np.arange(B)
        x[..., 0] = rng.random((lag, B))
        marked = rng.integers(0, lag // 2, B), rng.integers(lag // 2, lag, B)
        for t in marked:
            x[t, n, 1] = 1
        return x, sum(x[t, n, 0] for t in marked)[None]

    def gradient(self, o: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Gradient of the mean square error by the outputs o (1, B, 1)."""
        return (2 / o.size) * (o - target[..., None])

    def error(self, o: np.ndarray, target: np.ndarray) -> float:
        """Mean square error, relative to guessing."""
        return float(np.mean((o[..., 0] - target) ** 2)) * 6


class Copy:
    """Copy problem (after Hochreiter & Schmidhuber 1997): repeat three symbols, each one of four, after a long pause.

    The inputs are the symbols, `lag` blanks, and three signals; at each signal one symbol is wanted, in order. Guessing
    is wrong three times in four.
    """

    symbols: ClassVar[int] = 4
    answers: ClassVar[int] = 3
    n_in: ClassVar[int] = symbols + 2  # one-hot: the symbols, the blank, the signal
    n_out: ClassVar[int] = symbols

    def draw(self, lag: int, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Random inputs (3 + lag + 3, B, 6) and their symbols (3, B)."""
        symbols = rng.integers(0, self.symbols, (self.answers, B))
        rest = np.full((lag + self.answers, B), self.symbols)
        rest[lag:] += 1
        return np.eye(self.n_in, dtype=np.float32)[np.concatenate([symbols, rest])], symbols

    def gradient(self, o: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Gradient of the mean cross-entropy by the outputs o (3, B, 4)."""
        p = np.exp(o - o.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        return (p - np.eye(self.symbols, dtype=o.dtype)[target]) / target.size

    def error(self, o: np.ndarray, target: np.ndarray) -> float:
        """Share of wrong symbols, relative to guessing."""
        return float(np.mean(o.argmax(axis=-1) != target)) * self.symbols / (self.symbols - 1)


Task = Adding | Copy
TASKS: dict[str, Task] = {"adding": Adding(), "copy": Copy()}


class Learner:
    """Cell with an output layer o_t = c + V h_t at the last steps."""

    def __init__(self, cell: Cell, task: Task, rng: np.random.Generator, dtype: Any = np.float32):
        self.cell, self.task, self.dtype = cell, task, dtype
        self.p = Parameters(
            {
                "cell": cell.specs(task.n_in),
                "V": Spec((cell.n_out, task.n_out), Glorot()),
                "c": Spec((task.n_out,), Zeros()),
            },
            dtype,
            rng,
        )
        self.g = self.p.zeros_like()
        self._works: dict[tuple[int, int], Any] = {}  # workspaces by (T, B)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Outputs (answers, B, n_out) of the last steps, for inputs x (T, B, D)."""
        T, B, _ = x.shape
        if (T, B) not in self._works:
            self._works[T, B] = self.cell.workspace(T, B, lambda *size: np.empty(size, self.dtype))
        self._work = self._works[T, B]
        state = self.cell.initial_state(B, self.dtype)
        self._y, _ = self.cell.forward(self.p["cell"], x, state, self._work)
        return self._y[-self.task.answers :] @ self.p["V"] + self.p["c"]

    def backward(self, do: np.ndarray) -> None:
        """Backward pass: write the gradient into `g`. do (answers, B, n_out): gradient by the outputs."""
        p, g, answers = self.p, self.g, self.task.answers
        g.flat[...] = 0
        dy = np.zeros_like(self._y)
        dy[-answers:] = do @ p["V"].T
        g["V"] += rows(self._y[-answers:]).T @ rows(do)
        g["c"] += rows(do).sum(axis=0)
        self.cell.backward(p["cell"], g["cell"], dy, None, self._work)


def updates_to_solve(cell: Cell, task: Task, lag: int, most: int, seed: int, lr: float = 1e-2) -> int | None:
    """Number of Adam updates after which a cell solves a task at this lag; None if it does not within `most`."""
    rng = np.random.default_rng([seed, lag])
    learner, optimizer = Learner(cell, task, rng), Adam(lr=lr)
    theta, grad = learner.p.trainable, learner.g.trainable
    slots = {name: np.zeros_like(theta) for name in optimizer.slots}
    test = task.draw(lag, TEST, rng)
    for step in range(1, most + 1):
        x, target = task.draw(lag, BATCH, rng)
        learner.backward(task.gradient(learner.forward(x), target))
        norm = gradient_norm(grad)
        if not np.isfinite(norm):
            return None
        optimizer.step(theta, grad, lr, step, clip_norm(norm, 1.0), (), **slots)
        if step % EVERY == 0 and task.error(learner.forward(test[0]), test[1]) < SOLVED:
            return step
    return None


def sized(make: Callable[[int], Cell], n_in: int, budget: int) -> Cell:
    """Largest cell of a kind with at most `budget` parameters, frozen ones counted."""
    H = 1
    while number_of_parameters(make(H + 1), n_in) <= budget:
        H += 1
    return make(H)


def number_of_parameters(cell: Cell, n_in: int) -> int:
    """Number of parameters of a cell with D = n_in inputs."""
    return Parameters(cell.specs(n_in)).flat.size
