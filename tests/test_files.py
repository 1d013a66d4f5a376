"""Files: written whole or not at all, and on the disk before they get their name."""

import errno
import os

import pytest

from rnnlm.errors import DataError
from rnnlm.files import write_whole
from rnnlm.text.vocab import build, count


@pytest.fixture
def calls(monkeypatch):
    """What is asked of the system, in order: ("sync", inode or folder) and ("rename", inode)."""
    found = []
    sync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (found.append(("sync", os.fstat(file).st_ino)), sync(file)))
    monkeypatch.setattr(os, "replace", lambda a, b: (found.append(("rename", os.stat(a).st_ino)), rename(a, b)))
    return found


@pytest.mark.parametrize(
    "write", [lambda path: write_whole(path, b"abc"), lambda path: build(count(["a b"])).save(path)]
)
def test_a_file_is_on_the_disk_before_it_has_its_name_and_so_is_its_folder_after(tmp_path, calls, write):
    path = tmp_path / "x"
    write(path)
    file, folder = path.stat().st_ino, tmp_path.stat().st_ino
    assert calls == [("sync", file), ("rename", file), ("sync", folder)]
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_or_a_function_that_writes_them(tmp_path):
    path = tmp_path / "x"
    write_whole(path, b"abc")
    assert path.read_bytes() == b"abc"
    write_whole(str(path), lambda file: file.write(b"def"))
    assert path.read_bytes() == b"def"


def test_the_file_that_was_there_is_kept(tmp_path):
    path, previous = tmp_path / "x", tmp_path / "before"
    write_whole(path, b"1", previous)
    assert not previous.exists()
    write_whole(path, b"2", previous)
    assert (path.read_bytes(), previous.read_bytes()) == (b"2", b"1")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "x"
    path.write_bytes(b"before")

    def fail(file):
        file.write(b"half")
        raise error

    with pytest.raises((DataError, KeyboardInterrupt)) as caught:
        write_whole(path, fail, tmp_path / "previous")
    if isinstance(error, OSError):
        assert caught.value.message.startswith(f"{path}: cannot be written: No space left")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]
    assert path.read_bytes() == b"before"


def test_what_cannot_be_replaced_by_a_file(tmp_path):
    for name in ("", "none/x"):
        with pytest.raises(DataError) as caught:
            write_whole(tmp_path / name, b"")
        assert caught.value.message.startswith(f"{tmp_path / name}: ")
