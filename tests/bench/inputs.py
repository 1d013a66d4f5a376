"""Made-up text: the probability of a word falls as 1 / rank (Zipf), and sentences have 21 words on average."""

from __future__ import annotations

import numpy as np

EOS = 1  # as in `rnnlm.text.vocab`, which PyTorch's process does not import


def zipf_ids(K: int, N: int, seed: int = 1) -> np.ndarray:
    """N ids of K words, which stand in the order of frequency from number 2 on; the last id ends a sentence."""
    rng = np.random.default_rng(seed)
    cumulative = np.cumsum(1 / np.arange(1, K - 1))
    ids = np.searchsorted(cumulative, rng.random(N) * cumulative[-1]).astype(np.int32) + np.int32(2)
    lengths = np.ceil(rng.gamma(4.5, 4.7, N)).astype(int)
    ends = np.cumsum(lengths + 1) - 1
    ids[ends[ends < N]] = EOS
    ids[-1] = EOS
    return ids


def windows(ids: np.ndarray, B: int, T: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Inputs and targets, (T, B) each, of the windows of B columns, as `rnnlm.text.windows.Stream` cuts them."""
    inputs, targets = (x.reshape(B, -1).T for x in (np.roll(ids, 1), ids))
    return [(inputs[t : t + T].copy(), targets[t : t + T].copy()) for t in range(0, len(targets), T)]


def sentences(ids: np.ndarray) -> list[np.ndarray]:
    """The sentences, each with its end."""
    return np.split(ids, np.flatnonzero(ids == EOS)[:-1] + 1)
