"""Choosing among the hypotheses of a recogniser: scores combined, errors counted, weights tuned.

    score = ac * (log-likelihood of the sounds) + lm * (log-probability of the words under a model, `</s>` included)
          + old * (the same under the recogniser's own model) - penalty * (number of words)

in natural logarithms; ac, lm, old and penalty are the `Weights`.

    for scored in rescore(scorer, nbest.read(["test.nbest"], "mikolov")):
        print(scored.nbest.id, *scored.nbest.hypotheses[scored.ranking(Weights(lm=8))[0]].words)

Letters: U utterances, N hypotheses of one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rnnlm.lm.rescoring.nbest import NBest
from rnnlm.lm.scorer import Scorer

LOG_ZERO = -99 * math.log(10)  # what a word of probability zero counts, as in ARPA files
STARTS = 8  # points of the coarse grid that the tuning goes on from


class Weights(NamedTuple):
    """What each score counts."""

    ac: float = 1.0
    lm: float = 1.0
    old: float = 0.0
    penalty: float = 0.0


class Scored(NamedTuple):
    """A list whose hypotheses a model has scored."""

    nbest: NBest
    scores: np.ndarray  # (N, 4) float64: ac, lm, old and the negative number of words, in the order of Weights

    def ranking(self, weights: Weights) -> np.ndarray:
        """(N,): the hypotheses' numbers, the best first; equal ones in the order of the list."""
        return np.argsort(-_combine(self.scores.T, weights), kind="stable")


def rescore(
    scorer: Scorer, lists: Iterable[NBest], split: Callable[[str], Sequence[str]] = str.split
) -> Iterator[Scored]:
    """Each list with the model's scores. split: from a line to the model's tokens. Lists are read some ahead."""
    lists, ahead = itertools.tee(lists)
    tokens = ([split(" ".join(hypothesis.words)) for hypothesis in nbest.hypotheses] for nbest in ahead)
    for nbest, log_probs in zip(lists, scorer.alternatives(tokens)):
        lm = [np.maximum(log_p, LOG_ZERO).sum(dtype=float) for log_p in log_probs]
        rows = [(h.ac, x, h.old, -len(h.words)) for h, x in zip(nbest.hypotheses, lm)]
        yield Scored(nbest, np.array(rows, float))


# --- errors --------------------------------------------------------------------------------------------------------


class Errors(NamedTuple):
    """How many utterances there were, with how many words, and how many words were wrong. Addable."""

    utterances: int = 0
    words: int = 0
    errors: int = 0  # substituted, deleted and inserted words

    def __add__(self, other):  # type: ignore[override]
        return Errors(*(a + b for a, b in zip(self, other)))

    @property
    def wer(self) -> float:
        """Word error rate; nan where no words were said."""
        return self.errors / self.words if self.words else math.nan


def edit_distances(reference: Sequence[str], hypotheses: Sequence[Sequence[str]]) -> np.ndarray:
    """(N,) int: the fewest substitutions, deletions and insertions that turn the reference into each hypothesis."""
    number = {word: i for i, word in enumerate(reference)}
    L = max(map(len, hypotheses), default=0)
    words = np.full((len(hypotheses), L), -1)
    for row, hypothesis in zip(words, hypotheses):
        row[: len(hypothesis)] = [number.get(word, -1) for word in hypothesis]
    insertions = np.arange(L + 1)
    d = np.tile(insertions, (len(hypotheses), 1))  # d[n, j]: from the reference so far to the first j words of n
    for word in reference:
        above = d + 1
        above[:, 1:] = np.minimum(above[:, 1:], d[:, :-1] + (words != number[word]))
        # d[n, j] = min over k <= j of above[n, k] + (j - k): every run of insertions at once
        d = np.minimum.accumulate(above - insertions, axis=1) + insertions
    return d[np.arange(len(hypotheses)), [len(hypothesis) for hypothesis in hypotheses]]


# --- tuning --------------------------------------------------------------------------------------------------------


def tune(scored: Sequence[Scored], distances: Sequence[np.ndarray], weights: Weights, free: Sequence[str]) -> Weights:
    """Weights that make the fewest errors, as far as a search from several starts finds them; the same every time.

    distances: per list, those of its hypotheses from the reference. free: the names of the weights to tune, of which lm
    and old do not become negative; the others stay. Along one weight, the best hypothesis of each list changes at a few
    points only, the corners of the upper envelope of N lines, so the number of errors is known for every value at once
    (Och 2003). From the best points of a coarse grid and from `weights`, such searches go on, weight after weight and
    then along the way they took together (Powell), while errors become fewer. The result is in the middle of its
    interval, in few digits, and no worse than `weights` or any point of the grid.
    """
    N = max(len(s.scores) for s in scored)
    first = [np.minimum(np.arange(N), len(s.scores) - 1) for s in scored]
    scores = np.stack([s.scores[rows].T for s, rows in zip(scored, first)], axis=1)  # (4, U, N), the last repeated
    errors = np.stack([d[rows] for d, rows in zip(distances, first)])
    axes = np.eye(4)[[Weights._fields.index(name) for name in free]]

    def count(w):
        return errors[np.arange(len(errors)), _combine(scores, w).argmax(axis=1)].sum()

    spread = np.mean([s.scores.std(axis=0) for s in scored], axis=0)
    fixed = np.abs(np.array(weights) * spread * (1 - axes.sum(axis=0))).max()
    unit = np.divide(fixed or 1.0, spread, where=spread > 0, out=np.ones(4))  # what counts as much as the fixed ones
    steps = [(-1, -0.5, 0, 0.5, 1) if name == "penalty" else (0, 0.25, 0.5, 1, 2, 4) for name in free]
    rest = np.array(weights) * (1 - axes.sum(axis=0))
    grid = sorted((rest + unit * (x @ axes) for x in map(np.array, itertools.product(*steps))), key=count)
    best = min((_descend(scores, errors, axes, w, count) for w in [np.array(weights), *grid[:STARTS]]), key=count)
    rounded = (np.array([float(f"{x:.{digits}g}") for x in best]) for digits in range(2, 18))
    return Weights(*map(float, next(w for w in rounded if count(w) <= count(best))))


def _combine(scores: np.ndarray, weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """(4, ...) -> (...): the same to the last bit for one list and for many, unlike a matrix product."""
    ac, lm, old, words = scores
    return ac * weights[0] + lm * weights[1] + old * weights[2] + words * weights[3]


def _descend(scores, errors, axes, w, count):
    """Line searches from w, while errors become fewer."""
    best = math.inf
    while count(w) < best:
        best, start = count(w), w
        for axis in axes:
            w = _search(scores, errors, w, axis, count)
        if len(axes) > 1 and (w != start).any():
            w = _search(scores, errors, w, w - start, count)
    return w


def _search(scores, errors, w, direction, count):
    """The point on the line w + x direction with the fewest errors, lm and old not negative."""
    low, high = -math.inf, math.inf
    for i in (1, 2):  # lm, old
        if direction[i]:
            bound = -w[i] / direction[i]
            low, high = (max(low, bound), high) if direction[i] > 0 else (low, min(high, bound))
    value, slope, u = _combine(scores, w), _combine(scores, direction), np.arange(len(errors))
    at = -slope if math.isinf(low) else value + low * slope  # the height of each hypothesis's line on the far left
    tied = at == at.max(axis=1, keepdims=True)
    n = np.where(tied, value if math.isinf(low) else slope, -math.inf).argmax(axis=1)
    corners, changes = [np.array([low])], [np.array([errors[u, n].sum()])]
    while True:  # every list at once, to the next corner of its upper envelope
        rise = slope - slope[u, n][:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            meets = np.where(rise > 0, (value[u, n][:, None] - value) / rise, math.inf)
        x = meets.min(axis=1)
        if not (moving := x < high).any():
            break
        steepest = np.where(meets == x[:, None], slope, -math.inf).argmax(axis=1)
        corners.append(x[moving])
        changes.append((errors[u, steepest] - errors[u, n])[moving])
        n = np.where(moving, steepest, n)
    x, change = np.maximum(np.concatenate(corners), low), np.concatenate(changes)
    order = np.argsort(x, kind="stable")
    x, total = x[order], np.cumsum(change[order])  # total errors to the right of each corner
    last = np.append(x[1:] > x[:-1], True)  # of several in one place
    x, total = x[last], total[last]
    different = np.insert(total[1:] != total[:-1], 0, True)
    edges, total = np.append(x[different], high), total[different]
    if len(total) == 1:
        return w
    finite = edges[np.isfinite(edges)]
    reach = max(np.ptp(finite), np.abs(finite).max())  # how far to go where nothing changes any more
    edges = np.clip(edges, finite[0] - reach, finite[-1] + reach)
    i = np.where(total == total.min(), np.diff(edges), -1).argmax()  # the widest of the best intervals
    found = w + (edges[i] + edges[i + 1]) / 2 * direction
    return found if count(found) <= count(w) else w
