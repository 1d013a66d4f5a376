"""A network that learns from the predictions of another one, too: knowledge distillation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnnlm.nn.dropout import Masks
from rnnlm.nn.heads import Loss
from rnnlm.nn.heads.softmax import EXP
from rnnlm.nn.network import Network
from rnnlm.nn.ops import rows
from rnnlm.nn.parallel import blocks, in_parallel
from rnnlm.nn.state import State

ROWS = 512  # predictions of the teacher that are in memory at once


class Taught:
    """A language model and its teacher, which reads the same tokens (Hinton et al. 2015).

        L = (1 - s) (-log p[target]) + s (-sum_k q_k log p_k),    dL/do = p - (1 - s) onehot(target) - s q

    p are the probabilities of the network, from its scores o, q those of the teacher, and s the `share` of the loss
    that the teacher has. The network has a full softmax, or an adaptive one with the cutoffs of the teacher's. Of that,
    L is the sum over the softmaxes that the target needs: that of frequent words and clusters, and that of the words in
    the target's cluster. For targets drawn from q, its mean is L of the full softmax (chain rule).

    With `noisy`, the teacher reads under dropout masks, as in its training (Sau & Balasubramanian 2016): then it is as
    unsure of its training text as of text that it has not seen.

    It has the methods of a `Network` that training calls. The loss that they return is -log p[target]. The state is a
    pair, that of the network and that of the teacher.
    """

    def __init__(self, network: Network, teacher: Network, share: float, noisy: bool = True):
        self.network, self.teacher, self.share, self.noisy = network, teacher, share, noisy
        self.params, self.grads = network.params, network.grads

    def initial_state(self, B: int) -> State:
        """State of both before the first step of B sequences."""
        return self.network.initial_state(B), self.teacher.initial_state(B)

    def loss(self, batch: Any, state: State, masks: Masks | None = None) -> tuple[Loss, State]:
        """Return the loss of the network on a batch, and the state of both after it."""
        loss, own = self.network.loss(batch, state[0], masks)
        _, other = self.teacher.loss(batch, state[1], masks if self.noisy else None)
        return loss, (own, other)

    @property
    def workspace_bytes(self) -> int:
        """Bytes of the activations of both for the largest batch so far."""
        return self.network.workspace_bytes + self.teacher.workspace_bytes

    def backward(self, batch: Any, factor: float = 1.0) -> None:
        """Set `grads` to the gradient of `factor` times the sum of L over the batch last run forwards."""
        self._soften(batch)
        self.network.backward(batch, factor)

    def backward_in_parts(self, batch: Any, factor: float, ready: Callable[[slice], None]) -> None:
        """`backward` that calls `ready` with each part of the gradient: see `Network.backward_in_parts`."""
        self._soften(batch)
        self.network.backward_in_parts(batch, factor, ready)

    def _soften(self, batch: Any) -> None:
        """Put the teacher's part of the gradient where the network's softmaxes left their probabilities.

        That is e = Z p, from which a backward pass takes Z onehot(target): e becomes Z (p - s q + s onehot(target)).
        """
        own, others = self.network.softmaxes(batch), self.teacher.softmaxes(batch)
        if same_words(own, others):
            for one, other in zip(own, others):
                subtract(one.e, other.e, self.share * one.Z / other.Z)
        else:
            y, head = rows(self.teacher.hidden(batch)), self.teacher.model.head
            for first in range(0, len(y), ROWS):
                part = slice(first, first + ROWS)
                q = head.log_probs(self.teacher.p["head"], y[part])
                subtract(own[0].e[part], q, self.share * own[0].Z[part], logs=True)
        for one in own:
            one.e[np.arange(len(one.e)), one.targets] += self.share * one.Z[:, 0]


def same_words(own: list[Any], others: list[Any]) -> bool:
    """Whether two heads, given as their softmaxes, part the words in the same way."""
    return [one.e.shape for one in own] == [other.e.shape for other in others]


def subtract(e: np.ndarray, q: np.ndarray, factor: np.ndarray, logs: bool = False) -> None:
    """Subtract factor * q, (N, 1) and (N, K), from e (N, K), in place. logs: q is given as log q. q is overwritten."""

    def rows_of(part):
        for b in blocks(part, q.shape[1]):
            if logs:
                np.exp(q[b], out=q[b])
            q[b] *= factor[b]
            e[b] -= q[b]

    in_parallel(rows_of, len(q), each=EXP * q.shape[1])


Learner = Network | Taught  # what training calls
