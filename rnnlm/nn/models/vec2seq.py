"""From a vector to a sentence: the shape of captioning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Literal

import numpy as np

from rnnlm.config import option
from rnnlm.nn.cells.base import Cell
from rnnlm.nn.cells.vanilla import Vanilla
from rnnlm.nn.heads import Head, Softmax
from rnnlm.nn.initializers import Glorot, Init, Uniform, Zeros
from rnnlm.nn.models.decoder import DecoderModel
from rnnlm.nn.models.embedded import widths
from rnnlm.nn.params import Spec, Specs
from rnnlm.nn.state import arrays, rebuilt


@dataclass(frozen=True)
class Vec2Seq(DecoderModel, kind="vec2seq"):
    """Decoder for vectors v: s_0 = tanh(a + A v), for each part of its state; or it reads v at every step.

    v (B, C) is the vector, A (C, H) and a (H,) are learned.
    """

    readings = ("vectors",)
    instead = (
        "a vec2seq model writes a sentence for a vector, and no text without one",
        "`rnnlm predict` reads vectors (.npy) and prints sentences, `rnnlm eval` measures them",
    )

    vector: int = option(doc="C, how many numbers a vector has", low=1)
    decoder: Cell = option(Vanilla(), "the recurrence over the sentence")
    head: Head = option(Softmax(), "from the decoder's hidden vectors to words")
    context: Literal["state", "every_step"] = option(
        "state", "the vector makes the decoder's first state, or is fed to it at every step"
    )
    embedding: int | None = option(None, "size D of the word vectors; null: one-hot input", low=1)
    init_E: Init = option(Uniform(0.05), "start of the embedding E")
    init_A: Init = option(Glorot(), "start of A")
    teacher_forcing: float = option(
        1.0, "share of true words among those that the decoder reads in training", low=0, high=1
    )
    dropout_input: float = option(0.0, "share of the word vectors' components dropped", low=0, below=1)
    dropout_output: float = option(0.0, "share of the head's inputs dropped", low=0, below=1)

    def __post_init__(self):
        self.check()
        if self.context == "state" and not list(arrays(widths(self.decoder))):
            raise ValueError("decoder: it keeps no state that the vector could make; use context: every_step")

    @cached_property
    def _context(self):
        return self.vector if self.context == "every_step" else 0

    def specs(self, vocab):
        specs: Specs = {}
        if self.context == "state":
            for i, H in enumerate(arrays(widths(self.decoder))):
                specs[f"first{i}"] = {"A": Spec((self.vector, H), self.init_A), "a": Spec((H,), Zeros())}
        return {**specs, "decoder": self._decoder.specs(vocab), **self._output.specs(vocab)}

    def workspace(self, p, T, B, empty):
        return self._workspace(p, T, B, empty, SimpleNamespace(v=empty(B, self.vector)))

    def first_state(self, p, batch, work, rng):
        work.v[...] = batch.vectors
        state = self.decoder.initial_state(len(work.v), work.v.dtype)
        if self.context == "every_step":
            return state, work.v
        firsts = [p[f"first{i}"] for i, _ in enumerate(arrays(state))]
        work.first = rebuilt(state, (np.tanh(first["a"] + work.v @ first["A"]) for first in firsts))
        return work.first, None

    def first_state_backward(self, p, g, dstate, dc, work):
        if self.context == "every_step":
            return
        for i, (h, dh) in enumerate(zip(arrays(work.first), arrays(dstate))):
            da = dh * (1 - h * h)
            g[f"first{i}"]["A"] += work.v.T @ da
            g[f"first{i}"]["a"] += da.sum(axis=0)
