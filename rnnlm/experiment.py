"""The composition root: a configuration in, ready objects out. Here, and only here, all parts meet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

import rnnlm.cells  # noqa: F401  (registers the kinds)
from rnnlm import checkpoint, config, evaluate, vocab
from rnnlm.config import option
from rnnlm.corpus import Corpus, Sentences, Stream, encode, lines
from rnnlm.errors import DataError, UsageError
from rnnlm.models import LanguageModel, Model, Network
from rnnlm.optim import SGD, Optimizer
from rnnlm.schedule import Constant, Schedule
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
    """Read or build the vocabulary, encode the texts, start the network. Raises DataError for missing or broken text."""
    words, train, valid = texts(settings.data)
    network = Network(settings.model, words, np.dtype(settings.dtype), np.random.default_rng([settings.seed, 0]))
    carried = settings.data.reading == "stream"
    reading = reading_of(settings, train)
    validate = None if valid is None else (lambda net: evaluate.loss(net, valid, carried))
    trainer = Trainer(
        network, reading, settings.optimizer, settings.schedule, settings.training, validate, settings.seed
    )
    return Experiment(settings, words, train, valid, trainer)


def reading_of(settings: Config, corpus: Corpus) -> Stream | Sentences:
    """The training text, cut into batches."""
    if settings.data.reading == "stream":
        return Stream(corpus, settings.training.batch, settings.training.window)
    return Sentences(corpus, settings.training.batch)


def texts(data: Data) -> tuple[Vocabulary, Corpus, Corpus | None]:
    """The vocabulary, which knows the training text alone, and the two corpora."""
    share, valid_text = (data.valid, None) if isinstance(data.valid, float) else (None, data.valid)
    words = Vocabulary.load(data.vocab) if data.vocab else _vocabulary(data, share)
    train = encode(data.train, words, data.blank_lines)
    if share is not None:
        train, valid = train.split(share)
        return words, train, valid
    return words, train, encode([valid_text], words, data.blank_lines) if valid_text else None


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
    """Read a model file, or the best model of a run directory. Raises DataError if it is missing, broken or no model."""
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


def load_weights(network: Network, saved: checkpoint.Checkpoint, file: Path) -> None:
    """Copy the weights of a file into a network of the same shapes. Raises DataError naming the first that differs."""
    for name, array in network.params.named.items():
        found = saved.weights.get(name)
        if found is None or found.shape != array.shape:
            what = "missing" if found is None else f"shape {found.shape}"
            raise DataError(
                f"{file}: weight {name}: {what}, expected shape {array.shape}",
                "model and configuration (or vocabulary) do not belong together",
            )
        array[...] = found


def config_file(path: str | Path) -> Path:
    """The configuration that a path means: a file itself, or that of a run directory."""
    return Path(path, "config.yaml") if Path(path).is_dir() else Path(path)


def model_file(path: Path) -> Path:
    """The model that a path means: a file itself, or of a run directory the best model, or else the last."""
    if not path.is_dir():
        return path
    for name in ("best.npz", "last.npz"):
        if (path / name).exists():
            return path / name
    raise DataError(f"{path}: no model in this directory", "expected a run directory of `rnnlm train`")
