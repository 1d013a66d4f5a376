"""The training loop: window -> network -> loss -> backward pass -> clipping -> update, and validation.

`Trainer.step` is one update, `Trainer.run` is the loop. The counters, and how they are saved and restored, are in
`rnnlm.training.progress`; files, and what follows when training diverges, in `rnnlm.training.run`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rnnlm.config import Duration, option
from rnnlm.nn.dropout import Masks
from rnnlm.nn.heads import Loss
from rnnlm.nn.network import Network
from rnnlm.nn.state import taken
from rnnlm.text.windows import Batch, RareAsUnk, Sentences, Stream
from rnnlm.training.optim import Optimizer, clip, gradient_norm
from rnnlm.training.progress import MOST_RETRIES, Diverged, Divergence, Progress
from rnnlm.training.ranks import ALONE, Ranks
from rnnlm.training.schedule import Schedule


@dataclass(frozen=True)
class Training:
    """How long to train, in which pieces, and how carefully."""

    epochs: int = option(10, "passes over the training text", low=1)
    batch: int = option(20, "B, sequences side by side", low=1)
    window: int = option(35, "T, steps of a window of the stream, through which errors are followed back", low=1)
    clip_norm: float | None = option(1.0, "longest gradient, by Euclidean norm (null: no limit)", above=0)
    clip_value: float | None = option(None, "largest element of a gradient (null: no limit)", above=0)
    validate_every: int | None = option(
        None, "updates between validations, of which the last in an epoch is at its end (null: that one alone)", low=1
    )
    patience: int | None = option(None, "stop after this many validations without a new best (null: never)", low=1)
    save_every: Duration = option(Duration(300.0), "time between checkpoints within an epoch", above=0)
    log_every: int | None = option(100, "updates between lines of log.jsonl about updates (null: none)", low=1)
    samples: int = option(2, "lines sampled after each validation", low=0)
    retries: int = option(
        3, "times that training, when it diverges, goes back to a checkpoint with half the learning rate",
        low=0, high=MOST_RETRIES,
    )  # fmt: skip


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


class Trainer:
    """Trains a network in place. `rnnlm.training.progress.save` and `restore` make it resumable bit for bit."""

    def __init__(
        self,
        network: Network,
        reading: Stream | Sentences | RareAsUnk,
        optimizer: Optimizer,
        schedule: Schedule,
        settings: Training,
        validate: Callable[[Network], Loss] | None,
        seed: int,
        tokens: float | None = None,
        unk_learnt: bool = True,
        ranks: Ranks = ALONE,
    ):
        """validate: the loss of a network on the validation text; None: the training loss decides instead.

        tokens: mean number of tokens per batch, if it varies. The summed gradient of a batch is divided by it, so that
        every token has equal weight, whether its sentence is short or long.
        unk_learnt: the training text has `<unk>` in it; otherwise validations compare the loss of known words alone.
        ranks: the processes that train together, each with a trainer made of the same configuration and texts.
        """
        self.network, self.reading, self.optimizer, self.schedule = network, reading, optimizer, schedule
        self.settings, self.validate, self.seed, self.tokens = settings, validate, seed, tokens
        self.progress, self.unk_learnt, self.ranks = Progress(), unk_learnt, ranks
        self.slots = {name: np.zeros_like(network.params.trainable) for name in optimizer.slots}
        self.dropout = Masks(np.random.PCG64([seed, 1]))
        self.sequences = reading.batch  # B of the last batch, of which `state` has this rank's lanes
        self.state = taken(network.initial_state(reading.batch), ranks.lanes(reading.batch))
        self.best: np.ndarray | None = None  # weights of the best validation, kept for a schedule that rolls back

    def run(self) -> Iterator[Update | Validation]:
        """Train to the end, reporting each update and each validation. To stop, stop iterating: the state is whole.

        Raises Diverged when a loss, a gradient or a validation entropy is not finite.
        """
        progress = self.progress
        if self._due():  # the run was stopped between an update and its validation
            yield self.measure()
        while not self.finished:
            clock = time.monotonic()
            for batch in self.reading.batches(progress.position, self.shuffle()):
                update = self.step(batch)
                progress.seconds += time.monotonic() - clock
                yield update
                if self._due():
                    yield self.measure()
                    if self.finished:
                        return
                clock = time.monotonic()

    def step(self, batch: Batch) -> Update:
        """One update of truncated backpropagation through time: the hidden state goes on, the gradient stops here."""
        progress, settings, lr, ranks = self.progress, self.settings, self.lr, self.ranks
        grad, tokens, self.sequences = self.network.grads.trainable, batch.tokens, batch.sequences
        batch, weight = ranks.share(batch, self.dropout)
        loss, self.state = self.network.loss(batch, self.state, self.dropout)
        self.network.backward(batch, weight / (self.tokens or max(tokens, 1)), ranks.adding(grad))
        loss = ranks.total(loss, weight)
        norm = ranks.agreed(gradient_norm(grad))
        if not (math.isfinite(loss.nats) and math.isfinite(norm)):
            raise self._diverged(f"loss {loss.mean:.4g}, norm of the gradient {norm:.4g}", lr)
        factor, clipped = clip(grad, norm, settings.clip_norm, settings.clip_value)
        progress.step += 1
        t = progress.step - progress.restart
        self.optimizer.step(self.network.params.trainable, grad, lr, t, factor, **self.slots)
        update = Update(loss, norm, clipped, lr)
        progress.count(update, len(self.reading))
        return update

    def measure(self) -> Validation:
        """Measure the loss on the validation text, and go back to the best weights if the schedule says so."""
        progress = self.progress
        train = Loss(progress.nats, progress.tokens)
        valid = self.validate(self.network) if self.validate else train
        decisive = valid if self.unk_learnt else valid.known
        if not math.isfinite(decisive.mean):
            raise self._diverged(f"validation entropy {decisive.mean:.4g}", progress.lr)
        progress.history.append(decisive.mean)
        best = progress.best == len(progress.history) - 1
        rolled_back = self.schedule.rolls_back and self._roll_back(best)
        clipped = progress.clipped / max(progress.updates, 1)
        progress.start_stretch()
        return Validation(
            self.passes, progress.step, train, valid, progress.lr, clipped, best, rolled_back, progress.seconds
        )

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        return self.lr_of(self.settings.epochs)

    def lr_of(self, epochs: int) -> float:
        """The learning rate of the next update if training were planned for so many epochs."""
        progress = self.progress
        done = min(progress.step / (epochs * len(self.reading)), 1.0)
        return self.optimizer.lr * self.schedule.factor(done, progress.epoch, progress.history) / 2**progress.halved

    @property
    def passes(self) -> float:
        """Passes made over the training text, with a fraction within an epoch."""
        return self.progress.epoch + self.progress.position / len(self.reading)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do: all epochs are over, or the validations say that it is enough."""
        return self.end is not None

    @property
    def end(self) -> End | None:
        """The rule that has ended training; None while there is something left to do."""
        progress, patience, epochs = self.progress, self.settings.patience, self.settings.epochs
        if self._due():
            return None
        if self.schedule.stop(progress.history):
            return End(f"schedule {self.schedule.kind}: {self.schedule.stopped}", None)
        waited = len(progress.history) - 1 - progress.best
        if patience is not None and waited >= patience:
            return End(f"{waited} validations without a new best, training.patience {patience}", "training.patience")
        if progress.epoch >= epochs:
            return End(f"all {epochs} epochs are over", "training.epochs")
        return None

    def shuffle(self) -> np.random.Generator:
        """The random order of this epoch's batches: a function of the epoch, so that there is nothing to save."""
        return np.random.default_rng([self.seed, 2, self.progress.epoch])

    def _due(self) -> bool:
        """Whether it is time for a validation.

        That is at an epoch's end, and `validate_every` updates after the last one if so many are left in the epoch: a
        shorter stretch could not improve as much as the others, which the rules that stop training would misread.
        """
        position, every = self.progress.position, self.settings.validate_every
        left = len(self.reading) - position
        within = every is not None and position % every == 0 and left >= every
        return self.progress.updates > 0 and (position == 0 or within)

    def _roll_back(self, best: bool) -> bool:
        """Keep the weights if they are the best, or go back to the best if the schedule says so; -> whether it did."""
        weights = self.network.params.flat
        if best:
            self.best = weights.copy()
        rolled_back = self.schedule.roll_back(self.progress.history)
        if rolled_back:
            weights[...] = self.best
        return rolled_back

    def _diverged(self, what: str, lr: float) -> Diverged:
        with np.errstate(over="ignore"):
            squares = sum(np.square(w, dtype=float).sum() for w in self.network.params.named.values())
        what = f"{what}, norm of the weights {math.sqrt(squares):.4g}"
        return Diverged(Divergence(self.passes, self.progress.step, lr, what), self.progress.halved)
