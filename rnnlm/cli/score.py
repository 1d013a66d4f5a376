"""`rnnlm score`: one log-probability per line."""

from __future__ import annotations

import math
from pathlib import Path

import click


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("text", default="-", metavar="[TEXT|-]")
def command(model, text):
    """The log-probability (base 10) of each line of TEXT under MODEL, `</s>` included.

    TEXT is a file, or `-` for standard input. Exactly one line of output per line of input, as soon as it is known; an
    empty line has the score of `</s>` alone. Words out of the vocabulary count as <unk>. Each line is a sentence of its
    own, so where none is empty the sum is the logprob_unk of `rnnlm eval --independent --json`.
    """
    from rnnlm.corpus import blocks
    from rnnlm.experiment import load_scorer

    scorer = load_scorer(model)
    for block in blocks(text):  # what there is so far, so that a program that waits for an answer gets it
        for log_p in scorer.log_probs(map(scorer.vocab.split, block)):
            click.echo(f"{log_p.sum(dtype=float) / math.log(10):.8f}")
