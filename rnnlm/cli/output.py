"""Options of commands that write a file: where, and whether it may replace one."""

from __future__ import annotations

import io
from pathlib import Path

import click

from rnnlm.errors import UsageError
from rnnlm.files import descriptor, is_stream

STDOUT = "-"


def output_of(output: str) -> str:
    """Return the name given with -o; `-` and /dev/stdout are standard output. Raises UsageError for a folder."""
    if output == STDOUT or descriptor(output) == 1:
        return STDOUT
    if Path(output).is_dir():  # of no name at all: the working directory
        raise UsageError(f"{Path(output)}: is a directory", "name a file, or - for standard output")
    return output


def new_file(output: str, force: bool) -> str:
    """Return the name given with -o, as `output_of` does. Raises UsageError for a file that exists, unless `force`."""
    output = output_of(output)
    path = Path(output)
    if output == STDOUT or is_stream(path):
        return output
    if path.exists() and not force:
        raise UsageError(f"{path}: exists already", "choose another name, or overwrite it with --force")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}", "make it, or choose another")
    return str(path)


def send(output, write):
    """Call `write` with a binary file, which becomes the file `output`, or goes to standard output."""
    from rnnlm.files import write_whole

    if output == "-":
        memory = io.BytesIO()
        write(memory)
        click.echo(memory.getvalue(), nl=False)
    else:
        write_whole(Path(output), write)
