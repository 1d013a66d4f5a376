"""`rnnlm predict`: the likeliest next words after each word of a text."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rnnlm.cli.options import utf8
from rnnlm.cli.tables import visible, width
from rnnlm.errors import UsageError

DEFAULT_K = 5


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("text", default="-", metavar="[TEXT|-]", callback=utf8)
@click.option("-k", type=click.IntRange(min=1), help="How many words, or labels.  [default: 5]")
@click.option(
    "--beam", type=click.IntRange(min=1), metavar="N", help="Search with a beam, and show the N best answers."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line of text.")
def command(model, text, k, beam, as_json):
    """What MODEL predicts for each line of TEXT; of a language model, the K likeliest next words, and their
    probabilities, at the start of the line and after each word of it.

    A classifier shows its K likeliest labels and their probabilities, a seq2seq model its answer to the line; a vec2seq
    model reads a file of vectors (.npy) in place of TEXT, and puts each into words. With --beam N both show the N best
    answers, with their log-probabilities (base 10), and an empty line after them.

    TEXT is the text itself, or `-` for the lines of standard input; each line is a sentence of its own. For a character
    model the words are characters. <s>, which never follows anything, is not listed; </s> and <unk> are.

    What begins a line is shown as the model knows it: <s>, or </s> if it was trained on a stream.

    --json: {"text": the line, "predictions": [{"after": "<s>", "next": [{"word": "the", "p": 0.1}, ...]}, ...]};
    of a classifier {"text": the line, "labels": [{"label": ..., "p": ...}, ...]}; of the others {"source": the line (of
    vec2seq "row": its number), "answers": [{"text": ..., "logprob": ..., "finished": did it come to an end}, ...]}
    """
    from rnnlm.cli import family
    from rnnlm.lm.network import NetworkScorer
    from rnnlm.loading import load_model
    from rnnlm.text.lines import lines

    loaded = load_model(model, ("lm", "classifier", "seq2seq", "vec2seq"))
    if loaded.config.model.kind != "lm":
        if k is not None and loaded.config.model.kind != "classifier":
            raise UsageError(f"-k {k}: this model writes whole answers", "--beam N shows the N best")
        family.predict(loaded, text, k or DEFAULT_K, beam, as_json)
        return
    if beam is not None:
        raise UsageError("--beam: a language model has no answers to search for", "`rnnlm sample` writes text")
    k, vocab = k or DEFAULT_K, loaded.vocab
    if k >= len(vocab):
        raise UsageError(f"-k {k}: only {len(vocab) - 1} words of the vocabulary can come next", "ask for fewer")
    scorer = NetworkScorer(loaded.network, loaded.stream)
    for line in lines("-") if text == "-" else text.split("\n"):
        words = vocab.split(line)
        predictions = zip([vocab.words[scorer.start], *words], scorer.likeliest(words, k))
        if as_json:
            rows = [{"after": word, "next": [{"word": w, "p": p} for w, p in best]} for word, best in predictions]
            click.echo(json.dumps({"text": line, "predictions": rows}, ensure_ascii=False))
        else:
            for row in table(predictions):
                click.echo(row)
            click.echo()


def table(predictions):
    """A row per prediction: the word, then probabilities and next words in columns."""
    cells = [[visible(word), *(f"{p:.4f} {visible(w)}" for w, p in best)] for word, best in predictions]
    widths = [max(map(width, column)) for column in zip(*cells)]
    for row in cells:
        yield "   ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths)).rstrip()
