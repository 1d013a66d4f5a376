"""The training loop: windows -> network -> loss -> update, with validation, and everything a resumed run needs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from rnnlm.cells.base import State
from rnnlm.checkpoint import Checkpoint
from rnnlm.config import Duration, option
from rnnlm.corpus import Batch, Sentences, Stream
from rnnlm.errors import NumericalError
from rnnlm.heads import Loss
from rnnlm.models.base import Network
from rnnlm.optim import Optimizer, clip_norm, clip_value, gradient_norm
from rnnlm.schedule import Schedule


@dataclass(frozen=True)
class Training:
    """How long, in which pieces, and how carefully."""

    epochs: int = option(10, "passes over the training text", low=1)
    batch: int = option(20, "B, sequences side by side", low=1)
    window: int = option(35, "T, steps of a window of the stream, through which errors are followed back", low=1)
    clip_norm: float | None = option(None, "longest gradient, by Euclidean norm (null: no limit)", above=0)
    clip_value: float | None = option(None, "largest element of a gradient (null: no limit)", above=0)
    validate_every: int | None = option(
        None, "updates between validations, of which the last in an epoch is at its end (null: that one alone)", low=1
    )
    patience: int | None = option(None, "stop after this many validations without a new best (null: never)", low=1)
    save_every: Duration = option(Duration(300.0), "time between checkpoints within an epoch", above=0)
    samples: int = option(2, "lines sampled after each validation", low=0)


@dataclass
class Progress:
    """Where a run stands: all that changes from step to step beside arrays and random streams."""

    epoch: int = 0  # completed epochs
    position: int = 0  # windows behind us in this epoch
    step: int = 0  # updates
    lr: float = 0.0  # learning rate of the last update
    history: list[float] = field(default_factory=list)  # validation entropies, nats per token
    nats: float = 0.0  # training loss since the last validation
    tokens: float = 0.0
    updates: int = 0  # updates since the last validation, and how many of them were clipped
    clipped: int = 0
    total: float = 0.0  # tokens trained on
    seconds: float = 0.0  # spent training

    @property
    def best(self) -> int:
        """The number of the best validation, from 0; -1 before the first."""
        return int(np.argmin(self.history)) if self.history else -1


class Update(NamedTuple):
    """One step of training."""

    loss: Loss
    norm: float  # of the gradient before clipping
    clipped: bool
    lr: float


class Validation(NamedTuple):
    """A look at the validation text."""

    epoch: float  # passes made, with a fraction within an epoch
    step: int
    train: Loss  # mean over the steps since the last look, dropout included
    valid: Loss
    lr: float  # of the last step
    clipped: float  # share of clipped steps since the last look
    best: bool
    rolled_back: bool
    seconds: float


class Trainer:
    """Trains a network in place. All state is in attributes; `save` and `restore` make a run resumable bit for bit."""

    def __init__(
        self,
        network: Network,
        reading: Stream | Sentences,
        optimizer: Optimizer,
        schedule: Schedule,
        settings: Training,
        validate: Callable[[Network], Loss] | None,
        seed: int,
        tokens: float | None = None,
    ):
        """validate: the loss of a network on the validation text; None: the training loss decides instead.

        tokens: of an average batch, where batches differ in size. The gradient of a batch, which is that of its mean
        loss, is then weighted by its size, or else the words of short sentences would count for more than others.
        """
        self.network, self.reading, self.optimizer, self.schedule = network, reading, optimizer, schedule
        self.settings, self.validate, self.seed, self.tokens = settings, validate, seed, tokens
        self.progress = Progress()
        self.slots = {name: np.zeros_like(network.params.trainable) for name in optimizer.slots}
        self.dropout = np.random.default_rng([seed, 1])
        self.state = network.initial_state(reading.batch)
        self.best = network.params.flat.copy()  # the weights of the best validation so far

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do: all epochs are over, or validation says that it is enough."""
        progress, patience = self.progress, self.settings.patience
        waited = len(progress.history) - 1 - progress.best
        return not self._due() and (
            progress.epoch >= self.settings.epochs
            or self.schedule.stop(progress.history)
            or (patience is not None and waited >= patience)
        )

    def run(self) -> Iterator[Update | Validation]:
        """Train to the end, reporting each update and each validation. To stop, stop iterating: the state is whole.

        Raises NumericalError when training diverges.
        """
        progress = self.progress
        if self._due():  # the run was stopped between an update and its validation
            yield self._validation()
        while not self.finished:
            shuffle = np.random.default_rng([self.seed, 2, progress.epoch])  # a function of the epoch: nothing to save
            clock = time.monotonic()
            for batch in self.reading.batches(progress.position, shuffle):
                update = self.step(batch)
                progress.seconds += time.monotonic() - clock
                yield update
                if self._due():
                    yield self._validation()
                    if self.finished:
                        return
                clock = time.monotonic()

    def step(self, batch: Batch) -> Update:
        """One update: forward, backward, clip, step. Raises NumericalError on a loss or gradient that is not finite."""
        progress, settings = self.progress, self.settings
        done = progress.step / (settings.epochs * len(self.reading))
        lr = self.optimizer.lr * self.schedule.factor(done, progress.epoch, progress.history)
        loss, self.state = self.network.loss_and_grad(batch, self.state, self.dropout)
        grad = self.network.grads.trainable
        if self.tokens is not None:
            grad *= loss.tokens / self.tokens
        norm = gradient_norm(grad)
        if not (math.isfinite(loss.nats) and math.isfinite(norm)):
            raise self._diverged(f"loss {loss.mean:.4g}, gradient norm {norm:.4g}", lr)
        clipped = settings.clip_value is not None and clip_value(grad, settings.clip_value)
        clipped |= settings.clip_norm is not None and clip_norm(grad, settings.clip_norm)
        progress.step += 1
        self.optimizer.step(self.network.params.trainable, grad, lr, progress.step, **self.slots)
        progress.position += 1
        if progress.position == len(self.reading):
            progress.epoch, progress.position = progress.epoch + 1, 0
        progress.lr = lr
        progress.nats += loss.nats
        progress.tokens += loss.tokens
        progress.total += loss.tokens
        progress.updates += 1
        progress.clipped += clipped
        return Update(loss, norm, clipped, lr)

    def _due(self) -> bool:
        """Whether it is time for a validation.

        That is at an epoch's end, and `validate_every` updates after the last one if so many are left in the epoch: a
        shorter stretch could not improve as much as the others, which the rules that stop training would misread.
        """
        position, every = self.progress.position, self.settings.validate_every
        left = len(self.reading) - position
        within = every is not None and position % every == 0 and left >= every
        return self.progress.updates > 0 and (position == 0 or within)

    def _validation(self) -> Validation:
        """Look at the validation text, keep the best weights, or go back to them if the schedule says so.

        Raises NumericalError on an entropy that is not finite; the best weights, and the history, are then untouched.
        """
        progress = self.progress
        train = Loss(progress.nats, progress.tokens)
        valid = self.validate(self.network) if self.validate else train
        if not math.isfinite(valid.mean):
            raise self._diverged(f"validation entropy {valid.mean:.4g}", progress.lr)
        progress.history.append(valid.mean)
        best = progress.best == len(progress.history) - 1
        if best:
            self.best[...] = self.network.params.flat
        rolled_back = self.schedule.roll_back(progress.history)
        if rolled_back:
            self.network.params.flat[...] = self.best
        clipped = progress.clipped / max(progress.updates, 1)
        progress.nats = progress.tokens = 0.0
        progress.updates = progress.clipped = 0
        epoch = progress.epoch + progress.position / len(self.reading)
        return Validation(epoch, progress.step, train, valid, progress.lr, clipped, best, rolled_back, progress.seconds)

    def _diverged(self, what: str, lr: float) -> NumericalError:
        return NumericalError(
            f"training diverged after {self.progress.step} steps: {what}, learning rate {lr:.4g}",
            "lower optimizer.lr, or set training.clip_norm (1 is usual); the last checkpoint is untouched",
        )

    def save(self) -> dict[str, Any]:
        """The fields of a `Checkpoint` that a resumed run needs, beside the weights."""
        progress = asdict(self.progress) | {"finished": self.finished, "dropout": self.dropout.bit_generator.state}
        return {"slots": self.slots, "state": list(leaves(self.state)), "progress": progress}

    def restore(self, saved: Checkpoint) -> None:
        """Go on where `save` was called under the same configuration. Weights and `best` are for the caller to set."""
        progress = dict(saved.progress)
        del progress["finished"]  # follows from the rest; for readers of the file
        self.dropout.bit_generator.state = progress.pop("dropout")
        self.progress = Progress(**progress)
        for name, slot in self.slots.items():
            slot[...] = saved.slots[name]
        self.state = refill(self.state, iter(saved.state))


def leaves(state: State) -> Iterator[np.ndarray]:
    """The arrays of a nested state, in order."""
    if isinstance(state, tuple):
        for part in state:
            yield from leaves(part)
    else:
        yield state


def refill(state: State, arrays: Iterator[np.ndarray]) -> State:
    """A state of the same nesting with other arrays."""
    return tuple(refill(part, arrays) for part in state) if isinstance(state, tuple) else next(arrays)
