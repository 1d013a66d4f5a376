"""KenLM's Python module for networks, ARPA files and mixtures.

    from rnnlm.compat import kenlm  # in place of: import kenlm

    model = kenlm.Model("runs/demo")
    model.score("this is a sentence .")

Logarithms are to base 10. A word of probability zero has log10 probability -100, as in KenLM. A model may be used by
several threads: it answers one at a time.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from enum import Enum
from functools import total_ordering
from typing import Any, NamedTuple

import rnnlm
from rnnlm.lm.scorer import LN10, Scorer, Walk, go_on, look, split, text, unknown

ZERO = -100.0  # log10 of the probability zero


class FullScoreReturn(NamedTuple):
    """Log10 probability of a word, the words that it depends on with itself, and whether it is out of vocabulary."""

    log_prob: float
    ngram_length: int
    oov: bool


@total_ordering
class State:
    """Context of a word: the words before it that a model looks at. Two states are equal if their words are.

    A new state is the null context. What a network computes for a state is kept in it, so that the words of a sentence
    are read once. A copy shares it; a pickle has the words alone.
    """

    __slots__ = ("_model", "_walk", "_word", "words")

    def __init__(self, words: tuple[str, ...] = ()) -> None:
        self.set(words)

    def set(self, words: tuple[str, ...], model: Model | None = None, walk: Walk | None = None, word: str = "") -> None:
        """Change the state to words, for a model: after `word` in a walk, or if it is empty, after the walk itself."""
        self.words, self._model, self._walk, self._word = words, model, walk, word

    def walk(self, model: Model) -> Walk:
        """The walk of a model to this state, taken at its first use: many states of a search are never gone on from."""
        walk = self._walk
        if walk is None or self._model is not model:
            begun = self.words[:1] == ("<s>",)
            walk = model.scorer.walk(begun)
            for word in self.words[begun:]:
                walk = go_on(model.scorer, walk, word)
        elif self._word:
            walk = go_on(model.scorer, walk, self._word)
        self.set(self.words, model, walk)
        return walk

    def __copy__(self) -> State:
        other = State()
        other.set(self.words, self._model, self._walk, self._word)
        return other

    def __deepcopy__(self, memo: Any) -> State:
        return self.__copy__()

    def __reduce__(self):
        return State, (self.words,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.words == other.words

    def __lt__(self, other: State) -> bool:
        return self.words < other.words

    def __hash__(self) -> int:
        return hash(self.words)


class Model:
    """Language model of a run directory, a model file or an ARPA file, or a scorer that `rnnlm.mix` has made.

    order: length of the longest n-grams, infinity for networks. path: absolute, None for a scorer.

    Raises the errors of `rnnlm.load`.
    """

    def __init__(self, path: str | bytes | os.PathLike[str] | Scorer, config: Config | None = None):
        self.path: str | None = None
        if isinstance(path, (str, bytes, os.PathLike)):
            self.path = os.path.abspath(os.fsdecode(path))
            path = rnnlm.load(os.fsdecode(path))
        self.scorer = path
        self._lock = threading.Lock()  # a network has one workspace

    @property
    def order(self) -> float:
        return self.scorer.order

    def score(self, sentence: str | bytes, bos: bool = True, eos: bool = True) -> float:
        """Log10 probability of a sentence, without `<s>` and `</s>`: see `rnnlm.lm.scorer.Scorer.score`."""
        with self._lock:
            total = self.scorer.score(sentence, bos, eos)
        return total if total > -math.inf else math.fsum(log_p for log_p, _, _ in self.full_scores(sentence, bos, eos))

    def full_scores(
        self, sentence: str | bytes, bos: bool = True, eos: bool = True
    ) -> Iterator[tuple[float, int, bool]]:
        """Log10 probability of each word, the length of its n-gram, and whether it is out of the vocabulary."""
        with self._lock:
            found = list(self.scorer.full_scores(sentence, bos, eos))
        return ((max(log_p, ZERO), length, oov) for log_p, length, oov in found)

    def perplexity(self, sentence: str | bytes) -> float:
        """Perplexity of a sentence, `</s>` counted."""
        return float(10 ** (-self.score(sentence) / (len(split(self.scorer, sentence)) + 1)))

    def __contains__(self, word: str | bytes) -> bool:
        return word in self.scorer

    def BeginSentenceWrite(self, state: State) -> None:
        """Change a state to the beginning of a sentence."""
        state.set(("<s>",))

    def NullContextWrite(self, state: State) -> None:
        """Change a state to a context of which nothing is known."""
        state.set(())

    def BaseScore(self, in_state: State, word: str | bytes, out_state: State) -> float:
        """Log10 probability of a word after a state; `out_state` becomes the state after the word."""
        return self.BaseFullScore(in_state, word, out_state).log_prob

    def BaseFullScore(self, in_state: State, word: str | bytes, out_state: State) -> FullScoreReturn:
        """Log10 probability of a word after a state, with its n-gram length and whether it is out of the vocabulary."""
        word = text(word)
        word = word.lower() if self.scorer.vocab.lower else word
        oov = self.scorer.heard.count(word, unknown(self.scorer, word))
        word = "<unk>" if oov else word
        with self._lock:
            walk = in_state.walk(self)
            log_p, length = look(walk, word)
            words = ("<s>",) if word == "<s>" else (*in_state.words, word)
            if self.order < math.inf:
                words = words[max(0, len(words) - int(self.order) + 1) :]
            out_state.set(words, self, walk, word)
        return FullScoreReturn(max(log_p / LN10, ZERO), length, oov)

    def __repr__(self) -> str:
        return f"<Model from {os.path.basename(self.path or self.scorer.kind)}>"


LanguageModel = Model


# --- options that choose among KenLM's ways of loading, accepted and without effect ---


LoadMethod = Enum("LoadMethod", "LAZY POPULATE_OR_LAZY POPULATE_OR_READ READ PARALLEL_READ", start=0)
ARPALoadComplain = Enum("ARPALoadComplain", "ALL EXPENSIVE NONE", start=0)


class Config:
    def __init__(self) -> None:
        self.show_progress = True
        self.arpa_complain = ARPALoadComplain.ALL
        self.load_method = LoadMethod.POPULATE_OR_READ
