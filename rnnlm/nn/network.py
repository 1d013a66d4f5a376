"""A network: a model with its parameters, their gradient, and memory for windows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np

from rnnlm.nn.arena import Arena
from rnnlm.nn.heads import Loss
from rnnlm.nn.models.base import Model
from rnnlm.nn.ops import check_numbers
from rnnlm.nn.parallel import in_parallel
from rnnlm.nn.params import Parameters
from rnnlm.nn.state import State


class Network:
    """Parameters, gradient and workspaces of a model: the only object with memory."""

    def __init__(self, model: Model, vocab: Any, dtype: Any = np.float32, rng: np.random.Generator | None = None):
        """Allocate the parameters; with `rng`, start them."""
        self.model: Any = model  # a `Model`, which may have methods for its own task
        self.vocab = vocab
        self.params = Parameters(model.specs(vocab), dtype, rng)
        self.p = model.tie(self.params)  # as the model's layers see them
        self._grads: Parameters | None = None
        self._arena = Arena(dtype)

    @property
    def grads(self) -> Parameters:
        """Gradient of the last `loss_and_grad`: allocated at the first use, since evaluation needs none."""
        if self._grads is None:
            self._grads = self.params.zeros_like()
        return self._grads

    def initial_state(self, B: int) -> State:
        """State before the first step of B sequences."""
        return self.model.initial_state(B, self.params.flat.dtype)

    def nats(self, batch: Any, state: State, rng: np.random.Generator | None = None) -> tuple[np.ndarray, State]:
        """Return -log p of each target of a batch, (T, B), and the state after the window. Padding counts 0."""
        if batch.fresh:
            state = self.initial_state(batch.shape[-1])
        nats, state = self.model.forward(self.p, batch, state, self._work(*batch.shape), rng)
        if batch.weights is not None:
            nats = nats * batch.weights
        return nats, state

    def loss(self, batch: Any, state: State, rng: np.random.Generator | None = None) -> tuple[Loss, State]:
        """Return the loss of a batch, and the state after it."""
        nats, state = self.nats(batch, state, rng)
        return Loss(float(nats.sum(dtype=np.float64)), batch.tokens), state

    def loss_and_grad(self, batch: Any, state: State, rng: np.random.Generator | None = None) -> tuple[Loss, State]:
        """Return the loss of a batch and the state after it; `grads` is the gradient of the mean over its tokens."""
        loss, state = self.loss(batch, state, rng)
        self.backward(batch, 1 / max(loss.tokens, 1))
        return loss, state

    def backward(self, batch: Any, factor: float = 1.0) -> None:
        """Set `grads` to the gradient of `factor` times the sum of the nats of the batch last run forwards.

        In training, that of the model's `penalties` is in it.
        """
        in_parallel(lambda part: self.grads.flat[part].fill(0), len(self.grads.flat), each=8)
        self.model.backward(self.p, self.model.tie(self.grads), self._scale(batch, factor), self._work(*batch.shape))

    def _scale(self, batch, factor):
        """Return `factor` for every prediction of a batch, and 0 for padding."""
        weights = np.ones(batch.targets.shape) if batch.weights is None else batch.weights
        return weights.astype(self.params.flat.dtype) * factor

    def _work(self, *shape: int) -> Any:
        """Return the workspace for windows of this shape."""
        return self._arena.workspace(shape, lambda empty: self.model.workspace(self.p, *shape, empty))

    def hidden(self, batch: Any) -> np.ndarray:
        """Inputs of the head, (T, B, D'), for the batch last run forwards. A view of the workspace."""
        return self._work(*batch.shape).output.y

    def softmaxes(self, batch: Any) -> list[Any]:
        """The softmaxes of the head for the batch last run forwards: see `rnnlm.nn.heads.Head.softmaxes`."""
        return self.model.head.softmaxes(self._work(*batch.shape).output.head)

    def backward_in_parts(self, batch: Any, factor: float, ready: Callable[[slice], None]) -> None:
        """`backward` that calls `ready` with each part of `grads.trainable` once it is complete.

        The first is the output layer's, whose gradient is there before the recurrence runs backwards; then all others.
        """
        output = self._work(*batch.shape).output
        output.ready = partial(ready, self._output)
        try:
            self.backward(batch, factor)
        finally:
            output.ready = None
        ready(slice(0, self._output.start))

    @cached_property
    def _output(self) -> slice:
        """The output layer's own parameters in the trainable ones: not a table of words that it shares."""
        named, frozen = self.params.named, self.params.frozen
        own = [name for name in named if (name == "P" or name.startswith("head.")) and name not in frozen]
        n = len(self.params.trainable)
        return slice(n - sum(named[name].size for name in own), n)

    def penalties(self, batch: Any) -> float:
        """Return what regularization adds to the sum of the nats of the batch last run forwards: 0 in evaluation."""
        return self.model.penalties(self._scale(batch, 1.0), self._work(*batch.shape))

    def log_probs(self, inputs: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Return log p of every word after each of the ids (T, B), (T, B, K), and the state after the window."""
        return self.model.log_probs(self.p, inputs, state, self._work(*inputs.shape))

    def target_log_probs(self, batch: Any) -> np.ndarray:
        """Return log p of every word or label in the place of each target, (T, B, K), for a model without a state."""
        return self.apply(self.model.target_log_probs, batch.shape, batch)

    def apply(self, part: Callable[..., Any], shape: tuple[int, ...], *arguments: Any) -> Any:
        """Return part(p, *arguments, work): one part of the model, such as its encoder, on a batch of this shape.

        Raises NumericalError when the (first) array that it returns ends, in its last axis, in what is not a number.
        """
        found = part(self.p, *arguments, self._work(*shape))
        first = found[0] if isinstance(found, tuple) else found
        if isinstance(first, np.ndarray):
            check_numbers(first[..., -1])
        return found

    @property
    def workspace_bytes(self) -> int:
        """Bytes of the activations of the largest batch so far."""
        return self._arena.nbytes
