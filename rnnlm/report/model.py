"""Sections about the model: how good it is, what surprises it, how its errors fade, which words are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnlm.errors import DataError
from rnnlm.report.charts import Chart, Series, chart
from rnnlm.report.source import Source
from rnnlm.report.text import cut
from rnnlm.show.gradients import of_network
from rnnlm.show.surprise import Surprise
from rnnlm.show.words import WordVectors
from rnnlm.text.vocab import BOS, SPECIALS, readable

TOKENS = {"word": 400, "char": 1200}  # of the text that is shown word by word
LIKELIEST = 5
STEPS = (1.0, 3.0, 6.0, 9.0, 12.0)  # bits at which a word's colour changes
LAGS = 20
READ = 2000  # tokens of the text through which errors are sent back
SEARCHED, NEAREST = 8000, 8  # words that can be looked up, and how many of these are shown as nearest
SHOWN = 12  # words whose nearest words are shown at first


# --- how good it is ---


@dataclass(frozen=True)
class Quality:
    """Figures on a text: of a language model `surprise`, of another the lines and tables of its task."""

    text: str
    surprise: Surprise | None
    lines: list[Any]


def quality(source: Source) -> Quality:
    """Figures of a model on the text. Raises DataError without a text."""
    corpus, loaded = source.corpus, source.loaded
    if source.writes:
        return Quality(corpus.name, source.surprise, [])
    figures = loaded.task.evaluate(loaded.network, corpus, loaded.config.training.batch)
    return Quality(corpus.name, None, loaded.task.report(figures))


# --- what surprises it ---


@dataclass(frozen=True)
class Token:
    """A token of the text: `level` is 0 to 5 by its surprise, `known` whether it is in the vocabulary."""

    text: str
    level: int
    known: bool
    last: bool  # of its sentence


@dataclass(frozen=True)
class Surprising:
    """A text word by word. expected: for each token its bits and its likeliest, as the script reads them."""

    text: str
    level: str
    tokens: list[Token]
    steps: tuple[float, ...]
    costly: list[Any]
    expected: dict[str, Any]


def surprising(source: Source) -> Surprising:
    """The beginning of the text, with the surprise at each token, and what was expected there."""
    found, vocab = source.surprise, source.scorer.vocab
    most = TOKENS[vocab.level]
    each = [
        (word, bits, known, i == len(sentence.words) - 1)
        for sentence in found.sentences
        for i, (word, bits, known) in enumerate(zip(sentence.words, sentence.bits, sentence.known))
    ][:most]
    tokens = [
        Token(cut(word), sum(bits >= step for step in STEPS) if bits is not None else len(STEPS), known, last)
        for word, bits, known, last in each
    ]
    names: dict[str, int] = {}  # words and their numbers on the page
    rows = []
    distributions = source.scorer.distributions(sentence.words[:-1] for sentence in found.sentences)
    for (_, bits, _, _), log_p in zip(each, distributions):
        best = likeliest(log_p)
        pairs = [[names.setdefault(cut(vocab.words[i]), len(names)), round(float(np.exp(log_p[i])), 4)] for i in best]
        rows.append([None if bits is None else round(bits, 2), pairs])
    return Surprising(found.text, vocab.level, tokens, STEPS, found.words, {"words": list(names), "rows": rows})


def likeliest(log_p: np.ndarray) -> list[int]:
    """Ids of the likeliest words of a distribution (K,), the likeliest first; `<s>` is none of them."""
    log_p = log_p.copy()
    log_p[BOS] = -np.inf
    best = np.argpartition(-log_p, min(LIKELIEST, len(log_p) - 1))[:LIKELIEST]
    return [int(i) for i in best[np.argsort(-log_p[best], kind="stable")] if log_p[i] > -np.inf]


# --- how an error fades ---


@dataclass(frozen=True)
class Fades:
    """The chart of the share of an error that is left over the lag, its figures, and sentences about W."""

    text: str
    chart: Chart | None
    head: list[str]
    rows: list[list[str]]
    about: list[str]


def gradients(source: Source) -> Fades:
    """How the error of an output fades, at the start and after training."""
    scorer, loaded = source.scorer, source.loaded
    ids = readable(np.asarray(source.corpus.ids[:READ]))
    lags = min(LAGS, len(ids) - 1)
    series, bounds, head, columns, about, top = [], [], ["lag"], [[str(k) for k in range(lags + 1)]], [], 0.0
    for when, network in (("at the start", loaded.start()), ("trained", loaded.network)):
        fading = of_network(network, ids, scorer.start, lags)
        low, median, high = fading.quartiles.T.tolist()
        top = max(top, 10 * max(high))  # the bound of a trained network is soon far above everything else
        series.append(Series(when, range(lags + 1), median, low, high, marked=True))
        head.append(f"{when}, median")
        columns.append([f"{x:.2e}" for x in median])
        if fading.bound is not None and fading.singular is not None and fading.eigenvalues is not None:
            bounds.append((f"bound (|W| max f′)^k, {when}", fading.bound.tolist()))
            about.append(
                f"W {when} has singular values from {fading.singular[0]:.4g} to {fading.singular[-1]:.4g}, and "
                f"eigenvalues up to {abs(fading.eigenvalues[0]):.4g}."
            )
    said = "; ".join(f"{one.name}: {one.y[-1]:.2g} is left after {lags} steps" for one in series)
    for name, bound in bounds:
        seen = [y if y <= top else None for y in bound]
        series.append(Series(name, range(lags + 1), seen, dotted=True))
    drawn = chart("Share of an error that is left", "lag k (steps)", "share", series, f"{said}.", log=True)
    return Fades(source.corpus.name, drawn, head, [list(row) for row in zip(*columns)], about)


# --- nearest words ---


@dataclass(frozen=True)
class Near:
    """Nearest words: of some in a table, of more as the script reads them: (number, cosine in %) for each word."""

    matrix: str
    table: list[tuple[str, list[str]]]
    searched: int
    neighbours: dict[str, Any]


def nearest(source: Source) -> Near:
    """Nearest words of the most frequent words, by the cosine of their vectors."""
    vectors = WordVectors.of(source.loaded)
    order = np.argsort(-vectors.counts, kind="stable")
    chosen = [int(i) for i in order if vectors.words[i] not in SPECIALS][:SEARCHED]
    rows, k = vectors.rows[chosen].astype(np.float32), min(NEAREST, len(chosen) - 1)
    if k < 1:
        raise DataError("the vocabulary has fewer than two words", "train on a longer text")
    near = []
    for first in range(0, len(rows), 1000):
        cosine = rows[first : first + 1000] @ rows.T
        cosine[np.arange(len(cosine)), np.arange(first, first + len(cosine))] = -np.inf
        best = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
        values = np.take_along_axis(cosine, best, axis=1)
        by = np.argsort(-values, axis=1, kind="stable")
        for ids, cosines in zip(np.take_along_axis(best, by, 1).tolist(), np.take_along_axis(values, by, 1)):
            near.append([[i, round(100 * float(c))] for i, c in zip(ids, cosines)])
    words = [cut(vectors.words[i]) for i in chosen]
    table = [(words[i], [words[j] for j, _ in near[i]]) for i in range(min(SHOWN, len(words)))]
    return Near(vectors.name, table, len(words), {"words": words, "near": near})
