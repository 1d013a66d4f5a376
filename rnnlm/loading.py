"""Trained models from files: networks from a model file or a run directory, n-gram models from an ARPA file."""

from __future__ import annotations

import os
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnnlm import config
from rnnlm.errors import DataError, RnnlmError, UsageError
from rnnlm.experiment import Config
from rnnlm.lm import arpa
from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.scorer import Scorer
from rnnlm.nn.network import Network
from rnnlm.nn.params import Parameters
from rnnlm.tasks.base import Data
from rnnlm.tasks.tasks import TASKS
from rnnlm.training import checkpoint
from rnnlm.training.checkpoint import DAMAGED, load_weights, read_figures


class TextModel(NamedTuple):
    """A model of text from a file."""

    path: Path
    scorer: Scorer
    data: Data | None  # which text a network was trained on, cut how


@dataclass
class Loaded:
    """A trained model: the network with its weights, and what the file says about it."""

    path: Path
    config: Config
    vocab: Any
    network: Network
    figures: dict[str, Any]

    @property
    def stream(self) -> bool:
        """Whether it was trained on one continuous text, and not on sentences."""
        return self.config.data.reading == "stream"

    def text_model(self, carried: bool | None = None) -> TextModel:
        """A language model as `load_text_model` gives it."""
        scorer = NetworkScorer(self.network, self.stream, self.stream if carried is None else carried)
        return TextModel(self.path, scorer, self.config.data)


def load_model(path: str | Path, kinds: Container[str] = ("lm",)) -> Loaded:
    """Read a model file, or the best model of a run directory: a language model, or a model of one of these kinds.

    Memory for its weights is taken only when the file holds as many as its configuration says. Raises DataError if it
    is missing, broken, or something else, UsageError if it is a model of another kind.
    """
    file = model_file(Path(path))
    settings: Config
    words: Any

    def shapes(plain: dict[str, Any], data: bytes) -> dict[str, tuple[int, ...]]:
        nonlocal settings, words
        try:
            settings = config.build(Config, plain, str(file))
            words = TASKS[settings.data.reading].load_vocabulary(data, f"{file}: vocabulary")
        except RnnlmError as error:
            raise DataError(error.message, DAMAGED) from None
        if settings.model.kind not in kinds:
            why, commands = settings.model.instead
            raise UsageError(f"{file}: {why}", commands)
        return Parameters.shapes(settings.model.specs(words))

    saved = checkpoint.load(file, shapes)
    figures = read_figures(saved, file)
    network = Network(settings.model, words, np.dtype(settings.dtype))
    load_weights(network, saved, file)
    if not np.isfinite(network.params.flat).all():
        raise DataError(f"{file}: some of its weights are not finite", "train again, with a lower learning rate")
    return Loaded(file, settings, words, network, figures)


def changes(loaded: Loaded, path: str) -> list[str]:
    """Where the vocabulary of a model, or the text at `path` if its configuration names it, is another now.

    (Of a training text in several files only the files together have a hash. No other file than `path` is looked at.)
    """
    data, figures, found = loaded.config.data, loaded.figures, []
    now = loaded.vocab.fingerprint
    if figures["vocab_sha256"] != now:
        found.append(
            f"{loaded.path}: trained with a vocabulary of sha {figures['vocab_sha256'][:12]}, but it holds {now[:12]}"
        )
    for name, texts in (("train", data.train), ("valid", [data.valid]), ("test", [data.test])):
        if texts == [path] and os.path.isfile(path):
            before, now = figures[f"{name}_sha256"], TASKS[data.reading].digest(path)
            if before not in (None, now):
                found.append(
                    f"{path}: has changed since training: sha {before[:12]} as data.{name} then, {now[:12]} now"
                )
    return found


def load_text_model(path: str | Path, carried: bool | None = None) -> TextModel:
    """Read a model file, the best model of a run directory, or an ARPA file.

    carried: whether a network carries its state from sentence to sentence; None: if it was trained on one continuous
    text. For n-gram models it makes no difference. Raises DataError if it is missing, broken, or something else.
    """
    if arpa.is_arpa(path):
        return TextModel(Path(path), arpa.load(path), None)
    return load_model(path).text_model(carried)


def load_scorer(path: str | Path, carried: bool = False) -> Scorer:
    """The scorer of the model at a path: see `load_text_model`. Sentences are independent, unless `carried`."""
    return load_text_model(path, carried).scorer


def model_file(path: Path) -> Path:
    """The model that a path means: a file itself, or of a run directory the best model, or else the last."""
    if not path.is_dir():
        return path
    for name in ("best.npz", "last.npz", "previous.npz"):
        if (path / name).exists():
            return path / name
    raise DataError(f"{path}: no model in this directory", "expected a run directory of `rnnlm train`")
