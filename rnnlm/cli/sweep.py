"""`rnnlm sweep`: the commands of many trainings, for whatever runs commands."""

from __future__ import annotations

import functools
import shlex
from pathlib import Path

import click

from rnnlm.errors import UsageError

OWN = {"output": "-o", "resume": "--resume", "auto_resume": "--auto-resume", "force": "--force", "seed": "--seed"}


@click.command()
@click.argument("config", metavar="CONFIG|TEXT")
@click.argument("options", nargs=-1, metavar="[-- OPTIONS]")
@click.option(
    "--set", "texts", multiple=True, metavar="A.B=C,C...", help="Values of an option, each in YAML; repeatable."
)
@click.option("--seeds", metavar="1..3|1,5", help="Train each setting with each of these seeds.")
@click.option(
    "--random", "draws", type=click.IntRange(1, 10_000), metavar="N", help="Draw N settings instead of trying all."
)
@click.option("--seed", type=click.IntRange(0), help="Of the draws of --random.  [default: 1]")
@click.option("-o", "--output", metavar="FOLDER", help="Of the run directories.  [default: runs/NAME-sweep]")
def command(config, options, texts, seeds, draws, seed, output):
    """Print an `rnnlm train` command a line, one for each combination of settings and seeds.

    Run them with xargs, GNU parallel, make or a batch system: docs/scaling.md. Each has a run directory of its own, and
    --auto-resume, so that the same lines go on with what was interrupted. With --random, values may be ranges: 100..400
    or 0.1..0.5, or "1e-4..1e-2 log" by the logarithm. OPTIONS of `rnnlm train` are added to each line. Every line is
    checked before the first is printed.

    \b
      rnnlm sweep char --set optimizer.lr=1e-3,3e-3 --seeds 1..3 -- --threads 1 > sweep.txt
      xargs -P 2 -L 1 env < sweep.txt
      rnnlm compare runs/char-sweep/*
    """
    from rnnlm.recipes.sweep import SEED, trainings

    if seed is not None and draws is None:
        raise UsageError("--seed without --random", "--seeds 1..3 are the seeds of the trainings")
    if not texts and (seeds is None or draws is not None):
        raise UsageError("nothing to vary", "such as --set optimizer.lr=1e-3,2e-3, or --seeds 1..3")
    folder = Path(output or Path("runs", f"{Path(config).stem}-sweep"))
    found = trainings(texts, reader(config, options), seeds, draws, 1 if seed is None else seed)
    for name, setting in found.items():
        line = ["rnnlm", "train", config, *options]
        for path, value in setting.items():
            line += ["--seed", value] if path == SEED else ["--set", f"{path}={value}"]
        click.echo(shlex.join([*line, "-o", str(folder / name), "--auto-resume"]))
    click.echo(f"{len(found)} trainings; then: rnnlm compare {shlex.quote(str(folder))}/*", err=True)


def reader(config, options):
    """The function from overrides to the configuration with which `rnnlm train` begins, with these options."""
    from rnnlm.cli import train
    from rnnlm.recipes.choice import Size, settings
    from rnnlm.recipes.names import config_file

    parent = click.get_current_context().parent
    given = train.command.make_context("train", [config, *options], parent).params
    for name, flag in OWN.items():
        if given[name] is not None and given[name] is not False:  # the seed may be 0
            raise UsageError(f"{flag} behind --", "every line has its own")
    file, texts = train.meant(given["config"], given["train"])
    fixed = [*given["overrides"], *train.as_set(texts, given["valid"], None)]
    source = file and config_file(file)
    size_of = functools.cache(Size.of)  # of the text, if it chooses the configuration
    return lambda overrides: settings(source, [*fixed, *overrides], size_of=size_of)[0]
