"""Gradient clipping, and the update rules: one class each, in place on the flat vector of trainable parameters.

`slots` names the vectors of the same length that a rule keeps between steps; the trainer owns them and the checkpoint
stores them. t counts steps from 1, lr is the learning rate of this step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnlm.config import Choice, option
from rnnlm.nn.parallel import blocks, in_parallel

DECAY = "decoupled decay of matrices towards zero"
PASS = 16  # a pass over one element costs about as much as this many multiply-adds (see `in_parallel`)


def clip_norm(norm: float, limit: float) -> float:
    """The factor, at most 1, that shortens a gradient of Euclidean norm `norm` to `limit` (Pascanu et al. 2013)."""
    return limit / norm if norm > limit else 1.0


def clip_value(grad: np.ndarray, limit: float) -> bool:
    """Clip each element of grad (n,) to [-limit, limit] in place; -> whether any was outside."""
    outside = bool(max(grad.max(), -grad.min()) > limit)
    if outside:
        np.clip(grad, -limit, limit, out=grad)
    return outside


def clip(grad: np.ndarray, norm: float, longest: float | None, largest: float | None) -> tuple[float, bool]:
    """Clip grad (n,) of Euclidean norm `norm`: first its elements to `largest`, in place, then its norm to `longest`.

    Returns the factor that is still to be applied, and whether anything was clipped. None: no limit.
    """
    cut = largest is not None and clip_value(grad, largest)
    factor = 1.0 if longest is None else clip_norm(gradient_norm(grad) if cut else norm, longest)
    return factor, cut or factor < 1


def gradient_norm(grad: np.ndarray) -> float:
    """Euclidean norm of a vector (n,)."""
    squares: dict[int, float] = {}

    def add_up(part):
        squares[part.start] = float(np.dot(grad[part], grad[part]))

    in_parallel(add_up, len(grad), each=PASS)
    return math.sqrt(sum(squares[start] for start in sorted(squares)))


class Optimizer(Choice, default="adam"):
    """theta <- theta - lr * (some function of the gradients so far).

    With `weight_decay`, theta <- (1 - lr weight_decay) theta first, for all that is no bias and no other vector:
    decoupled from the gradients (Loshchilov & Hutter 2019).
    """

    slots: ClassVar[tuple[str, ...]] = ()
    lr: float
    weight_decay: float

    def step(
        self, theta: np.ndarray, grad: np.ndarray, lr: float, t: int, factor: float = 1.0,
        matrices: Sequence[slice] = (), **slots: np.ndarray,
    ) -> None:  # fmt: skip
        """Update theta (n,) and the slots, (n,) each, by the gradient factor * grad (n,) in place. grad is overwritten.

        One pass: a rule does everything to a block of the vectors while the block is in the processor's cache.
        matrices: the parts of theta that weight decay is for (`Parameters.matrices`).
        """
        if self.weight_decay:
            for part in matrices:
                theta[part] *= 1 - lr * self.weight_decay

        def update(part):
            for b in blocks(part, width=2):
                g = grad[b]
                if factor != 1:
                    g *= factor
                self.rule(theta[b], g, lr, t, **{name: slot[b] for name, slot in slots.items()})

        in_parallel(update, len(theta), each=PASS)

    def rule(self, *args: Any, **kwargs: Any) -> None:
        """rule(theta, g, lr, t, **slots): the equation, on a block of each vector, in place. g may be overwritten."""
        raise NotImplementedError


@dataclass(frozen=True)
class SGD(Optimizer, kind="sgd"):
    """theta <- theta - lr g."""

    lr: float = option(0.1, "learning rate", above=0)
    weight_decay: float = option(0.0, DECAY, low=0)

    def rule(self, theta, g, lr, t):
        g *= lr
        theta -= g


@dataclass(frozen=True)
class Momentum(Optimizer, kind="momentum"):
    """v <- momentum v + g;  theta <- theta - lr v;  with `nesterov`, theta <- theta - lr (g + momentum v)."""

    slots = ("v",)
    lr: float = option(0.1, "learning rate", above=0)
    momentum: float = option(0.9, "share of the velocity kept", low=0, below=1)
    nesterov: bool = option(False, "look ahead (Nesterov 1983; Sutskever et al. 2013)")
    weight_decay: float = option(0.0, DECAY, low=0)

    def rule(self, theta, g, lr, t, v):
        v *= self.momentum
        v += g
        theta -= lr * (g + self.momentum * v) if self.nesterov else lr * v


@dataclass(frozen=True)
class Adagrad(Optimizer, kind="adagrad"):
    """s <- s + g^2;  theta <- theta - lr g / (sqrt(s) + eps)  (Duchi et al. 2011)."""

    slots = ("s",)
    lr: float = option(0.1, "learning rate", above=0)
    eps: float = option(1e-8, "keeps the division finite", above=0)
    weight_decay: float = option(0.0, DECAY, low=0)

    def rule(self, theta, g, lr, t, s):
        s += g * g
        theta -= lr * g / (np.sqrt(s) + self.eps)


@dataclass(frozen=True)
class RMSProp(Optimizer, kind="rmsprop"):
    """s <- decay s + (1 - decay) g^2;  theta <- theta - lr g / (sqrt(s) + eps)  (Tieleman & Hinton 2012)."""

    slots = ("s",)
    lr: float = option(1e-3, "learning rate", above=0)
    decay: float = option(0.99, "share of the mean square kept", low=0, below=1)
    eps: float = option(1e-8, "keeps the division finite", above=0)
    weight_decay: float = option(0.0, DECAY, low=0)

    def rule(self, theta, g, lr, t, s):
        s *= self.decay
        s += (1 - self.decay) * (g * g)
        theta -= lr * g / (np.sqrt(s) + self.eps)


@dataclass(frozen=True)
class Adam(Optimizer, kind="adam"):
    """m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2;
    theta <- theta - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)  (Kingma & Ba 2015).
    """

    slots = ("m", "v")
    lr: float = option(3e-3, "learning rate", above=0)
    beta1: float = option(0.9, "share of the mean kept", low=0, below=1)
    beta2: float = option(0.999, "share of the mean square kept", low=0, below=1)
    eps: float = option(1e-8, "keeps the division finite", above=0)
    weight_decay: float = option(0.0, DECAY, low=0)

    def rule(self, theta, g, lr, t, m, v):
        rate = lr / (1 - self.beta1**t)
        root = (1 - self.beta2**t) ** -0.5  # a Python float: a NumPy scalar would turn float32 products into float64
        d = np.multiply(g, 1 - self.beta1)
        m *= self.beta1
        m += d
        np.multiply(g, g, out=d)
        d *= 1 - self.beta2
        v *= self.beta2
        v += d
        np.sqrt(v, out=d)
        d *= root
        d += self.eps
        np.divide(m, d, out=d)
        d *= rate
        theta -= d
