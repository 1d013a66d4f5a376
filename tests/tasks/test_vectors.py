"""Vectors that belong to the lines of a text."""

import os

import numpy as np
import pytest

from rnnlm.errors import DataError
from rnnlm.experiment import prepare
from tests.kinds import refused


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.zeros((59, 4)), "59 vectors, but train.txt has 60 lines"),
        (np.zeros((60, 5)), "vectors of 5 numbers, expected 4"),
        (np.zeros(60), "found float64 of shape (60,)"),
        (np.full((60, 4), "x"), "found <U1 of shape (60, 4)"),
        (np.where(np.arange(60)[:, None] == 7, np.nan, np.ones((60, 4))), "row 8"),
        ("a pipe", "a pipe"),
        (None, "no such file (tried {cwd}/train.npy)"),
        (b"not one", "not a .npy file"),
        (np.array([[{}]]), "not a .npy file"),
    ],
)  # fmt: skip
def test_vectors_that_do_not_fit(task, tmp_path, matrix, words):
    settings = task("vectors")
    (tmp_path / "train.npy").unlink()
    if isinstance(matrix, str):
        os.mkfifo(tmp_path / "train.npy")
    elif isinstance(matrix, bytes):
        (tmp_path / "train.npy").write_bytes(matrix)
    elif matrix is not None:
        np.save(tmp_path / "train.npy", matrix)
    message, hint = refused(DataError, prepare, settings)
    assert message.startswith("train.npy: ")
    assert words.format(cwd=tmp_path) in message
    assert hint


def test_a_vector_stands_in_the_row_of_its_line(task, tmp_path):
    """Also where empty lines are skipped, and behind the cut between training and validation."""
    settings = task("vectors", valid=0.5)
    (tmp_path / "train.txt").write_text("the cat\n\nthe dog\n\n\nthe bird\nthe fish\n")
    np.save(tmp_path / "train.npy", np.arange(28).reshape(7, 4))
    experiment = prepare(settings)
    found = [part.vectors[part.other[np.arange(2)]][:, 0].tolist() for part in (experiment.train, experiment.valid)]
    assert found == [[0, 8], [20, 24]]
    assert experiment.train.sha256 == experiment.task.digest("train.txt") != experiment.task.digest("valid.txt")
