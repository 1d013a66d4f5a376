"""The script of docs/scaling.md, run by a scheduler that stops it and starts it again."""

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
    """A function that starts the script as a job, in which `scontrol requeue JOB` leaves a note."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in {
        "rnnlm": f'exec "{sys.executable}" -m rnnlm "$@"',
        "scontrol": f'[ "$1 $2" = "requeue 7" ] && touch "{tmp_path}/requeued"',
    }.items():
        (commands / name).write_text(f"#!/bin/sh\n{text}\n")
        (commands / name).chmod(stat.S_IRWXU)
    (script,) = re.findall("```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "train.sh").write_text(script)
    environment = os.environ | {
        "PATH": f"{commands}:{os.environ['PATH']}", "CONFIG": "tiny.yaml", "RUN": "run", "SLURM_JOB_ID": "7",
        "SLURM_CPUS_PER_TASK": "1",
    }  # fmt: skip
    jobs = []

    def submit():
        (tmp_path / "requeued").unlink(missing_ok=True)
        jobs.append(subprocess.Popen(["bash", "train.sh"], env=environment, stderr=subprocess.PIPE, text=True))
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
