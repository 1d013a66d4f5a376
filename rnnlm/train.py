"""The training loop: windows -> network -> loss -> update, with validation, and everything a resumed run needs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from rnnlm import checkpoint
from rnnlm.config import Duration, option
from rnnlm.corpus import Sentences, Stream
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
    validate_every: int | None = option(None, "updates between validations (null: at each epoch's end)", low=1)
    patience: int | None = option(None, "stop after this many validations without a new best (null: never)", low=1)
    save_every: Duration = option(Duration(300.0), "time between checkpoints within an epoch", above=0)
    samples: int = option(2, "lines sampled after each validation", low=0)


@dataclass
class Progress:
    """Where a run stands: all that changes from step to step beside arrays and random streams."""

    epoch: int = 0  # completed epochs
    position: int = 0  # windows behind us in this epoch
    step: int = 0  # updates
    history: list[float] = field(default_factory=list)  # validation entropies, nats per token
    nats: float = 0.0  # training loss since the last validation
    tokens: float = 0.0
    updates: int = 0  # updates since the last validation, and how many of them were clipped
    clipped: int = 0
    total: float = 0.0  # tokens trained on
    seconds: float = 0.0  # spent training
    finished: bool = False

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
    lr: float
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
    ):
        self.network, self.reading, self.optimizer, self.schedule = network, reading, optimizer, schedule
        self.settings, self.validate, self.seed = settings, validate, seed
        self.progress = Progress()
        self.slots = {name: np.zeros_like(network.params.trainable) for name in optimizer.slots}
        self.dropout = np.random.default_rng([seed, 1])
        self.state = network.initial_state(reading.batch)
        self.best = network.params.flat.copy()

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        done = self.progress.step / (self.settings.epochs * len(self.reading))
        return self.optimizer.lr * self.schedule.factor(done, self.progress.epoch, self.progress.history)

    def step(self, batch: Any) -> Update:
        """One update: forward, backward, clip, step. Raises NumericalError on a loss or gradient that is not finite."""
        progress, settings, lr = self.progress, self.settings, self.lr
        loss, self.state = self.network.loss_and_grad(batch, self.state, self.dropout)
        grad = self.network.grads.trainable
        norm = gradient_norm(grad)
        if not (math.isfinite(loss.nats) and math.isfinite(norm)):
            raise NumericalError(
                f"training diverged at step {progress.step + 1} (epoch {progress.epoch + 1}): "
                f"loss {loss.mean:.4g}, gradient norm {norm:.4g}, learning rate {lr:.4g}",
                "lower optimizer.lr, or set training.clip_norm (1 is usual); the last checkpoint is untouched",
            )
        clipped = settings.clip_value is not None and clip_value(grad, settings.clip_value)
        clipped |= settings.clip_norm is not None and clip_norm(grad, settings.clip_norm)
        progress.step += 1
        self.optimizer.step(self.network.params.trainable, grad, lr, progress.step, **self.slots)
        progress.position += 1
        progress.nats += loss.nats
        progress.tokens += loss.tokens
        progress.total += loss.tokens
        progress.updates += 1
        progress.clipped += clipped
        return Update(loss, norm, bool(clipped), lr)

    def run(self) -> Iterator[Update | Validation]:
        """Train to the end, reporting each update and each validation. To stop, stop iterating: the state is whole."""
        progress = self.progress
        while progress.epoch < self.settings.epochs and not progress.finished:
            if self._due():  # a run that was stopped between the update and its validation
                yield self._validation()
            shuffle = np.random.default_rng([self.seed, 2, progress.epoch])  # a function of the epoch: nothing to save
            clock = time.monotonic()
            for batch in self.reading.batches(progress.position, shuffle):
                update = self.step(batch)
                progress.seconds += time.monotonic() - clock
                yield update
                if self._due():
                    yield self._validation()
                    if progress.finished:
                        return
                clock = time.monotonic()
            progress.epoch, progress.position = progress.epoch + 1, 0
            if not self.settings.validate_every:
                yield self._validation()
        if progress.updates:
            yield self._validation()
        progress.finished = True

    def _due(self) -> bool:
        """Whether it is time for a validation within the epoch."""
        every, progress = self.settings.validate_every, self.progress
        return bool(every and progress.updates and progress.step % every == 0)

    def _validation(self) -> Validation:
        """Look at the validation text (without one, at the training loss), keep the best weights, and decide."""
        progress, lr = self.progress, self.lr
        train = Loss(progress.nats, progress.tokens)
        valid = self.validate(self.network) if self.validate else train
        progress.history.append(valid.mean)
        best = progress.best == len(progress.history) - 1
        if best:
            self.best[...] = self.network.params.flat
        rolled_back = self.schedule.roll_back(progress.history)
        if rolled_back:
            self.network.params.flat[...] = self.best
        patience = self.settings.patience
        waited = len(progress.history) - 1 - progress.best
        progress.finished = self.schedule.stop(progress.history) or (patience is not None and waited >= patience)
        clipped = progress.clipped / max(progress.updates, 1)
        progress.nats = progress.tokens = 0.0
        progress.updates = progress.clipped = 0
        epoch = progress.epoch + progress.position / len(self.reading)
        return Validation(epoch, progress.step, train, valid, lr, clipped, best, rolled_back, progress.seconds)

    def save(self) -> dict[str, Any]:
        """The fields of a `Checkpoint` that a resumed run needs, beside the weights."""
        progress = asdict(self.progress) | {"dropout": self.dropout.bit_generator.state}
        return {"slots": self.slots, "state": list(leaves(self.state)), "progress": progress}

    def restore(self, saved: checkpoint.Checkpoint, best: dict[str, np.ndarray]) -> None:
        """Go on from a checkpoint of the same configuration, and the best weights so far."""
        progress = dict(saved.progress)
        self.dropout.bit_generator.state = progress.pop("dropout")
        self.progress = Progress(**progress)
        for name, array in self.network.params.named.items():
            array[...] = best[name]
        self.best[...] = self.network.params.flat
        for name, array in self.network.params.named.items():
            array[...] = saved.weights[name]
        for name, slot in self.slots.items():
            slot[...] = saved.slots[name]
        self.state = refill(self.state, iter(saved.state))


def leaves(state: Any) -> Iterator[np.ndarray]:
    """The arrays of a nested state, in order."""
    if isinstance(state, tuple):
        for part in state:
            yield from leaves(part)
    elif state is not None:
        yield state


def refill(state: Any, arrays: Iterator[np.ndarray]) -> Any:
    """A state of the same nesting with other arrays."""
    return tuple(refill(part, arrays) for part in state) if isinstance(state, tuple) else next(arrays)
