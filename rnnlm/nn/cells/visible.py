"""Names of a cell's memory, and the error of a single step: for `rnnlm.nn.watch`."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from rnnlm.nn.cells.padding import Padding
from rnnlm.nn.state import State


class Visible(Padding):
    """Names of a cell's memory, and the error of a step: right for cells whose output is the first array of the state.

    A cell with more in its state names it in `memory`; one with another output has a `whole_error` of its own.
    """

    memory: ClassVar[tuple[str, ...]] = ()  # names of the arrays of its state behind the first

    def whole_error(self, dy: np.ndarray, state: State, dstate: State | None) -> np.ndarray:
        """Whole dL/dy_t (B, n_out) of one step, from dy, that by the output alone, and dstate, by the state after it.

        dstate None: no later step.
        """
        return dy.copy() if dstate is None else dy + dstate[0]
