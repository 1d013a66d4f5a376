"""Reports fit the terminal, at 80, 100 and 120 columns; piped, they have no control characters."""

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from rnnlm.cli.tables import width


def shown(columns, *arguments):
    """What `rnnlm` shows on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))  # lines and columns
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    command = [sys.executable, "-m", "rnnlm", *map(str, arguments)]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env=environment) as process:
        os.close(theirs)
        found = b""
        with contextlib.suppress(OSError):  # how Linux tells that the other end is closed
            while block := os.read(ours, 1 << 16):
                found += block
        os.close(ours)
        error = process.stderr.read().decode()
    assert process.returncode == 0, error
    return found.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("arguments", [
    ("data", "list"), ("data", "list", "wikitext-2"), ("info", "{stream}"), ("compare", "{stream}", "{char}"),
    ("compare", "{stream}", "{char}", "{sentences}"),
    ("compare", "{stream}", "{sentences}", "--text", "{test.txt}"),
])  # fmt: skip
def test_no_line_is_wider_than_the_terminal(trained, monkeypatch, columns, arguments):
    names = {f"{{{name}}}": os.path.relpath(path, trained["stream"].parent) for name, path in trained.items()}
    monkeypatch.chdir(trained["stream"].parent)
    out = shown(columns, *(names.get(argument, argument) for argument in arguments))
    report = out.partition("configuration\n")[0] if arguments[0] == "info" else out  # the YAML is shown as it is
    report = report.replace(f"{trained['stream'].parent}/", "")  # of the validation text, which pytest has far down
    assert report
    assert [line for line in report.splitlines() if width(line) > columns] == []


def test_piped_there_is_no_control_character(rnnlm, trained):
    _, out, _ = rnnlm("compare", trained["stream"], trained["char"], trained["sentences"])
    assert {c for c in out if not c.isprintable()} == {"\n"}
