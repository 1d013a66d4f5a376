"""Dynamic evaluation: a network that goes on learning from the text that it is tested on.

Each window of T tokens is scored with the weights that the windows before it left, and only then changes them. So no
probability depends on its own word or on a later one. The trained weights stay as they are: every text begins with a
copy of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from rnnlm.errors import NumericalError
from rnnlm.lm.network import SequentialScorer, Window, read_window
from rnnlm.nn.network import Network
from rnnlm.nn.parallel import blocks, in_parallel
from rnnlm.text.windows import Batch

WINDOW = 20  # tokens between updates
EPS = 1.0


class Descent:
    """Update rule of dynamic evaluation: gradient descent, theta <- theta - lr g (Mikolov et al. 2010)."""

    def __init__(self, lr: float):
        self.lr = lr

    def step(self, theta: np.ndarray, grad: np.ndarray) -> None:
        """Update theta (n,) in place by the gradient (n,) of the sum of -log p over the tokens of a window."""

        def step(part):
            for b in blocks(part, width=2):
                self._update(b, theta[b], grad[b])

        in_parallel(step, len(theta))

    def _update(self, b: slice, theta: np.ndarray, grad: np.ndarray) -> None:
        """Update the part b of the weights."""
        theta -= self.lr * grad


class Anchored(Descent):
    """Scaled gradient descent with decay towards the trained weights (Krause et al. 2018).

        theta <- theta - lr g / (s + eps) + min(decay s / mean(s), 1) (theta_0 - theta)

    theta_0 (n,) are the trained weights and s (n,) is the root mean square of the gradient by each of them on a
    training text (see `gradient_rms`): weights that the training text hardly moved are free to stay where the test text
    takes them. eps is EPS times the mean of s, so that lr means the same for all networks.
    """

    def __init__(self, trained: np.ndarray, s: np.ndarray, lr: float, decay: float):
        super().__init__(lr)
        self.trained = trained
        self.scale = lr / (s + EPS * s.mean())
        self.pull = np.minimum(s * (decay / s.mean()), 1)

    def _update(self, b: slice, theta: np.ndarray, grad: np.ndarray) -> None:
        change = self.trained[b] - theta
        change *= self.pull[b]
        change -= self.scale[b] * grad
        theta += change


def gradient_rms(network: Network, batches: Iterable[Batch]) -> np.ndarray:
    """Root mean square of the gradient of a token's -log p by each trainable weight, (n,).

    The sum of squares over the m tokens of a batch is taken for m times the square of their mean gradient, as if tokens
    were independent.
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


class DynamicScorer(SequentialScorer):
    """A network under dynamic evaluation: scores a window of `tokens` tokens, then updates its weights by `rule`."""

    kind = "rnn+dynamic"

    def __init__(self, network: Network, stream: bool, carried: bool, rule: Descent, tokens: int = WINDOW):
        super().__init__(network, stream, carried, tokens)
        self.rule = rule

    def windows(self, sentences: Iterable[np.ndarray]) -> Iterator[Window]:
        """The windows of sentences of ids: see `SequentialScorer`. Raises NumericalError if the weights diverge."""
        own = Network(self.network.model, self.network.vocab, self.network.params.flat.dtype)
        own.params.flat[...] = self.network.params.flat
        state, tokens = None, 0
        for batch in self.batches(sentences):
            with np.errstate(over="ignore", invalid="ignore"):  # the result is checked
                window, state = read_window(own, batch, state)
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
