"""The training loop: windows -> network -> loss -> update, with validation, and everything a resumed run needs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from rnnlm import config
from rnnlm.config import Duration, option
from rnnlm.errors import NumericalError, UsageError
from rnnlm.nn.heads import Loss
from rnnlm.nn.network import Network
from rnnlm.nn.state import State, rebuilt, transformed
from rnnlm.nn.state import arrays as state_arrays
from rnnlm.text.windows import Batch, Sentences, Stream
from rnnlm.training.checkpoint import Checkpoint
from rnnlm.training.optim import Optimizer, clip_norm, clip_value, gradient_norm
from rnnlm.training.schedule import Schedule

MOST, MOST_RETRIES = 1 << 60, 100  # of what is counted: a checkpoint may come from a stranger
KEEP = 100  # updates between the weights that are kept for divergence to go back to


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
    retries: int = option(
        3, "times that training, when it diverges, goes back to good weights with half the learning rate",
        low=0, high=MOST_RETRIES,
    )  # fmt: skip


@dataclass
class Progress:
    """Where a run stands: all that changes from step to step beside arrays and random streams."""

    epoch: int = option(0, "completed epochs", low=0, high=MOST)
    position: int = option(0, "windows behind us in this epoch", low=0, high=MOST)
    step: int = option(0, "updates", low=0, high=MOST)
    lr: float = option(0.0, "learning rate of the last update", low=0)
    history: list[float] = option(default_factory=list, doc="validation entropies, nats per token")
    nats: float = option(0.0, "training loss since the last validation")
    tokens: float = option(0.0, "its tokens", low=0)
    updates: int = option(0, "updates since the last validation", low=0, high=MOST)
    clipped: int = option(0, "how many of them were clipped", low=0, high=MOST)
    total: float = option(0.0, "tokens trained on", low=0)
    seconds: float = option(0.0, "spent training", low=0)
    halved: int = option(0, "times that divergence halved the learning rate", low=0, high=MOST_RETRIES)
    restart: int = option(0, "the step after which the optimizer's slots started from zero", low=0, high=MOST)
    kept: int | None = option(None, "step of the weights kept since the last divergence", low=0, high=MOST)

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


class Divergence(NamedTuple):
    """A loss, a gradient or a validation entropy that is not finite, and what became of it."""

    epoch: float
    step: int  # updates made before
    what: str  # which numbers were found
    lr: float  # of the step that failed, or that validation looked at
    back: str | None  # to which weights training went; None: there are no retries left
    next_lr: float | None  # from there on; likewise

    def __str__(self) -> str:
        return f"training diverged after {self.step} steps: {self.what}, learning rate {self.lr:.4g}"


class Diverged(NumericalError):
    """The `divergence` after which no retry is left, or is tried."""

    def __init__(self, divergence: Divergence, halved: int):
        times = f" (halved {halved} times)" if halved else ""
        super().__init__(
            f"{divergence}{times}",
            "lower optimizer.lr, or set training.clip_norm (1 is usual); the last checkpoint is untouched",
        )
        self.divergence = divergence


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
        self.recent = self.best.copy()  # the weights of the step `progress.kept`

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

    def run(self) -> Iterator[Update | Validation | Divergence]:
        """Train to the end, reporting each update and each validation. To stop, stop iterating: the state is whole.

        When training diverges it goes back to the weights of at most KEEP updates before, with the optimizer's slots
        and the hidden state at zero and half the learning rate, and on with the same window. If it diverges before new
        ones are kept, those were bad already: then it goes back to the best weights so far, before the first validation
        to the first ones. Raises Diverged after `retries` times.
        """
        progress = self.progress
        if self._due():  # the run was stopped between an update and its validation
            yield from self._retrying(self._validation)
        while not self.finished:
            shuffle = np.random.default_rng([self.seed, 2, progress.epoch])  # a function of the epoch: nothing to save
            clock = time.monotonic()
            for batch in self.reading.batches(progress.position, shuffle):
                for event in self._retrying(partial(self.step, batch)):
                    progress.seconds += time.monotonic() - clock
                    yield event
                    clock = time.monotonic()
                if self._due():
                    yield from self._retrying(self._validation)
                    if self.finished:
                        return
                clock = time.monotonic()

    def _retrying(self, attempt: Callable[[], Update | Validation]) -> Iterator[Update | Validation | Divergence]:
        """What attempt() returns, at last, after the divergences before."""
        while True:
            try:
                result = attempt()
            except Diverged as error:
                if self.progress.halved >= self.settings.retries:
                    raise
                back = self._go_back()
                yield error.divergence._replace(back=back, next_lr=error.divergence.lr / 2)
            else:
                yield result
                return

    def _go_back(self) -> str:
        """To good weights, with half the learning rate; -> which. Losses since the last validation do not count."""
        progress = self.progress
        if progress.kept is None:
            weights, back = self.best, "the best weights"
        else:
            weights, back = self.recent, f"the weights of step {progress.kept}"
        if not self._due():  # there is a step still to come before the next validation
            progress.nats = progress.tokens = 0.0
            progress.updates = progress.clipped = 0
        self.network.params.flat[...] = weights
        for slot in self.slots.values():
            slot[...] = 0
        self.state = transformed(self.state, np.zeros_like)
        progress.halved += 1
        progress.restart, progress.kept = progress.step, None
        return back

    def step(self, batch: Batch) -> Update:
        """One update: forward, backward, clip, step. Raises Diverged on a loss or gradient that is not finite."""
        progress, settings = self.progress, self.settings
        done = progress.step / (settings.epochs * len(self.reading))
        lr = self.optimizer.lr * self.schedule.factor(done, progress.epoch, progress.history) / 2**progress.halved
        loss, self.state = self.network.loss(batch, self.state, self.dropout)
        self.network.backward(batch, 1 / (self.tokens or max(loss.tokens, 1)))
        grad = self.network.grads.trainable
        norm = gradient_norm(grad)
        if not (math.isfinite(loss.nats) and math.isfinite(norm)):
            with np.errstate(over="ignore"):
                weights = math.sqrt(sum(np.square(w, dtype=float).sum() for w in self.network.params.named.values()))
            raise self._diverged(
                f"loss {loss.mean:.4g}, norm of the gradient {norm:.4g}, of the weights {weights:.4g}", lr
            )
        if progress.step % KEEP == 0 and progress.step > progress.restart:  # they have just given a finite loss
            self.recent[...] = self.network.params.flat
            progress.kept = progress.step
        clipped = settings.clip_value is not None and clip_value(grad, settings.clip_value)
        factor = 1.0
        if settings.clip_norm is not None:
            factor = clip_norm(gradient_norm(grad) if clipped else norm, settings.clip_norm)
        progress.step += 1
        t = progress.step - progress.restart
        self.optimizer.step(self.network.params.trainable, grad, lr, t, factor, **self.slots)
        progress.position += 1
        if progress.position == len(self.reading):
            progress.epoch, progress.position = progress.epoch + 1, 0
        progress.lr = lr
        progress.nats += loss.nats
        progress.tokens += loss.tokens
        progress.total += loss.tokens
        progress.updates += 1
        clipped |= factor < 1
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

        Raises Diverged on an entropy that is not finite; the best weights, and the history, are then untouched.
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

    def _diverged(self, what: str, lr: float) -> Diverged:
        progress = self.progress
        epoch = progress.epoch + progress.position / len(self.reading)
        return Diverged(Divergence(epoch, progress.step, what, lr, None, None), progress.halved)

    def save(self) -> dict[str, Any]:
        """The fields of a `Checkpoint` that a resumed run needs, beside the weights."""
        progress = asdict(self.progress) | {"finished": self.finished, "dropout": self.dropout.bit_generator.state}
        best = {} if np.array_equal(self.best, self.network.params.flat) else {"flat": self.best}
        best |= {} if self.progress.kept is None else {"recent": self.recent}
        return {"slots": self.slots, "best": best, "state": list(state_arrays(self.state)), "progress": progress}

    def restore(self, saved: Checkpoint) -> None:
        """Go on where `save` was called under the same configuration. The weights, which are for the caller to set, are
        already those of the checkpoint.

        Raises ValueError when the checkpoint does not fit this trainer; it is then in no state to go on.
        """
        progress = dict(saved.progress)
        progress.pop("finished", None)  # follows from the rest; for readers of the file
        dropout = progress.pop("dropout", None)
        try:
            self.dropout.bit_generator.state = dropout
            self.progress = config.build(Progress, progress)
        except (UsageError, TypeError, KeyError, OverflowError) as error:
            raise ValueError(str(error)) from None
        if self.progress.position >= len(self.reading):
            raise ValueError("position")
        _copy(self.slots, saved.slots)
        self.best[...] = self.network.params.flat
        kept = {} if self.progress.kept is None else {"recent": self.recent}
        _copy(kept | ({"flat": self.best} if "flat" in saved.best else {}), saved.best)
        self.state = self._fitting(saved.state)

    def _fitting(self, arrays: list[np.ndarray]) -> State:
        """The state of these arrays, if it is one that the next batch can go on from."""
        progress = self.progress
        shuffle = np.random.default_rng([self.seed, 2, progress.epoch])
        batch = next(self.reading.batches(progress.position, shuffle))
        B = batch.shape[-1]
        if batch.fresh and arrays:  # which does not look at it
            B = min([*arrays[0].shape[:1], self.reading.batch])
        state = self.network.initial_state(B)
        if [(a.shape, a.dtype) for a in arrays] != [(a.shape, a.dtype) for a in state_arrays(state)]:
            raise ValueError("state")
        return rebuilt(state, iter(arrays))


def _copy(into: dict[str, np.ndarray], arrays: dict[str, np.ndarray]) -> None:
    """Copy the arrays into those of the same names and shapes; ValueError if they are others."""
    if {name: a.shape for name, a in arrays.items()} != {name: a.shape for name, a in into.items()}:
        raise ValueError(", ".join(into))
    for name, array in into.items():
        array[...] = arrays[name]
