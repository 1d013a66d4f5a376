"""`rnnlm train`: train a model from a YAML configuration, and show how it goes."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import shlex
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rnnlm import config as configuration
from rnnlm.cli.launcher import started
from rnnlm.cli.options import PATH
from rnnlm.cli.progress import Screen, duration, stops
from rnnlm.errors import NumericalError, UsageError
from rnnlm.files import resumable
from rnnlm.nn.threads import set_threads
from rnnlm.recipes import names as recipes
from rnnlm.training.ranks import ALONE

if TYPE_CHECKING:
    from rnnlm.experiment import Experiment
    from rnnlm.training.run import Run
    from rnnlm.training.trainer import Trainer, Update


def time_limit(text: str) -> float:
    """The seconds that --max-time asks for."""
    try:
        return configuration.seconds(text)
    except UsageError as error:
        raise UsageError(f"--max-time: {error.message}", error.hint) from None


@click.command()
@click.argument("config", metavar="[CONFIG|TEXT]", type=PATH, required=False)
@click.option("-o", "--output", type=PATH, help="Run directory.  [default: runs/NAME of CONFIG]")
@click.option("--train", multiple=True, metavar="TEXT", help="Training text, pattern or folder; repeatable.")
@click.option("--valid", metavar="TEXT|SHARE", help="Validation text, or the share at the end of the training text.")
@click.option(
    "--set", "overrides", multiple=True, metavar="A.B=C", help="Override a value of the configuration; repeatable."
)
@click.option("--seed", type=int, help="Override the configuration's seed.")
@click.option("--resume", is_flag=True, help="Go on with the run in the run directory.")
@click.option("--auto-resume", is_flag=True, help="Go on with the run in the run directory if there is one, or begin.")
@click.option("--init-from", type=PATH, metavar="MODEL", help="Start from the weights of a model.")
@click.option("--extend-vocab", is_flag=True, help="With --init-from: add the new words of the training text.")
@click.option("--force", is_flag=True, help="Overwrite the run directory's earlier run.")
@click.option("--dry-run", is_flag=True, help="Say what would be trained, and how long an epoch takes; write nothing.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads to compute with.  [default: all cores; with --resume as before]",
)
@click.option(
    "--no-mpi", is_flag=True, help="Train alone, although a launcher such as mpirun has started this process."
)
@click.option("--max-time", type=time_limit, metavar="TIME", help="Save and stop after this time, such as 90m or 2h.")
@click.option("-q", "--quiet", is_flag=True, help="Errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Say more: the resolved configuration.")
@click.pass_obj
def command(
    arguments, config, output, train, valid, overrides, seed, resume, auto_resume, init_from, extend_vocab, force,
    dry_run, threads, no_mpi, max_time, quiet, verbose,
):  # fmt: skip
    """Train a model as CONFIG says: a YAML file, a recipe (`rnnlm config list`), or a run directory.

    With a TEXT, or --train alone, everything is chosen by the size of the text, shown as YAML, and kept in the run.
    Ctrl-C saves and exits with status 130, --max-time with 75; --resume goes on bit for bit as if nothing had happened.
    On one machine and with one number of threads, one seed gives one result. docs/runs.md: the run directory, resuming,
    exit status; docs/scaling.md: batch systems, and many processes on MPI, `mpirun -n 8 rnnlm train CONFIG`.
    """
    if resume + (auto_resume or bool(init_from)) + force > 1:
        raise UsageError("--resume, --init-from or --auto-resume, and --force exclude each other", "give one of them")
    if extend_vocab and not init_from:
        raise UsageError("--extend-vocab: of which model?", "give --init-from MODEL, too")
    config, train = meant(config, train)
    path = output or (config if config and config.is_dir() else Path("runs", recipes.run_name(str(config or train[0]))))
    ranks = ALONE if no_mpi else started()
    with ranks.ending():
        resume = resume or (auto_resume and ranks.at_first(lambda: resumable(path)))
        config = path if config is None and resume and path.is_dir() else config
        threads = threads or (ranks.at_first(lambda: threads_of(path, ranks.size)) if resume else None)
        if threads := threads or ranks.threads():
            set_threads(threads)
        from rnnlm.experiment import begin
        from rnnlm.recipes.choice import settings as settings_of
        from rnnlm.training.resume import facts
        from rnnlm.training.run import Run

        run, say = Run(path, ranks), Screen(quiet or not ranks.first)
        if extend_vocab and resume:  # where the first start has left the extended vocabulary
            overrides = [*overrides, f"data.vocab={json.dumps(str(path / 'vocab.txt'))}"]
        with ranks.together():
            given, file = [*overrides, *as_set(train, valid, seed)], config and recipes.config_file(config)
            settings, messages = settings_of(file, given, resumed=resume and config == path)
        for message in messages:
            say.line(message)
        if verbose:
            say.line(configuration.dump(settings))
        if not dry_run:
            ranks.at_first(lambda: run.check(resume, force))
        with ranks.together():
            experiment = begin(settings, resume, init_from, path if extend_vocab else None, ranks)
        if ranks.size > 1:
            ranks.compare(facts(experiment))
        if dry_run:
            introduce(experiment, say)
            estimate(experiment, say)
            return
        with contextlib.ExitStack() as opened:
            warnings = ranks.at_first(lambda: opened.enter_context(run.lock()))
            ranks.check_shared(path)
            for warning in [*warnings, *run.begin(experiment, arguments, resume, force)]:
                say.line(f"warning: {warning}")
            say.run = run if ranks.first else None
            introduce(experiment, say)
            sys.exit(follow(experiment, run, say, max_time))


def meant(config: Path | None, train: Sequence[str]) -> tuple[Path | None, Sequence[str]]:
    """Configuration and training texts: what is given as configuration may be a text, and then there is none."""
    if config is None and not train:
        raise UsageError("nothing to train on", "rnnlm train my.txt, or a recipe: rnnlm train char --train my.txt")
    if config is not None and recipes.is_text(config):
        return None, [str(config), *train]
    return config, train


def threads_of(path: Path, ranks: int) -> int | None:
    """The number of threads of an earlier run of as many ranks: with another one, sums differ in their last digits.

    With training.shares they are the same for any number of ranks, and so each goes on with as many threads.
    """
    try:
        earlier = json.loads((path / "env.json").read_text())
        return earlier["threads"] if "shares" in earlier or earlier.get("ranks", 1) == ranks else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def as_set(train: Sequence[str], valid: str | None, seed: int | None) -> Iterator[str]:
    """The flags as --set has them. JSON is YAML, whatever the names of files contain."""
    if train:
        yield f"data.train={json.dumps(train, ensure_ascii=False)}"
    if valid is not None:
        yield f"data.valid={json.dumps(valid, ensure_ascii=False) if configuration.number(valid) is None else valid}"
    if seed is not None:
        yield f"seed={seed}"


def introduce(experiment: Experiment, say: Screen) -> None:
    """Show what is about to be trained: sizes, OOV rates, parameters; where a resumed run stands."""
    trainer, params = experiment.trainer, experiment.trainer.network.params
    vocab = experiment.vocab.inputs
    for name, corpus in (("train", experiment.train), ("valid", experiment.valid)):
        if corpus is not None:
            sizes = f"{corpus.sentences:,} sentences, {corpus.words:,} {vocab.level}s"
            if corpus.starts is not None:
                sizes = f"{len(corpus.starts):,} documents, {sizes}"
            say.line(f"{name}: {sizes}, {corpus.oovs / max(corpus.words, 1):.2%} OOV  ({corpus.name})")
    for note in experiment.notes:
        say.line(note)
    if trainer.reading.note:
        say.line(f"note: {trainer.reading.note}")
    outputs = "" if vocab is experiment.vocab else f"; {experiment.task.outcomes}: {len(experiment.vocab):,} entries"
    say.line(f"vocabulary: {len(vocab):,} entries{outputs}")
    shapes = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in params.named.items())
    say.line(f"parameters: {params.flat.size:,} ({shapes}), {megabytes(trainer):.0f} MB with gradient and optimizer")
    if (ranks := trainer.ranks).size > 1:
        from rnnlm.nn.threads import threads

        places = f" on {ranks.nodes} machines" if ranks.nodes > 1 else ""
        say.line(f"processes: {ranks.size}{places}, {threads()} threads each")
        B, shares = trainer.reading.batch, trainer.settings.shares or ranks.size
        if ranks.size > min(B, shares):
            why = f"{B} sequences (training.batch)" if shares >= B else f"{shares} shares (training.shares)"
            say.line(f"warning: {ranks.size - min(B, shares)} of them have nothing to do: a batch has {why}")
    if (teacher := trainer.settings.teacher) and trainer.teacher:
        size = trainer.teacher.params.flat.size
        say.line(f"teacher: {teacher.model}, {size:,} parameters; {teacher.share:.0%} of the loss")
    for note in params.notes:
        say.line(note)
    if trainer.progress.step:
        end = trainer.end
        say.line(f"resuming after step {trainer.progress.step:,}" + ("; nothing is left to do" if end else ""))
        if end:
            more = "--init-from starts another run from this one" if end.option is None else f"raise {end.option}"
            say.line(f"note: {end.reason}; to go on, {more}")


def megabytes(trainer: Trainer) -> float:
    """Memory for weights, gradient and optimizer, for averaged weights, and for the best if the schedule needs them."""
    vectors = 2 + len(trainer.slots) + trainer.schedule.rolls_back + (trainer.mean is not None)
    sums = 8 * len(trainer.network.params.trainable) if trainer.settings.shares else 0
    taught = trainer.teacher.params.flat.nbytes if trainer.teacher else 0
    return (vectors * trainer.network.params.flat.nbytes + sums + taught) / 1e6


def estimate(experiment: Experiment, say: Screen) -> None:
    """Try a few steps, and show the first loss against ln K, the time of an epoch, and the memory."""
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
    longest = next(trainer.reading.batches())
    share = longest.share(next(iter(trainer.shares.of(longest.sequences)), slice(0, 1)))
    trainer.learner.loss(share, trainer.learner.initial_state(share.sequences))
    weights, activations = megabytes(trainer), trainer.learner.workspace_bytes / 1e6
    say.line(
        f"memory: {weights + activations:.1f} MB: {weights:.1f} for weights, gradient and optimizer, "
        f"{activations:.1f} for the activations of a window"
    )


def first_loss(experiment: Experiment, update: Update) -> str:
    """The loss before anything is learnt, against ln K."""
    uniform, task = math.log(len(experiment.vocab)), experiment.task
    return f"first loss: {update.loss.mean:.3f} nats per {task.unit} (uniform over the {task.outcomes}: {uniform:.3f})"


def follow(experiment: Experiment, run: Run, say: Screen, limit: float | None) -> int:
    """Train to the end, to the time limit or to a signal; save, report, and return the exit status."""
    from rnnlm.training.progress import Divergence
    from rnnlm.training.trainer import Update

    trainer, ranks, started = experiment.trainer, experiment.trainer.ranks, time.monotonic()
    say.begin(trainer)
    with stops(say.quiet) as noted, contextlib.closing(say):
        try:
            for event in run.train(experiment):
                if isinstance(event, Update):
                    if trainer.progress.step == 1 and not trainer.progress.halved:
                        say.line(first_loss(experiment, event))
                    say.update(event)
                elif isinstance(event, Divergence):
                    retry = f"retry {trainer.progress.halved} of {trainer.settings.retries}"
                    say.line(f"{event}; back to {event.back} with learning rate {event.next_lr:.4g}, {retry}")
                else:
                    say.validation(event)
                if noted or (limit is not None and time.monotonic() - started > limit):
                    ranks.ask("stop")
                if ranks.asked("stop"):
                    run.save_last(experiment)
                    break
        except NumericalError as error:
            run.append("train.log", f"error: {error.message}")
            raise
    if trainer.finished:
        conclude(experiment, run, say)
        return 0
    say.line(f"stopped after step {trainer.progress.step:,}; saved {run.last}")
    say.line(f"go on with: rnnlm train {shlex.quote(str(run.path))} --resume")
    received = ranks.largest(noted[-1] if noted else 0)
    return 128 + received if received else os.EX_TEMPFAIL


def conclude(experiment: Experiment, run: Run, say: Screen) -> None:
    """Show the result, and the exact commands to type next."""
    from rnnlm.nn.heads.loss import exp_mean, figure

    progress, path = experiment.trainer.progress, shlex.quote(str(run.path))
    nats = progress.history[progress.best]
    name = "train" if experiment.valid is None else "valid" if experiment.trainer.unk_learnt else "valid, no OOVs:"
    figures = f"{name} {experiment.perplexity} {figure(exp_mean(nats, 1))} ({nats:.4f} nats)"
    say.line(f"best: validation {progress.best + 1}, {figures}; model {run.best}")
    uniform = math.log(len(experiment.vocab))
    if nats >= uniform > 0:
        lr, usual = experiment.config.optimizer.lr, type(experiment.config.optimizer)().lr
        say.line(
            f"warning: no better than a uniform guess over the {experiment.task.outcomes} ({uniform:.4f} nats): "
            f"the model has learnt nothing with learning rate {lr:g}"
        )
        if lr > usual:
            say.line("next:")
            say.line(f"  rnnlm train {path} --force --set optimizer.lr={usual:g}")
            return
    say.line("next:")
    say.line(f"  rnnlm eval {path}" + ("" if experiment.config.data.test else " TEXT"))
    for command in experiment.task.next:
        say.line(f"  rnnlm {command.format(path)}")
    say.line(f"  rnnlm info {path}")
