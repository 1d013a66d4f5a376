"""rnnlm: recurrent-network language models in NumPy.

    model = rnnlm.load("runs/demo")  # a run directory, a model file or an ARPA file
    (log_p,) = model.log_probs([["the", "cat", "sat"]])  # natural logarithms: of the three words and of </s>

`load` and `mix` return a `rnnlm.lm.scorer.Scorer`; `perplexity` has the figures of `rnnlm eval`. Sentences are lists of
words: a string in their place raises `rnnlm.errors.UsageError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from rnnlm.lm.mixture import Mixture
    from rnnlm.lm.perplexity import Evaluation
    from rnnlm.lm.scorer import Scorer
    from rnnlm.session import Session

__version__ = "0.1.0"
__all__ = ["load", "mix", "perplexity", "train"]


def load(path: str | Path, carried: bool = False) -> Scorer:
    """The language model of a run directory, a model file or an ARPA file.

        model = rnnlm.load("runs/demo")
        (log_p,) = model.log_probs([["the", "cat", "sat"]])  # four numbers: the last one is that of </s>

    carried: a network carries its hidden state from sentence to sentence; otherwise each sentence begins from the
    initial state, as in an n-gram model it always does.

    Raises `rnnlm.errors.DataError` for a file that is missing or broken, `UsageError` for a model of another kind.
    """
    from rnnlm.loading import load_scorer

    return load_scorer(path, carried)


def mix(models: Sequence[Scorer], weights: Sequence[float] | None = None) -> Mixture:
    """Mixture of language models: p = sum of weight * p, with equal weights by default.

        both = rnnlm.mix([rnnlm.load("runs/demo"), rnnlm.load("kn5.arpa")], [0.6, 0.4])

    `rnnlm.lm.mixture.fit` finds the weights under which a text is most probable.

    Raises `rnnlm.errors.UsageError` for weights that are negative or do not add up to one, and for models of words
    mixed with models of characters.
    """
    from rnnlm.lm.mixture import Mixture

    return Mixture(models, weights)


def perplexity(model: Scorer, text: Iterable[str], **options: Any) -> Evaluation:
    """Perplexity of a text, a sentence a line, under a language model, with all figures of `rnnlm eval`.

        with open("test.txt", encoding="utf-8") as text:
            print(rnnlm.perplexity(model, text).total.ppl)

    options and errors: see `rnnlm.lm.perplexity.perplexity`.
    """
    from rnnlm.lm.perplexity import perplexity

    return perplexity(model, text, **options)


def train(config: str | Path | Mapping[str, Any], output: str | Path | None = None, **options: Any) -> Session:
    """Training of a network as an iterator of its events: updates, validations, divergences.

        with rnnlm.train("my.yaml", output="runs/my", resume="auto") as training:
            for event in training:
                ...

    config: a YAML file, a run directory, or the same as nested dictionaries. output: the run directory; None: no file
    is written. options: overrides ({"training.epochs": 3}), resume (True, or "auto": if there is a run), force,
    init_from (a model), extend_vocab. They mean what they mean for `rnnlm train`; see docs/python.md.

    Raises `rnnlm.errors.RnnlmError` as `rnnlm train` reports them, `NumericalError` among them if training diverges.
    """
    from rnnlm.session import train

    return train(config, output, **options)
