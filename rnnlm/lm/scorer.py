"""Language models as evaluation, rescoring and mixtures see them: the protocols `Scorer` and `Walk`.

    scorer = rnnlm.load("runs/demo")
    for log_p in scorer.log_probs([["the", "cat", "sat"]]):
        print(log_p)  # four numbers: one per word, and one for </s>

Sentences are lists of words. A string in place of such a list is a `rnnlm.errors.UsageError`.

Dimension letters: K words of the vocabulary, n words of a sentence.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from rnnlm.text.vocab import EOS, UNK, Vocabulary

Sentence = TypeVar("Sentence")
Found = TypeVar("Found")


class Walk(Protocol):
    """A sentence read so far, and the distribution of its next word. Immutable, so a search may branch from it."""

    @property
    def log_p(self) -> np.ndarray:
        """Natural log-probability of each word of `Scorer.vocab` to come next, (K,), indexed by token id."""
        ...

    def next(self, word: str | None) -> tuple[float, int]:
        """Natural log-probability of one word to come next, and the number of words on which it depends.

        These are the word itself, words before it and `<s>`. None: the end of the sentence, `</s>`.
        """
        ...

    def after(self, word: str | None) -> Walk:
        """The sentence with one more word, or None: `</s>`. A word out of the vocabulary is read as `<unk>`."""
        ...


class Scorer(Protocol):
    """A language model: natural log-probabilities of the words of sentences.

    vocab    its vocabulary; `vocab.split` cuts a line into words
    kind     its name in listings: rnn, ngram, mix
    start    the token id that predicts a first word: BOS, or EOS for a network trained on one continuous text
    carried  whether the hidden state is carried on from sentence to sentence
    order    on how many words a probability depends at most, the predicted one included; infinity for networks

    The methods of `rnnlm.lm.strings.Strings`, for sentences that are strings, come with every scorer.
    """

    vocab: Vocabulary
    kind: str
    start: int
    carried: bool

    @property
    def order(self) -> float: ...

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

    def walk(self, bos: bool = True) -> Walk:
        """The beginning of a sentence; without `bos`, the middle of a text of which nothing is known.

        A network begins sentences only: without `bos` it warns, and begins one.
        """
        ...

    @property
    def heard(self) -> Any:
        """Words of strings so far: see `rnnlm.lm.strings.Heard`."""
        ...

    def score(self, sentence: str | bytes, bos: bool = True, eos: bool = True) -> float:
        """Log10 probability of a sentence: see `rnnlm.lm.strings.Strings`."""
        ...

    def full_scores(
        self, sentence: str | bytes, bos: bool = True, eos: bool = True
    ) -> Iterator[tuple[float, int, bool]]:
        """Log10 probability of each word of a sentence: see `rnnlm.lm.strings.Strings`."""
        ...

    def perplexity(self, sentence: str | bytes) -> float:
        """Perplexity of a sentence: see `rnnlm.lm.strings.Strings`."""
        ...

    def __contains__(self, word: object) -> bool:
        """Whether a word is in the vocabulary: see `rnnlm.lm.strings.Strings`."""
        ...


def token(vocab: Vocabulary, word: str | None) -> int:
    """Token id of a word in a walk: EOS for None, UNK for a word out of the vocabulary."""
    return EOS if word is None else vocab.index.get(word, UNK)


def by_document(
    read: Callable[[Iterator[Sentence]], Iterator[Found]], sentences: Iterable[tuple[int, Sentence]]
) -> Iterator[Found]:
    """What `read` makes of the sentences of each document: a model begins each in its initial state.

    sentences: with the number of their document.
    """
    for _, document in itertools.groupby(sentences, key=lambda numbered: numbered[0]):
        yield from read(sentence for _, sentence in document)
