"""Captioning: sentences, and a vector for each in the row of a matrix (`.npy`) whose number is that of the line."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnnlm.errors import DataError, UsageError
from rnnlm.files import is_stream, refuse_irregular
from rnnlm.nn.gradcheck import synthetic_batch
from rnnlm.tasks.base import Examples, sentence, targets_of, text_of, verdict
from rnnlm.tasks.decode import MAX_TOKENS, Decoding, decoder_side, greedy
from rnnlm.tasks.unrolled import Unrolled, run
from rnnlm.text.corpus import digest_of, encode
from rnnlm.text.lines import BLOCK, STDIN, TextPath, text_name
from rnnlm.text.vocab import BOS, EOS
from rnnlm.text.windows import VectorBatch, shifted, weights_of


@dataclass(frozen=True, eq=False)
class Captions(Examples):
    """Sentences, each with a vector: for sentence i, row other[i] of a matrix that is mapped from disk."""

    vectors: Any = None  # (lines of the text, C)


class Vectors(Decoding, reading="vectors"):
    """Sentences that are predicted from a vector each."""

    doc = "lines with a vector each, in a .npy file of the same name"
    next = ("predict {} VECTORS.npy",)

    def check(self, data):
        super().check(data)
        if len(data.train) > 1:
            raise ValueError(f"train: with reading vectors one file is expected, found {len(data.train)}")

    def encode(self, paths, words, data, model):
        """Sentences and vectors. Raises DataError, too, unless there is a vector of the model's width for each line."""
        (path,) = paths
        if path == STDIN or is_stream(path):
            raise UsageError(f"{text_name(path)}: has no file of vectors beside it", "name a file")
        text, file = encode([path], words), matrix_of(path)
        matrix, lines = load_matrix(file, model.vector), text.sentences + text.blank
        if len(matrix) != lines:
            raise DataError(
                f"{file}: {len(matrix)} vectors, but {path} has {lines} lines",
                "the vector of a line stands in the row of its number",
            )
        sha256 = combined(text.sha256, digest_of([file], texts=False))
        return Captions.of(text, text.table[:, 2] - 1, vectors=matrix, sha256=sha256)

    def digest(self, path):
        return combined(digest_of([path]), digest_of([matrix_of(path)], texts=False))

    def batch(self, corpus, sentences):
        targets, valid, _ = targets_of(corpus, sentences)
        return VectorBatch(
            corpus.vectors[corpus.other[sentences]], shifted(targets, BOS), targets, weights=weights_of(valid)
        )

    def questions(self, network, text):
        """Each row of the matrix in the file that `text` names."""
        if text == STDIN:
            raise UsageError("vectors are read from a file, not from standard input", "name a matrix (.npy)")
        matrix = load_matrix(text, network.model.vector)
        for i in range(len(matrix)):
            yield {"row": i + 1}, vector_batch(matrix[i]), ""

    def examples(self, network, text):
        """Each row of the matrix in the file that `text` names, with its name."""
        for question, batch, _ in self.questions(network, text):
            yield f"{text}:{question['row']}", batch.vectors[0]

    def unroll(self, network, example, k):
        """A vector and the answer to it: L = -log p of the answer."""
        name, vector = example
        found = greedy(network, vector_batch(vector), MAX_TOKENS)[0].ids
        batch = vector_batch(vector, found)
        bits, seen = run(network, batch)
        answer = [network.vocab.words[i] for i in found]
        side = decoder_side(network, batch, answer, bits, seen, k)
        return Unrolled(name, "-log p of the answer", float(bits.sum()), [side])

    def examples_in(self, network, path):
        """The rows of a matrix, or of the one that belongs to a text."""
        return self.examples(network, path if path.endswith(".npy") else str(matrix_of(path)))

    def sample(self, network, corpus, i, rng):
        true = sentence(corpus, i)
        (found,) = greedy(network, vector_batch(corpus.vectors[corpus.other[i]]), 2 * len(true) + 10)
        guess, answer = (text_of(network.vocab, ids) for ids in (found.ids, true))
        return f"{guess} {verdict(guess, answer)}"

    def synthetic_batch(self, network, T, B, rng):
        text = synthetic_batch(len(network.vocab), T, B, rng)
        vectors = rng.standard_normal((B, network.model.vector))
        return VectorBatch(vectors, text.inputs, text.targets, weights=text.weights)


def vector_batch(vector: np.ndarray, sentence: Sequence[int] = ()) -> VectorBatch:
    """Batch of one vector (C,), and of the ids of its sentence, if it is known."""
    targets = np.array([*sentence, EOS], np.int32)[:, None]
    return VectorBatch(vector[None], shifted(targets, BOS), targets)


def combined(text: str, vectors: str) -> str:
    """SHA-256 (hex) of two files from theirs."""
    return hashlib.sha256(f"{text} {vectors}".encode()).hexdigest()


def matrix_of(path: TextPath) -> Path:
    """Path of the vectors of a text: its own with the suffix .npy."""
    return Path(path).with_suffix(".npy")


def load_matrix(file: TextPath, width: int) -> np.ndarray:
    """Matrix (n, width) in a .npy file, mapped into memory. Raises DataError for anything else."""
    hint = "a matrix with a vector in each row, as numpy.save writes it"
    try:
        if str(file):  # Path("") would be the working directory
            refuse_irregular(Path(file))
        matrix = np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{file}: no such file (tried {Path(file).absolute()})", f"expected {hint}") from None
    except (OSError, ValueError, EOFError) as error:
        why = getattr(error, "strerror", None) or "not a .npy file of numbers, or a damaged one"
        raise DataError(f"{file}: {why}", f"expected {hint}") from None
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or matrix.dtype.kind not in "iufb":
        found = f"{matrix.dtype} of shape {matrix.shape}" if isinstance(matrix, np.ndarray) else "an archive"
        raise DataError(f"{file}: found {found}, expected numbers in a matrix", hint)
    if matrix.shape[1] != width:
        hint = "set model.vector to their width"
        raise DataError(f"{file}: vectors of {matrix.shape[1]} numbers, expected {width}", hint)
    for first in range(0, len(matrix), BLOCK):
        finite = np.isfinite(matrix[first : first + BLOCK]).all(axis=1)
        if not finite.all():
            row = first + int(np.argmin(finite)) + 1
            raise DataError(f"{file}: row {row} has a number that is not finite", "remove or replace it")
    return matrix
