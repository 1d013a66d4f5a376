"""A network made to follow the text that it is tested on: by dynamic evaluation, by a cache, or by both.

What is not given is tuned on a development text, in small grids: of dynamic evaluation first the learning rate, without
decay, then the decay, on the first TOKENS tokens; of the cache, on top of that, theta and lambda together, in one
reading of the whole text.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rnnlm.errors import DataError, NumericalError, UsageError
from rnnlm.lm.adaptive import cache
from rnnlm.lm.adaptive.dynamic import WINDOW, Anchored, Descent, DynamicScorer, Rule, gradient_rms
from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.reader import Reader
from rnnlm.text.corpus import Corpus, encode
from rnnlm.text.lines import lines
from rnnlm.text.vocab import EOS
from rnnlm.text.windows import Sentences, Stream

TOKENS = 10_000  # of the development text, on which each setting of dynamic evaluation is tried
AT_ONCE = 1280  # tokens of a batch when gradients are measured, or one window
STATISTICS = 300_000  # tokens, about, of the text whose gradients are measured
RATES = {"sgd": (1e-4, 3e-4, 1e-3, 3e-3), "rms": (3e-5, 6e-5, 1.2e-4, 2.4e-4)}
DECAYS = (0.0, 1e-3, 3e-3, 1e-2)
THETA, LAM = 0.1, 0.1  # of the cache, where nobody says and nothing is there to tune them on


@dataclass(frozen=True)
class Adaptation:
    """What is asked for; None, where nothing else is said: to be tuned."""

    dynamic: bool = False
    rate: float | None = None
    rule: Literal["sgd", "rms"] = "sgd"
    decay: float | None = None  # rms only
    window: int = WINDOW
    gradients: str | None = None  # rms only: the text on which gradients are measured; None: the training text
    cache: int | None = None  # positions; None: no cache
    theta: float | None = None
    lam: float | None = None
    dev: str | None = None  # the development text


@dataclass(frozen=True)
class Adapted:
    """A network that follows its text, and how: `facts` has every parameter as used, `str` says it in a line."""

    scorer: Reader
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
    scorer: NetworkScorer, train: Sequence[str], blank_lines: bool, wanted: Adaptation, report: Callable[[str], object]
) -> Adapted:
    """Make the network of a scorer follow its text as `wanted`. `report` gets a line for each setting tried.

    train, blank_lines: the network's training text, and whether its empty lines count as sentences. Raises UsageError
    where there is nothing to tune a missing parameter on, and DataError for texts that are missing.
    """
    reader = Reader(scorer.network, scorer.start == EOS, scorer.carried)
    facts: dict[str, Any] = {"dynamic": None, "cache": None, "tuned_on": None}
    if wanted.dynamic:
        reader, facts["dynamic"] = _dynamic(reader, train, blank_lines, wanted, report)
        if wanted.rate is None or (wanted.rule == "rms" and wanted.decay is None and wanted.dev):
            facts["tuned_on"] = wanted.dev
    if wanted.cache:
        theta, lam = wanted.theta, wanted.lam
        if wanted.dev and (theta is None or lam is None):
            theta, lam = _tune_cache(reader, wanted, wanted.cache, wanted.dev, report)
            facts["tuned_on"] = wanted.dev
        theta, lam = THETA if theta is None else theta, LAM if lam is None else lam
        facts["cache"] = {"positions": wanted.cache, "theta": theta, "lambda": lam}
        reader = cache.CacheScorer(reader, wanted.cache, theta, lam)
    return Adapted(reader, facts)


def _dynamic(
    reader: Reader, train: Sequence[str], blank_lines: bool, wanted: Adaptation, report: Callable[[str], object]
) -> tuple[DynamicScorer, dict[str, Any]]:
    """The network that learns, and how."""
    rate, decay, dev, statistics = wanted.rate, wanted.decay, wanted.dev, None
    if rate is None and dev is None:
        raise UsageError("--dynamic tune: nothing to tune the learning rate on", "name a text with --dev")
    if wanted.rule == "rms":
        texts = [wanted.gradients] if wanted.gradients else train
        statistics = _statistics(reader, encode(texts, reader.vocab, blank_lines), wanted.window)

    def learner(rate: float, decay: float) -> DynamicScorer:
        rule: Rule = Descent(rate)
        if statistics is not None:
            rule = Anchored(reader.network.params.trainable, statistics, rate, decay)
        return DynamicScorer(reader.network, reader.stream, reader.carried, rule, wanted.window)

    @functools.cache
    def entropy(rate: float, decay: float) -> float:
        nats, tokens = 0.0, 0
        try:
            for window in learner(rate, decay).windows(_ids(reader, str(dev))):
                nats += float(window.nats.sum(dtype=float))
                tokens += len(window.nats)
                if tokens >= TOKENS:
                    break
        except NumericalError:
            nats = math.inf
        shown = f"rate {rate:g}" if statistics is None else f"rate {rate:g}, decay {decay:g}"
        mean = nats / max(tokens, 1)
        report(f"dynamic evaluation, {shown}: ppl {_exp(mean)} on {tokens} tokens of {dev}")
        return mean

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


def _statistics(reader: Reader, corpus: Corpus, window: int) -> np.ndarray:
    """The root mean square of the gradients of a text, or of about STATISTICS tokens all over it."""
    window = min(window, reader.tokens)
    B = max(1, AT_ONCE // window)
    batches: Any = Stream(corpus, B, window) if reader.stream else Sentences(corpus, B)
    number = math.ceil(len(batches) * min(1, STATISTICS / len(corpus.ids)))
    return gradient_rms(reader.network, itertools.islice(batches.batches(rng=np.random.default_rng(1)), number))


def _tune_cache(reader: Reader, wanted: Adaptation, size: int, dev: str, report: Callable[[str], object]):
    """The best theta and lambda on the development text, of those in the grids, or of the one that is given."""
    thetas = cache.THETAS if wanted.theta is None else (wanted.theta,)
    lams = cache.LAMS if wanted.lam is None else (wanted.lam,)
    nats = cache.tune(reader, _ids(reader, dev), size, thetas, lams)
    for theta, row in zip(thetas, nats):
        figures = "  ".join(f"{lam:g}: {_exp(x)}" for lam, x in zip(lams, row))
        report(f"cache, theta {theta:g}: ppl at each lambda {figures}")
    i, j = np.unravel_index(np.argmin(nats), nats.shape)
    return thetas[i], lams[j]


def _ids(reader: Reader, path: str) -> Iterator[np.ndarray]:
    """The sentences of a text. Raises DataError if there are none."""
    sentences = filter(None, map(reader.vocab.split, lines(path)))
    first = next(sentences, None)
    if first is None:
        raise DataError(f"{path}: no sentences", "a sentence is a line with at least one word")
    return map(reader.ids, itertools.chain([first], sentences))


def _exp(nats: float) -> str:
    return f"{math.exp(nats):.2f}" if nats < 700 else "infinite"
