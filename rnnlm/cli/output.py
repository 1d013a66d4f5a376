"""Options of commands that write a file: where, and whether it may replace one."""

from __future__ import annotations

import io
from pathlib import Path

import click

from rnnlm.errors import UsageError


def new_file(output: str, force: bool) -> str:
    """Return the name given with -o; `-` is standard output. Raises UsageError where no file may be written."""
    if output == "-":
        return output
    path = Path(output)  # of no name at all: the folder
    if path.exists() and not path.is_file():
        raise UsageError(
            f"{path}: is a directory, a pipe or a device, not a file", "name a file, or - for standard output"
        )
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
