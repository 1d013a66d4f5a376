"""Fill in the blank: each word from the words on both sides of it."""

from __future__ import annotations

from dataclasses import dataclass
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
from rnnlm.text.vocab import BOS, EOS


@dataclass
class Work:
    forwards: Reading
    backwards: Reading
    order: np.ndarray | None  # (T, B) where the word that is t-th from the end stands, counted in rows
    h: np.ndarray  # (T, B, 2H) both hidden vectors side by side
    dh: np.ndarray  # (T, B, 2H)
    df: np.ndarray  # (T, B, H)
    db: np.ndarray  # (T, B, H)
    y: np.ndarray  # (T, B, D') h or its projection, under the output mask
    dy: np.ndarray  # (T, B, D')
    mask: np.ndarray  # (B, D')
    head: Any


@dataclass(frozen=True)
class Blank(Model, kind="blank"):
    """f_t = cell(E[w_t], f_{t-1}),  b_t = cell'(E[w_t], b_{t+1});  p(w_t | all other words) = head([f_{t-1}; b_{t+1}]).

    Two networks that meet only here, one from the left and one from the right (Schuster & Paliwal 1997), so that
    neither has seen w_t: a bidirectional cell on top of another one would have. The words' vectors E are shared; with a
    tied head P (2H, D) stands before it.
    """

    readings = ("blanks",)
    perplexity = "pppl"
    instead = (
        "a blank model predicts a word from the words on both sides, so it can neither write a text from left to right "
        "nor give it a probability",
        "`rnnlm fill` fills in blanks, `rnnlm eval` reports pseudo-perplexity",
    )

    cell: Cell = option(Vanilla(), "the recurrence, once for each direction")
    head: Head = option(Softmax(), "from both hidden vectors to words")
    embedding: int | None = option(None, "size D of the word vectors; null: one-hot input", low=1)
    init_E: Init = option(Uniform(0.05), "start of the embedding E")
    init_P: Init = option(Glorot(), "start of the projection P")
    dropout_input: float = option(0.0, "share of the word vectors' components dropped", low=0, below=1)
    dropout_output: float = option(0.0, "share of the head's inputs dropped", low=0, below=1)

    def __post_init__(self):
        if self.embedding is None and self.head.tied:
            raise ValueError("head.tied: needs an embedding to share; set model.embedding to its size")
        if self.embedding is None and self.dropout_input:
            raise ValueError("dropout_input: needs an embedding; set model.embedding to its size")
        if not self.cell.causal:
            raise ValueError("cell: it would see the word in question; use a causal one, which runs in both directions")

    @property
    def _reader(self):
        return Reader(self.cell, self.embedding, self.init_E, self.dropout_input)

    def specs(self, vocab):
        K, D, H = len(vocab), self.embedding, self.cell.n_out
        specs = {} if D is None else {"E": Spec((K, D), self.init_E)}
        specs["forwards"] = self._reader.specs(K, own_E=False)
        specs["backwards"] = self._reader.specs(K, own_E=False)
        if self.head.tied:
            specs["P"] = Spec((2 * H, D), self.init_P)
        specs["head"] = self.head.specs(D if self.head.tied else 2 * H, vocab)
        return specs

    def tie(self, p):
        """The table E is known to both directions, and as V to a tied head: all uses add their gradients into it."""
        if self.embedding is None:
            return p
        shared = {name: Views({**p[name], "E": p["E"]}) for name in ("forwards", "backwards")}
        if self.head.tied:
            shared["head"] = Views({**p["head"], "V": p["E"]})
        return Views({**p, **shared})

    def initial_state(self, p, B):
        return ()  # nothing is carried from batch to batch

    def workspace(self, p, T, B, empty):
        H = self.cell.n_out
        n_y = self.embedding if self.head.tied else 2 * H
        return Work(
            self._reader.workspace(p["forwards"], T, B, empty), self._reader.workspace(p["backwards"], T, B, empty),
            order=None, h=empty(T, B, 2 * H), dh=empty(T, B, 2 * H), df=empty(T, B, H), db=empty(T, B, H),
            y=empty(T, B, n_y), dy=empty(T, B, n_y), mask=empty(B, n_y),
            head=self.head.workspace(p["head"], T * B, empty),
        )  # fmt: skip

    def forward(self, p, batch, state, work, rng=None):
        y = self._hidden(p, batch, work, rng)
        nats = self.head.forward(p["head"], rows(y), batch.targets.ravel(), work.head)
        return nats.reshape(batch.targets.shape), state

    def blank_log_probs(self, p: Any, batch: Any, work: Work) -> np.ndarray:
        """log p of every word in the place of each target of a batch, given all others: (T, B, K)."""
        y = self._hidden(p, batch, work, None)
        return self.head.log_probs(p["head"], rows(y)).reshape(*batch.targets.shape, -1)

    def _hidden(self, p, batch, work, rng):
        """-> what the head sees, (T, B, D'). Left of w_1 there is `<s>`, right of the last word `</s>`."""
        words, (T, B) = batch.targets, batch.targets.shape
        t, H = np.arange(T)[:, None], self.cell.n_out
        work.order = np.where(t < batch.lengths, batch.lengths - 1 - t, t) * B + np.arange(B)  # its own inverse
        left, right = words[:-1], words.ravel()[work.order[:-1]]
        left, right = (np.concatenate([np.full((1, B), end, np.int32), x]) for end, x in ((BOS, left), (EOS, right)))
        f, b = (self._reader.initial_state(p[name], B) for name in ("forwards", "backwards"))
        f, _ = self._reader.forward(p["forwards"], left, f, work.forwards, rng=rng)
        b, _ = self._reader.forward(p["backwards"], right, b, work.backwards, rng=rng)
        work.h[:, :, :H] = f
        np.take(rows(b), work.order, axis=0, out=work.db, mode="clip")  # memory that is free until backward
        work.h[:, :, H:] = work.db
        y = work.h
        if self.head.tied:
            project(work.h, p["P"], out=work.y)
            y = work.y
        if self.dropout_output:
            dropout_mask(self.dropout_output, rng, out=work.mask)
            y = np.multiply(y, work.mask, out=work.y)
        return y

    def backward(self, p, g, scale, work):
        H, dy = self.cell.n_out, work.dy
        self.head.backward(p["head"], g["head"], scale.ravel(), work.head, rows(dy))
        if self.dropout_output:
            dy *= work.mask
        if self.head.tied:
            project_backward(work.h, dy, p["P"], g["P"], work.dh)
            dy = work.dh
        work.df[...] = dy[:, :, :H]
        self._reader.backward(p["forwards"], g["forwards"], work.df, None, work.forwards)
        work.df[...] = dy[:, :, H:]
        np.take(rows(work.df), work.order, axis=0, out=work.db, mode="clip")
        self._reader.backward(p["backwards"], g["backwards"], work.db, None, work.backwards)
