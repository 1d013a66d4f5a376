"""Sections about hidden vectors: a sentence unrolled step by step, and units over a text."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnlm.report.page import cut
from rnnlm.report.source import Source
from rnnlm.show.units import Unit
from rnnlm.tasks.unrolled import Chain, Side

LIKELIEST = 5  # predictions at each step
MOST_STEPS = 60  # of a sentence that is shown
STRIP = 128  # bars of a strip; of more units, means of neighbours
SHOWN = {"word": 250, "char": 800}  # tokens of the text over which units are shown
READ = 5000  # tokens over which units are looked for
LEVELS = (0.15, 0.45, 0.75)  # shares of a unit's largest activation at which its colour changes


# --- a sentence unrolled ---


def sentence(source: Source) -> dict[str, Any]:
    """The network unrolled over a sentence: the fields of `Unrolled`, with the steps of each side."""
    found = source.unrolled(LIKELIEST)
    return vars(found) | {"sides": [vars(side) | steps(side) for side in found.sides]}


def steps(side: Side) -> dict[str, Any]:
    """The first MOST_STEPS steps of one side. bars: how many a strip has for its units. depth: in a tree."""
    n = min(len(side.words), MOST_STEPS)
    error = max((float(chain.errors.max(initial=0)) for chain in side.chains), default=0.0) or 1.0
    depths, scales = side.depths, [float(abs(chain.h).max(initial=0)) or 1.0 for chain in side.chains]
    every = [
        {
            "word": side.words[i], "known": side.known[i], "depth": depths[i], "prediction": side.predictions[i],
            "vectors": [vector(chain, i - chain.first, error, scale) for chain, scale in zip(side.chains, scales)],
        } for i in range(n)
    ]  # fmt: skip
    units = max((chain.h.shape[1] for chain in side.chains), default=0)
    return {"steps": every, "left_out": len(side.words) - n, "units": units, "bars": min(units, STRIP)}


def vector(chain: Chain, t: int, largest: float, scale: float) -> dict[str, Any] | None:
    """The hidden vector h_t of a chain, None where it has none: SVG paths of its positive and negative parts.

    largest: the largest norm of an error of the side. scale: the largest |h| of the chain.
    """
    if not 0 <= t < len(chain.h):
        return None
    bars = [part.mean() / scale for part in np.array_split(chain.h[t], min(STRIP, chain.h.shape[1]))]
    above = "".join(f"M{i} 0v{-10 * x:.1f}h1v{10 * x:.1f}Z" for i, x in enumerate(bars) if x > 0.005)
    below = "".join(f"M{i} 0v{-10 * x:.1f}h1v{10 * x:.1f}Z" for i, x in enumerate(bars) if x < -0.005)
    error = float(chain.errors[t])
    return {"above": above, "below": below, "norm": chain.norms[t], "error": error, "share": error / largest}


# --- units ---


def units(source: Source) -> dict[str, Any]:
    """Units that position, quotation marks, brackets or word length explain best, over the beginning of the text.

    counted: tokens over which the shares were computed. tokens: (text, whether a line begins with it).
    """
    level = source.loaded.vocab.inputs.level
    found, n = source.readings(READ), SHOWN[level]
    sides = []
    for reading in found:
        begins = set(reading.lines)
        tokens = [(cut(word), i in begins) for i, word in enumerate(reading.words[:n])]
        shown_units = [shown(unit, n) for unit in reading.units]
        sides.append({"side": reading.side, "tokens": tokens, "units": shown_units, "absent": reading.absent})
    counted = max(len(reading.words) for reading in found)
    return {"text": source.corpus.name, "level": level, "counted": counted, "sides": sides}


def shown(unit: Unit, n: int) -> dict[str, Any]:
    """A unit over the first n tokens. levels: of each token -3 to 3, by its share of the largest activation."""
    shares = unit.values[:n] / (abs(unit.values).max() or 1.0)
    levels = np.sign(shares).astype(int) * (abs(shares)[:, None] >= LEVELS).sum(axis=1)
    name = f"unit {unit.number} of {unit.layer if unit.part == 'h' else f'{unit.layer}, {unit.part}'}"
    explained = unit.explained[unit.feature]
    return {"name": name, "feature": unit.feature, "explained": explained, "levels": levels.tolist()}
