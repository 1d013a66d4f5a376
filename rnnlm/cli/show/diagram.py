"""The picture of an unrolled network, as in the tutorials: x_t, h_t as a strip of colours, and what is predicted."""

from __future__ import annotations

import itertools
import math

import numpy as np

from rnnlm.cli.show.plot import PALETTE, colour_bar, label
from rnnlm.cli.show.sentence import chance
from rnnlm.errors import UsageError
from rnnlm.text.vocab import SPECIALS

MOST = 200  # columns, or leaves of a tree
PER_LINE = 12  # columns side by side; 20 where words are characters
STRIP, GAP = 1.0, 0.55  # heights of a strip of h_t and of the space above it
LINE = 0.24  # height of a line of text
MAP = "RdBu_r"  # of h: blue is negative, red positive
LIKELY = "cividis"  # of probabilities
BLANKS = {" ": "␣", "\t": "⇥", "\u3000": "␣"}


def draw(pyplot, one):
    """Figure of an unrolled sentence. Raises UsageError for one that is too long for a picture."""
    if one.sides[0].parents:
        return draw_tree(pyplot, one.sides[0])
    columns = [(side, c) for side in one.sides for c in range(len(side.words))]
    if len(columns) > MOST:
        raise UsageError(f"--plot: {len(columns)} columns, a picture has at most {MOST}", "show a part of the sentence")
    narrow = all(len(word) == 1 or word in SPECIALS for side in one.sides for word in side.words)  # characters
    per_line, pitch = (20, 0.62) if narrow else (PER_LINE, 1.05)
    per_line = -(-len(columns) // -(-len(columns) // per_line))  # lines of equal length
    blocks = [columns[i : i + per_line] for i in range(0, len(columns), per_line)]
    k = max(len(said.likely) for side in one.sides for said in side.predictions if said)
    layers = max(len(side.chains) for side in one.sides)
    tall = 1.2 + layers * (STRIP + GAP) + (k + 2) * LINE
    wide = per_line * pitch + 1.6
    figure = pyplot.figure(figsize=(wide, (0.62 * tall + 1.1) * len(blocks)), layout="constrained", dpi=150)
    grid = figure.subplots(2 * len(blocks), 1, squeeze=False, height_ratios=[0.62 * tall, 1.0] * len(blocks))[:, 0]
    bound = max(float(np.abs(chain.h).max()) for side in one.sides for chain in side.chains) or 1.0
    errors = [chain.errors[chain.errors > 0] for side in one.sides for chain in side.chains]
    for n, block in enumerate(blocks):
        Block(grid[2 * n], block, per_line, layers, k, bound, narrow).draw()
        norms(grid[2 * n + 1], block, per_line, np.concatenate(errors))
    scale = pyplot.cm.ScalarMappable(pyplot.Normalize(-bound, bound), MAP)
    colour_bar(figure, scale, list(grid), "components of h", shrink=0.5, aspect=30, pad=0.01)
    return figure


class Block:
    """The columns of an unrolled network that stand side by side in one line of the picture."""

    def __init__(self, axes, columns, per_line, layers, k, bound, narrow):
        self.axes, self.columns = axes, columns
        self.layers, self.k, self.bound, self.narrow = layers, k, bound, narrow
        self.top = 0.9 + layers * (STRIP + GAP)
        axes.set(xlim=(-0.6, per_line - 0.4), ylim=(-0.35, self.top + (k + 1.6) * LINE))
        axes.axis("off")

    def draw(self):
        last = None
        for x, (side, c) in enumerate(self.columns):
            box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "0.5", "linewidth": 0.8}
            box |= {} if side.known[c] else {"linestyle": "--"}
            self.axes.text(x, 0, self.name(side.words[c]), ha="center", va="center", fontsize=8, bbox=box)
            if side is not last:
                self.begin(x, side)
                last = side
            for level, chain in enumerate(side.chains):
                if 0 <= c - chain.first < len(chain.h):
                    self.strip(x, c, level, chain, side)
            if side.predictions[c]:
                self.prediction(x, side.predictions[c])

    def name(self, word):
        """A word or character, as it fits into a column."""
        return label(BLANKS.get(word, word), 5) if self.narrow else label(word, 11)

    def begin(self, x, side):
        """Names of a side and of its chains, left of its first column."""
        self.axes.text(x - 0.55, self.top - 0.2, side.name, fontsize=8, color="0.35")
        for level, chain in enumerate(side.chains):
            name = rf"${chain.symbol[0]}^{{{chain.symbol[1:]}}}_t$"
            self.axes.text(x - 0.55, self.bottom(level) + STRIP / 2 + 0.04, name, fontsize=9)

    def bottom(self, level):
        """Lower end of the strip of a level."""
        return 0.75 + level * (STRIP + GAP)

    def strip(self, x, c, level, chain, side):
        """h_t of one chain in column c, and the arrows that come to it and leave it."""
        y, others = self.bottom(level), [one.backwards for one in side.chains]
        shift = 0.17 * (chain.backwards - (not chain.backwards)) if len(set(others)) == 2 else 0  # of two directions
        left, right, middle = x + shift - 0.13, x + shift + 0.13, y + STRIP / 2
        self.axes.imshow(
            chain.h[c - chain.first][:, None], MAP, vmin=-self.bound, vmax=self.bound, origin="lower", aspect="auto",
            extent=(left, right, y, y + STRIP), interpolation="nearest", zorder=2,
        )  # fmt: skip
        frame = [left, right, right, left, left], [y, y, y + STRIP, y + STRIP, y]
        self.axes.plot(*frame, color="0.3", linewidth=0.6, zorder=3)
        below = [n for n in range(level) if others[n] == chain.backwards]
        self.arrow((x + shift, self.bottom(below[-1]) + STRIP if below else 0.22), (x + shift, y))
        if chain.backwards and c + 1 < chain.first + len(chain.h):
            self.arrow((left + 1, middle), (right, middle))
        elif not chain.backwards and c > chain.first:
            self.arrow((right - 1, middle), (left, middle))
        elif not chain.backwards and x and side is not self.columns[x - 1][0]:  # the encoder's state begins the decoder
            self.arrow((right - 1, middle), (left, middle), PALETTE[1])
        into = c + chain.feeds
        if chain.backwards not in others[level + 1 :] and 0 <= into < len(side.words) and side.predictions[into]:
            if chain.feeds:  # past the strips above
                self.axes.plot(
                    [x + shift, x + shift], [y + STRIP, self.top - 0.65], color="0.35", linewidth=0.8, zorder=1
                )
                self.arrow((x + shift, self.top - 0.65), (x + chain.feeds, self.top))
            else:
                self.arrow((x + shift, y + STRIP), (x + shift, self.top))

    def prediction(self, x, said):
        """The likeliest words as bars of their probabilities, and what came above them."""
        for i, (word, p) in enumerate(said.likely):
            y = self.top + (len(said.likely) - i - 0.5) * LINE
            self.axes.barh(y, 0.9 * p, 0.8 * LINE, left=x - 0.45, color=PALETTE[5], alpha=0.55, zorder=1)
            shown = self.name(word) if self.narrow else f"{self.name(word)} {p:.2f}"
            right = word == said.came
            self.axes.text(x - 0.44, y, shown + right * " ✓", va="center", fontsize=6.5, zorder=4,
                           color=PALETTE[1] if right else "black")  # fmt: skip
        if said.came is not None:
            y = self.top + (self.k + 0.7) * LINE
            text = f"{self.name(said.came)}\n{said.bits:.1f} bits"
            self.axes.text(x, y, text, ha="center", va="center", fontsize=6.5, color=PALETTE[1])

    def arrow(self, start, end, color="0.35"):
        style = {"arrowstyle": "-|>", "color": color, "linewidth": 0.8, "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0}
        self.axes.annotate("", end, start, arrowprops=style, zorder=1, annotation_clip=False)


def norms(axes, columns, per_line, errors):
    """Norms of the errors that arrive at each h, on a log axis."""
    series: dict[str, list[tuple[float, float]]] = {}
    for x, (side, c) in enumerate(columns):
        for chain in side.chains:
            if 0 <= (t := c - chain.first) < len(chain.errors):
                name = f"{side.name} {chain.symbol}".strip()
                series.setdefault(name, []).append((x, chain.errors[t] or np.nan))
    for (name, points), mark in zip(series.items(), itertools.cycle("osv^Dx+*")):
        axes.plot(*zip(*points), marker=mark, markersize=4, linewidth=1, label=name)
    axes.set(yscale="log", xlim=(-0.6, per_line - 0.4), xticks=[])
    if len(errors):
        axes.set_ylim(10 ** math.floor(math.log10(errors.min())), 10 ** math.ceil(math.log10(errors.max()) + 1e-9))
    axes.set_ylabel("|dL/dh|, nats", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.tick_params(which="minor", labelleft=False)
    if len(series) > 1:
        axes.legend(fontsize=7, ncols=4)


def draw_tree(pyplot, side):
    """Figure of a tree: each node in the colour of its label's probability, with its likeliest label."""
    n, children = len(side.words), [list[int]() for _ in side.words]
    for node, parent in enumerate(side.parents):
        if parent is not None:
            children[parent].append(node)
    leaves = [node for node in range(n) if not children[node]]
    if len(leaves) > MOST:
        raise UsageError(f"--plot: a tree of {len(leaves)} leaves, a picture has at most {MOST}", "show a part of it")
    x, y = {leaf: float(i) for i, leaf in enumerate(leaves)}, dict.fromkeys(leaves, 0)
    for node in reversed(range(n)):  # children stand behind their parents
        if children[node]:
            x[node] = sum(x[child] for child in children[node]) / 2
            y[node] = 1 + max(y[child] for child in children[node])
    figure, axes = pyplot.subplots(figsize=(max(4.0, 0.75 * len(leaves) + 1.2), 0.7 * max(y.values()) + 1.8), dpi=150)
    for node, parent in enumerate(side.parents):
        if parent is not None:
            axes.plot([x[node], x[parent]], [y[node], y[parent]], color="0.6", linewidth=0.9, zorder=1)
    colours = pyplot.cm.ScalarMappable(pyplot.Normalize(0, 1), LIKELY)
    for node, said in enumerate(side.predictions):
        p = chance(said)
        if said is None:
            axes.plot(x[node], y[node], "o", color="0.6", markersize=4, zorder=2)
        else:
            box = {"boxstyle": "round,pad=0.35", "facecolor": colours.to_rgba(p), "edgecolor": "0.3", "linewidth": 0.8}
            guess = said.likely[0].word
            text = guess if said.came in (None, guess) else f"{guess} ≠ {said.came}"
            colour = "white" if p < 0.5 else "black"
            axes.text(x[node], y[node], label(text, 10), ha="center", va="center", color=colour, bbox=box, fontsize=8)
            axes.text(x[node] + 0.3, y[node], f"{p:.2f}", va="center", fontsize=6.5)
    for node in leaves:
        axes.text(x[node], -0.55, label(side.words[node], 12), ha="center", va="center", fontsize=8)
    axes.set(xlim=(-0.7, len(leaves) - 0.3), ylim=(-0.9, max(y.values()) + 0.6))
    axes.axis("off")
    colour_bar(figure, colours, axes, "probability of the label", shrink=0.6, pad=0.02)
    return figure
