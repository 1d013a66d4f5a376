"""Surprise: how many bits each word of a text costs a model, and which words cost most.

    found = surprise(rnnlm.load("runs/demo"), open("test.txt", encoding="utf-8"))
    for each in found.classes:
        print(each.name, each.tokens, each.bits)

The surprise of a word w after the words h is -log2 p(w | h) bits.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rnnlm.lm.perplexity import ScoredSentence, perplexity
from rnnlm.lm.scorer import Scorer
from rnnlm.nn.heads.loss import Loss
from rnnlm.text.vocab import EOS, OOV, SPECIALS, UNK

LN2 = math.log(2)
COSTLY = 3  # words of a class that are returned


@dataclass(frozen=True)
class SurprisingSentence:
    """A sentence of n words with its end, n + 1 tokens in all.

    words  the last is `</s>`
    bits   -log2 p of each; None: of probability zero
    known  whether each is in the vocabulary
    """

    words: list[str]
    bits: list[float | None]
    known: list[bool]


@dataclass(frozen=True)
class CostlyWord:
    """A word of a text, and what it costs.

    count     how often it is in the text
    training  its count in the training text; None: out of the vocabulary, or not known
    bits      mean surprise
    share     of the bits of the whole text
    """

    word: str
    count: int
    training: int | None
    bits: float
    share: float


@dataclass(frozen=True)
class FrequencyClass:
    """Tokens of a text whose words occur about equally often in the training text.

    name           `</s>`, `<unk>` (words out of the vocabulary, too), or the range of counts
    low, high      smallest and largest count in the training text; None for the classes `</s>` and `<unk>`
    tokens, share  number of tokens of the class in the text, and share of all tokens
    bits           mean surprise in bits per token
    perplexity     2^bits
    share_of_bits  share of the bits of the whole text
    costly         words of the class that cost most, all their occurrences together, the costliest first
    """

    name: str
    low: int | None
    high: int | None
    tokens: int
    share: float
    bits: float
    perplexity: float
    share_of_bits: float
    costly: list[str]


@dataclass(frozen=True)
class Surprise:
    """Surprise of a model at a text.

    Sentence ends count, and words out of the vocabulary count as `<unk>`, as in the perplexity that training reports.
    Words of probability zero (which only n-gram models have) are left out of all figures but `zeroprobs`.
    """

    text: str
    tokens: int  # that the figures are about
    zeroprobs: int
    bits: float  # mean surprise in bits per token
    perplexity: float  # 2^bits
    classes: list[FrequencyClass]
    words: list[CostlyWord]
    sentences: list[SurprisingSentence]  # the first of the text


@dataclass
class _Cost:
    """Sums over the tokens of a class, or over those that are one word, whose count in the training text is known."""

    training: int | None = None
    tokens: int = 0
    nats: float = 0.0
    words: dict[str, _Cost] = field(default_factory=dict)

    def add(self, nats: float) -> None:
        self.tokens += 1
        self.nats += nats

    @property
    def loss(self) -> Loss:
        return Loss(self.nats, self.tokens)


def surprise(
    scorer: Scorer,
    text: Iterable[str],
    sentences: int = 10,
    words: int = 10,
    blank_lines: bool = False,
    name: str = "text",
) -> Surprise:
    """Surprise of a language model at a text, a sentence a line.

    sentences: how many to return word by word. words: how many of the costliest words of the text to return.
    blank_lines, name: as for `rnnlm.lm.perplexity.perplexity`, whose errors are raised.
    Memory grows with the number of different words alone.
    """
    vocab, first, total = scorer.vocab, list[SurprisingSentence](), _Cost()
    counted = bool(vocab.counts.any())  # an ARPA file has no counts
    classes: dict[tuple[str, int | None, int | None], _Cost] = {}  # by name and range
    zeroprobs = 0

    @functools.cache
    def class_of(i: int) -> tuple[str, int | None, int | None]:
        if i in (EOS, UNK) or not counted:
            return SPECIALS[i] if i in (EOS, UNK) else "all words", None, None
        count = int(vocab.counts[i])
        low = 10 ** (len(str(count)) - 1) if count else 0
        high = max(10 * low - 1, 0)
        return f"{low:,} to {high:,}" if high else "0", low, high

    def see(sentence: ScoredSentence) -> None:
        nonlocal zeroprobs
        shown, nats = [*sentence.words, SPECIALS[EOS]], [-float(x) for x in sentence.log_p]
        if len(first) < sentences:
            bits = [x / LN2 if math.isfinite(x) else None for x in nats]
            first.append(SurprisingSentence(shown, bits, [bool(known) for known in sentence.known]))
        ids = [*vocab.ids(sentence.words), EOS]
        for i, word, x in zip(ids, shown, nats):
            if not math.isfinite(x):
                zeroprobs += 1
                continue
            cost = classes.setdefault(class_of(UNK if i == OOV else i), _Cost())
            training = int(vocab.counts[i]) if counted and i != OOV else None
            for each in (total, cost, cost.words.setdefault(word, _Cost(training))):
                each.add(x)

    perplexity(scorer, text, blank_lines=blank_lines, name=name, seen=see)
    every = [pair for cost in classes.values() for pair in cost.words.items()]
    rows = [
        FrequencyClass(
            *each, cost.tokens, cost.tokens / total.tokens, cost.loss.bits, cost.loss.perplexity,
            cost.nats / total.nats, [word for word, _ in _most(cost.words.items(), COSTLY)],
        )
        for each, cost in classes.items()
    ]  # fmt: skip
    most = [
        CostlyWord(word, cost.tokens, cost.training, cost.loss.bits, cost.nats / total.nats)
        for word, cost in _most(every, words)
    ]
    figures = total.tokens, zeroprobs, total.loss.bits, total.loss.perplexity
    return Surprise(name, *figures, sorted(rows, key=_rank), most, first)


def _rank(each: FrequencyClass) -> tuple[int, int]:
    """Order of the classes: sentence ends, the most frequent words, the rarest, those out of the vocabulary."""
    return (each.name == SPECIALS[UNK]) - (each.name == SPECIALS[EOS]), -(each.low or 0)


def _most(pairs: Iterable[tuple[str, _Cost]], n: int) -> Sequence[tuple[str, _Cost]]:
    """The n words that cost most, all their occurrences together."""
    return sorted(pairs, key=lambda pair: (-pair[1].nats, pair[0]))[:n]
