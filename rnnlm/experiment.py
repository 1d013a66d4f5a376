"""The composition root: a configuration in, ready objects out. Here, and only here, all parts meet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

import rnnlm.nn.cells  # noqa: F401  (registers the kinds)
from rnnlm import config
from rnnlm.config import option
from rnnlm.errors import DataError, NumericalError, RnnlmError, UsageError
from rnnlm.nn.heads import Adaptive, Loss, Softmax
from rnnlm.nn.models import LanguageModel, Model
from rnnlm.nn.network import Network
from rnnlm.nn.params import Parameters
from rnnlm.nn.taught import Taught
from rnnlm.tasks.base import TASKS, Task, share_of
from rnnlm.tasks.data import Data
from rnnlm.text import unknown
from rnnlm.text.vocab import UNK, Vocabulary
from rnnlm.text.windows import RareAsUnk
from rnnlm.training import checkpoint
from rnnlm.training.checkpoint import DAMAGED, Checkpoint, load_weights, model_file, read_figures
from rnnlm.training.optim import Adam, Optimizer
from rnnlm.training.ranks import ALONE, Ranks
from rnnlm.training.resume import start_from
from rnnlm.training.schedule import Cosine, Schedule
from rnnlm.training.settings import Training
from rnnlm.training.trainer import Trainer


@dataclass(frozen=True)
class Config:
    """Configuration of a run: whatever its result depends on."""

    data: Data = option(doc="which text")
    model: Model = option(LanguageModel(), "the network")
    optimizer: Optimizer = option(Adam(), "the update rule")
    schedule: Schedule = option(Cosine(), "the learning rate over time")
    training: Training = option(Training(), "the loop")
    seed: int = option(1, "start of every random stream", low=0)
    dtype: Literal["float32", "float64"] = option("float32", "precision of all arithmetic")

    def __post_init__(self):
        known, found = self.model.readings, self.data.reading
        if found not in known:
            raise ValueError(
                f"model: a model of kind {self.model.kind} learns from data.reading {' or '.join(known)}, found {found}"
            )
        if self.data.documents and self.training.jitter:
            raise ValueError("training: jitter: moves windows of one text, not of its documents; leave one of them out")
        if self.training.teacher is not None and not isinstance(self.model, LanguageModel):
            raise ValueError(f"training: teacher: needs a model of kind lm, found {self.model.kind}")
        if self.schedule.rolls_back and self.training.average is not None:
            raise ValueError(
                f"training: the schedule {self.schedule.kind} goes back to the best weights, which training.average "
                "would not follow; choose another schedule, or leave the average out"
            )

    @property
    def task(self) -> Task:
        """The task that data.reading names."""
        return TASKS[self.data.reading]


@dataclass
class Experiment:
    """A configuration's texts, and a trainer at its first step."""

    config: Config
    vocab: Any  # a Vocabulary, or Vocabularies where the network writes other words than it reads
    train: Any  # a Corpus or Examples
    valid: Any  # a Corpus or Examples, or None
    trainer: Trainer
    test_sha256: str | None = None  # of the test text, if there is one yet
    notes: list[str] = field(default_factory=list)  # "note: ..." and "warning: ...", to be shown before training
    unk_share: float = 0.0  # of the training text that is read as `<unk>` at random

    @property
    def task(self) -> Task:
        """The task that data.reading names."""
        return self.config.task

    @property
    def perplexity(self) -> str:
        """Name of exp(nats per token): "ppl" or, where it is no perplexity, another."""
        return self.config.model.perplexity

    def shown(self) -> list[str]:
        """Sample lines of the model as it is, drawn by a generator that depends on the step alone."""
        number = self.config.training.samples
        if not number:
            return []
        rng = np.random.default_rng([self.config.seed, 3, self.trainer.progress.step])
        corpus = self.train if self.valid is None else self.valid
        try:
            return self.task.samples(self.trainer.network, corpus, number, rng)
        except NumericalError as error:  # of weights that the next step will find to have diverged
            return [f"({error.message})"]


def begin(
    settings: Config, resume: bool, model: str | Path | None = None, extended: Path | None = None, ranks: Ranks = ALONE
) -> Experiment:
    """Prepare a training that resumes, or that starts from the weights of another model, or from new ones.

    extended: the run directory for the vocabulary of that model with new words, see `prepare_extended`; None: without
    new words. ranks, errors: see `prepare`, `prepare_extended` and `start_from`.
    """
    if resume or model is None:
        return prepare(settings, start=not resume, ranks=ranks)
    file = model_file(Path(model))
    if extended is not None:
        return prepare_extended(settings, file, extended, ranks)
    experiment = prepare(settings, ranks=ranks)
    start_from(experiment, file)
    return experiment


def prepare(settings: Config, start: bool = True, words: Any = None, ranks: Ranks = ALONE) -> Experiment:
    """Read or build the vocabulary, encode the texts, start the network.

    start: draw the first weights; otherwise they are zero, until those of a checkpoint are loaded.
    words: the vocabulary, if it is not the one of the configuration.
    ranks: the processes that train together, of which each prepares the same.

    The experiment's configuration has the texts that names of folders and patterns stand for.

    Raises DataError for missing or broken text, UsageError for a vocabulary of another level than the configuration's.
    """
    settings = replace(settings, data=settings.data.found())
    data, training, seed, task = settings.data, settings.training, settings.seed, settings.task
    words, train, valid = task.corpora(data, settings.model, words)
    rare, readings = task.rare(data, words), []
    for epoch in range(len(training.batches) + 1):
        batcher = task.batcher(train, training.batch_of(epoch), training.window, training.jitter)
        readings.append(batcher if rare is None else RareAsUnk(batcher, rare))
    rng = np.random.default_rng([seed, 0]) if start else None
    network = Network(settings.model, words, np.dtype(settings.dtype), rng)

    def loss(network: Network) -> Loss:
        return ranks.total(task.loss(network, valid, training.batch, (ranks.rank, ranks.size)), patient=True)

    validate = None if valid is None else loss
    tokens = task.tokens(train, training.jitter)
    learnt = rare is not None or not isinstance(words, Vocabulary) or words.counts[UNK] > 0
    trainer = Trainer(
        network, readings, settings.optimizer, settings.schedule, training, validate, seed, tokens, learnt, ranks,
        taught(network, settings),
    )  # fmt: skip
    digest = task.digest(data.test) if data.test is not None and os.path.isfile(data.test) else None
    share = 0.0 if rare is None else float(rare @ words.counts) / max(train.words, 1)
    experiment = Experiment(settings, words, train, valid, trainer, digest, [], share)
    experiment.notes += odd(experiment)
    return experiment


def read_network(file: Path, command: str | None) -> tuple[Config, Any, Network, dict[str, Any]]:
    """Read a network from a model file: its configuration, its vocabulary, the network, figures of its training.

    command: one that its task has to have; None: a model of any task will do.
    Memory for its weights is taken only when the file holds as many as its configuration says. Raises DataError and
    UsageError: see `rnnlm.loading.load_model`.
    """
    settings: Config
    words: Any

    def shapes(plain: dict[str, Any], data: bytes) -> dict[str, tuple[int, ...]]:
        nonlocal settings, words
        try:
            settings = config.build(Config, plain, str(file))
            words = settings.task.load_vocabulary(data, f"{file}: vocabulary")
        except RnnlmError as error:
            raise DataError(error.message, DAMAGED) from None
        if command is not None and command not in settings.task.commands:
            why, commands = settings.model.instead
            raise UsageError(f"{file}: {why}", commands)
        return Parameters.shapes(settings.model.specs(words))

    saved = checkpoint.load(file, shapes)
    figures = read_figures(saved, file)
    network = Network(settings.model, words, np.dtype(settings.dtype))
    load_weights(network, saved, file)
    if not np.isfinite(network.params.flat).all():
        raise DataError(f"{file}: some of its weights are not finite", "train again, with a lower learning rate")
    return settings, words, network, figures


def taught(network: Network, settings: Config) -> Taught | None:
    """The network with the teacher that the configuration names; None if there is none.

    Raises UsageError for a teacher of another vocabulary, or that is no language model, and for a head that is neither
    a full softmax nor has the teacher's cutoffs.
    """
    if (teacher := settings.training.teacher) is None:
        return None
    file = model_file(Path(teacher.model))
    other = read_network(file, "score")[2]
    if other.vocab.fingerprint != network.vocab.fingerprint:
        raise UsageError(
            f"training.teacher: {file}: its vocabulary is not that of this configuration",
            "train with its words in its order: set data.vocab to the vocab.txt of its run",
        )
    head, cutoffs = settings.model.head, getattr(other.model.head, "cutoffs", None)
    if not (isinstance(head, Softmax) or (isinstance(head, Adaptive) and head.cutoffs == cutoffs)):
        raise UsageError(
            f"training.teacher: {file}: its softmax is not parted as that of model.head, which is {head.kind}",
            "set model.head.kind to softmax" + (f", or model.head.cutoffs to {cutoffs}" if cutoffs else ""),
        )
    return Taught(network, other, teacher.share, teacher.noisy)


def odd(experiment: Experiment) -> Iterator[str]:
    """Notes and warnings of texts, a vocabulary or a model that would spoil the figures."""
    words, train, valid = experiment.vocab, experiment.train, experiment.valid
    corpora = (train,) if valid is None else (train, valid)
    # The two parts of one text have the same notes.
    yield from dict.fromkeys(note for corpus in corpora for note in unknown.notes(corpus))
    if experiment.unk_share:
        yield (
            f"note: rare words are read as <unk> at random, {experiment.unk_share:.2%} of the training text, because "
            "no other word there is <unk> (data.rare_as_unk)"
        )
    elif not experiment.trainer.unk_learnt and valid is not None and valid.oovs:
        yield (
            f"warning: <unk> is never trained, but {valid.oovs / max(valid.words, 1):.2%} of the validation text is "
            "read as it: the best model is chosen without these words; leave out data.rare_as_unk"
        )
    if isinstance(words, Vocabulary) and words.even:
        yield f"warning: all words occur equally often in the training text ({words.counts[-1]} times): is it a list?"
    yield from experiment.task.notes(words)
    if warning := experiment.config.model.head.warning(getattr(words, "outputs", words)):
        yield f"warning: {warning}"


def prepare_extended(settings: Config, model: Path, run: Path, ranks: Ranks = ALONE) -> Experiment:
    """Prepare training with the words of another model, behind them new words of the training text, and its weights.

    Weights of new words start as configured. The configuration's vocabulary becomes the one in the directory `run`.
    Raises UsageError for a task with two vocabularies and for a model of another level, DataError for other shapes.
    """
    data, task = settings.data.found(), settings.task
    if task.outputs:
        raise UsageError(
            f"--extend-vocab: with data.reading {data.reading} there are two vocabularies", "train without it"
        )
    saved = checkpoint.load(model)
    old = task.load_vocabulary(saved.vocab, f"{model}: vocabulary")
    if (old.level, old.lower) != (data.level, data.lower):
        raise UsageError(
            f"{model}: has a vocabulary of level {old.level} and lower {old.lower}, but the configuration has "
            f"{data.level} and {data.lower}",
            "set data.level and data.lower as the model has them",
        )
    words = old.extended(task.words_of(data)).counted(task.counts(data, share_of(data)))
    settings = replace(settings, data=replace(data, vocab=str(run / "vocab.txt")))
    experiment = prepare(settings, words=words, ranks=ranks)
    load_weights(experiment.trainer.network, grown(saved, experiment.trainer.network, len(words) - len(old)), model)
    experiment.notes.append(f"note: {len(words) - len(old):,} new words behind the {len(old):,} of {model}")
    return experiment


def grown(saved: Checkpoint, network: Network, new: int) -> Checkpoint:
    """A model whose arrays with a row per word have the first rows of a network for the `new` words behind them."""
    weights = dict(saved.weights)
    for name, array in network.params.named.items():
        found = weights.get(name)
        if found is not None and found.shape == (len(array) - new, *array.shape[1:]):
            weights[name] = np.concatenate([found, array[len(found) :]])
    return replace(saved, weights=weights)
