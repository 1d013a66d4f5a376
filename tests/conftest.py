import tests.first  # noqa: F401, I001  (it decides about threads before NumPy is loaded)

import io
import itertools
import math
import random
import sys

import pytest
from hypothesis import settings

from rnnlm import config
from rnnlm.corpora import python_docs
from rnnlm.cli import main
from rnnlm.experiment import Config, prepare
from rnnlm.nn.heads import Loss
from rnnlm.training.run import Run

settings.register_profile("unhurried", deadline=None)  # no test asserts a time
settings.load_profile("unhurried")

TINY = """\
data: {train: train.txt, valid: valid.txt}
model: {embedding: 6, cell: {size: 8}}
optimizer: {kind: adam, lr: 0.01}
schedule: constant
training: {epochs: 2, batch: 5, window: 6, samples: 1, clip_norm: null}
"""
NOUNS, VERBS = ["cat", "dog", "bird", "fish"], ["sees", "likes", "finds"]


def sentence(rng):
    """A sentence of a small language; now and then with a word that is met nowhere else."""
    noun = f"x{rng.randrange(10**6)}" if rng.random() < 0.05 else rng.choice(NOUNS)
    end = ["now"] if rng.random() < 0.3 else []
    return " ".join(["the", rng.choice(NOUNS), rng.choice(VERBS), "a", noun, *end])


@pytest.fixture(name="rnnlm")
def run_rnnlm(tmp_path, monkeypatch, capfd):
    """A function that runs `rnnlm ...` in an empty folder: -> exit status, what is on stdout and on stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as exit:
            main([str(argument) for argument in arguments])
        return exit.value.code or 0, *capfd.readouterr()

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Runs of tiny networks by name: "stream" and "sentences" over words, "char" over characters, and "test.txt"."""
    folder = tmp_path_factory.mktemp("trained")
    rng = random.Random(1)
    for name, number in (("train", 400), ("valid", 50), ("test", 60)):
        (folder / f"{name}.txt").write_text("".join(sentence(rng) + "\n" for _ in range(number)))
    paths = {"test.txt": folder / "test.txt"}
    for name, data in {
        "stream": {"test": str(folder / "test.txt"), "min_count": 2},
        "sentences": {"reading": "sentences", "min_count": 2},
        "char": {"level": "char"},
    }.items():
        paths[name] = folder / name
        tiny_run(paths[name], {"train": str(folder / "train.txt"), "valid": str(folder / "valid.txt"), **data})
    return paths


def tiny_run(path, data, dtype="float32"):
    """Train a tiny network on some texts, into a run directory."""
    settings = {
        "data": data,
        "model": {"embedding": 8, "cell": {"size": 16}},
        "optimizer": {"kind": "adam", "lr": 0.01},
        "schedule": "constant",
        "training": {"epochs": 2, "batch": 10, "window": 20, "clip_norm": None},
        "dtype": dtype,
    }
    experiment, run = prepare(config.build(Config, settings)), Run(path)
    with run.lock():
        run.begin(experiment, ["train", "tiny.yaml"])
        for _ in run.train(experiment):
            pass


@pytest.fixture(scope="session")
def documentation():
    """The embedded corpus: train, valid and test, a list of sentences each."""
    return python_docs.build()[0]


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """In a working directory with train.txt, valid.txt and tiny.yaml: a function from overrides to an experiment."""
    monkeypatch.chdir(tmp_path)
    rng = random.Random(2)
    for name, number in (("train", 60), ("valid", 20)):
        (tmp_path / f"{name}.txt").write_text("".join(sentence(rng) + "\n" for _ in range(number)))
    (tmp_path / "tiny.yaml").write_text(TINY)
    return lambda *overrides: prepare(config.load("tiny.yaml", Config, overrides)[0])


@pytest.fixture
def diverging():
    """A function that lets a trainer find an infinite loss at the attempts of these numbers."""

    def diverge(trainer, *steps):
        attempts, true_loss = itertools.count(), trainer.network.loss

        def broken(batch, state, rng=None):
            loss, state = true_loss(batch, state, rng)
            return (Loss(math.inf, loss.tokens) if rng and next(attempts) in steps else loss), state

        trainer.network.loss = broken

    return diverge


@pytest.fixture(params=[1, 3])
def threads(request, monkeypatch):
    """Work is shared out among so many threads, however little it is."""
    from rnnlm.nn import parallel

    monkeypatch.setattr(parallel, "THREADS", request.param)
    monkeypatch.setattr(parallel, "SMALL", 1)
    return request.param
