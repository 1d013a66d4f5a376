"""`rnnlm show`: what a network does, as tables and pictures. One file per command, as in `rnnlm.cli`."""

from __future__ import annotations

import click

from rnnlm.cli import Commands

COMMANDS = {
    "gradients": "How an error fades on its way back through time.",
    "sentence": "A network unrolled over a sentence, step by step.",
    "units": "What single hidden units do over a text.",
    "memory": "How far back each cell remembers: a table.",
}


@click.group(cls=Commands, package=__name__, table=COMMANDS)
def command():
    """Show what a network does: a table, and with --plot a picture."""
