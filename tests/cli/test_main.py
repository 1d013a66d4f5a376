"""The command line as a whole: how errors look, and how it ends."""

import contextlib
import io
import os
import subprocess
import sys

import pytest

from rnnlm import __version__
from rnnlm.cli import COMMANDS, main

KNOWN = f"(known: {', '.join(COMMANDS)})"


def test_help_lists_the_commands_in_order(rnnlm):
    status, out, err = rnnlm("--help")
    assert (status, err) == (0, "")
    listed = [line.split()[0] for line in out.partition("Commands:\n")[2].splitlines() if line.strip()]
    assert listed == list(COMMANDS)
    assert rnnlm() == rnnlm("-h") == (status, out, err)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(rnnlm, name):
    status, out, err = rnnlm(name, "-h")
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: rnnlm {name} ")


def test_version(rnnlm):
    assert rnnlm("--version") == (0, f"rnnlm, version {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["bogus"], f"unknown command 'bogus' {KNOWN}", "try 'rnnlm --help'"),
        (["trian", "x"], f"unknown command 'trian'; did you mean 'train'? {KNOWN}", "try 'rnnlm --help'"),
        (["generate"], f"unknown command 'generate'; did you mean 'sample'? {KNOWN}", "try 'rnnlm --help'"),
        (["test"], f"unknown command 'test'; did you mean 'eval'? {KNOWN}", "try 'rnnlm --help'"),
        (["fit"], f"unknown command 'fit'; did you mean 'train'? {KNOWN}", "try 'rnnlm --help'"),
        (["config", "bogus"], "No such command 'bogus'", "try 'rnnlm config --help'"),
        (["config", "show"], "Missing argument 'CONFIG'", "try 'rnnlm config show --help'"),
        (["train", "a", "b"], "Got unexpected extra argument (b)", "try 'rnnlm train --help'"),
        (["train", "a", "--xyz"], "No such option '--xyz'", "try 'rnnlm train --help'"),
        (["--xyz"], "No such option '--xyz'", "try 'rnnlm --help'"),
        (["train", "a", "-o"], "Option '-o' requires an argument", "try 'rnnlm --help'"),
        (
            ["train", "a", "--seed", "x"],
            "Invalid value for '--seed': 'x' is not a valid integer",
            "try 'rnnlm train --help'",
        ),
        (
            ["vocab", "a", "-o", "b", "--level", "x"],
            "Invalid value for '--level': 'x' is not one of 'word', 'char'",
            "try 'rnnlm vocab --help'",
        ),
        (
            ["rescore", "model", "lists", "-f", "x"],
            "Invalid value for '-f' / '--format': 'x' is not one of 'mikolov', 'kaldi', 'srilm', 'srilm-stream', "
            "'moses'",
            "try 'rnnlm rescore --help'",
        ),
        (["zz\x1b[2J\r"], f"unknown command 'zz\\x1b[2J\\r' {KNOWN}", "try 'rnnlm --help'"),
    ],
)
def test_wrong_usage_is_one_line_and_a_hint(rnnlm, arguments, message, hint):
    """Even of a choice, whose members click names in lines of their own."""
    status, out, err = rnnlm(*arguments)
    assert (status, out) == (2, "")
    # Older clicks end "No such option" with a colon.
    assert err.replace("option: --xyz", "option '--xyz'") == f"rnnlm: error: {message}\n  hint: {hint}\n"


@pytest.mark.parametrize("group", ["config", "data"])
def test_a_group_without_a_command_shows_its_help(rnnlm, group):
    _, out, err = rnnlm(group)
    assert (out + err).startswith(f"Usage: rnnlm {group} [OPTIONS] COMMAND [ARGS]...\n")


def test_debug_shows_the_traceback_of_an_error(rnnlm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = rnnlm("train", "none.yaml")
    assert plain[:2] == (2, "")
    assert plain[2].startswith("rnnlm: error: none.yaml: no such file")
    status, out, err = rnnlm("--debug", "train", "none.yaml")
    assert (status, out) == plain[:2]
    assert err.startswith("Traceback (most recent call last):\n")
    assert "\nrnnlm.errors.UsageError: none.yaml: no such file" in err
    assert err.endswith(plain[2])


def test_a_name_that_no_file_can_have(rnnlm):
    for command in ("eval", "info", "gradcheck"):
        status, out, err = rnnlm(command, 5000 * "x", *["text"][: command == "eval"])
        assert (status, out) == (1, "")
        assert err.startswith(f"rnnlm: error: {200 * 'x'}...: File name too long\n  hint: ")
    shown = 100 * "\\n"
    assert rnnlm("info", 5000 * "\n")[2].startswith(f"rnnlm: error: {shown}...: File name too long\n")


def test_what_was_typed_is_shown_in_one_line(rnnlm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = rnnlm("eval", "a\n\x1b[2Jb", "text")
    assert (status, out) == (1, "")
    assert err.startswith("rnnlm: error: a\\n\\x1b[2Jb: no such model")
    assert f"{tmp_path}/a\\n\\x1b[2Jb" in err
    assert len(err.splitlines()) == 2


# --- standard output that cannot be written --------------------------------------------------------------------------

PRINTING = [
    "--help", "--version", "eval --help", "config explain schedule", "config show {}/config.yaml", "score {} {}.txt",
    "eval {} {}.txt", "eval {} {}.txt --json", "sample {} -n 3", "predict {} {}.txt", "vocab {}.txt -o -", "info {}",
    "ngram {}.txt -o -", "-rnnlm {} -test {}.txt", "gradcheck {}", "data list",
]  # fmt: skip


@pytest.fixture(params=PRINTING)
def printing(request, rnnlm, trained, monkeypatch):
    """A function that runs a command that prints, with this standard output: -> exit status, and what is on stderr."""
    names = {"{}.txt": str(trained["test.txt"]), "{}/config.yaml": str(trained["stream"] / "config.yaml")}
    arguments = [names.get(word, str(trained["stream"]) if word == "{}" else word) for word in request.param.split()]

    def run(stdout):
        monkeypatch.setattr(sys, "stdout", stdout)
        status, _, err = rnnlm(*arguments)
        return status, err

    return run


FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")


@FULL
def test_a_full_disk_is_one_line(printing):
    with open("/dev/full", "w") as full:
        status, err = printing(full)
    assert status == 1
    (error,) = (line for line in err.splitlines() if "error" in line)
    assert error.startswith("rnnlm: error: <stdout>: ")
    assert error.endswith(": No space left on device")


def test_a_closed_pipe_is_quiet(printing):
    """Even if all that is written fits into a buffer."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as closed:
        status, err = printing(closed)
    assert status == 1
    assert "error" not in err


@FULL
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", ["config explain", "--version"])
def test_a_full_disk_at_the_end_of_a_process(arguments, unbuffered):
    """Python tries once more to write what is left, which must not be heard."""
    command = [sys.executable, "-m", "rnnlm", *arguments.split()]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": unbuffered}
        )
    assert done.returncode == 1
    error, hint = done.stderr.splitlines()
    assert error.startswith("rnnlm: error: <stdout>: ")


def test_a_pipe_that_is_closed_in_between():
    """As in `rnnlm config explain | head -1`, whoever is quicker."""
    read, write = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-m", "rnnlm", "config", "explain"], stdout=write, stderr=subprocess.PIPE
    ) as process:
        os.close(write)
        assert os.read(read, 5) == b"data:"
        os.close(read)
        assert process.stderr.read() == b""
    assert process.returncode in (0, 1)


def test_standard_output_that_is_not_there():
    """As after `>&-` in a shell, or in a program that calls `main`."""
    command = f"{sys.executable} -m rnnlm config explain >&-"
    done = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    written = io.StringIO()
    with contextlib.redirect_stdout(written), pytest.raises(SystemExit):
        main(["--version"])
    assert written.getvalue() == f"rnnlm, version {__version__}\n"
