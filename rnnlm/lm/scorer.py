"""Language models as evaluation, rescoring and mixtures see them: the protocols `Scorer` and `Walk`.

    scorer = rnnlm.load("runs/demo")
    for log_p in scorer.log_probs([["the", "cat", "sat"]]):
        print(log_p)  # four numbers: one per word, and one for </s>

Sentences are lists of words. A string in place of such a list is a `rnnlm.errors.UsageError`.

Dimension letters: K words of the vocabulary, n words of a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from rnnlm.text.vocab import Vocabulary


class Walk(Protocol):
    """A sentence read so far, and the distribution of its next word. Immutable, so a search may branch from it."""

    @property
    def log_p(self) -> np.ndarray:
        """Natural log-probability of each word of `Scorer.vocab` to come next, (K,), indexed by token id."""
        ...

    def after(self, word: str) -> Walk:
        """The sentence with one more word; a word out of the vocabulary is read as `<unk>`."""
        ...


class Scorer(Protocol):
    """A language model: natural log-probabilities of the words of sentences.

    vocab    its vocabulary; `vocab.split` cuts a line into words
    kind     its name in listings: rnn, ngram, mix
    start    the token id that predicts a first word: BOS, or EOS for a network trained on one continuous text
    carried  whether the hidden state is carried on from sentence to sentence
    """

    vocab: Vocabulary
    kind: str
    start: int
    carried: bool

    def log_probs(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Natural log-probability of each word and of `</s>`, (n + 1,), sentence by sentence in order.

        A word out of the vocabulary has the log-probability of `<unk>`. Sentences are consumed as needed, some ahead.
        """
        ...

    def alternatives(self, lists: Iterable[Sequence[Sequence[str]]]) -> Iterator[list[np.ndarray]]:
        """Log-probabilities of alternatives (n-best lists): per list, those of each sentence as in `log_probs`.

        Every sentence of a list begins in the same state. A model that carries its state goes on from the first
        sentence of each list.
        """
        ...

    def distributions(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Natural log-probabilities of the whole vocabulary, (K,), for each word and `</s>` of all sentences in order.

        An array is valid until the next one is requested.
        """
        ...

    def walk(self) -> Walk:
        """The beginning of a sentence with nothing before it."""
        ...
