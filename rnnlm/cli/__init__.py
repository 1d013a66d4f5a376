"""The command line: one file per command, imported only when that command runs, so that `--help` needs no NumPy."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import io
import re
import sys
import traceback
import warnings
from typing import Any, NoReturn

import click

from rnnlm import __version__
from rnnlm.errors import RnnlmError, TextWarning, UsageError
from rnnlm.nn.threads import own_threads

# The order of a user's first hour. Each name is a module of this package with a click command `command`.
COMMANDS = {
    "data": "List, fetch and check corpora.",
    "vocab": "Build a vocabulary from text.",
    "train": "Train a model on a text, or from a configuration.",
    "eval": "Perplexity of a model on text.",
    "sample": "Generate text from a model.",
    "predict": "What a model predicts: next words, labels, answers.",
    "fill": "Fill in the blanks of a text.",
    "score": "One log-probability per input line.",
    "rescore": "Choose among the hypotheses of a recogniser.",
    "sweep": "Commands of many trainings, for xargs or a batch system.",
    "compare": "Models on one text, or runs by what sets them apart.",
    "ngram": "Estimate an n-gram model from text.",
    "info": "What a model or a run is made of.",
    "export": "Word vectors, weights or hidden vectors for other programs.",
    "gradcheck": "Compare the analytic gradient with a numerical one.",
    "show": "Pictures: trainings, gradients, words, surprise, memory.",
    "report": "One page of HTML that shows a run.",
    "config": "List, show, check or explain configurations.",
}
ALIASES = {"memory": "show.memory"}  # older names of commands: modules of this package, too
OTHER_NAMES = {"generate": "sample", "test": "eval", "fit": "train"}  # in other programs
EXIT_INTERRUPTED = 130
STDOUT = "<stdout>"


class Commands(click.Group):
    """A group of commands, one module each, which is imported only when its command runs.

    package: name of the package of the modules. table: their names, each with a line about its command.
    """

    def __init__(self, *arguments, package, table, aliases=None, **named):
        super().__init__(*arguments, **named)
        self.table, self.aliases, self._package = table, aliases or {}, package

    def list_commands(self, context):
        return list(self.table)

    def get_command(self, context, name):
        module = self.aliases.get(name, name if name in self.table else None)
        return importlib.import_module(f"{self._package}.{module}").command if module else None

    def resolve_command(self, context, args):
        name, known = args[0], self.table
        if name not in {*known, *self.aliases}:
            close = [OTHER_NAMES[name]] if name in OTHER_NAMES else difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean '{close[0]}'?" if close and close[0] in known else ""
            hint = f"try '{context.command_path} --help'"
            raise UsageError(f"unknown command '{name}'{meant} (known: {', '.join(known)})", hint)
        return super().resolve_command(context, args)

    def format_commands(self, context, formatter):
        # From the table: importing every command to ask for its first line would cost what laziness saves.
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))


SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}


@click.group(cls=Commands, package=__name__, table=COMMANDS, aliases=ALIASES, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="rnnlm")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug):
    """Train, evaluate and sample recurrent-network language models."""


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failure, 2 usage, 3 numerical, 130 interrupted.

    When the reader of standard output has gone (`| head`) it ends quietly, with status 1.
    """
    own_threads()
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # as all text here, whatever the locale
    warnings.simplefilter("ignore", RuntimeWarning)  # where NumPy warns of overflow, NumericalError says more
    try:
        with notes_shown(), contextlib.redirect_stdout(named(sys.stdout)) as output:
            try:
                run(argv)
            finally:
                if output is not None:  # as it is where the shell has closed it
                    output.flush()  # here, where a failure can still be reported
    except BrokenPipeError:  # of standard output, or of a pipe that was named
        sys.exit(1)
    except RnnlmError as error:
        if "--debug" in argv:
            traceback.print_exc()
        fail(argv, error.message, error.hint, error.exit_code)
    except click.ClickException as error:
        message, context = error.format_message().rstrip("."), getattr(error, "ctx", None)
        if message.startswith("Usage: "):  # a group without a command: the message is its help
            click.echo(message, err=True)
            sys.exit(error.exit_code)
        message = " ".join(message.split())  # of a choice, click names every member in a line of its own
        fail(argv, message, f"try '{context.command_path if context else 'rnnlm'} --help'", error.exit_code)
    except OSError as error:
        if error.filename is None:
            raise
        if error.filename == STDOUT:
            fail(argv, f"{STDOUT}: cannot be written: {error.strerror}", "make room there, or choose another file", 1)
        name = str(error.filename)  # it cannot even be looked at: too long, or in a folder that is closed
        name = name if name.isprintable() else repr(name)[1:-1]
        name = name if len(name) <= 200 else f"{name[:200]}..."
        fail(argv, f"{name}: {error.strerror}", "check the name, and the permissions of its folder", 1)
    except MemoryError as error:
        fail(argv, f"out of memory: {error}".rstrip(": "), "make the model, the batch or the window smaller", 1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)


def run(argv: list[str]) -> NoReturn:
    """Run the command that `argv` names, and exit. It finds `argv` itself in its context, as `obj`."""
    if argv and re.fullmatch("-[a-z][a-z-]+", argv[0]):  # one dash and a word: the flags of Mikolov's toolkit
        from rnnlm.cli import mikolov

        sys.exit(mikolov.run(argv))
    sys.exit(cli.main(args=argv or ["--help"], prog_name="rnnlm", standalone_mode=False, obj=argv))


@contextlib.contextmanager
def notes_shown():
    """Show what there is to know about a text, each note once, on standard error."""
    shown = set()

    def show(message, category, filename, lineno, file=None, line=None):
        if not issubclass(category, TextWarning):
            usual(message, category, filename, lineno, file, line)
        elif str(message) not in shown:
            shown.add(str(message))
            click.echo(f"note: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", TextWarning)
        usual, warnings.showwarning = warnings.showwarning, show
        yield


class Output(io.FileIO):
    """Standard output, of which an error of writing says so: the system's errors name no file."""

    def write(self, data, /):
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, STDOUT) from None


def named(stdout: Any) -> Any:
    """Standard output by way of `Output`; unchanged where it is none, or no file but something in a program."""
    try:
        number = stdout.fileno()
    except (AttributeError, OSError):
        return stdout
    buffer = io.BufferedWriter(Output(number, "w", closefd=False))
    return io.TextIOWrapper(buffer, "utf-8", line_buffering=stdout.line_buffering)


def fail(argv: list[str], message: str, hint: str, status: int) -> NoReturn:
    """Say what is wrong and what to do about it, and exit. What was typed is shown in one line, whatever is in it."""
    for word in argv:
        if not word.isprintable():
            message, hint = (text.replace(word, repr(word)[1:-1]) for text in (message, hint))
    click.echo(f"rnnlm: error: {message}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)
    sys.exit(status)
