"""A network that reads sentences in their order, window by window: what adaptation and the cache are built on.

`NetworkScorer` is faster, because it takes independent sentences side by side; here each window has its successor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rnnlm.corpus import Batch
from rnnlm.models.base import Network
from rnnlm.scoring import LOGITS, TOKENS
from rnnlm.vocab import BOS, EOS, OOV, UNK


class Window(NamedTuple):
    """T tokens as they were predicted. Arrays are the reader's own, and valid until it goes on."""

    targets: np.ndarray  # (T,) ids; EOS ends a sentence
    nats: np.ndarray  # (T,) -log p of each
    hidden: np.ndarray  # (T, D) what the head saw when it predicted them


class Reader:
    """Windows of up to `tokens` tokens, one sequence at a time (B = 1); also a `Scorer`.

    stream, carried: as in `rnnlm.scoring.NetworkScorer`. Where the state is carried a window ends anywhere; otherwise
    no window has tokens of two sentences, and a sentence longer than `tokens` is cut into equal ones.
    """

    def __init__(self, network: Network, stream: bool, carried: bool = False, tokens: int = TOKENS):
        self.network, self.stream, self.carried = network, stream, carried
        self.start = EOS if stream else BOS
        self.tokens = max(1, min(tokens, LOGITS // len(network.vocab)))

    def log_probs(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """See `rnnlm.scoring.Scorer`."""
        return by_sentence((window.targets, -window.nats) for window in self.windows(map(self.ids, sentences)))

    def ids(self, words: Sequence[str]) -> np.ndarray:
        """The ids of a sentence, with its end: (n + 1,)."""
        return np.array([*self.network.vocab.ids(words), EOS], np.int32)

    def windows(self, sentences: Iterable[np.ndarray]) -> Iterator[Window]:
        """The windows of sentences of ids, EOS at the end of each."""
        state = None
        for batch in self.batches(sentences):
            nats, state = self.network.nats(batch, state)
            yield Window(batch.targets[:, 0], nats[:, 0], self.network.hidden(batch)[:, 0])

    def batches(self, sentences: Iterable[np.ndarray]) -> Iterator[Batch]:
        """The same as the network takes them in, (T, 1)."""
        before = EOS
        fresh = True
        for targets in self._stretches(sentences) if self.carried else self._pieces(sentences):
            targets = np.where(targets == OOV, UNK, targets)[:, None]
            inputs = np.concatenate([[[before]], targets[:-1]])
            inputs = np.where(inputs == EOS, self.start, inputs).astype(np.int32)
            yield Batch(inputs, targets, fresh=fresh)
            before = targets[-1, 0]
            fresh = before == EOS and not self.carried

    def _stretches(self, sentences: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The text in pieces of `tokens` tokens, wherever sentences end."""
        rest = np.empty(0, np.int32)
        for ids in sentences:
            rest = np.concatenate([rest, ids])
            while len(rest) >= self.tokens:
                yield rest[: self.tokens]
                rest = rest[self.tokens :]
        if len(rest):
            yield rest

    def _pieces(self, sentences: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for ids in sentences:
            yield from np.array_split(ids, -(-len(ids) // self.tokens))


def by_sentence(windows: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[np.ndarray]:
    """(targets, values) of consecutive windows, both (T,) -> the values of each sentence."""
    begun: list[np.ndarray] = []
    for targets, values in windows:
        *ended, rest = np.split(values, np.flatnonzero(targets == EOS) + 1)
        for end in ended:
            yield np.concatenate([*begun, end])
            begun = []
        begun.append(rest.copy())
