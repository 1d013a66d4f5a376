"""`rnnlm fill`: fill in the blanks of a text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from rnnlm.cli.options import utf8
from rnnlm.cli.predict import table
from rnnlm.errors import UsageError

BLANK, BLANKS = "____", re.compile("_{3,}")


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("text", default="-", metavar="[TEXT|-]", callback=utf8)
@click.option("-k", type=click.IntRange(min=1), default=5, help="How many words for each blank.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line of text.")
def command(model, text, k, as_json):
    """The K likeliest words, and their probabilities, for each blank in each line of TEXT: `____` in place of a word.

    TEXT is the text itself, or `-` for the lines of standard input; each line is a sentence of its own. MODEL is one of
    the kind blank, which knows the words on both sides. Where a line has several blanks, each is filled as if <unk>
    stood in the others. Words that the model does not know are read as <unk>, with a note; <unk> is never proposed.

    --json: {"text": the line, "blanks": [[{"word": "buy", "p": 0.1}, ...], ...]}
    """
    from rnnlm.loading import load_model
    from rnnlm.tasks.measures import likeliest
    from rnnlm.text.lines import lines
    from rnnlm.text.vocab import OOV, SPECIALS, UNK

    loaded = load_model(model, ("blank",))
    vocab = loaded.vocab
    if k > len(vocab) - len(SPECIALS):
        raise UsageError(f"-k {k}: the vocabulary has only {len(vocab) - len(SPECIALS)} words", "ask for fewer")
    for line in lines("-") if text == "-" else text.split("\n"):
        words = split(line, vocab)
        places = [i for i, word in enumerate(words) if word == BLANK]
        if not places:
            raise UsageError(f"no blank in {line!r}", f"write {BLANK} in place of a word, with spaces around")
        ids = vocab.ids(words)
        unknown = [word for word, i in zip(words, ids) if i == OOV and word != BLANK]
        if unknown:
            names = ", ".join(map(repr, dict.fromkeys(unknown)))
            click.echo(f"note: not in the vocabulary, read as <unk>: {names}", err=True)
        ids = [UNK if i == OOV or word == BLANK else i for word, i in zip(words, ids)]
        found = list(likeliest(loaded.network, ids, places, k))
        if as_json:
            rows = [[{"word": word, "p": p} for word, p in best] for best in found]
            click.echo(json.dumps({"text": line, "blanks": rows}, ensure_ascii=False))
        else:
            for row in table((f"{BLANK} {n}" if len(found) > 1 else BLANK, best) for n, best in enumerate(found, 1)):
                click.echo(row)
            click.echo()


def split(line, vocab):
    """The tokens of a line, each blank being one."""
    if vocab.level == "word":
        return [BLANK if BLANKS.fullmatch(word) else word for word in vocab.split(line)]
    pieces = [(BLANKS.fullmatch(piece), piece) for piece in re.split(f"({BLANKS.pattern})", line)]
    return [token for blank, piece in pieces for token in ([BLANK] if blank else vocab.split(piece))]
