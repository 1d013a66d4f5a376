"""Many processes that train one network: shares of a batch, the same result as one process, and how they end."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from rnnlm.corpora import logic
from rnnlm.nn.dropout import Masks
from rnnlm.tasks.gradcheck import synthetic_batch_for
from rnnlm.training import checkpoint
from rnnlm.training.ranks import Launch, launch
from tests.conftest import sentence, tiny_run
from tests.kinds import FAMILY, MODELS, NOUNS, READINGS, SETTINGS, TREES, lines_of, network_of, random_like

NETWORKS = MODELS | FAMILY | {f"tree {name}": model for name, model in TREES.items()}


# --- shares, without MPI -------------------------------------------------------------------------------------------


def run(network, batch, state, masks, ready=None):
    """Sum of the nats, state after the batch, and gradient of that sum."""
    loss, after = network.loss(batch, state, masks)
    if ready:
        network.backward_in_parts(batch, 1.0, ready)
    else:
        network.backward(batch, 1.0)
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
ZONEOUT = {"size": 8, "zoneout": 0.2}
DROPOUTS = {"dropout_words": 0.1, "dropout_input": 0.2, "dropout_output": 0.3}
CASES = {
    "vanilla": {},
    "lstm, all dropouts": {
        "model": {"embedding": 6, "cell": {"kind": "stack", "cells": [LSTM, LSTM], "dropout": 0.2}, **DROPOUTS},
        "data": {"train": ["train.txt"], "valid": "valid.txt", "rare_as_unk": 1.0},
    },
    "adaptive, tied": {
        "model": {
            "embedding": 6, "cell": {"size": 8}, **DROPOUTS,
            "head": {"kind": "adaptive", "cutoffs": [5, 9], "tied": True},
        },
        "schedule": {"kind": "newbob"}, "optimizer": {"kind": "momentum"},
    },
    "zoneout, noise, penalties": {
        "model": {
            "embedding": 8, "cell": {"kind": "stack", "cells": [ZONEOUT, ZONEOUT]}, "skip": True, "noise_input": 0.1,
            "ar": 2.0, "tar": 1.0, **DROPOUTS,
        },
        "training": BASE["training"] | {"average": {"kind": "ema", "decay": 0.9}, "dropout_warmup": 0.5},
    },
    "jitter, batches, average of the tail": {
        "training": BASE["training"] | {"jitter": 2, "batches": [3, 4], "average": {"kind": "tail", "start": 0.1}},
    },
    "documents": {
        "data": {"train": ["documents-train.txt"], "valid": "documents-valid.txt", "documents": "blank_line"},
        "training": BASE["training"] | {"average": {"kind": "triggered", "patience": 1}},
    },
    "sentences": {"data": {"train": ["train.txt"], "valid": "valid.txt", "reading": "sentences"}},
    "in shares": {
        "model": {"embedding": 6, "cell": {**LSTM, "size": 6}, **DROPOUTS},
        "training": BASE["training"] | {"shares": 3, "batches": [2, 4]},
    },
    "taught": {
        "model": BASE["model"] | DROPOUTS, "training": BASE["training"] | {"teacher": {"model": "teacher"}},
    },
}  # fmt: skip


@pytest.fixture
def cases(tmp_path, monkeypatch):
    """Configurations by name, whose texts are in the working directory."""
    monkeypatch.chdir(tmp_path)
    rng, found = random.Random(2), {name: BASE | case for name, case in CASES.items()}
    for name, number in (("train", 60), ("valid", 20)):
        (tmp_path / f"{name}.txt").write_text("".join(sentence(rng) + "\n" for _ in range(number)))
        text = "".join(sentence(rng) + rng.choice(["\n", "\n", "\n\n"]) for _ in range(number))
        (tmp_path / f"documents-{name}.txt").write_text(text)
        for reading in READINGS:
            lines = list(lines_of(reading, number, rng.randrange(1000)))
            (tmp_path / f"{reading}-{name}.txt").write_text("\n".join(lines) + "\n")
            nouns = np.array([[word in line.split() for word in NOUNS] for line in lines])
            np.save(tmp_path / f"{reading}-{name}.npy", nouns.astype(np.float32))
        (tmp_path / f"trees-{name}.txt").write_text("\n".join(logic.logic()[name][:number]) + "\n")
    tiny_run(tmp_path / "teacher", {"train": "train.txt", "valid": "valid.txt"}, "float64")
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


# --- `rnnlm train` under mpirun ------------------------------------------------------------------------------------

RNNLM = (sys.executable, "-m", "rnnlm")
KILLED = (3, 2, 4)  # how many ranks train until one of them is killed
SETTINGS_OF_RUN = [
    f"--set={setting}"
    for setting in (
        "training.epochs=25", "training.validate_every=10", "training.save_every=0.05s", "model.dropout_input=0.1",
        "model.cell.dropconnect=0.2", "schedule=cosine",
    )
]  # fmt: skip


def train(number, *arguments):
    """Train in so many processes, to the end: -> status, standard error of rnnlm alone."""
    process = mpirun(number, *RNNLM, "train", *arguments)
    _, err = process.communicate(timeout=300)
    return process.returncode, err


def said(err):
    """The errors that rnnlm has told of."""
    return re.findall("rnnlm: error: .*", err)  # Open MPI may put a character before it


def ranks_of(process):
    """Process ids of the ranks that an mpirun has started, once it has shown a validation."""
    while not re.match(r" +\d+\.\d\d +\d", line := process.stderr.readline()):
        assert line, "it has ended"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"rnnlm" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def same(one, other, tolerance):
    """Whether two checkpoints agree in everything that training depends on."""
    a, b = (checkpoint.load(Path(name) / "last.npz") for name in (one, other))
    assert (a.progress["step"], a.progress["finished"]) == (b.progress["step"], True)
    np.testing.assert_allclose(a.progress["history"], b.progress["history"], atol=tolerance, rtol=0)
    for part in ("weights", "slots"):
        for name, array in getattr(a, part).items():
            np.testing.assert_allclose(array, getattr(b, part)[name], atol=tolerance, rtol=0)


@needs_mpi
def test_a_run_of_many_is_that_of_one(tiny, rnnlm):
    """The files are those of one process, and any number of processes goes on with a run."""
    settings = [*SETTINGS_OF_RUN, "--set=dtype=float64"]
    status, err = train(3, "tiny.yaml", "-o", "many", *settings, "--max-time", "0.0001s")
    assert (status, err.count("stopped after step")) == (75, 1), err
    assert "processes: 3" in err
    assert json.loads(Path("many/env.json").read_text())["ranks"] == 3
    assert checkpoint.load(Path("many/last.npz")).state[0].shape == (5, 8)
    status, err = train(2, "many", "--resume", "--max-time", "0.0001s", "--set=training.epochs=25")
    assert status == 75, err
    assert rnnlm("train", "many", "--resume", "-q")[0] == 0
    assert rnnlm("train", "tiny.yaml", "-o", "one", *settings, "-q")[0] == 0
    same("many", "one", 1e-10)
    assert Path("many/samples.txt").read_text() == Path("one/samples.txt").read_text()


@needs_mpi
def test_killed_ranks(tiny, rnnlm):
    """A rank that is killed ends all, which say so once; the checkpoint is whole, and any number of ranks goes on."""
    rng, resume = random.Random(), []
    for number in KILLED:
        process = mpirun(number, *RNNLM, "train", "tiny.yaml", "-o", "run", *SETTINGS_OF_RUN, *resume)
        pids = ranks_of(process)
        assert len(pids) == number
        time.sleep(rng.random() / 10)
        os.kill(rng.choice(pids), signal.SIGKILL)
        _, err = process.communicate(timeout=60)
        if process.returncode == 0:  # training was over before
            break
        assert len(said(err)) <= 1, err
        assert "Traceback" not in err
        last = Path("run/last.npz")
        checkpoint.load(last if last.exists() else Path("run/previous.npz"))
        resume = ["--resume"]
    assert rnnlm("train", "run", "--resume", "-q")[0] == 0
    assert rnnlm("train", "tiny.yaml", "-o", "once", *SETTINGS_OF_RUN, "-q")[0] == 0
    same("run", "once", 1e-6)


@needs_mpi
def test_in_the_same_shares_rounding_is_the_same(tiny, rnnlm):
    """In float32 another number of ranks changes the last digits, which grow; but not where the shares stay."""
    for shares, agree in ((4, True), ("null", False)):
        settings = [*SETTINGS_OF_RUN, f"--set=training.shares={shares}"]
        status, err = train(3, "tiny.yaml", "-o", f"many-{shares}", *settings, "--max-time", "0.0001s")
        assert status == 75, err
        status, err = train(2, f"many-{shares}", "--resume", "--max-time", "0.0001s")
        assert status == 75, err
        assert rnnlm("train", f"many-{shares}", "--resume", "-q")[0] == 0
        assert rnnlm("train", "tiny.yaml", "-o", f"one-{shares}", *settings, "-q")[0] == 0
        found = [checkpoint.load(Path(f"{name}-{shares}/last.npz")).weights for name in ("many", "one")]
        assert all(np.array_equal(w, found[1][name]) for name, w in found[0].items()) == agree


@needs_mpi
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_a_signal_to_the_launcher_saves(tiny, number):
    process = mpirun(2, *RNNLM, "train", "tiny.yaml", "-o", "run", "--set=training.epochs=100000")
    ranks_of(process)
    before = checkpoint.load(Path("run/last.npz")).progress["step"]
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (138 if number == signal.SIGUSR1 else 1), err
    saved = checkpoint.load(Path("run/last.npz"))
    assert saved.progress["step"] > before
    assert "stopped after step" in Path("run/train.log").read_text()


@needs_mpi
@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (["--set=optimizer.lr=0.5"], "optimizer.lr: 0.01 -> 0.5"),
        (["--set=data.train=[other.txt]", "--valid", "valid.txt"], "training text|data.train"),
    ],
)
def test_ranks_that_differ(tiny, changed, named):
    Path("other.txt").write_text(Path("train.txt").read_text() + "the end\n")
    command = [*RNNLM, "train", "tiny.yaml", "-o", "run"]
    process = mpirun(1, *command, ":", "-n", 1, *command, *changed)
    _, err = process.communicate(timeout=60)
    (error,) = said(err)
    assert process.returncode == 2
    assert re.search(named, error)
    assert "rank 1" in error
    assert not Path("run/last.npz").exists()


@needs_mpi
def test_one_error_is_told_once(tiny):
    Path("valid.txt").unlink()
    status, err = train(3, "tiny.yaml", "-o", "run")
    (error,) = said(err)
    assert (status, "valid.txt" in error) == (1, True)


@needs_mpi
def test_a_folder_that_is_not_shared(tiny, tmp_path):
    """Each rank has a working directory of its own, as on machines without a common file system."""
    program = (
        "import os, sys, shutil; import rnnlm.training.processes as processes; processes.SHARED = 0.5\n"
        "here = 'rank' + os.environ['OMPI_COMM_WORLD_RANK']; os.mkdir(here)\n"
        "for name in ('tiny.yaml', 'train.txt', 'valid.txt'): shutil.copy(name, here)\n"
        "os.chdir(here); from rnnlm.cli import main; main(sys.argv[1:])"
    )
    process = mpirun(2, sys.executable, "-c", program, "train", "tiny.yaml", "-o", "run")
    _, err = process.communicate(timeout=60)
    (error,) = said(err)
    assert process.returncode == 1
    assert "rank 1" in error


# --- other commands under mpirun -----------------------------------------------------------------------------------


def heard(number, *arguments):
    process = mpirun(number, *RNNLM, *arguments)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out, err


@needs_mpi
def test_files_and_lines_are_shared_out(trained, tmp_path, rnnlm):
    lines = trained["test.txt"].read_text().splitlines()
    for i in range(5):
        Path(f"{i}.txt").write_text("\n".join(lines[i * 10 : (i + 2) * 10]) + "\n")
    texts = [f"{i}.txt" for i in range(5)]
    for run in ("stream", "sentences"):
        out, err = heard(3, "eval", trained[run], *texts, "--json")
        alone = rnnlm("eval", trained[run], *texts, "--json")
        found, expected = ([json.loads(x) | {"seconds": 0} for x in y.splitlines()] for y in (out, alone[1]))
        assert found == expected
        assert [line for line in err.splitlines() if "OOV rate" in line] == alone[2].splitlines()
        assert (
            heard(2, "score", trained[run], trained["test.txt"])[0]
            == rnnlm("score", trained[run], trained["test.txt"])[1]
        )
    Path("lists.txt").write_text("".join(f"{i // 3} {line}\n" for i, line in enumerate(lines * 3)))
    for options in ([], ["--nbest"], ["--context", "first-best"]):
        command = ["rescore", trained["sentences"], "lists.txt", "-f", "mikolov", *options]
        assert heard(3, *command)[0] == rnnlm(*command)[1]
    heard(3, "rescore", trained["sentences"], "lists.txt", "-f", "mikolov", "-o", "best.txt")
    assert len(Path("best.txt").read_text().splitlines()) == len(lines)


@needs_mpi
def test_an_error_in_one_of_many_files(trained, tmp_path, rnnlm):
    Path("a.txt").write_text("the cat sees\n")
    process = mpirun(2, *RNNLM, "eval", trained["sentences"], "a.txt", "missing.txt")
    out, err = process.communicate(timeout=60)
    (error,) = said(err)
    assert (process.returncode, "missing.txt" in error, "file a.txt" in out) == (1, True, True)


# --- the launcher --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, Launch()),
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2"}, Launch(4, 2, "mpirun")),
        ({"PMI_SIZE": "2", "PMI_RANK": "1"}, Launch(2, 1, "mpiexec")),
        ({"OMPI_COMM_WORLD_SIZE": "1"}, Launch()),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, Launch()),  # a batch script is one process
        ({"SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5"}, Launch(8, 5, "srun")),
    ],
)
def test_launchers(environment, found):
    assert launch(environment) == found


@pytest.mark.parametrize("rank", [0, 1])
def test_without_mpi4py(tiny, rnnlm, monkeypatch, rank):
    """One of the processes says what to install, and none trains."""
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", str(rank))
    status, out, err = rnnlm("train", "tiny.yaml", "-o", "run")
    assert (status, out, "mpi4py" in err, "pip install" in err) == (2, "", rank == 0, rank == 0)
    assert rnnlm("train", "tiny.yaml", "-o", "run", "--no-mpi", "-q") == (0, "", "")


def test_one_process_needs_no_mpi(tiny):
    program = "import sys; from rnnlm.cli import main\ntry: main(sys.argv[1:])\nfinally: print('mpi4py' in sys.modules)"
    command = [sys.executable, "-c", program, "train", "tiny.yaml", "-o", "run", "-q"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "False\n"
