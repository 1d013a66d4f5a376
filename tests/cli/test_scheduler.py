"""The scripts of docs/scaling.md, run by a scheduler that stops them and starts them again."""

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rnnlm.training import checkpoint

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"


@pytest.fixture
def submit(tiny, tmp_path):
    """A function that starts a script as a job, in which `scontrol requeue JOB` leaves a note.

    It is the script for one training or, with the number of a line of sweep.txt, that for a sweep.
    """
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in {
        "rnnlm": f'exec "{sys.executable}" -m rnnlm "$@"',
        "scontrol": f'[ "$1 $2" = "requeue 7" ] && touch "{tmp_path}/requeued"',
    }.items():
        (commands / name).write_text(f"#!/bin/sh\n{text}\n")
        (commands / name).chmod(stat.S_IRWXU)
    scripts = re.findall("```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    array = ["SLURM_ARRAY_TASK_ID" in script for script in scripts]
    (tmp_path / "train.sh").write_text(scripts[array.index(False)])
    (tmp_path / "sweep.sh").write_text(scripts[array.index(True)])
    environment = os.environ | {
        "PATH": f"{commands}:{os.environ['PATH']}", "CONFIG": "tiny.yaml", "RUN": "run", "SLURM_JOB_ID": "7",
        "SLURM_CPUS_PER_TASK": "1",
    }  # fmt: skip
    jobs = []

    def submit(line=None):
        (tmp_path / "requeued").unlink(missing_ok=True)
        script, more = ("train.sh", {}) if line is None else ("sweep.sh", {"SLURM_ARRAY_TASK_ID": str(line)})
        jobs.append(subprocess.Popen(["bash", script], env=environment | more, stderr=subprocess.PIPE, text=True))
        return jobs[-1]

    yield submit
    for job in jobs:
        job.kill()
        with job:
            pass


def test_a_job_that_queues_itself_again(submit, tmp_path):
    (tmp_path / "tiny.yaml").write_text((tmp_path / "tiny.yaml").read_text().replace("epochs: 2", "epochs: 40"))
    steps = [0]
    for number in (signal.SIGUSR1, signal.SIGTERM):
        job = submit()
        while not re.match(r" +\d+\.00 ", job.stderr.readline()):
            pass
        job.send_signal(number)
        assert "go on with: " in job.communicate()[1]
        assert job.returncode == 0
        assert (tmp_path / "requeued").exists()
        steps.append(checkpoint.load(tmp_path / "run/last.npz").progress["step"])
    assert steps == sorted(set(steps))
    job = submit()
    assert "best: validation " in job.communicate()[1]
    assert job.returncode == 0
    assert not (tmp_path / "requeued").exists()
    assert checkpoint.load(tmp_path / "run/last.npz").progress["finished"]


def test_a_job_that_fails_is_not_queued_again(submit, tmp_path):
    (tmp_path / "train.txt").unlink()
    job = submit()
    assert "train.txt" in job.communicate()[1]
    assert job.returncode == 1
    assert not (tmp_path / "requeued").exists()


def test_a_sweep_as_an_array_of_jobs(submit, rnnlm, tmp_path):
    """A task that is stopped queues itself again and then goes on; each has its own line."""
    values = ("--set", "optimizer.lr=1e-3,1e-2", "--set", "data.train=[train.txt, 'train.txt']")
    lines = rnnlm("sweep", "tiny.yaml", *values, "--", "--set", "training.epochs=40")[1]
    (tmp_path / "sweep.txt").write_text(lines)
    runs = [tmp_path / "runs/tiny-sweep" / name for name in ("lr=1e-3", "lr=1e-2")]
    first, second = submit(1), submit(2)
    while not re.match(r" +\d+\.00 ", first.stderr.readline()):
        pass
    first.send_signal(signal.SIGUSR1)
    assert "go on with: " in first.communicate()[1]
    assert (first.returncode, (tmp_path / "requeued").exists()) == (0, True)
    step = checkpoint.load(runs[0] / "last.npz").progress["step"]
    again = submit(1)
    assert [job.communicate()[1].count("best: validation") for job in (again, second)] == [1, 1]
    assert [job.returncode for job in (again, second)] == [0, 0]
    assert not (tmp_path / "requeued").exists()
    assert [checkpoint.load(run / "last.npz").progress["finished"] for run in runs] == [True, True]
    assert f"resuming after step {step:,}" in (runs[0] / "train.log").read_text()
