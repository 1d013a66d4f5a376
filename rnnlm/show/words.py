"""Words that a network has learnt to treat alike: nearest rows of its embedding, and a map of them.

Letters: K words, D numbers per vector, n words on the map.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnlm.compat.export import word_vectors
from rnnlm.errors import UsageError
from rnnlm.files import shortened
from rnnlm.loading import Loaded
from rnnlm.text.vocab import BOS, SPECIALS, Vocabulary


@dataclass(frozen=True)
class Neighbour:
    """A word near another: the cosine of the angle between their vectors, and its count in the training text."""

    word: str
    cosine: float
    count: int


@dataclass(frozen=True)
class Nearest:
    """A word, its count in the training text, and its nearest words, the nearest first."""

    word: str
    count: int
    neighbours: list[Neighbour]


@dataclass(frozen=True)
class Map:
    """Words as points in the plane: the first two principal components of their vectors, scaled to length 1.

    explained: the shares of the variance that lie along x and along y.
    """

    words: list[str]
    x: list[float]
    y: list[float]
    explained: tuple[float, float]


@dataclass(frozen=True)
class WordVectors:
    """Vectors of words.

    model  the file
    name   of the matrix, such as E or cell.U
    vocab  the K words, by row; or labels
    rows   (K, D) vectors of length 1 (0 where all numbers are 0), so that a product of two is their cosine
    """

    model: str
    name: str
    vocab: Vocabulary
    rows: np.ndarray

    @classmethod
    def of(cls, loaded: Loaded, name: str | None = None) -> WordVectors:
        """Word vectors of a model: rows of the named matrix, of the embedding, or of U under one-hot input.

        Raises UsageError if the model has no such matrix.
        """
        name, vocab, array = word_vectors(loaded, name, usual=("E", "U"))
        rows = array.astype(np.float64)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
        return cls(str(loaded.path), name, vocab, rows)

    def row(self, word: str) -> int:
        """Number of a word's row. Raises UsageError, with words that may be meant, for one that has none."""
        vocab = self.vocab
        word = word.lower() if getattr(vocab, "lower", False) else word
        if word in vocab.words:
            return vocab.words.index(word)
        close = difflib.get_close_matches(word[:100], vocab.words, n=3, cutoff=0.7)
        meant = f"; did you mean {' or '.join(map(shortened, close))}?" if close else ""
        unit = "character" if vocab.level == "char" else "word"
        if vocab.level == "char" and len(word) > 1:
            raise UsageError(f"{shortened(word)}: the model knows characters, not words", "name one character")
        raise UsageError(
            f"{shortened(word)} is no {unit} of the vocabulary of {self.model}{meant}",
            "vocab.txt of its run directory has all of them",
        )

    def nearest(self, word: str, k: int = 10) -> Nearest:
        """The k words whose vectors have the largest cosine with that of a word; `<s>` is none of them."""
        vocab, i = self.vocab, self.row(word)
        cosine = self.rows @ self.rows[i]
        order = [j for j in np.argsort(-cosine, kind="stable") if j != i and vocab.words[j] != SPECIALS[BOS]][:k]
        found = [Neighbour(vocab.words[j], float(cosine[j]), int(vocab.counts[j])) for j in order]
        return Nearest(vocab.words[i], int(vocab.counts[i]), found)

    def map(self, n: int = 100, also: Sequence[str] = ()) -> Map:
        """Map of the n most frequent words, `<s>` left out, and of some others: principal components of their vectors.

        X = rows - mean = A diag(s) B^T (singular values); the words are at the first two columns of A diag(s).
        """
        vocab = self.vocab
        order = [int(i) for i in np.argsort(-vocab.counts, kind="stable") if vocab.words[i] != SPECIALS[BOS]][:n]
        chosen = list(dict.fromkeys([*order, *map(self.row, also)]))
        X = self.rows[chosen] - self.rows[chosen].mean(axis=0)
        A, s, B = np.linalg.svd(X, full_matrices=False)
        A, s = (np.pad(part, [(0, 0)] * (part.ndim - 1) + [(0, 2)]) for part in (A, s))  # there may be one word alone
        signs = [np.sign(b[np.argmax(abs(b))]) or 1 for b in B[:2]] + [1, 1]  # else the same map might come mirrored
        x, y = (A[:, j] * s[j] * signs[j] for j in range(2))
        share = s**2 / max((s**2).sum(), 1e-300)
        return Map([vocab.words[i] for i in chosen], x.tolist(), y.tolist(), (float(share[0]), float(share[1])))
