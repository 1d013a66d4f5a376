"""Model and checkpoint files: one .npz each, without pickle, that replaces its predecessor only when it is whole.

A model file holds the weights, the vocabulary, the configuration and the figures of training, so that nothing else is
needed to use it. A checkpoint also holds everything that the next step depends on: optimizer slots, hidden state,
progress and the state of every random stream.

A file may come from a stranger. So nothing is read but an archive of uncompressed arrays of bytes and floats, whose
sizes fit the file: reading it takes no more memory than it takes on the disk.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from rnnlm import config
from rnnlm.errors import DataError, RnnlmError, UsageError
from rnnlm.files import write_whole
from rnnlm.lm import arpa
from rnnlm.nn.network import Network
from rnnlm.text import vocab

FORMAT = "rnnlm model"
VERSION = 1
MAX_META = 1 << 24  # bytes; a validation takes 20
MAX_HEADER = 4096  # bytes; NumPy's headers of such arrays take 128
PIECE = 1 << 20  # bytes read at a time
TYPES = {np.dtype(t) for t in ("f4", "f8", "u1")}  # of the arrays in a file
READ_HEADER = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
DAMAGED = "the file is damaged, or from another version: train again"  # a hint
HINT = "expected a model file or run directory written by `rnnlm train`"


@dataclass
class Checkpoint:
    """Content of a model file, which has the first four fields, or of a checkpoint, which has all."""

    config: dict[str, Any]
    vocab: bytes  # the vocabulary file
    weights: dict[str, np.ndarray]
    figures: dict[str, Any] = field(default_factory=dict)  # how far training was, and on which text
    slots: dict[str, np.ndarray] = field(default_factory=dict)  # of the optimizer
    best: dict[str, np.ndarray] = field(default_factory=dict)  # "flat": weights of the best validation
    state: list[np.ndarray] = field(default_factory=list)  # hidden, as carried to the next window
    progress: dict[str, Any] = field(default_factory=dict)  # see `rnnlm.training.progress.save`


def save(path: Path, checkpoint: Checkpoint, previous: Path | None = None) -> None:
    """Write a model file or checkpoint; `path` is whole at every moment, and the file before it is kept as `previous`.

    Raises DataError when it cannot be written.
    """
    meta = {
        "format": FORMAT, "version": VERSION,
        "config": checkpoint.config, "figures": checkpoint.figures, "progress": checkpoint.progress,
        "states": len(checkpoint.state),
    }  # fmt: skip
    arrays = {
        "meta": np.frombuffer(json.dumps(meta).encode(), np.uint8),
        "vocab": np.frombuffer(checkpoint.vocab, np.uint8),
    }
    arrays |= {f"weights/{name}": array for name, array in checkpoint.weights.items()}
    arrays |= {f"slots/{name}": array for name, array in checkpoint.slots.items()}
    arrays |= {f"best/{name}": array for name, array in checkpoint.best.items()}
    arrays |= {f"state/{i}": np.asarray(array, order="C") for i, array in enumerate(checkpoint.state)}

    def write(file):  # as np.savez does, which in older versions of NumPy complains once more when the disk is full
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)

    write_whole(path, write, previous)


Shapes = Mapping[str, tuple[int, ...]]


def load(
    path: Path, shapes: Callable[[dict[str, Any], bytes], Shapes] | None = None, arrays: bool = True
) -> Checkpoint:
    """Read a model or checkpoint. Raises DataError when the file is missing, damaged, or something else.

    shapes: from the configuration and the vocabulary file to the shapes that the weights must have. It is asked before
    any weight is read, and what differs raises DataError. arrays: read weights, slots and states, too.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) and not path.is_dir():
            raise DataError(f"{path}: is a pipe or a device, not a file", HINT)
        with _Pieces(path) as file:
            archive = _Archive(file)
            meta = json.loads(archive.text("meta", MAX_META))
            if meta["format"] != FORMAT:
                raise ValueError(meta["format"])
            if meta["version"] != VERSION:
                raise DataError(
                    f"{path}: model format {json.dumps(meta['version'])[:60]}, expected {VERSION}",
                    "it was written by another version of rnnlm; use that version, or train again",
                )
            config, figures, progress = (meta[name] for name in ("config", "figures", "progress"))
            if not all(isinstance(part, dict) for part in (config, figures, progress)):
                raise ValueError("sections expected")
            words = archive.text("vocab", vocab.MAX_FILE)
            if shapes is not None:
                compare(path, archive.shapes("weights/"), shapes(config, words))
            if not arrays:
                return Checkpoint(config, words, {}, figures, progress=progress)
            weights, slots, best = (archive.floats(group) for group in ("weights/", "slots/", "best/"))
            state = archive.floats("state/")
            in_order = [state.pop(str(i)) for i in range(meta["states"])]
            return Checkpoint(config, words, weights, figures, slots, best, in_order, progress)
    except RnnlmError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such model (looked in {path.absolute()})", HINT) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}", HINT) from None
    except Exception as error:  # on other files zipfile, NumPy and json raise a dozen kinds
        arpa.refuse(path)
        raise DataError(f"{path}: not a model file, or a damaged one", HINT) from error


def compare(path: Path, found: Shapes, expected: Shapes) -> None:
    """Raise DataError naming the first weight of the file `path` whose shape is not the expected one."""
    for name in dict(expected) | dict(found):
        if found.get(name) != expected.get(name):
            shown = name if name.isprintable() else ascii(name)
            raise DataError(
                f"{path}: weight {shown}: found {found.get(name, 'none')}, expected {expected.get(name, 'none')}",
                "model and configuration (or vocabulary) do not belong together",
            )


class _Pieces(io.FileIO):
    """A file that gives at most PIECE bytes at once: zipfile asks for as many as the archive claims to hold."""

    def read(self, size=-1, /):
        return super().read(PIECE if size is None or size < 0 else min(size, PIECE))


class _Archive:
    """The arrays of a file, of which only the headers are read until one is asked for.

    Raises ValueError, KeyError or what zipfile and NumPy raise for what `save` cannot have written.
    """

    def __init__(self, file: io.FileIO):
        self._zip = zipfile.ZipFile(file)
        size = os.fstat(file.fileno()).st_size
        for member in self._zip.infolist():
            size -= member.file_size
            if member.compress_type != zipfile.ZIP_STORED or size < 0:  # compressed, or twice in the same place
                raise ValueError(member.filename)
        self._headers = {m.filename.removesuffix(".npy"): self._header(m) for m in self._zip.infolist()}

    def _header(self, member: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
        """Shape and type of an array, if the file holds as many bytes as they say."""
        with self._zip.open(member) as stream:
            start = io.BytesIO(stream.read(MAX_HEADER))
        version = np.lib.format.read_magic(start)
        shape, fortran, dtype = READ_HEADER[version](start)
        size = math.prod(shape) * dtype.itemsize
        if dtype not in TYPES or fortran or min(shape, default=0) < 0 or start.tell() + size != member.file_size:
            raise ValueError(member.filename)
        return shape, dtype

    def shapes(self, prefix: str) -> dict[str, tuple[int, ...]]:
        """The shapes of a group of arrays."""
        return {name.removeprefix(prefix): s for name, (s, _) in self._headers.items() if name.startswith(prefix)}

    def text(self, name: str, limit: int) -> bytes:
        """An array of bytes, at most `limit`."""
        shape, dtype = self._headers[name]
        if dtype != np.uint8 or math.prod(shape) > limit:
            raise ValueError(name)
        return self._read(name).tobytes()

    def floats(self, prefix: str) -> dict[str, np.ndarray]:
        """A group of arrays of floats."""
        names = [name for name in self._headers if name.startswith(prefix)]
        if any(self._headers[name][1].kind != "f" for name in names):
            raise ValueError(prefix)
        return {name.removeprefix(prefix): self._read(name) for name in names}

    def _read(self, name: str) -> np.ndarray:
        """An array. The archive's checksum of it is verified on the way."""
        with self._zip.open(f"{name}.npy") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)


@dataclass(frozen=True)
class Figures:
    """Facts about the training of a model, as its file tells them."""

    rnnlm: str  # the version that wrote it
    train_sha256: str  # of the text, as the next ones
    valid_sha256: str | None
    vocab_sha256: str
    step: int
    epoch: int
    valid_nats: list[float]  # entropy at each validation, nats per token
    test_sha256: str | None = None
    teacher_sha256: str | None = None  # of the weights of its teacher

    def __post_init__(self):
        for name in ("train_sha256", "valid_sha256", "vocab_sha256", "test_sha256", "teacher_sha256"):
            if not re.fullmatch("[0-9a-f]{64}", getattr(self, name) or 64 * "0"):
                raise ValueError(f"{name}: expected 64 hexadecimal digits, found {getattr(self, name)!r}")
        if not self.rnnlm.isprintable():
            raise ValueError(f"rnnlm: expected a version, found {self.rnnlm!r}")


def read_figures(saved: Checkpoint, file: Path) -> dict[str, Any]:
    """The figures of a file, after a check of those in `Figures`. Raises DataError."""
    known = {field.name: saved.figures[field.name] for field in fields(Figures) if field.name in saved.figures}
    try:
        return saved.figures | config.plain(config.build(Figures, known, f"{file}: figures"))
    except UsageError as error:
        raise DataError(error.message, DAMAGED) from None


def load_weights(network: Network, saved: Checkpoint, file: Path) -> None:
    """Copy the weights of a file into a network of the same shapes. Raises DataError naming the first that differs."""
    found = {name: array.shape for name, array in saved.weights.items()}
    compare(file, found, {name: array.shape for name, array in network.params.named.items()})
    for name, array in network.params.named.items():
        array[...] = saved.weights[name]


def model_file(path: Path) -> Path:
    """The model that a path means: a file itself, or of a run directory the best model, or else the last."""
    if not path.is_dir():
        return path
    for name in ("best.npz", "last.npz", "previous.npz"):
        if (path / name).exists():
            return path / name
    raise DataError(f"{path}: no model in this directory", "expected a run directory of `rnnlm train`")
