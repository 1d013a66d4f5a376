"""`rnnlm rescore`: choose among the hypotheses of a speech recogniser."""

from __future__ import annotations

import math
import os
from pathlib import Path

import click

from rnnlm.cli.options import load, mix_options
from rnnlm.errors import UsageError
from rnnlm.files import write_whole
from rnnlm.lm.rescoring.nbest import FORMATS, UNITS

WEIGHTS = ("ac-weight", "lm-weight", "old-weight", "word-penalty")  # options, in the order of `Weights`


@click.command(name="rescore")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("lists", nargs=-1, required=True, metavar="NBEST...")
@click.option("-f", "--format", "form", type=click.Choice(list(FORMATS)), required=True, help="Format of the lists.")
@mix_options
@click.option("--ac", metavar="FILE", help="Acoustic scores, a line per hypothesis (mikolov, kaldi).")
@click.option("--old", metavar="FILE", help="Scores of the recogniser's language model (mikolov, kaldi).")
@click.option(
    "--unit",
    type=click.Choice(list(UNITS)),
    help="Unit of --ac and --old; a cost is a negative natural logarithm.  [default: kaldi cost, mikolov log10]",
)
@click.option("--ac-weight", "--acwt", type=float, default=1.0, help="Weight of acoustic scores.")
@click.option("--lm-weight", "--lmwt", type=float, default=1.0, help="Weight of MODEL's scores.")
@click.option("--old-weight", type=float, default=0.0, help="Weight of the recogniser's language model.")
@click.option("--word-penalty", type=float, default=0.0, help="Subtracted for every word; negative: a bonus.")
@click.option(
    "--context",
    type=click.Choice(["none", "first-best"]),
    default="none",
    help="What precedes an utterance: nothing, or the first hypotheses of the utterances before it.",
)
@click.option("--ref", metavar="FILE", help="References, lines of `ID words...`: prints word error rates.")
@click.option(
    "--tune",
    metavar="SHARE",
    type=click.FloatRange(0, 1, min_open=True),
    help="Find the weights with the fewest errors on this share of the utterances, the first ones; 1: on all.",
)
@click.option("--nbest", is_flag=True, help="Write whole lists, reordered, not the best hypotheses alone.")
@click.option("-o", "--output", metavar="FILE", default="-", help="Where to write.")
def command(model, lists, form, ac, old, unit, context, ref, tune, nbest, output, mix, mix_weights, **values):
    """Score the hypotheses in NBEST with MODEL and write the best one of each utterance, as `ID words...`.

    \b
    Formats, a hypothesis a line (`-` is standard input):
      mikolov       ID words...                 ID is the same for all of a list
      kaldi         ID-N words...               N is the hypothesis's number
      srilm         ac lm nwords words...       a file per utterance, named after it
      srilm-stream  ID ac lm nwords words...    many utterances in a file

    score = ac-weight * ac + lm-weight * lm + old-weight * old - word-penalty * words. See docs/rescoring.md.

    --tune finds lm-weight and word-penalty, and old-weight where there are old scores, and prints them as options.
    Word error rates go to standard error, or to standard output with -o.
    """
    from rnnlm.lm.rescoring.nbest import read
    from rnnlm.lm.rescoring.rescore import Weights, rescore
    from rnnlm.lm.rescoring.wer import ErrorTable

    for name, value in (("--ac", ac), ("--old", old), ("--unit", unit)):
        if value and FORMATS[form].scored:
            raise UsageError(f"{name}: lists of the format {form} have scores of their own", "leave it out")
    if tune and not ref:
        raise UsageError("--tune needs references", "name a file of them with --ref")
    has_ac, has_old = (FORMATS[form].scored or bool(path) for path in (ac, old))
    check_weights(values | {"tune": tune or 1}, has_ac, has_old)
    check_output(output, [*lists, ac, old, ref])
    scorer = load([model, *mix], mix_weights, carried=context == "first-best")
    errors = ErrorTable(ref) if ref else None
    scored = rescore(scorer, read(lists, form, ac, old, unit), scorer.vocab.split)
    weights, developed = Weights(*(values[name.replace("-", "_")] for name in WEIGHTS)), 0
    if tune:
        everything = list(scored)
        developed = max(1, round(tune * len(everything)))
        free = [name for name, is_free in (("lm", has_ac), ("old", has_old), ("penalty", True)) if is_free]
        weights = tuned(everything[:developed], errors, weights, free)
        scored = iter(everything)

    def rows():
        for i, s in enumerate(scored):
            yield from s.lines(weights, form) if nbest else [s.best(weights)]
            if errors:
                part = "" if not tune else "development" if i < developed else "rest"
                errors.add(s.nbest, s.ranking(weights)[0], part)

    if output == "-":
        for row in rows():
            click.echo(row)
    else:
        write_whole(output, lambda file: file.writelines(f"{row}\n".encode() for row in rows()))
    if errors:
        show(errors, err=output == "-")


def check_weights(values, has_ac, has_old):
    """Raise UsageError for weights that are not finite, and for those of scores that are not given."""
    for name, neutral, usable in (("ac", 1, has_ac), ("old", 0, has_old)):
        if values[f"{name}_weight"] != neutral and not usable:
            raise UsageError(f"--{name}-weight: there are no scores to weight", f"name them with --{name}")
    for name, value in values.items():
        if not math.isfinite(value):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} {value}: expected a finite number", "1 counts all, 0 nothing")


def check_output(output, inputs):
    """Raise UsageError for an output that is no regular file, or is also read."""
    if Path(output).exists() and not Path(output).is_file():
        raise UsageError(f"{output}: is a directory, a pipe or a device, not a file", "name a file, or leave -o out")
    for path in inputs:
        if path and os.path.exists(output) and os.path.exists(path) and os.path.samefile(output, path):
            raise UsageError(f"{output}: would overwrite {path}, which is read", "choose another name")


def tuned(scored, errors, weights, free):
    """Weights with the fewest errors on these lists, which are also shown as options."""
    from rnnlm.lm.rescoring.tuning import tune

    weights = tune(scored, [errors.distances(s.nbest) for s in scored], weights, free)
    options = (f"--{name} {str(weight).removesuffix('.0')}" for name, weight in zip(WEIGHTS, weights))
    click.echo(f"weights: {' '.join(options)}", err=True)
    return weights


def show(errors, err):
    """Print a table of word error rates for each part of the text."""
    if errors.unused:
        note = f"note: {errors.path}: {len(errors.unused)} utterances have no list and are not counted"
        click.echo(f"{note}, such as {min(errors.unused)!r}", err=True)
    for part, row in errors.parts.items():
        click.echo(f"{part:<12} utterances    words   errors      WER", err=err)
        for name, e in row.items():
            click.echo(f"{name:<12} {e.utterances:10} {e.words:8} {e.errors:8} {e.wer:8.2%}", err=err)
