"""Recurrent states: nested tuples of (B, H) arrays, one row per sequence, and what one does with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

State = Any  # an array (B, H), or a tuple of states


def arrays(state: State) -> Iterator[np.ndarray]:
    """The arrays of a state, in order."""
    if isinstance(state, tuple):
        for part in state:
            yield from arrays(part)
    else:
        yield state


def transformed(state: State, change: Callable[[np.ndarray], Any]) -> State:
    """The state with `change` applied to every array of it."""
    return tuple(transformed(part, change) for part in state) if isinstance(state, tuple) else change(state)


def rebuilt(state: State, others: Iterator[np.ndarray]) -> State:
    """A state of the same nesting, made of `others` in order."""
    return transformed(state, lambda _: next(others))


def taken(state: State, sequences: Any) -> State:
    """The state of some sequences alone: an index, a slice, or an array of row numbers."""
    return transformed(state, lambda array: array[sequences])


def joined(states: Sequence[State]) -> State:
    """The states of several batches as the state of one, sequences in order."""
    return tuple(map(joined, zip(*states))) if isinstance(states[0], tuple) else np.concatenate(states)
