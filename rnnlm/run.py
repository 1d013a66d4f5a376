"""The run directory: what a training leaves on the disk, and how it is taken up again."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np

from rnnlm import __version__, checkpoint, config
from rnnlm.checkpoint import Checkpoint, write_whole
from rnnlm.errors import DataError, UsageError
from rnnlm.experiment import Experiment, load_weights
from rnnlm.train import Validation

# What may differ between a run and its continuation: how long and how closely it is watched, not what is computed.
ADJUSTABLE = ("training.epochs", "training.patience", "training.save_every", "training.samples")


class Run:
    """A directory with the files of one training.

    config.yaml command.txt vocab.txt env.json   what was asked for, and where it ran
    best.npz last.npz                            the best model, and the state to resume from
    log.jsonl train.log samples.txt              the course of training
    """

    def __init__(self, path: Path):
        self.path = path
        self.best, self.last = path / "best.npz", path / "last.npz"
        self._lock: Any = None

    def exists(self) -> bool:
        """Whether a training has left anything here."""
        return self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir()))

    def lock(self) -> None:
        """Keep other trainings out; the operating system lets go of the lock with the process, however it ends.

        Raises DataError when another training holds it, or the directory cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.path / ".lock", "a+")  # noqa: SIM115 (held until the process ends)
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be used as run directory: {error.strerror}", "choose another one with -o"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(
                f"{self.path}: another training is running in this directory", "wait for it, or choose another with -o"
            ) from None

    def clear(self) -> None:
        """Remove the files of an earlier training, and nothing else."""
        for name in ("best.npz", "last.npz", "log.jsonl", "train.log", "samples.txt"):
            (self.path / name).unlink(missing_ok=True)

    def describe(self, experiment: Experiment, command: list[str]) -> None:
        """Write what was asked for and where it runs."""
        env = environment() | {"train_sha256": experiment.train.sha256}
        self._write("config.yaml", config.dump(experiment.config))
        self._write("command.txt", shlex.join(["rnnlm", *command]) + "\n")
        self._write("env.json", json.dumps(env, indent=1) + "\n")
        experiment.vocab.save(self.path / "vocab.txt")

    def log(self, record: dict[str, Any]) -> None:
        """Append one JSON object to log.jsonl."""
        self.append("log.jsonl", json.dumps(record))

    def append(self, name: str, text: str) -> None:
        """Append a line to one of the logs."""
        try:
            with open(self.path / name, "a", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError as error:
            raise DataError(f"{self.path / name}: cannot be written: {error.strerror}") from None

    def save_last(self, experiment: Experiment) -> None:
        """Write the checkpoint from which `--resume` goes on."""
        checkpoint.save(
            self.last, self._model(experiment, experiment.trainer.network.params.named, **experiment.trainer.save())
        )

    def save_best(self, experiment: Experiment) -> None:
        """Write the model file of the weights as they are."""
        checkpoint.save(self.best, self._model(experiment, experiment.trainer.network.params.named))

    def resume(self, experiment: Experiment) -> None:
        """Put the trainer where the run stands. Raises UsageError when the configuration is another one."""
        saved = checkpoint.load(self.last)
        changes = differences(saved.config, config.plain(experiment.config))
        refused = [line for path, line in changes if path not in ADJUSTABLE]
        if refused:
            raise UsageError(
                f"{self.path}: the run has another configuration: {'; '.join(refused)}",
                "resume with the run's own configuration, or start anew with --init-from or --force",
            )
        if saved.vocab != experiment.vocab.to_bytes():
            raise DataError(
                f"{self.path}: the vocabulary has changed since the run began",
                "restore the text, or start anew with --force",
            )
        if saved.figures["train_sha256"] != experiment.train.sha256:
            raise DataError(
                f"{self.path}: the training text has changed since the run began",
                "restore it, or start anew with --force",
            )
        load_weights(experiment.trainer.network, saved, self.last)
        best = checkpoint.load(self.best).weights if self.best.exists() else saved.weights
        experiment.trainer.restore(saved, best)
        if experiment.trainer.progress.epoch < experiment.config.training.epochs:
            experiment.trainer.progress.finished = False

    def _model(self, experiment: Experiment, weights: dict[str, np.ndarray], **resume: Any) -> Checkpoint:
        progress = experiment.trainer.progress
        figures = {
            "rnnlm": __version__, "train_sha256": experiment.train.sha256, "vocab_sha256": experiment.vocab.fingerprint,
            "carried": experiment.config.data.reading == "stream",
            "step": progress.step, "epoch": progress.epoch, "valid_nats": progress.history,
        }  # fmt: skip
        plain = config.plain(experiment.config)
        return Checkpoint(plain, experiment.vocab.to_bytes(), weights, figures, **resume)

    def _write(self, name: str, text: str) -> None:
        write_whole(self.path / name, lambda file: file.write(text.encode()))


def start_from(experiment: Experiment, path: Path) -> None:
    """Start from the weights of another model of the same shapes and vocabulary."""
    saved = checkpoint.load(path)
    if saved.vocab != experiment.vocab.to_bytes():
        raise DataError(
            f"{path}: its vocabulary is not that of this configuration", "set data.vocab to the vocab.txt of its run"
        )
    load_weights(experiment.trainer.network, saved, path)
    experiment.trainer.best[...] = experiment.trainer.network.params.flat


def record(validation: Validation) -> dict[str, Any]:
    """A validation as it stands in log.jsonl."""
    return {
        "epoch": validation.epoch, "step": validation.step, "lr": validation.lr, "clipped": validation.clipped,
        "train_nats": validation.train.mean, "train_ppl": validation.train.perplexity,
        "valid_nats": validation.valid.mean, "valid_ppl": validation.valid.perplexity,
        "best": validation.best, "rolled_back": validation.rolled_back, "seconds": round(validation.seconds, 2),
    }  # fmt: skip


def differences(old: Any, new: Any, path: str = "") -> list[tuple[str, str]]:
    """(dotted path, 'path: old -> new') of every value in which two plain configurations differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [d for key in keys for d in differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)]
    return [] if old == new else [(path, f"{path}: {old} -> {new}")]


def environment() -> dict[str, Any]:
    """Versions and machine: what a figure depends on beside the configuration."""
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})  # type: ignore[call-arg, union-attr]
    return {
        "rnnlm": __version__, "python": platform.python_version(), "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}", "machine": platform.machine(), "system": sys.platform,
        "cores": os.cpu_count(), "threads": os.environ.get("OPENBLAS_NUM_THREADS", "default"),
    }  # fmt: skip
