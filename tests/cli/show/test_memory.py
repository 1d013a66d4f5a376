"""`rnnlm show memory`, also `rnnlm memory`: its tables, its picture, and what it refuses."""

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from rnnlm.cli import cli
from rnnlm.errors import DataError, UsageError
from rnnlm.show.memory import CELLS

COMMAND = ["show", "memory", "--task", "adding", "--lags", "2,3", "--updates", "50", "--units", "6", "--cell", "lstm"]


def test_command_prints_a_table():
    done = CliRunner().invoke(cli, [*COMMAND, "--cell", "tanh, chain"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[:2] == [
        "adding problem: updates until solved, of at most 50; cells of up to 54 parameters",
        "cell         units    lag 2    lag 3   solved",
    ]
    # How soon it is solved is for the machine's rounding to say, too.
    assert re.fullmatch("tanh, chain      6       50(       50     to 3|        -     to 2)", lines[2])
    assert lines[3:] == ["lstm             2        -              none"]


def test_command_as_a_process():
    done = subprocess.run([sys.executable, "-m", "rnnlm", *COMMAND], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "lstm      2        -              none"


@pytest.mark.parametrize("lags", ["", "1,2", "5,5", "9,3", "2,x", 5000 * "9"])
def test_lags_that_do_not_grow(lags):
    done = CliRunner().invoke(cli, ["memory", "--lags", lags])
    assert done.exit_code == 2
    assert re.match(f"Error: Invalid value for '--lags': .*at least 2.*'{lags}'$", done.output.splitlines()[-1])


def test_the_older_name():
    first, second = (CliRunner().invoke(cli, [*names, "memory", "--lags", "1"]) for names in ([], ["show"]))
    assert first.output.splitlines()[-1] == second.output.splitlines()[-1]
    assert "--lags" in first.output


def test_unknown_cells():
    done = CliRunner().invoke(cli, ["memory", "--cell", "lstn"])
    assert isinstance(done.exception, UsageError)
    assert "'lstn'" in done.exception.message
    assert all(kind in done.exception.hint for kind in CELLS)


def test_plot(tmp_path):
    done = CliRunner().invoke(cli, [*COMMAND, "--plot", str(tmp_path / "memory.png")])
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        assert isinstance(done.exception, UsageError)
        assert "matplotlib is not installed" in done.exception.message
        assert "rnnlm[plot]" in done.exception.hint
    else:
        assert (tmp_path / "memory.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("place", "kind", "message"),
    [("missing/memory.png", DataError, "cannot be written"), ("memory.docx", UsageError, "ending")],
)  # fmt: skip
def test_a_picture_that_cannot_be_is_refused_before_the_work(tmp_path, place, kind, message):
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    done = CliRunner().invoke(cli, ["memory", "--plot", str(tmp_path / place)])
    assert (type(done.exception), done.stdout) == (kind, "")
    assert str(tmp_path / place) in done.exception.message
    assert message in done.exception.message
