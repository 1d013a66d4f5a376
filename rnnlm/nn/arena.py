"""Memory for windows: workspaces of all shapes in one array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Arena:
    """Workspaces by the shape of their windows. All share one array, since one window is under way at a time.

    So sentences of a hundred lengths take the memory of the longest, and nothing big is allocated twice. The
    `kept` workspaces used last are kept; others are made anew when they are needed.
    """

    def __init__(self, dtype: Any, kept: int = 64):
        self._array, self._kept = np.empty(0, dtype), kept
        self._works: dict[tuple[int, ...], Any] = {}  # the one used last is last

    @property
    def nbytes(self) -> int:
        """Bytes of the memory, which is as large as the largest workspace so far."""
        return self._array.nbytes

    def workspace(self, shape: tuple[int, ...], make: Callable[[Callable[..., np.ndarray]], Any]) -> Any:
        """Return make(empty), in which empty(T, B, H) is an array of that shape, or the workspace made before."""
        work = self._works.pop(shape, None) or self._new(make)
        self._works[shape] = work
        if len(self._works) > self._kept:
            del self._works[next(iter(self._works))]
        return work

    def _new(self, make):
        sizes: list[int] = []

        def measure(*size):
            sizes.append(int(np.prod(size)))
            return np.empty(size, self._array.dtype)  # never touched, so never backed by memory

        make(measure)
        if sum(sizes) > len(self._array):
            self._works.clear()
            self._array = np.empty(sum(sizes), self._array.dtype)
        used = 0

        def take(*size):
            nonlocal used
            used += (length := int(np.prod(size)))
            return self._array[used - length : used].reshape(size)

        return make(take)
