"""`rnnlm data`: list, fetch and check corpora."""

from __future__ import annotations

import click

from rnnlm.cli.options import PATH
from rnnlm.cli.output import show, tell
from rnnlm.cli.tables import table
from rnnlm.corpora import catalogue
from rnnlm.errors import DataError

directory = click.option("--dir", "folder", type=PATH, default="data", help="Where corpora are kept, each in a folder.")


@click.group()
def command():
    """List, fetch and check corpora."""


@command.command("list")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@directory
def list_(names, folder):
    """List corpora, and whether they are here; with NAME, also where they come from and their files."""
    for corpus in map(catalogue.find, names):
        click.echo(f"{corpus.name}: {corpus.what}")
        for key, value in {
            "words": f"{corpus.words:.2f} M", "size": f"{corpus.megabytes:.1f} MB", "licence": corpus.licence,
            "source": corpus.source, "files": " ".join(corpus.names), "here": catalogue.state(corpus, folder),
        }.items():  # fmt: skip
            click.echo(f"  {key:<8} {value}")
    if not names:
        rows = [("name", "what", "M words", "MB", "licence", "here")]
        for corpus in catalogue.CORPORA.values():
            sizes = f"{corpus.words:.2f}", f"{corpus.megabytes:.1f}"
            rows.append((corpus.name, corpus.what, *sizes, corpus.licence, catalogue.state(corpus, folder)))
        show(table(rows, "llrrl"))


@command.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@directory
@click.option(
    "--from", "source", metavar="DIR|URL", default="", show_default=False, help="Folder or mirror that has the files."
)
@click.option("--force", is_flag=True, help="Replace the files that are there.")
@click.option("--digits", type=click.IntRange(1, 9), default=3, help="Largest number of digits in `addition`.")
def fetch(names, folder, source, force, digits):
    """Download or build corpora into DIR/NAME/; every file is verified.

    `addition` stands for `addition-N`, the sums of numbers of up to N digits, with --digits N.
    """
    from tqdm import tqdm

    names = [f"addition-{digits}" if name == "addition" else name for name in names]
    for corpus in [catalogue.find(name) for name in names]:
        # disable=None: no bar unless stderr is a terminal.
        unit = " files" if corpus.build else "B"
        with tqdm(desc=corpus.name, unit=unit, unit_scale=True, disable=None, leave=False) as bar:

            def progress(done, total, bar=bar):
                bar.total = total
                bar.update(done - bar.n)

            written, notes = catalogue.fetch(corpus, folder, source, force, progress)
        tell(*(f"note: {note}" for note in notes))
        for path in [folder / corpus.name / name for name in corpus.names]:
            if path in written and path.suffix == ".npy":
                click.echo(f"{path}: {path.stat().st_size:,} bytes")
            elif path in written:
                sentences, words = catalogue.count(path)
                click.echo(f"{path}: {sentences:,} sentences, {words:,} words")
            else:
                click.echo(f"{path}: already there, verified")


@command.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@directory
def check(names, folder):
    """Verify the checksums of the corpora named, or of all that are here."""
    corpora = [catalogue.find(name) for name in names] or [
        corpus for corpus in catalogue.CORPORA.values() if catalogue.state(corpus, folder) != catalogue.MISSING
    ]
    bad = []
    for corpus in corpora:
        problems = catalogue.check(corpus, folder)
        for path, problem in problems.items():
            click.echo(f"{path}: {problem or 'verified'}")
        if any(problems.values()):
            bad.append(corpus.name)
    if bad:
        command_line = catalogue.fetch_command(bad, folder)
        raise DataError(
            f"missing or damaged: {', '.join(bad)}", f"`{command_line}` fetches what is missing; with --force, all"
        )
