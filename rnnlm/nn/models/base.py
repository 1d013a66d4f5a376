"""What a model is, and the network that gives it memory."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from rnnlm.config import Choice
from rnnlm.nn.params import Specs
from rnnlm.nn.state import State


class Model(Choice, default="lm"):
    """A network for a task: it lists its parameters, and runs forwards and backwards over a batch, without memory.

    The reading decides which type of batch that is, and which vocabulary: T and B are its `shape`, more numbers where a
    batch has more lengths than one; (T, B) stands for the shape of its targets, which are (B,) for labels.
    """

    readings: ClassVar[tuple[str, ...]] = ()  # the values of data.reading that it can learn from
    perplexity: ClassVar[str] = "ppl"  # what exp(nats per token) is called
    instead: ClassVar[tuple[str, str]] = ("", "")  # why it is no language model, and which commands it has

    def specs(self, vocab: Any) -> Specs:
        """All parameters, nested as the model's parts are."""
        raise NotImplementedError

    def tie(self, p: Any) -> Any:
        """`p` as the layers see it: where one array has two uses, under both names."""
        return p

    def initial_state(self, p: Any, B: int) -> State:
        """The state before the first step of B sequences."""
        raise NotImplementedError

    def workspace(self, p: Any, *shape: Any) -> Any:
        """workspace(p, T, B, empty): memory for windows of T steps of B sequences."""
        raise NotImplementedError

    def forward(self, p: Any, batch: Any, state: State, work: Any, rng: np.random.Generator | None = None):
        """-> -log p of each target (T, B) in nats, the state after the window. `rng=None` means evaluation."""
        raise NotImplementedError

    def log_probs(self, p: Any, inputs: np.ndarray, state: State, work: Any):
        """Ids (T, B) -> log p of every word after each of them, (T, B, K), and the state after the window."""
        raise NotImplementedError

    def backward(self, p: Any, g: Any, scale: np.ndarray, work: Any) -> None:
        """Adds into g the gradient of sum scale * nats, both (T, B)."""
        raise NotImplementedError

    def hidden(self, work: Any) -> np.ndarray:
        """What the head saw in the last forward: (T, B, D')."""
        raise NotImplementedError
