"""The classifier: a sentence in, the distribution of its label out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.cells.padding import beyond, ends, ends_add
from rnnlm.nn.cells.vanilla import Vanilla
from rnnlm.nn.heads import Head, Softmax
from rnnlm.nn.initializers import Init, Uniform
from rnnlm.nn.models.base import Model
from rnnlm.nn.models.embedded import Embedded, check_embedding
from rnnlm.nn.models.output import Output


@dataclass(frozen=True)
class Classifier(Model, kind="classifier"):
    """Classifier: h_t = cell(E[w_t], h_{t-1});  p(label | w_1 ... w_T) = head(h_T), or head(mean of h_1 ... h_T).

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
        check_embedding(self, untied="labels are no words, so there is no table to share")

    @cached_property
    def _embedded(self) -> Embedded:
        return Embedded(self.cell, self.embedding, self.init_E, self.dropout_input)

    @cached_property
    def _output(self) -> Output:
        return Output(self.head, self.cell.n_out, dropout=self.dropout_output)

    def specs(self, vocab):
        return {**self._embedded.specs(vocab.inputs), **self._output.specs(vocab.outputs)}

    def workspace(self, p, T, B, empty):
        H = self.cell.n_out
        embedded, output = self._embedded.workspace(p, T, B, empty), self._output.workspace(p, (B,), empty)
        return SimpleNamespace(embedded=embedded, output=output, z=empty(B, H), dh=empty(T, B, H))

    def _hidden(self, p, batch, work, rng):
        """Return h_T or the mean of all h_t, (B, H)."""
        lengths, state = batch.lengths, self.cell.initial_state(batch.sequences, work.z.dtype)
        h, _ = self._embedded.forward(p, batch.inputs, state, work.embedded, lengths, rng=rng)
        if self.pool == "last":
            work.z[...] = ends(h, lengths)
        else:
            np.copyto(work.dh, h)  # memory that is free until backward
            work.dh[beyond(lengths, len(h))] = 0
            np.sum(work.dh, axis=0, out=work.z)
            work.z /= lengths[:, None]
        return work.z

    def backward(self, p, g, scale, work):
        dh, lengths = work.dh, work.embedded.lengths
        dz = self._output.backward(p, g, scale, work.output)
        if self.pool == "last":
            dh[...] = 0
            ends_add(dh, lengths, dz)
        else:
            dz /= lengths[:, None]
            dh[...] = dz
            dh[beyond(lengths, len(dh))] = 0
        self._embedded.backward(p, g, dh, None, work.embedded)
