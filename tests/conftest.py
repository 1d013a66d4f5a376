import rnnlm  # noqa: F401, I001  (first: it decides about threads before NumPy is loaded)

import random

import pytest

from rnnlm import config
from rnnlm.experiment import Config, prepare
from rnnlm.run import Run
from rnnlm.train import Validation

NOUNS, VERBS = ["cat", "dog", "bird", "fish"], ["sees", "likes", "finds"]


def sentence(rng):
    """A sentence of a small language; now and then with a word that is met nowhere else."""
    noun = f"x{rng.randrange(10**6)}" if rng.random() < 0.05 else rng.choice(NOUNS)
    end = ["now"] if rng.random() < 0.3 else []
    return " ".join(["the", rng.choice(NOUNS), rng.choice(VERBS), "a", noun, *end])


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Runs of tiny networks by name: "stream" and "sentences" over words, "char" over characters, and "test.txt"."""
    folder = tmp_path_factory.mktemp("trained")
    rng = random.Random(1)
    for name, number in (("train", 400), ("valid", 50), ("test", 60)):
        (folder / f"{name}.txt").write_text("".join(sentence(rng) + "\n" for _ in range(number)))
    paths = {"test.txt": folder / "test.txt"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNLM_CACHE", str(folder / "cache"))
        for name, data in {
            "stream": {"test": str(folder / "test.txt"), "min_count": 2},
            "sentences": {"reading": "sentences", "min_count": 2},
            "char": {"level": "char"},
        }.items():
            paths[name] = folder / name
            _train(paths[name], {"train": str(folder / "train.txt"), "valid": str(folder / "valid.txt"), **data})
    return paths


def _train(path, data):
    settings = {
        "data": data,
        "model": {"embedding": 8, "cell": {"size": 16}},
        "optimizer": {"kind": "adam", "lr": 0.01},
        "training": {"epochs": 2, "batch": 10, "window": 20},
    }
    experiment, run = prepare(config.build(Config, settings)), Run(path)
    run.lock()
    run.describe(experiment, ["train", "tiny.yaml"])
    for event in experiment.trainer.run():
        if isinstance(event, Validation) and event.best:
            run.save_best(experiment)
    run.save_last(experiment)
