import io
import sys

import pytest

from rnnlm.text import corpus, lines


@pytest.fixture
def write(tmp_path):
    """A function that writes a text, as str or bytes, and returns its path."""

    def write(content, name="text.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def stdin(monkeypatch):
    """A function that puts bytes on standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.fixture
def blocks_of(monkeypatch):
    """A function that sets how many bytes are read and encoded at a time."""

    def set(size):
        for module in (corpus, lines):
            monkeypatch.setattr(module, "BLOCK", size)

    return set
