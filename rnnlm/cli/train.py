"""`rnnlm train`: train a model from a YAML configuration, and show how it goes."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rnnlm.errors import UsageError
from rnnlm.threads import set_threads

if TYPE_CHECKING:
    from rnnlm.experiment import Experiment
    from rnnlm.run import Run
    from rnnlm.train import Update, Validation

PLAIN_INTERVAL = 30.0  # seconds between progress lines where there is no terminal


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
@click.option("--threads", type=click.IntRange(min=1), help="Threads to compute with.  [default: all cores]")
@click.option("--max-time", metavar="TIME", help="Save and stop after this time, such as 90m or 2h.")
@click.option("-q", "--quiet", is_flag=True, help="Errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Say more: the resolved configuration.")
def command(
    config, output, train, valid, overrides, seed, resume, init_from, force, dry_run, threads, max_time, quiet, verbose
):
    """Train a model as CONFIG (YAML, or a run directory) says.

    Ctrl-C saves and exits with status 130; --resume goes on bit for bit as if nothing had happened.
    """
    if resume + bool(init_from) + force > 1:
        raise UsageError("--resume, --init-from and --force exclude each other", "give one of them")
    if threads:
        set_threads(threads)
    from rnnlm import config as configuration
    from rnnlm.experiment import Config, model_file, prepare
    from rnnlm.run import Run, start_from

    if config.is_dir():
        output, config = output or config, config / "config.yaml"
    flags = [f"data.train={json.dumps(train)}"] if train else []  # JSON is YAML, whatever the names contain
    flags += [f"data.valid={valid if valid.replace('.', '', 1).isdigit() else json.dumps(valid)}"] if valid else []
    flags += [f"seed={seed}"] if seed is not None else []
    settings, messages = configuration.load(config, Config, [*overrides, *flags])
    limit = configuration.seconds(max_time) if max_time else None
    run = Run(output or Path("runs") / config.stem)
    say = Screen(quiet)
    for message in messages:
        say.line(message)
    if verbose:
        say.line(configuration.dump(settings))
    if not dry_run:
        check_output(run, resume, force)
    experiment = prepare(settings)
    if init_from:
        start_from(experiment, model_file(init_from))
    introduce(experiment, say)
    if dry_run:
        estimate(experiment, say)
        return
    run.lock()
    if resume:
        run.resume(experiment)
        progress = experiment.trainer.progress
        say.line(f"resuming at epoch {progress.epoch + 1}, step {progress.step}")
    else:
        run.clear()
        run.describe(experiment, sys.argv[1:])
    sys.exit(follow(experiment, run, say, limit))


def check_output(run: Run, resume: bool, force: bool) -> None:
    """Never overwrite a run by accident, nor resume one that is not there."""
    if resume and not run.last.exists():
        raise UsageError(f"{run.path}: nothing to resume: no last.npz in it", "train without --resume")
    if run.exists() and not (resume or force):
        raise UsageError(
            f"{run.path}: exists already", "go on with --resume, overwrite with --force, or choose another with -o"
        )


def introduce(experiment: Experiment, say: Screen) -> None:
    """What is about to be trained: sizes, out-of-vocabulary rates, parameters, memory."""
    trainer, network = experiment.trainer, experiment.trainer.network
    for name, corpus in (("train", experiment.train), ("valid", experiment.valid)):
        if corpus is not None:
            share = corpus.oovs / max(corpus.words, 1)
            say.line(
                f"{name}: {corpus.sentences:,} sentences, {corpus.words:,} {experiment.vocab.level}s, {share:.2%} OOV  ({corpus.name})"
            )
    if trainer.reading.note:
        say.line(f"note: {trainer.reading.note}")
    sizes = ", ".join(f"{name} {'x'.join(map(str, a.shape))}" for name, a in network.params.named.items())
    copies = 3 + len(trainer.slots)  # weights, gradient, best weights, slots
    say.line(f"vocabulary: {len(experiment.vocab):,} entries")
    say.line(
        f"parameters: {len(network.params.flat):,} ({sizes}), {copies * network.params.flat.nbytes / 1e6:.0f} MB with gradient and optimizer"
    )


def estimate(experiment: Experiment, say: Screen) -> None:
    """Time a few steps: the first loss against ln K, and the time of an epoch."""
    trainer, times, losses = experiment.trainer, [], []
    for batch in itertools.islice(trainer.reading.batches(), 8):
        clock = time.perf_counter()
        losses.append(trainer.step(batch).loss.mean)
        times.append(time.perf_counter() - clock)
    uniform = math.log(len(experiment.vocab))
    say.line(f"first loss: {losses[0]:.3f} nats per token (uniform over the vocabulary: {uniform:.3f})")
    step, steps = statistics.median(times[1:] or times), len(trainer.reading)
    say.line(f"time: {1000 * step:.1f} ms a step, {steps:,} steps and about {duration(step * steps)} an epoch")


def follow(experiment: Experiment, run: Run, say: Screen, limit: float | None) -> int:
    """Run the training to its end, to the time limit or to a signal; save, report, and return the exit status."""
    from rnnlm.run import record
    from rnnlm.train import Update

    trainer, signals = experiment.trainer, Signals()
    started = saved = time.monotonic()
    say.begin(experiment)
    with signals, contextlib.closing(say):
        for event in trainer.run():
            if isinstance(event, Update):
                say.update(event)
            else:
                if event.best:
                    run.save_best(experiment)
                run.log(record(event))
                lines = sampled(experiment)
                say.validation(event, lines)
                run.append("train.log", row(event))
                heading = f"# epoch {event.epoch:.2f}  valid ppl {event.valid.perplexity:.2f}"
                run.append("samples.txt", "\n".join([heading, *lines]))
            now = time.monotonic()
            stop = signals.received or (limit is not None and now - started > limit)
            if stop or not isinstance(event, Update) or now - saved > experiment.config.training.save_every:
                run.save_last(experiment)
                saved = now
            if stop:
                break
        run.save_last(experiment)
    if not trainer.progress.finished:
        say.line(f"stopped at step {trainer.progress.step}; saved {run.last}")
        say.line(f"go on with: rnnlm train {run.path} --resume")
        return 128 + signals.received if signals.received else 0
    conclude(experiment, run, say)
    return 0


def sampled(experiment: Experiment) -> list[str]:
    """A few lines from the model as it is, drawn by a generator that depends on the step alone."""
    import numpy as np

    from rnnlm.sample import sample

    progress, number = experiment.trainer.progress, experiment.config.training.samples
    rng = np.random.default_rng([experiment.config.seed, 3, progress.step])
    carried = experiment.config.data.reading == "stream"
    network, limit = experiment.trainer.network, 200 if experiment.vocab.level == "char" else 30
    return [s.text(network) for s in sample(network, number, carried, rng, max_tokens=limit)] if number else []


def conclude(experiment: Experiment, run: Run, say: Screen) -> None:
    """The result, and the exact commands to type next."""
    data, progress = experiment.config.data, experiment.trainer.progress
    best = min(progress.history)
    name = "valid" if experiment.valid is not None else "train"
    say.line(
        f"best: validation {progress.best + 1}, {name} ppl {math.exp(best):.2f} ({best:.4f} nats); model {run.best}"
    )
    say.line("next:")
    say.line(f"  rnnlm eval {run.path}" + ("" if data.test else " TEXT"))
    say.line(f"  rnnlm sample {run.path} -n 10")
    say.line(f"  rnnlm info {run.path}")


class Signals:
    """Notes SIGINT and SIGTERM, so that the step in progress can end; a second SIGINT leaves at once."""

    def __init__(self):
        self.received = 0

    def __enter__(self):
        self._before = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, frame):
        if self.received == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.received = number


class Screen:
    """The course of training on stderr: a bar on a terminal, otherwise a plain line now and then."""

    def __init__(self, quiet: bool):
        self.quiet, self.bar, self.printed = quiet, None, 0.0

    def line(self, text: str) -> None:
        """A permanent line, above the bar if there is one."""
        if not self.quiet:
            click.echo(text, err=True) if self.bar is None else self.bar.write(text, file=sys.stderr)

    def begin(self, experiment: Experiment) -> None:
        """Show the header of the table of validations, and the bar."""
        self.trainer, self.printed = experiment.trainer, time.monotonic()
        self.line(HEADER)
        if not self.quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=len(self.trainer.reading), file=sys.stderr, leave=False, dynamic_ncols=True,
                            bar_format="{desc} {percentage:3.0f}%|{bar}| {postfix} ETA {remaining}")  # fmt: skip

    def update(self, update: Update) -> None:
        """Show where training stands."""
        progress = self.trainer.progress
        if self.bar is not None:
            self.bar.set_description_str(f"epoch {progress.epoch + 1}/{self.trainer.settings.epochs}", refresh=False)
            self.bar.set_postfix_str(self._status(update), refresh=False)
            self.bar.n = progress.position
            self.bar.update(0)
        elif not self.quiet and time.monotonic() - self.printed > PLAIN_INTERVAL:
            self.printed = time.monotonic()
            share = progress.position / len(self.trainer.reading)
            self.line(f"epoch {progress.epoch + 1}/{self.trainer.settings.epochs} {share:4.0%}  {self._status(update)}")

    def validation(self, validation: Validation, lines: list[str]) -> None:
        """A row of the table, and the sampled lines."""
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
        ppl = math.exp(min(progress.nats / max(progress.tokens, 1), 700))
        clip = progress.clipped / max(progress.updates, 1)
        speed = progress.total / max(progress.seconds, 1e-9)
        return f"lr {update.lr:.3g}  ppl {ppl:.1f}  |g| {update.norm:.2f} (clip {clip:.0%})  {speed / 1000:.1f}k tok/s"


HEADER = f"{'epoch':>7} {'step':>8} {'lr':>9} {'train ppl':>10} {'valid ppl':>10} {'nats':>7} {'clip':>5} {'time':>8}"


def row(v: Validation) -> str:
    """A validation as a row under HEADER."""
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
