"""`rnnlm config`: list, show, check and explain configurations."""

from __future__ import annotations

import sys

import click

from rnnlm.cli.output import tell
from rnnlm.config import dump, load
from rnnlm.errors import DataError, UsageError
from rnnlm.recipes.names import about, config_file, recipes


@click.group()
def command():
    """List, show, check or explain configurations.

    CONFIG is a YAML file, a run directory, or a recipe by its name.
    """


@command.command("list")
def list_recipes():
    """List the recipes that are part of rnnlm: their names, and what they train."""
    found = recipes()
    for name, path in found.items():
        click.echo(f"{name:{max(map(len, found))}}  {about(path)}")


@command.command()
@click.argument("config")
@click.option("--set", "overrides", multiple=True, metavar="A.B=C", help="Override a value; repeatable.")
def show(config, overrides):
    """Print CONFIG with all defaults filled in.

    What `rnnlm train` would choose by the size of the training text is chosen here, too, if that text is there.
    """
    from rnnlm.experiment import Config
    from rnnlm.recipes.choice import settings as settings_of

    file = config_file(config)
    try:
        settings, messages = settings_of(file, overrides)
    except DataError as error:
        settings, messages = load(file, Config, overrides)
        chosen = "what CONFIG leaves out is chosen by the size of the training text when it is there"
        messages.append(f"note: {error.message}; {chosen}")
    tell(*messages)
    click.echo(dump(settings), nl=False)


@command.command()
@click.argument("configs", nargs=-1, required=True, metavar="CONFIG...")
def check(configs):
    """Report every mistake in each CONFIG.

    The exit status is 2 if there is any."""
    from rnnlm.experiment import Config

    wrong = False
    for config in configs:
        try:
            load(config_file(config), Config)
        except UsageError as error:
            click.echo(error.message)
            wrong = True
        else:
            click.echo(f"{config}: ok")
    sys.exit(UsageError.exit_code if wrong else 0)


@command.command()
@click.argument("path", default="", metavar="[PATH]")
def explain(path):
    """Print the reference of all options.

    Each with its type, range, default and meaning. PATH restricts the list, for example to `optimizer`,
    `model.cell[lstm]` or `model.cell.activation`. In brackets stands the kind of section that has the option, the
    default kind first; PATH may leave it out, and --set does.
    """
    from rnnlm.cli import reference
    from rnnlm.experiment import Config

    for row in reference.explain(Config, path):
        click.echo(f"{row.path}: {row.facts}" if row.facts else row.path)
        click.echo(f"    {row.doc}")
