"""The networks that are measured, how they are trained, and the work in that."""

from __future__ import annotations

from dataclasses import dataclass

GATES = {"vanilla": 1, "lstm": 4, "gru": 3}
CLIP = 0.01  # by norm, and so small that every step is clipped
WINDOWS = 8  # different ones, in a cycle
FORMULA = """\
Useful work: 2 FLOP per multiply-add of the matrix products, backward twice forward; so a step is
6 B T (sum over layers of G (D H + H H) + H K), D being the width of the layer's input; tied: H D + D K instead of H K.
G is the number of an LSTM's (4) or a GRU's (3) gates and candidates; 1 for tanh.
Products with embedded words count once for each token, though rnnlm does them once for each different word of a window.
Lookups, activations, the exponentials of the softmax, clipping and the update count as nothing."""


@dataclass(frozen=True)
class Shape:
    """A language model, and the windows that it is trained on."""

    K: int  # words
    H: int  # hidden units
    layers: int = 1
    B: int = 20  # sequences
    T: int = 35  # steps
    embedding: int | None = None  # size of the word vectors; None: H
    tied: bool = False
    cutoffs: tuple[int, ...] = ()  # of an adaptive softmax; none: the full one
    cell: str = "vanilla"  # of GATES

    def __str__(self):
        hidden = self.H if self.layers == 1 else f"{self.layers}x{self.H}"
        tied = f" tied {self.D}" if self.tied else ""
        hidden = hidden if self.cell == "vanilla" else f"{hidden} {self.cell}"
        return f"K={self.K:,} H={hidden}{tied}, {self.B}x{self.T}"

    @property
    def D(self) -> int:
        """Size of the word vectors."""
        return self.embedding or self.H

    @property
    def projected(self) -> bool:
        """Whether a projection stands between the hidden vectors and the tied embedding."""
        return self.tied and self.D != self.H

    @property
    def tokens(self) -> int:
        """Predictions of a step."""
        return self.B * self.T

    @property
    def recurrence(self) -> int:
        """Multiply-adds per token of the layers, forward."""
        return GATES[self.cell] * (self.D * self.H + self.H * self.H + (self.layers - 1) * 2 * self.H * self.H)

    @property
    def head(self) -> int:
        """Multiply-adds per token of the projection and the full softmax, forward."""
        return self.H * self.D + self.D * self.K if self.projected else self.H * self.K

    @property
    def flop(self) -> int:
        """Useful floating-point operations of a step, see FORMULA."""
        return 6 * self.tokens * (self.recurrence + self.head)
