"""The run directory: the files of a training, and how it resumes and recovers from divergence."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rnnlm import __version__, config
from rnnlm.errors import DataError, UsageError
from rnnlm.files import OF_A_RUN, resumable, write_whole, writing
from rnnlm.nn.heads.loss import figure, finite
from rnnlm.nn.threads import threads
from rnnlm.training import checkpoint, progress
from rnnlm.training.checkpoint import Checkpoint, load_weights, read_figures
from rnnlm.training.progress import Diverged, Divergence, Stretch
from rnnlm.training.ranks import ALONE, Ranks
from rnnlm.training.resume import Experiment, compare, fingerprints, note_rate
from rnnlm.training.trainer import Trainer, Update, Validation

LOGS = ("log.jsonl", "samples.txt")  # a resumed run removes from them the validations that it will repeat
HALF = ".*.tmp"  # files that are being written
WRITTEN = (
    "command.txt", "best.npz", "last.npz", "previous.npz", "log.jsonl", "train.log", "samples.txt", "report.html",
)  # fmt: skip


class Run:
    """A directory with the files of one training.

    config.yaml command.txt vocab.txt env.json   configuration, commands, vocabulary, and environment
    best.npz last.npz previous.npz               the best model, the last checkpoint, and the one before it
    log.jsonl                                    one JSON object per validation (see `record`), per `Divergence`, and
                                                 for every `training.log_every` updates (see `update_record`)
    train.log samples.txt                        what was reported, and the sampled lines
    .lock                                        locked while a training runs

    Of several processes that train together, `ranks`, all call these methods, and rank 0 reads and writes the files.
    """

    def __init__(self, path: Path, ranks: Ranks = ALONE):
        self.path, self.ranks = path, ranks
        self.best, self.last, self.previous = (path / f"{name}.npz" for name in ("best", "last", "previous"))

    def exists(self) -> bool:
        """Whether there is anything here that a training could overwrite."""
        if not self.path.is_dir():
            return self.path.exists()
        return any(p.name != ".lock" and not fnmatch(p.name, HALF) for p in self.path.iterdir())

    def check(self, resume: bool = False, force: bool = False, inputs: Iterable[str | Path] = ()) -> None:
        """Raise UsageError where a run may not begin, or with `resume` go on.

        That is in a directory with an earlier run, unless `force`; with `force`, in one with other things than a run;
        with `resume`, in one without a run; and wherever one of the `inputs` is a file that the run would write.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path}: a file; expected a directory for the run", "choose another with -o")
        if resume and not resumable(self.path):
            raise UsageError(f"{self.path}: nothing to resume: no last.npz in it", "train without --resume")
        if self.exists() and not (resume or force):
            raise UsageError(
                f"{self.path}: exists already", "go on with --resume, overwrite with --force, or choose another with -o"
            )
        if force and self.exists() and not any((self.path / name).exists() for name in OF_A_RUN):
            raise UsageError(
                f"{self.path}: holds other files and no run, which --force does not overwrite", "choose another with -o"
            )
        written = {os.path.realpath(self.path / name) for name in WRITTEN}
        for path in inputs:
            if os.path.realpath(path) in written:
                raise UsageError(
                    f"{path}: an input that this run would overwrite", "copy it, or choose another directory with -o"
                )

    @contextlib.contextmanager
    def lock(self) -> Iterator[list[str]]:
        """Keep other trainings out meanwhile; the operating system lets go of the lock if the process dies.

        Yields warnings: there are file systems without locks. Raises DataError when another training holds the lock,
        or the directory cannot be made or written.
        """
        warnings = []
        with contextlib.ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(open(self.path / ".lock", "a"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise DataError(
                        f"{self.path}: another training is running in this directory",
                        "wait for it, or choose another with -o",
                    ) from None
                except OSError as error:
                    warnings.append(
                        f"{self.path}: cannot be locked ({error.strerror}): let no other training write here"
                    )
                for half in self.path.glob(HALF):  # what a killed training was writing
                    half.unlink()
            except OSError as error:
                raise DataError(
                    f"{self.path}: cannot be used as run directory: {error.strerror}", "choose another one with -o"
                ) from None
            yield warnings

    def clear(self) -> None:
        """Remove the files of an earlier training, and nothing else."""
        for name in WRITTEN:
            (self.path / name).unlink(missing_ok=True)

    def begin(self, experiment: Experiment, command: list[str], resume: bool = False, force: bool = False) -> list[str]:
        """Begin a run in a locked directory, or with `resume` go on with the one that is there; -> warnings.

        What is there is looked at here, under the lock: another training may have finished while this one was prepared.
        """
        self.ranks.at_first(lambda: self.check(resume, force, inputs(experiment)))
        warnings: list[str] = []
        if resume:
            warnings = self.resume(experiment)
        else:
            self.ranks.at_first(self.clear)
            self.save_last(experiment)  # first of all, so that whatever happens there is something to resume
        self.ranks.at_first(lambda: self.describe(experiment, command))
        return warnings

    def describe(self, experiment: Experiment, command: list[str]) -> None:
        """Write configuration, vocabulary and environment; command.txt gets a line for every continuation."""
        ranks = {"ranks": self.ranks.size} if self.ranks.size > 1 else {}
        shares = {"shares": experiment.trainer.settings.shares} if experiment.trainer.settings.shares else {}
        env = json.dumps(environment() | ranks | shares | fingerprints(experiment), indent=1) + "\n"
        write_whole(self.path / "config.yaml", config.dump(experiment.config).encode())
        write_whole(self.path / "env.json", env.encode())
        write_whole(self.path / "vocab.txt", experiment.vocab.to_bytes())
        self.append("command.txt", shlex.join(["rnnlm", *command]))

    def log(self, record: dict[str, Any]) -> None:
        """Append one JSON object to log.jsonl."""
        self.append("log.jsonl", json.dumps(record))

    def append(self, name: str, text: str) -> None:
        """Append a line to one of the text files."""
        if not self.ranks.first:
            return
        path = self.path / name
        # Names of files need not be UTF-8: what Python made of their bytes becomes those bytes again.
        with writing(path), open(path, "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text + "\n")

    def train(self, experiment: Experiment) -> Iterator[Update | Validation | Divergence]:
        """Train a run that has begun to its end, reporting as `Trainer.run` does, and write its files.

        A checkpoint is written after each validation, and every `training.save_every` between them. To stop, stop
        iterating and call `save_last`. When training diverges it goes back to the last checkpoint with half the
        learning rate, and reports a `Divergence`. Raises Diverged after `training.retries` times.
        """
        trainer, saved = experiment.trainer, time.monotonic()
        self._speed_since = trainer.progress.total, trainer.progress.seconds
        again = False  # whether training has gone back and no checkpoint has been written since
        while True:
            try:
                for event in trainer.run():
                    if isinstance(event, Validation):
                        event = self._keep(experiment, event)
                    else:
                        self._log_update(trainer)
                    yield event
                    if self.ranks.first and time.monotonic() - saved > trainer.settings.save_every:
                        self.ranks.ask("save")
                    if self.ranks.asked("save") or isinstance(event, Validation):
                        self.save_last(experiment)
                        saved, again = time.monotonic(), False
                return
            except Diverged as error:
                divergence = error.divergence
                if trainer.progress.halved >= trainer.settings.retries:
                    self.log(divergence._asdict())
                    raise
                back = self._go_back(experiment, again)
                divergence = divergence._replace(back=back, next_lr=trainer.lr)
                self.log(divergence._asdict())
                self.save_last(experiment, previous=False)  # so that --resume, too, has half the rate
                again = True
                yield divergence

    def _keep(self, experiment: Experiment, validation: Validation) -> Validation:
        """Save the best model, log the validation, and sample some lines."""
        if validation.best:
            self.save_best(experiment)
        self.log(record(validation, experiment.perplexity))
        with experiment.trainer.averaged():
            validation = validation._replace(samples=tuple(experiment.shown() if self.ranks.first else ()))
        heading = f"# epoch {validation.epoch:.2f}  valid {experiment.perplexity} {figure(validation.valid.perplexity)}"
        self.append("samples.txt", "\n".join([heading, *validation.samples]))
        return validation

    def _log_update(self, trainer: Trainer) -> None:
        """Append a line about the last updates to log.jsonl, every `training.log_every` updates."""
        every, now = trainer.settings.log_every, trainer.progress
        if every is not None and now.unlogged.updates >= every:
            tokens, seconds = self._speed_since
            speed = (now.total - tokens) / max(now.seconds - seconds, 1e-9)
            self.log(update_record(trainer, speed))
            now.unlogged, self._speed_since = Stretch(), (now.total, now.seconds)

    def _go_back(self, experiment: Experiment, again: bool) -> str:
        """Go back to the last checkpoint, with half the learning rate; -> its name.

        If training diverged from there, too (`again`), its weights were bad already: then only its counters are taken,
        and the weights of the best model, or before the first validation those of the checkpoint before.
        """
        trainer = experiment.trainer
        halved = trainer.progress.halved + 1
        self._restore(experiment, self.last)
        file, step = self.last, trainer.progress.step
        other = self.best if trainer.progress.history else self.previous
        if again and self.ranks.at_first(other.exists):
            saved = self._load(other)
            load_weights(trainer.network, saved, other)
            progress.start_over(trainer)
            file, step = other, read_figures(saved, other)["step"]
        trainer.progress.halved = halved
        return f"the weights of step {step} ({file.name})"

    def save_last(self, experiment: Experiment, previous: bool = True) -> None:
        """Write the checkpoint from which `--resume` goes on; with `previous`, keep the one before it."""
        resume = progress.save(experiment.trainer)
        resume["progress"]["logs"] = {name: self._size(name) for name in LOGS}
        before = self.previous if previous else None
        self.ranks.at_first(lambda: checkpoint.save(self.last, self._model(experiment, **resume), before))

    def save_best(self, experiment: Experiment) -> None:
        """Write the model file of the current weights, or of their average."""
        with experiment.trainer.averaged():
            self.ranks.at_first(lambda: checkpoint.save(self.best, self._model(experiment)))

    def resume(self, experiment: Experiment) -> list[str]:
        """Put the trainer where the run stopped, and remove from the logs what came later; -> warnings.

        When the last checkpoint is missing or damaged, the one before it is used. Raises UsageError when the
        configuration is another one, DataError when the text or the vocabulary is, or when no checkpoint can be read.
        """
        try:
            saved, warnings = self._restore(experiment, self.last), []
        except DataError as error:
            if not self.ranks.at_first(self.previous.exists):
                raise
            saved = self._restore(experiment, self.previous)
            self.ranks.at_first(lambda: os.replace(self.previous, self.last))
            warnings = [f"{error.message}; going on from the checkpoint before it"]
        logs = saved.progress.get("logs")
        for name in LOGS:
            size = logs.get(name) if isinstance(logs, dict) else None
            self.ranks.at_first(partial(self._cut, name, size))
        note_rate(experiment, saved)
        if experiment.trainer.progress.history:
            try:
                self.ranks.at_first(lambda: bool(checkpoint.load(self.best)))  # True is sent, not the weights
            except DataError as error:
                self.save_best(experiment)
                warnings.append(f"{error.message}; replaced by the last checkpoint")
        return warnings

    def _restore(self, experiment: Experiment, file: Path) -> Checkpoint:
        """Put the trainer where the checkpoint was written; -> the checkpoint."""
        saved, trainer = self._load(file), experiment.trainer
        if not saved.progress:
            raise DataError(f"{file}: a model, without the state of its training", "start anew with --init-from")
        compare(experiment, saved, file, self.path)
        load_weights(trainer.network, saved, file)
        try:
            progress.restore(trainer, saved)
        except ValueError:
            raise DataError(
                f"{file}: not a checkpoint of this configuration, or a damaged one", checkpoint.HINT
            ) from None
        return saved

    def _load(self, file: Path) -> Checkpoint:
        """Read a checkpoint: rank 0 does, and sends it to the others."""
        return self.ranks.at_first(lambda: checkpoint.load(file))

    def _size(self, name: str) -> int:
        path = self.path / name
        return path.stat().st_size if path.exists() else 0

    def _cut(self, name: str, size: Any) -> None:
        """Remove what was appended after the file had this size, unless it has become another file since."""
        if not isinstance(size, int) or not 0 <= size < self._size(name):
            return
        with writing(self.path / name, "check its permissions"), open(self.path / name, "r+b") as file:
            file.seek(max(size - 1, 0))
            if size == 0 or file.read(1) == b"\n":
                file.truncate(size)

    def _model(self, experiment: Experiment, **resume: Any) -> Checkpoint:
        """A model of the current weights; `resume`: the further fields of a checkpoint."""
        now = experiment.trainer.progress
        counters = {"step": now.step, "epoch": now.epoch, "valid_nats": now.history}
        figures = {"rnnlm": __version__, **fingerprints(experiment), **counters}
        plain, weights = config.plain(experiment.config), experiment.trainer.network.params.named
        return Checkpoint(plain, experiment.vocab.to_bytes(), weights, figures, **resume)


def inputs(experiment: Experiment) -> list[str]:
    """Names of the files that the configuration names, but for the vocabulary, which a run writes as it is."""
    data = experiment.config.data
    return [path for path in (*data.train, *data.valid_texts, data.test) if path is not None]


def record(validation: Validation, ppl: str = "ppl") -> dict[str, Any]:
    """A validation as a line of log.jsonl, with the stable keys of docs/runs.md; `ppl`: name of exp(nats)."""
    v = validation
    return {
        "epoch": v.epoch, "step": v.step, "lr": v.lr, "clipped": v.clipped,
        "train_nats": v.train.mean, f"train_{ppl}": finite(v.train.perplexity),
        "valid_nats": v.valid.mean, f"valid_{ppl}": finite(v.valid.perplexity),
        "valid_oovs": v.valid.oovs, f"valid_{ppl}_known": finite(v.valid.known.perplexity),
        "best": v.best, "rolled_back": v.rolled_back, "seconds": round(v.seconds, 2),
    }  # fmt: skip


def update_record(trainer: Trainer, speed: float) -> dict[str, Any]:
    """The last updates as a line of log.jsonl, with the stable keys of docs/runs.md; `speed`: tokens per second."""
    now, last = trainer.progress, trainer.progress.unlogged
    return {
        "epoch": round(trainer.passes, 4), "step": now.step, "updates": last.updates,
        "loss": finite(last.nats / max(last.tokens, 1)), "norm": finite(last.norm / last.updates), "lr": now.lr,
        "clipped": last.clipped / last.updates,
        "tokens_per_second": round(speed), "seconds": round(now.seconds, 2),
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }  # fmt: skip


def environment() -> dict[str, Any]:
    """Versions and machine. Speed and the last digits of a result depend on them, besides the configuration."""
    blas = getattr(np.__config__, "CONFIG", {}).get("Build Dependencies", {}).get("blas", {})
    return {
        "rnnlm": __version__, "python": platform.python_version(), "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}", "machine": platform.machine(), "system": sys.platform,
        "processor": _processor(), "cores": os.cpu_count(), "threads": threads(),
    }  # fmt: skip


def _processor() -> str:
    """The processor's name: kernels of the BLAS are chosen by it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
