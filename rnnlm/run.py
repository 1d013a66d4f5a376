"""The run directory: what a training leaves on the disk, and how it is taken up again."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rnnlm import __version__, checkpoint, config
from rnnlm.checkpoint import Checkpoint, write_whole
from rnnlm.errors import DataError, UsageError
from rnnlm.experiment import Experiment, load_weights
from rnnlm.threads import threads
from rnnlm.train import Validation

# What may differ between a run and its continuation: how long and how closely it is watched, not what is computed.
ADJUSTABLE = ("data.test", "training.epochs", "training.patience", "training.save_every", "training.samples")


class Run:
    """A directory with the files of one training.

    config.yaml command.txt vocab.txt env.json   what was asked for, and where it ran
    best.npz last.npz                            the best model, and the state to resume from
    log.jsonl                                    one JSON object per validation (see `record`)
    train.log samples.txt                        what was reported, and the sampled lines
    .lock                                        locked while a training runs
    """

    def __init__(self, path: Path):
        self.path = path
        self.best, self.last = path / "best.npz", path / "last.npz"

    def exists(self) -> bool:
        """Whether there is anything here that a training could overwrite."""
        return self.path.exists() and (not self.path.is_dir() or any(p.name != ".lock" for p in self.path.iterdir()))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other trainings out meanwhile; the operating system lets go of the lock if the process dies.

        Raises DataError when another training holds it, or the directory cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = open(self.path / ".lock", "a")  # noqa: SIM115 (closed below)
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be used as run directory: {error.strerror}", "choose another one with -o"
            ) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DataError(
                    f"{self.path}: another training is running in this directory",
                    "wait for it, or choose another with -o",
                ) from None
            for half in self.path.glob(".*.npz.*.tmp"):  # what a killed training was writing
                half.unlink()
            yield

    def clear(self) -> None:
        """Remove the files of an earlier training, and nothing else."""
        for name in ("command.txt", "best.npz", "last.npz", "log.jsonl", "train.log", "samples.txt"):
            (self.path / name).unlink(missing_ok=True)

    def describe(self, experiment: Experiment, command: list[str]) -> None:
        """Write what is asked for and where it runs; command.txt gets a line for every continuation."""
        self._write("config.yaml", config.dump(experiment.config))
        self._write("env.json", json.dumps(environment(), indent=1) + "\n")
        experiment.vocab.save(self.path / "vocab.txt")
        self.append("command.txt", shlex.join(["rnnlm", *command]))

    def log(self, record: dict[str, Any]) -> None:
        """Append one JSON object to log.jsonl."""
        self.append("log.jsonl", json.dumps(record))

    def append(self, name: str, text: str) -> None:
        """Append a line to one of the text files."""
        try:
            # Names of files need not be UTF-8: what Python made of their bytes becomes those bytes again.
            with open(self.path / name, "a", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text + "\n")
        except OSError as error:
            raise DataError(f"{self.path / name}: cannot be written: {error.strerror}") from None

    def save_last(self, experiment: Experiment) -> None:
        """Write the checkpoint from which `--resume` goes on."""
        checkpoint.save(self.last, self._model(experiment, **experiment.trainer.save()))

    def save_best(self, experiment: Experiment) -> None:
        """Write the model file of the weights as they are."""
        checkpoint.save(self.best, self._model(experiment))

    def resume(self, experiment: Experiment) -> None:
        """Put the trainer where the run stands.

        Raises UsageError when the configuration is another one, DataError when the text or the vocabulary is, or when
        the checkpoint is missing or broken.
        """
        saved, trainer = checkpoint.load(self.last), experiment.trainer
        if not saved.progress:
            raise DataError(f"{self.last}: a model, without the state of its training", "start anew with --init-from")
        changes = differences(saved.config, config.plain(experiment.config))
        if refused := [line for path, line in changes if path not in ADJUSTABLE]:
            raise UsageError(
                f"{self.path}: the run has another configuration: {'; '.join(refused)}",
                "resume with the run's own configuration, or start anew with --init-from or --force",
            )
        now = fingerprints(experiment)
        for name, what in (("train", "training text"), ("valid", "validation text"), ("vocab", "vocabulary")):
            if saved.figures[f"{name}_sha256"] != now[f"{name}_sha256"]:
                raise DataError(
                    f"{self.path}: the {what} has changed since the run began", "restore it, or start anew with --force"
                )
        trainer.restore(saved)
        if trainer.progress.history:
            load_weights(trainer.network, checkpoint.load(self.best), self.best)
            trainer.best[...] = trainer.network.params.flat
        load_weights(trainer.network, saved, self.last)

    def _model(self, experiment: Experiment, **resume: Any) -> Checkpoint:
        """The weights as they are, with all that is known about them; `resume`: what a checkpoint has besides."""
        progress = experiment.trainer.progress
        stand = {"step": progress.step, "epoch": progress.epoch, "valid_nats": progress.history}
        figures = {"rnnlm": __version__, **fingerprints(experiment), **stand}
        plain, weights = config.plain(experiment.config), experiment.trainer.network.params.named
        return Checkpoint(plain, experiment.vocab.to_bytes(), weights, figures, **resume)

    def _write(self, name: str, text: str) -> None:
        write_whole(self.path / name, lambda file: file.write(text.encode()))


def start_from(experiment: Experiment, path: Path) -> None:
    """Start from the weights of another model. Raises DataError unless it has the same shapes and words."""
    saved = checkpoint.load(path)
    if saved.figures["vocab_sha256"] != experiment.vocab.fingerprint:
        raise DataError(
            f"{path}: its vocabulary is not that of this configuration", "set data.vocab to the vocab.txt of its run"
        )
    load_weights(experiment.trainer.network, saved, path)
    experiment.trainer.best[...] = experiment.trainer.network.params.flat


def fingerprints(experiment: Experiment) -> dict[str, str | None]:
    """What the texts and the vocabulary are, whatever their files are called."""
    return {
        "train_sha256": experiment.train.sha256,
        "valid_sha256": experiment.valid.sha256 if experiment.valid else None,
        "vocab_sha256": experiment.vocab.fingerprint,
    }


def record(validation: Validation, ppl: str = "ppl") -> dict[str, Any]:
    """A validation as a line of log.jsonl; `ppl`: what exp(nats) is called for this model. These keys are stable:

    epoch        passes over the training text so far, with a fraction within one
    step         updates so far
    lr           learning rate of the last update
    clipped      share of updates since the last validation whose gradient was clipped, 0 to 1
    train_nats   cross-entropy per token of the training text since the last validation, dropout included
    train_ppl    its exponential (null if too large for a float)
    valid_nats   the same of the validation text, without dropout; without such a text, that of the training text
    valid_ppl    its exponential
    best         whether it is the best validation so far
    rolled_back  whether training went back to the best weights
    seconds      spent training so far, validation not included
    """
    v = validation
    return {
        "epoch": v.epoch, "step": v.step, "lr": v.lr, "clipped": v.clipped,
        "train_nats": v.train.mean, f"train_{ppl}": _finite(v.train.perplexity),
        "valid_nats": v.valid.mean, f"valid_{ppl}": _finite(v.valid.perplexity),
        "best": v.best, "rolled_back": v.rolled_back, "seconds": round(v.seconds, 2),
    }  # fmt: skip


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None


def differences(old: Any, new: Any, path: str = "") -> list[tuple[str, str]]:
    """(dotted path, 'path: old -> new') of every value in which two plain configurations differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [d for key in keys for d in differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)]
    return [] if old == new else [(path, f"{path}: {json.dumps(old)} -> {json.dumps(new)}")]


def environment() -> dict[str, Any]:
    """Versions and machine: what speed and the last digits of a result depend on beside the configuration."""
    blas = getattr(np.__config__, "CONFIG", {}).get("Build Dependencies", {}).get("blas", {})
    return {
        "rnnlm": __version__, "python": platform.python_version(), "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}", "machine": platform.machine(), "system": sys.platform,
        "cores": os.cpu_count(), "threads": threads(),
    }  # fmt: skip
