"""A network that reads sentences in their order, window by window: what adaptation and the cache are built on.

`NetworkScorer` is faster, because it takes independent sentences side by side; here each window has its successor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, NoReturn

import numpy as np

from rnnlm.errors import UsageError
from rnnlm.lm.network import LOGITS
from rnnlm.nn.network import Network
from rnnlm.nn.state import State
from rnnlm.text.vocab import BOS, EOS, OOV, UNK, Vocabulary
from rnnlm.text.windows import Batch

TOKENS = 256  # predicted at once


class Window(NamedTuple):
    """T tokens as they were predicted. Arrays are the reader's own, and valid until it goes on."""

    targets: np.ndarray  # (T,) ids; EOS ends a sentence
    nats: np.ndarray  # (T,) -log p of each
    hidden: np.ndarray  # (T, D) what the head saw when it predicted them
    log_p: Callable[[], np.ndarray]  # computes log p of every word at each place, (T, K)


class Reader:
    """Windows of up to `tokens` tokens, one sequence at a time (B = 1); also a `rnnlm.lm.scorer.Scorer`.

    stream, carried: as in `rnnlm.lm.scorer.NetworkScorer`. Where the state is carried a window ends anywhere; otherwise
    no window has tokens of two sentences, and a sentence longer than `tokens` is cut into equal ones.
    """

    kind = "rnn"

    def __init__(self, network: Network, stream: bool, carried: bool = False, tokens: int = TOKENS):
        self.network, self.stream, self.carried = network, stream, carried
        self.start = EOS if stream else BOS
        self.tokens = max(1, min(tokens, LOGITS // len(network.vocab)))

    @property
    def vocab(self) -> Vocabulary:
        """The network's."""
        return self.network.vocab

    def log_probs(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """See `rnnlm.lm.scorer.Scorer`."""
        return by_sentence((window.targets, -window.nats) for window in self.windows(map(self.ids, sentences)))

    def distributions(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """See `rnnlm.lm.scorer.Scorer`."""
        for window in self.windows(map(self.ids, sentences)):
            yield from window.log_p()

    def alternatives(self, lists: Iterable[Sequence[Sequence[str]]]) -> NoReturn:
        """Raises UsageError: see `walk`."""
        self.walk()

    def walk(self) -> NoReturn:
        """Raises UsageError: this is for text that is read once, in its order, without branches."""
        raise UsageError(f"a model of kind {self.kind} reads a text in its order", "use the model as it was trained")

    def ids(self, words: Sequence[str]) -> np.ndarray:
        """The ids of a sentence, with its end: (n + 1,)."""
        return np.array([*self.network.vocab.ids(words), EOS], np.int32)

    def windows(self, sentences: Iterable[np.ndarray]) -> Iterator[Window]:
        """The windows of sentences of ids, EOS at the end of each."""
        state = None
        for batch in self.batches(sentences):
            window, state = read(self.network, batch, state)
            yield window

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


def read(network: Network, batch: Batch, state: State | None) -> tuple[Window, State]:
    """A window, (T, 1), and the state after it."""
    before = network.initial_state(1) if batch.fresh else state
    nats, after = network.nats(batch, before)

    def log_p():
        return network.log_probs(batch.inputs, before)[0][:, 0]

    return Window(batch.targets[:, 0], nats[:, 0], network.hidden(batch)[:, 0], log_p), after


def by_sentence(windows: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[np.ndarray]:
    """(targets, values) of consecutive windows, both (T,) -> the values of each sentence."""
    begun: list[np.ndarray] = []
    for targets, values in windows:
        *ended, rest = np.split(values, np.flatnonzero(targets == EOS) + 1)
        for end in ended:
            yield np.concatenate([*begun, end])
            begun = []
        begun.append(rest.copy())
