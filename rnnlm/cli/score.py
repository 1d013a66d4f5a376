"""`rnnlm score`: one log-probability per line, or per word."""

from __future__ import annotations

import math
from pathlib import Path

import click

from rnnlm.cli.options import independent_option, load, mix_options


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("text", default="-", metavar="[TEXT|-]")
@mix_options
@click.option("--words", is_flag=True, help="A number per word and for `</s>`, on one line, in place of their sum.")
@click.option("--base", type=click.Choice(["10", "e", "2"]), default="10", help="Base of the logarithms.")
@click.option(
    "--oov",
    type=click.Choice(["unk", "exclude"]),
    default="unk",
    help="Words out of the vocabulary: count as <unk>, or not at all (with --words: nan).",
)
@independent_option(default=True)
def command(model, text, mix, mix_weights, words, base, oov, independent):
    """Log-probability of each line of TEXT under MODEL, `</s>` included.

    MODEL is a run directory, a model file or an ARPA file; TEXT is a file, or `-` for standard input. Prints exactly
    one line per line of input, as soon as it is known if lines are independent; an empty line has the log-probability
    of `</s>` alone. If no line is empty, the sum over lines is the logprob_unk of `rnnlm eval --json`, and with --oov
    exclude its logprob.
    """
    from rnnlm.text.lines import blocks, lines

    scorer = load([model, *mix], mix_weights, not independent)
    scale = {"10": math.log(10), "e": 1, "2": math.log(2)}[base]
    # Independent lines: those there are so far, so that a program that waits for an answer gets it.
    for block in blocks(text) if independent else [lines(text)]:
        for line in scores(scorer, block, scale, oov == "exclude", words):
            click.echo(line)


def scores(scorer, lines, scale, exclude, words):
    """A line of numbers for each line of text."""
    import itertools

    own, ahead = itertools.tee(map(scorer.vocab.split, lines))
    for tokens, log_p in zip(own, scorer.log_probs(ahead)):
        log_p = log_p.astype(float) / scale
        known = [not exclude or token in scorer.vocab.index for token in tokens] + [True]
        if words:
            yield " ".join(f"{x:.8f}" if is_known else "nan" for x, is_known in zip(log_p, known))
        else:
            yield f"{log_p[known].sum():.8f}"
