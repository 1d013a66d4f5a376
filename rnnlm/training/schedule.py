"""Learning-rate schedules. The rate is a pure function of the progress, so resuming needs no schedule state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rnnlm.config import Choice, option


class Schedule(Choice, default="cosine"):
    """A factor on the optimizer's learning rate, and when to stop or go back."""

    rolls_back: ClassVar[bool] = False  # whether `roll_back` can be true: the trainer then keeps the best weights
    stopped: ClassVar[str] = ""  # what has happened when `stop` is true, for messages

    def factor(self, done: float, epoch: int, history: Sequence[float]) -> float:
        """The factor of the next update.

        done: share of the planned updates made so far, 0 to 1; epoch: completed epochs; history: validation entropies
        so far, nats per token.
        """
        raise NotImplementedError

    def stop(self, history: Sequence[float]) -> bool:
        """Whether the validation entropies say that training is over."""
        return False

    def roll_back(self, history: Sequence[float]) -> bool:
        """Whether training is to go on from the best weights so far, which undoes what followed them."""
        return False


@dataclass(frozen=True)
class Constant(Schedule, kind="constant"):
    """factor = 1, after a linear warm-up."""

    warmup: float = option(0.0, "share of training in which the rate rises from 0", low=0, below=1)

    def factor(self, done, epoch, history):
        return min(1.0, _ramp(done, self.warmup))


@dataclass(frozen=True)
class Step(Schedule, kind="step"):
    """factor = gamma^(number of steps of `every` epochs since `first`)."""

    first: int = option(1, "epochs at the full rate", low=1)
    every: int = option(1, "epochs between two reductions", low=1)
    gamma: float = option(0.5, "factor of each reduction", above=0, high=1)

    def factor(self, done, epoch, history):
        return self.gamma ** (1 + (epoch - self.first) // self.every) if epoch >= self.first else 1.0


@dataclass(frozen=True)
class Cosine(Schedule, kind="cosine"):
    """factor = last + (1 - last) (1 + cos(pi done)) / 2, after a linear warm-up (Loshchilov & Hutter 2017)."""

    warmup: float = option(0.0, "share of training in which the rate rises from 0", low=0, below=1)
    last: float = option(0.0, "factor at the end", low=0, high=1)

    def factor(self, done, epoch, history):
        if done < self.warmup:
            return _ramp(done, self.warmup)
        share = (done - self.warmup) / (1 - self.warmup)
        return self.last + (1 - self.last) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class Newbob(Schedule, kind="newbob"):
    """Full rate until validation stalls; then multiply by `gamma` at every validation; stop at the second stall.

    A stall is a ratio of entropies, previous best over current, below `ratio`. A validation worse than the best is
    undone (the rule of Mikolov's RNNLM toolkit).
    """

    rolls_back = True
    stopped = "validation has stalled twice"
    ratio: float = option(1.003, "smallest improvement that counts, as a ratio of entropies", low=1)
    gamma: float = option(0.5, "factor of each reduction", above=0, below=1)

    def factor(self, done, epoch, history):
        stalls = self._stalls(history)
        return self.gamma ** (len(history) - stalls[0]) if stalls else 1.0

    def stop(self, history):
        return len(self._stalls(history)) >= 2

    def roll_back(self, history):
        return len(history) > 1 and history[-1] > min(history[:-1])

    def _stalls(self, history):
        """The validations (from 1) that did not improve the best before them by the ratio."""
        return [i for i in range(1, len(history)) if min(history[:i]) < self.ratio * history[i]]


def _ramp(done: float, warmup: float) -> float:
    """0 to 1 through the warm-up; a little above 0 at the very first update."""
    return max(done, 1e-3 * warmup) / warmup if warmup else 1.0
