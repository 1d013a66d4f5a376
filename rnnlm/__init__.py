"""rnnlm: recurrent-network language models in NumPy.

    model = rnnlm.load("runs/demo")  # or a model file, or an ARPA file
    (log_p,) = model.log_probs([["the", "cat", "sat"]])  # natural logarithms of the three words and of </s>

`load` and `mix` give a `rnnlm.lm.scorer.Scorer`. Its docstrings, and those of `rnnlm.lm.scorer.Walk`, are the
reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import rnnlm.nn.threads  # noqa: F401  (first: it must speak before NumPy is loaded)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rnnlm.lm.mixture import Mixture
    from rnnlm.lm.scorer import Scorer

__version__ = "0.1.0"
__all__ = ["load", "mix"]


def load(path: str | Path, carried: bool = False) -> Scorer:
    """The language model of a run directory, a model file or an ARPA file.

    carried: a network's state goes on from sentence to sentence; otherwise each sentence stands for itself, as in an
    n-gram model it always does. Raises `rnnlm.errors.DataError` for a file that is missing, broken or something else,
    `UsageError` for a model of another kind.
    """
    from rnnlm.loading import load_scorer

    return load_scorer(path, carried)


def mix(models: Sequence[Scorer], weights: Sequence[float] | None = None) -> Mixture:
    """Mixture of language models: p = sum of weight * p, equal weights by default.

    `rnnlm.lm.mixture.fit` finds the weights that are best for a text.

    Raises `rnnlm.errors.UsageError` for weights that are negative or do not add up to one.
    """
    from rnnlm.lm.mixture import Mixture

    return Mixture(models, weights)
