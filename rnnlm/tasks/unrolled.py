"""A sentence as the unrolled network sees it: what comes in, the hidden vectors, what goes out, and the errors.

Dimension letters: n columns of a side, T steps of a chain, H hidden units, k predictions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnlm.lm.network import Likely
from rnnlm.nn.network import Network
from rnnlm.nn.watch import Seen, Watch
from rnnlm.text.vocab import Vocabulary


@dataclass(frozen=True)
class Prediction:
    """What the network says in one place.

    likely  the k likeliest words or labels, the likeliest first
    came    what came; None if nothing is known to
    bits    -log2 p of what came
    """

    likely: list[Likely]
    came: str | None = None
    bits: float | None = None


@dataclass(frozen=True, eq=False)
class Chain:
    """The hidden vectors h_1 ... h_T of one layer in one direction, from left to right as they are drawn.

    name       "h", or which layer and direction
    symbol     "h", with a number where there are several layers; "f" and "b" where there are two directions
    first      column of the first one; the others are in the columns behind it
    backwards  whether it runs from right to left
    feeds      what is predicted from h: the prediction so many columns to the right
    h          (T, H)
    norms      |h_t|, (T,)
    errors     |dL/dh_t|, (T,)
    memory     further arrays of the state by name, such as "c" of an LSTM, (T, H) each
    """

    name: str
    symbol: str
    first: int
    backwards: bool
    feeds: int
    h: np.ndarray
    norms: np.ndarray
    errors: np.ndarray
    memory: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Side:
    """Columns of an unrolled network: a sentence that is read, or written.

    name         "encoder" or "decoder"; empty if there is but one
    words        what is read in each column, (n,), as the text has it
    known        whether the vocabulary has it; otherwise `<unk>` is read
    chains       layers from the input upwards
    predictions  in each column, (n,); None where there is none
    ahead        whether they are of the word in the next column
    parents      of a tree: the column of the node above each, None above the root
    """

    name: str
    words: list[str]
    known: list[bool]
    chains: list[Chain]
    predictions: Sequence[Prediction | None]
    ahead: bool = False
    parents: list[int | None] | None = None

    @property
    def depths(self) -> list[int]:
        """Number of nodes of a tree above each; 0 in a sentence."""
        found: list[int] = []
        for parent in self.parents or [None] * len(self.words):
            found.append(0 if parent is None else found[parent] + 1)
        return found


@dataclass(frozen=True, eq=False)
class Unrolled:
    """A sentence, and what happens to it in the network.

    text   as it was given
    loss   what L is, in words
    bits   L in bits
    sides  encoder and decoder; one for all other models
    note   about words that are unknown; empty if there are none
    """

    text: str
    loss: str
    bits: float
    sides: list[Side]
    note: str = ""


def run(network: Network, batch: Any) -> tuple[np.ndarray, list[Seen]]:
    """-log2 p of each target of a batch of one sequence, and what the cells have done in both passes."""
    watch = Watch(network)
    nats, _, seen = watch.read(batch)
    watch.errors(batch)
    return nats / math.log(2), seen


def chains(seen: Sequence[Seen], apart: int = 0) -> list[Chain]:
    """The chains of what the cells of one side have seen; those of one path are its directions.

    apart: how many columns the chains from the right stand behind those from the left, each of which then predicts what
    is between them.
    """
    paths = list(dict.fromkeys(one.path for one in seen))
    both = len(seen) > len(paths)
    found = []
    for number, one in enumerate(seen):
        layer = paths.index(one.path)
        again = sum(other.path == one.path for other in seen[:number])
        backwards = again.bit_count() % 2 == 1  # the second; the third is a direction within the backward one
        names = [f"layer {layer + 1}"] * (len(paths) > 1) + [("forwards", "backwards")[backwards]] * both
        symbol = ("hh", "fb")[both][backwards] + str(layer + 1) * (len(paths) > 1)
        order = slice(None, None, -1 if backwards else 1)
        h, dh = one.h[order], np.zeros_like(one.h) if one.dh is None else one.dh[order]
        norms, errors = np.linalg.norm(h, axis=1), np.linalg.norm(dh, axis=1)
        memory = {name: array[order] for name, array in one.memory.items()}
        first, feeds = apart * backwards, bool(apart) * (-1 if backwards else 1)
        found.append(Chain(" ".join(names) or "h", symbol, first, backwards, feeds, h, norms, errors, memory))
    return sorted(found, key=lambda chain: int(chain.symbol[1:] or 0))


def known(words: Iterable[str], vocab: Vocabulary) -> list[bool]:
    """Whether a vocabulary has each of the words of a text."""
    return [word in vocab.index for word in words]
