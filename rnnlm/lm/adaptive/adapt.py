"""A network adapted to the text that it is tested on: by dynamic evaluation, by a cache, or by both.

Parameters that are not given are tuned on a development text, in small grids: for dynamic evaluation first the learning
rate, without decay, then the decay, on the first TOKENS tokens; for the cache, on top of that, theta and lambda
together, in one pass over the whole text.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rnnlm.errors import NumericalError, UsageError
from rnnlm.lm.adaptive import cache
from rnnlm.lm.adaptive.dynamic import WINDOW, Anchored, Descent, DynamicScorer, gradient_rms
from rnnlm.lm.network import NetworkScorer, SequentialScorer
from rnnlm.nn.heads.loss import exp_mean
from rnnlm.text.corpus import Corpus, encode
from rnnlm.text.unknown import notes
from rnnlm.text.windows import Documents, Sentences, Stream

TOKENS = 10_000  # of the development text, on which each setting of dynamic evaluation is tried
AT_ONCE = 1280  # tokens of a batch when gradients are measured, or one window
STATISTICS = 300_000  # tokens, about, of the text whose gradients are measured
RATES = {"sgd": (1e-4, 3e-4, 1e-3, 3e-3), "rms": (3e-5, 6e-5, 1.2e-4, 2.4e-4)}
DECAYS = (0.0, 1e-3, 3e-3, 1e-2)
THETA, LAM = 0.1, 0.1  # of the cache, if they are not given and there is no development text
Report = Callable[[str], object]
Read = Callable[[Sequence[str]], Corpus]


@dataclass(frozen=True)
class Adaptation:
    """Options of adaptation; a parameter that is None is tuned, unless its comment says otherwise."""

    dynamic: bool = False
    rate: float | None = None
    rule: Literal["sgd", "rms"] = "sgd"
    decay: float | None = None  # rms only
    window: int = WINDOW
    gradients: str | None = None  # rms only: the text on which gradients are measured; None: the training text
    cache: int | None = None  # positions; None: no cache
    theta: float | None = None
    lam: float | None = None
    dev: str | None = None  # the development text; None: there is none


@dataclass(frozen=True)
class Adapted:
    """An adapted network, and how: `facts` has every parameter as used, `str` says it in a line."""

    scorer: SequentialScorer
    facts: dict[str, Any]

    def __str__(self) -> str:
        parts, facts = [], self.facts
        if d := facts["dynamic"]:
            decay = f", decay {d['decay']:g}, gradients of {d['gradients']}" if d["rule"] == "rms" else ""
            parts.append(f"dynamic evaluation ({d['rule']}, rate {d['rate']:g}{decay}, {d['window']} tokens a step)")
        if c := facts["cache"]:
            parts.append(f"cache ({c['positions']} positions, theta {c['theta']:g}, lambda {c['lambda']:g})")
        tuned = f", tuned on {facts['tuned_on']}" if facts["tuned_on"] else ""
        return " and ".join(parts) + tuned


def adapt(
    scorer: NetworkScorer,
    train: Sequence[str],
    blank_lines: bool,
    wanted: Adaptation,
    report: Report,
    documents: bool = False,
) -> Adapted:
    """Adapt the network of a scorer to the text it will read. `report` gets a line for each setting tried.

    train, blank_lines, documents: the network's training text, and whether its empty lines count as sentences or part
    documents, to each of which the trained network is adapted anew. Raises UsageError
    if a parameter must be tuned and there is no development text, DataError for texts that are missing or empty.
    """
    found = SequentialScorer(scorer.network, scorer.stream, scorer.carried)

    def read(paths: Sequence[str]) -> Corpus:
        corpus = encode(paths, scorer.vocab, blank_lines, documents=documents)
        for note in notes(corpus):
            report(note)
        return corpus

    facts: dict[str, Any] = {"dynamic": None, "cache": None, "tuned_on": None}
    if wanted.dynamic:
        found, facts["dynamic"] = _dynamic(found, train, wanted, report, read)
        if wanted.rate is None or (wanted.rule == "rms" and wanted.decay is None and wanted.dev):
            facts["tuned_on"] = wanted.dev
    if wanted.cache:
        theta, lam = wanted.theta, wanted.lam
        if wanted.dev and (theta is None or lam is None):
            theta, lam = _tune_cache(found, wanted, wanted.cache, read([wanted.dev]), report)
            facts["tuned_on"] = wanted.dev
        theta, lam = THETA if theta is None else theta, LAM if lam is None else lam
        facts["cache"] = {"positions": wanted.cache, "theta": theta, "lambda": lam}
        found = cache.CacheScorer(found, wanted.cache, theta, lam)
    return Adapted(found, facts)


def _dynamic(
    static: SequentialScorer, train: Sequence[str], wanted: Adaptation, report: Report, read: Read
) -> tuple[DynamicScorer, dict[str, Any]]:
    """The network under dynamic evaluation, and its parameters."""
    rate, decay, dev, statistics = wanted.rate, wanted.decay, wanted.dev, None
    if rate is None and dev is None:
        raise UsageError("--dynamic tune: nothing to tune the learning rate on", "name a text with --dev")
    if wanted.rule == "rms":
        texts = [wanted.gradients] if wanted.gradients else train
        statistics = _statistics(static, read(texts), wanted.window)

    def learner(rate: float, decay: float) -> DynamicScorer:
        rule = Descent(rate)
        if statistics is not None:
            rule = Anchored(static.network.params.trainable, statistics, rate, decay)
        return DynamicScorer(static.network, static.stream, static.carried, rule, wanted.window)

    @functools.cache
    def development_text() -> Corpus:
        return read([str(dev)])

    @functools.cache
    def entropy(rate: float, decay: float) -> float:
        nats, tokens = 0.0, 0
        try:
            for window in itertools.chain.from_iterable(
                map(learner(rate, decay).windows, development_text().documents)
            ):
                nats += float(window.nats.sum(dtype=float))
                tokens += len(window.nats)
                if tokens >= TOKENS:
                    break
        except NumericalError:
            nats = math.inf
        shown = f"rate {rate:g}" if statistics is None else f"rate {rate:g}, decay {decay:g}"
        report(f"dynamic evaluation, {shown}: ppl {_ppl(nats, max(tokens, 1))} on {tokens} tokens of {dev}")
        return nats / max(tokens, 1)

    if rate is None:
        rate = min(RATES[wanted.rule], key=lambda rate: entropy(rate, decay or 0.0))
    if decay is None:
        tune = statistics is not None and dev is not None
        decay = min(DECAYS, key=lambda decay: entropy(rate, decay)) if tune else 0.0
    scorer = learner(rate, decay)
    facts: dict[str, Any] = {"rule": wanted.rule, "rate": rate, "window": scorer.tokens}
    if statistics is not None:
        facts |= {"decay": decay, "gradients": " + ".join(texts)}
    return scorer, facts


def _statistics(scorer: SequentialScorer, corpus: Corpus, window: int) -> np.ndarray:
    """Root mean square of the gradients on a text, or on about STATISTICS tokens all over it."""
    window = min(window, scorer.tokens)
    B = max(1, AT_ONCE // window)
    batches: Any = Stream(corpus, B, window) if scorer.stream else Sentences(corpus, B)
    if corpus.starts is not None:
        batches = Documents(corpus, B, window)
    number = math.ceil(len(batches) * min(1, STATISTICS / len(corpus.ids)))
    return gradient_rms(scorer.network, itertools.islice(batches.batches(rng=np.random.default_rng(1)), number))


def _tune_cache(scorer: SequentialScorer, wanted: Adaptation, size: int, dev: Corpus, report: Report) -> tuple:
    """The best theta and lambda on the development text, of those in the grids, or of the one that is given."""
    thetas = cache.THETAS if wanted.theta is None else (wanted.theta,)
    lams = cache.LAMS if wanted.lam is None else (wanted.lam,)
    nats = cache.tune(scorer, dev.documents, size, thetas, lams)
    for theta, row in zip(thetas, nats):
        figures = "  ".join(f"{lam:g}: {_ppl(x)}" for lam, x in zip(lams, row))
        report(f"cache, theta {theta:g}: ppl at each lambda {figures}")
    i, j = np.unravel_index(np.argmin(nats), nats.shape)
    return thetas[i], lams[j]


def _ppl(nats: float, tokens: float = 1) -> str:
    ppl = exp_mean(nats, tokens)
    return f"{ppl:.2f}" if ppl < math.inf else "infinite"
