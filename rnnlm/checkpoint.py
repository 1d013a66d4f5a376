"""Model and checkpoint files: one .npz each, without pickle, that replaces its predecessor only when it is whole.

A model file holds the weights, the vocabulary, the configuration and the figures of training, so that nothing else is
needed to use it. A checkpoint holds besides what the next step depends on: optimizer slots, hidden state, progress and
the state of every random stream.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rnnlm.errors import DataError

FORMAT = "rnnlm model"
VERSION = 1


@dataclass
class Checkpoint:
    """What a file holds. `arrays` by group: weights, and in a checkpoint slots and state."""

    config: dict[str, Any]
    vocab: bytes  # the vocabulary file
    weights: dict[str, np.ndarray]
    figures: dict[str, Any] = field(default_factory=dict)
    slots: dict[str, np.ndarray] = field(default_factory=dict)
    state: list[np.ndarray] = field(default_factory=list)
    progress: dict[str, Any] = field(default_factory=dict)


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a temporary file beside `path`, flush it to the disk, and rename it: `path` is whole at every moment."""
    meta = {
        "format": FORMAT, "version": VERSION,
        "config": checkpoint.config, "figures": checkpoint.figures, "progress": checkpoint.progress,
        "states": len(checkpoint.state),
    }  # fmt: skip
    arrays = {"meta": _text(json.dumps(meta)), "vocab": np.frombuffer(checkpoint.vocab, np.uint8)}
    arrays |= {f"weights/{name}": array for name, array in checkpoint.weights.items()}
    arrays |= {f"slots/{name}": array for name, array in checkpoint.slots.items()}
    arrays |= {f"state/{i}": array for i, array in enumerate(checkpoint.state)}
    write_whole(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def write_whole(path: Path, write) -> None:
    """Call write(binary file) on a temporary name beside `path`, sync it and rename it.

    Raises DataError when the disk is full, the folder read-only, or gone; what stood at `path` is then untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        hint = "make room or choose another folder, then go on with --resume" if path.suffix == ".npz" else ""
        raise DataError(f"{path}: cannot be written: {error.strerror or error}", hint) from None


def load(path: Path) -> Checkpoint:
    """Read a model or checkpoint. Raises DataError when the file is missing, damaged, or something else."""
    hint = "expected a model file or run directory written by `rnnlm train`"
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        meta = json.loads(arrays.pop("meta").tobytes())
        if meta["format"] != FORMAT:
            raise KeyError("format")
        if meta["version"] != VERSION:
            raise DataError(
                f"{path}: model format {meta['version']}, expected {VERSION}",
                "it was written by another version of rnnlm; use that version, or train again",
            )
        return Checkpoint(
            config=meta["config"], figures=meta["figures"], progress=meta["progress"],
            vocab=arrays["vocab"].tobytes(), weights=_group(arrays, "weights/"), slots=_group(arrays, "slots/"),
            state=[arrays[f"state/{i}"] for i in range(meta["states"])],
        )  # fmt: skip
    except FileNotFoundError:
        raise DataError(f"{path}: no such model (looked in {path.absolute()})", hint) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}", hint) from None
    except (KeyError, ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error):
        raise DataError(f"{path}: not a model file, or a damaged one", hint) from None


def _text(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def _group(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
