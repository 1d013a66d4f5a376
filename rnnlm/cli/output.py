"""Output of commands: lines, notes and JSON, and the files that they write."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from rnnlm.errors import UsageError
from rnnlm.files import descriptor, is_stream, write_whole

STDOUT = "-"


def tell(*notes: str) -> None:
    """Print notes on standard error, all but empty ones."""
    for note in filter(None, notes):
        click.echo(note, err=True)


def show(lines: Iterable[str]) -> None:
    """Print lines on standard output, each as soon as it is known."""
    for line in lines:
        click.echo(line)


def in_json(facts: Any, decimals: int | None = None) -> list[str]:
    """Facts as one line of JSON: objects by their fields, arrays as lists, a number that is not finite as null.

    decimals: to which all numbers are rounded, if they are.
    """

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            value = vars(value)
        elif hasattr(value, "_asdict"):  # a named tuple
            value = value._asdict()
        elif hasattr(value, "tolist"):  # an array or a number of NumPy's
            value = value.tolist()
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return list(map(plain, value))
        if isinstance(value, float):
            return None if not math.isfinite(value) else value if decimals is None else round(value, decimals)
        return value

    text = json.dumps(plain(facts), ensure_ascii=False)
    return [text.encode("utf-8", "backslashreplace").decode()]  # escapes of JSON for a name that is not UTF-8


@contextlib.contextmanager
def reading(paths: Iterable[str], disable: bool | None = None) -> Iterator[Callable[[bytes], Any]]:
    """Show how far files are read, when it takes long; yields what `rnnlm.text.lines.lines` calls with the bytes.

    disable: None hides the bar where there is no terminal.
    """
    from tqdm import tqdm

    size = sum(os.path.getsize(path) for path in paths if os.path.isfile(path)) or None
    with tqdm(total=size, unit="B", unit_scale=True, delay=1, leave=False, disable=disable, file=sys.stderr) as bar:
        yield lambda block: bar.update(len(block))


def output_option(help: str) -> Callable[..., Any]:
    """Option -o of commands that write a file, which they cannot do without."""
    path = click.Path(dir_okay=False, allow_dash=True)
    return click.option("-o", "--output", metavar="FILE", required=True, type=path, help=help)


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


def send(output: str, write: Callable[[Any], object]) -> str:
    """Call `write` with a binary file, which becomes the file `output`, or goes to standard output; return its name."""
    if output != STDOUT:
        write_whole(Path(output), write)
        return output
    memory = io.BytesIO()
    write(memory)
    click.echo(memory.getvalue(), nl=False)
    return "<stdout>"
