"""Trained models from files: networks from a model file or a run directory, n-gram models from an ARPA file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnnlm.experiment import Config, read_network
from rnnlm.lm import arpa
from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.scorer import Scorer
from rnnlm.nn.network import Network
from rnnlm.tasks.base import Task
from rnnlm.tasks.data import Data
from rnnlm.training.checkpoint import model_file

EVERY_MODEL = "eval"  # a command that takes a model of any task


class TextModel(NamedTuple):
    """A language model from a file."""

    path: Path
    scorer: Scorer
    data: Data | None  # texts of the network's training; None for an n-gram model

    @property
    def blank_lines(self) -> bool:
        """Whether empty lines are sentences, as they were in training."""
        return self.data is not None and self.data.blank_lines

    @property
    def documents(self) -> bool:
        """Whether empty lines part documents, as they did in training."""
        return self.data is not None and self.data.documents is not None


@dataclass
class Loaded:
    """A trained network with its weights, and the other contents of its file."""

    path: Path
    config: Config
    vocab: Any
    network: Network
    figures: dict[str, Any]

    @property
    def task(self) -> Task:
        """The task that the network was trained for."""
        return self.config.task

    @property
    def stream(self) -> bool:
        """Whether it was trained on one continuous text, and not on sentences."""
        return self.task.stream

    def start(self) -> Network:
        """A network with the weights that were drawn before the first update; those of --init-from are not known."""
        rng = np.random.default_rng([self.config.seed, 0])
        return Network(self.config.model, self.vocab, np.dtype(self.config.dtype), rng)

    def text_model(self, carried: bool | None = None) -> TextModel:
        """The network as a language model: see `load_text_model`."""
        scorer = NetworkScorer(self.network, self.stream, self.stream if carried is None else carried)
        return TextModel(self.path, scorer, self.config.data)


def load_model(path: str | Path, command: str = "score") -> Loaded:
    """Read a network from a model file, or the best one of a run directory.

    command: the command that it is for; without one, a language model is wanted, and with "eval" any model will do.
    Raises DataError if it is missing, broken, or something else, UsageError if it is an n-gram model or its task does
    not have the command.
    """
    file = model_file(Path(path))
    return Loaded(file, *read_network(file, None if command == EVERY_MODEL else command))


def changes(loaded: Loaded, path: str) -> list[str]:
    """One warning for the vocabulary, and one for the text at `path`, if its SHA-256 is not the one at training.

    The text is compared with that of its name in the configuration: one of several training texts, which have one hash
    together, is not. No other file is read.
    """
    data, figures = loaded.config.data, loaded.figures
    hashes = [(f"{loaded.path}: the vocabulary", figures["vocab_sha256"], loaded.vocab.fingerprint)]
    for name, texts in (("train", data.train), ("valid", data.valid_texts), ("test", [data.test])):
        if texts == [path] and os.path.isfile(path):
            hashes.append((f"{path}: data.{name}", figures[f"{name}_sha256"], loaded.task.digest(path)))
    return [
        f"{what} has changed since training: its SHA-256 was {before[:12]} and is {now[:12]}"
        for what, before, now in hashes
        if before not in (None, now)
    ]


def load_text_model(path: str | Path, carried: bool | None = None) -> TextModel:
    """Read a language model from a model file, a run directory (the best model), or an ARPA file.

    carried: whether a network carries its state from sentence to sentence; None: if it was trained on one continuous
    text. For n-gram models it makes no difference. Raises DataError if it is missing, broken, or something else.
    """
    if arpa.is_arpa(path):
        return TextModel(Path(path), arpa.load(path), None)
    return load_model(path).text_model(carried)


def load_scorer(path: str | Path, carried: bool = False) -> Scorer:
    """Scorer of the language model at a path: see `load_text_model`. Sentences are independent, unless `carried`."""
    return load_text_model(path, carried).scorer
