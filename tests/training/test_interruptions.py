"""Killed, stopped, out of space or without its directory: real processes, and what they leave on the disk."""

import contextlib
import json
import random
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from rnnlm.errors import DataError
from rnnlm.training import checkpoint
from rnnlm.training.run import Run

# `rnnlm` with a hook: while there is a file `slow`, each step of writing a checkpoint is told on stdout and then waits.
SLOW = """
import os, sys, time
def slowly(function):
    def slow(*arguments):
        if os.path.exists('slow'):
            print(function.__name__, flush=True)
            end = time.monotonic() + float(open('slow').read())
            while time.monotonic() < end:  # in short sleeps: a signal just before a long one would wait for its end
                time.sleep(0.01)
        return function(*arguments)
    return slow
os.fsync, os.replace = slowly(os.fsync), slowly(os.replace)
from rnnlm.cli import main
main()
"""
SETTINGS = [
    f"--set={setting}"
    for setting in (
        "training.epochs=25", "training.validate_every=10", "training.samples=1", "training.save_every=0.05s",
        "schedule=cosine", "model.cell.dropconnect=0.2", "model.dropout_input=0.1", "data.reading=sentences",
    )
]  # fmt: skip
KILLS = 10


@pytest.fixture
def start(tiny):
    """A function that starts `rnnlm ...`, or with `slow` the same with the hook."""
    processes = []

    def start(*arguments, slow=False):
        command = [sys.executable, *(["-c", SLOW] if slow else ["-m", "rnnlm"]), *map(str, arguments)]
        processes.append(
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        )  # fmt: skip
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        with process:
            pass


def loadable(run):
    """How many whole checkpoints there are."""
    found = 0
    for path in (run.last, run.previous):
        with contextlib.suppress(DataError):
            checkpoint.load(path)
            found += 1
    return found


def log(run):
    rows = [json.loads(line) for line in (run.path / "log.jsonl").read_text().splitlines()]
    return [row | {"seconds": None, "time": None, "tokens_per_second": None} for row in rows]


def test_killed_again_and_again(start, tmp_path):
    """At random moments, and in the midst of writing; it ends as if nothing had happened, to the last bit."""
    rng, run, once = random.Random(), Run(tmp_path / "run"), Run(tmp_path / "once")
    (tmp_path / "slow").write_text("0.01")
    writing = 0
    for kill in range(KILLS):
        resume = ["--resume"] if run.last.exists() or run.previous.exists() else []
        process = start("train", "tiny.yaml", "-o", "run", *SETTINGS, *resume, slow=True)
        # Every other time before a renaming, some steps of writing after the start; in between at any time.
        for _ in range(rng.randint(14, 30) if kill % 2 else 14):
            process.stdout.readline()
        if kill % 2:
            assert "replace\n" in process.stdout
        else:
            for stream in (process.stdout, process.stderr):  # full pipes would stop it
                threading.Thread(target=stream.read, daemon=True).start()
            time.sleep(rng.random() / 4)
        process.kill()
        assert process.wait() == -signal.SIGKILL, process.stderr.read()
        writing += any(path.suffix == ".tmp" for path in run.path.iterdir())
        assert loadable(run) >= 1
    assert writing >= KILLS // 4
    assert checkpoint.load(run.last if run.last.exists() else run.previous).progress["step"] > 0
    (tmp_path / "slow").unlink()
    process = start("train", "run", "--resume", "-q")
    assert process.communicate() == ("", "")
    assert start("train", "tiny.yaml", "-o", "once", *SETTINGS, "-q").communicate() == ("", "")
    a, b = checkpoint.load(run.last), checkpoint.load(once.last)
    for saved in (a, b):
        saved.progress["seconds"] = saved.progress["logs"] = None
    assert a.progress == b.progress
    np.testing.assert_equal((a.weights, a.slots, a.best, a.state), (b.weights, b.slots, b.best, b.state))
    assert run.best.read_bytes() == once.best.read_bytes()
    assert log(run) == log(once)
    assert (run.path / "samples.txt").read_text() == (once.path / "samples.txt").read_text()


def test_a_second_interruption_leaves_at_once(start, tmp_path):
    run = Run(tmp_path / "run")
    process = start("train", "tiny.yaml", "-o", "run", "--set=training.epochs=10000", slow=True)
    while not process.stderr.readline().startswith("first loss"):
        pass
    before = run.last.read_bytes()
    (tmp_path / "slow").write_text("600")
    process.send_signal(signal.SIGINT)
    while process.stderr.readline() != "finishing the step and saving; Ctrl-C again leaves at once\n":
        assert process.poll() is None
    assert process.stdout.readline() == "fsync\n"  # it has written the checkpoint, which would now take ten minutes
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in err
    assert run.last.read_bytes() == before
    assert not list(run.path.glob("*.tmp"))


def test_the_run_directory_goes_away(start, tmp_path):
    process = start("train", "tiny.yaml", "-o", "run", "--set=training.epochs=10000")
    while not process.stderr.readline().startswith("first loss"):
        pass
    (tmp_path / "run").rename(tmp_path / "gone")
    out, err = process.communicate(timeout=60)
    *_, error, hint = err.splitlines()
    assert (process.returncode, out) == (1, "")
    name = "(train.log|log.jsonl|samples.txt|best.npz|last.npz)"
    assert re.fullmatch(f"rnnlm: error: run/{name}: .*: No such file or directory", error)
    assert loadable(Run(tmp_path / "gone")) >= 1


def in_a_small_file_system(script):
    """Run a shell script where the folder `small` is a file system of 300 kB of its own."""
    mount = f"mount -t tmpfs -o size=300k tmpfs small && {script}"
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount], capture_output=True, text=True
    )


@pytest.fixture
def small(tiny, tmp_path):
    (tmp_path / "small").mkdir()
    try:
        reason = in_a_small_file_system("true").stderr
    except OSError as error:
        reason = str(error)
    if reason:
        pytest.skip(f"no file system can be mounted here: {reason.strip()}")
    return in_a_small_file_system


RNNLM = f"{sys.executable} -m rnnlm"


def test_a_full_disk(small, tmp_path):
    """The checkpoint of the start fits, and one more; then there is no room."""
    found = small(
        f"{RNNLM} train tiny.yaml -q -o small/run --set model.cell.size=96; echo $?; ls -A small/run; "
        "cp -r small/run out; dd if=/dev/zero of=small/run/train.log bs=1k 2>/dev/null; "
        f"{RNNLM} train small/run -q --resume; echo $?"
    )
    full = r"rnnlm: error: small/run/{}: .*: No space left on device"
    error, _, again, _ = found.stderr.splitlines()
    assert re.fullmatch(full.format("(best|last).npz"), error)
    assert re.fullmatch(full.format("[a-z.]+"), again)
    assert loadable(Run(tmp_path / "out")) >= 1
    assert not list((tmp_path / "out").glob(".*.tmp"))
    assert found.stdout.splitlines()[0] == found.stdout.splitlines()[-1] == "1"


def test_a_read_only_run_directory(small):
    found = small(
        f"{RNNLM} train tiny.yaml -q -o small/run && mount -o remount,ro small && "
        f"for option in --resume --force '-o small/new'; do {RNNLM} train small/run -q $option; echo $?; done"
    )
    assert found.stdout == "1\n1\n1\n"
    errors = found.stderr.splitlines()[::2]
    for path, error in zip(("small/run", "small/run", "small/new"), errors, strict=True):
        assert re.fullmatch(f"rnnlm: error: {path}: .*: Read-only file system", error)
