"""The encoder-decoder: a sentence in, another sentence out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.cells.padding import turned
from rnnlm.nn.cells.vanilla import Vanilla
from rnnlm.nn.heads import Head, Softmax
from rnnlm.nn.initializers import Init, Uniform
from rnnlm.nn.models.decoder import DecoderModel
from rnnlm.nn.models.embedded import Embedded, widths
from rnnlm.nn.state import arrays, rebuilt


@dataclass(frozen=True)
class Seq2Seq(DecoderModel, kind="seq2seq"):
    """Encoder-decoder: s_t = encoder(E[x_t], s_{t-1}) over the source x; the decoder starts from s_S, or reads it.

    (Sutskever et al. 2014, Cho et al. 2014.) `reverse` reads the source from its end, so that its first words are near
    the first words of the target. S is each source's own length.
    """

    readings = ("pairs",)
    instead = (
        "a seq2seq model writes answers to a source, and no text without one",
        "`rnnlm predict` reads sources and prints targets, `rnnlm eval` measures them",
    )

    encoder: Cell = option(Vanilla(), "the recurrence over the source")
    decoder: Cell = option(Vanilla(), "the recurrence over the target")
    head: Head = option(Softmax(), "from the decoder's hidden vectors to words")
    context: Literal["state", "every_step"] = option(
        "state", "the encoder's last state starts the decoder, or is fed to it at every step"
    )
    reverse: bool = option(False, "read the source from its end")
    embedding: int | None = option(None, "size D of the word vectors; null: one-hot input", low=1)
    init_E: Init = option(Uniform(0.05), "start of the embeddings E")
    teacher_forcing: float = option(
        1.0, "share of true words among those that the decoder reads in training", low=0, high=1
    )
    dropout_input: float = option(0.0, "share of the word vectors' components dropped", low=0, below=1)
    dropout_output: float = option(0.0, "share of the head's inputs dropped", low=0, below=1)

    def __post_init__(self):
        self.check()
        if not list(arrays(widths(self.encoder))):
            raise ValueError("encoder: it keeps no state, so nothing of the source would reach the decoder")
        if self.context == "state" and widths(self.encoder) != widths(self.decoder):
            raise ValueError(
                f"decoder: its state {widths(self.decoder)} cannot start from the encoder's {widths(self.encoder)}; "
                "use equal cells, or context: every_step"
            )

    @cached_property
    def _context(self):
        return sum(arrays(widths(self.encoder))) if self.context == "every_step" else 0

    @cached_property
    def _encoder(self) -> Embedded:
        return Embedded(self.encoder, self.embedding, self.init_E, self.dropout_input)

    def specs(self, vocab):
        encoder, decoder = self._encoder.specs(vocab.inputs), self._decoder.specs(vocab.outputs)
        return {"encoder": encoder, "decoder": decoder, **self._output.specs(vocab.outputs)}

    def workspace(self, p, S, T, B, empty):
        encoder = self._encoder.workspace(p["encoder"], S, B, empty)
        source = SimpleNamespace(encoder=encoder, dh=empty(S, B, self.encoder.n_out))
        return self._workspace(p, T, B, empty, source)

    def first_state(self, p, batch, work, rng):
        source, B, dtype = batch.source, batch.source.shape[1], work.dh.dtype
        if self.reverse:
            source = backwards(source, batch.lengths)
        state = self.encoder.initial_state(B, dtype)
        _, work.last = self._encoder.forward(p["encoder"], source, state, work.encoder, batch.lengths, rng=rng)
        if self.context == "state":
            return work.last, None
        return self.decoder.initial_state(B, dtype), np.concatenate(list(arrays(work.last)), axis=1)

    def first_state_backward(self, p, g, dstate, dc, work):
        if self.context == "every_step":
            ends = np.cumsum([part.shape[1] for part in arrays(work.last)])
            dstate = rebuilt(work.last, iter(np.split(dc, ends[:-1], axis=1)))
        work.dh[...] = 0  # the encoder's outputs are not looked at
        self._encoder.backward(p["encoder"], g["encoder"], work.dh, dstate, work.encoder)


def backwards(ids: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """Turn sequences of ids (S, B) round, each within its length; padding stays behind. None: all are S long."""
    return ids.ravel()[turned(lengths, *ids.shape)]
