"""Initial values of weight matrices. Matrices are (inputs, outputs); each rule draws from an explicit generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rnnlm.config import Choice, option
from rnnlm.errors import UsageError
from rnnlm.text import vectors

Rule = Callable[[tuple[int, ...], np.random.Generator], np.ndarray]


class Init(Choice):
    """A rule that fills a new array: `init(shape, rng) -> array` of that shape in float64."""

    frozen: bool = False  # whether training leaves the array as it is

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        raise NotImplementedError

    def for_words(self, words: Sequence[str]) -> Rule:
        """The rule for a matrix with a row per word. The words make a difference to `Vectors` only."""
        return self


@dataclass(frozen=True)
class Zeros(Init, kind="zeros"):
    """All zeros."""

    def __call__(self, shape, rng):
        return np.zeros(shape)


@dataclass(frozen=True)
class Uniform(Init, kind="uniform"):
    """Uniform distribution U(-scale, scale)."""

    scale: float = option(0.1, "largest absolute value", above=0)

    def __call__(self, shape, rng):
        return rng.uniform(-self.scale, self.scale, shape)


@dataclass(frozen=True)
class Glorot(Init, kind="glorot"):
    """Glorot's uniform distribution U(-a, a) with a = scale sqrt(6 / (inputs + outputs)), which keeps variances level
    (Glorot & Bengio 2010)."""

    scale: float = option(1.0, "factor of the usual range", above=0)

    def __call__(self, shape, rng):
        a = self.scale * np.sqrt(6 / sum(shape))
        return rng.uniform(-a, a, shape)


@dataclass(frozen=True)
class Orthogonal(Init, kind="orthogonal"):
    """Random (semi-)orthogonal matrix times scale: no direction grows or shrinks at first (Saxe et al. 2014)."""

    scale: float = option(1.0, "factor of the matrix; below 1 the state forgets from the start", above=0)

    def __call__(self, shape, rng):
        tall = (max(shape), min(shape))
        Q, R = np.linalg.qr(rng.standard_normal(tall))
        Q *= np.sign(np.diag(R))  # makes the distribution uniform over orthogonal matrices
        return self.scale * (Q if shape == tall else Q.T)


@dataclass(frozen=True)
class Identity(Init, kind="identity"):
    """Identity matrix, scale I: the state is copied on; with ReLU units this is the IRNN (Le, Jaitly & Hinton 2015)."""

    scale: float = option(1.0, "factor of I", above=0)

    def __call__(self, shape, rng):
        n, m = shape
        return self.scale * np.eye(n, m)


@dataclass(frozen=True)
class Chain(Init, kind="chain"):
    """The feedback chain: unit i feeds i+1 with weight `scale` and i-1 with `feedback`, a non-normal start that
    remembers long sequences (Orhan & Pitkow 2020)."""

    scale: float = option(1.0, "weight of the forward chain", above=0)
    feedback: float = option(0.0, "weight of the backward chain")

    def __call__(self, shape, rng):
        n, m = shape
        return self.scale * np.eye(n, m, k=1) + self.feedback * np.eye(n, m, k=-1)


@dataclass(frozen=True)
class TimeScales(Init, kind="timescales"):
    """Time scales, scale diag(alpha), alpha_i = 1 - 1 / tau_i: unit i starts as a leaky memory of tau_i steps.

    tau is spread logarithmically from 1 to `longest`, so that some units follow the last word and others the topic
    (El Hihi & Bengio 1996; Mikolov et al. 2015, who keep these weights fixed).
    """

    scale: float = option(1.0, "factor of the diagonal", above=0)
    longest: float = option(30.0, "time constant of the slowest unit, in steps", low=1)

    def __call__(self, shape, rng):
        tau = self.longest ** np.linspace(0, 1, min(shape))
        W = np.zeros(shape)
        np.fill_diagonal(W, self.scale * (1 - 1 / tau))
        return W


def side_by_side(init: Init, k: int) -> Rule:
    """Start k matrices (n, H) one after the other by `init`, side by side in one (n, k H): the gates of a cell."""

    def start(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        n, width = shape
        return np.hstack([init((n, width // k), rng) for _ in range(k)])

    return start


@dataclass(frozen=True)
class Vectors(Init, kind="vectors"):
    """Word vectors from a file of GloVe or word2vec, text or binary, for an embedding.

    A word that the file lacks is looked up in lower case, too.
    """

    file: str = option(doc="file of word vectors, as long as the embedding is wide")
    frozen: bool = option(False, "whether training leaves the embedding as it is")
    scale: float = option(1.0, "factor of the vectors", above=0)
    other: Init = option(Uniform(0.05), "start of words that the file lacks")

    def __call__(self, shape, rng):
        raise UsageError("an init of kind vectors: has vectors of words", "use it for the embedding, model.init_E")

    def for_words(self, words):
        return WordVectors(self, words)


class WordVectors:
    """The rule of `Vectors` for a matrix (K, D) of K words.

    note: how many words were found, once the matrix is started.
    """

    def __init__(self, init: Vectors, words: Sequence[str]):
        self.init, self.words, self.note = init, words, ""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        E = self.init.other.for_words(self.words)(shape, rng)
        lower = [word.lower() for word in self.words]
        found = vectors.read(self.init.file, {*self.words, *lower}, shape[1])
        exact = [i for i, word in enumerate(self.words) if word in found]
        lowered = [i for i, word in enumerate(self.words) if word not in found and lower[i] in found]
        for names, rows in ((self.words, exact), (lower, lowered)):
            for i in rows:
                E[i] = self.init.scale * found[names[i]]
        number = f"{len(exact) + len(lowered):,} of {len(E):,} words found in {self.init.file}"
        self.note = f"{number}, {len(lowered):,} of them in lower case" if lowered else number
        return E
