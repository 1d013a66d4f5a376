"""Single hidden units: what they do while a network reads a text (Karpathy, Johnson & Fei-Fei 2015).

Dimension letters: N tokens, H hidden units.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnnlm.errors import DataError, UsageError
from rnnlm.files import shortened
from rnnlm.loading import Loaded
from rnnlm.tasks.unrolled import Side
from rnnlm.text.vocab import SPECIALS

OPENING, CLOSING = "([{⟨「『（【《", ")]}⟩」』）】》"
QUOTES = {"“": "”", "„": "“", "«": "»", "``": "''", '"': '"', "「": "」", "『": "』"}


@dataclass(frozen=True, eq=False)
class Unit:
    """One unit over a text.

    layer        such as "h", "layer 2" or "encoder layer 1"
    part         "h", or "tanh c" for the memory c of an LSTM
    number       from 0
    values       its activations (N,)
    feature      the feature of the text that it is shown for; empty if it was asked for by its number
    correlation  correlation with each feature by name; 0 for a unit that does not vary
    """

    layer: str
    part: str
    number: int
    values: np.ndarray
    feature: str
    correlation: dict[str, float]

    @property
    def explained(self) -> dict[str, float]:
        """Share of the variance of the unit that is explained by each feature on a straight line: r^2."""
        return {name: r * r for name, r in self.correlation.items()}


@dataclass(frozen=True, eq=False)
class Reading:
    """A text as one side of a network reads it, and units that stand out.

    side        "encoder" or "decoder"; empty if there is but one
    words       what is read (N,), in lines; `<s>` or `</s>`, with which a line begins, included
    lines       number of the first word of each line
    features    of each word by name, (N,) each; those that do not vary in this text are left out
    absent      names of those
    units       the units that are explained best by each feature, or those that were asked for
    """

    side: str
    words: list[str]
    lines: list[int]
    features: dict[str, np.ndarray]
    absent: list[str]
    units: list[Unit]


def readings(loaded: Loaded, path: str, tokens: int = 5000, best: int = 1, chosen: Sequence[str] = ()) -> list[Reading]:
    """Read the first `tokens` tokens of the text at a path, and find the units that stand out, for each side.

    best: units for each feature. chosen: names of units to take instead, such as "17", "2:17" (of the second layer),
    "c17" (the memory of an LSTM) or "2:c17".

    Raises DataError for a text without tokens, UsageError for a unit that does not exist and a task without time.
    """
    found: list[list[Side]] = []
    count = 0
    for sides in loaded.task.read_through(loaded.network, path):
        found.append(sides)
        count += max(len(side.words) for side in sides)
        if count >= tokens:
            break
    if not found:
        raise DataError(f"{path}: no line with words", "give a text with some lines")
    characters = loaded.vocab.inputs.level == "char"
    return [_reading(list(lines), tokens, characters, best, chosen) for lines in zip(*found)]


def _reading(sides: list[Side], tokens: int, characters: bool, best: int, chosen: Sequence[str]) -> Reading:
    cropped = [_common(side) for side in sides]
    lengths = np.array([len(words) for words, _ in cropped])
    lines = (np.cumsum(lengths) - lengths).tolist()
    words = [word for line, _ in cropped for word in line][:tokens]
    found = {name: np.concatenate(one)[:tokens] for name, one in _features([line for line, _ in cropped], characters)}
    features = {name: values for name, values in found.items() if np.ptp(values)}
    every: list[Unit] = []
    for parts in zip(*(activities for _, activities in cropped)):
        layer, part, _ = parts[0]
        every += _units(layer, part, np.concatenate([values for *_, values in parts])[:tokens], features)
    if chosen:
        units = [_named(name, every) for name in chosen]
    else:
        units = [
            replace(unit, feature=name)
            for name in features
            for unit in sorted(every, key=lambda unit: -abs(unit.correlation[name]))[:best]
        ]
    absent = [name for name in found if name not in features]
    return Reading(sides[0].name, words, [n for n in lines if n < len(words)], features, absent, units)


def _common(side: Side) -> tuple[list[str], list[tuple[str, str, np.ndarray]]]:
    """The columns of a side in which every layer has a vector: their words, and (layer, part, values (N, H)) there."""
    first = max(chain.first for chain in side.chains)
    end = max(first, min(chain.first + len(chain.h) for chain in side.chains))
    found = []
    for chain in side.chains:
        columns = slice(first - chain.first, end - chain.first)
        found.append((chain.name, "h", chain.h[columns]))
        found += [(chain.name, f"tanh {name}", np.tanh(a[columns])) for name, a in chain.memory.items()]
    return side.words[first:end], found


def _features(lines: list[list[str]], characters: bool) -> Iterable[tuple[str, list[np.ndarray]]]:
    """Features of each token: (name, one array for each line)."""
    yield "position in the line", [np.arange(len(line), dtype=float) for line in lines]
    quoted, bracketed = zip(*map(inside, lines))
    yield "inside quotation marks", list(quoted)
    yield "inside brackets", list(bracketed)
    if characters:
        yield "letters of the word so far", [letters(line) for line in lines]
    else:
        yield "word length", [np.array([float(len(word)) * (word not in SPECIALS) for word in line]) for line in lines]


def inside(line: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Whether each token of a line is inside quotation marks, and inside brackets: 1 or 0, (n,) each.

    What opens is inside, what closes is not. A mark that nothing closes holds to the end of the line.
    """
    quoted, bracketed = np.zeros(len(line)), np.zeros(len(line))
    closing, depth = "", 0
    for t, token in enumerate(line):
        for piece in [token] if token in (*QUOTES, closing) else token:
            depth = max(0, depth + (piece in OPENING) - (piece in CLOSING))
            if closing:
                closing = "" if piece == closing else closing
            else:
                closing = QUOTES.get(piece, "")
        quoted[t], bracketed[t] = bool(closing), depth > 0
    return quoted, bracketed


def letters(line: Sequence[str]) -> np.ndarray:
    """Number of letters and digits of the word so far, at each character of a line (n,): 0 between words."""
    counts = np.zeros(len(line))
    for t, character in enumerate(line):
        within = len(character) == 1 and unicodedata.category(character)[0] in "LN"
        counts[t] = (counts[t - 1] if t else 0) + 1 if within else 0
    return counts


def _units(layer: str, part: str, values: np.ndarray, features: dict[str, np.ndarray]) -> list[Unit]:
    """All units of a layer, from their activations (N, H)."""
    centred = values - values.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    norms[norms < 1e-9 * np.sqrt(len(values))] = np.inf
    correlations = {}
    for name, p in features.items():
        p = p - p.mean()
        correlations[name] = (p @ centred / (norms * np.linalg.norm(p))).tolist()
    return [
        Unit(layer, part, n, values[:, n], "", {name: r[n] for name, r in correlations.items()})
        for n in range(values.shape[1])
    ]


def _named(name: str, units: list[Unit]) -> Unit:
    """The unit called "2:c17"."""
    layers = list(dict.fromkeys(unit.layer for unit in units))
    parts = re.fullmatch(r"(?:(\d{1,6}):)?([a-z]?)(\d{1,9})", name)
    hint = f"such as 17, c17 (memory of an LSTM), 2:17 (of layer 2); layers: {', '.join(layers)}"
    if not parts:
        raise UsageError(f"--unit {shortened(name)}: expected the number of a unit", hint)
    number, part, number_of_layer = int(parts[3]), parts[2] or "h", int(parts[1] or 1)
    layer = layers[number_of_layer - 1 : number_of_layer]
    found = [unit for unit in units if unit.layer in layer and unit.part in (part, f"tanh {part}")]
    if not found:
        raise UsageError(f"--unit {name}: there is no such layer, or it has no {part}", hint)
    for unit in found:
        if unit.number == number:
            return unit
    raise UsageError(f"--unit {name}: the layer has units 0 to {found[-1].number}", hint)
