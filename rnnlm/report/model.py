"""Sections about the model: how good it is, what surprises it, how its errors fade, which words are alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnlm.errors import DataError
from rnnlm.lm.network import largest
from rnnlm.report.charts import Series, chart
from rnnlm.report.page import cut
from rnnlm.report.source import Source
from rnnlm.show.gradients import of_network
from rnnlm.show.words import WordVectors
from rnnlm.text.vocab import BOS, SPECIALS, readable

TOKENS = {"word": 400, "char": 1200}  # of the text that is shown word by word
LIKELIEST = 5
STEPS = (1.0, 3.0, 6.0, 9.0, 12.0)  # bits at which a word's colour changes
LAGS = 20
READ = 2000  # tokens of the text through which errors are sent back
SEARCHED, NEAREST = 8000, 8  # words that can be looked up, and how many of these are shown as nearest
SHOWN = 12  # words whose nearest words are shown at first
AT_ONCE = 1000  # words whose cosines are computed together


def quality(source: Source) -> dict[str, Any]:
    """Figures on the text: of a language model its surprise, of another the lines and tables of its task.

    Raises DataError without a text.
    """
    corpus, loaded = source.corpus, source.loaded
    if source.writes:
        return {"text": corpus.name, "surprise": source.surprise}
    figures = loaded.task.evaluate(loaded.network, corpus, loaded.config.training.batch)
    return {"text": corpus.name, "surprise": None, "lines": loaded.task.report(figures)}


def surprising(source: Source) -> dict[str, Any]:
    """The beginning of the text, with the surprise at each token, and what was expected there, as the script reads it.

    level: 0 to 5, by the surprise. last: whether a token is the last of its sentence.
    """
    found, vocab = source.surprise, source.scorer.vocab
    tokens: list[dict[str, Any]] = [
        {
            "text": cut(word), "bits": bits, "known": known, "last": i == len(sentence.words) - 1,
            "level": len(STEPS) if bits is None else sum(bits >= step for step in STEPS),
        }
        for sentence in found.sentences
        for i, (word, bits, known) in enumerate(zip(sentence.words, sentence.bits, sentence.known))
    ][: TOKENS[vocab.level]]  # fmt: skip
    names: dict[str, int] = {}  # words and their numbers on the page
    rows = []
    distributions = source.scorer.distributions(sentence.words[:-1] for sentence in found.sentences)
    for token, log_p in zip(tokens, distributions):
        bits, log_p = token["bits"], log_p.copy()
        log_p[BOS] = -np.inf
        best = [(cut(vocab.words[i]), log_p[i]) for i in largest(log_p, LIKELIEST) if log_p[i] > -np.inf]
        pairs = [[names.setdefault(word, len(names)), round(float(np.exp(x)), 4)] for word, x in best]
        rows.append([None if bits is None else round(bits, 2), pairs])
    return {
        "text": found.text, "level": vocab.level, "tokens": tokens, "steps": STEPS, "costly": found.words,
        "expected": {"words": list(names), "rows": rows},
    }  # fmt: skip


def gradients(source: Source) -> dict[str, Any]:
    """The share of an error that is left over the lag, at the start and after training, and sentences about W."""
    scorer, loaded = source.scorer, source.loaded
    ids = readable(np.asarray(source.corpus.ids[:READ]))
    lags = min(LAGS, len(ids) - 1)
    head, columns, series, bounds, about, top = ["lag"], [[str(k) for k in range(lags + 1)]], [], [], [], 0.0
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
        series.append(Series(name, range(lags + 1), [y if y <= top else None for y in bound], dotted=True))
    return {
        "chart": chart("Share of an error that is left", "lag k (steps)", "share", series, f"{said}.", log=True),
        "text": source.corpus.name, "head": head, "rows": list(zip(*columns)), "about": about,
    }  # fmt: skip


def nearest(source: Source) -> dict[str, Any]:
    """Nearest words of the most frequent words, by the cosine of their vectors.

    Of some in a table, of more as the script reads them: (number, cosine in %) for each word.
    """
    vectors = WordVectors.of(source.loaded)
    order = np.argsort(-vectors.vocab.counts, kind="stable")
    chosen = [int(i) for i in order if vectors.vocab.words[i] not in SPECIALS][:SEARCHED]
    rows, k = vectors.rows[chosen].astype(np.float32), min(NEAREST, len(chosen) - 1)
    if k < 1:
        raise DataError("the vocabulary has fewer than two words", "train on a longer text")
    near: list[list[list[int]]] = []
    for first in range(0, len(rows), AT_ONCE):
        for cosines in rows[first : first + AT_ONCE] @ rows.T:
            cosines[len(near)] = -np.inf
            near.append([[int(j), round(100 * float(cosines[j]))] for j in largest(cosines, k)])
    words = [cut(vectors.vocab.words[i]) for i in chosen]
    table = [(word, [words[j] for j, _ in others]) for word, others in zip(words[:SHOWN], near)]
    return {
        "matrix": vectors.name, "table": table, "searched": len(words), "neighbours": {"words": words, "near": near},
    }  # fmt: skip
