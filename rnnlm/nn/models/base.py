"""The protocol of models."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from rnnlm.config import Choice
from rnnlm.nn.heads import Head
from rnnlm.nn.models.output import Output
from rnnlm.nn.params import Specs
from rnnlm.nn.state import State


class Model(Choice, default="lm"):
    """Network for a task: it lists its parameters, and runs forwards and backwards over a batch, without memory.

    data.reading decides the type of the batch and the vocabulary. T and B are the batch's `shape`, with more numbers
    where a batch has more lengths than one; (T, B) means the shape of its targets, which are (B,) for labels.
    """

    readings: ClassVar[tuple[str, ...]] = ()  # the values of data.reading that it can learn from
    perplexity: ClassVar[str] = "ppl"  # name of exp(nats per token)
    head: Head
    instead: ClassVar[tuple[str, str]] = ("", "")  # why it is no language model, and which commands it has

    @cached_property
    def _output(self) -> Output:
        """The layer behind the hidden vectors."""
        raise NotImplementedError

    def specs(self, vocab: Any) -> Specs:
        """All parameters, nested as the model's parts are."""
        raise NotImplementedError

    def tie(self, p: Any) -> Any:
        """Parameters as the layers see them: an array with two uses is there under both names."""
        return p

    def initial_state(self, B: int, dtype: Any) -> State:
        """State before the first step of B sequences. (): nothing is carried from batch to batch."""
        return ()

    def workspace(self, p: Any, *shape: Any) -> Any:
        """Memory for windows of T steps of B sequences: workspace(p, T, B, empty)."""
        raise NotImplementedError

    def forward(self, p: Any, batch: Any, state: State, work: Any, rng: np.random.Generator | None = None):
        """Return -log p of each target (T, B) in nats, and the state after the window. `rng=None` means evaluation."""
        return self._output.forward(p, self._hidden(p, batch, work, rng), batch.targets, work.output, rng), state

    def target_log_probs(self, p: Any, batch: Any, work: Any) -> np.ndarray:
        """Return log p of every word or label in the place of each target, (T, B, K)."""
        return self._output.log_probs(p, self._hidden(p, batch, work, None), work.output)

    def _hidden(self, p: Any, batch: Any, work: Any, rng: np.random.Generator | None) -> np.ndarray:
        """Return the hidden vector from which each target is predicted, (T, B, H)."""
        raise NotImplementedError

    def log_probs(self, p: Any, inputs: np.ndarray, state: State, work: Any):
        """Return log p of every word after each id of `inputs`, (T, B, K), and the state after the window."""
        raise NotImplementedError

    def backward(self, p: Any, g: Any, scale: np.ndarray, work: Any) -> None:
        """Add to g the gradient of sum scale * nats, both (T, B), and of the `penalties`."""
        raise NotImplementedError

    def penalties(self, scale: np.ndarray, work: Any) -> float:
        """Return what training adds to sum scale * nats of the last forward: regularization, 0 in evaluation."""
        return self._output.penalties(scale, work.output)
