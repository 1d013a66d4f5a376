"""`rnnlm rescore`: choose among the hypotheses of a recogniser."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

import click

from rnnlm.cli.score import load, mix_options
from rnnlm.errors import DataError, UsageError


@click.command(name="rescore")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("lists", nargs=-1, required=True, metavar="NBEST...")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["mikolov", "kaldi", "srilm", "srilm-stream"]),
    required=True,
    help="How the lists are written.",
)
@mix_options
@click.option("--ac", metavar="FILE", help="Scores of the sounds, a line per hypothesis (mikolov, kaldi).")
@click.option("--old", metavar="FILE", help="Scores of the recogniser's language model, likewise.")
@click.option(
    "--unit",
    type=click.Choice(["log10", "ln", "cost"]),
    help="What the scores of --ac and --old are; a cost is a negative natural logarithm.  "
    "[default: kaldi cost, mikolov log10]",
)
@click.option("--ac-weight", "--acwt", type=float, default=1.0, help="What the scores of the sounds count.")
@click.option("--lm-weight", "--lmwt", type=float, default=1.0, help="What the scores of MODEL count.")
@click.option("--old-weight", type=float, default=0.0, help="What the scores of the old language model count.")
@click.option("--word-penalty", type=float, default=0.0, help="Taken off for every word; negative: a bonus.")
@click.option(
    "--context",
    type=click.Choice(["none", "first-best"]),
    default="none",
    help="What an utterance follows: nothing, or the first hypothesis of each utterance before it.",
)
@click.option("--ref", metavar="FILE", help="What was said, lines of `ID words...`: prints word error rates.")
@click.option(
    "--tune",
    metavar="SHARE",
    type=click.FloatRange(0, 1, min_open=True),
    help="Find the weights with the fewest errors on this share of the utterances, the first ones; 1: on all.",
)
@click.option("--nbest", is_flag=True, help="Write the whole lists, reordered, in place of the best hypotheses.")
@click.option("-o", "--output", metavar="FILE", default="-", help="Where to write.")
def command(model, lists, form, ac, old, unit, context, ref, tune, nbest, output, mix, mix_weights, **weights):
    """Score the hypotheses in NBEST with MODEL and write the best one of each utterance, as `ID words...`.

    \b
    Formats, a hypothesis a line (`-` is standard input):
      mikolov       ID words...                 ID once for each hypothesis
      kaldi         ID-N words...               N the hypothesis's number
      srilm         ac lm nwords words...       a file per utterance, named for it
      srilm-stream  ID ac lm nwords words...    many utterances in a file

    For the first two, --ac and --old name files of `ID value` (`ID-N value`) or `value`, line by line.

    score = ac-weight * ac + lm-weight * lm + old-weight * old - word-penalty * words, in natural logarithms: lm is
    MODEL's log-probability, `</s>` included, and old that of the recogniser's language model. Equal scores stay in the
    order of the list; the first hypothesis, with kaldi that of the smallest N, is the recogniser's own choice.

    --nbest keeps what hypotheses are called and puts MODEL's scores in the place of SRILM's `lm`; lists in the format
    srilm come out as srilm-stream. Word error rates go to standard output where FILE takes the hypotheses, and
    otherwise to standard error.

    --tune changes lm-weight and word-penalty, and old-weight where there are old scores; ac-weight stays, since only
    ratios matter, or lm-weight where there are no scores of sounds. The weights found are printed as options.
    """
    from rnnlm.lm.rescoring.nbest import FORMATS, read, read_references
    from rnnlm.lm.rescoring.rescore import Weights, rescore

    for name, value in (("--ac", ac), ("--old", old), ("--unit", unit)):
        if value and FORMATS[form].scored:
            raise UsageError(f"{name}: lists of the format {form} have scores of their own", "leave it out")
    if tune and not ref:
        raise UsageError("--tune needs to know what was said", "name the references with --ref")
    has_ac, has_old = (FORMATS[form].scored or bool(path) for path in (ac, old))
    for name, neutral, usable in (("ac", 1, has_ac), ("old", 0, has_old)):
        if weights[f"{name}_weight"] != neutral and not usable:
            raise UsageError(f"--{name}-weight: there are no scores that it could count", f"name them with --{name}")
    for name, value in (*weights.items(), ("tune", tune or 1)):
        if not math.isfinite(value):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} {value}: expected a finite number", "1 counts all, 0 nothing")
    if os.path.exists(output) and not os.path.isfile(output):
        raise UsageError(f"{output}: is a directory, a pipe or a device, not a file", "name a file, or leave -o out")
    for path in [*lists, ac, old, ref]:
        if path and os.path.exists(output) and os.path.exists(path) and os.path.samefile(output, path):
            raise UsageError(f"{output}: would overwrite {path}, which is read", "choose another name")
    scorer = load([model, *mix], mix_weights, carried=context == "first-best")
    references = References(ref, read_references(ref)) if ref else None
    scored = rescore(scorer, read(lists, form, ac, old, unit), scorer.vocab.split)
    weights = Weights(*(weights[name] for name in ("ac_weight", "lm_weight", "old_weight", "word_penalty")))
    developed = 0  # utterances that the weights were tuned on
    if tune:
        scored = list(scored)
        developed = max(1, round(tune * len(scored)))
        free = [name for name, is_free in (("lm", has_ac), ("old", has_old), ("penalty", True)) if is_free]
        weights = tuned(scored[:developed], references, weights, free)
    with open_output(output) as write:
        for i, s in enumerate(scored):
            ranking = s.ranking(weights)
            for line in lines_of(s, ranking, form) if nbest else [best(s, ranking)]:
                write(line)
            if references:
                references.count(s, ranking[0], "development" if i < developed else "rest" if tune else "")
    if references:
        references.report(err=output == "-")


def lines_of(scored, ranking, form):
    """The list in the order of `ranking`, as it was written; without files of their own, utterances are named."""
    from rnnlm.lm.rescoring.nbest import write

    form = "srilm-stream" if form == "srilm" else form
    return (write(scored.nbest.id, scored.nbest.hypotheses[n], scored.scores[n, 1], form) for n in ranking)


def best(scored, ranking):
    """The best hypothesis as `ID words...`."""
    return " ".join([scored.nbest.id, *scored.nbest.hypotheses[ranking[0]].words])


def tuned(scored, references, weights, free):
    """The best weights for these lists, which are also shown as the options that stand for them."""
    from rnnlm.lm.rescoring.rescore import tune

    weights = tune(scored, [references.distances(s) for s in scored], weights, free)
    names = ("ac-weight", "lm-weight", "old-weight", "word-penalty")
    values = (str(weight).removesuffix(".0") for weight in weights)
    click.echo(f"weights: {' '.join(f'--{name} {value}' for name, value in zip(names, values))}", err=True)
    return weights


class References:
    """What was said, and how well the hypotheses agree with it."""

    def __init__(self, path, words):
        self.path, self.words, self.unused = path, words, set(words)
        self.parts = {}  # name: Errors of the first-best, the rescored and the oracle's hypotheses

    def distances(self, scored):
        """(N,) errors in each hypothesis."""
        from rnnlm.lm.rescoring.rescore import edit_distances

        id, hypotheses = scored.nbest
        if id not in self.words:
            raise DataError(f"{self.path}: no reference for utterance {id!r}", "every utterance needs one")
        self.unused.discard(id)
        return edit_distances(self.words[id], [hypothesis.words for hypothesis in hypotheses])

    def count(self, scored, chosen, part):
        """Add an utterance, of which `chosen` is the rescored hypothesis, to a part of the text."""
        from rnnlm.lm.rescoring.rescore import Errors

        d = self.distances(scored)
        row = self.parts.get(part, [Errors()] * 3)
        words = len(self.words[scored.nbest.id])
        self.parts[part] = [sum_ + Errors(1, words, int(n)) for sum_, n in zip(row, (d[0], d[chosen], d.min()))]

    def report(self, err):
        """A table of word error rates."""
        if self.unused:
            note = f"note: {self.path}: {len(self.unused)} utterances have no list and are not counted"
            click.echo(f"{note}, such as {min(self.unused)!r}", err=True)
        for part, row in self.parts.items():
            click.echo(f"{part:<12} utterances    words   errors      WER", err=err)
            for name, e in zip(("first-best", "rescored", "oracle"), row):
                click.echo(f"{name:<12} {e.utterances:10} {e.words:8} {e.errors:8} {e.wer:8.2%}", err=err)


@contextlib.contextmanager
def open_output(path):
    """A function that writes a line to standard output, or to a file, which is there once it is whole."""
    if path == "-":
        yield click.echo
        return
    temporary = Path(path).with_name(f".{Path(path).name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            yield lambda line: file.write(line + "\n")
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}", "choose another place") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
