import numpy as np
import pytest

from rnnlm import config
from rnnlm.experiment import Config
from tests.kinds import NOUNS, SETTINGS, lines_of


@pytest.fixture
def task(tmp_path, monkeypatch):
    """A function from a reading and options to a configuration, whose files are in the working directory."""
    monkeypatch.chdir(tmp_path)

    def task(reading, **data):
        for seed, (name, number) in enumerate((("train", 60), ("valid", 20))):
            lines = list(lines_of(reading, number, seed))
            (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
            nouns = np.array([[word in line.split() for word in NOUNS] for line in lines])
            np.save(tmp_path / f"{name}.npy", nouns.astype(np.float32))
        return config.build(Config, {
            "data": {"train": "train.txt", "valid": "valid.txt", "reading": reading, **data},
            "model": SETTINGS[reading],
            "optimizer": {"kind": "adam", "lr": 0.02},
            "training": {"epochs": 3, "batch": 8},
        })  # fmt: skip

    return task
