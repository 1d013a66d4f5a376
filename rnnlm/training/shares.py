"""Which sequences of a batch each process computes, and the gradient of the whole batch.

    shares     a batch is cut into shares of neighbouring sequences, one for each process, or `training.shares` of them
    gradient   that of the mean loss of a batch is the sum of those of its shares

How a sum is rounded depends on its order, and a matrix product's on its shape. So numbers of two trainings agree to the
last bit only if the shares do, which `training.shares` fixes whatever the number of processes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from rnnlm.nn.dropout import Masks
from rnnlm.nn.heads import Loss
from rnnlm.nn.state import State, joined, taken, transformed
from rnnlm.nn.taught import Learner
from rnnlm.training.ranks import Ranks


class Shares:
    """The shares of each batch that this process computes."""

    def __init__(self, ranks: Ranks, number: int | None = None):
        """number: of the shares, which each rank computes one after the other; None: one for each rank."""
        self.ranks, self.number = ranks, number
        self._sum: np.ndarray | None = None  # gradients of this rank's shares, added up in float64

    def of(self, n: int) -> list[slice]:
        """This rank's shares of n sequences: they differ by one sequence at most, and none is empty."""
        number, size, rank = self.number or self.ranks.size, self.ranks.size, self.ranks.rank
        cuts = [n * k // number for k in range(number * rank // size, number * (rank + 1) // size + 1)]
        return [slice(*cut) for cut in pairwise(cuts) if cut[0] < cut[1]]

    def lanes(self, n: int) -> slice:
        """Which of n sequences this rank computes: those of its shares, or the first one, without weight, for none."""
        shares = self.of(n)
        return slice(shares[0].start, shares[-1].stop) if shares else slice(0, 1)

    def own(self, state: State, n: int) -> State:
        """Return this rank's `lanes` of the state of n sequences."""
        return taken(state, self.lanes(n))

    def gathered(self, rows: np.ndarray, n: int) -> np.ndarray:
        """Return to rank 0 the rows of all ranks, in order, (n, ...); `rows` are those of this rank's `lanes`."""
        return self.ranks.gathered(rows if self.of(n) else rows[:0])

    def gradient(self, network: Learner, batch: Any, state: State, masks: Masks, tokens: float) -> tuple[Loss, State]:
        """Set `network.grads` to the gradient of a batch's summed nats over `tokens`.

        Return the loss of the whole batch, and the state after it of this rank's `lanes`.
        """
        if self.number is not None:
            return self._one_by_one(network, batch, state, masks, tokens)
        if self.ranks.size == 1:  # without rows of masks and parts of the gradient, which one process does not need
            loss, state = network.loss(batch, state, masks)
            network.backward(batch, 1 / tokens)
            return loss, state
        n = batch.sequences
        lanes, weight = self.lanes(n), float(bool(self.of(n)))
        masks.rows, share = batch.rows(lanes), batch.share(lanes)
        loss, state = network.loss(share, state, masks)
        self.backward(network, share, weight / tokens)
        return self.ranks.total(loss, weight), state

    def backward(self, network: Learner, share: Any, factor: float) -> None:
        """Set `network.grads` to the gradient of a share (see `Network.backward`), and begin to sum it over the ranks.

        The output layer's is summed while the recurrence runs backwards. The sum is there after `Ranks.total`.
        """
        network.backward_in_parts(share, factor, lambda part: self.ranks.add(network.grads.trainable[part]))

    def _one_by_one(
        self, network: Learner, batch: Any, state: State, masks: Masks, tokens: float
    ) -> tuple[Loss, State]:
        """`gradient` whose rounding does not depend on the number of ranks.

        Every share is computed by itself, as if by a rank of its own. Sums of float32 numbers in float64, rounded to
        float32, are the same in any order but where one lies within 1e-9 of its size from the middle of two numbers.
        """
        grad, n = network.grads.trainable, batch.sequences
        if self._sum is None:
            self._sum = np.empty(len(grad))
        self._sum.fill(0)
        lanes, shares = self.lanes(n), self.of(n)
        drawn, total, after = masks.bit_generator.state, Loss(), []
        for part in shares or [lanes]:
            masks.bit_generator.state = drawn  # each draws the masks of the whole batch
            masks.rows, share = batch.rows(part), batch.share(part)
            here = slice(part.start - lanes.start, part.stop - lanes.start)
            loss, end = network.loss(share, taken(state, here), masks)
            after.append(transformed(end, np.copy))  # which is in a workspace that the next share takes
            if shares:
                network.backward(share, 1 / tokens)
                self._sum += grad
                total += loss
        self.ranks.add(self._sum)
        total = self.ranks.total(total)
        grad[...] = self._sum
        return total, joined(after)
