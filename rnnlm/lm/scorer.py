"""Language models as evaluation, rescoring and mixtures see them: `Scorer`, the base of each, and `Walk`.

Sentences are lists of words. A string in place of such a list is a `rnnlm.errors.UsageError`.

Dimension letters: K words of the vocabulary, n words of a sentence.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Protocol, TypeVar

import numpy as np

from rnnlm.errors import UsageError
from rnnlm.text.unknown import warning
from rnnlm.text.vocab import EOS, UNK, Vocabulary, cut

LN10 = math.log(10)
Sentence = TypeVar("Sentence")
Found = TypeVar("Found")
Item = TypeVar("Item")


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

    `score`, `full_scores`, `perplexity` and `in` are for sentences that are strings, in log10, by the names of KenLM's
    Python module (see also `rnnlm.compat.kenlm`). A string is cut into words, or characters, as the model's texts were.
    `<s>` does not belong in it: its probability is zero. A literal `</s>` is the end of a sentence. UTF-8 bytes are
    accepted, too. If most words are out of the vocabulary, a Python warning says so: see `Heard`.
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
        sentence of each list; the rule here is for models that have none to carry.
        """
        return (list(self.log_probs(sentences)) for sentences in lists)

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

    @cached_property
    def heard(self) -> Heard:
        """The words of all strings so far, counted."""
        return Heard()

    def score(self, sentence: str | bytes, bos: bool = True, eos: bool = True) -> float:
        """Log10 probability of a sentence: log10 p(sentence </s> | <s>).

        bos: the words before are the beginning of a sentence; otherwise nothing is known about them, which n-gram
        models know how to score, and networks do not: see `Scorer.walk`. eos: the sentence ends after its last word.
        """
        words = split(self, sentence)
        if not bos or {"<s>", "</s>"}.intersection(words):
            return math.fsum(log_p for log_p, _, _ in self.full_scores(sentence, bos, eos))
        for word in words:
            self.heard.count(word, unknown(self, word))
        (log_p,) = self.log_probs([words])
        return float(log_p[: len(words) + bool(eos)].sum(dtype=float)) / LN10

    def full_scores(
        self, sentence: str | bytes, bos: bool = True, eos: bool = True
    ) -> Iterator[tuple[float, int, bool]]:
        """Per word of a sentence and for `</s>`: log10 probability, length, and whether it is out of the vocabulary.

        The length is on how many words the probability depends, the word itself and `<s>` included: that of the longest
        n-gram that the model lists. Networks depend on all words. Arguments as for `score`.
        """
        walk = self.walk(bos)
        for word in [*split(self, sentence), *["</s>"] * bool(eos)]:
            log_p, length = look(walk, word)
            yield log_p / LN10, length, self.heard.count(word, unknown(self, word))
            walk = go_on(self, walk, word)

    def perplexity(self, sentence: str | bytes) -> float:
        """Perplexity of a sentence, 10^(-score / tokens). `</s>` is a token, and words out of the vocabulary count.

        `rnnlm.lm.perplexity.perplexity` gives the figures of `rnnlm eval` for a whole text.
        """
        exponent = -self.score(sentence) / (len(split(self, sentence)) + 1)
        return 10**exponent if exponent < 308 else math.inf

    def __contains__(self, word: object) -> bool:
        """Whether a word is in the vocabulary; `<s>` and `</s>` are, `<unk>` is not."""
        return not unknown(self, text(word))


def token(vocab: Vocabulary, word: str | None) -> int:
    """Token id of a word in a walk: EOS for None, UNK for a word out of the vocabulary."""
    return EOS if word is None else vocab.index.get(word, UNK)


def in_blocks(items: Iterable[Item], size: Callable[[Item], int], limit: int) -> Iterator[list[Item]]:
    """Lists of items of `limit` tokens, or as many more as the last item has."""
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


def by_document(
    read: Callable[[Iterator[Sentence]], Iterator[Found]], sentences: Iterable[tuple[int, Sentence]]
) -> Iterator[Found]:
    """What `read` makes of the sentences of each document: a model begins each in its initial state.

    sentences: with the number of their document.
    """
    for _, document in itertools.groupby(sentences, key=lambda numbered: numbered[0]):
        yield from read(sentence for _, sentence in document)


# --- sentences that are strings ---


class Heard:
    """Words that a model was asked about in strings, which warns once if most of them are out of its vocabulary.

    That is one of another language, case or way of cutting words, and scores that are plausible all the same.
    """

    FEW = 50  # words after which it is judged

    def __init__(self) -> None:
        self.words, self.oovs, self.warned = 0, 0, False

    def count(self, word: str, oov: bool) -> bool:
        """Count a word, if it is none of `<s>` and `</s>`. Returns `oov`, whether it is out of the vocabulary."""
        if word not in ("<s>", "</s>"):
            self.words += 1
            self.oovs += oov
        if not self.warned and self.words >= self.FEW:
            self.warned = bool(note := warning(self.oovs, self.words, f"{self.words} words"))
            if note:
                warnings.warn(note.removeprefix("warning: "), stacklevel=3)
        return oov


def split(scorer: Scorer, sentence: str | bytes) -> list[str]:
    """Words, or characters, of a sentence as a model reads them, literal `<s>` and `</s>` among them."""
    return cut(text(sentence), scorer.vocab.level, scorer.vocab.lower)


def look(walk: Walk, word: str) -> tuple[float, int]:
    """Natural log-probability and length of a word of a string; `<s>` is never predicted."""
    return (-math.inf, 1) if word == "<s>" else walk.next(None if word == "</s>" else word)


def go_on(scorer: Scorer, walk: Walk, word: str) -> Walk:
    """The walk after a word of a string; a sentence begins after `<s>`."""
    return scorer.walk() if word == "<s>" else walk.after(None if word == "</s>" else word)


def unknown(scorer: Scorer, word: str) -> bool:
    """Whether a word is out of a model's vocabulary, or `<unk>` itself."""
    vocab = scorer.vocab
    word = word.lower() if vocab.lower else word
    return word not in ("<s>", "</s>") and vocab.index.get(word, UNK) == UNK


def text(value: object) -> str:
    """A string, or UTF-8 bytes, as a string. Raises UsageError for everything else."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    raise UsageError(f"found a {type(value).__name__}, expected a string", "for lists of words there is log_probs")
