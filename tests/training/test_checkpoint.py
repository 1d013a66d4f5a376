"""Model files: what is saved comes back, what is not whole is refused, and nothing whole is ever lost."""

import copy
import errno
import io
import json
import os
import pickle
import tracemalloc
import zipfile
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlm.errors import DataError
from rnnlm.files import write_whole
from rnnlm.training import checkpoint
from rnnlm.training.checkpoint import Checkpoint


def example():
    rng = np.random.default_rng(1)
    return Checkpoint(
        config={"seed": 1, "data": {"train": ["ü, [x].txt"]}},
        vocab="<s>\t0\n猫\t2\n".encode(),
        weights={"cell.W": rng.random((3, 3), np.float32), "E": rng.random((2, 3), np.float32)},
        figures={"valid_nats": [1.5, 0.1 + 0.2]},
        slots={"m": rng.random(15, np.float32)},
        state=[rng.random((4, 3)), rng.random((4, 2))],
        progress={"step": 3, "dropout": {"state": 2**127 + 1}},
    )


def assert_same(found, wanted):
    np.testing.assert_equal(asdict(found), asdict(wanted))
    assert [array.dtype for array in found.weights.values()] == [array.dtype for array in wanted.weights.values()]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The bytes of a checkpoint, and a path to put others at."""
    path = tmp_path_factory.mktemp("checkpoint") / "last.npz"
    checkpoint.save(path, example())
    return path.read_bytes(), path.with_name("other.npz")


def rewritten(data, path, **arrays):
    """A checkpoint's bytes with some arrays replaced, or left out (None), at `path`."""
    with np.load(io.BytesIO(data)) as archive:
        entries = {name: archive[name] for name in archive.files} | arrays
    np.savez(path, **{name: array for name, array in entries.items() if array is not None})
    return path


def test_what_is_saved_comes_back(tmp_path):
    path = tmp_path / "last.npz"
    checkpoint.save(path, example())
    assert_same(checkpoint.load(path), example())
    model = Checkpoint(config={}, vocab=b"", weights={"b": np.zeros(0)})
    checkpoint.save(path, model)
    assert_same(checkpoint.load(path), model)
    assert os.listdir(tmp_path) == ["last.npz"]


def test_the_same_model_is_the_same_file(tmp_path):
    for name in "ab":
        checkpoint.save(tmp_path / name, example())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# --- writing -------------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path):
    path = tmp_path / "best.npz"
    path.write_bytes(b"precious")

    def write(file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DataError) as error:
        write_whole(path, write)
    assert error.value.message == f"{path}: cannot be written: No space left on device"
    assert error.value.hint == "make room there, or choose another folder"
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["best.npz"]


def test_an_interrupted_write_leaves_the_old_one(tmp_path):
    path = tmp_path / "best.npz"
    path.write_bytes(b"precious")

    def write(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, write)
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["best.npz"]


@pytest.mark.parametrize(
    ("name", "problem"), [("none/best.npz", "No such file or directory"), ("file/best.npz", "Not a directory")]
)
def test_places_that_cannot_be_written(tmp_path, name, problem):
    (tmp_path / "file").touch()
    with pytest.raises(DataError) as error:
        checkpoint.save(tmp_path / name, example())
    assert error.value.message == f"{tmp_path / name}: cannot be written: {problem}"


# --- reading what is no checkpoint ---------------------------------------------------------------------------------


def refused(path, problem="not a model file"):
    """A file is refused with a message that begins with its name and goes on like this."""
    with pytest.raises(DataError) as error:
        checkpoint.load(path)
    assert error.value.message.startswith(f"{path}: {problem}")
    assert "`rnnlm train`" in error.value.hint or "version" in error.value.hint
    return error.value.message


def test_a_missing_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = checkpoint.Path("none.npz")
    assert str(tmp_path) in refused(path, "no such model")


def test_a_directory(tmp_path):
    refused(tmp_path, "cannot be read: Is a directory")


def test_other_files(tmp_path, saved):
    data, _ = saved
    path = tmp_path / "model"
    npy = io.BytesIO()
    np.save(npy, np.zeros(3))
    empty_zip = io.BytesIO()
    zipfile.ZipFile(empty_zip, "w").close()
    for content in (
        b"", b"the cat sat on the mat\n", b"PK\x03\x04", data[: len(data) // 2], data[:-1], npy.getvalue(),
        npy.getvalue()[:50], empty_zip.getvalue(), pickle.dumps({"format": "rnnlm model"}),
    ):  # fmt: skip
        path.write_bytes(content)
        refused(path)


def test_archives_of_other_arrays(tmp_path, saved):
    data, _ = saved
    path = tmp_path / "model.npz"

    def text(value):
        return np.frombuffer(json.dumps(value).encode(), np.uint8)

    for arrays in (
        {"meta": None}, {"vocab": None}, {"state/1": None}, {"meta": np.zeros(3)}, {"meta": text([1, 2])},
        {"meta": text({"format": "another", "version": 1})}, {"meta": text({"format": "rnnlm model", "version": 1})},
    ):  # fmt: skip
        rewritten(data, path, **arrays)
        refused(path)
    np.savez(path, a=np.zeros(3))
    refused(path)


class Payload:
    """A pickle that would show if it were ever loaded."""

    def __reduce__(self):
        return os.mkdir, ("loaded",)


@pytest.mark.parametrize("version", [1, 2])
def test_headers_are_read_as_numpy_reads_them(tmp_path, saved, version):
    """Whatever their spaces and the order of their keys."""
    parts = members(saved[0])
    content = parts["weights/E.npy"][128:]
    head = b"{'shape':(2,3),   'fortran_order': False, 'descr': '<f4'}\n"
    size = len(head).to_bytes(2 if version == 1 else 4, "little")
    packed(tmp_path / "model.npz", parts | {"weights/E.npy": b"\x93NUMPY%c\0" % version + size + head + content})
    assert_same(checkpoint.load(tmp_path / "model.npz"), example())


def test_pickles_are_not_loaded(tmp_path, monkeypatch, saved):
    monkeypatch.chdir(tmp_path)
    data, _ = saved
    path = rewritten(data, tmp_path / "model.npz", **{"weights/E": np.array([Payload()], object)})
    refused(path)
    assert os.listdir(tmp_path) == ["model.npz"]


def test_another_version(tmp_path, saved):
    data, _ = saved
    for version, shown in ((2, "2"), ("\x1b[2J", r'"\u001b[2J"')):
        meta = np.frombuffer(json.dumps({"format": "rnnlm model", "version": version}).encode(), np.uint8)
        path = rewritten(data, tmp_path / "model.npz", meta=meta)
        refused(path, f"model format {shown}, expected 1")


def assert_whole_or_refused(data, path):
    path.write_bytes(data)
    try:
        found = checkpoint.load(path)
    except DataError:
        return
    assert_same(found, example())


@given(data=st.binary(max_size=300))
def test_arbitrary_bytes(saved, data):
    assert_whole_or_refused(data, saved[1])


@given(where=st.floats(0, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=8), insert=st.booleans())
def test_damaged_bytes(saved, where, junk, insert):
    data, path = saved
    i = int(where * len(data))
    assert_whole_or_refused(data[:i] + junk + data[i if insert else i + len(junk) :], path)


def test_every_flipped_byte_of_the_directory(saved):
    """The part of the archive that no checksum covers."""
    data, path = saved
    for i in range(data.index(b"PK\x01\x02"), len(data), 7):
        assert_whole_or_refused(data[:i] + bytes([data[i] ^ 0xFF]) + data[i + 1 :], path)


# --- hostile archives ----------------------------------------------------------------------------------------------


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def packed(path, parts, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def peak_of_refusing(path):
    tracemalloc.start()
    try:
        refused(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def npy(descr, shape, content=b"", order=False):
    head = f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + content


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, saved):
    path = tmp_path / "model.npz"
    parts = members(saved[0]) | {"weights/E.npy": npy("<f4", (25_000_000,), bytes(100_000_000))}
    packed(path, parts, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    assert peak_of_refusing(path) < 5_000_000


@pytest.mark.parametrize(
    "array",
    [
        npy("<f4", (10**9, 10**9)), npy("<f4", (10**18, 10**18), bytes(4)), npy("<f4", (25,), bytes(96)),
        npy("<f4", (2, 3), bytes(28)), npy("|O", (1,), pickle.dumps([1])), npy("<f8", (2,), bytes(16), order=True),
        npy("<f4", "(2, -3)", bytes(24)), npy("<f4", "(" * 90 + "1,)", bytes(4)), npy("<c8", (1,), bytes(8)),
        npy("<f4", (-2, -3), bytes(24)), npy("<f4", (0, 10**30)), npy("<f4", "-" * 3000 + "1", bytes(4)),
        b"\x93NUMPY\x02\x00" + b"\xff\xff\xff\x7f" + b"{", b"\x93NUMPY\x03\x00" + bytes(8), b"\x93NUMPY", b"",
    ],
)  # fmt: skip
def test_headers_that_lie(tmp_path, saved, array):
    path = tmp_path / "model.npz"
    packed(path, members(saved[0]) | {"weights/E.npy": array})
    assert peak_of_refusing(path) < 5_000_000


def test_members_in_the_same_place_are_counted_each(tmp_path, saved):
    """A thousand entries of the directory for the same megabyte."""
    path = tmp_path / "model.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members(saved[0]).items():
            archive.writestr(name, content)
        archive.writestr("weights/x0.npy", npy("<f4", (250_000,), bytes(1_000_000)))
        for i in range(1, 1000):
            again = copy.copy(archive.infolist()[-1])
            again.filename = f"weights/x{i}.npy"
            archive.filelist.append(again)
    assert peak_of_refusing(path) < 5_000_000


def test_a_directory_as_large_as_the_file(tmp_path, saved):
    path = tmp_path / "model.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(30_000):
            archive.writestr(f"weights/{i:020d}.npy", b"")
    assert path.stat().st_size > 4_000_000
    assert peak_of_refusing(path) < 12_000_000  # one piece of it; the whole would take twice as much


def test_names_in_an_archive_are_no_paths(tmp_path, saved):
    path = tmp_path / "a" / "b" / "model.npz"
    path.parent.mkdir(parents=True)
    packed(path, members(saved[0]) | {"weights/../../../escape.npy": npy("<f4", (2,), bytes(8))})
    with pytest.raises(DataError) as error:
        checkpoint.load(path, lambda config, vocab: {name: w.shape for name, w in example().weights.items()})
    assert error.value.message == f"{path}: weight ../../../escape: found (2,), expected none"
    checkpoint.load(path)
    assert [str(found.relative_to(tmp_path)) for found in sorted(tmp_path.rglob("*"))] == ["a", "a/b", "a/b/model.npz"]


def test_names_in_an_archive_are_shown_in_one_line(tmp_path, saved):
    path = tmp_path / "model.npz"
    packed(path, members(saved[0]) | {"weights/\n\x1b[2J.npy": npy("<f4", (2,), bytes(8))})
    with pytest.raises(DataError) as error:
        checkpoint.load(path, lambda config, vocab: {name: w.shape for name, w in example().weights.items()})
    assert error.value.message == f"{path}: weight '\\n\\x1b[2J': found (2,), expected none"


def test_weights_are_compared_before_they_are_read(tmp_path):
    path = tmp_path / "model.npz"
    checkpoint.save(path, Checkpoint(config={}, vocab=b"", weights={"E": np.zeros((5_000_000, 2))}))
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as error:
            checkpoint.load(path, lambda config, vocab: {"E": (3, 2)})
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert error.value.message == f"{path}: weight E: found (5000000, 2), expected (3, 2)"


def test_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is a pipe")
