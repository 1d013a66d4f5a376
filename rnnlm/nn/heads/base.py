"""What stands on top of a network of text: the loss, and the protocol of heads."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from rnnlm.config import Choice
from rnnlm.nn.cells.base import Empty
from rnnlm.nn.params import Specs
from rnnlm.text.vocab import Vocabulary


class Loss(NamedTuple):
    """Cross-entropy of some tokens: addable, so that averages are never averaged."""

    nats: float = 0.0  # sum of -log p over the tokens
    tokens: float = 0.0

    def __add__(self, other):  # type: ignore[override]
        return Loss(self.nats + other.nats, self.tokens + other.tokens)

    @property
    def mean(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def bits(self) -> float:
        """Bits per token."""
        return self.mean / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp(nats per token)."""
        return math.exp(self.mean) if self.mean < 700 else math.inf


class Head(Choice, default="softmax"):
    """A distribution over K words given y (N, D), one row per token."""

    tied: bool = False  # whether V is the table of input embeddings

    def specs(self, n_in: int, vocab: Vocabulary) -> Specs:
        """The parameters for inputs of width n_in."""
        raise NotImplementedError

    def workspace(self, p: Any, N: int, empty: Empty) -> Any:
        """Memory for what forward leaves for backward, for N tokens."""
        raise NotImplementedError

    def forward(self, p: Any, y: np.ndarray, targets: np.ndarray, work: Any) -> np.ndarray:
        """y (N, D), targets (N,) -> -log p(target), (N,), in nats."""
        raise NotImplementedError

    def backward(self, p: Any, g: Any, scale: np.ndarray, work: Any, dy: np.ndarray) -> None:
        """The gradient of L = sum_n scale_n (-log p(target_n)): adds into g, and writes dL/dy (N, D) into dy."""
        raise NotImplementedError

    def log_probs(self, p: Any, y: np.ndarray) -> np.ndarray:
        """y (N, D) -> log p of every word, (N, K)."""
        raise NotImplementedError


def log_unigram(counts: np.ndarray) -> np.ndarray:
    """log of the add-one unigram frequencies (K,), so that training starts from the unigram model and not from ln K."""
    smoothed = counts + 1.0
    return np.log(smoothed / smoothed.sum())
