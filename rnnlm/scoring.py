"""Log-probabilities of sentences, word by word: what evaluation, rescoring and mixtures ask of any model of text.

    loaded = load_model("runs/demo")
    scorer = NetworkScorer(loaded.network, loaded.stream)
    for log_p in scorer.log_probs([["the", "cat", "sat"]]):
        print(log_p)  # four numbers: one per word, and one for </s>

Letters as in `rnnlm.cells.base`: T time steps, B sentences side by side, K words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from rnnlm.corpus import Batch
from rnnlm.models.base import Network
from rnnlm.vocab import BOS, EOS, OOV, UNK

TOKENS = 1024  # predicted at once: wide enough for fast products
LOGITS = 1 << 24  # and so many scores at most, so that memory is bounded for any vocabulary
BLOCK = 8  # sentences are taken in, and sorted by length, so many times TOKENS at a time


class Scorer(Protocol):
    """A model of text."""

    def log_probs(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Per sentence of n words, in order, the natural log-probability of each word and of `</s>`, (n + 1,).

        A word outside the vocabulary has that of `<unk>`. Sentences are read as they are needed, some ahead.
        """
        ...


class NetworkScorer:
    """The scorer of a network.

    stream: the network was trained on one continuous text, in which `</s>` stands before a sentence; otherwise on
    sentences, each beginning with `<s>`. This is the input that predicts a first word, `start`.
    carried: the state goes on from sentence to sentence; otherwise each begins from the initial state.
    """

    def __init__(self, network: Network, stream: bool, carried: bool = False):
        self.network, self.carried = network, carried
        self.start = EOS if stream else BOS
        self.tokens = max(1, min(TOKENS, LOGITS // len(network.vocab)))

    def log_probs(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """See `Scorer`."""
        ids = (np.array([*self.network.vocab.ids(words), EOS], np.int32) for words in sentences)
        return (-nats for nats in self.nats(ids))

    def nats(self, sentences: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Per sentence of ids, EOS at its end, -log p of each: both (n + 1,)."""
        state = None
        for block in self._blocks(sentences):
            if self.carried:
                nats, state = self._window(np.concatenate(block)[:, None], state)
                yield from np.split(nats[:, 0], np.cumsum([len(ids) for ids in block[:-1]]))
            else:
                yield from self._independent(block)

    def likeliest(self, words: Sequence[str], k: int) -> Iterator[list[tuple[str, float]]]:
        """Before the first word and after each: the k likeliest next words and their probabilities, likeliest first.

        `<s>` is never among them, since it follows nothing.
        """
        vocab = self.network.vocab
        ids = np.array([self.start, *vocab.ids(words)], np.int32)
        ids[ids == OOV] = UNK
        state = self.network.initial_state(1)
        for first in range(0, len(ids), self.tokens):
            log_p, state = self.network.log_probs(ids[first : first + self.tokens, None], state)
            for row in log_p[:, 0]:
                row[BOS] = -np.inf
                best = np.argpartition(-row, k - 1)[:k]
                best = best[np.argsort(-row[best], kind="stable")]
                yield [(vocab.words[i], float(np.exp(row[i]))) for i in best]

    def _blocks(self, sentences: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
        block: list[np.ndarray] = []
        size = 0
        for ids in sentences:
            block.append(ids)
            size += len(ids)
            if size >= BLOCK * self.tokens:
                yield block
                block, size = [], 0
        if block:
            yield block

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
