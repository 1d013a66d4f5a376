"""`rnnlm show units`: activations of single hidden units over a text."""

from __future__ import annotations

import itertools

import click

from rnnlm.cli.options import model_argument, utf8
from rnnlm.cli.output import in_json, show
from rnnlm.cli.show.plot import colour_bar, label, plot_option, pyplot_for, save
from rnnlm.cli.tables import annotated, coloured, cut, in_rows, terminal_width, width, wrap

PIPED = 100  # width where there is no terminal
WORD = 24  # cells of a word at most
LEVELS = "▁▂▃▄▅▆▇█"  # of a character's activation, from the most negative one to the most positive one
SCALE = (26, 74, 117, 153, 255, 223, 216, 209, 202)  # of the 256 colours: blue is negative, orange positive
LONGEST = 10  # rows of a line that are shown
DECIMALS = 4  # of the numbers in --json


@click.command()
@model_argument
@click.argument("text", metavar="TEXT|-", type=utf8)
@click.option(
    "--unit", "chosen", multiple=True, metavar="[LAYER:]N", help="Unit to show; repeatable.  [found by itself]"
)
@click.option("--best", type=click.IntRange(1), default=1, help="Units for each feature of the text.")
@click.option("--lines", "most", type=click.IntRange(1), default=6, help="Lines of TEXT that are shown.")
@click.option("--tokens", type=click.IntRange(2), default=5000, help="Read so many tokens of TEXT.")
@plot_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object, on one line: see docs/show.md.")
def command(model, text, chosen, best, most, tokens, plot, as_json):
    """Activations of single hidden units of MODEL over the words or characters of TEXT, a file (Karpathy et al. 2015).

    Units are found by the features of the text that explain them best: position in the line, being inside quotation
    marks, being inside brackets, and the length of words, in a character model the letters of the word so far. r^2 is
    the share of a unit's variance that a straight line over the feature explains.

    On a terminal each token has the colour of the activation after it: blue is negative, orange positive. Elsewhere
    the activation is below it, in hundredths, or as a block from ▁ (most negative) to █ (most positive).

    Units are numbered from 0: 17, 2:17 of the second layer, c17 the memory of an LSTM (tanh c_17), 2:c17.
    """
    pyplot = pyplot_for(plot) if plot else None
    from rnnlm.loading import EVERY_MODEL, load_model
    from rnnlm.show.units import readings

    loaded = load_model(model, EVERY_MODEL)
    found = readings(loaded, text, tokens, best, chosen)
    characters = loaded.vocab.inputs.level == "char"
    if as_json:
        show(in_json({"model": str(model), "text": text, "sides": list(map(facts, found))}))
    else:
        for one in found:
            show(report(one, characters, most, terminal_width() or PIPED, coloured()))
    if pyplot:
        save(draw(pyplot, found, characters, most), plot, "activations of units over the text")


def facts(one):
    """The figures of one side as --json prints them."""
    units = [{**vars(unit), "explained": unit.explained, "values": unit.values.round(DECIMALS)} for unit in one.units]
    features = {name: values.astype(int) for name, values in one.features.items()}
    return {**vars(one), "features": features, "units": units}


def title(unit):
    """Which unit it is, and how well its feature explains it, or of one that was named the feature that does best."""
    feature = unit.feature or max(unit.explained, key=unit.explained.get, default="")
    name = f"{unit.layer}, " * (unit.layer != "h") + f"{unit.part}, unit {unit.number}"
    if not feature:
        return name
    return f"{name}: {feature}, r^2 {unit.explained[feature]:.2f} (r {unit.correlation[feature]:+.2f})"


def report(one, characters, most, limit, colours):
    """Lines for people, none wider than `limit` cells."""
    side = f"{one.side}: " * bool(one.side)
    yield from wrap(f"{side}{len(one.words)} {'characters' if characters else 'words'} read", limit)
    if one.absent:
        yield from wrap(f"not in this text, or the same everywhere: {', '.join(one.absent)}", limit)
    gap = 0 if characters else 1
    for unit in one.units:
        yield ""
        yield from wrap(title(unit), limit)
        largest = largest_of(unit)
        yield f"from -{largest:.2f} to {largest:.2f}"
        for row in rows(one, unit, characters, most, limit, figures=not colours):
            yield from annotated(row, gap, painted if colours else None)
    yield ""


def painted(text, share):
    """A token in the colour of its activation."""
    return click.style(text, fg=16, bg=SCALE[block(share, len(SCALE))])


def rows(one, unit, characters, most, limit, figures=False):
    """The first lines in rows of at most `limit` cells, LONGEST for a line: (text, figure or "", activation)."""
    largest = largest_of(unit)

    def token(word, value):
        share = value / largest
        figure = LEVELS[block(share, len(LEVELS))] if characters else f"{100 * value:+.0f}"
        return one_cell(word) if characters else cut(word, WORD), figure * figures, share

    for first, end in zip(one.lines[:most], [*one.lines[1:], len(one.words)]):
        tokens = map(token, one.words[first:end], unit.values[first:end].tolist())
        yield from itertools.islice(in_rows(tokens, 0 if characters else 1, limit), LONGEST)


def largest_of(unit):
    """The largest activation of a unit, to which the others are shown in proportion."""
    return float(abs(unit.values).max()) or 1.0


def one_cell(character):
    """A character of a text in its own width: `⏎` for the start of a line, `·` for what does not show."""
    if len(character) > 1:
        return "⏎"
    return character if character.isprintable() and width(character) else "·"


def block(share, number):
    """One of so many equal parts of -1 ... 1, from 0."""
    return min(int((share + 1) / 2 * number), number - 1)


def draw(pyplot, found, characters, most):
    """Figure of the first lines, for each unit once, each token on the colour of its activation."""
    from matplotlib.patches import Rectangle

    gap, across = (0, 80) if characters else (1, 90)
    units = [(one, unit) for one in found for unit in one.units]
    parts = [list(rows(one, unit, characters, most, across)) for one, unit in units]
    heights = [len(part) + 1.5 for part in parts]
    figure, grid = pyplot.subplots(
        len(units), 1, squeeze=False, height_ratios=heights, figsize=(10, 0.22 * sum(heights) + 0.3), dpi=120
    )
    scale = pyplot.cm.ScalarMappable(pyplot.Normalize(-1, 1), "RdBu_r")
    for (one, unit), part, axes in zip(units, parts, grid[:, 0]):
        for y, row in enumerate(part):
            x = 0
            for text, _, share in row:
                wide = width(text)
                axes.add_patch(
                    Rectangle((x - gap / 2, -y - 0.5), wide + gap, 1, color=scale.to_rgba(share), linewidth=0)
                )
                ink = "white" if abs(share) > 0.6 else "black"
                shown = label(text) if text.strip() else text
                axes.text(x + wide / 2, -y, shown, ha="center", va="center_baseline", fontsize=7, color=ink)
                x += wide + gap
        side = f"{one.side}: " * bool(one.side)
        axes.set_title(f"{side}{title(unit)}".replace("r^2", "r²"), fontsize=8, loc="left")
        axes.set(xlim=(-0.5, across + 0.5), ylim=(-len(part) + 0.4, 0.6))
        axes.axis("off")
    text = "activation, as a share of the unit's largest"
    colour_bar(figure, scale, list(grid[:, 0]), text, shrink=0.6, aspect=30, pad=0.01)
    return figure
