"""Tasks other than a running text: examples of two parts, from files to batches.

A labelled sentence is `label<TAB>text`, a pair `source<TAB>target`, and a vector stands in the row of a matrix (`.npy`)
that belongs to the line of a text. Each reading serves batches as `rnnlm.text.windows.Stream` and `Sentences` do, but
nothing is carried from one batch to the next.

Letters: T time steps, B examples of a batch, S steps of a source, C numbers of a vector.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnnlm.errors import DataError
from rnnlm.text.corpus import Corpus, digest_of, encode
from rnnlm.text.lines import BLOCK, TextPath
from rnnlm.text.vocab import BOS, EOS, Labels, Vocabularies, Vocabulary
from rnnlm.text.windows import BlankBatch, LabelledBatch, PairBatch, Sentences, VectorBatch, padded

# --- corpora -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Examples:
    """A text, and what belongs to each of its sentences. A subclass says what that is, and how it is cut in two."""

    text: Corpus

    @property
    def name(self) -> str:
        return self.text.name

    @property
    def sha256(self) -> str:
        """Of everything that was read."""
        return self.text.sha256

    @property
    def sentences(self) -> int:
        return self.text.sentences

    @property
    def words(self) -> int:
        return self.text.words

    @property
    def oovs(self) -> int:
        return self.text.oovs


@dataclass(frozen=True, eq=False)
class Labelled(Examples):
    """Sentences with a label each: labels (sentences,) int32."""

    labels: np.ndarray

    def cut(self, n: int) -> tuple[Labelled, Labelled]:
        """The first n examples, and the others."""
        head, tail = self.text.cut(n)
        return Labelled(head, self.labels[:n]), Labelled(tail, self.labels[n:])


@dataclass(frozen=True, eq=False)
class Pairs(Examples):
    """Source sentences (`text`) and a target sentence for each."""

    target: Corpus

    def cut(self, n: int) -> tuple[Pairs, Pairs]:
        """The first n examples, and the others."""
        (head, tail), (head_target, tail_target) = self.text.cut(n), self.target.cut(n)
        return Pairs(head, head_target), Pairs(tail, tail_target)


@dataclass(frozen=True, eq=False)
class Vectors(Examples):
    """Sentences with a vector each: row rows[i] of `vectors`, a matrix mapped from disk, belongs to sentence i."""

    vectors: np.ndarray  # (lines of the text, C)
    rows: np.ndarray  # (sentences,)
    digest: str  # of the file of vectors

    @property
    def sha256(self) -> str:
        return _with_vectors(self.text.sha256, self.digest)

    def cut(self, n: int) -> tuple[Vectors, Vectors]:
        """The first n examples, and the others."""
        head, tail = self.text.cut(n)
        return (
            Vectors(head, self.vectors, self.rows[:n], self.digest),
            Vectors(tail, self.vectors, self.rows[n:], self.digest),
        )


def labelled(paths: list[str], vocab: Vocabularies) -> Labelled:
    """Encode labelled text. Raises DataError as `encode` does, and for a label that the training text lacks."""
    assert isinstance(vocab.outputs, Labels)
    text = encode(paths, vocab.inputs, column=1)
    labels = np.asarray(encode(paths, vocab.outputs, column=0).ids[::2])  # each is a "sentence" of one token
    if unknown := int((labels < 0).sum()):
        known = ", ".join(vocab.outputs.words[:10]) + (", ..." if len(vocab.outputs) > 10 else "")
        line = int(text.table[np.argmin(labels), 2])
        raise DataError(
            f"{text.name}:{line}: a label that the training text lacks (the first of {unknown} such lines)",
            f"known labels: {known}",
        )
    return Labelled(text, labels)


def pairs(paths: list[str], vocab: Vocabularies) -> Pairs:
    """Encode pairs. Raises DataError as `encode` does."""
    return Pairs(encode(paths, vocab.inputs, column=0), encode(paths, vocab.outputs, column=1))


def vectors(path: str, vocab: Vocabulary, width: int) -> Vectors:
    """Encode a text and map the vectors beside it (see `matrix_of`). Raises DataError unless the two fit together."""
    text = encode([path], vocab)
    file = matrix_of(path)
    matrix = matrix_from(file, width)
    if len(matrix) != text.sentences + text.blank:
        raise DataError(
            f"{file}: {len(matrix)} vectors, but {path} has {text.sentences + text.blank} lines",
            "the vector of a line stands in the row of its number",
        )
    return Vectors(text, matrix, np.asarray(text.table[:, 2]) - 1, digest_of([file]))


def digest_of_vectors(path: TextPath) -> str:
    """SHA-256 (hex) of a text and the vectors beside it."""
    return _with_vectors(digest_of([path]), digest_of([matrix_of(path)]))


def _with_vectors(text: str, vectors: str) -> str:
    return hashlib.sha256(f"{text} {vectors}".encode()).hexdigest()


def matrix_of(path: TextPath) -> Path:
    """Where the vectors of a text stand: beside it, under its name with the suffix .npy."""
    return Path(path).with_suffix(".npy")


def matrix_from(file: TextPath, width: int) -> np.ndarray:
    """The matrix (n, width) in a .npy file, mapped and not read. Raises DataError for anything else."""
    hint = "a matrix with a vector in each row, as numpy.save writes it"
    try:
        if not os.path.isfile(file) and os.path.exists(file):
            raise DataError(f"{file}: is a directory, a pipe or a device, not a file", f"expected {hint}")
        matrix = np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{file}: no such file (tried {Path(file).absolute()})", f"expected {hint}") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or 'not a .npy file'}", f"expected {hint}") from None
    except (ValueError, EOFError):
        raise DataError(f"{file}: not a .npy file of numbers, or a damaged one", f"expected {hint}") from None
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or matrix.dtype.kind not in "iufb":
        found = f"{matrix.dtype} of shape {matrix.shape}" if isinstance(matrix, np.ndarray) else "an archive"
        raise DataError(f"{file}: found {found}, expected numbers in a matrix", hint)
    if matrix.shape[1] != width:
        raise DataError(
            f"{file}: vectors of {matrix.shape[1]} numbers, expected {width}",
            "set model.vector to their width",
        )
    for first in range(0, len(matrix), BLOCK):
        finite = np.isfinite(matrix[first : first + BLOCK]).all(axis=1)
        if not finite.all():
            raise DataError(
                f"{file}: row {first + int(np.argmin(finite)) + 1} has a number that is not finite",
                "remove or replace it",
            )
    return matrix


# --- readings ------------------------------------------------------------------------------------------------------


class WholeSentences(Sentences):
    """Sentences that are never cut, however long."""

    def __init__(self, text: Corpus, batch: int, lengths: np.ndarray | None = None):
        lengths = np.diff(text.ends, prepend=0) if lengths is None else lengths
        super().__init__(text, batch, max(64 * batch, 2048, int(lengths.max())), lengths)
        self.mean_tokens = len(text.ids) / len(self)  # of a batch


class Blanks(WholeSentences):
    """Sentences of which every word is predicted, and the sentence end is not, those of similar length side by side."""

    def __init__(self, text: Corpus, batch: int):
        super().__init__(text, batch)
        self.mean_tokens = text.words / len(self)

    def _read(self, sentences: np.ndarray) -> Iterator[BlankBatch]:  # type: ignore[override]
        lengths = self._lengths[sentences] - 1
        words, valid = padded(self._ids, self._ends[sentences] - 1 - lengths, lengths)
        yield BlankBatch(words, lengths, None if valid.all() else valid.astype(np.float32))


class LabelledSentences(WholeSentences):
    """Sentences with their labels, those of similar length side by side."""

    def __init__(self, examples: Labelled, batch: int):
        super().__init__(examples.text, batch)
        self._labels = examples.labels
        self.mean_tokens = examples.sentences / len(self)

    def _read(self, sentences: np.ndarray) -> Iterator[LabelledBatch]:  # type: ignore[override]
        for batch in super()._read(sentences):
            yield LabelledBatch(batch.inputs, self._lengths[sentences], self._labels[sentences])


class VectorSentences(WholeSentences):
    """Sentences with their vectors, those of similar length side by side."""

    def __init__(self, examples: Vectors, batch: int):
        super().__init__(examples.text, batch)
        self._vectors, self._rows = examples.vectors, examples.rows

    def _read(self, sentences: np.ndarray) -> Iterator[VectorBatch]:  # type: ignore[override]
        for batch in super()._read(sentences):
            yield VectorBatch(self._vectors[self._rows[sentences]], batch.inputs, batch.targets, batch.weights)


class PairSentences(WholeSentences):
    """Pairs of similar length, which is that of the longer of the two, side by side."""

    def __init__(self, examples: Pairs, batch: int):
        self._target, self._target_ends = examples.target.ids, examples.target.ends
        self._source_lengths = np.diff(examples.text.ends, prepend=0)
        self._target_lengths = np.diff(self._target_ends, prepend=0)
        super().__init__(examples.text, batch, np.maximum(self._source_lengths, self._target_lengths))
        self.mean_tokens = len(self._target) / len(self)

    def _read(self, sentences: np.ndarray) -> Iterator[PairBatch]:  # type: ignore[override]
        lengths = self._source_lengths[sentences] - 1  # without the sentence end
        source, known = padded(self._ids, self._ends[sentences] - 1 - lengths, lengths)
        ends, target_lengths = self._target_ends[sentences], self._target_lengths[sentences]
        targets, valid = padded(self._target, ends - target_lengths, target_lengths)
        inputs = np.concatenate([np.full((1, len(sentences)), BOS, np.int32), targets[:-1]])
        weights = None if valid.all() else valid.astype(np.float32)
        yield PairBatch(source, None if known.all() else lengths, inputs, targets, weights)


# --- questions, whose targets are not known ------------------------------------------------------------------------


def sentences(ids: list[list[int]]) -> LabelledBatch:
    """Sentences to classify."""
    lengths = np.array([len(one) for one in ids])
    words, _ = padded(np.array([i for one in ids for i in one], np.int32), np.cumsum(lengths) - lengths, lengths)
    inputs = np.concatenate([np.full((1, len(ids)), BOS, np.int32), words])
    return LabelledBatch(inputs, lengths + 1, np.zeros(len(ids), np.int32))


def sources(ids: list[list[int]]) -> PairBatch:
    """Sources to answer, each of a word at least."""
    lengths = np.array([len(one) for one in ids])
    source, known = padded(np.array([i for one in ids for i in one], np.int32), np.cumsum(lengths) - lengths, lengths)
    nothing = np.full((1, len(ids)), EOS, np.int32)
    return PairBatch(source, None if known.all() else lengths, nothing, nothing)


def rows(vectors: np.ndarray) -> VectorBatch:
    """Vectors (B, C) to put into words."""
    nothing = np.full((1, len(vectors)), EOS, np.int32)
    return VectorBatch(vectors, nothing, nothing)
