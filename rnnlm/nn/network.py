"""A network: the parameters, gradients and workspaces of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnnlm.nn.heads import Loss
from rnnlm.nn.models.base import Model
from rnnlm.nn.ops import check_numbers, in_parallel
from rnnlm.nn.params import Parameters
from rnnlm.nn.state import State


class Network:
    """Parameters, gradients and workspaces of a model: the only object with memory."""

    def __init__(self, model: Model, vocab: Any, dtype: Any = np.float32, rng: np.random.Generator | None = None):
        """Allocate the parameters; with `rng`, start them."""
        self.model, self.vocab = model, vocab
        self.params = Parameters(model.specs(vocab), dtype, rng)
        self._p = model.tie(self.params)
        self._grads: Parameters | None = None
        self._works: dict[tuple[int, ...], Any] = {}
        self._arena = np.empty(0, dtype)

    @property
    def p(self) -> Any:
        """The parameters as the model's layers see them."""
        return self._p

    @property
    def grads(self) -> Parameters:
        """The gradient of the last `loss_and_grad`: allocated at the first use, since evaluation needs none."""
        if self._grads is None:
            self._grads = self.params.zeros_like()
        return self._grads

    @property
    def workspace_bytes(self) -> int:
        """Bytes of the activations of the largest batch so far."""
        return self._arena.nbytes

    def initial_state(self, B: int) -> State:
        """The state before the first step of B sequences."""
        return self.model.initial_state(self._p, B)

    def nats(self, batch: Any, state: State, rng: np.random.Generator | None = None) -> tuple[np.ndarray, State]:
        """-log p of each target of a batch, (T, B), and the state after the window. Padding counts 0."""
        if batch.fresh:
            state = self.initial_state(batch.shape[-1])
        nats, state = self.model.forward(self._p, batch, state, self._work(*batch.shape), rng)
        if batch.weights is not None:
            nats = nats * batch.weights
        return nats, state

    def loss(self, batch: Any, state: State, rng: np.random.Generator | None = None) -> tuple[Loss, State]:
        """The loss of a batch, and the state after it."""
        nats, state = self.nats(batch, state, rng)
        return Loss(float(nats.sum(dtype=np.float64)), batch.tokens), state

    def loss_and_grad(self, batch: Any, state: State, rng: np.random.Generator | None = None) -> tuple[Loss, State]:
        """The same, and in `grads` the gradient of the mean over the batch's tokens."""
        loss, state = self.loss(batch, state, rng)
        self.backward(batch, 1 / max(loss.tokens, 1))
        return loss, state

    def backward(self, batch: Any, factor: float = 1.0) -> None:
        """Put into `grads` the gradient of `factor` times the sum of the nats, of the batch last run forwards."""
        weights = np.ones(batch.targets.shape) if batch.weights is None else batch.weights
        in_parallel(lambda part: self.grads.flat[part].fill(0), len(self.grads.flat), each=8)
        scale = weights.astype(self.params.flat.dtype) * factor
        self.model.backward(self._p, self.model.tie(self.grads), scale, self._work(*batch.shape))

    def hidden(self, batch: Any) -> np.ndarray:
        """(T, B, D'): what the head saw of the batch last run forwards. A view of the workspace."""
        return self.model.hidden(self._work(*batch.shape))

    def log_probs(self, inputs: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Ids (T, B), state -> log p of every word after each of them, (T, B, K), and the state after the window."""
        return self.model.log_probs(self._p, inputs, state, self._work(*inputs.shape))

    def apply(self, part: Callable[..., Any], shape: tuple[int, ...], *arguments: Any) -> Any:
        """part(p, *arguments, work): one part of the model, such as its encoder, on a batch of this shape.

        Raises NumericalError when the (first) array that it returns ends, in its last axis, in what is not a number.
        """
        found = part(self._p, *arguments, self._work(*shape))
        first = found[0] if isinstance(found, tuple) else found
        if isinstance(first, np.ndarray):
            check_numbers(first[..., -1])
        return found

    def _work(self, *shape: int) -> Any:
        """The workspace for windows of this shape. All shapes share one arena: one window is under way at a time."""
        if shape not in self._works:
            sizes: list[int] = []

            def measure(*size):
                sizes.append(int(np.prod(size)))
                return np.empty(size, self._arena.dtype)  # never touched, so never backed by memory

            self.model.workspace(self._p, *shape, measure)
            if sum(sizes) > len(self._arena):
                self._works.clear()
                self._arena = np.empty(sum(sizes), self._arena.dtype)
            used = 0

            def take(*shape):
                nonlocal used
                used += (size := int(np.prod(shape)))
                return self._arena[used - size : used].reshape(shape)

            self._works[shape] = self.model.workspace(self._p, *shape, take)
        return self._works[shape]
