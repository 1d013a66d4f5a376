"""The command line: one file per command, imported only when that command runs, so that `--help` needs no NumPy."""

from __future__ import annotations

import importlib
import os
import sys

import click

from rnnlm import __version__
from rnnlm.errors import RnnlmError

# The order of a user's first hour. Each name is a module of this package with a click command `command`.
COMMANDS = {
    "data": "List, fetch and check corpora.",
    "vocab": "Build a vocabulary from text.",
    "train": "Train a model from a YAML configuration.",
    "eval": "Perplexity of a model on text.",
    "sample": "Generate text from a model.",
    "predict": "The most likely next words after each word of a text.",
    "score": "One log-probability per input line.",
    "info": "What a model or a run is made of.",
    "gradcheck": "Compare the analytic gradient with a numerical one.",
    "config": "Show, check or explain a configuration.",
}
EXIT_INTERRUPTED = 130


class Commands(click.Group):
    def list_commands(self, context):
        return list(COMMANDS)

    def get_command(self, context, name):
        return importlib.import_module(f"rnnlm.cli.{name}").command if name in COMMANDS else None

    def format_commands(self, context, formatter):
        # From the table above: importing every command to ask for its first line would cost what laziness saves.
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="rnnlm")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug):
    """Train, evaluate and sample recurrent-network language models."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failure, 2 usage, 3 numerical, 130 interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        sys.exit(cli.main(args=argv, prog_name="rnnlm", standalone_mode=False))
    except RnnlmError as error:
        if "--debug" in argv:
            raise
        click.echo(f"rnnlm: error: {error.message}", err=True)
        if error.hint:
            click.echo(f"  hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"rnnlm: error: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone (`| head`): nothing is wrong. Python would complain once more when it flushes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
