"""Words out of the vocabulary in scores of sentences: one rule for `score`, `rescore` and Mikolov's `-nbest`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:  # options of commands are shown without NumPy
    import numpy as np

    from rnnlm.text.vocab import Vocabulary

CHOICES = ("unk", "exclude", "fixed")
FIXED = 5.0  # penalty of "fixed" in Mikolov's toolkit


class Oov(NamedTuple):
    """Rule for words out of the vocabulary (OOVs) in the log-probability of a sentence.

    `<unk>` stands for many words, so its own probability is far too large for one of them: with it a misspelt word
    often beats the right one. With a penalty of X, 10^X words share it.

    how      "unk": the probability of `<unk>`; "exclude": nothing; "fixed": the penalty alone
    penalty  taken from log10 of that probability; with "fixed", each counts -penalty, whatever the model says
    """

    how: Literal["unk", "exclude", "fixed"] = "unk"
    penalty: float = 0.0

    def counted(self, words: Sequence[str], log_p: np.ndarray, vocab: Vocabulary) -> list[float]:
        """Natural log-probabilities of n words and `</s>` as they count, n + 1 in all; nan for what does not count.

        log_p (n + 1,): those of the model.
        """
        less = math.nan if self.how == "exclude" else self.penalty * math.log(10)
        return [
            float(x) if known else (0.0 if self.how == "fixed" else float(x)) - less
            for x, known in zip(log_p, vocab.known(words))
        ]
