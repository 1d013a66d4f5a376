"""Recurrent states: nested tuples of (B, H) arrays, one row per sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

State = Any  # an array (B, H), or a tuple of states


def arrays(state: State) -> Iterator[Any]:
    """Arrays of a state, in order."""
    if isinstance(state, tuple):
        for part in state:
            yield from arrays(part)
    else:
        yield state


def transformed(state: State, change: Callable[[np.ndarray], Any]) -> State:
    """Apply `change` to every array of a state."""
    return tuple(transformed(part, change) for part in state) if isinstance(state, tuple) else change(state)


def rebuilt(state: State, others: Iterator[np.ndarray]) -> State:
    """State of the same nesting, made of `others` in order."""
    return transformed(state, lambda _: next(others))


def taken(state: State, sequences: Any) -> State:
    """State of some sequences alone: an index, a slice, or an array of row numbers."""
    return transformed(state, lambda array: array[sequences])


def joined(states: Sequence[State]) -> State:
    """Join the states of several batches to the state of one, sequences in order."""
    return tuple(map(joined, zip(*states))) if isinstance(states[0], tuple) else np.concatenate(states)
