"""Fill in the blank: the distribution of each word, from the words on both sides of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.cells.padding import turned
from rnnlm.nn.cells.vanilla import Vanilla
from rnnlm.nn.heads import Head, Softmax
from rnnlm.nn.initializers import Glorot, Init, Uniform
from rnnlm.nn.models.base import Model
from rnnlm.nn.models.embedded import Embedded, check_embedding
from rnnlm.nn.models.output import Output, tied
from rnnlm.nn.ops import rows
from rnnlm.nn.params import Views
from rnnlm.text.vocab import BOS, EOS


@dataclass(frozen=True)
class Blank(Model, kind="blank"):
    """Fill-in-the-blank model: p(w_t | all other words) = head([f_{t-1}; b_{t+1}]).

        f_t = cell(E[w_t], f_{t-1}),  b_t = cell'(E[w_t], b_{t+1})

    Two networks that meet only here, one from the left and one from the right (Schuster & Paliwal 1997), so that
    neither has seen w_t: a bidirectional cell on top of another one would have. The word vectors E are shared; a tied
    head has a projection P (2H, D) before it.
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
        check_embedding(self)
        if not self.cell.causal:
            raise ValueError("cell: it would see the word in question; use a causal one, which runs in both directions")

    @cached_property
    def _embedded(self) -> Embedded:
        return Embedded(self.cell, self.embedding, self.init_E, self.dropout_input)

    @cached_property
    def _output(self) -> Output:
        D = self.embedding if self.head.tied else None
        return Output(self.head, 2 * self.cell.n_out, D, self.dropout_output, self.init_P)

    def specs(self, vocab):
        directions = {name: self._embedded.specs(vocab, own_E=False) for name in ("forwards", "backwards")}
        return {**self._embedded.table(vocab), **directions, **self._output.specs(vocab)}

    def tie(self, p):
        """Make the table E known to both directions: all uses add their gradients to it."""
        if self.embedding is None:
            return p
        shared = {name: Views({**p[name], "E": p["E"]}) for name in ("forwards", "backwards")}
        return Views({**(tied(p) if self.head.tied else p), **shared})

    def workspace(self, p, T, B, empty):
        H = self.cell.n_out
        return SimpleNamespace(
            forwards=self._embedded.workspace(p["forwards"], T, B, empty),
            backwards=self._embedded.workspace(p["backwards"], T, B, empty),
            output=self._output.workspace(p, (T, B), empty),
            h=empty(T, B, 2 * H),  # both hidden vectors side by side
            df=empty(T, B, H),
            db=empty(T, B, H),
        )

    def _hidden(self, p, batch, work, rng):
        """Return [f_{t-1}; b_{t+1}], (T, B, 2H). Left of w_1 there is `<s>`, right of the last word `</s>`."""
        words, (T, B), H = batch.targets, batch.targets.shape, self.cell.n_out
        work.order = turned(batch.lengths, T, B)  # row of the word that is t-th from the end
        left, right = words[:-1], words.ravel()[work.order[:-1]]
        left, right = (np.concatenate([np.full((1, B), end, np.int32), x]) for end, x in ((BOS, left), (EOS, right)))
        state = self.cell.initial_state(B, work.h.dtype)
        f, _ = self._embedded.forward(p["forwards"], left, state, work.forwards, rng=rng)
        b, _ = self._embedded.forward(p["backwards"], right, state, work.backwards, rng=rng)
        work.h[:, :, :H] = f
        np.take(rows(b), work.order, axis=0, out=work.db, mode="clip")  # memory that is free until backward
        work.h[:, :, H:] = work.db
        return work.h

    def backward(self, p, g, scale, work):
        H, dh = self.cell.n_out, self._output.backward(p, g, scale, work.output)
        work.df[...] = dh[:, :, :H]
        self._embedded.backward(p["forwards"], g["forwards"], work.df, None, work.forwards)
        work.df[...] = dh[:, :, H:]
        np.take(rows(work.df), work.order, axis=0, out=work.db, mode="clip")
        self._embedded.backward(p["backwards"], g["backwards"], work.db, None, work.backwards)
