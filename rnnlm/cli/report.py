"""`rnnlm report`: one page of HTML that shows a run."""

from __future__ import annotations

import click

from rnnlm.cli.options import PATH, utf8
from rnnlm.cli.output import new_file, send, tell


@click.command()
@click.argument("run", type=PATH)
@click.option("-o", "--output", metavar="FILE", help="HTML file; - is standard output.  [default: report.html in RUN]")
@click.option("--text", metavar="FILE", help="Text to read.  [default: the validation text, or the training text]")
@click.option("--sentence", metavar="TEXT", type=utf8, help="Sentence to unroll.  [default: one of the text]")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def command(run, output, text, sentence, force):
    """Write one page of HTML that shows RUN: what was trained, how it went, and what came of it.

    Curves, samples over time, perplexity by frequency of words, the text coloured by surprise, gradients over the lag,
    a sentence unrolled, units, nearest words, and how to run it again. The file holds all that it shows and opens from
    the disk. Of RUN, a run directory, the best model is shown; a model file alone has no curves and no samples.

    What does not apply to a model is left out, and the page says why: docs/show.md.
    """
    from rnnlm.report.page import environment, render

    environment()  # where it is not installed, nobody waits for the figures
    folder = run if run.is_dir() else run.parent
    output = new_file(str(folder / "report.html") if output is None else output, force)
    from rnnlm.report.contents import contents

    report = contents(run, text, sentence)
    page = render(report)
    name = send(output, lambda file: file.write(page))
    left_out = [section.title.lower() for section in report.sections if section.data is None]
    note = f"; left out: {', '.join(left_out)}" if left_out else ""
    tell(f"{name}: {len(page):,} bytes, {len(report.sections) - len(left_out)} sections{note}")
