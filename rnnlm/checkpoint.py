"""Model and checkpoint files: one .npz each, without pickle, that replaces its predecessor only when it is whole.

A model file holds the weights, the vocabulary, the configuration and the figures of training, so that nothing else is
needed to use it. A checkpoint holds besides what the next step depends on: optimizer slots, hidden state, progress and
the state of every random stream.
"""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rnnlm.errors import DataError

FORMAT = "rnnlm model"
VERSION = 1


@dataclass
class Checkpoint:
    """What a file holds: a model file the first four, a checkpoint all."""

    config: dict[str, Any]
    vocab: bytes  # the vocabulary file
    weights: dict[str, np.ndarray]
    figures: dict[str, Any] = field(default_factory=dict)  # how far training was, and on which text
    slots: dict[str, np.ndarray] = field(default_factory=dict)  # of the optimizer
    state: list[np.ndarray] = field(default_factory=list)  # hidden, as carried to the next window
    progress: dict[str, Any] = field(default_factory=dict)  # see `rnnlm.train.Progress`


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

    def write(file):  # as np.savez does, which in older versions of NumPy complains once more when the disk is full
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)

    write_whole(path, write)


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
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
        raise DataError(
            f"{path}: cannot be written: {error.strerror or error}", "make room there, or choose another folder"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()  # there is none if all went well


def load(path: Path) -> Checkpoint:
    """Read a model or checkpoint. Raises DataError when the file is missing, damaged, or something else."""
    hint = "expected a model file or run directory written by `rnnlm train`"
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        meta = json.loads(arrays["meta"].tobytes())
        if meta["format"] != FORMAT:
            raise ValueError(meta["format"])
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
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such model (looked in {path.absolute()})", hint) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}", hint) from None
    except Exception as error:  # on other files zipfile, its decompressors, NumPy and json raise a dozen kinds
        raise DataError(f"{path}: not a model file, or a damaged one", hint) from error


def _text(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def _group(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
