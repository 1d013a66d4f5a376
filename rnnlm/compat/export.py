"""Word vectors, weights and hidden vectors of a trained model, for other programs.

Letters: K words, D numbers per vector, n words of a sentence.
"""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from rnnlm import config
from rnnlm.errors import DataError, UsageError
from rnnlm.lm.network import NetworkScorer
from rnnlm.loading import Loaded
from rnnlm.nn.ops import check_numbers
from rnnlm.text.vocab import Vocabulary
from rnnlm.text.windows import Batch

ALIGNMENT = 8  # bytes, of the tensors in a safetensors file
TENSOR_TYPES = {"float32": "F32", "float64": "F64"}


# --- word vectors and weights ---


def word_vectors(
    loaded: Loaded, name: str | None = None, usual: Sequence[str] = ("E",)
) -> tuple[str, Vocabulary, np.ndarray]:
    """A matrix with a row per word, and the vocabulary of K words: (name, vocabulary, (K, D)).

    name: of a parameter; by default the first whose last part is one of `usual`, in their order: E is the embedding.
    Raises UsageError if the model has no such matrix.
    """
    found: dict[str, Vocabulary] = {}
    for each, array in loaded.network.params.named.items():
        vocab = loaded.vocab.outputs if each.startswith(("head.", "decoder.")) else loaded.vocab.inputs
        if array.ndim == 2 and len(array) == len(vocab):
            found[each] = vocab
    if name is None:
        name = next((each for last in usual for each in found if each.split(".")[-1] == last), None)
    if name in found:
        return name, found[name], loaded.network.params.named[name]
    what = "it has no embedding" if name is None else f"{name} is no matrix with a row per word"
    known = ", ".join(found) or "none"
    raise UsageError(f"{loaded.path}: {what}; matrices with a row per word: {known}", "name one with --matrix")


def _descriptions(loaded: Loaded) -> dict[str, str]:
    """Description of the model in a file of weights: its words, a line each, and its configuration as YAML."""
    inputs, outputs = loaded.vocab.inputs, loaded.vocab.outputs
    vocabs = {"words": inputs} if inputs is outputs else {"words": inputs, "outputs": outputs}
    return {name: "\n".join(vocab.words) for name, vocab in vocabs.items()} | {"config": config.dump(loaded.config)}


def write_npz(file: BinaryIO, loaded: Loaded) -> None:
    """Write all weights for `numpy.load`, by their names. Words and configuration are UTF-8 text as arrays of bytes."""
    arrays: dict[str, Any] = dict(loaded.network.params.named)
    arrays |= {name: np.frombuffer(text.encode(), np.uint8) for name, text in _descriptions(loaded).items()}
    np.savez(file, **arrays)


def write_safetensors(file: BinaryIO, loaded: Loaded) -> None:
    """Write all weights in the safetensors format, by their names. Words and configuration are in the metadata.

    The file has the length of a header in 8 bytes, the header in JSON, and the tensors one after the other.
    """
    header: dict[str, Any] = {"__metadata__": _descriptions(loaded)}
    end = 0
    for name, array in loaded.network.params.named.items():
        start, end = end, end + array.nbytes
        kind = TENSOR_TYPES[str(array.dtype)]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    file.write(struct.pack("<Q", len(text)) + text)
    for array in loaded.network.params.named.values():
        file.write(array.astype(array.dtype.newbyteorder("<")).tobytes())


# --- hidden vectors ---


def hidden_vectors(loaded: Loaded, sentences: Iterable[Sequence[str]], carried: bool = False) -> Iterator[np.ndarray]:
    """Hidden vectors of sentences of n words: (n + 1, D) each, the first before any word, the others after each word.

    They are what the output layer sees. carried: the hidden state is carried from sentence to sentence; otherwise each
    sentence is independent. Raises NumericalError if the weights are so large that probabilities are not numbers.
    """
    network = loaded.network
    scorer = NetworkScorer(network, loaded.stream, carried)
    state = network.initial_state(1)
    for words in sentences:
        ids = np.array([scorer.start, *scorer.vocab.read(words)], np.int32)[:, None]
        state = state if carried else network.initial_state(1)
        found = []
        for first in range(0, len(ids), scorer.tokens):
            part = ids[first : first + scorer.tokens]
            batch = Batch(part, part, fresh=False)  # the targets make no difference
            nats, state = network.nats(batch, state)
            check_numbers(nats)
            found.append(network.hidden(batch)[:, 0].copy())
        yield np.concatenate(found)


def write_rows(file: BinaryIO, parts: Iterable[np.ndarray]) -> tuple[int, int]:
    """Write arrays (n, D), one below the other, as one .npy file; return its shape. Raises DataError for no arrays.

    They go through a temporary file, since the header comes first and has the number of rows. So memory is bounded.
    """
    number, like = 0, None
    with tempfile.TemporaryFile() as spool:
        for part in parts:
            spool.write(part.tobytes())
            number, like = number + len(part), part
        if like is None:
            raise DataError("no sentences, and so no hidden vectors", "give a text with a sentence on each line")
        shape = (number, like.shape[1])
        descr = np.lib.format.dtype_to_descr(like.dtype)
        np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
        spool.seek(0)
        shutil.copyfileobj(spool, file)
    return shape
