"""Decoder: writes a sentence word by word, from a first state. Part of seq2seq and vec2seq."""

from __future__ import annotations

from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np

from rnnlm.nn.cells.base import Cell
from rnnlm.nn.dropout import drawn
from rnnlm.nn.heads import Head
from rnnlm.nn.initializers import Init
from rnnlm.nn.models.base import Model
from rnnlm.nn.models.embedded import Embedded, check_embedding
from rnnlm.nn.models.output import Output
from rnnlm.nn.state import State


class DecoderModel(Model):
    """Decoder: s_t = decoder([E[w_{t-1}]; c], s_{t-1}),  p(w_t | w_1 ... w_{t-1}, source) = head(h_t).

    A sentence goes from `<s>` to `</s>`.

    A subclass computes s_0 and c from its source. In training a word that the decoder reads is the true one with the
    probability `teacher_forcing`, and otherwise the likeliest after the words that it has read so far (scheduled
    sampling: Bengio et al. 2015); the gradient does not follow that choice.
    """

    decoder: Cell
    head: Head
    embedding: int | None
    init_E: Init
    teacher_forcing: float
    dropout_input: float
    dropout_output: float

    def check(self) -> None:
        """Raise ValueError where options do not fit together."""
        check_embedding(self, untied="only a language model can share its table; set it to false")
        if self.embedding is None and self._context:
            raise ValueError("context: every_step needs an embedding to stand beside; set model.embedding to its size")
        if not self.decoder.causal:
            raise ValueError("decoder: it may not see the words that it predicts; use a causal cell")

    @cached_property
    def _context(self) -> int:
        """Width C of the vector that the decoder reads at every step; 0: there is none."""
        raise NotImplementedError

    @cached_property
    def _decoder(self) -> Embedded:
        return Embedded(self.decoder, self.embedding, self.init_E, self.dropout_input, context=self._context)

    @cached_property
    def _output(self) -> Output:
        return Output(self.head, self.decoder.n_out, dropout=self.dropout_output)

    def first_state(self, p: Any, batch: Any, work: Any, rng: np.random.Generator | None) -> tuple[State, Any]:
        """Return the decoder's first state, and c (B, C) or None. `work` is that of the source."""
        raise NotImplementedError

    def first_state_backward(self, p: Any, g: Any, dstate: State, dc: Any, work: Any) -> None:
        """Backward of `first_state`: adds to g."""
        raise NotImplementedError

    def _workspace(self, p, T, B, empty, source):
        return SimpleNamespace(
            source=source,  # memory of what precedes the decoder
            decoder=self._decoder.workspace(p["decoder"], T, B, empty),
            # for a single step, where the decoder reads words of its own in training
            step=self._decoder.workspace(p["decoder"], 1, B, empty) if self.teacher_forcing < 1 else None,
            output=self._output.workspace(p, (T, B), empty),
        )

    def _hidden(self, p, batch, work, rng):
        first, c = self.first_state(p, batch, work.source, rng)
        inputs = batch.inputs
        if rng is not None and self.teacher_forcing < 1:
            inputs = self._own_words(p, inputs, first, c, work.step, rng)
        return self._decoder.forward(p["decoder"], inputs, first, work.decoder, c=c, rng=rng)[0]

    def _own_words(self, p, inputs, state, c, work, rng):
        """Return the inputs (T, B) with some replaced by the likeliest word at their place, found step by step."""
        inputs, forced = inputs.copy(), drawn(rng.random, inputs.shape, float, "inputs", axis=1) < self.teacher_forcing
        for t in range(1, len(inputs)):
            h, state = self._decoder.forward(p["decoder"], inputs[t - 1 : t], state, work, c=c)
            likeliest = self.head.log_probs(p["head"], h[0]).argmax(axis=1)
            inputs[t] = np.where(forced[t], inputs[t], likeliest)
        return inputs

    def backward(self, p, g, scale, work):
        dh = self._output.backward(p, g, scale, work.output)
        dfirst, dc = self._decoder.backward(p["decoder"], g["decoder"], dh, None, work.decoder)
        self.first_state_backward(p, g, dfirst, dc, work.source)

    def begin(self, p: Any, batch: Any, work: Any) -> tuple[State, np.ndarray | None]:
        """Return the decoder's first state and c, for writing word by word."""
        first, c = self.first_state(p, batch, work.source, None)
        return first, None if c is None else c.copy()

    def next(self, p: Any, ids: np.ndarray, state: State, c: np.ndarray | None, work: Any):
        """Return log p of each word, (B, K), after the words ids (B,), and the state."""
        h, state = self._decoder.forward(p["decoder"], ids[None], state, work.decoder, c=c)
        return self.head.log_probs(p["head"], h[0]), state
