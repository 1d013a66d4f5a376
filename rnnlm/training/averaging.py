"""Averaged weights: a mean over updates, which lies deeper in a valley than the weights that wander about it.

Training goes on from the weights themselves. What is validated, sampled from and saved as a model is their mean.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rnnlm.config import Choice, option
from rnnlm.nn.parallel import blocks, in_parallel

PASS = 8  # a pass over one element costs about as much as this many multiply-adds (see `in_parallel`)


class Average(Choice, default="ema"):
    """mean <- mean + share(n) (theta - mean), after the n-th update since the average began; share(1) = 1.

    With share(n) = 1 / n it is the plain mean of all weights since it began.
    """

    def begins(self, done: float, history: Sequence[float]) -> bool:
        """Whether the average begins with the weights after this update.

        done: share of the planned updates made so far, 0 to 1; history: validation entropies so far, nats per token.
        """
        return True

    def share(self, n: int) -> float:
        """Share of the weights after the n-th update, counted from 1, in their average."""
        return 1 / n


@dataclass(frozen=True)
class EMA(Average, kind="ema"):
    """Exponential moving average with a warm-up: share(n) = max(1 - decay, (warmup + 1) / (warmup + n)).

    While it warms up, it is an average over about the last 1 / (warmup + 1) of the updates (Shamir & Zhang 2013), so
    that the start of training is forgotten however short training is.
    """

    decay: float = option(0.999, "share of the average kept at each update, in the end", low=0, below=1)
    warmup: float = option(9.0, "how strongly the decay is warmed up: see share(n); 0: a plain mean at first", low=0)

    def share(self, n):
        return max(1 - self.decay, (self.warmup + 1) / (self.warmup + n))


@dataclass(frozen=True)
class Tail(Average, kind="tail"):
    """Mean of the weights after each update of the last part of training (Polyak & Juditsky 1992): share(n) = 1 / n."""

    start: float = option(0.5, "share of training after which the mean begins", low=0, below=1)

    def begins(self, done, history):
        return done > self.start


@dataclass(frozen=True)
class Triggered(Average, kind="triggered"):
    """Mean of all weights since validation stalled: share(n) = 1 / n (NT-ASGD: Merity, Keskar & Socher 2018).

    It has stalled when a validation is no better than the best of those that are more than `patience` before it. For
    a learning rate that stays constant.
    """

    patience: int = option(5, "validations without progress before the mean begins", low=1)

    def begins(self, done, history):
        return len(history) > self.patience and history[-1] >= min(history[: -self.patience])


class Mean:
    """Averaged weights of one training: their rule, and the vector (m,) of their mean."""

    def __init__(self, rule: Average, theta: np.ndarray):
        self.rule, self.weights = rule, np.zeros_like(theta)

    def update(self, theta: np.ndarray, n: int) -> None:
        """Take the weights theta (m,) into the mean, as the n-th, counted from 1."""
        share, mean = self.rule.share(n), self.weights

        def add(part):
            for b in blocks(part, width=2):
                mean[b] += share * (theta[b] - mean[b])

        in_parallel(add, len(theta), each=PASS)

    @contextlib.contextmanager
    def in_place_of(self, theta: np.ndarray) -> Iterator[None]:
        """Let theta (m,) be the mean meanwhile."""
        own = theta.copy()
        theta[...] = self.weights
        try:
            yield
        finally:
            theta[...] = own
