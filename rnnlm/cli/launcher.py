"""Commands in many processes at once, started by mpirun or srun: files and lines are shared out, rank 0 prints."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from rnnlm.errors import UsageError
from rnnlm.nn.threads import set_threads
from rnnlm.training.ranks import Ranks, launch, ranks_of


def started() -> Ranks:
    """The processes that were started together with this one; where they cannot talk, one of them says so."""
    found = launch()
    try:
        return ranks_of(found)
    except UsageError as error:
        if found.rank:
            sys.exit(error.exit_code)
        raise


def among_ranks(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a command that its processes share out: it is called with `processes`, and only rank 0 is heard."""

    @functools.wraps(command)
    def run(*arguments, **options):
        ranks = started()
        if ranks.size == 1:
            return command(*arguments, processes=ranks, **options)
        set_threads(ranks.threads() or 1)
        with ranks.ending(), contextlib.ExitStack() as silence:
            if not ranks.first:
                nowhere = silence.enter_context(open(os.devnull, "w", encoding="utf-8"))
                silence.enter_context(contextlib.redirect_stdout(nowhere))
                silence.enter_context(contextlib.redirect_stderr(nowhere))
            return command(*arguments, processes=ranks, **options)

    return run


def refuse_stdin(ranks: Ranks, paths: Iterable[str]) -> None:
    """Raise UsageError for standard input, which one process alone can read."""
    if ranks.size > 1 and "-" in paths:
        raise UsageError(
            f"<stdin>: cannot be shared out among {ranks.size} processes", "name a file, or start one process"
        )


def in_order(ranks: Ranks, items: Iterable[Any], work: Callable[[Any], object]) -> None:
    """Do work(item), which prints, for each item. The processes share the items out; rank 0 prints all in order."""

    def captured(item):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            work(item)
        yield out.getvalue(), err.getvalue()

    if ranks.size == 1:
        for item in items:
            work(item)
        return
    for out, err in ranks.shared_out(items, captured):
        click.echo(err, nl=False, err=True)
        click.echo(out, nl=False)
