"""`rnnlm show`: what a network does, as tables and pictures. One file per command, as in `rnnlm.cli`."""

from __future__ import annotations

import click

from rnnlm.cli import Commands

COMMANDS = {
    "curves": "Loss, learning rate and gradients over a training.",
    "gradients": "How an error fades on its way back through time.",
    "sentence": "A network unrolled over a sentence, step by step.",
    "words": "Nearest words, and a map of the most frequent ones.",
    "units": "What single hidden units do over a text.",
    "surprise": "What each word of a text costs, and which words cost most.",
    "memory": "How far back each cell remembers: a table.",
}


@click.group(cls=Commands, package=__name__, table=COMMANDS)
def command():
    """Show what a network does: a table or a plot, and with --plot a picture in a file."""
