"""`rnnlm show`: what its commands may load, and that other commands load nothing of them."""

import subprocess
import sys

import pytest

from rnnlm.cli.show import COMMANDS

LOADED = """
import sys
from rnnlm.cli import main
try:
    main(sys.argv[1:])
finally:
    names = ("numpy", "matplotlib", "plotille", "rnnlm.show", "rnnlm.cli.show")
    print(*(name for name in names if name in sys.modules), file=sys.stderr)
"""


def loaded(*arguments, **options):
    done = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_loads_nothing(command):
    assert loaded("show", *command, "--help") == {"rnnlm.cli.show"}


def test_training_loads_none_of_it(tiny, tmp_path):
    assert loaded("train", "tiny.yaml", "-o", "run", "-q", cwd=tmp_path) == {"numpy"}
    assert loaded("--help") == set()
    assert loaded("show", "curves", "run", "--table", cwd=tmp_path) == {"numpy", "rnnlm.show", "rnnlm.cli.show"}
