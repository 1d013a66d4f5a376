"""The composition root: a configuration in, ready objects out. Here, and only here, all parts meet."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Container
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

import rnnlm.nn.cells  # noqa: F401  (registers the kinds)
from rnnlm import arpa, checkpoint, config
from rnnlm.config import option
from rnnlm.errors import DataError, NumericalError, RnnlmError, UsageError
from rnnlm.nn.models import LanguageModel, Model, Network
from rnnlm.nn.params import Parameters
from rnnlm.optim import SGD, Optimizer
from rnnlm.schedule import Constant, Schedule
from rnnlm.scoring import NetworkScorer, Scorer
from rnnlm.tasks import TASKS, Task
from rnnlm.text.vocab import Vocabulary
from rnnlm.train import Trainer, Training

DAMAGED = "the file is damaged, or from another version: train again"  # a hint


@dataclass(frozen=True)
class Data:
    """Which text, cut how. Paths are relative to the working directory."""

    train: list[str] = option(doc="training text: one file or several, UTF-8, a sentence a line")
    valid: float | str | None = option(None, "validation text; or the share at the end of the training text")
    test: str | None = option(None, "test text, for `rnnlm eval RUN` without a file")
    level: Literal["word", "char"] = option("word", "what a token is: between white space, or each character")
    reading: Literal["stream", "sentences", "blanks", "labelled", "pairs", "vectors"] = option(
        "stream",
        "one stream with the state carried on; independent sentences; sentences, each word a blank; "
        "lines label<TAB>text or source<TAB>target; lines with a vector each, in a .npy file of the same name",
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
        if self.reading in ("labelled", "pairs") and self.vocab is not None:
            raise ValueError(f"vocab: with reading {self.reading} they come from the training text; leave it out")
        if self.blank_lines and self.reading not in ("stream", "sentences"):
            raise ValueError(f"blank_lines: with reading {self.reading} no empty line is an example; leave it out")
        if self.reading == "vectors" and len(self.train) > 1:
            raise ValueError(f"train: with reading vectors one file is expected, found {len(self.train)}")


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


@dataclass(frozen=True)
class Figures:
    """What a model file tells of its training."""

    rnnlm: str  # the version that wrote it
    train_sha256: str  # of the texts, and the vocabulary's fingerprint
    valid_sha256: str | None
    vocab_sha256: str
    step: int
    epoch: int
    valid_nats: list[float]  # entropy at each validation, nats per token
    test_sha256: str | None = None

    def __post_init__(self):
        for name in ("train_sha256", "valid_sha256", "vocab_sha256", "test_sha256"):
            if not re.fullmatch("[0-9a-f]{64}", getattr(self, name) or 64 * "0"):
                raise ValueError(f"{name}: expected 64 hexadecimal digits, found {getattr(self, name)!r}")
        if not self.rnnlm.isprintable():
            raise ValueError(f"rnnlm: expected a version, found {self.rnnlm!r}")


def read_figures(saved: checkpoint.Checkpoint, file: Path) -> dict[str, Any]:
    """The figures of a file, those listed above checked. Raises DataError."""
    known = {field.name: saved.figures[field.name] for field in fields(Figures) if field.name in saved.figures}
    try:
        return saved.figures | config.plain(config.build(Figures, known, f"{file}: figures"))
    except UsageError as error:
        raise DataError(error.message, DAMAGED) from None


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


def load_weights(network: Network, saved: checkpoint.Checkpoint, file: Path) -> None:
    """Copy the weights of a file into a network of the same shapes. Raises DataError naming the first that differs."""
    found = {name: array.shape for name, array in saved.weights.items()}
    checkpoint.compare(file, found, {name: array.shape for name, array in network.params.named.items()})
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
    for name in ("best.npz", "last.npz", "previous.npz"):
        if (path / name).exists():
            return path / name
    raise DataError(f"{path}: no model in this directory", "expected a run directory of `rnnlm train`")
