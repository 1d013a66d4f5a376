"""The composition root: a configuration in, ready objects out. Here, and only here, all parts meet."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

import rnnlm.nn.cells  # noqa: F401  (registers the kinds)
from rnnlm.config import option
from rnnlm.errors import NumericalError, UsageError
from rnnlm.nn.models import LanguageModel, Model
from rnnlm.nn.network import Network
from rnnlm.tasks.base import Data
from rnnlm.tasks.tasks import TASKS, Task
from rnnlm.text.vocab import Vocabulary
from rnnlm.training.optim import SGD, Optimizer
from rnnlm.training.schedule import Constant, Schedule
from rnnlm.training.trainer import Trainer, Training


@dataclass(frozen=True)
class Config:
    """Everything that determines a run."""

    data: Data = option(doc="which text")
    model: Model = option(LanguageModel(), "the network")
    optimizer: Optimizer = option(SGD(), "the update rule")
    schedule: Schedule = option(Constant(), "the learning rate over time")
    training: Training = option(Training(), "the loop")
    seed: int = option(1, "start of every random stream", low=0)
    dtype: Literal["float32", "float64"] = option("float32", "precision of all arithmetic")

    def __post_init__(self):
        known, found = self.model.readings, self.data.reading
        if found not in known:
            raise ValueError(
                f"model: a model of kind {self.model.kind} learns from data.reading {' or '.join(known)}, found {found}"
            )


@dataclass
class Experiment:
    """What a configuration stands for: the texts, and a trainer at its first step."""

    config: Config
    vocab: Any  # a Vocabulary; Vocabularies where the network writes other words than it reads
    train: Any  # a Corpus, or Examples
    valid: Any  # the same, or None
    trainer: Trainer
    test_sha256: str | None = None  # of the test text, if there is one yet

    @property
    def task(self) -> Task:
        """What the reading asks for."""
        return TASKS[self.config.data.reading]

    @property
    def perplexity(self) -> str:
        """What exp(nats per token) is called."""
        return self.config.model.perplexity

    def shown(self) -> list[str]:
        """A few lines of what the model can do as it is, drawn by a generator that depends on the step alone."""
        number = self.config.training.samples
        if not number:
            return []
        rng = np.random.default_rng([self.config.seed, 3, self.trainer.progress.step])
        corpus = self.train if self.valid is None else self.valid
        try:
            return self.task.shown(self.trainer.network, corpus, number, rng)
        except NumericalError as error:  # of weights that the next step will find to have diverged
            return [f"({error.message})"]


def prepare(settings: Config) -> Experiment:
    """Read or build the vocabulary, encode the texts, start the network.

    Raises DataError for missing or broken text, UsageError for a vocabulary of another level than the configuration's.
    """
    training, seed, task = settings.training, settings.seed, TASKS[settings.data.reading]
    words, train, valid = texts(settings)
    reading = task.reading(train, training.batch, training.window)
    network = Network(settings.model, words, np.dtype(settings.dtype), np.random.default_rng([seed, 0]))
    validate = None if valid is None else (lambda network: task.loss(network, valid, training.batch))
    tokens = task.mean_tokens(train, reading)
    trainer = Trainer(network, reading, settings.optimizer, settings.schedule, training, validate, seed, tokens)
    test = settings.data.test
    digest = task.digest(test) if test is not None and os.path.isfile(test) else None
    return Experiment(settings, words, train, valid, trainer, digest)


def texts(settings: Config) -> tuple[Any, Any, Any]:
    """The vocabulary, which knows the training text alone, and the two corpora, of which the second may be None."""
    data, task = settings.data, TASKS[settings.data.reading]
    share = data.valid if isinstance(data.valid, float) else None
    words = task.vocabulary(data, share) if data.vocab is None else _given_vocabulary(data, data.vocab)
    train = task.encode(data.train, words, data, settings.model)
    if share is not None:
        return words, *task.split(train, share)
    return words, train, None if data.valid is None else task.encode([str(data.valid)], words, data, settings.model)


def _given_vocabulary(data: Data, path: str) -> Vocabulary:
    words = Vocabulary.load(path)
    if (words.level, words.lower) != (data.level, data.lower):
        raise UsageError(
            f"{path}: a vocabulary of level {words.level} and lower {json.dumps(words.lower)}, "
            f"but data.level is {data.level} and data.lower {json.dumps(data.lower)}",
            "set data.level and data.lower to what the vocabulary was built with",
        )
    return words


def config_file(path: str | Path) -> Path:
    """The configuration that a path means: a file itself, or that of a run directory."""
    path = Path(path)
    if not path.is_dir():
        return path
    if not (path / "config.yaml").exists():
        raise UsageError(f"{path}: no config.yaml in this directory", "expected a YAML file, or a run directory")
    return path / "config.yaml"
