"""Language models as evaluation, rescoring and mixtures see them: the protocols `Scorer` and `Walk`.

    scorer = load_scorer("runs/demo")
    for log_p in scorer.log_probs([["the", "cat", "sat"]]):
        print(log_p)  # four numbers: one per word, and one for </s>

Dimension letters: K words of the vocabulary, n words of a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from rnnlm.text.vocab import Vocabulary


class Walk(Protocol):
    """A place in a sentence: the words so far decide what comes next. It never changes, so walks may branch."""

    @property
    def log_p(self) -> np.ndarray:
        """(K,) natural log-probability of each word of `Scorer.vocab` to come next, by its number."""
        ...

    def after(self, word: str) -> Walk:
        """The place after one more word; a word out of the vocabulary is read as `<unk>`."""
        ...


class Scorer(Protocol):
    """A model of text.

    vocab    the words that it knows, and how it cuts a line into words (`vocab.split`)
    kind     what a listing calls it: rnn, ngram, mix
    start    the number of the word before the first: BOS, or EOS where it was trained on one continuous text
    carried  whether what was read before a sentence has a say in it
    """

    @property
    def vocab(self) -> Vocabulary: ...

    @property
    def kind(self) -> str: ...

    @property
    def start(self) -> int: ...

    @property
    def carried(self) -> bool: ...

    def log_probs(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Per sentence of n words, in order, the natural log-probability of each word and of `</s>`, (n + 1,).

        A word outside the vocabulary has that of `<unk>`. Sentences are read as they are needed, some ahead.
        """
        ...

    def alternatives(self, lists: Iterable[Sequence[Sequence[str]]]) -> Iterator[list[np.ndarray]]:
        """The same for lists of sentences of which one holds, such as the n best hypotheses of a recogniser.

        A model whose state is carried from sentence to sentence carries that of the first of each list.
        """
        ...

    def distributions(self, sentences: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Per word and `</s>` of all sentences, in order, the natural log-probabilities (K,) of every word instead.

        An array may be overwritten when the next one is asked for.
        """
        ...

    def walk(self) -> Walk:
        """The beginning of a sentence, before which nothing was read."""
        ...
