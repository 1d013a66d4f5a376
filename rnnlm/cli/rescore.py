"""`rnnlm rescore`: choose among the hypotheses of a speech recogniser."""

from __future__ import annotations

import collections
import itertools
import math
import os

import click

from rnnlm.cli.launcher import among_ranks, refuse_stdin
from rnnlm.cli.options import load, mix_options, model_argument, oov_options, oov_rule
from rnnlm.cli.output import output_of, show, tell
from rnnlm.cli.tables import table
from rnnlm.errors import UsageError
from rnnlm.files import write_whole
from rnnlm.lm.rescoring.formats import FORMATS, UNITS

PIECE = 20  # n-best lists that a process scores at once
# Options, in the order of `Weights`.
WEIGHTS = ("ac-weight", "lm-weight", "old-weight", "word-penalty", "oov-penalty")


@click.command(name="rescore")
@model_argument
@click.argument("lists", nargs=-1, required=True, metavar="NBEST...")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    help="Format of the lists.  [default: judged by the first lines]",
)
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
@oov_options
@click.option(
    "--noise",
    metavar="FILE|WORDS",
    help="What is no word, such as '[laugh],<eps>': neither scored nor counted. A file of them, or a list with commas.",
)
@click.option("--keep-noise", is_flag=True, help="Write the best hypotheses with their noise.")
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
@click.option("--nbest", is_flag=True, help="Write whole lists, reordered, noise included.")
@click.option("-v", "--verbose", is_flag=True, help="Errors by length, and the utterances that changed.")
@click.option("-o", "--output", metavar="FILE", default="-", help="Where to write.")
@among_ranks
def command(
    model, lists, form, ac, old, unit, context, ref, tune, nbest, output, mix, mix_weights, oov, oov_penalty, noise,
    keep_noise, verbose, processes, **values,
):  # fmt: skip
    """Score the hypotheses in NBEST with MODEL and write the best one of each utterance, as `ID words...`.

    \b
    Formats, a hypothesis a line (`-` is standard input):
      mikolov       ID words...                 ID is the same for all of a list
      kaldi         ID-N words...               N is the hypothesis's number
      srilm         ac lm nwords words...       a file per utterance, named after it; also NBestList1.0 and 2.0
      srilm-stream  ID ac lm nwords words...    many utterances in a file
      moses         ID ||| words ||| features ||| score

    score = ac-weight * ac + lm-weight * lm + old-weight * old - word-penalty * words. See docs/rescoring.md.

    --tune finds lm-weight, word-penalty, old-weight where there are old scores, and oov-penalty where there are words
    out of the vocabulary, and prints them as options. Word error rates go to standard error, or to standard output
    with -o.
    """
    from rnnlm.lm.rescoring.nbest import guessed, read, read_noise
    from rnnlm.lm.rescoring.rescore import Weights, rescore
    from rnnlm.lm.rescoring.wer import ErrorTable
    from rnnlm.text.lines import text_name
    from rnnlm.text.unknown import UnknownWords

    refuse_stdin(processes, lists)
    begun = None
    if form is None:
        form, begun = guessed(lists[0])
        tell(f"{text_name(lists[0])}: format {form}, '{FORMATS[form].line}', judged by its first lines")
    has_ac, has_old = (FORMATS[form].scored or bool(path) for path in (ac, old))
    check_scores(form, ac, old, unit)
    if tune and not ref:
        raise UsageError("--tune needs references", "name a file of them with --ref")
    check_weights(values | {"tune": tune or 1}, has_ac, has_old)
    rule = oov_rule(oov, oov_penalty)
    output = check_output(output, [*lists, ac, old, ref, noise])
    left_out = read_noise(noise) if noise else set()
    scorer = load([model, *mix], mix_weights, carried=context == "first-best")
    errors = ErrorTable(ref, left_out) if ref else None
    unknown = UnknownWords(scorer.vocab, text_name(lists[0]))
    notes: list[str] = []
    found = listened(read(lists, form, ac, old, unit, left_out, notes, begun), left_out, notes)
    pieces, split = in_pieces(processes, found, unknown, context)
    scored = processes.shared_out(pieces, lambda piece: rescore(scorer, piece, split, rule.how))
    if not processes.first:
        collections.deque(scored, maxlen=0)
        return
    given = [values[name.replace("-", "_")] for name in WEIGHTS[:-1]]
    weights, developed, changed = Weights(*given)._replace(oov=rule.penalty), 0, []
    if tune:
        everything = list(scored)
        developed = max(1, round(tune * len(everything)))
        some = everything[:developed]
        free = {"lm": has_ac, "old": has_old, "penalty": True, "oov": any(s.scores[:, 4].any() for s in some)}
        weights = tuned(some, errors, weights, [name for name, is_free in free.items() if is_free], rule.how)
        scored = iter(everything)

    def rows():
        for i, s in enumerate(scored):
            yield from s.lines(weights, form) if nbest else [s.best(weights, keep_noise)]
            best, part = s.ranking(weights)[0], "" if not tune else "development" if i < developed else "rest"
            counted = errors.add(s.nbest, best, part) if errors else None
            if verbose and s.nbest.hypotheses[best].words != s.nbest.hypotheses[0].words:
                changed.append(change(s.nbest, best, counted))

    write(output, rows())
    if errors and errors.unused:
        few = f"{len(errors.unused)} utterances have no list and are not counted, such as {min(errors.unused)!r}"
        notes.append(f"{errors.path}: {few}")
    tell(*(f"note: {note}" for note in notes), unknown.note)
    for line in report(errors, changed, verbose):
        click.echo(line, err=output == "-")


def in_pieces(processes, lists, unknown, context):
    """N-best lists in pieces, to be shared out among processes, and the function that splits their hypotheses.

    One piece for one process, or where a list depends on the one before it. Otherwise the unknown words of all pieces
    are counted here, since a process scores only some of them.
    """
    if processes.size == 1 or context != "none":
        return [lists], unknown.split

    def pieces():
        remaining = iter(lists)
        while piece := list(itertools.islice(remaining, PIECE)):
            for nbest in piece:
                for hypothesis in nbest.hypotheses:
                    unknown.split(" ".join(hypothesis.words))
            yield piece

    return pieces(), unknown.vocab.split


def listened(lists, noise, notes):
    """N-best lists as they are read; at their end a note if no noise was in them: a file may be taken for a word."""
    heard = not noise
    for nbest in lists:
        heard = heard or any(h.noisy and noise.intersection(h.noisy) for h in nbest.hypotheses)
        yield nbest
    if not heard:
        notes.append(f"--noise: the lists have no {min(noise)!r}" + " and none of the others" * (len(noise) > 1))


def write(output, rows):
    """Write lines to a file, whole or not at all, or to standard output as they come."""
    if output == "-":
        show(rows)
    else:
        write_whole(output, lambda file: file.writelines(f"{row}\n".encode() for row in rows))


def check_scores(form, ac, old, unit):
    """Raise UsageError for files of scores of a format that has its own."""
    for name, value in (("--ac", ac), ("--old", old), ("--unit", unit)):
        if value and FORMATS[form].scored:
            raise UsageError(f"{name}: lists of the format {form} have scores of their own", "leave it out")


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
    """Return the name of the output. Raises UsageError for a folder, and for a file that is also read."""
    output = output_of(output)
    for path in inputs:
        if path and os.path.isfile(output) and os.path.exists(path) and os.path.samefile(output, path):
            raise UsageError(f"{output}: would overwrite {path}, which is read", "choose another name")
    return output


def tuned(scored, errors, weights, free, how):
    """Weights with the fewest errors on these lists, which are also shown as options."""
    from rnnlm.lm.rescoring.tuning import tune

    weights = tune(scored, [errors.distances(s.nbest) for s in scored], weights, free)
    names = WEIGHTS[:-1] if how == "exclude" else WEIGHTS
    options = (f"--{name} {str(weight).removesuffix('.0')}" for name, weight in zip(names, weights))
    tell(f"weights: {' '.join(options)}")
    return weights


# --- output ---


def change(nbest, best, counted):
    """Lines about an utterance whose first hypothesis is not the best one any more."""
    errors = f": {counted.errors[0]} -> {counted.errors[1]} errors" if counted else ""
    words = (" ".join(nbest.hypotheses[n].words) for n in (0, best))
    return [f"{nbest.id}{errors}", *(f"  {sign} {text}".rstrip() for sign, text in zip("-+", words))]


def report(errors, changed, verbose):
    """Lines of word error rates for each part of the text, and how significant their difference is, and of changes."""
    for part, row in errors.parts.items() if errors else ():
        yield f"{part:<12} utterances    words   errors      WER"
        for name, e in row.items():
            yield f"{name:<12} {e.utterances:10} {e.words:8} {e.errors:8} {e.wer:8.2%}"
        if row["first-best"].words:
            wer, (low, high), better = errors.difference(part)
            interval = f"95 % interval {low:+.2%} to {high:+.2%}, better in {better:.1%} of 1000 resampled texts"
            yield f"difference   {wer:+.2%}, {interval}"
        if verbose:
            yield ""
            yield from by_length(errors.lengths(part))
    if verbose:
        yield f"\n{len(changed)} utterances changed"
        yield from itertools.chain.from_iterable(changed)


def by_length(groups):
    """Table of word error rates by the length of the reference."""
    rows = [["words", "utterances", *next(iter(groups.values()))]]
    for length, row in groups.items():
        rows.append([length, row["oracle"].utterances, *(f"{e.wer:.2%}" if e.words else "-" for e in row.values())])
    yield from table(rows, "r")
