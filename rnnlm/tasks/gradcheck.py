"""The gradient check of a configuration's network: a small vocabulary and batch of its task, made at random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from rnnlm.config import plain
from rnnlm.nn.gradcheck import Check, check_batch, synthetic_vocab
from rnnlm.nn.models import Model
from rnnlm.nn.network import Network
from rnnlm.tasks.base import TASKS

WINDOW, BATCH, WORDS = 5, 3, 20  # T, B and K of the synthetic batch


def check_network(network: Network, seed: int = 0, elements: int = 20) -> list[Check]:
    """Check a float64 network's parameters on a synthetic batch, with padding and with a state carried in.

    Where errors are followed back at most k steps, the window is short enough for that to be the whole gradient.
    """
    batch = synthetic_batch_for(network, exact_window(network.model), np.random.default_rng(seed))
    _, state = network.loss(batch, None)  # the batch is fresh: this makes a state that is not zero
    return check_batch(network, replace(batch, fresh=False), state, seed, elements)


def synthetic_vocab_for(model: Model) -> Any:
    """A small vocabulary for a model, of the type that its task has."""
    return TASKS[model.readings[0]].synthetic_vocabulary(synthetic_vocab(enough_words(model)))


def synthetic_batch_for(network: Network, T: int, rng: np.random.Generator) -> Any:
    """A random batch of the type that a network's task has; where its sentences may have lengths, they differ."""
    return TASKS[network.model.readings[0]].synthetic_batch(network, T, BATCH, rng)


def exact_window(model: Model, longest: int = WINDOW) -> int:
    """The longest window, up to `longest` steps, in which truncated errors still reach every step: k + 1."""
    return min([longest, *(k + 1 for k in _values(plain(model), "truncate"))])


def enough_words(model: Model) -> int:
    """Size of a small vocabulary for a model: larger than the cutoffs of its head, if it has any.

    Where a cell's outputs are the scores of the words themselves, it is their number.
    """
    if "scores" in _values(plain(model), "kind"):
        return max(_values(plain(model), "outputs"))
    return WORDS + max((cutoffs[-1] for cutoffs in _values(plain(model), "cutoffs")), default=0)


def _values(section: Any, key: str) -> Iterator[Any]:
    """Every value of an option in a plain configuration, wherever it stands, except null."""
    if isinstance(section, dict):
        if section.get(key) is not None:
            yield section[key]
        section = list(section.values())
    if isinstance(section, list):
        for part in section:
            yield from _values(part, key)
