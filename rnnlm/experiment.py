"""The composition root: a configuration in, ready objects out. Here, and only here, all parts meet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

import rnnlm.cells  # noqa: F401  (registers the kinds)
from rnnlm import arpa, checkpoint, config, evaluate, vocab
from rnnlm.config import option
from rnnlm.corpus import Corpus, Sentences, Stream, encode, lines
from rnnlm.errors import DataError, UsageError
from rnnlm.models import LanguageModel, Model, Network
from rnnlm.optim import SGD, Optimizer
from rnnlm.schedule import Constant, Schedule
from rnnlm.scoring import NetworkScorer, Scorer
from rnnlm.train import Trainer, Training
from rnnlm.vocab import Vocabulary


@dataclass(frozen=True)
class Data:
    """Which text, cut how. Paths are relative to the working directory."""

    train: list[str] = option(doc="training text: one file or several, UTF-8, a sentence a line")
    valid: float | str | None = option(None, "validation text; or the share at the end of the training text")
    test: str | None = option(None, "test text, for `rnnlm eval RUN` without a file")
    level: Literal["word", "char"] = option("word", "what a token is: between white space, or each character")
    reading: Literal["stream", "sentences"] = option(
        "stream", "one stream with the state carried on, or independent sentences"
    )
    lower: bool = option(False, "lowercase the text")
    blank_lines: bool = option(False, "at level char: keep empty lines, as line ends of their own")
    vocab: str | None = option(None, "vocabulary file; null: built from the training text")
    max_size: int | None = option(None, "largest vocabulary, specials included (null: no limit)", low=4)
    min_count: int = option(1, "a word must occur this often to enter the vocabulary", low=1)

    def __post_init__(self):
        if not self.train:
            raise ValueError("train: expected at least one file, found none")
        if "-" in self.train:
            raise ValueError("train: the training text is read more than once, which standard input cannot be")
        if isinstance(self.valid, float) and not 0 < self.valid < 1:
            raise ValueError(f"valid: expected a file or a share between 0 and 1, found {self.valid:g}")


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


@dataclass
class Experiment:
    """What a configuration stands for: the texts, and a trainer at its first step."""

    config: Config
    vocab: Vocabulary
    train: Corpus
    valid: Corpus | None
    trainer: Trainer


def prepare(settings: Config) -> Experiment:
    """Read or build the vocabulary, encode the texts, start the network.

    Raises DataError for missing or broken text, UsageError for a vocabulary of another level than the configuration's.
    """
    training, seed = settings.training, settings.seed
    words, train, valid = texts(settings.data)
    stream = settings.data.reading == "stream"
    reading = Stream(train, training.batch, training.window) if stream else Sentences(train, training.batch)
    network = Network(settings.model, words, np.dtype(settings.dtype), np.random.default_rng([seed, 0]))
    validate = None if valid is None else (lambda network: evaluate.loss(network, valid, stream))
    tokens = None if stream else len(train.ids) / len(reading)
    trainer = Trainer(network, reading, settings.optimizer, settings.schedule, training, validate, seed, tokens)
    return Experiment(settings, words, train, valid, trainer)


def texts(data: Data) -> tuple[Vocabulary, Corpus, Corpus | None]:
    """The vocabulary, which knows the training text alone, and the two corpora."""
    share = data.valid if isinstance(data.valid, float) else None
    words = _vocabulary(data, share) if data.vocab is None else _given_vocabulary(data, data.vocab)
    train = encode(data.train, words, data.blank_lines)
    if share is not None:
        return words, *train.split(share)
    return words, train, None if data.valid is None else encode([str(data.valid)], words, data.blank_lines)


def _given_vocabulary(data: Data, path: str) -> Vocabulary:
    words = Vocabulary.load(path)
    if (words.level, words.lower) != (data.level, data.lower):
        raise UsageError(
            f"{path}: a vocabulary of level {words.level} and lower {json.dumps(words.lower)}, "
            f"but data.level is {data.level} and data.lower {json.dumps(data.lower)}",
            "set data.level and data.lower to what the vocabulary was built with",
        )
    return words


def _vocabulary(data: Data, share: float | None) -> Vocabulary:
    """The vocabulary of the training text: of all of it, or of what is left when `share` at the end validates."""
    text = (line for path in data.train for line in lines(path))
    counts = vocab.count(text, data.level, data.lower, data.blank_lines)
    if share is not None:  # where to cut is known only in tokens: encode with every word, cut, count the head
        every = vocab.build(counts)
        counts = encode(data.train, every, data.blank_lines).split(share)[0].counts(every)
    return vocab.build(counts, data.max_size, data.min_count)


@dataclass
class Loaded:
    """A trained model: the network with its weights, and what the file says about it."""

    path: Path
    config: Config
    vocab: Vocabulary
    network: Network
    figures: dict[str, Any]

    @property
    def stream(self) -> bool:
        """Whether it was trained on one continuous text, and not on sentences."""
        return self.config.data.reading == "stream"


def load_model(path: str | Path) -> Loaded:
    """Read a model file, or the best model of a run directory.

    Raises DataError if it is missing, broken, or something else.
    """
    file = model_file(Path(path))
    saved = checkpoint.load(file)
    hint = "the file is damaged, or from another version: train again"
    try:
        settings = config.build(Config, saved.config, str(file))
        words = Vocabulary.from_bytes(saved.vocab, f"{file}: vocabulary")
    except (UsageError, DataError) as error:
        raise DataError(error.message, hint) from None
    network = Network(settings.model, words, np.dtype(settings.dtype))
    load_weights(network, saved, file)
    return Loaded(file, settings, words, network, saved.figures)


class TextModel(NamedTuple):
    """A model of text from a file."""

    path: Path
    scorer: Scorer
    data: Data | None  # which text a network was trained on, cut how


def load_text_model(path: str | Path, carried: bool | None = None) -> TextModel:
    """Read a model file, the best model of a run directory, or an ARPA file.

    carried: whether a network carries its state from sentence to sentence; None: if it was trained on one continuous
    text. For n-gram models it makes no difference. Raises DataError if it is missing, broken, or something else.
    """
    if arpa.is_arpa(path):
        return TextModel(Path(path), arpa.load(path), None)
    loaded = load_model(path)
    scorer = NetworkScorer(loaded.network, loaded.stream, loaded.stream if carried is None else carried)
    return TextModel(loaded.path, scorer, loaded.config.data)


def load_scorer(path: str | Path, carried: bool = False) -> Scorer:
    """The scorer of the model at a path: see `load_text_model`. Sentences are independent, unless `carried`."""
    return load_text_model(path, carried).scorer


def load_weights(network: Network, saved: checkpoint.Checkpoint, file: Path) -> None:
    """Copy the weights of a file into a network of the same shapes. Raises DataError naming the first that differs."""
    shapes = {name: array.shape for name, array in network.params.named.items()}
    found = {name: array.shape for name, array in saved.weights.items()}
    for name in shapes | found:
        if found.get(name) != shapes.get(name):
            raise DataError(
                f"{file}: weight {name}: found {found.get(name, 'none')}, expected {shapes.get(name, 'none')}",
                "model and configuration (or vocabulary) do not belong together",
            )
    for name, array in network.params.named.items():
        array[...] = saved.weights[name]


def config_file(path: str | Path) -> Path:
    """The configuration that a path means: a file itself, or that of a run directory."""
    path = Path(path)
    if not path.is_dir():
        return path
    if not (path / "config.yaml").exists():
        raise UsageError(f"{path}: no config.yaml in this directory", "expected a YAML file, or a run directory")
    return path / "config.yaml"


def model_file(path: Path) -> Path:
    """The model that a path means: a file itself, or of a run directory the best model, or else the last."""
    if not path.is_dir():
        return path
    for name in ("best.npz", "last.npz"):
        if (path / name).exists():
            return path / name
    raise DataError(f"{path}: no model in this directory", "expected a run directory of `rnnlm train`")
