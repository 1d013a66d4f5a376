"""The language model: words in, the distribution of the next word out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.cells.vanilla import Vanilla
from rnnlm.nn.heads import Head, Softmax
from rnnlm.nn.initializers import Glorot, Init, Uniform
from rnnlm.nn.models.base import Model
from rnnlm.nn.models.reader import Reader
from rnnlm.nn.models.reader import Work as Reading
from rnnlm.nn.ops import dropout_mask, project, project_backward, rows
from rnnlm.nn.params import Spec, Views


@dataclass
class Work:
    reader: Reading
    h: np.ndarray | None  # (T, B, H) the cell's outputs
    y: np.ndarray  # (T, B, D') h, or its projection, under the output mask
    mask_y: np.ndarray  # (B, D')
    head: Any
    dy: np.ndarray  # (T, B, D')
    dh: np.ndarray | None  # (T, B, H), where P stands between
    top: np.ndarray | None = None  # (T, B, D') what the head saw: h or y


@dataclass(frozen=True)
class LanguageModel(Model, kind="lm"):
    """x_t = E[w_t];  h_t = cell(x_t, h_{t-1});  y_t = P h_t;  p(w_{t+1} | w_1 ... w_t) = head(y_t).

    E (K, D) is the embedding; without it the ids go straight into the cell's U, which is one-hot input. P (H, D) exists
    only where the head is tied to E and the cell's width H is not D. Dropout masks stay for a window (locked);
    `dropout_words` drops whole rows of E (Gal & Ghahramani 2016).
    """

    readings = ("stream", "sentences")
    instead = (
        "a language model gives words their probability from those before, and does not look behind a blank",
        "for blanks train a model of kind blank; this one is for `rnnlm sample`, `score`, `predict`",
    )

    cell: Cell = option(Vanilla(), "the recurrence")
    head: Head = option(Softmax(), "from hidden vectors to words")
    embedding: int | None = option(None, "size D of the word vectors; null: one-hot input", low=1)
    init_E: Init = option(Uniform(0.05), "start of the embedding E")
    init_P: Init = option(Glorot(), "start of the projection P")
    dropout_words: float = option(0.0, "share of the vocabulary whose word vectors are dropped", low=0, below=1)
    dropout_input: float = option(0.0, "share of the word vectors' components dropped", low=0, below=1)
    dropout_output: float = option(0.0, "share of the head's inputs dropped", low=0, below=1)

    def __post_init__(self):
        if self.embedding is None and self.head.tied:
            raise ValueError("head.tied: needs an embedding to share; set model.embedding to its size")
        for name in ("dropout_words", "dropout_input"):
            if self.embedding is None and getattr(self, name):
                raise ValueError(f"{name}: needs an embedding; set model.embedding to its size")
        if not self.cell.causal:
            raise ValueError("cell: a language model may not see the words that it predicts; use a causal cell")

    @cached_property
    def _reader(self):
        return Reader(self.cell, self.embedding, self.init_E, self.dropout_input, self.dropout_words)

    @property
    def _projected(self):
        return self.head.tied and self.cell.n_out != self.embedding

    def specs(self, vocab):
        D, H = self.embedding, self.cell.n_out
        specs = self._reader.specs(len(vocab))
        if self._projected:
            specs["P"] = Spec((H, D), self.init_P)
        specs["head"] = self.head.specs(D if self._projected else H, vocab)
        return specs

    def tie(self, p):
        """With a tied head, E is known to the head as V: both uses add their gradients into the one array."""
        return Views({**p, "head": Views({**p["head"], "V": p["E"]})}) if self.head.tied else p

    def initial_state(self, p, B):
        return self._reader.initial_state(p, B)

    def workspace(self, p, T, B, empty):
        H = self.cell.n_out
        n_y = self.embedding if self._projected else H
        return Work(
            self._reader.workspace(p, T, B, empty), h=None, y=empty(T, B, n_y), mask_y=empty(B, n_y),
            head=self.head.workspace(p["head"], T * B, empty),
            dy=empty(T, B, n_y), dh=empty(T, B, H) if self._projected else None,
        )  # fmt: skip

    def forward(self, p, batch, state, work, rng=None):
        y, state = self._hidden(p, batch.inputs, state, work, rng)
        nats = self.head.forward(p["head"], rows(y), batch.targets.ravel(), work.head)
        return nats.reshape(batch.targets.shape), state

    def log_probs(self, p, inputs, state, work):
        y, state = self._hidden(p, inputs, state, work, None)
        return self.head.log_probs(p["head"], rows(y)).reshape(*inputs.shape, -1), state

    def _hidden(self, p, inputs, state, work, rng):
        """Ids (T, B) -> what the head sees, (T, B, D'), and the state after the window."""
        work.h, state = self._reader.forward(p, inputs, state, work.reader, rng=rng)
        y = work.h
        if self._projected:
            project(work.h, p["P"], out=work.y)
            y = work.y
        if self.dropout_output:
            dropout_mask(self.dropout_output, rng, out=work.mask_y)
            y = np.multiply(y, work.mask_y, out=work.y)
        work.top = y
        return y, state

    def backward(self, p, g, scale, work):
        dy = work.dy
        self.head.backward(p["head"], g["head"], scale.ravel(), work.head, rows(dy))
        if self.dropout_output:
            dy *= work.mask_y
        if self._projected:
            project_backward(work.h, dy, p["P"], g["P"], work.dh)
            dy = work.dh
        self._reader.backward(p, g, dy, None, work.reader)

    def hidden(self, work):
        return work.top
