"""`rnnlm show sentence`: a network unrolled over a sentence."""

from __future__ import annotations

import click

from rnnlm.cli.options import model_argument, utf8
from rnnlm.cli.output import in_json, show, tell
from rnnlm.cli.show.plot import plot_option, pyplot_for, save
from rnnlm.cli.tables import cell, coloured, cut, table, terminal_width, width
from rnnlm.errors import UsageError

WORD = 16  # cells of a word at most
PREDICTION = 6  # cells of a predicted word at least
PIPED = 100  # width where there is no terminal
DECIMALS = 6  # of the numbers in --json
DEEP = 24  # cells by which a node of a tree is indented at most
SCALE = (232, 238, 244, 67, 74, 80, 78, 114, 150, 186)  # of the 256 colours: from a probability of 0 to 1


@click.command()
@model_argument
@click.argument("text", metavar="TEXT|-", type=utf8)
@click.option("-k", type=click.IntRange(1), default=3, help="Predictions in each place.")
@click.option("--line", type=click.IntRange(1), metavar="N", help="Line N of TEXT alone.")
@plot_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line of TEXT: see docs/show.md.")
def command(model, text, k, line, plot, as_json):
    """The network of MODEL unrolled over a sentence: for each word its surprise -log2 p (bits), the norm of the hidden
    vector h_t after it, the norm of the error dL/dh_t that arrives there, and the K likeliest next words.

    L is the loss of the sentence, in nats; errors are computed in float64, from all later steps. --plot draws the
    network step by step, with each h_t as a strip of colours.

    TEXT is the sentence itself, or `-` for the lines of standard input. A classifier shows its label's probability as
    the words come in, for `label<TAB>text` that of the label; a blank model both directions; a seq2seq model encoder
    and decoder, for `source<TAB>target` or with its own answer; a tree network the tree, each node in the colour of
    its label's probability. Of a vec2seq model, TEXT is a file of vectors (.npy).
    """
    pyplot = pyplot_for(plot) if plot else None
    from rnnlm.loading import EVERY_MODEL, load_model

    loaded, drawn, number = load_model(model, EVERY_MODEL), None, 0
    for number, example in enumerate(loaded.task.examples(loaded.network, text), 1):
        if line not in (None, number):
            continue
        if pyplot and drawn:
            raise UsageError("--plot: TEXT has several lines, a picture has one", "choose one with --line N")
        drawn = loaded.task.unroll(loaded.network, example, k)
        tell(drawn.note)
        show(in_json(drawn, DECIMALS) if as_json else report(drawn, terminal_width() or PIPED, coloured()))
        if line == number:
            break
    if line is not None and line > number:
        raise UsageError(f"--line {line}: the text has {number} lines", "the first line has number 1")
    if pyplot and drawn:
        from rnnlm.cli.show.diagram import draw

        save(draw(pyplot, drawn), plot, "the network unrolled over the sentence")


def report(one, limit, colours):
    """Lines for people, none wider than `limit` cells."""
    yield cut(f"L = {one.loss}: {one.bits:.2f} bits", limit)
    for side in one.sides:
        if side.name:
            yield f"{side.name}:"
        yield from tree(side, limit, colours) if side.parents else steps(side, limit)
    yield ""


def steps(side, limit):
    """Table of a side with a row for each column, and one more for a word that is predicted behind the last."""
    said = list(side.predictions)
    bits = [None if one is None else one.bits for one in said]
    words = [shown(word, known) for word, known in zip(side.words, side.known)]
    if side.ahead:
        words, bits = [*words, said[-1].came], [None, *bits]
    heads, rows = ["word"], [[cut(word, WORD)] for word in words]
    if any(said):
        heads.append("bits")
        rows = [[*row, cell(x, "{:.2f}".format, "")] for row, x in zip(rows, bits)]
    for chain in side.chains:
        heads += [f"|{chain.symbol}|", f"|dL/d{chain.symbol}|"]
        for row in rows:
            row += ["", ""]
        for row, norm, error in zip(rows[chain.first :], chain.norms, chain.errors):
            row[-2:] = [f"{norm:.2f}", f"{error:.2e}"]
    yield from beside([heads, *rows], side, limit)


def beside(rows, side, limit):
    """Table of figures with the predictions of a side beside them, or below them where there is no room."""
    k = max((len(one.likely) for one in side.predictions if one), default=0)
    fixed = sum(max(map(width, column)) + 2 for column in zip(*rows))
    beside = fixed + k * (len("0.123 ") + PREDICTION + 2) <= limit + 2
    room = limit - (fixed if beside else max(width(row[0]) for row in rows) + 2)
    room = max(room // max(k, 1) - len("0.123 ") - 2, 1)
    likely = [["likeliest next" if side.ahead else "likeliest"] * bool(k)]
    likely += [[f"{p:.3f} {cut(word, room)}" for word, p in one.likely] if one else [] for one in side.predictions]
    align = "l" + "r" * (len(rows[0]) - 1)
    likely += [[]] * (len(rows) - len(likely))
    if beside:
        rows = [[*row, *[""] * (len(rows[0]) - len(row)), *more] for row, more in zip(rows, likely)]
        yield from table(rows, align + "l", limit=limit)
    else:
        yield from table(rows, align, limit=limit)
        yield ""
        yield from table([[row[0], *more] for row, more in zip(rows, likely)], "l", limit=limit)


def tree(side, limit, colours):
    """Tree with a line for each node, indented by its depth, and the figures of the node behind it."""
    (chain,) = side.chains
    names, figures = ["node"], [["label", "p", "given", "bits", f"|{chain.symbol}|", f"|dL/d{chain.symbol}|"]]
    for word, known, depth, one, norm, error in zip(
        side.words, side.known, side.depths, side.predictions, chain.norms, chain.errors
    ):
        indent = "  " * depth if 2 * depth <= DEEP else f"{f'+{depth}':<{DEEP}}"
        names.append(cut(indent + (shown(word, known) if word else "()"), DEEP + WORD))
        (label, p), *_ = one.likely if one else [("", None)]
        given, bits = (one.came or "", one.bits) if one else ("", None)
        figures.append([
            cut(label, WORD), cell(p, "{:.3f}".format, ""), cut(given, WORD), cell(bits, "{:.2f}".format, ""),
            f"{norm:.2f}", f"{error:.2e}",
        ])  # fmt: skip
    wide = max(map(width, names))
    chances = [None, *(chance(one) for one in side.predictions)]
    for name, p, row in zip(names, chances, table(figures, "lrlrrr", limit=limit - wide - 2)):
        padded = name + " " * (wide - width(name))
        yield f"{painted(padded, p) if colours and p is not None else padded}  {row}".rstrip()


def chance(prediction):
    """Probability of the label that a node has, or of its likeliest; None for a node that is not asked."""
    if prediction is None:
        return None
    return prediction.likely[0].p if prediction.bits is None else 2**-prediction.bits


def painted(text, p):
    """A text in the colour of a probability: from dark and grey, 0, to light green, 1."""
    step = min(int(p * len(SCALE)), len(SCALE) - 1)
    return click.style(text, fg=255 if step < 4 else 16, bg=SCALE[step])


def shown(word, known):
    """A word of a text, with `<unk>` behind it where that is read in its place."""
    return word if known else f"{cut(word, WORD - len(' <unk>'))} <unk>"
