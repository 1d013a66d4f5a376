"""`rnnlm predict`: the likeliest next words, the label of a sentence, or the answer to it."""

from __future__ import annotations

import click

from rnnlm.cli.options import model_argument, utf8
from rnnlm.cli.output import in_json, show, tell
from rnnlm.cli.tables import table, visible


@click.command()
@model_argument
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
    predict(model, text, k, beam, as_json)


def predict(path, text, k, beam, as_json, command="predict"):
    """Print the answers of a model, which has to be of a kind for the command, to the lines of a text."""
    from rnnlm.loading import load_model

    loaded = load_model(path, command)
    for one in loaded.task.predict(loaded.network, text, k, beam):
        tell(one.note)
        show(in_json(one.facts) if as_json else lines_of(one.lines, align="l", gap=3))


def lines_of(parts, **layout):
    """Lines of parts that are lines themselves, or rows of tables, in which predictions have their probabilities."""
    for part in parts:
        if isinstance(part, str):
            yield part
        else:
            rows = [[x if isinstance(x, str) else f"{x.p:.4f} {visible(x.word)}" for x in row] for row in part]
            yield from table(rows, **layout)
