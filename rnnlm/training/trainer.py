"""The training loop: window -> network -> loss -> backward pass -> clipping -> update, and validation.

`Trainer.step` is one update, `Trainer.run` is the loop. The counters, and how they are saved and restored, are in
`rnnlm.training.progress`; files, and what follows when training diverges, in `rnnlm.training.run`.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rnnlm.nn.dropout import Masks
from rnnlm.nn.heads import Loss
from rnnlm.nn.network import Network
from rnnlm.nn.taught import Learner, Taught
from rnnlm.text.windows import Batch, RareAsUnk, Sentences, Stream
from rnnlm.training.averaging import Mean
from rnnlm.training.optim import Optimizer, clip, gradient_norm
from rnnlm.training.progress import Diverged, Divergence, End, Progress, Update, Validation
from rnnlm.training.ranks import ALONE, Ranks
from rnnlm.training.schedule import Schedule
from rnnlm.training.settings import Training
from rnnlm.training.shares import Shares


class Trainer:
    """Trains a network in place. `rnnlm.training.progress.save` and `restore` make it resumable bit for bit."""

    def __init__(
        self,
        network: Network,
        readings: Sequence[Stream | Sentences | RareAsUnk],
        optimizer: Optimizer,
        schedule: Schedule,
        settings: Training,
        validate: Callable[[Network], Loss] | None,
        seed: int,
        tokens: float | None = None,
        unk_learnt: bool = True,
        ranks: Ranks = ALONE,
        learner: Learner | None = None,
    ):
        """readings: the batches of each of the first epochs; those of the last of them are also for all after it.

        validate: the loss of a network on the validation text; None: the training loss decides instead.
        tokens: predictions of an epoch, if batches differ in size. The summed gradient of a batch is divided by their
        mean per batch, so that every token has equal weight, whether its sentence is short or long.
        unk_learnt: the training text has `<unk>` in it; otherwise validations compare the loss of known words alone.
        ranks: the processes that train together, each with a trainer made of the same configuration and texts.
        learner: the network with its teacher; None: it learns from the text alone.
        """
        self.network, self.readings, self.optimizer, self.schedule = network, readings, optimizer, schedule
        self.settings, self.validate, self.seed, self.tokens = settings, validate, seed, tokens
        self.progress, self.unk_learnt, self.ranks = Progress(), unk_learnt, ranks
        self.slots = {name: np.zeros_like(network.params.trainable) for name in optimizer.slots}
        self.mean = None if settings.average is None else Mean(settings.average, network.params.trainable)
        self.dropout = Masks(np.random.PCG64([seed, 1]))
        self.sequences = self.reading.batch  # B of the last batch, of which `state` has this rank's lanes
        self.shares, self.learner = Shares(ranks, settings.shares), learner or network
        self.state = self.shares.own(self.learner.initial_state(self.sequences), self.sequences)
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
        progress, settings, params, lr = self.progress, self.settings, self.network.params, self.lr
        self.dropout.strength = min(self.done / settings.dropout_warmup, 1.0) if settings.dropout_warmup else 1.0
        grad, self.sequences = self.network.grads.trainable, batch.sequences
        tokens = self.tokens / len(self.reading) if self.tokens else max(batch.tokens, 1)
        # network.loss forwards, network.backward backwards; of many processes, each with its share of the batch
        loss, self.state = self.shares.gradient(self.learner, batch, self.state, self.dropout, tokens)
        norm = self.ranks.agreed(gradient_norm(grad))
        if not (math.isfinite(loss.nats) and math.isfinite(norm)):
            raise self._diverged(f"loss {loss.mean:.4g}, norm of the gradient {norm:.4g}", lr)
        factor, clipped = clip(grad, norm, settings.clip_norm, settings.clip_value)
        progress.step += 1
        t = progress.step - progress.restart
        self.optimizer.step(params.trainable, grad, lr, t, factor, params.matrices, **self.slots)
        if self.mean is not None and (progress.averaged or self.mean.rule.begins(self.done, progress.history)):
            progress.averaged += 1
            self.mean.update(params.trainable, progress.averaged)
        update = Update(loss, norm, clipped, lr)
        progress.count(update, len(self.reading))
        return update

    def measure(self) -> Validation:
        """Measure the loss on the validation text, and go back to the best weights if the schedule says so."""
        progress = self.progress
        train = Loss(progress.nats, progress.tokens)
        with self.averaged():
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
    def teacher(self) -> Network | None:
        """The network from whose predictions this one learns, too."""
        return self.learner.teacher if isinstance(self.learner, Taught) else None

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        return self.lr_of(self.settings.epochs)

    @property
    def passes(self) -> float:
        """Passes made over the training text, with a fraction within an epoch."""
        return self.progress.epoch + self.progress.position / len(self.reading)

    def lr_of(self, epochs: int) -> float:
        """The learning rate of the next update if training were planned for so many epochs."""
        progress, done = self.progress, min(self.progress.step / self.steps(epochs), 1.0)
        return self.optimizer.lr * self.schedule.factor(done, progress.epoch, progress.history) / 2**progress.halved

    @property
    def reading(self) -> Stream | Sentences | RareAsUnk:
        """The batches of this epoch."""
        return self.readings[min(self.progress.epoch, len(self.readings) - 1)]

    def steps(self, epochs: int) -> int:
        """Number of updates in so many epochs."""
        first = [len(reading) for reading in self.readings[:epochs]]
        return sum(first) + (epochs - len(first)) * len(self.readings[-1])

    @property
    def done(self) -> float:
        """Share of the planned updates made so far, 0 to 1."""
        return min(self.progress.step / self.steps(self.settings.epochs), 1.0)

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """A context in which the network has its averaged weights, if there are any."""
        if self.mean is None or not self.progress.averaged:
            return contextlib.nullcontext()
        return self.mean.in_place_of(self.network.params.trainable)

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
