"""The language model: words in, the distribution of the next word out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.cells.vanilla import Vanilla
from rnnlm.nn.heads import Head, Softmax
from rnnlm.nn.initializers import Glorot, Init, Uniform
from rnnlm.nn.models.base import Model
from rnnlm.nn.models.embedded import Embedded, check_embedding
from rnnlm.nn.models.output import Output, Penalty, tied


@dataclass(frozen=True)
class LanguageModel(Model, kind="lm"):
    """Language model: x_t = E[w_t];  h_t = cell(x_t, h_{t-1});  y_t = P h_t;  p(w_{t+1} | w_1 ... w_t) = head(y_t).

    E (K, D) is the embedding; without it the ids go straight into the cell's U, which is one-hot input. P (H, D) exists
    only where the head is tied to E and the cell's width H is not D. With `skip`, y_t = P h_t + x_t. Dropout masks stay
    for a window (locked); `dropout_words` drops whole rows of E (Gal & Ghahramani 2016).
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
    noise_input: float = option(0.0, "standard deviation of Gaussian noise on the word vectors", low=0)
    skip: bool = option(False, "whether the head sees the word vector, too: y_t = h_t + x_t")
    ar: float = option(0.0, "activation regularization: price of the mean square of y_t, per token", low=0)
    tar: float = option(0.0, "temporal activation regularization: that of h_t - h_{t-1}", low=0)

    def __post_init__(self):
        check_embedding(self)
        if not self.cell.causal:
            raise ValueError("cell: a language model may not see the words that it predicts; use a causal cell")

    @cached_property
    def _embedded(self) -> Embedded:
        masks = self.dropout_input, self.dropout_words, self.noise_input
        return Embedded(self.cell, self.embedding, self.init_E, *masks, skip=self.skip)

    @cached_property
    def _output(self) -> Output:
        D = self.embedding if self.head.tied and self.embedding != self.cell.n_out else None
        penalty = Penalty(self.ar, self.tar)
        return Output(self.head, self.cell.n_out, D, self.dropout_output, self.init_P, self.skip, penalty)

    def specs(self, vocab):
        return {**self._embedded.specs(vocab), **self._output.specs(vocab)}

    def tie(self, p):
        return tied(p) if self.head.tied else p

    def initial_state(self, B, dtype):
        return self.cell.initial_state(B, dtype)

    def workspace(self, p, T, B, empty):
        embedded, output = self._embedded.workspace(p, T, B, empty), self._output.workspace(p, (T, B), empty)
        return SimpleNamespace(embedded=embedded, output=output)

    def forward(self, p, batch, state, work, rng=None):
        h, state = self._embedded.forward(p, batch.inputs, state, work.embedded, rng=rng)
        return self._output.forward(p, h, batch.targets, work.output, rng, work.embedded.skipped), state

    def backward(self, p, g, scale, work):
        dh = self._output.backward(p, g, scale, work.output)
        self._embedded.backward(p, g, dh, None, work.embedded, work.output.dy if self.skip else None)

    def log_probs(self, p, inputs, state, work):
        h, state = self._embedded.forward(p, inputs, state, work.embedded)
        return self._output.log_probs(p, h, work.output, work.embedded.skipped), state
