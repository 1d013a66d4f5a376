"""The course of a training on standard error, and the signals that stop it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tqdm import tqdm

    from rnnlm.training.run import Run
    from rnnlm.training.trainer import Trainer, Update, Validation

PLAIN_INTERVAL = 30.0  # seconds between progress lines where there is no terminal
BAR_REST, SHORTEST_BAR = " 100%||  ETA 00:00:00", 10  # the parts of it that take room anyway
BAR = "{} {{percentage:3.0f}}%|{{bar}}| {} ETA {{remaining}}"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
AGAIN = b"finishing the step and saving; Ctrl-C again leaves at once\n"


class Screen:
    """The course of a training on stderr: a bar on a terminal, otherwise a plain line now and then.

    Everything but the bar goes into the run's train.log too, once `run` is set.
    """

    def __init__(self, quiet: bool):
        self.quiet = quiet
        self.bar: tqdm | None = None
        self.run: Run | None = None

    def line(self, text: str) -> None:
        """Show a permanent line, above the bar if there is one."""
        if self.run is not None:
            self.run.append("train.log", text)
        with contextlib.suppress(OSError):  # the terminal may have been closed, which stops no training
            if self.bar is not None:
                self.bar.write(text, file=sys.stderr)
            elif not self.quiet:
                click.echo(text, err=True)

    def begin(self, trainer: Trainer) -> None:
        """Show the bar, of all epochs."""
        self.trainer, self.rows, self.printed = trainer, 0, time.monotonic()
        self.steps = trainer.steps(trainer.settings.epochs)
        if not self.quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(
                total=self.steps, initial=trainer.progress.step, file=sys.stderr, leave=False, dynamic_ncols=True,
                bar_format=BAR.format("", ""),
            )  # fmt: skip

    def update(self, update: Update) -> None:
        """Show where training stands."""
        progress = self.trainer.progress
        epoch = f"epoch {progress.epoch + bool(progress.position)}/{self.trainer.settings.epochs}"
        if self.bar is not None:
            room = (self.bar.format_dict["ncols"] or 1000) - len(epoch) - len(BAR_REST) - SHORTEST_BAR
            self.bar.bar_format = BAR.format(epoch, self._status(update, room))
            self.bar.update(progress.step - self.bar.n)
        elif time.monotonic() - self.printed > PLAIN_INTERVAL:
            self.printed = time.monotonic()
            self.line(f"{epoch} {progress.step / self.steps:4.0%}  {self._status(update)}")

    def validation(self, validation: Validation) -> None:
        """Show a row of the table, under its heading, and the sampled lines."""
        if not self.rows:
            self.line(header(self.trainer.network.model.perplexity, oovs=validation.valid.oovs > 0))
        self.rows += 1
        self.line(row(validation))
        for line in validation.samples:
            self.line("    " + line.replace("\n", "\n    "))

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _status(self, update: Update, room: int = 1000) -> str:
        """Figures of training; in a terminal with little room for them, the more important ones."""
        from rnnlm.nn.heads.loss import exp_mean, figure

        progress, name = self.trainer.progress, self.trainer.network.model.perplexity
        ppl = exp_mean(progress.nats, max(progress.tokens, 1))
        clip = progress.clipped / max(progress.updates, 1)
        speed = progress.total / max(progress.seconds, 1e-9)
        figures = [
            f"lr {update.lr:.3g}", f"{name} {figure(ppl, 1)}", f"|g| {update.norm:.2f} (clip {clip:.0%})",
            f"{speed / 1000:.1f}k tok/s",
        ]  # fmt: skip
        for least in (2, 2, 0):
            if len("  ".join(figures)) > room:
                del figures[least]
        return "  ".join(figures)


def header(ppl: str, oovs: bool = False) -> str:
    """The heading of the table of validations; `oovs`: with a column for the perplexity without them."""
    figures = f"{f'train {ppl}':>10} {f'valid {ppl}':>10}{' no OOVs' * oovs}"
    return f"{'epoch':>6} {'step':>8} {'lr':>9} {figures} {'nats':>7} {'clip':>5} {'time':>8}"


def row(v: Validation) -> str:
    """A validation as a row under the header."""
    from rnnlm.nn.heads.loss import figure

    note = " *" if v.best else " undone" if v.rolled_back else ""
    train, valid = (f"{figure(loss.perplexity):>10}" for loss in (v.train, v.valid))
    known = f" {figure(v.valid.known.perplexity):>7}" if v.valid.oovs else ""
    return (
        f"{v.epoch:6.2f} {v.step:8d} {v.lr:9.3g} {train} {valid}{known} "
        f"{v.valid.mean:7.4f} {v.clipped:5.0%} {duration(v.seconds):>8}{note}"
    )


def duration(seconds: float) -> str:
    """1:02:03, or 2:03."""
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{s:02d}" if hours else f"{minutes}:{s:02d}"


def stops(quiet: bool) -> contextlib.AbstractContextManager[list[int]]:
    """Note the signals that stop training, so that the step in progress can end: see `rnnlm.session.signals_noted`.

    SIGINT is Ctrl-C. SIGTERM and SIGUSR1 come from schedulers whose time is up, SIGHUP from a terminal that is closed,
    except under nohup.
    """
    from rnnlm.session import signals_noted

    def heard(number: int) -> None:
        if number == signal.SIGINT and not quiet:
            with contextlib.suppress(OSError):  # past Python's streams: one of them may be in the midst of writing
                os.write(2, b"\n" * os.isatty(2) + AGAIN)

    return signals_noted((n for n in SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN), heard)
