import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e]")  # all but the end of a line


@pytest.fixture
def terminal():
    """A function that runs `rnnlm ...` on a terminal of so many columns: -> its lines, with colours."""

    def run(columns, *arguments, **environment):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        unset = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}
        clean = {name: value for name, value in os.environ.items() if name not in unset}
        command = [sys.executable, "-m", "rnnlm", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=clean | environment)
        os.close(theirs)
        found = b""
        while True:
            try:
                part = os.read(ours, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            found += part
        os.close(ours)
        assert process.wait() == 0, found
        return found.decode().replace("\r\n", "\n").splitlines()

    return run


@pytest.fixture
def plain():
    """A function from lines to the same without colours."""
    return lambda lines: [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
