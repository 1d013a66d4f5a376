"""Corpora in which no two tokens are equal, for tests of batches."""

import numpy as np

from rnnlm.text.corpus import Corpus
from rnnlm.text.vocab import SPECIALS

FIRST = len(SPECIALS)


def made(lengths):
    """A corpus of sentences of the given lengths, in which token number i is FIRST + i: no two are equal."""
    ends = np.cumsum(lengths)
    table = np.stack([ends, 2 * ends, np.arange(1, len(ends) + 1)], axis=1)
    ids = np.arange(FIRST, FIRST + ends[-1], dtype=np.int32)
    return Corpus(ids, table, int(2 * ends[-1]), 0, "made.txt", 0, "")


def real(batch):
    """Whether a prediction counts, (T, B): False for padding."""
    return np.ones(batch.shape, bool) if batch.weights is None else batch.weights == 1
