"""How a training goes on from an earlier one: what --resume may change, and how --init-from starts."""

from __future__ import annotations

import hashlib
import json
import shlex
import zlib
from pathlib import Path
from typing import Any

from rnnlm import __version__, config
from rnnlm.errors import DataError, UsageError
from rnnlm.training import checkpoint
from rnnlm.training.checkpoint import Checkpoint, load_weights, read_figures

Experiment = Any  # a `rnnlm.experiment.Experiment`, which is made of the parts of this package

# Options that --resume may change.
ADJUSTABLE = (
    "data.test", "training.epochs", "training.patience", "training.save_every", "training.log_every",
    "training.samples", "training.retries",
)  # fmt: skip
# Options that say where texts and vocabulary come from. They may change, too: contents are compared, not names.
SOURCES = ("data.train", "data.valid", "data.vocab", "data.max_size", "data.min_count")
CONTENTS = {
    "train_sha256": "training text",
    "valid_sha256": "validation text",
    "vocab_sha256": "vocabulary",
    "teacher_sha256": "teacher",
}


def compare(experiment: Experiment, saved: Checkpoint, file: Path, run: Path) -> None:
    """Raise UsageError for another configuration than the checkpoint's, DataError for other texts or words."""
    path = shlex.quote(str(run))
    elsewhere = f"--init-from {path} -o ANOTHER starts another run from its weights"
    before, now = completed(saved.config, experiment.config), config.plain(experiment.config)
    share = isinstance(now["data"]["valid"], float)  # all shares of a text have the hash of the text
    allowed = {*ADJUSTABLE, *SOURCES} - ({"data.valid"} if share else set())
    if refused := [line for option, line in differences(before, now) if option not in allowed]:
        raise UsageError(
            f"{run}: the run has another configuration: {'; '.join(refused)}",
            f"resume with the run's own configuration; {elsewhere}",
        )
    figures, found = read_figures(saved, file), fingerprints(experiment)
    for name, what in CONTENTS.items():
        if figures[name] != found[name]:
            raise DataError(
                f"{run}: the {what} has changed since the run began",
                f"restore it; or {elsewhere}, with its words: --set data.vocab={path}/vocab.txt, "
                "or with new ones as well: --extend-vocab",
            )


def differences(old: Any, new: Any, path: str = "") -> list[tuple[str, str]]:
    """(dotted path, 'path: old -> new') of every value in which two plain configurations differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [d for key in keys for d in differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)]
    return [] if old == new else [(path, f"{path}: {json.dumps(old)} -> {json.dumps(new)}")]


def completed(saved: dict[str, Any], settings: Any) -> dict[str, Any]:
    """The configuration in a checkpoint, with defaults for options that are younger than the checkpoint."""
    try:
        return config.plain(config.build(type(settings), saved))
    except UsageError:  # of options that are gone: then the differences tell
        return saved


def note_rate(experiment: Experiment, saved: Checkpoint) -> None:
    """Add a note if another number of epochs changes the learning rate with which a resumed run goes on."""
    trainer, epochs = experiment.trainer, completed(saved.config, experiment.config)["training"]["epochs"]
    if trainer.finished or not trainer.progress.step or trainer.lr == trainer.lr_of(epochs):
        return
    experiment.notes.append(
        f"note: schedule {trainer.schedule.kind} goes by the share of all epochs, {trainer.settings.epochs} instead of "
        f"{epochs}: the learning rate goes from {trainer.progress.lr:.3g} to {trainer.lr:.3g} (see docs/runs.md)"
    )


def facts(experiment: Experiment) -> dict[str, Any]:
    """What has to be the same in all processes that train together."""
    found = fingerprints(experiment)
    weights = zlib.crc32(experiment.trainer.network.params.flat.data)
    return {
        "version of rnnlm": __version__,
        "configuration": config.plain(experiment.config),
        **{what: found[name] for name, what in CONTENTS.items()},
        "start of the weights": f"checksum {weights:08x}",
    }


def fingerprints(experiment: Experiment) -> dict[str, str | None]:
    """SHA-256 of the texts, of the vocabulary and of the weights of a teacher, whatever their files are called."""
    teacher = experiment.trainer.teacher
    return {
        "train_sha256": experiment.train.sha256,
        "valid_sha256": experiment.valid.sha256 if experiment.valid else None,
        "test_sha256": experiment.test_sha256,
        "vocab_sha256": experiment.vocab.fingerprint,
        "teacher_sha256": hashlib.sha256(teacher.params.flat.data).hexdigest() if teacher else None,
    }


def start_from(experiment: Experiment, path: Path) -> None:
    """Start from the weights of another model. Raises DataError unless it has the same shapes and words."""
    saved = checkpoint.load(path)
    if read_figures(saved, path)["vocab_sha256"] != experiment.vocab.fingerprint:
        raise DataError(
            f"{path}: its vocabulary is not that of this configuration",
            "set data.vocab to the vocab.txt of its run, or add the new words with --extend-vocab",
        )
    load_weights(experiment.trainer.network, saved, path)
