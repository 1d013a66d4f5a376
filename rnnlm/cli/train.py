"""`rnnlm train`: train a model from a YAML configuration, and show how it goes."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import shlex
import signal
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rnnlm.errors import UsageError
from rnnlm.nn.threads import set_threads

if TYPE_CHECKING:
    from rnnlm.experiment import Experiment
    from rnnlm.training.run import Run
    from rnnlm.training.trainer import Trainer, Update, Validation

PLAIN_INTERVAL = 30.0  # seconds between progress lines where there is no terminal
BAR = "{} {{percentage:3.0f}}%|{{bar}}| {} ETA {{remaining}}"
AGAIN = b"finishing the step and saving; Ctrl-C again leaves at once\n"


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Run directory.  [default: runs/NAME of CONFIG]")
@click.option(
    "--train", multiple=True, metavar="FILE", help="Training text instead of the configuration's; repeatable."
)
@click.option("--valid", metavar="FILE|SHARE", help="Validation text, or the share at the end of the training text.")
@click.option(
    "--set", "overrides", multiple=True, metavar="A.B=C", help="Override a value of the configuration; repeatable."
)
@click.option("--seed", type=int, help="Override the configuration's seed.")
@click.option("--resume", is_flag=True, help="Go on with the run in the run directory.")
@click.option(
    "--init-from", type=click.Path(path_type=Path), metavar="MODEL", help="Start from the weights of a model."
)
@click.option("--force", is_flag=True, help="Overwrite the run directory's earlier run.")
@click.option("--dry-run", is_flag=True, help="Say what would be trained, and how long an epoch takes; write nothing.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads to compute with.  [default: all cores; with --resume as before]",
)
@click.option("--max-time", metavar="TIME", help="Save and stop after this time, such as 90m or 2h.")
@click.option("-q", "--quiet", is_flag=True, help="Errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Say more: the resolved configuration.")
def command(
    config, output, train, valid, overrides, seed, resume, init_from, force, dry_run, threads, max_time, quiet, verbose
):
    """Train a model as CONFIG (YAML, or a run directory) says.

    Ctrl-C saves and exits with status 130; --resume goes on bit for bit as if nothing had happened. On one machine and
    with one number of threads, one seed gives one result.
    """
    if resume + bool(init_from) + force > 1:
        raise UsageError("--resume, --init-from and --force exclude each other", "give one of them")
    path = output or (config if config.is_dir() else Path("runs", config.stem))
    threads = threads or (threads_of(path) if resume else None)
    if threads:
        set_threads(threads)
    from rnnlm import config as configuration
    from rnnlm.experiment import Config, config_file, prepare
    from rnnlm.loading import model_file
    from rnnlm.training.run import Run, start_from

    limit = time_limit(max_time)
    settings, messages = configuration.load(config_file(config), Config, [*overrides, *as_set(train, valid, seed)])
    run, say = Run(path), Screen(quiet)
    for message in messages:
        say.line(message)
    if verbose:
        say.line(configuration.dump(settings))
    if not dry_run:
        check_output(run, resume, force)
    experiment = prepare(settings)
    if init_from:
        start_from(experiment, model_file(init_from))
    if dry_run:
        introduce(experiment, say)
        estimate(experiment, say)
        return
    with run.lock():
        if resume:
            for warning in run.resume(experiment):
                say.line(f"warning: {warning}")
        else:
            run.clear()
            run.save_last(experiment)  # first of all, so that whatever happens there is something to resume
        run.describe(experiment, sys.argv[1:])
        say.run = run
        introduce(experiment, say)
        sys.exit(follow(experiment, run, say, limit))


def threads_of(path: Path) -> int | None:
    """The number of threads that a run computes with: with another one, sums differ in their last digits."""
    try:
        return json.loads((path / "env.json").read_text())["threads"]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def time_limit(text: str | None) -> float | None:
    """The seconds that --max-time asks for."""
    from rnnlm import config

    try:
        return None if text is None else config.seconds(text)
    except UsageError as error:
        raise UsageError(f"--max-time: {error.message}", error.hint) from None


def as_set(train: Sequence[str], valid: str | None, seed: int | None) -> Iterator[str]:
    """The flags as --set has them. JSON is YAML, whatever the names of files contain."""
    if train:
        yield f"data.train={json.dumps(train, ensure_ascii=False)}"
    if valid is not None:
        share = valid.lstrip("-").replace(".", "", 1).isdigit()  # or a number that is none
        yield f"data.valid={valid if share else json.dumps(valid, ensure_ascii=False)}"
    if seed is not None:
        yield f"seed={seed}"


def check_output(run: Run, resume: bool, force: bool) -> None:
    """Never overwrite a run by accident, nor resume one that is not there."""
    if run.path.exists() and not run.path.is_dir():
        raise UsageError(f"{run.path}: a file; expected a directory for the run", "choose another with -o")
    if resume and not (run.last.exists() or run.previous.exists()):
        raise UsageError(f"{run.path}: nothing to resume: no last.npz in it", "train without --resume")
    if run.exists() and not (resume or force):
        raise UsageError(
            f"{run.path}: exists already", "go on with --resume, overwrite with --force, or choose another with -o"
        )


def introduce(experiment: Experiment, say: Screen) -> None:
    """What is about to be trained: sizes, out-of-vocabulary rates, parameters, memory; where a resumed run stands."""
    trainer, params = experiment.trainer, experiment.trainer.network.params
    vocab = getattr(experiment.vocab, "inputs", experiment.vocab)
    for name, corpus in (("train", experiment.train), ("valid", experiment.valid)):
        if corpus is not None:
            sizes = f"{corpus.sentences:,} sentences, {corpus.words:,} {vocab.level}s"
            say.line(f"{name}: {sizes}, {corpus.oovs / max(corpus.words, 1):.2%} OOV  ({corpus.name})")
    if trainer.reading.note:
        say.line(f"note: {trainer.reading.note}")
    outputs = "" if vocab is experiment.vocab else f"; {experiment.task.outcomes}: {len(experiment.vocab):,} entries"
    say.line(f"vocabulary: {len(vocab):,} entries{outputs}")
    shapes = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in params.named.items())
    megabytes = (4 + len(trainer.slots)) * params.flat.nbytes / 1e6  # weights, gradient, best and recent ones, slots
    say.line(f"parameters: {params.flat.size:,} ({shapes}), {megabytes:.0f} MB with gradient and optimizer")
    if trainer.progress.step:
        done = "; nothing is left to do" if trainer.finished else ""
        say.line(f"resuming after step {trainer.progress.step:,}{done}")


def estimate(experiment: Experiment, say: Screen) -> None:
    """Time a few steps: the first loss against ln K, and the time of an epoch."""
    from rnnlm.training.trainer import Update

    trainer = experiment.trainer
    times: list[float] = []
    for event in itertools.islice(trainer.run(), 8):
        if isinstance(event, Update):
            if not times:
                say.line(first_loss(experiment, event))
            times.append(trainer.progress.seconds - sum(times))
    step, steps = statistics.median(times[1:] or times), len(trainer.reading)
    say.line(f"time: {1000 * step:.1f} ms a step, {steps:,} steps and about {duration(step * steps)} an epoch")


def first_loss(experiment: Experiment, update: Update) -> str:
    """The loss before anything is learnt, against ln K."""
    uniform, task = math.log(len(experiment.vocab)), experiment.task
    return f"first loss: {update.loss.mean:.3f} nats per {task.unit} (uniform over the {task.outcomes}: {uniform:.3f})"


def follow(experiment: Experiment, run: Run, say: Screen, limit: float | None) -> int:
    """Run the training to its end, to the time limit or to a signal; save, report, and return the exit status."""
    from rnnlm.training.run import record, record_divergence
    from rnnlm.training.trainer import Divergence, Update

    trainer, signals = experiment.trainer, Signals(say.quiet)
    started = saved = time.monotonic()
    say.begin(trainer)
    with signals, contextlib.closing(say), recorded(run):
        for event in trainer.run():
            if isinstance(event, Update):
                if trainer.progress.step == 1:
                    say.line(first_loss(experiment, event))
                say.update(event)
            elif isinstance(event, Divergence):
                run.log(record_divergence(event))
                retry = f"retry {trainer.progress.halved} of {trainer.settings.retries}"
                say.line(f"{event}; back to {event.back} with learning rate {event.next_lr:.4g}, {retry}")
            else:
                if event.best:
                    run.save_best(experiment)
                run.log(record(event, experiment.perplexity))
                lines = experiment.shown()
                say.validation(event, lines)
                heading = f"# epoch {event.epoch:.2f}  valid {experiment.perplexity} {event.valid.perplexity:.2f}"
                run.append("samples.txt", "\n".join([heading, *lines]))
            now = time.monotonic()
            stop = signals.received or (limit is not None and now - started > limit)
            if stop or not isinstance(event, Update) or now - saved > experiment.config.training.save_every:
                run.save_last(experiment)
                saved = now
            if stop:
                break
    if trainer.finished:
        conclude(experiment, run, say)
        return 0
    say.line(f"stopped after step {trainer.progress.step:,}; saved {run.last}")
    say.line(f"go on with: rnnlm train {shlex.quote(str(run.path))} --resume")
    return 128 + signals.received if signals.received else 0


@contextlib.contextmanager
def recorded(run: Run) -> Iterator[None]:
    """The divergence that ends a training goes into its logs, too."""
    from rnnlm.training.run import record_divergence
    from rnnlm.training.trainer import Diverged

    try:
        yield
    except Diverged as error:
        run.log(record_divergence(error.divergence))
        run.append("train.log", f"error: {error.message}")
        raise


def conclude(experiment: Experiment, run: Run, say: Screen) -> None:
    """The result, and the exact commands to type next."""
    progress, path = experiment.trainer.progress, shlex.quote(str(run.path))
    nats = progress.history[progress.best]
    name = "train" if experiment.valid is None else "valid"
    ppl = math.exp(min(nats, 700))
    figures = f"{name} {experiment.perplexity} {ppl:.2f} ({nats:.4f} nats)"
    say.line(f"best: validation {progress.best + 1}, {figures}; model {run.best}")
    say.line("next:")
    say.line(f"  rnnlm eval {path}" + ("" if experiment.config.data.test else " TEXT"))
    for command in experiment.task.next:
        say.line(f"  rnnlm {command.format(path)}")
    say.line(f"  rnnlm info {path}")


class Signals:
    """Notes SIGINT and SIGTERM, so that the step in progress can end; a second SIGINT leaves at once."""

    def __init__(self, quiet: bool):
        self.received, self.quiet = 0, quiet

    def __enter__(self):
        self._before = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, frame):
        if self.received == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.received = number
        if number == signal.SIGINT and not self.quiet:
            with contextlib.suppress(OSError):  # past Python's streams: one of them may be in the midst of writing
                os.write(2, b"\n" * os.isatty(2) + AGAIN)


class Screen:
    """The course of training on stderr: a bar on a terminal, otherwise a plain line now and then.

    All but the bar goes into the run's train.log too, once `run` is set.
    """

    def __init__(self, quiet: bool):
        self.quiet, self.bar, self.run = quiet, None, None

    def line(self, text: str) -> None:
        """A permanent line, above the bar if there is one."""
        if self.run is not None:
            self.run.append("train.log", text)
        if not self.quiet:
            click.echo(text, err=True) if self.bar is None else self.bar.write(text, file=sys.stderr)

    def begin(self, trainer: Trainer) -> None:
        """Show the bar, of all epochs."""
        self.trainer, self.rows, self.printed = trainer, 0, time.monotonic()
        self.steps = trainer.settings.epochs * len(trainer.reading)
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
            self.bar.bar_format = BAR.format(epoch, self._status(update))
            self.bar.update()
        elif time.monotonic() - self.printed > PLAIN_INTERVAL:
            self.printed = time.monotonic()
            self.line(f"{epoch} {progress.step / self.steps:4.0%}  {self._status(update)}")

    def validation(self, validation: Validation, lines: list[str]) -> None:
        """A row of the table, under its heading, and the sampled lines."""
        if not self.rows:
            self.line(header(self.trainer.network.model.perplexity))
        self.rows += 1
        self.line(row(validation))
        for line in lines:
            self.line("    " + line.replace("\n", "\n    "))

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _status(self, update: Update) -> str:
        progress = self.trainer.progress
        ppl, name = math.exp(min(progress.nats / max(progress.tokens, 1), 700)), self.trainer.network.model.perplexity
        clip = progress.clipped / max(progress.updates, 1)
        speed = progress.total / max(progress.seconds, 1e-9)
        figures = f"lr {update.lr:.3g}  {name} {ppl:.1f}  |g| {update.norm:.2f} (clip {clip:.0%})"
        return f"{figures}  {speed / 1000:.1f}k tok/s"


def header(ppl: str) -> str:
    """The heading of the table of validations."""
    figures = f"{f'train {ppl}':>10} {f'valid {ppl}':>10}"
    return f"{'epoch':>7} {'step':>8} {'lr':>9} {figures} {'nats':>7} {'clip':>5} {'time':>8}"


def row(v: Validation) -> str:
    """A validation as a row under the header."""
    note = " *" if v.best else " rolled back" if v.rolled_back else ""
    return (
        f"{v.epoch:7.2f} {v.step:8d} {v.lr:9.3g} {v.train.perplexity:10.2f} {v.valid.perplexity:10.2f} "
        f"{v.valid.mean:7.4f} {v.clipped:5.0%} {duration(v.seconds):>8}{note}"
    )


def duration(seconds: float) -> str:
    """1:02:03, or 2:03."""
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{s:02d}" if hours else f"{minutes}:{s:02d}"
