"""The echo state network: a recurrence that is drawn once and never trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnlm.config import option
from rnnlm.errors import UsageError
from rnnlm.nn.cells.leaking import Leaking, leaky_errors
from rnnlm.nn.initializers import Uniform
from rnnlm.nn.ops import rows
from rnnlm.nn.parallel import product
from rnnlm.nn.params import Spec


@dataclass(frozen=True)
class Reservoir(Leaking, kind="reservoir"):
    """Echo state network (Jaeger 2001): h_t = (1 - leak) h_{t-1} + leak tanh(b + W h_{t-1} + U x_t), W, U, b fixed.

    W, U and b are random; a share `density` of W is not zero, and its largest absolute eigenvalue is
    `spectral_radius`: below 1, the echo of an input dies away, slowly if near it. All three are frozen parameters: kept
    with the model, but not in the optimizer's vector. Gradients pass through to the inputs, so that an embedding below
    can learn.
    """

    activation = "tanh"

    size: int = option(100, "hidden units H", low=1)
    density: float = option(0.1, "share of W that is not zero", above=0, high=1)
    spectral_radius: float = option(0.9, "largest absolute eigenvalue of W", low=0)
    input_scale: float = option(1.0, "largest absolute value in U and b", above=0)
    leak: float = option(1.0, "share of h that is new at each step", above=0, high=1)

    def specs(self, n_in):
        H, uniform = self.size, Uniform(self.input_scale)
        return {
            "U": Spec((n_in, H), uniform, trainable=False),
            "W": Spec((H, H), self._start_W, trainable=False),
            "b": Spec((H,), uniform, trainable=False),
        }

    def _start_W(self, shape, rng):
        W = np.where(rng.random(shape) < self.density, rng.uniform(-1, 1, shape), 0)
        radius = np.abs(np.linalg.eigvals(W)).max()
        if not radius:  # no unit feeds back to itself on any path
            raise UsageError(
                f"reservoir: with {self.size} units at density {self.density:g}, W has no cycle that could remember",
                "raise model.cell.density or model.cell.size",
            )
        return W * (self.spectral_radius / radius)

    def rate(self, p):
        return self.leak

    def backward(self, p, g, dy, dstate, work, dx=None):
        dfirst = leaky_errors(self, p, dy, dstate, work, self.leak)
        if dx is not None:  # the only gradient that is wanted: g stays as it is
            product(rows(work.da), p["U"].T, out=rows(dx))
        return dfirst
