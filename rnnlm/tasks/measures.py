"""How good the models are that are no language models: accuracy, exact match, pseudo-perplexity.

All figures are counts and sums, which are addable, so that averages are never averaged.
Letters as in `rnnlm.text.windows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from rnnlm.nn.heads.loss import exp_mean
from rnnlm.tasks import decode
from rnnlm.text.vocab import BOS, EOS, UNK
from rnnlm.text.windows import BlankBatch, LabelledBatch, PairBatch, VectorBatch

TOP = 5


class Blanks(NamedTuple):
    """Words predicted from all the others of their sentences; `known` leaves out those outside the vocabulary."""

    words: int = 0
    nats: float = 0.0  # -log p of all words, OOVs as <unk>
    right: int = 0  # the likeliest word is the true one
    top: int = 0  # the true one is among the TOP likeliest
    known: int = 0
    nats_known: float = 0.0
    right_known: int = 0
    top_known: int = 0

    def __add__(self, other):  # type: ignore[override]
        return Blanks(*(a + b for a, b in zip(self, other)))

    @property
    def pppl(self) -> float:
        """Pseudo-perplexity, exp of the mean -log p(w_t | all other words), of known words. It is no perplexity: these
        probabilities do not multiply to that of a text."""
        return exp_mean(self.nats_known, self.known)

    @property
    def pppl_unk(self) -> float:
        """The same of all words, those outside the vocabulary counted as `<unk>`."""
        return exp_mean(self.nats, self.words)


def blanks(network: Any, batches: Iterable[BlankBatch]) -> Blanks:
    """The figures of a blank model on sentences."""
    total = Blanks()
    for batch in batches:
        log_p = network.apply(network.model.blank_log_probs, batch.shape, batch)
        valid = np.arange(len(batch.targets))[:, None] < batch.lengths
        log_p, targets = log_p[valid], batch.targets[valid]
        log_p[:, [BOS, EOS]] = -np.inf  # never asked for, so never trained
        true = log_p[np.arange(len(targets)), targets]
        better, known = (log_p > true[:, None]).sum(axis=1), targets != UNK
        for part, fields in ((slice(None), 0), (known, 4)):
            nats, rank = -float(true[part].sum(dtype=float)), better[part]
            figures = [len(rank), nats, int((rank == 0).sum()), int((rank < TOP).sum())]
            total += Blanks(*([0] * fields), *figures)
    return total


def likeliest(network: Any, ids: list[int], places: list[int], k: int) -> Iterator[list[tuple[str, float]]]:
    """For each of the places in a sentence of ids, where UNK stands: the k likeliest words and their probabilities.

    At one place, the other places are read as `<unk>`.
    """
    batch = BlankBatch(np.array(ids, np.int32)[:, None], np.array([len(ids)]))
    log_p = network.apply(network.model.blank_log_probs, batch.shape, batch)[places, 0]
    log_p[:, [BOS, EOS, UNK]] = -np.inf
    for row in log_p:
        best = np.argsort(-row, kind="stable")[:k]
        yield [(network.vocab.words[i], float(np.exp(row[i]))) for i in best]


def confusion(network: Any, batches: Iterable[LabelledBatch]) -> tuple[np.ndarray, float]:
    """Of a classifier on labelled sentences: how often which true label (rows) was taken for which (columns), (K, K)
    int64; and the sum of -log p of the true ones."""
    K, nats = len(network.vocab), 0.0
    table = np.zeros((K, K), np.int64)
    for batch in batches:
        log_p = network.apply(network.model.label_log_probs, batch.shape, batch.inputs, batch.lengths)
        np.add.at(table, (batch.targets, log_p.argmax(axis=1)), 1)
        nats -= float(log_p[np.arange(len(log_p)), batch.targets].sum(dtype=float))
    return table, nats


class Written(NamedTuple):
    """Sentences written for what was given."""

    sentences: int = 0
    exact: int = 0  # written as they should be, word for word
    tokens: int = 0  # of the true sentences, </s> included
    right: int = 0  # of which so many are the likeliest after the true ones before them
    nats: float = 0.0  # -log p of the tokens

    def __add__(self, other):  # type: ignore[override]
        return Written(*(a + b for a, b in zip(self, other)))

    @property
    def ppl(self) -> float:
        """exp of the mean -log p per token of the true sentences."""
        return exp_mean(self.nats, self.tokens)


def written(network: Any, batches: Iterable[PairBatch | VectorBatch]) -> Written:
    """The figures of a model with a decoder, which writes greedily, and never more than twice what is needed."""
    total = Written()
    for batch in batches:
        log_p = network.apply(network.model.target_log_probs, batch.shape, batch)
        T, targets = len(batch.targets), batch.targets
        valid = np.ones(targets.shape, bool) if batch.weights is None else batch.weights > 0
        right = (log_p.argmax(axis=2) == targets) & valid
        nats = -float(np.take_along_axis(log_p, targets[:, :, None], 2)[valid].sum(dtype=float))
        answers = decode.greedy(network, batch, 2 * T)
        lengths = valid.sum(axis=0) - 1
        true = [targets[:n, b].tolist() for b, n in enumerate(lengths)]
        exact = sum(one.finished and one.ids == ids for one, ids in zip(answers, true))
        total += Written(len(answers), exact, int(valid.sum()), int(right.sum()), nats)
    return total
