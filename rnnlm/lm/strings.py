"""Scores of sentences that are strings, in log10, by the names that KenLM's Python module has made common."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from functools import cached_property

from rnnlm.errors import UsageError
from rnnlm.lm.scorer import Scorer, Walk
from rnnlm.text.unknown import warning
from rnnlm.text.vocab import UNK, cut

LN10 = math.log(10)


class Strings:
    """Base of every scorer: methods for sentences that are strings. See also `rnnlm.compat.kenlm`.

    A string is cut into words, or characters, as the model's texts were. `<s>` does not belong in it: its probability
    is zero. A literal `</s>` is the end of a sentence. UTF-8 bytes are accepted in place of strings. If most words are
    out of the vocabulary, a Python warning says so: see `Heard`.
    """

    @cached_property
    def heard(self: Scorer) -> Heard:
        """The words of all strings so far, counted."""
        return Heard()

    def score(self: Scorer, sentence: str | bytes, bos: bool = True, eos: bool = True) -> float:
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
        self: Scorer, sentence: str | bytes, bos: bool = True, eos: bool = True
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

    def perplexity(self: Scorer, sentence: str | bytes) -> float:
        """Perplexity of a sentence, 10^(-score / tokens). `</s>` is a token, and words out of the vocabulary count.

        `rnnlm.lm.perplexity.perplexity` gives the figures of `rnnlm eval` for a whole text.
        """
        exponent = -self.score(sentence) / (len(split(self, sentence)) + 1)
        return 10**exponent if exponent < 308 else math.inf

    def __contains__(self: Scorer, word: object) -> bool:
        """Whether a word is in the vocabulary; `<s>` and `</s>` are, `<unk>` is not."""
        return not unknown(self, text(word))


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
