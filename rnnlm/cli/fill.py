"""`rnnlm fill`: fill in the blanks of a text."""

from __future__ import annotations

import click

from rnnlm.cli.options import model_argument, utf8
from rnnlm.cli.predict import predict


@click.command()
@model_argument
@click.argument("text", default="-", metavar="[TEXT|-]", type=utf8)
@click.option("-k", type=click.IntRange(min=1), help="How many words for each blank.  [default: 5]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line of text.")
def command(model, text, k, as_json):
    """The K likeliest words, and their probabilities, for each blank in each line of TEXT: `____` in place of a word.

    TEXT is the text itself, or `-` for the lines of standard input; each line is a sentence. MODEL is a model of kind
    blank, which knows the words on both sides. In a line with several blanks, each is filled as if <unk> stood in the
    others. Words out of the vocabulary are read as <unk>, with a note; <unk> is never proposed.

    The keys of --json are in docs/tasks.md.
    """
    predict(model, text, k, None, as_json, command="fill")
