"""Parameters: named views of one flat vector.

All weights of a network lie side by side in one contiguous array. `p["cell"]["W"]` is a view of it, so zeroing,
clipping, norms, optimizers and checkpoints are one-liners over the vector, and the layers read like their equations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Union

import numpy as np

from rnnlm.errors import UsageError

Init = Callable[[tuple[int, ...], np.random.Generator], np.ndarray]
Specs = dict[str, Union["Spec", "Specs"]]


class Spec(NamedTuple):
    """One parameter array of a layer: its shape, how it starts, and whether training may change it."""

    shape: tuple[int, ...]
    init: Init
    trainable: bool = True


class Views(dict[str, Any]):
    """A nested dictionary of arrays that can be changed in place (`p["W"] += x`) but not replaced (`p["W"] = x`)."""

    def __setitem__(self, name: str, value: Any) -> None:
        if value is not self[name]:  # `p["W"] += x` ends here with the very same array
            raise TypeError(f"{name!r} is a view of the flat vector: write p[{name!r}][...] = x, or use +=")


class Parameters(Views):
    """All parameters of a network in one vector.

    flat       (n,)  every parameter; the trainable ones first
    trainable  (m,)  the prefix of `flat` that optimizers see
    matrices   slices of `trainable` without biases and other vectors: what weight decay is for
    named      {"cell.W": view}  the names of checkpoints, messages and tests
    frozen     {"cell.W"}  the names of those that are not trainable
    """

    def __init__(self, specs: Specs, dtype: Any = np.float32, rng: np.random.Generator | None = None):
        """Allocate the arrays that `specs` lists; with `rng`, start each by its rule, otherwise leave zeros.

        Raises UsageError when they need more memory than there is.
        """
        self.specs, leaves = specs, dict(leaves_of(specs))
        order = sorted(leaves, key=lambda name: not leaves[name].trainable)  # stable: frozen ones come last
        size = {name: math.prod(leaves[name].shape) for name in leaves}
        try:
            self.flat = np.zeros(sum(size.values()), dtype)
        except (MemoryError, ValueError, OverflowError):
            raise UsageError(
                f"the model has {sum(size.values()):,} parameters, more than the memory holds", "make it smaller"
            ) from None
        self.trainable = self.flat[: sum(size[name] for name in leaves if leaves[name].trainable)]
        views, start = {}, 0
        self.matrices: list[slice] = []
        for name in order:
            if leaves[name].trainable and len(leaves[name].shape) > 1:
                self.matrices.append(slice(start, start + size[name]))
            views[name] = self.flat[start : start + size[name]].reshape(leaves[name].shape)
            start += size[name]
            if rng is not None:
                views[name][...] = leaves[name].init(leaves[name].shape, rng)
        self.named: dict[str, np.ndarray] = {name: views[name] for name in leaves}
        self.frozen = frozenset(name for name in leaves if not leaves[name].trainable)
        super().__init__(_nest(specs, self.named))

    @property
    def notes(self) -> list[str]:
        """Notes on how parameters were started, such as "E: 7 of 9 words found in glove.txt"."""
        notes = {name: getattr(spec.init, "note", "") for name, spec in leaves_of(self.specs)}
        return [f"{name}: {note}" for name, note in notes.items() if note]

    @staticmethod
    def shapes(specs: Specs) -> dict[str, tuple[int, ...]]:
        """Shapes of all arrays that `specs` lists, without memory for them."""
        return {name: spec.shape for name, spec in leaves_of(specs)}

    def zeros_like(self) -> Parameters:
        """Parameters of the same names and shapes, filled with zeros: memory for the gradient."""
        return Parameters(self.specs, self.flat.dtype)


def leaves_of(specs: Specs, prefix: str = "") -> Iterator[tuple[str, Spec]]:
    """Pairs ("cell.W", Spec) of every array that `specs` lists."""
    for name, spec in specs.items():
        if isinstance(spec, Spec):
            yield prefix + name, spec
        else:
            yield from leaves_of(spec, f"{prefix}{name}.")


def _nest(specs: Specs, named: dict[str, np.ndarray], prefix: str = "") -> dict[str, Any]:
    return {
        name: named[prefix + name] if isinstance(spec, Spec) else Views(_nest(spec, named, f"{prefix}{name}."))
        for name, spec in specs.items()
    }
