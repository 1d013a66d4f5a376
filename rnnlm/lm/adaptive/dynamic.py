"""Dynamic evaluation: the network goes on learning from the text that it is tested on, after it has predicted it.

Each window of T tokens is scored with the weights that the windows before it left, and only then changes them. So no
probability depends on its own word or on what follows. The loaded weights are never touched: every text begins with a
copy of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np

from rnnlm.errors import NumericalError
from rnnlm.lm.reader import Reader, Window, read
from rnnlm.nn.network import Network
from rnnlm.nn.ops import blocks, in_parallel
from rnnlm.text.windows import Batch

WINDOW = 20  # tokens between updates
EPS = 1.0


class Rule(Protocol):
    """How the weights follow the text."""

    lr: float

    def step(self, theta: np.ndarray, grad: np.ndarray) -> None:
        """Change theta (n,) in place, given the gradient (n,) of the summed -log p of a window's tokens."""
        ...


class Descent:
    """theta <- theta - lr g: stochastic gradient descent, as in training (Mikolov et al. 2010)."""

    def __init__(self, lr: float):
        self.lr = lr

    def step(self, theta: np.ndarray, grad: np.ndarray) -> None:
        """See `Rule`."""

        def step(part):
            for b in blocks(part, width=2):
                theta[b] -= self.lr * grad[b]

        in_parallel(step, len(theta))


class Anchored:
    """theta <- theta - lr g / (s + eps) + min(decay s / mean(s), 1) (theta_0 - theta)  (Krause et al. 2018).

    theta_0 are the trained weights and s (n,) the root mean square of the gradient by each of them on a training text
    (see `gradient_rms`): weights that the training text hardly moved are free to stay where the test text takes them.
    eps is EPS times the mean of s, so that lr means the same for all networks.
    """

    def __init__(self, trained: np.ndarray, s: np.ndarray, lr: float, decay: float):
        self.trained, self.lr, self.decay = trained, lr, decay
        mean = s.mean()
        self.scale = lr / (s + EPS * mean)
        self.pull = np.minimum(s * (decay / mean), 1)

    def step(self, theta: np.ndarray, grad: np.ndarray) -> None:
        """See `Rule`."""

        def step(part):
            for b in blocks(part, width=2):
                change = self.trained[b] - theta[b]
                change *= self.pull[b]
                change -= self.scale[b] * grad[b]
                theta[b] += change

        in_parallel(step, len(theta))


def gradient_rms(network: Network, batches: Iterable[Batch]) -> np.ndarray:
    """The root mean square of the gradient of a token's -log p by each trainable weight, (n,).

    That of a batch of m tokens is taken for m times the square of their mean gradient, as if tokens were independent.
    """
    state, number = None, 0
    squares = np.zeros_like(network.params.trainable)
    for batch in batches:
        _, state = network.loss_and_grad(batch, state)
        g = network.grads.trainable
        for b in blocks(slice(0, len(g)), width=2):
            squares[b] += batch.tokens * g[b] * g[b]
        number += 1
    return np.sqrt(squares / number)


class DynamicScorer(Reader):
    """A network that learns as it reads: scores, then steps by `rule`, window by window."""

    kind = "rnn+dynamic"

    def __init__(self, network: Network, stream: bool, carried: bool, rule: Rule, tokens: int = WINDOW):
        super().__init__(network, stream, carried, tokens)
        self.rule = rule

    def windows(self, sentences: Iterable[np.ndarray]) -> Iterator[Window]:
        """See `Reader`. Raises NumericalError when the steps are so large that the network breaks."""
        own = Network(self.network.model, self.network.vocab, self.network.params.flat.dtype)
        own.params.flat[...] = self.network.params.flat
        state, tokens = None, 0
        for batch in self.batches(sentences):
            with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is looked at
                window, state = read(own, batch, state)
            tokens += len(window.nats)
            if not np.isfinite(window.nats).all():
                raise NumericalError(
                    f"dynamic evaluation diverged within {tokens} tokens at a learning rate of {self.rule.lr:g}",
                    "lower the rate; --dynamic tune --dev FILE finds one",
                )
            yield window
            with np.errstate(over="ignore", invalid="ignore"):
                own.backward(batch)
                self.rule.step(own.params.trainable, own.grads.trainable)
