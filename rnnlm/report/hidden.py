"""Sections about hidden vectors: a sentence unrolled step by step, and units over a text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnlm.report.source import Source
from rnnlm.report.text import cut
from rnnlm.show.units import Unit
from rnnlm.tasks.unrolled import Chain, Prediction, Side

LIKELIEST = 5  # predictions at each step
MOST_STEPS = 60  # of a sentence that is shown
STRIP = 128  # bars of a strip; of more units, means of neighbours
SHOWN = {"word": 250, "char": 800}  # tokens of the text over which units are shown
READ = 5000  # tokens over which units are looked for
LEVELS = (0.15, 0.45, 0.75)  # shares of a unit's largest activation at which its colour changes


# --- a sentence unrolled ---


@dataclass(frozen=True)
class Vector:
    """A hidden vector: SVG paths of its positive and negative parts, its norm, and the norm of the error there."""

    above: str
    below: str
    norm: float
    error: float
    share: float  # of the largest error of the side


@dataclass(frozen=True)
class Step:
    """A step: what is read, the hidden vectors of the layers (None where one has none), and what is predicted."""

    word: str
    known: bool
    depth: int  # in a tree
    vectors: list[Vector | None]
    prediction: Prediction | None


@dataclass(frozen=True)
class Steps:
    """One side of an unrolled network. bars: how many a strip has for its units."""

    name: str
    layers: list[str]
    backwards: list[bool]
    steps: list[Step]
    left_out: int
    units: int
    bars: int
    tree: bool


@dataclass(frozen=True)
class Sentence:
    """A sentence unrolled: `loss` says what L is, `note` which words are unknown."""

    text: str
    loss: str
    bits: float
    note: str
    sides: list[Steps]


def sentence(source: Source) -> Sentence:
    """The network unrolled over a sentence."""
    found = source.unrolled(LIKELIEST)
    return Sentence(found.text, found.loss, found.bits, found.note, [steps(side) for side in found.sides])


def steps(side: Side) -> Steps:
    """The steps of one side, the first MOST_STEPS of them."""
    n = min(len(side.words), MOST_STEPS)
    largest = max((float(chain.errors.max(initial=0)) for chain in side.chains), default=0.0) or 1.0
    scales = [float(abs(chain.h).max(initial=0)) or 1.0 for chain in side.chains]
    depths: list[int] = []
    for i in range(n):
        parent = side.parents[i] if side.parents else None
        depths.append(0 if parent is None else depths[parent] + 1)
    every = [
        Step(
            side.words[i], side.known[i], depths[i],
            [vector(chain, i, largest, scale) for chain, scale in zip(side.chains, scales)],
            side.predictions[i],
        ) for i in range(n)
    ]  # fmt: skip
    units = max((chain.h.shape[1] for chain in side.chains), default=0)
    return Steps(
        side.name, [chain.name for chain in side.chains], [chain.backwards for chain in side.chains], every,
        len(side.words) - n, units, min(units, STRIP), side.parents is not None,
    )  # fmt: skip


def vector(chain: Chain, column: int, largest: float, scale: float) -> Vector | None:
    """The hidden vector of a chain in a column, None where it has none. scale: the largest |h| of the chain."""
    t = column - chain.first
    if not 0 <= t < len(chain.h):
        return None
    bars = [part.mean() / scale for part in np.array_split(chain.h[t], min(STRIP, chain.h.shape[1]))]
    above = "".join(f"M{i} 0v{-10 * x:.1f}h1v{10 * x:.1f}Z" for i, x in enumerate(bars) if x > 0.005)
    below = "".join(f"M{i} 0v{-10 * x:.1f}h1v{10 * x:.1f}Z" for i, x in enumerate(bars) if x < -0.005)
    error = float(chain.errors[t])
    return Vector(above, below, float(chain.norms[t]), error, error / largest)


# --- units ---


@dataclass(frozen=True)
class Shown:
    """A unit over the text. levels: of each token -3 to 3, by its share of the largest activation."""

    name: str
    feature: str
    explained: float
    largest: float
    levels: list[int]


@dataclass(frozen=True)
class Read:
    """A text as one side of a network reads it. tokens: (text, whether a line begins with it)."""

    side: str
    tokens: list[tuple[str, bool]]
    units: list[Shown]
    absent: list[str]


@dataclass(frozen=True)
class Units:
    """Units that a feature of the text explains best, over the beginning of the text."""

    text: str
    level: str
    counted: int  # tokens over which the shares were computed
    sides: list[Read]


def units(source: Source) -> Units:
    """Units that position, quotation marks, brackets or word length explain best."""
    level = source.loaded.vocab.inputs.level
    found = source.readings(READ)
    sides = []
    n = SHOWN[level]
    for reading in found:
        begins = set(reading.lines)
        tokens = [(cut(word), i in begins) for i, word in enumerate(reading.words[:n])]
        sides.append(Read(reading.side, tokens, [shown(unit, n) for unit in reading.units], reading.absent))
    return Units(source.corpus.name, level, max(len(reading.words) for reading in found), sides)


def shown(unit: Unit, n: int) -> Shown:
    """A unit over the first n tokens."""
    largest = float(abs(unit.values).max())
    shares = unit.values[:n] / (largest or 1.0)
    levels = np.sign(shares).astype(int) * (abs(shares)[:, None] >= LEVELS).sum(axis=1)
    name = f"unit {unit.number} of {unit.layer if unit.part == 'h' else f'{unit.layer}, {unit.part}'}"
    return Shown(name, unit.feature, unit.explained[unit.feature], largest, levels.tolist())
