"""Log-probabilities of sentences under a recurrent network.

Dimension letters: T time steps, B sequences side by side, K words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from rnnlm.nn.network import Network
from rnnlm.nn.ops import check_numbers
from rnnlm.nn.state import State, joined, taken
from rnnlm.text.vocab import BOS, EOS, OOV, UNK, Vocabulary
from rnnlm.text.windows import Batch

TOKENS = 4096  # predicted at once: wide enough for fast products, also through time
LOGITS = 10 << 20  # but so many scores at most, so that memory is bounded for any vocabulary
BLOCK = 8  # sentences are taken in, and sorted, so many times TOKENS at a time
Item = TypeVar("Item")


class NetworkScorer:
    """The scorer of a network.

    stream: the network was trained on one continuous text, in which `</s>` stands before a sentence; otherwise on
    sentences, each beginning with `<s>`. This is the input that predicts a first word, `start`.
    carried: the state goes on from sentence to sentence; otherwise each begins from the initial state.
    """

    kind = "rnn"

    def __init__(self, network: Network, stream: bool, carried: bool = False):
        self.network, self.carried = network, carried
        self.start = EOS if stream else BOS
        self.tokens = max(1, min(TOKENS, LOGITS // len(network.vocab)))

    @property
    def vocab(self) -> Vocabulary:
        """The network's."""
        return self.network.vocab

    def log_probs(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """See `Scorer`."""
        for nats in self.nats(map(self._ids, sentences)):
            check_numbers(nats)
            yield -nats

    def alternatives(self, lists: Iterable[Sequence[Sequence[str]]]) -> Iterator[list[np.ndarray]]:
        """See `Scorer`. What sentences have in common at their beginning is computed once: see `_tree`."""
        encoded = ([self._ids(words) for words in sentences] for sentences in lists)
        groups = ([ids] for ids in encoded) if self.carried else _blocks(encoded, _tokens, BLOCK * self.tokens)
        state = None
        for group in groups:
            nats, after = self._tree([ids for sentences in group for ids in sentences], state)
            state = after if self.carried else None
            for found in nats:
                check_numbers(found)
            each = iter(nats)
            yield from ([-found for found in islice(each, len(sentences))] for sentences in group)

    def nats(self, sentences: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Per sentence of ids, EOS at its end, -log p of each: both (n + 1,)."""
        state = None
        for block in _blocks(sentences, len, BLOCK * self.tokens):
            if self.carried:
                nats, state = self._window(np.concatenate(block)[:, None], state)
                yield from np.split(nats[:, 0], np.cumsum([len(ids) for ids in block[:-1]]))
            else:
                yield from self._independent(block)

    def likeliest(self, words: Sequence[str], k: int) -> Iterator[list[tuple[str, float]]]:
        """Before the first word and after each: the k likeliest next words and their probabilities, likeliest first.

        `<s>` is never among them, since it follows nothing.
        """
        for row in self.distributions([words]):
            row[BOS] = -np.inf
            best = np.argpartition(-row, k - 1)[:k]
            best = best[np.argsort(-row[best], kind="stable")]
            yield [(self.vocab.words[i], float(np.exp(row[i]))) for i in best]

    def distributions(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """See `Scorer`."""
        state = self.network.initial_state(1)
        for words in sentences:
            state = state if self.carried else self.network.initial_state(1)
            ids = np.array([self.start, *self.vocab.ids(words)], np.int32)
            ids[ids == OOV] = UNK
            for first in range(0, len(ids), self.tokens):
                log_p, state = self.network.log_probs(ids[first : first + self.tokens, None], state)
                check_numbers(log_p[..., -1])
                yield from log_p[:, 0]

    def walk(self) -> NetworkWalk:
        """See `Scorer`."""
        return NetworkWalk.step(self.network, self.start, self.network.initial_state(1))

    def _ids(self, words: Sequence[str]) -> np.ndarray:
        return np.array([*self.network.vocab.ids(words), EOS], np.int32)

    def _independent(self, block: list[np.ndarray]) -> list[np.ndarray]:
        """-log p of each sentence's ids, sentences of similar length side by side."""
        nats = [np.empty(0)] * len(block)
        order = sorted(range(len(block)), key=lambda i: -len(block[i]))
        while order:
            T = len(block[order[0]])
            n = max(1, self.tokens // T)
            batch, order = order[:n], order[n:]
            targets = np.full((T, len(batch)), EOS, np.int32)
            for b, i in enumerate(batch):
                targets[: len(block[i]), b] = block[i]
            columns, _ = self._window(targets, None)
            for b, i in enumerate(batch):
                nats[i] = columns[: len(block[i]), b]
        return nats

    def _window(self, targets: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        """-log p of targets (T, B) that begin with a sentence, and the state after them; state None: the initial one.

        A sentence longer than `tokens` is read in pieces, so memory is bounded.
        """
        T, B = targets.shape
        targets = np.where(targets == OOV, UNK, targets)
        before = np.concatenate([np.full((1, B), EOS, np.int32), targets[:-1]])
        inputs = np.where(before == EOS, np.int32(self.start), before)
        nats = np.empty(targets.shape, self.network.params.flat.dtype)
        for first in range(0, T, step := max(1, self.tokens // B)):
            part = slice(first, first + step)
            nats[part], state = self.network.nats(Batch(inputs[part], targets[part], fresh=state is None), state)
        return nats, state

    def _tree(self, block: list[np.ndarray], state: State | None) -> tuple[list[np.ndarray], State | None]:
        """-log p of each sentence's ids after `state` (of one sequence; None: the initial one), and the first's state.

        Sorted, sentences that begin alike stand side by side, and of those with the same ids up to step t the leftmost
        is computed for all. So the distinct beginnings are the rows of one batch, from step to step, as branches of a
        tree: a row goes on from the state of the row that it was a step before.
        """
        block = [np.where(ids == OOV, UNK, ids) for ids in block]
        order = sorted(range(len(block)), key=lambda i: block[i].tolist())
        T, n = max(map(len, block), default=0), len(block)
        targets = np.full((T, n), OOV, np.int32)  # columns sorted, OOV behind the end of a sentence
        for b, i in enumerate(order):
            targets[: len(block[i]), b] = block[i]
        differs = np.logical_or.accumulate(targets[:, 1:] != targets[:, :-1])
        leftmost = np.concatenate([np.ones((T, min(n, 1)), bool), differs], axis=1) & (targets != OOV)
        nats = np.empty((T, n), self.network.params.flat.dtype)
        inputs, after = np.full(n, self.start, np.int32), state
        row = np.zeros(n, int)  # which one computes a sentence's beginning
        for t in range(T):
            new = np.flatnonzero(leftmost[t])
            before = None if state is None else taken(state, row[new])
            found, state = self._step(inputs[new], targets[t, new], before)
            row = np.cumsum(leftmost[t]) - 1
            nats[t] = found[row]  # also behind the ends of sentences, where nobody looks
            inputs = targets[t]
            if t + 1 == len(block[0]):
                after = taken(state, row[[order.index(0)]])
        return [nats[: len(ids), b] for ids, b in zip(block, np.argsort(order))], after

    def _step(self, inputs: np.ndarray, targets: np.ndarray, state: State | None) -> tuple[np.ndarray, State]:
        """-log p of one target per row, both (B,), and the states after the inputs; state None: the initial one."""
        nats, states = [], []
        for first in range(0, len(inputs), self.tokens):
            part = slice(first, first + self.tokens)
            batch = Batch(inputs[None, part], targets[None, part], fresh=state is None)
            found, after = self.network.nats(batch, None if state is None else taken(state, part))
            nats.append(found[0])
            states.append(after)
        return np.concatenate(nats), joined(states)


def _blocks(items: Iterable[Item], size: Callable[[Item], int], limit: int) -> Iterator[list[Item]]:
    """Items in lists of `limit` tokens, or as many more as the last of them has."""
    block: list[Item] = []
    total = 0
    for item in items:
        block.append(item)
        total += size(item)
        if total >= limit:
            yield block
            block, total = [], 0
    if block:
        yield block


def _tokens(sentences: Sequence[np.ndarray]) -> int:
    return sum(map(len, sentences))


@dataclass(frozen=True)
class NetworkWalk:
    """See `Walk`."""

    network: Network
    log_p: np.ndarray
    state: Any

    @classmethod
    def step(cls, network: Network, i: int, state: Any) -> NetworkWalk:
        """After word number i, read in `state`."""
        log_p, state = network.log_probs(np.array([[i]], np.int32), state)
        check_numbers(log_p[..., -1])
        return cls(network, log_p[0, 0].copy(), state)

    def after(self, word: str) -> NetworkWalk:
        """See `Walk`."""
        (i,) = self.network.vocab.ids([word])
        return self.step(self.network, UNK if i == OOV else i, self.state)
