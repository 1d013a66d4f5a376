"""The classifier: a sentence in, one label out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell, beyond, ends, ends_add
from rnnlm.nn.cells.vanilla import Vanilla
from rnnlm.nn.heads import Head, Softmax
from rnnlm.nn.initializers import Init, Uniform
from rnnlm.nn.models.base import Model
from rnnlm.nn.models.reader import Reader
from rnnlm.nn.models.reader import Work as Reading
from rnnlm.nn.ops import dropout_mask


@dataclass
class Work:
    reader: Reading
    head: Any
    z: np.ndarray  # (B, H) what the head sees
    dz: np.ndarray  # (B, H)
    mask: np.ndarray  # (B, H)
    dy: np.ndarray  # (T, B, H)


@dataclass(frozen=True)
class Classifier(Model, kind="classifier"):
    """h_t = cell(E[w_t], h_{t-1});  p(label | w_1 ... w_T) = head(h_T), or of the mean of h_1 ... h_T.

    T is each sentence's own length. A bidirectional cell has read the whole sentence only in the mean: at T its
    backward half has seen the last word alone.
    """

    readings = ("labelled",)
    instead = (
        "a classifier gives a label to a whole sentence, and no probability to its words",
        "`rnnlm predict` prints labels, `rnnlm eval` the accuracy",
    )

    cell: Cell = option(Vanilla(), "the recurrence")
    head: Head = option(Softmax(), "from a hidden vector to labels")
    embedding: int | None = option(None, "size D of the word vectors; null: one-hot input", low=1)
    init_E: Init = option(Uniform(0.05), "start of the embedding E")
    pool: Literal["last", "mean"] = option("last", "what is classified: h_T, or the mean of all h_t")
    dropout_input: float = option(0.0, "share of the word vectors' components dropped", low=0, below=1)
    dropout_output: float = option(0.0, "share of the head's inputs dropped", low=0, below=1)

    def __post_init__(self):
        if self.head.tied:
            raise ValueError("head.tied: labels are no words, so there is no table to share")
        if self.embedding is None and self.dropout_input:
            raise ValueError("dropout_input: needs an embedding; set model.embedding to its size")

    @property
    def _reader(self):
        return Reader(self.cell, self.embedding, self.init_E, self.dropout_input)

    def specs(self, vocab):
        return {**self._reader.specs(len(vocab.inputs)), "head": self.head.specs(self.cell.n_out, vocab.outputs)}

    def initial_state(self, p, B):
        return ()  # nothing is carried from batch to batch

    def workspace(self, p, T, B, empty):
        H = self.cell.n_out
        return Work(
            self._reader.workspace(p, T, B, empty), self.head.workspace(p["head"], B, empty),
            z=empty(B, H), dz=empty(B, H), mask=empty(B, H), dy=empty(T, B, H),
        )  # fmt: skip

    def forward(self, p, batch, state, work, rng=None):
        z = self._hidden(p, batch.inputs, batch.lengths, work, rng)
        return self.head.forward(p["head"], z, batch.targets, work.head), state

    def label_log_probs(self, p, inputs, lengths, work):
        """Sentences (T, B) with lengths (B,) -> log p of every label, (B, K)."""
        return self.head.log_probs(p["head"], self._hidden(p, inputs, lengths, work, None))

    def _hidden(self, p, inputs, lengths, work, rng):
        """-> what the head sees, (B, H)."""
        state = self._reader.initial_state(p, len(lengths))
        y, _ = self._reader.forward(p, inputs, state, work.reader, lengths, rng=rng)
        if self.pool == "last":
            work.z[...] = ends(y, lengths)
        else:
            np.copyto(work.dy, y)  # memory that is free until backward
            work.dy[beyond(lengths, len(y))] = 0
            np.sum(work.dy, axis=0, out=work.z)
            work.z /= lengths[:, None]
        if self.dropout_output:
            dropout_mask(self.dropout_output, rng, out=work.mask)
            work.z *= work.mask
        return work.z

    def backward(self, p, g, scale, work):
        dy, dz, lengths = work.dy, work.dz, work.reader.lengths
        self.head.backward(p["head"], g["head"], scale, work.head, dz)
        if self.dropout_output:
            dz *= work.mask
        if self.pool == "last":
            dy[...] = 0
            ends_add(dy, lengths, dz)
        else:
            dz /= lengths[:, None]
            dy[...] = dz
            dy[beyond(lengths, len(dy))] = 0
        self._reader.backward(p, g, dy, None, work.reader)
