"""The tree network: a vector for every node of a parse tree, and a label from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace

import numpy as np

from rnnlm.config import option
from rnnlm.nn.compose import Composition, Recursive
from rnnlm.nn.dropout import Dropout
from rnnlm.nn.heads import Head, Softmax
from rnnlm.nn.initializers import Init, Uniform
from rnnlm.nn.models.base import Model
from rnnlm.nn.models.embedded import check_embedding
from rnnlm.nn.models.output import Output
from rnnlm.nn.ops import project, project_backward, scatter_add
from rnnlm.nn.params import Spec, Specs


@dataclass(frozen=True)
class Tree(Model, kind="tree"):
    """Tree network: h_n = compose(h_left, h_right) for every inner node n;  p(label of n) = head(h_n).

    Leaves are word vectors E[w] (K, D), or one-hot rows without an embedding. The loss is the sum over all nodes that
    have a label (Socher et al. 2011, 2013).
    """

    readings = ("trees",)
    instead = (
        "a tree network gives labels to the nodes of parse trees, and no probability to words",
        "`rnnlm predict` writes labels into trees, `rnnlm eval` the accuracy",
    )

    compose: Composition = option(Recursive(), "how the vector of a node comes from those of its children")
    head: Head = option(Softmax(), "from a node's vector to labels")
    embedding: int | None = option(None, "size D of the word vectors; null: one-hot leaves", low=1)
    init_E: Init = option(Uniform(0.05), "start of the embedding E")
    dropout_input: float = option(0.0, "share of the word vectors' components dropped", low=0, below=1)
    dropout_output: float = option(0.0, "share of the head's inputs dropped", low=0, below=1)

    def __post_init__(self):
        check_embedding(self, untied="labels are no words, so there is no table to share")

    @cached_property
    def _output(self) -> Output:
        return Output(self.head, self.compose.n_out, dropout=self.dropout_output)

    def specs(self, vocab):
        K, D = len(vocab.inputs), self.embedding
        specs: Specs = {} if D is None else {"E": Spec((K, D), self.init_E)}
        specs["compose"] = self.compose.specs(K if D is None else D, onehot=D is None)
        return {**specs, **self._output.specs(vocab.outputs)}

    def workspace(self, p, L, M, n, empty):
        H, D = self.compose.n_out, self.embedding
        return SimpleNamespace(
            compose=self.compose.workspace(L, M, empty),
            output=self._output.workspace(p, (n,), empty),
            dropout=Dropout(self.dropout_input, (L, D or 1), empty, "inputs"),
            x=None if D is None else empty(L, D),  # the leaves; None: the composition reads ids
            dx=None if D is None else empty(L, D),
            y=empty(n, H),  # the labelled nodes
            dh=empty(L + M, H),
        )

    def _hidden(self, p, batch, work, rng):
        """Return the vectors of the labelled nodes, (n, H)."""
        work.batch, x = batch, batch.words
        if self.embedding is not None:
            project(batch.words, p["E"], out=work.x)
            x = work.dropout.forward(work.x, rng, out=work.x)
        h = self.compose.forward(p["compose"], x, batch.trees, work.compose)
        return np.take(h, batch.labelled, axis=0, out=work.y, mode="clip")

    def backward(self, p, g, scale, work):
        dy, dh = self._output.backward(p, g, scale, work.output), work.dh
        dh[...] = 0
        scatter_add(dh, work.batch.labelled, dy)  # a node of one child has two labels
        self.compose.backward(p["compose"], g["compose"], dh, work.batch.trees, work.compose, work.dx)
        if self.embedding is not None:
            work.dropout.backward(work.dx)
            project_backward(work.batch.words, work.dx, p["E"], g["E"], None)
