"""A recurrent network as a language model: log-probabilities of sentences, side by side or in their order.

`NetworkScorer` reads independent sentences side by side, which is fast. `SequentialScorer` reads a text in its order,
window by window, and shows the hidden vectors: dynamic evaluation and the neural cache are built on it.

Dimension letters: T time steps, B sequences side by side, K words of the vocabulary, D hidden units, n words of a
sentence.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple, NoReturn

import numpy as np

from rnnlm.errors import UsageError
from rnnlm.lm.scorer import Scorer, in_blocks, token
from rnnlm.nn.network import Network
from rnnlm.nn.ops import check_numbers
from rnnlm.nn.state import State, joined, taken
from rnnlm.text.vocab import BOS, EOS, OOV, readable
from rnnlm.text.windows import Batch, padded, shifted

TOKENS = 4096  # predicted at once: wide enough for fast products, also through time
WINDOW = 256  # predicted at once by a network that reads in order
LOGITS = 10 << 20  # the most logits at once, so that memory is bounded for any vocabulary
BLOCK = 8  # sentences are taken in, and sorted by length, BLOCK * TOKENS tokens at a time


class _Base(Scorer):
    """Common part of both scorers: the network, the start symbol, text as token ids and as batches."""

    kind = "rnn"
    order = math.inf
    at_once = TOKENS  # predicted at once, if no other number is wanted

    def __init__(self, network: Network, stream: bool, carried: bool = False, tokens: int | None = None):
        self.network, self.vocab, self.stream, self.carried = network, network.vocab, stream, carried
        self.start = EOS if stream else BOS
        self.tokens = max(1, min(tokens or self.at_once, LOGITS // len(network.vocab)))

    def ids(self, words: Sequence[str]) -> np.ndarray:
        """Token ids of a sentence with its end, (n + 1,) int32; OOV for words out of the vocabulary."""
        return np.array([*self.vocab.ids(words), EOS], np.int32)

    def _batch(self, targets: np.ndarray, before: int, fresh: bool) -> Batch:
        """A batch that predicts targets (T, B), which follow the token `before`; sentences begin with `start`."""
        targets = readable(targets)
        inputs = shifted(targets, before)
        return Batch(np.where(inputs == EOS, np.int32(self.start), inputs), targets, fresh=fresh)


class NetworkScorer(_Base):
    """A network as a `rnnlm.lm.scorer.Scorer`: independent sentences are read side by side.

    stream: the network was trained on one continuous text, in which `</s>` stands before a sentence; otherwise on
    sentences, each beginning with `<s>`. This symbol, `start`, predicts a first word.
    carried: the hidden state is carried on from sentence to sentence; otherwise each begins from the initial state.
    """

    def log_probs(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Log-probabilities of the words of sentences: see `rnnlm.lm.scorer.Scorer`."""
        for nats in self.nats(map(self.ids, sentences)):
            check_numbers(nats)
            yield -nats

    def alternatives(self, lists: Iterable[Sequence[Sequence[str]]]) -> Iterator[list[np.ndarray]]:
        """Log-probabilities of n-best lists: see `rnnlm.lm.scorer.Scorer`.

        Common beginnings of sentences are computed once: see `_tree`.
        """
        encoded = ([self.ids(words) for words in sentences] for sentences in lists)
        state, limit = None, 0 if self.carried else BLOCK * self.tokens  # 0: one list at a time
        for group in in_blocks(encoded, lambda sentences: sum(map(len, sentences)), limit):
            nats, after = self._tree([ids for sentences in group for ids in sentences], state)
            state = after if self.carried else None
            for found in nats:
                check_numbers(found)
            each = iter(nats)
            yield from ([-found for found in islice(each, len(sentences))] for sentences in group)

    def nats(self, sentences: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """-log p of each token of sentences of ids, (n + 1,) each, EOS at the end."""
        state = None
        for block in in_blocks(sentences, len, BLOCK * self.tokens):
            if self.carried:
                nats, state = self._columns(np.concatenate(block)[:, None], state)
                yield from np.split(nats[:, 0], np.cumsum([len(ids) for ids in block[:-1]]))
            else:
                yield from self._independent(block)

    def likeliest(self, words: Sequence[str], k: int) -> Iterator[list[Likely]]:
        """The k most likely next words and their probabilities, before the first word and after each word.

        The most likely word comes first. `<s>` is never among them, since it follows nothing.
        """
        for row in self.distributions([words]):
            row[BOS] = -np.inf
            yield likeliest(row, self.vocab.words, k)

    def distributions(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Log-probabilities of the whole vocabulary: see `rnnlm.lm.scorer.Scorer`."""
        state = self.network.initial_state(1)
        for words in sentences:
            state = state if self.carried else self.network.initial_state(1)
            ids = np.array([self.start, *self.vocab.read(words)], np.int32)
            for first in range(0, len(ids), self.tokens):
                log_p, state = self.network.log_probs(ids[first : first + self.tokens, None], state)
                check_numbers(log_p[..., -1])
                yield from log_p[:, 0]

    def walk(self, bos: bool = True) -> NetworkWalk:
        """The beginning of a sentence: see `rnnlm.lm.scorer.Scorer`."""
        if not bos:
            warnings.warn("a network cannot begin without context (bos=False): it begins a sentence", stacklevel=2)
        return NetworkWalk(self.network, self.start, self.network.initial_state(1), 1)

    def _independent(self, block: list[np.ndarray]) -> list[np.ndarray]:
        """-log p of each sentence's ids, sentences of similar length side by side."""
        ids, lengths = np.concatenate(block), np.array(list(map(len, block)))
        starts = np.cumsum(lengths) - lengths
        nats = [np.empty(0)] * len(block)
        order = np.argsort(-lengths, kind="stable")
        while len(order):
            n = max(1, self.tokens // int(lengths[order[0]]))
            batch, order = order[:n], order[n:]
            columns, _ = self._columns(padded(ids, starts[batch], lengths[batch])[0], None)
            for b, i in enumerate(batch):
                nats[i] = columns[: lengths[i], b]
        return nats

    def _columns(self, targets: np.ndarray, state: State | None) -> tuple[np.ndarray, State]:
        """-log p of targets (T, B) that begin with a sentence, and the state after them; state None: the initial one.

        A sentence longer than `tokens` is read in pieces, so memory is bounded.
        """
        whole = self._batch(targets, EOS, fresh=True)
        nats = np.empty(targets.shape, self.network.params.flat.dtype)
        for first in range(0, len(targets), step := max(1, self.tokens // targets.shape[1])):
            part = slice(first, first + step)
            batch = Batch(whole.inputs[part], whole.targets[part], fresh=state is None)
            nats[part], state = self.network.nats(batch, state)
        return nats, state

    def _tree(self, block: list[np.ndarray], state: State | None) -> tuple[list[np.ndarray], State | None]:
        """-log p of each sentence's ids after `state` (of one sequence; None: the initial one), and the first's state.

        Sorted, sentences that begin alike stand side by side, and of those with the same ids up to step t the leftmost
        is computed for all. So the distinct beginnings are the rows of one batch, from step to step, as branches of a
        tree: a row goes on from the state of the row that it was a step before.
        """
        block = list(map(readable, block))
        order = sorted(range(len(block)), key=lambda i: block[i].tolist())
        T, n = max(map(len, block), default=0), len(block)
        targets = np.full((T, n), OOV, np.int32)  # columns sorted, OOV behind the end of a sentence
        for b, i in enumerate(order):
            targets[: len(block[i]), b] = block[i]
        differs = np.logical_or.accumulate(targets[:, 1:] != targets[:, :-1])
        leftmost = np.concatenate([np.ones((T, min(n, 1)), bool), differs], axis=1) & (targets != OOV)
        nats = np.empty((T, n), self.network.params.flat.dtype)
        inputs, after = np.full(n, self.start, np.int32), state
        row = np.zeros(n, int)  # which row computes each sentence's beginning
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


class NetworkWalk:
    """A sentence read so far by a network: see `rnnlm.lm.scorer.Walk`."""

    def __init__(self, network: Network, i: int, before: State, read: int):
        """Read token id i in a state; it is the one of this number."""
        log_p, self._state = network.log_probs(np.array([[i]], np.int32), before)
        check_numbers(log_p[..., -1])
        self._network, self._read, self.log_p = network, read, log_p[0, 0].copy()

    def next(self, word: str | None) -> tuple[float, int]:
        """Log-probability of one word to come next: see `rnnlm.lm.scorer.Walk`."""
        return float(self.log_p[token(self._network.vocab, word)]), self._read + 1

    def after(self, word: str | None) -> NetworkWalk:
        """The sentence with one more word: see `rnnlm.lm.scorer.Walk`."""
        return NetworkWalk(self._network, token(self._network.vocab, word), self._state, self._read + 1)


class Likely(NamedTuple):
    """A prediction and its probability."""

    word: str
    p: float


def likeliest(log_p: np.ndarray, words: Sequence[str], k: int) -> list[Likely]:
    """The k likeliest of K words or labels, from log p (K,), without those of probability zero."""
    return [Likely(words[i], float(np.exp(log_p[i]))) for i in largest(log_p, k) if log_p[i] > -np.inf]


def largest(values: np.ndarray, k: int) -> np.ndarray:
    """Places of the k largest of some values (n,), the largest first."""
    best = np.sort(np.argpartition(-values, min(k, len(values)) - 1)[:k])
    return best[np.argsort(-values[best], kind="stable")]


class Window(NamedTuple):
    """T consecutive tokens of a text and their predictions. Arrays are valid until the next window is read."""

    targets: np.ndarray  # (T,) token ids; EOS ends a sentence
    nats: np.ndarray  # (T,) -log p of each
    hidden: np.ndarray  # (T, D) the input of the output layer that predicted them
    log_p: Callable[[], np.ndarray]  # computes the log-probabilities of the whole vocabulary at each step, (T, K)


class SequentialScorer(_Base):
    """A network that reads a text in its order, in windows of up to `tokens` tokens of one sequence (B = 1).

    stream, carried: as in `NetworkScorer`. If the state is carried, a window ends anywhere; otherwise no window has
    tokens of two sentences, and a sentence longer than `tokens` is cut into pieces of equal length. A
    `rnnlm.lm.scorer.Scorer`, except for `alternatives` and `walk`, which raise UsageError.
    """

    at_once = WINDOW

    def log_probs(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Log-probabilities of the words of sentences: see `rnnlm.lm.scorer.Scorer`."""
        begun: list[np.ndarray] = []
        for window in self.windows(map(self.ids, sentences)):
            *ended, rest = np.split(-window.nats, np.flatnonzero(window.targets == EOS) + 1)
            for end in ended:
                yield np.concatenate([*begun, end])
                begun = []
            begun.append(rest)

    def distributions(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Log-probabilities of the whole vocabulary: see `rnnlm.lm.scorer.Scorer`."""
        for window in self.windows(map(self.ids, sentences)):
            yield from window.log_p()

    def alternatives(self, lists: Iterable[Sequence[Sequence[str]]]) -> NoReturn:
        """Raises UsageError: see `walk`."""
        self.walk()

    def walk(self, bos: bool = True) -> NoReturn:
        """Raises UsageError: a text is read once, in its order, without branches."""
        raise UsageError(f"a model of kind {self.kind} reads a text in its order", "use the model as it was trained")

    def windows(self, sentences: Iterable[np.ndarray]) -> Iterator[Window]:
        """The windows of sentences of token ids, EOS at the end of each."""
        state = None
        for batch in self.batches(sentences):
            window, state = read_window(self.network, batch, state)
            yield window

    def batches(self, sentences: Iterable[np.ndarray]) -> Iterator[Batch]:
        """The windows of sentences of token ids as the network takes them in, (T, 1)."""
        before, fresh = EOS, True
        pieces = (piece for ids in sentences for piece in np.array_split(ids, -(-len(ids) // self.tokens)))
        for targets in self._stretches(sentences) if self.carried else pieces:
            batch = self._batch(targets[:, None], before, fresh)
            yield batch
            before = int(batch.targets[-1, 0])
            fresh = before == EOS and not self.carried

    def _stretches(self, sentences: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The text in pieces of `tokens` tokens, wherever sentences end."""
        ids = chain.from_iterable(sentences)
        while piece := list(islice(ids, self.tokens)):
            yield np.array(piece)


def read_window(network: Network, batch: Batch, state: State | None) -> tuple[Window, State]:
    """Predict a batch of one sequence, (T, 1): its window, and the state after it."""
    before = network.initial_state(1) if batch.fresh else state
    nats, after = network.nats(batch, before)

    def log_p() -> np.ndarray:
        return network.log_probs(batch.inputs, before)[0][:, 0]

    return Window(batch.targets[:, 0], nats[:, 0], network.hidden(batch)[:, 0], log_p), after
