"""Where a training stands: its counters, its reports, and how it is saved and restored bit for bit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnnlm import config
from rnnlm.config import option
from rnnlm.errors import NumericalError, UsageError
from rnnlm.nn.heads import Loss
from rnnlm.nn.state import State, arrays, rebuilt, transformed

if TYPE_CHECKING:
    from rnnlm.training.checkpoint import Checkpoint
    from rnnlm.training.trainer import Trainer

MOST, MOST_RETRIES = 1 << 60, 100  # limits of what is counted: a checkpoint may come from a stranger


@dataclass
class Stretch:
    """Sums over the updates since the last line of log.jsonl about updates."""

    updates: int = option(0, "their number", low=0, high=MOST)
    nats: float = option(0.0, "training loss")
    tokens: float = option(0.0, "tokens trained on", low=0)
    norm: float = option(0.0, "norms of the gradients", low=0)
    clipped: int = option(0, "updates that were clipped", low=0, high=MOST)

    def count(self, update: Update) -> None:
        """Add an update."""
        self.updates += 1
        self.nats += update.loss.nats
        self.tokens += update.loss.tokens
        self.norm += update.norm
        self.clipped += update.clipped


@dataclass
class Progress:
    """Where a run stands: everything that changes from step to step, except arrays and random streams."""

    epoch: int = option(0, "completed epochs", low=0, high=MOST)
    position: int = option(0, "windows read in this epoch", low=0, high=MOST)
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
    averaged: int = option(0, "updates in the mean of the weights", low=0, high=MOST)
    unlogged: Stretch = option(default_factory=Stretch, doc="updates since the last line about updates")

    @property
    def best(self) -> int:
        """The number of the best validation, from 0; -1 before the first."""
        return int(np.argmin(self.history)) if self.history else -1

    def count(self, update: Update, windows: int) -> None:
        """Add an update to the counters; `windows`: how many windows an epoch has."""
        self.position += 1
        if self.position == windows:
            self.epoch, self.position = self.epoch + 1, 0
        self.lr = update.lr
        self.nats += update.loss.nats
        self.tokens += update.loss.tokens
        self.total += update.loss.tokens
        self.updates += 1
        self.clipped += update.clipped
        self.unlogged.count(update)

    def start_stretch(self) -> None:
        """Forget the sums since the last validation: another one has been made."""
        self.nats = self.tokens = 0.0
        self.updates = self.clipped = 0


# --- what a training reports ---


class Update(NamedTuple):
    """One step of training."""

    loss: Loss
    norm: float  # of the gradient before clipping
    clipped: bool
    lr: float


class Validation(NamedTuple):
    """A measurement on the validation text."""

    epoch: float  # passes made, with a fraction within an epoch
    step: int
    train: Loss  # mean over the steps since the last validation, dropout included
    valid: Loss
    lr: float  # of the last step
    clipped: float  # share of clipped steps since the last validation
    best: bool
    rolled_back: bool
    seconds: float
    samples: tuple[str, ...] = ()  # lines drawn from the model, where a run directory is kept


class End(NamedTuple):
    """Why training is over."""

    reason: str
    option: str | None  # a larger value of it lets training go on; None: --resume cannot change the rule


class Divergence(NamedTuple):
    """A loss, a gradient or a validation entropy that is not finite; also a line of log.jsonl, with the same keys."""

    epoch: float  # passes over the training text before it, with a fraction within an epoch
    step: int  # updates before it
    lr: float  # learning rate of the update that failed, or of the last one before the validation
    diverged: str  # which numbers were found: the loss, and the norms of the gradient and of the weights
    back: str | None = None  # to which weights training went; None: no retry is left, and training ends
    next_lr: float | None = None  # learning rate from there on; None likewise

    def __str__(self) -> str:
        return f"training diverged after {self.step} steps: {self.diverged}, learning rate {self.lr:.4g}"


class Diverged(NumericalError):
    """Training diverged; `divergence` says where, and at which numbers."""

    def __init__(self, divergence: Divergence, halved: int):
        times = f" (halved {halved} times)" if halved else ""
        super().__init__(
            f"{divergence}{times}",
            "lower optimizer.lr, or set training.clip_norm (1 is usual)",
        )
        self.divergence = divergence


# --- saving and restoring ---


def save(trainer: Trainer) -> dict[str, Any]:
    """The fields of a `Checkpoint` that a resumed run needs besides the weights: the state of every rank's lanes."""
    progress = asdict(trainer.progress) | {
        "finished": trainer.finished, "dropout": trainer.dropout.bit_generator.state,
    }  # fmt: skip
    here = trainer.best is None or np.array_equal(trainer.best, trainer.network.params.flat)
    best = {} if here else {"flat": trainer.best}
    state = [trainer.shares.gathered(array, trainer.sequences) for array in arrays(trainer.state)]
    return {"slots": _slots(trainer), "best": best, "state": state, "progress": progress}


def restore(trainer: Trainer, saved: Checkpoint) -> None:
    """Go on where `save` was called under the same configuration. The caller sets the weights, before this.

    Raises ValueError when the checkpoint does not fit this trainer, which can then not go on.
    """
    progress = dict(saved.progress)
    for name in ("finished", "logs"):  # the first follows from the rest, and is for readers of the file
        progress.pop(name, None)
    progress.pop("kept", None)  # of checkpoints that hold weights to go back to after divergence
    dropout = progress.pop("dropout", None)
    try:
        trainer.dropout.bit_generator.state = dropout
        trainer.progress = config.build(Progress, progress)
    except (UsageError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(str(error)) from None
    if trainer.progress.position >= len(trainer.reading):
        raise ValueError("position")
    _copy(_slots(trainer), saved.slots)
    best = trainer.network.params.flat.copy()
    found = {name: array for name, array in saved.best.items() if name != "recent"}  # see `kept`
    _copy({"flat": best} if found else {}, found)
    trainer.best = best if trainer.schedule.rolls_back else None
    trainer.state = _fitting(trainer, saved.state)


def start_over(trainer: Trainer) -> None:
    """Set the optimizer's slots, averaged weights and the hidden state to zero, after other weights have been set."""
    for slot in _slots(trainer).values():
        slot[...] = 0
    trainer.progress.averaged = 0
    trainer.state = transformed(trainer.state, np.zeros_like)
    trainer.progress.restart = trainer.progress.step


def _slots(trainer: Trainer) -> dict[str, np.ndarray]:
    """The vectors that are kept between steps: those of the optimizer, and the averaged weights."""
    return trainer.slots if trainer.mean is None else {**trainer.slots, "average": trainer.mean.weights}


def _fitting(trainer: Trainer, saved: list[np.ndarray]) -> State:
    """The hidden state made of these arrays, if the next batch can go on from it."""
    progress = trainer.progress
    batch = next(trainer.reading.batches(progress.position, trainer.shuffle()))
    B = batch.sequences
    if batch.fresh and saved:  # it does not look at the state
        B = min([*saved[0].shape[:1], max(reading.batch for reading in trainer.readings)])
    state = trainer.learner.initial_state(B)
    if [(a.shape, a.dtype) for a in saved] != [(a.shape, a.dtype) for a in arrays(state)]:
        raise ValueError("state")
    trainer.sequences = B
    return trainer.shares.own(rebuilt(state, iter(saved)), B)


def _copy(into: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> None:
    """Copy the arrays into those of the same names and shapes; ValueError if they are others."""
    if {name: a.shape for name, a in found.items()} != {name: a.shape for name, a in into.items()}:
        raise ValueError(", ".join(into))
    for name, array in into.items():
        array[...] = found[name]
