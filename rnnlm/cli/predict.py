"""`rnnlm predict`: the likeliest next words, the label of a sentence, or the answer to it."""

from __future__ import annotations

from pathlib import Path

import click

from rnnlm.cli import tasks
from rnnlm.cli.options import utf8


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("text", default="-", metavar="[TEXT|-]", type=utf8)
@click.option("-k", type=click.IntRange(min=1), help="How many words, or labels.  [default: 5]")
@click.option(
    "--beam", type=click.IntRange(min=1), metavar="N", help="Search with a beam, and show the N best answers."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line of text.")
def command(model, text, k, beam, as_json):
    """Predictions of MODEL for each line of TEXT; of a language model, the K likeliest next words, and their
    probabilities, at the start of the line and after each of its words.

    A classifier shows its K likeliest labels and their probabilities, a seq2seq model its answer to the line. A vec2seq
    model reads a file of vectors (.npy) in place of TEXT, and shows a sentence for each. With --beam N both show the N
    best answers with their log-probabilities (base 10), and an empty line after them.

    TEXT is the text itself, or `-` for the lines of standard input; each line is a sentence. For a character model the
    words are characters. <s>, which never follows anything, is not listed; </s> and <unk> are. The start of a line is
    shown as the model reads it: <s>, or </s> if it was trained on a stream.

    The keys of --json are in docs/tasks.md.
    """
    tasks.predict(model, text, k, beam, as_json, command="predict")
