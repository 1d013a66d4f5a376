"""`rnnlm show surprise`: a text with what each word costs, and where in the vocabulary the bits are spent."""

from __future__ import annotations

import click

from rnnlm.cli.options import independent_option, model_argument, own_text
from rnnlm.cli.output import in_json, show
from rnnlm.cli.show.plot import plot_option, pyplot_for, save
from rnnlm.cli.tables import annotated, coloured, cut, decimal, in_rows, table, terminal_width, visible
from rnnlm.text.lines import lines, text_name

WIDE = 80  # where there is no terminal
LONGEST = 24  # cells of a word
ROWS = 10  # lines of a sentence
STEPS = (2, 4, 6, 9, 13)  # bits from which on a word has the next colour
# Foreground and background of words that cost at least so much: from pale to dark, for light and dark terminals.
COLOURS = ((None, None), (16, 230), (16, 222), (16, 214), (231, 166), (231, 88))


@click.command()
@model_argument
@click.argument("text", required=False, metavar="[TEXT|-]")
@click.option("-n", "--sentences", type=click.IntRange(min=0), default=5, help="Show so many sentences word by word.")
@click.option("-k", type=click.IntRange(min=0), default=10, help="Show so many of the words that cost most.")
@independent_option()
@plot_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object, on one line: see docs/show.md.")
def command(model, text, sentences, k, carried, plot, as_json):
    """How surprised MODEL is by each word of TEXT, a sentence a line: -log2 p bits.

    First come sentences with each word coloured by its bits, or where output is no terminal, with the bits below it;
    then tokens and bits by how often the words occur in the training text; then the words that cost most in all.

    MODEL is a model file, a run directory or an ARPA file. TEXT is a file, or `-` for standard input; without it, the
    test text of the model's configuration, or its validation text. Words out of the vocabulary count as <unk>.
    """
    pyplot = pyplot_for(plot) if plot else None
    from rnnlm.loading import load_text_model
    from rnnlm.show.surprise import surprise

    loaded = load_text_model(model, carried)
    text = text or own_text(loaded.path, loaded.data, validation=True)
    found = surprise(loaded.scorer, lines(text), sentences, k, blank_lines=loaded.blank_lines, name=text_name(text))
    if as_json:
        show(in_json({"model": str(loaded.path), **vars(found)}))
    else:
        show(report(found, loaded.scorer.vocab.level))
    if pyplot:
        save(draw(pyplot, found), plot, "shares of the tokens and of the bits, by frequency in the training text")


def report(found, level):
    """Lines of the text, of the table of classes, and of the words that cost most."""
    limit, colours = terminal_width() or WIDE, coloured()
    unit = "character" if level == "char" else "token"
    figures = f"{found.bits:.3f} bits per {unit}, perplexity {decimal(found.perplexity)}"
    yield f"{visible(found.text)}: {found.tokens:,} {unit}s, {figures}"
    if found.zeroprobs:
        yield f"{found.zeroprobs} {unit}s of probability zero are left out"
    if found.sentences:
        yield ""
        yield from key(level, colours)
        for sentence in found.sentences:
            yield from written(sentence, level, limit, colours)
    yield ""
    rows = [["in training", "number", "share", "bits", "ppl", "of bits", "cost most"]]
    for each in found.classes:
        costly = ", ".join(cut(word, LONGEST) for word in each.costly)
        rows.append([
            each.name, f"{each.tokens:,}", f"{each.share:.1%}", f"{each.bits:.2f}", decimal(each.perplexity),
            f"{each.share_of_bits:.1%}", costly,
        ])  # fmt: skip
    yield from table(rows, "lrrrrrl", limit=limit)
    if found.words:
        yield ""
        rows = [["costs most in all", "number", "in training", "bits", "of bits"]]
        for word in found.words:
            training = "-" if word.training is None else f"{word.training:,}"
            shown = cut(word.word, LONGEST)
            rows.append([shown, f"{word.count:,}", training, f"{word.bits:.2f}", f"{word.share:.1%}"])
        yield from table(rows, limit=limit)


# --- the text ---


def key(level, colours):
    """Line that says what the colours mean, or the figures."""
    if colours:
        low = (f"{a} to {b}" for a, b in zip(STEPS, STEPS[1:]))
        names = [f"under {STEPS[0]}", *low, f"{STEPS[-1]} and more"]
        parts = (click.style(f" {name} ", fg=fg, bg=bg) for name, (fg, bg) in zip(names, COLOURS))
        yield f"bits: {' '.join(parts)}"
    else:
        yield "below each character its bits, + for 10 and more" if level == "char" else "below each word its bits"


def written(sentence, level, limit, colours):
    """Lines of a sentence: its tokens in the colours of their bits, or with a line of bits below each line."""
    gap = int(level == "word")
    letters = (word if word == " " else cut(word, LONGEST) for word in sentence.words)  # a blank stays one
    tokens = [(text, figure_of(bits, level), bits) for text, bits in zip(letters, sentence.bits)]
    rows = list(in_rows(tokens, gap, limit))
    for row in rows[:ROWS]:
        yield from annotated(row, gap, painted if colours else None)
    if left := sum(map(len, rows[ROWS:])):
        yield f"... {left:,} more in this sentence"


def painted(text, bits):
    """A token in the colour of its bits."""
    step = len(STEPS) if bits is None else sum(bits >= least for least in STEPS)
    fg, bg = COLOURS[step]
    return click.style(text, fg=fg, bg=bg)


def figure_of(bits, level):
    """Bits of a token: with one decimal, those of a character as one digit."""
    if level == "char":
        return "+" if bits is None or bits >= 9.5 else f"{bits:.0f}"
    return "inf" if bits is None else f"{bits:.1f}"


# --- pictures ---


def draw(pyplot, found):
    """Figure of bars: for each class its share of the tokens and of the bits, and the mean bits of a token."""
    figure, axes = pyplot.subplots(figsize=(8, 0.6 * len(found.classes) + 1.2))
    for i, each in enumerate(found.classes):
        axes.barh(i - 0.2, each.share, 0.4, color="C0", label="" if i else "tokens")
        style = {"color": "C1", "hatch": "//", "edgecolor": "white"}
        axes.barh(i + 0.2, each.share_of_bits, 0.4, label="" if i else "bits", **style)
        axes.annotate(f" {each.bits:.1f} bits each", (each.share_of_bits, i + 0.2), va="center", fontsize=8)
    axes.set_yticks(range(len(found.classes)), [each.name for each in found.classes])
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
    axes.set(xlabel="share of the text", ylabel="occurrences in training")
    axes.margins(x=0.15)
    axes.legend()
    return figure
