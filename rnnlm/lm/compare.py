"""Comparison of models on a text: perplexities on the tokens they share, with bootstrap confidence intervals.

Letters: M models, S sentences, R quantities.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rnnlm.errors import DataError, UsageError
from rnnlm.lm.scorer import Scorer, by_document
from rnnlm.text.unknown import Markers
from rnnlm.text.vocab import listed

GROUPS = 10_000  # units of resampling at most: sentences, or in a longer text runs of neighbouring sentences
DRAWS = 64  # resampled texts at a time, to bound memory


@dataclass
class Comparison:
    """Figures of models on a text, for the tokens that every model knows and gives a probability above zero."""

    nats: np.ndarray  # (M, S) -log p of each sentence's compared tokens
    tokens: np.ndarray  # (S,) number of compared tokens
    left_out: int  # number of tokens that are not compared
    oovs: list[int]  # per model, words out of its vocabulary
    zeroprobs: list[int]  # per model, known words and sentence ends of probability zero
    words: dict[str, Word] = field(default_factory=dict)
    markers: Markers = field(default_factory=Markers)  # of sentences in the text, which are left out

    @property
    def ppl(self) -> np.ndarray:
        """Perplexity of the compared tokens under each model, (M,)."""
        return np.exp(self.nats.sum(axis=1) / self.tokens.sum())

    def most_different(self, n: int) -> list[tuple[str, Word]]:
        """The n words whose -log p, summed over the text, differs most between models."""
        return sorted(self.words.items(), key=lambda item: (-np.ptp(item[1].nats), item[0]))[:n]


@dataclass
class Word:
    """Figures of a word of a text, or of `</s>`."""

    count: int
    nats: np.ndarray  # (M,) -log p, summed over its occurrences


def compare(
    scorers: Sequence[Scorer],
    lines: Iterable[str],
    name: str = "text",
    blank_lines: bool = False,
    documents: Sequence[bool] = (),
) -> Comparison:
    """Score a text, a sentence a line, with every model. name: what messages call it.

    Each model cuts a line, and lowercases it or not, as in `rnnlm.lm.perplexity`; tokens are compared one by one. A
    line that does not have as many tokens for each model is left out. blank_lines: an empty line is a sentence of
    `</s>` alone; otherwise it is skipped. documents: of each model, whether empty lines part documents, which it begins
    in its initial state; by default for none. Memory grows with sentences and types alone.

    Raises UsageError for models of different levels, words and characters, and DataError for a text with no token that
    all models know.
    """
    listed(lines, "lines")
    if len({scorer.vocab.level for scorer in listed(scorers, "models")}) > 1:
        raise UsageError("a model of words cannot be compared with one of characters", "compare models of one level")
    M, left_out = len(scorers), 0
    shown = min(range(M), key=lambda m: scorers[m].vocab.lower)  # one that keeps capitals, if there is any
    nats, tokens = [], []
    words: dict[str, Word] = {}
    markers = Markers(scorers[shown].vocab.level, scorers[shown].vocab.lower)
    oovs, zeroprobs = np.zeros(M, int), np.zeros(M, int)

    def cut() -> Iterator[tuple[int, list[list[str]]]]:
        """Sentences as each model cuts them, with the number of empty lines before them."""
        nonlocal left_out
        empty = 0
        for line in markers.watch(lines, name):
            cuts = [scorer.vocab.split(line) for scorer in scorers]
            lengths = set(map(len, cuts))
            if len(lengths) > 1:  # U+0130 is lowercased to two characters
                left_out += max(lengths) + 1
            elif cuts[0] or blank_lines:
                yield empty, cuts
            else:
                empty += 1

    own, *texts = itertools.tee(cut(), 1 + M)
    columns = (_column(text, m, m < len(documents) and documents[m]) for m, text in enumerate(texts))
    rows = (by_document(scorer.log_probs, text) for scorer, text in zip(scorers, columns))
    for (_, sentences), *row in zip(own, *rows):
        log_p = np.array(row, float)
        known = np.array([scorer.vocab.known(sentence) for scorer, sentence in zip(scorers, sentences)])
        possible = log_p > -np.inf
        oovs += (~known).sum(axis=1)
        zeroprobs += (known & ~possible).sum(axis=1)
        compared = (known & possible).all(axis=0)
        left_out += int((~compared).sum())
        tokens.append(int(compared.sum()))
        nats.append(-log_p[:, compared].sum(axis=1))
        for i in np.flatnonzero(compared):
            word = words.setdefault([*sentences[shown], "</s>"][i], Word(0, np.zeros(M)))
            word.count += 1
            word.nats -= log_p[:, i]
    if not sum(tokens):
        raise DataError(f"{name}: {left_out} tokens, none of which all models know", "compare models of one language")
    return Comparison(np.array(nats).T, np.array(tokens), left_out, oovs.tolist(), zeroprobs.tolist(), words, markers)


def _column(rows: Iterable[tuple[int, list[list[str]]]], m: int, documents: bool) -> Iterator[tuple[int, list[str]]]:
    """Sentences of one model, the m-th, with the number of their document; of the whole text, if it knows none."""
    return ((number if documents else 0, row[m]) for number, row in rows)


# --- the paired bootstrap: how far a figure of a text would change with other sentences of its kind ---


class Interval(NamedTuple):
    """Interval that holds 95 % of the resampled texts."""

    low: float
    high: float

    @classmethod
    def of(cls, x: np.ndarray) -> Interval:
        """Interval of a figure of the resampled texts, which may be nan in some."""
        return cls(*map(float, np.nanpercentile(x, [2.5, 97.5])))


def resampled(rows: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Sums of each quantity, rows (R, S), over texts of S sentences drawn with replacement: (R, resamples).

    The paired bootstrap (Efron 1979, Koehn 2004): all quantities are summed over the same draws. Sentences count as
    independent; those of one article are not quite, so true intervals are wider.
    """
    S = rows.shape[1]
    starts = np.unique(np.arange(min(S, GROUPS)) * S // min(S, GROUPS))
    sums = np.add.reduceat(rows, starts, axis=1)
    rng, n = np.random.default_rng(seed), len(starts)
    drawn = [
        rng.multinomial(n, np.full(n, 1 / n), size=min(DRAWS, resamples - done)) @ sums.T
        for done in range(0, resamples, DRAWS)
    ]
    return np.concatenate(drawn).T


class Bootstrap(NamedTuple):
    """Confidence intervals of each model's perplexity, and of its comparison with the first model."""

    ppl: list[Interval]  # perplexity
    against: list[Interval]  # perplexity divided by that of the first model on the same sentences
    better: list[float]  # share of resampled texts on which the perplexity is below that of the first model


def bootstrap(comparison: Comparison, resamples: int = 1000, seed: int = 1) -> Bootstrap:
    """Confidence intervals by the paired bootstrap over sentences: see `resampled`."""
    *nats, tokens = resampled(np.vstack([comparison.nats, comparison.tokens]), resamples, seed)
    with np.errstate(invalid="ignore", divide="ignore"):  # a draw of sentences in which nothing was compared
        entropy = np.array(nats) / tokens
    return Bootstrap(
        [Interval.of(np.exp(x)) for x in entropy],
        [Interval.of(np.exp(x - entropy[0])) for x in entropy],
        [float((x < entropy[0]).mean()) for x in entropy],
    )
