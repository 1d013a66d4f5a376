"""Many processes that train one network: shares of a batch, the same result as one process, and how they end."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from rnnlm import config
from rnnlm.corpora import logic
from rnnlm.experiment import Config, prepare
from rnnlm.nn.dropout import Masks
from rnnlm.tasks.gradcheck import synthetic_batch_for
from tests.conftest import sentence
from tests.kinds import FAMILY, MODELS, NOUNS, READINGS, SETTINGS, TREES, lines_of, network_of, random_like

NETWORKS = MODELS | FAMILY | {f"tree {name}": model for name, model in TREES.items()}


# --- shares, without MPI -------------------------------------------------------------------------------------------


def run(network, batch, state, masks, ready=None):
    """Sum of the nats, state after the batch, and gradient of that sum."""
    loss, after = network.loss(batch, state, masks)
    network.backward(batch, 1.0, ready)
    return loss.nats, after, network.grads.trainable.copy()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("number", [2, 3, 5])
def test_shares_add_up(name, number):
    """Loss and gradient of a batch are the sums of those of its shares, with the masks of the whole batch."""
    network = network_of(NETWORKS[name])
    batch = synthetic_batch_for(network, 4, np.random.default_rng(3))
    B = batch.sequences
    nats, _, grad = run(network, batch, network.initial_state(B), Masks(np.random.PCG64(1)))
    total, added, cuts = 0.0, np.zeros_like(grad), [B * i // number for i in range(number + 1)]
    for part in (slice(*cut) for cut in zip(cuts, cuts[1:]) if cut[0] < cut[1]):
        masks, share = Masks(np.random.PCG64(1)), batch.share(part)
        masks.rows = batch.rows(part)
        assert share.sequences == part.stop - part.start
        found, _, own = run(network, share, network.initial_state(share.sequences), masks)
        total, added = total + found, added + own
    assert total == pytest.approx(nats, rel=1e-12)
    np.testing.assert_allclose(added, grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_comes_in_two_parts(name):
    """A part is complete when it is reported, and together they are the whole."""
    network = network_of(NETWORKS[name])
    batch = synthetic_batch_for(network, 4, np.random.default_rng(3))
    state = random_like(network.initial_state(batch.sequences), np.random.default_rng(4))
    parts = []
    _, _, grad = run(
        network, batch, state, Masks(np.random.PCG64(1)),
        lambda part: parts.append((part, network.grads.trainable[part].copy())),
    )  # fmt: skip
    (last, early), (first, late) = parts
    assert (first.start, first.stop, last.stop) == (0, last.start, len(grad))
    np.testing.assert_array_equal(np.concatenate([late, early]), grad)
    if not network.model.head.tied and "jordan" not in name:
        assert last.stop - last.start >= network.params.named["head.V"].size if "adaptive" not in name else True


# --- with MPI ------------------------------------------------------------------------------------------------------

MPIRUN = shutil.which("mpirun", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
needs_mpi = pytest.mark.skipif(
    find_spec("mpi4py") is None or MPIRUN is None,
    reason="needs mpi4py and mpirun: make mpi",
)


def mpirun(number, *command, **options):
    """Start a command in so many processes."""
    version = subprocess.run([MPIRUN, "--version"], capture_output=True, text=True).stdout
    flags = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"] if "Open MPI" in version else []
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMPI_MCA_mpi_yield_when_idle": "1"}
    return subprocess.Popen([MPIRUN, *flags, "-n", str(number), *map(str, command)], env=environment, **options)


BASE = {
    "data": {"train": ["train.txt"], "valid": "valid.txt"},
    "model": {"embedding": 6, "cell": {"size": 8}},
    "optimizer": {"kind": "adam", "lr": 0.01},
    "schedule": {"kind": "cosine"},
    "training": {"epochs": 9, "batch": 5, "window": 6, "samples": 0, "clip_norm": 0.5, "validate_every": 20},
    "dtype": "float64",
}
LSTM = {"kind": "lstm", "size": 8, "dropconnect": 0.2}
DROPOUTS = {"dropout_words": 0.1, "dropout_input": 0.2, "dropout_output": 0.3}
CASES = {
    "vanilla": {},
    "lstm, all dropouts": {
        "model": {"embedding": 6, "cell": {"kind": "stack", "cells": [LSTM, LSTM], "dropout": 0.2}, **DROPOUTS},
        "data": {"train": ["train.txt"], "valid": "valid.txt", "rare_as_unk": 1.0},
    },
    "adaptive, tied": {
        "model": {
            "embedding": 6, "cell": {"size": 8}, "head": {"kind": "adaptive", "cutoffs": [5, 9], "tied": True}, **DROPOUTS
        },
        "schedule": {"kind": "newbob"}, "optimizer": {"kind": "momentum"},
    },
    "sentences": {"data": {"train": ["train.txt"], "valid": "valid.txt", "reading": "sentences"}},
}  # fmt: skip


@pytest.fixture
def cases(tmp_path, monkeypatch):
    """Configurations by name, whose texts are in the working directory."""
    import random

    monkeypatch.chdir(tmp_path)
    rng, found = random.Random(2), {name: BASE | case for name, case in CASES.items()}
    for name, number in (("train", 60), ("valid", 20)):
        (tmp_path / f"{name}.txt").write_text("".join(sentence(rng) + "\n" for _ in range(number)))
        for reading in READINGS:
            lines = list(lines_of(reading, number, rng.randrange(1000)))
            (tmp_path / f"{reading}-{name}.txt").write_text("\n".join(lines) + "\n")
            nouns = np.array([[word in line.split() for word in NOUNS] for line in lines])
            np.save(tmp_path / f"{reading}-{name}.npy", nouns.astype(np.float32))
        (tmp_path / f"trees-{name}.txt").write_text("\n".join(logic.logic()[name][:number]) + "\n")
    trees = {"kind": "tree", "embedding": 6, "compose": {"size": 8}}
    for reading, model in {**{name: SETTINGS[name] for name in READINGS}, "trees": trees}.items():
        data = {"train": [f"{reading}-train.txt"], "valid": f"{reading}-valid.txt", "reading": reading}
        found[reading] = BASE | {"data": data, "model": model | {"dropout_input": 0.2, "dropout_output": 0.3}}
    return found


@needs_mpi
@pytest.mark.parametrize("number", [2, 3, 4])
def test_as_one_process(cases, number):
    """Weights, slots, state and figures after 50 updates; 3 and 4 ranks do not divide 5 sequences, nor do 2."""
    Path("cases.json").write_text(json.dumps(cases))
    process = mpirun(number, sys.executable, "-m", "tests.training.together", "cases.json")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row[0] for row in rows] == list(cases)
    for name, same, weights, figures, history, updates, validations in rows:
        assert (same, updates, validations >= 2) == (True, 55, True), name
        assert weights < 1e-10, name
        assert (figures < 1e-8, history < 1e-10) == (True, True), name
