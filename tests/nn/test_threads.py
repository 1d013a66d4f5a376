"""How many threads compute, in processes of their own: from the environment, from --threads, and within a library."""

import json
import os
import subprocess
import sys

import pytest

BLAS = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def after(code, **environment):
    """The number of threads after `code` in a fresh process, and the environment of its BLAS."""
    clean = {name: value for name, value in os.environ.items() if name not in (*BLAS, "RNNLM_THREADS")}
    code += "\nimport json, os\nfrom rnnlm.nn import parallel\n"
    code += f"print(json.dumps([parallel.THREADS, [os.environ.get(name) for name in {BLAS}]]))"
    done = subprocess.run([sys.executable, "-c", code], env={**clean, **environment}, capture_output=True, text=True)
    assert done.stderr == ""
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("threads", [None, "3"])
@pytest.mark.parametrize("blas", [None, "2"])
def test_a_library_leaves_the_environment_alone(blas, threads):
    environment = {"OMP_NUM_THREADS": blas, "RNNLM_THREADS": threads}
    found = after("import rnnlm", **{name: value for name, value in environment.items() if value})
    assert found == [int(threads or 1), [blas, None, None]]


COMMAND = """
from rnnlm.cli import main
try:
    main(["--version"])
except SystemExit:
    from rnnlm.nn.threads import set_threads
"""


@pytest.mark.parametrize("option", [None, 5])
@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({}, CORES),
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"MKL_NUM_THREADS": "3"}, 3),
        ({"RNNLM_THREADS": "4", "OMP_NUM_THREADS": "3"}, 4),
        ({"RNNLM_THREADS": "many", "OMP_NUM_THREADS": "0"}, CORES),
    ],
    ids=str,
)
def test_under_the_command_line_the_blas_has_one_thread(environment, threads, option):
    """--threads is honoured whatever the environment says."""
    found = after(COMMAND + (f"    set_threads({option})" if option else ""), **environment)
    assert found == [option or threads, ["1", "1", "1"]]


def test_nothing_changes_once_numpy_is_loaded():
    assert after("import numpy; from rnnlm.nn.threads import own_threads; own_threads()") == [1, [None, None, None]]
