"""`rnnlm score`: one log-probability per line, or per word."""

from __future__ import annotations

import math
from pathlib import Path

import click

from rnnlm.errors import UsageError


def mix_options(command):
    """The options of a mixture, for the commands that score sentences."""
    weights = click.option(
        "--weights",
        "--mix-weights",
        "mix_weights",
        metavar="W,W...",
        help="Weights of MODEL and of each --mix, in this order; their sum is 1.  [default: all equal]",
    )
    mix = click.option(
        "--mix",
        metavar="MODEL",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Another model, a network or an ARPA file, mixed with the first word by word. May be repeated.",
    )
    return mix(weights(command))


def load(models, weights, carried):
    """The scorer of a model, or of the mixture of several."""
    from rnnlm.lm.mixture import Mixture
    from rnnlm.loading import load_text_model

    scorers = [load_text_model(path, carried).scorer for path in models]
    if weights is None:
        return Mixture(scorers) if len(scorers) > 1 else scorers[0]
    try:
        return Mixture(scorers, [float(weight) for weight in weights.split(",")])
    except ValueError:
        raise UsageError(f"--weights {weights}: expected numbers and commas", "such as 0.7,0.3") from None


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("text", default="-", metavar="[TEXT|-]")
@mix_options
@click.option("--words", is_flag=True, help="A number per word and for `</s>`, on one line, in place of their sum.")
@click.option("--base", type=click.Choice(["10", "e", "2"]), default="10", help="Of the logarithms.")
@click.option(
    "--oov",
    type=click.Choice(["unk", "exclude"]),
    default="unk",
    help="Words out of the vocabulary: count as <unk>, or not at all (with --words: nan).",
)
@click.option(
    "--independent/--continuous",
    default=True,
    help="Each line from the initial state, or the state carried on from one to the next.",
)
def command(model, text, mix, mix_weights, words, base, oov, independent):
    """The log-probability of each line of TEXT under MODEL, `</s>` included.

    MODEL is a run directory, a model file or an ARPA file; TEXT a file, or `-` for standard input. Exactly one line of
    output per line of input, and of independent lines as soon as it is known; an empty line has the score of `</s>`
    alone. Where no line is empty, the sum over lines is the logprob_unk of `rnnlm eval --json`, and with --oov exclude
    its logprob.
    """
    from rnnlm.text.lines import blocks, lines

    scorer = load([model, *mix], mix_weights, not independent)
    scale = {"10": math.log(10), "e": 1, "2": math.log(2)}[base]
    # Independent: what there is so far, so that a program that waits for an answer gets it.
    for block in blocks(text) if independent else [lines(text)]:
        for line in scores(scorer, block, scale, oov == "exclude", words):
            click.echo(line)


def scores(scorer, lines, scale, exclude, words):
    """A line of numbers for each line of text."""
    import itertools

    texts = itertools.tee(map(scorer.vocab.split, lines))
    for tokens, log_p in zip(texts[0], scorer.log_probs(texts[1])):
        log_p = log_p.astype(float) / scale
        known = [not exclude or token in scorer.vocab.index for token in tokens] + [True]
        if words:
            yield " ".join(f"{x:.8f}" if is_known else "nan" for x, is_known in zip(log_p, known))
        else:
            yield f"{log_p[known].sum():.8f}"
