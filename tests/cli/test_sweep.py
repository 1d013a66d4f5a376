"""`rnnlm sweep`: lines that are whole commands, run as users run them, and compared."""

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time

import pytest

from rnnlm.training import checkpoint
from tests.cli.refused import assert_refused

XARGS = ["xargs", "-P", "2", "-L", "1", "env"]


@pytest.fixture
def environment(tiny, tmp_path):
    """The environment of a shell in which `rnnlm` is this one, in a folder with tiny.yaml and its texts."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "rnnlm").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rnnlm "$@"\n')
    (commands / "rnnlm").chmod(stat.S_IRWXU)
    return os.environ | {"PATH": f"{commands}:{os.environ['PATH']}"}


def test_lines_run_by_xargs_and_compared(rnnlm, environment, tmp_path):
    values = ("--set", "optimizer.lr=1e-3,1e-2", "--set", "model.cell={kind: vanilla, size: 5}", "--seeds", "1..2")
    status, lines, err = rnnlm("sweep", "tiny.yaml", *values, "--", "--threads", "1", "-q")
    assert (status, len(lines.splitlines()), "4 trainings" in err) == (0, 4, True)
    subprocess.run(XARGS, input=lines, text=True, env=environment, check=True)
    folder = tmp_path / "runs/tiny-sweep"
    names = [f"lr={lr},seed={seed}" for seed in (1, 2) for lr in ("1e-3", "1e-2")]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    again = subprocess.run(XARGS, input=lines, text=True, env=environment, check=True)  # all have finished
    assert again.returncode == 0
    status, out, err = rnnlm("compare", *(folder / name for name in names), "--json")
    assert (status, err) == (0, "")
    facts = json.loads(out)
    assert facts["settings"].keys() == {"optimizer.lr", "seed"}
    assert [result["state"] for result in facts["results"]] == ["finished"] * 4
    ppl = [result["valid_ppl"] for result in facts["results"]]
    assert ppl == sorted(ppl)
    for group in facts["groups"]:
        mine = [result["valid_ppl"] for run, result in zip(facts["runs"], facts["results"]) if run in group["runs"]]
        assert group["valid_ppl_mean"] == pytest.approx(sum(mine) / 2)
        assert group["valid_ppl_sd"] == pytest.approx(abs(mine[0] - mine[1]) / 2**0.5)
    assert [group["settings"]["optimizer.lr"] for group in facts["groups"]] == [0.01, 0.001]


def test_a_line_is_the_same_training_as_without_a_sweep(rnnlm, tiny):
    line = rnnlm("sweep", "tiny.yaml", "--set", "model.cell={kind: lstm, size: 5},gru", "--seeds", "3")[1].splitlines()
    words = shlex.split(line[0])
    assert words[:3] == ["rnnlm", "train", "tiny.yaml"]
    assert rnnlm(*words[1:], "-q")[0] == 0
    assert (
        rnnlm("train", "tiny.yaml", "--set", "model.cell={kind: lstm, size: 5}", "--seed", 3, "-o", "one", "-q")[0] == 0
    )
    weights = [checkpoint.load(path).weights for path in (f"{words[words.index('-o') + 1]}/last.npz", "one/last.npz")]
    assert weights[0].keys() == weights[1].keys()
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


def test_interrupted_lines_go_on(rnnlm, environment, tmp_path):
    lines = rnnlm("sweep", "tiny.yaml", "--seeds", "1..2", "--", "--set", "training.epochs=60", "--threads", "1")[1]
    runs = [tmp_path / f"runs/tiny-sweep/seed={seed}" for seed in (1, 2)]
    sweep = subprocess.Popen(XARGS, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
                             start_new_session=True)  # fmt: skip
    sweep.stdin.write(lines)
    sweep.stdin.close()
    while not all((run / "best.npz").exists() for run in runs) and sweep.poll() is None:
        time.sleep(0.05)
    os.killpg(sweep.pid, signal.SIGINT)  # as Ctrl-C in a terminal
    sweep.stderr.read()  # until the last of them has ended
    sweep.stderr.close()
    sweep.wait()
    steps = [checkpoint.load(run / "last.npz").progress["step"] for run in runs]
    status, out, _ = rnnlm("compare", *runs)
    assert status == 0
    assert ["state", "unfinished", "unfinished"] in [line.split() for line in out.splitlines()]
    subprocess.run(XARGS, input=lines, text=True, env=environment, check=True, stderr=subprocess.DEVNULL)
    for run, step in zip(runs, steps):
        progress = checkpoint.load(run / "last.npz").progress
        assert (progress["finished"], progress["step"] > step) == (True, True)
        assert len((run / "command.txt").read_text().splitlines()) == 2


def test_names_with_blanks_quotes_and_dollars(rnnlm, environment, tmp_path):
    """The shell, xargs and make read a line in the same way."""
    name = """it's $HOME "a" \\b.txt"""
    (tmp_path / name).write_text((tmp_path / "train.txt").read_text())
    value = f"data.train={json.dumps(name)},train.txt"
    lines = rnnlm("sweep", "tiny.yaml", "--set", value, "-o", "a sweep", "--", "-q", "--valid", "0.2")[1]
    subprocess.run(XARGS, input=lines, text=True, env=environment, check=True)
    found = {shlex.split(line)[shlex.split(line).index("-o") + 1] for line in lines.splitlines()}
    assert all((tmp_path / path / "best.npz").exists() for path in found)
    subprocess.run(["sh", "-c", lines], env=environment, check=True)
    assert len(found) == 2


def test_texts_and_options_of_train(rnnlm, tiny):
    status, out, _ = rnnlm("sweep", "train.txt", "--set", "optimizer.lr=1e-3,2e-3", "--", "--max-time", "2h")
    assert status == 0
    for line in out.splitlines():
        assert line.startswith("rnnlm train train.txt --max-time 2h --set optimizer.lr=")
        assert re.search(r" -o runs/train-sweep/lr=\de-3 --auto-resume$", line)


def test_nothing_is_printed_where_anything_is_wrong(rnnlm, tiny):
    status, out, err = rnnlm("sweep", "tiny.yaml", "--set", "optimizer.lr=1,x,y", "--set", "model.cell.size=0,1")
    assert (status, out) == (2, "")
    assert [sum(word in line for line in err.splitlines()) for word in ("lr=x", "lr=y", "size=0")] == [1, 1, 1]


@pytest.mark.parametrize(("arguments", "words"), [
    (("tiny.yaml",), ["nothing to vary"]),
    (("tiny.yaml", "--random", "3", "--seeds", "1..2"), ["nothing to vary"]),
    (("tiny.yaml", "--seeds", "1..2", "--seed", "1"), ["--seed", "--random"]),
    (("tiny.yaml", "--seeds", "1..2", "--random", "0"), ["--random"]),
    (("tiny.yaml", "--seeds", "1..2", "--", "-o", "x"), ["-o"]),
    (("tiny.yaml", "--seeds", "1..2", "--", "--force"), ["--force"]),
    (("tiny.yaml", "--seeds", "1..2", "--", "--seed", "0"), ["--seed"]),
    (("tiny.yaml", "--seeds", "1..2", "--", "--thread", "1"), ["--thread"]),
    (("tiny.yaml", "--seeds", "1..2", "--", "--set", "model.cell.sise=3"), ["sise", "size"]),
    (("tiny.yaml", "more.yaml", "--seeds", "1..2"), ["more.yaml"]),
    (("tony.yaml", "--seeds", "1..2"), ["tony.yaml"]),
    ((), ["CONFIG"]),
])  # fmt: skip
def test_errors(rnnlm, tiny, arguments, words):
    assert_refused(rnnlm("sweep", *arguments), 2, *words)
