"""The protocol of heads: from hidden vectors to the probabilities of words, and their loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnlm.config import Choice
from rnnlm.nn.cells.base import Empty
from rnnlm.nn.params import Specs
from rnnlm.text.vocab import Vocabulary


class Head(Choice, default="softmax"):
    """Distribution over K words for each row of y (N, D), one row per token."""

    tied: bool = False  # whether V is the table of input embeddings

    def specs(self, n_in: int, vocab: Vocabulary) -> Specs:
        """Parameters for inputs of width n_in."""
        raise NotImplementedError

    def warning(self, vocab: Any) -> str:
        """Warning for the user that this vocabulary makes the head slow or weak; empty if there is none."""
        return ""

    def workspace(self, p: Any, N: int, empty: Empty) -> Any:
        """Memory for what forward leaves for backward, for N tokens."""
        raise NotImplementedError

    def forward(self, p: Any, y: np.ndarray, targets: np.ndarray, work: Any) -> np.ndarray:
        """Return -log p(target), (N,), in nats, for y (N, D) and targets (N,)."""
        raise NotImplementedError

    def backward(self, p: Any, g: Any, scale: np.ndarray, work: Any, dy: np.ndarray) -> None:
        """Gradient of L = sum_n scale_n (-log p(target_n)): adds to g, and writes dL/dy (N, D) into dy."""
        raise NotImplementedError

    def softmaxes(self, work: Any) -> list[Any]:
        """Return the `CrossEntropy` of each softmax of the last forward, in a fixed order; [] if there is none."""
        return []

    def log_probs(self, p: Any, y: np.ndarray) -> np.ndarray:
        """Return log p of every word, (N, K), for y (N, D)."""
        raise NotImplementedError


def log_unigram(counts: np.ndarray) -> np.ndarray:
    """Return log add-one unigram frequencies (K,): training starts from the unigram model, not from ln K."""
    smoothed = counts + 1.0
    return np.log(smoothed / smoothed.sum())
