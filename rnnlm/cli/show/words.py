"""`rnnlm show words`: the nearest words of an embedding, and a map of the most frequent ones."""

from __future__ import annotations

import click

from rnnlm.cli.options import model_argument, utf8
from rnnlm.cli.output import in_json, show
from rnnlm.cli.show.plot import label, plot_option, pyplot_for, save
from rnnlm.cli.tables import cut, table
from rnnlm.errors import UsageError

LONGEST = 40  # cells of a word in the table


@click.command()
@model_argument
@click.argument("words", nargs=-1, metavar="WORD...", type=utf8)
@click.option("-k", type=click.IntRange(min=1), default=10, help="How many nearest words.")
@click.option("--matrix", metavar="NAME", help="Matrix with a row per word, such as head.V.  [default: the embedding]")
@click.option("--most", type=click.IntRange(min=1), default=100, help="The map has so many of the most frequent words.")
@plot_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object, on one line: see docs/show.md.")
def command(model, words, k, matrix, most, plot, as_json):
    """The words whose vectors are nearest to that of each WORD, by the cosine of the angle between them.

    Vectors are the rows of the embedding E of MODEL, a run directory or a model file of any kind; of U, if its input is
    one-hot. The words of a character model are characters.

    --plot draws a map of the most frequent words and of each WORD: the first two principal components of their vectors
    at length 1.
    """
    if not words and not plot and not as_json:
        raise UsageError("no WORD: nothing to look for", "name a word, or draw the map with --plot")
    pyplot = pyplot_for(plot) if plot else None
    from rnnlm.loading import EVERY_MODEL, load_model
    from rnnlm.show.words import WordVectors

    vectors = WordVectors.of(load_model(model, EVERY_MODEL), matrix)
    found = [vectors.nearest(word, k) for word in words]
    points = vectors.map(most, words)
    if as_json:
        show(in_json({"model": vectors.model, "matrix": vectors.name, "words": found, "map": points}))
    else:
        show(report(found))
    if pyplot:
        shown = f"{len(points.words)} words by the rows of {vectors.name}"
        variance = f"the axes have {sum(points.explained):.0%} of their variance"
        save(draw(pyplot, points, [one.word for one in found]), plot, f"{shown}; {variance}")


def report(found):
    """Lines of a table: each word with its nearest words below each other."""
    if not found:
        return
    rows = [["word", "nearest", "cosine", "count"]]
    for one in found:
        for i, near in enumerate(one.neighbours):
            shown = cut(one.word, LONGEST) if i == 0 else ""
            rows.append([shown, cut(near.word, LONGEST), f"{near.cosine:.3f}", f"{near.count:,}"])
    yield from table(rows, "llr")


def draw(pyplot, points, named):
    """Figure of a map: each word stands at its point, those that were named bold and in colour."""
    figure, axes = pyplot.subplots(figsize=(8, 6))
    axes.scatter(points.x, points.y, s=2, color="0.7")
    for word, x, y in zip(points.words, points.x, points.y):
        strong = word in named
        axes.annotate(
            label(word, 20), (x, y), ha="center", va="bottom", fontsize=9 if strong else 7,
            fontweight="bold" if strong else "normal", color="C1" if strong else "black",
        )  # fmt: skip
    first, second = (
        f"principal component {i} ({share:.0%} of the variance)" for i, share in enumerate(points.explained, 1)
    )
    axes.set(xlabel=first, ylabel=second)
    return figure
