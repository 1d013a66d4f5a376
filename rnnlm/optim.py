"""Update rules, one class each. They work in place on the flat vector of trainable parameters.

`slots` names the vectors of the same length that a rule keeps between steps; the trainer owns them and the checkpoint
stores them. t counts steps from 1, lr is the learning rate of this step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rnnlm.config import Choice, option
from rnnlm.ops import in_parallel

BLOCK = 1 << 18  # elements: small enough for the cache, large enough that threads seldom wait for the interpreter


def blocks(part: slice) -> Iterator[slice]:
    """Slices of at most BLOCK elements that cover a part of a vector."""
    return (slice(i, min(i + BLOCK, part.stop)) for i in range(part.start, part.stop, BLOCK))


def clip_norm(grad: np.ndarray, limit: float) -> bool:
    """Scale grad (n,) in place to a Euclidean norm of at most `limit`; whether it was longer (Pascanu et al. 2013)."""
    norm = gradient_norm(grad)
    if norm > limit:
        grad *= limit / norm
    return norm > limit


def clip_value(grad: np.ndarray, limit: float) -> bool:
    """Cut each element of grad (n,) to [-limit, limit] in place; whether any was outside."""
    outside = bool(max(grad.max(), -grad.min()) > limit)
    if outside:
        np.clip(grad, -limit, limit, out=grad)
    return outside


def gradient_norm(grad: np.ndarray) -> float:
    """Euclidean norm of a vector."""
    return float(np.sqrt(np.dot(grad, grad)))


class Optimizer(Choice, default="sgd"):
    """theta <- theta - lr * (some function of the gradients so far)."""

    slots: ClassVar[tuple[str, ...]] = ()
    lr: float

    def step(self, theta: np.ndarray, grad: np.ndarray, lr: float, t: int, **slots: np.ndarray) -> None:
        """Update theta (n,) by grad (n,) in place; the slots, (n,) each, with it. grad may be overwritten."""
        raise NotImplementedError


@dataclass(frozen=True)
class SGD(Optimizer, kind="sgd"):
    """theta <- theta - lr g."""

    lr: float = option(0.1, "learning rate", above=0)

    def step(self, theta, grad, lr, t):
        for b in blocks(slice(0, len(theta))):
            g = grad[b]
            g *= lr
            theta[b] -= g


@dataclass(frozen=True)
class Momentum(Optimizer, kind="momentum"):
    """v <- momentum v + g;  theta <- theta - lr v;  with `nesterov`, theta <- theta - lr (g + momentum v)."""

    slots = ("v",)
    lr: float = option(0.1, "learning rate", above=0)
    momentum: float = option(0.9, "share of the velocity kept", low=0, below=1)
    nesterov: bool = option(False, "look ahead (Nesterov 1983; Sutskever et al. 2013)")

    def step(self, theta, grad, lr, t, v):
        for b in blocks(slice(0, len(theta))):
            g, v_b = grad[b], v[b]
            v_b *= self.momentum
            v_b += g
            theta[b] -= lr * (g + self.momentum * v_b) if self.nesterov else lr * v_b


@dataclass(frozen=True)
class Adagrad(Optimizer, kind="adagrad"):
    """s <- s + g^2;  theta <- theta - lr g / (sqrt(s) + eps)  (Duchi et al. 2011)."""

    slots = ("s",)
    lr: float = option(0.1, "learning rate", above=0)
    eps: float = option(1e-8, "keeps the division finite", above=0)

    def step(self, theta, grad, lr, t, s):
        for b in blocks(slice(0, len(theta))):
            g, s_b = grad[b], s[b]
            s_b += g * g
            theta[b] -= lr * g / (np.sqrt(s_b) + self.eps)


@dataclass(frozen=True)
class RMSProp(Optimizer, kind="rmsprop"):
    """s <- decay s + (1 - decay) g^2;  theta <- theta - lr g / (sqrt(s) + eps)  (Tieleman & Hinton 2012)."""

    slots = ("s",)
    lr: float = option(1e-3, "learning rate", above=0)
    decay: float = option(0.99, "share of the mean square kept", low=0, below=1)
    eps: float = option(1e-8, "keeps the division finite", above=0)

    def step(self, theta, grad, lr, t, s):
        for b in blocks(slice(0, len(theta))):
            g, s_b = grad[b], s[b]
            s_b *= self.decay
            s_b += (1 - self.decay) * (g * g)
            theta[b] -= lr * g / (np.sqrt(s_b) + self.eps)


@dataclass(frozen=True)
class Adam(Optimizer, kind="adam"):
    """m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2;
    theta <- theta - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)  (Kingma & Ba 2015).

    With `weight_decay`, theta <- (1 - lr weight_decay) theta first (decoupled: Loshchilov & Hutter 2019).
    """

    slots = ("m", "v")
    lr: float = option(1e-3, "learning rate", above=0)
    beta1: float = option(0.9, "share of the mean kept", low=0, below=1)
    beta2: float = option(0.999, "share of the mean square kept", low=0, below=1)
    eps: float = option(1e-8, "keeps the division finite", above=0)
    weight_decay: float = option(0.0, "decoupled decay towards zero", low=0)

    def step(self, theta, grad, lr, t, m, v):
        rate = lr / (1 - self.beta1**t)
        root = (1 - self.beta2**t) ** -0.5  # a Python float: a NumPy scalar would turn float32 products into float64

        def update(part):
            buf = np.empty(BLOCK, theta.dtype)
            for b in blocks(part):
                g, m_b, v_b, theta_b = grad[b], m[b], v[b], theta[b]
                d = buf[: len(g)]
                np.multiply(g, 1 - self.beta1, out=d)
                m_b *= self.beta1
                m_b += d
                np.multiply(g, g, out=d)
                d *= 1 - self.beta2
                v_b *= self.beta2
                v_b += d
                np.sqrt(v_b, out=d)
                d *= root
                d += self.eps
                np.divide(m_b, d, out=d)
                d *= rate
                if self.weight_decay:
                    theta_b *= 1 - lr * self.weight_decay
                theta_b -= d

        in_parallel(update, len(theta))
