"""Paired bootstrap: how far a figure of a text would change with other sentences of its kind (Efron 1979, Koehn 2004).

Letters: R quantities, S sentences or utterances.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

GROUPS = 10_000  # units of resampling at most: sentences, or in a longer text runs of neighbouring sentences
DRAWS = 64  # resampled texts at a time, to bound memory


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

    All quantities are summed over the same draws. Sentences count as independent; those of one article are not quite,
    so true intervals are wider.
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
