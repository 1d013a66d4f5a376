"""Sentences from a model with a decoder: greedily for many at once, or with a beam for one.

Letters as in `rnnlm.nn.models.decoder`: B sentences side by side, N hypotheses of a beam, K words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnlm.nn.network import Network
from rnnlm.nn.state import taken
from rnnlm.text.vocab import BOS, EOS


@dataclass
class Written:
    """A sentence that a model wrote."""

    ids: list[int] = field(default_factory=list)  # without </s>
    log_p: float = 0.0  # natural log-probability, </s> included
    finished: bool = False  # ended with </s>


def greedy(network: Network, batch: Any, max_tokens: int) -> list[Written]:
    """The sentences for what a batch gives (its targets are not looked at), always the likeliest word next."""
    state, c = network.apply(_model(network).begin, batch.shape, batch)
    B = batch.shape[-1]
    ids, written = np.full(B, BOS, np.int32), [Written() for _ in range(B)]
    for _ in range(max_tokens):
        log_p, state = _next(network, batch, ids, state, c)
        ids = log_p.argmax(axis=1).astype(np.int32)
        for b, one in enumerate(written):
            if not one.finished:
                one.log_p += float(log_p[b, ids[b]])
                one.finished = bool(ids[b] == EOS)
                if not one.finished:
                    one.ids.append(int(ids[b]))
        if all(one.finished for one in written):
            break
    return written


def beam(network: Network, batch: Any, width: int, max_tokens: int) -> list[Written]:
    """The best `width` sentences for the one that a batch gives, likeliest first.

    At every step the `width` likeliest beginnings are kept. It is over when no beginning is as likely as the last of
    `width` finished sentences, for it can only become less likely. Sentences of different lengths are compared by their
    probability as it is.
    """
    state, c = network.apply(_model(network).begin, batch.shape, batch)
    ids, alive = np.array([BOS], np.int32), [Written()]
    done: list[Written] = []
    for _ in range(max_tokens):
        log_p, state = _next(network, batch, ids, state, c)
        total = log_p.astype(float) + np.array([[one.log_p] for one in alive])
        best = np.argsort(-total, axis=None, kind="stable")[: 2 * width]  # of which no more than `width` can end here
        hypotheses, words = np.unravel_index(best, total.shape)
        kept: list[int] = []
        now: list[Written] = []
        for n, word in zip(hypotheses, words):
            if len(now) < width and word != EOS:
                now.append(Written([*alive[n].ids, int(word)], float(total[n, word])))
                kept.append(int(n))
            elif word == EOS:
                done.append(Written(alive[n].ids, float(total[n, word]), finished=True))
        done = sorted(done, key=lambda one: -one.log_p)[:width]
        alive, ids = now, np.array([one.ids[-1] for one in now], np.int32)
        state, c = taken(state, kept), None if c is None else c[kept]
        if len(done) == width and alive[0].log_p <= done[-1].log_p:
            break
    return sorted(done + alive, key=lambda one: (not one.finished, -one.log_p))[:width]


def _model(network: Network) -> Any:
    return network.model


def _next(network: Network, batch: Any, ids: np.ndarray, state: Any, c: np.ndarray | None) -> Any:
    """One step of the decoder: log p (B, K) after ids (B,), never that of `<s>`, and the state."""
    shape = (*(1 for _ in batch.shape[:-1]), len(ids))
    log_p, state = network.apply(_model(network).next, shape, ids, state, c)
    log_p[:, BOS] = -np.inf
    return log_p, state


def words(network: Network, written: Written) -> str:
    """The text of a sentence."""
    outputs = getattr(network.vocab, "outputs", network.vocab)
    return outputs.join(outputs.words[i] for i in written.ids)
