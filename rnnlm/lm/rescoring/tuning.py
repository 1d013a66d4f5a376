"""Tuning of rescoring weights for the fewest word errors (Och 2003).

Weights are here the five `Weights.factors`. Letters: U utterances, N hypotheses of one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

from rnnlm.lm.rescoring.formats import IMPOSSIBLE
from rnnlm.lm.rescoring.rescore import Scored, Weights, combined
from rnnlm.lm.scorer import LN10

LM_OOV = np.array([0, 1, 0, 0, 0])  # the column of the model's score
STARTS = 8  # points of the coarse grid from which searches start
Count = Callable[[np.ndarray], int]  # from weights to the number of errors


def tune(scored: Sequence[Scored], distances: Sequence[np.ndarray], weights: Weights, free: Sequence[str]) -> Weights:
    """Weights that make the fewest errors, as far as a deterministic search from several starts finds them.

    distances: per list, the word errors of its hypotheses. free: names of the weights to tune, of which only penalty
    becomes negative; the others stay. Impossible hypotheses are left out.

    Along one weight, the best hypothesis of each list changes only at the corners of the upper envelope of N lines, so
    the number of errors is known for every value at once. From the best points of a coarse grid and from `weights`,
    such line searches go on along each free weight and then along the direction they took together (Powell), while
    errors become fewer. The result lies in the middle of its interval, has few digits, and is no worse than `weights`
    or any point of the grid.
    """
    lists = [_possible(s.scores, d) for s, d in zip(scored, distances)]
    if "oov" not in free:  # the penalty is a part of the model's score
        lists = [(x + np.outer(x[:, 4], LM_OOV * weights.oov * LN10), d) for x, d in lists]
    N = max(len(d) for _, d in lists)
    first = [np.minimum(np.arange(N), len(d) - 1) for _, d in lists]
    scores = np.stack([x[rows].T for (x, _), rows in zip(lists, first)], axis=1)  # (5, U, N), the last repeated
    errors = np.stack([d[rows] for (_, d), rows in zip(lists, first)])
    if "oov" not in free:
        scores[4] = 0
    axes = np.eye(5)[[Weights._fields.index(name) for name in free]]

    def count(w: np.ndarray) -> int:
        return int(errors[np.arange(len(errors)), combined(scores, w).argmax(axis=1)].sum())

    spread = np.mean([x.std(axis=0) for x, _ in lists], axis=0)
    given, stays = weights.factors, 1 - axes.sum(axis=0)
    fixed = np.abs((given * spread * stays)[:4]).max()
    unit = np.divide(fixed or 1.0, spread, where=spread > 0, out=np.ones(5))  # weights of as much effect as the fixed
    steps = [(-1, -0.5, 0, 0.5, 1) if name == "penalty" else (0, 0.25, 0.5, 1, 2, 4) for name in free]
    points = (given * stays + unit * (x @ axes) for x in map(np.array, itertools.product(*steps)))
    grid = sorted((w for w in points if w[1] or not w[4] or "oov" not in free), key=count)
    best = min((_descend(scores, errors, axes, w, count) for w in [given, *grid[:STARTS]]), key=count)
    found = Weights.of(best, weights.oov)
    found = found if "oov" in free else found._replace(oov=weights.oov)
    rounded = (
        found._replace(**{name: float(f"{getattr(found, name):.{digits}g}") for name in free})
        for digits in range(2, 18)
    )
    return next((w for w in rounded if count(w.factors) <= count(best)), found)


def _possible(scores: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and errors of the hypotheses of a list that can be chosen, or of all if none can."""
    possible = (scores[:, [0, 2]] > IMPOSSIBLE).all(axis=1)
    return (scores[possible], errors[possible]) if possible.any() else (scores, errors)


def _descend(scores: np.ndarray, errors: np.ndarray, axes: np.ndarray, w: np.ndarray, count: Count) -> np.ndarray:
    """Weights after line searches from w, repeated while errors become fewer."""
    best = math.inf
    while count(w) < best:
        best, start = count(w), w
        for axis in axes:
            if w[1] or not axis[4]:  # without a weight of the model, the penalty has none either
                w = _search(scores, errors, w, axis, count)
        if len(axes) > 1 and (w != start).any():
            w = _search(scores, errors, w, w - start, count)
    return w


def _search(scores: np.ndarray, errors: np.ndarray, w: np.ndarray, direction: np.ndarray, count: Count) -> np.ndarray:
    """Weights on the line w + x direction with the fewest errors, lm, old and oov not negative."""
    low, high = -math.inf, math.inf
    for i in (1, 2, 4):  # lm, old, oov
        if direction[i]:
            bound = -w[i] / direction[i]
            low, high = (max(low, bound), high) if direction[i] > 0 else (low, min(high, bound))
    x, change = _corners(combined(scores, w), combined(scores, direction), errors, low, high)
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
    i = int(np.where(total == total.min(), np.diff(edges), -1).argmax())  # the widest of the best intervals
    found = w + (edges[i] + edges[i + 1]) / 2 * direction
    return found if count(found) <= count(w) else w


def _corners(
    value: np.ndarray, slope: np.ndarray, errors: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Points between low and high where the best hypothesis of a list changes, and the change in errors at each.

    A hypothesis is the line value + x slope, (U, N). The first point is `low`, its change the errors of all lists
    there; the others come in no particular order.
    """
    u = np.arange(len(errors))
    at = -slope if math.isinf(low) else value + low * slope  # height of each line at the left end
    tied = at == at.max(axis=1, keepdims=True)
    n = np.where(tied, value if math.isinf(low) else slope, -math.inf).argmax(axis=1)
    corners, changes = [np.array([low])], [np.array([errors[u, n].sum()])]
    while True:  # every list at once, to the next corner of its upper envelope
        rise = slope - slope[u, n][:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            meets = np.where(rise > 0, (value[u, n][:, None] - value) / rise, math.inf)
        x = meets.min(axis=1)
        if not (moving := x < high).any():
            return np.maximum(np.concatenate(corners), low), np.concatenate(changes)
        steepest = np.where(meets == x[:, None], slope, -math.inf).argmax(axis=1)
        corners.append(x[moving])
        changes.append((errors[u, steepest] - errors[u, n])[moving])
        n = np.where(moving, steepest, n)
