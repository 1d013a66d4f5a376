"""Words out of the vocabulary in scores of sentences: one rule for `score`, `rescore` and Mikolov's `-nbest`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:  # options of commands are shown without NumPy
    import numpy as np

    from rnnlm.text.vocab import Vocabulary

PENALTY = 5.0  # of Mikolov's toolkit: p = 10^-5
CHOICES = ("penalty", "unk", "exclude")


class Oov(NamedTuple):
    """What words out of the vocabulary (OOVs) count in the log-probability of a sentence.

    `<unk>` stands for many words, so its own probability is far too large for one of them: with it a misspelt word
    often beats the right one.

    how      "penalty": the same for every OOV; "unk": the probability of `<unk>`; "exclude": nothing
    penalty  -log10 of the probability of an OOV
    """

    how: Literal["penalty", "unk", "exclude"] = "penalty"
    penalty: float = PENALTY

    @property
    def nats(self) -> float:
        """The penalty as a negative natural logarithm."""
        return self.penalty * math.log(10)

    def known(self, words: Sequence[str], vocab: Vocabulary) -> list[bool]:
        """For each of n words and for `</s>`, n + 1 in all: whether its own log-probability counts."""
        return [*(self.how == "unk" or word in vocab.index for word in words), True]

    def counted(self, words: Sequence[str], log_p: np.ndarray, vocab: Vocabulary) -> list[float]:
        """Natural log-probabilities of n words and `</s>` as they count, n + 1 in all; nan for what does not count.

        log_p (n + 1,): those of the model.
        """
        instead = -self.nats if self.how == "penalty" else math.nan
        return [float(x) if known else instead for x, known in zip(log_p, self.known(words, vocab))]
