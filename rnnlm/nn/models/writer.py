"""What seq2seq and vec2seq share: a decoder, which writes a sentence from where something else has put it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rnnlm.nn.cells.base import Cell
from rnnlm.nn.heads import Head
from rnnlm.nn.initializers import Init
from rnnlm.nn.models.base import Model
from rnnlm.nn.models.reader import Reader
from rnnlm.nn.models.reader import Work as Reading
from rnnlm.nn.ops import dropout_mask, rows
from rnnlm.nn.state import State


@dataclass
class Work:
    given: Any  # of what stands before the decoder
    decoder: Reading
    step: Reading | None  # for a single step, where the decoder is to read what it wrote
    head: Any
    y: np.ndarray  # (T, B, H) what the head sees, where units are dropped
    dy: np.ndarray  # (T, B, H)
    mask: np.ndarray  # (B, H)


class Writer(Model):
    """s_t = decoder([E[w_{t-1}]; c], s_{t-1}),  p(w_t | w_1 ... w_{t-1}, given) = head(h_t), from `<s>` to `</s>`.

    A subclass says where s_0 and c come from. In training a word that the decoder reads is the true one with the
    probability `teacher_forcing`, and otherwise the likeliest after what it has read so far (scheduled sampling: Bengio
    et al. 2015); the gradient does not follow that choice.
    """

    decoder: Cell
    head: Head
    embedding: int | None
    init_E: Init
    teacher_forcing: float
    dropout_input: float
    dropout_output: float

    def check(self) -> None:
        """The rules between options that all writers have."""
        if self.head.tied:
            raise ValueError("head.tied: only a language model can share its table; set it to false")
        if self.embedding is None and self.dropout_input:
            raise ValueError("dropout_input: needs an embedding; set model.embedding to its size")
        if self.embedding is None and self._beside:
            raise ValueError("context: every_step needs an embedding to stand beside; set model.embedding to its size")
        if not self.decoder.causal:
            raise ValueError("decoder: it may not see the words that it predicts; use a causal cell")

    @cached_property
    def _beside(self) -> int:
        """C, the width of what is fed at every step."""
        raise NotImplementedError

    @cached_property
    def _decoder(self) -> Reader:
        return Reader(self.decoder, self.embedding, self.init_E, self.dropout_input, beside=self._beside)

    def before(self, p: Any, batch: Any, work: Any, rng: np.random.Generator | None) -> tuple[State, np.ndarray | None]:
        """The decoder's first state, and c (B, C) or None. `work` is that of the given."""
        raise NotImplementedError

    def before_backward(self, p: Any, g: Any, dstate: State, dc: np.ndarray | None, work: Any) -> None:
        """The backward of `before`: adds into g."""
        raise NotImplementedError

    def initial_state(self, p, B):
        return ()  # nothing is carried from batch to batch

    def _memory(self, p, T, B, empty, given):
        H, decoder = self.decoder.n_out, self._decoder
        return Work(
            given, decoder.workspace(p["decoder"], T, B, empty),
            step=decoder.workspace(p["decoder"], 1, B, empty) if self.teacher_forcing < 1 else None,
            head=self.head.workspace(p["head"], T * B, empty),
            y=empty(T, B, H), dy=empty(T, B, H), mask=empty(B, H),
        )  # fmt: skip

    def forward(self, p, batch, state, work, rng=None):
        y = self._hidden(p, batch, work, rng)
        nats = self.head.forward(p["head"], rows(y), batch.targets.ravel(), work.head)
        return nats.reshape(batch.targets.shape), state

    def _hidden(self, p, batch, work, rng):
        """-> what the head sees, (T, B, H)."""
        first, c = self.before(p, batch, work.given, rng)
        inputs = batch.inputs
        if rng is not None and self.teacher_forcing < 1:
            inputs = self._own_words(p, inputs, first, c, work.step, rng)
        y, _ = self._decoder.forward(p["decoder"], inputs, first, work.decoder, c=c, rng=rng)
        if self.dropout_output:
            dropout_mask(self.dropout_output, rng, out=work.mask)
            y = np.multiply(y, work.mask, out=work.y)
        return y

    def _own_words(self, p, inputs, state, c, work, rng):
        """The inputs (T, B) with some replaced by the likeliest word at their place, found step by step."""
        inputs, forced = inputs.copy(), rng.random(inputs.shape) < self.teacher_forcing
        for t in range(1, len(inputs)):
            y, state = self._decoder.forward(p["decoder"], inputs[t - 1 : t], state, work, c=c)
            likeliest = self.head.log_probs(p["head"], y[0]).argmax(axis=1)
            inputs[t] = np.where(forced[t], inputs[t], likeliest)
        return inputs

    def backward(self, p, g, scale, work):
        self.head.backward(p["head"], g["head"], scale.ravel(), work.head, rows(work.dy))
        if self.dropout_output:
            work.dy *= work.mask
        dfirst, dc = self._decoder.backward(p["decoder"], g["decoder"], work.dy, None, work.decoder)
        self.before_backward(p, g, dfirst, dc, work.given)

    def target_log_probs(self, p: Any, batch: Any, work: Work) -> np.ndarray:
        """log p of every word after the given and the true words before it, (T, B, K)."""
        y = self._hidden(p, batch, work, None)
        return self.head.log_probs(p["head"], rows(y)).reshape(*batch.targets.shape, -1)

    def begin(self, p: Any, batch: Any, work: Work) -> tuple[State, np.ndarray | None]:
        """The decoder's first state and c, for writing word by word."""
        first, c = self.before(p, batch, work.given, None)
        return first, None if c is None else c.copy()

    def next(self, p: Any, ids: np.ndarray, state: State, c: np.ndarray | None, work: Work):
        """After the words ids (B,): log p of each word, (B, K), and the state."""
        y, state = self._decoder.forward(p["decoder"], ids[None], state, work.decoder, c=c)
        return self.head.log_probs(p["head"], y[0]), state
