"""`rnnlm show curves`: loss, learning rate, norm of the gradient and clipping of trainings, also of running ones."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from rnnlm.cli import EXIT_INTERRUPTED
from rnnlm.cli.options import PATH
from rnnlm.cli.output import in_json, tell
from rnnlm.cli.progress import duration
from rnnlm.cli.show.plot import label, plot_option, pyplot_for, save
from rnnlm.cli.show.terminal import PALETTE, Plot, canvas_kind, side_by_side
from rnnlm.cli.tables import cell, coloured, cut, decimal, table, visible
from rnnlm.errors import DataError, UsageError

ROWS = 20  # validations in the table
WIDE, HIGH = 80, 24  # where there is no terminal
LOW, SMALL = 9, 8  # smallest height of the first plot, height of the others
NARROW = 24  # width below which these stand one below the other
MARKED = 20  # points of a line with a mark, in pictures
POLL = 0.3  # seconds between looks at the logs
UNITS = {"epochs": "epochs", "steps": "steps", "seconds": "seconds of training"}


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=PATH)
@click.option("--x", type=click.Choice(list(UNITS)), default="epochs", help="The horizontal axis.")
@click.option("--nats", is_flag=True, help="Cross-entropy in nats, in place of the perplexity on a log axis.")
@click.option("--table", "as_table", is_flag=True, help="A table of the validations, in place of the plot.")
@click.option("--follow", is_flag=True, help="Draw again whenever a log has grown, until the trainings are over.")
@plot_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object, on one line: see docs/show.md.")
def command(runs, x, nats, as_table, follow, plot, as_json):
    """The course of trainings: loss of the training text and the validation text, learning rate, norm of the gradient,
    share of clipped steps, and divergences.

    RUN is a run directory, whose training may still be going on. Several runs are drawn over each other, named by the
    settings in which they differ.

    The terminal shows a plot (`pip install 'rnnlm[plot]'`), or a table where that is not installed.
    """
    if follow and as_json:
        raise UsageError("--follow and --json exclude each other", "leave one of them out")
    pyplot = pyplot_for(plot) if plot else None
    if not (as_table or as_json) and canvas_kind() is None:
        tell("note: a table, because plotille is not installed; for a plot: pip install 'rnnlm[plot]'")
        as_table = True

    def show():
        from rnnlm.show.curves import courses

        found = courses(runs)
        if not follow and all(course.empty for course in found):
            raise DataError(f"{runs[0]}: nothing in its log yet", "wait for the first line, or use --follow")
        if as_json:
            page = in_json({"runs": found})
        else:
            page = list(tables(found) if as_table else plots(found, x, not nats, follow))
        if follow:
            click.clear()  # on a terminal alone
        click.echo("\n".join(page))
        if pyplot:
            save(draw(pyplot, found, x, not nats), plot)
            pyplot.close()

    if follow:
        watch(runs, show)
    show()
    if pyplot:
        tell(f"{plot}: the course of {len(runs)} training{'s' * (len(runs) != 1)}")


def watch(runs, show):
    """Call `show` now and whenever a log has changed, until all trainings are over, or until Ctrl-C: then exit.

    The interrupt is noted and not raised, since in the midst of writing it would have a plot written twice.
    """
    from rnnlm.session import signals_noted
    from rnnlm.show.runs import summarize

    before = None
    with signals_noted() as noted:
        while not noted:
            if (now := state(runs)) != before:
                if before and not sys.stdout.isatty():
                    click.echo()
                before = now
                show()
            if all(summarize(run).state != "unfinished" for run in runs) and state(runs) == before:
                sys.exit(0)
            time.sleep(POLL)
    sys.exit(EXIT_INTERRUPTED)


def state(runs):
    """The files of the logs of runs and their sizes, and the size of the terminal."""
    found = []
    for run in runs:
        with contextlib.suppress(OSError):
            status = os.stat(run / "log.jsonl")
            found.append((status.st_ino, status.st_size))
    return [shutil.get_terminal_size(), found]


# --- in the terminal ---


def plots(found, x, perplexity, fit):
    """Lines of a page: a legend, the loss, the other plots next to each other, and what there is to say.

    fit: no more lines than the terminal has.
    """
    from rnnlm.show.curves import marks, panels

    size = shutil.get_terminal_size((WIDE, HIGH)) if sys.stdout.isatty() else os.terminal_size((WIDE, HIGH))
    crosses, one, colours = marks(found, x), len(found) == 1, coloured()
    head, tail = list(legend(found, colours)), list(remarks(found))
    yield from head
    first, *others = panels(found, x, perplexity) or (None,)
    if first is None:
        yield f"nothing to draw over {UNITS[x]} yet"
        return
    number = max(len(others), 1) if size.columns >= len(others) * NARROW else 1
    room = size.lines - 1 - len(head)
    if fit:
        others = others if room >= LOW + SMALL * -(-len(others) // number) else []
        tail = [cut(line, size.columns) for line in tail][: max(room - LOW - SMALL, 0)]
    room -= len(tail) + SMALL * -(-len(others) // number)
    high = max(LOW, room) if fit else min(max(15, room), 30)

    def drawn(panel, wide, high):
        xs = [*(x for line in panel.lines for x in line.x), *(mark.x for mark in crosses)]
        plot = Plot(panel.label, UNITS[x], xs, panel.limits, (wide, high), panel.log, colours)
        for line in panel.lines:
            valid = line.kind == "valid"
            mark = marker(line.run, line.kind, one, colours)
            plot.line(line.x, line.y, valid if one else line.run, mark, joined=colours or one or valid or not line.kind)
        for mark in crosses:
            plot.cross(mark.x, 1 if one else mark.run)
        return plot.lines()

    yield from map(str.rstrip, drawn(first, size.columns, high))
    for i in range(0, len(others), number):
        wide = (size.columns - 2 * (number - 1)) // number
        yield from map(str.rstrip, side_by_side([drawn(panel, wide, SMALL) for panel in others[i : i + number]]))
    yield from tail


def marker(run, kind, one, colours):
    """Mark of a line: o for the validation of one run, the number of one of several; letters for their training."""
    if one:
        return "o" if kind == "valid" else ""
    if kind == "train":
        return "" if colours else chr(ord("a") + run % 26)
    return str((run + 1) % 10)


def legend(found, colours):
    """Lines of the legend of the plots."""
    width = shutil.get_terminal_size((WIDE, HIGH)).columns

    def sample(text, colour):
        return click.style(text, fg=PALETTE[colour % len(PALETTE)]) if colours else text

    if len(found) == 1:
        yield f"{sample('⠤⠤', 0)} training  {sample('⠤o⠤', 1)} validation  {cut(found[0].run, width - 30)}"
        return
    yield "training, validation"
    for run, course in enumerate(found):
        letter, number = (marker(run, kind, False, colours) for kind in ("train", "valid"))
        training = sample("⠤⠤⠤" if colours else f"{letter} {letter}", run)
        yield f"     {training}         {sample(f'⠤{number}⠤', run)}  {cut(course.name, width - 24)}"


def remarks(found):
    """Lines about the best validation and the divergences of each run."""
    one = len(found) == 1
    for course in found:
        name = "" if one else f"{visible(course.name)}: "
        if (i := course.best) is not None:
            row = {key: column[i] for key, column in course.validations.items()}
            nats = row["valid_nats"]
            at = f"epoch {row['epoch']:.2f}, step {cell(row['step'], '{:,}'.format)}, {cell(row['seconds'], duration)}"
            yield f"{name}best validation {i + 1}: {course.perplexity} {power(nats)} ({nats:.4f} nats), {at}"
        lost = course.divergences
        for step, what, back in zip(lost["step"], lost["diverged"], lost["back"]):
            end = f"back to {back}" if back else "training ended"
            yield f"{name}× diverged after step {cell(step, '{:,}'.format)}: {visible(str(what))}; {visible(str(end))}"


def tables(found):
    """Lines of a table of the validations of each run; of a run without any, of its lines about updates."""
    one = len(found) == 1
    for number, course in enumerate(found):
        if number:
            yield ""
        if not one:
            yield f"{visible(course.name)} ({visible(course.run)})"
        tested = bool(course.validations["epoch"])
        rows = course.validations if tested else course.updates
        n, best = len(rows["epoch"]), [i for i, is_best in enumerate(rows.get("best", ())) if is_best][-1:]
        stride = max(1, (n - 1) / (ROWS - 1))
        chosen = sorted({n - 1 - round(i * stride) for i in range(ROWS)}.intersection(range(n)).union(best))
        short = {"perplexity": "ppl", "pseudo-perplexity": "pppl"}[course.perplexity]
        columns: list[tuple[str, str, Callable[[Any], str]]] = [
            ("epoch", "epoch", decimal), ("step", "step", "{:,}".format), ("lr", "lr", "{:.3g}".format),
            (f"train {short}", "train_nats" if tested else "loss", power),
            *([(f"valid {short}", "valid_nats", power), ("nats", "valid_nats", "{:.4f}".format)] if tested
              else [("norm", "norm", "{:.3g}".format)]),
            ("clip", "clipped", "{:.0%}".format), ("time", "seconds", duration),
        ]  # fmt: skip
        lines = [[*(head for head, *_ in columns), ""]]
        for i in chosen:
            cells = (cell(rows[key][i], layout) for _, key, layout in columns)
            lines.append([*cells, "best" if i in best else ""])
        yield from table(lines, "rrrrrrrrl")
        if len(chosen) < n:
            yield f"{len(chosen)} of {n} {'validations' if tested else 'lines about updates'}; --json has all"
    yield from remarks(found)


def power(nats):
    """The perplexity e^nats."""
    from rnnlm.nn.heads.loss import exp_mean, figure

    return figure(exp_mean(nats, 1))


# --- pictures ---


def draw(pyplot, found, x, perplexity):
    """Figure of the panels: the loss above, the others below, divergences as dotted lines."""
    from rnnlm.show.curves import marks, panels

    drawn, one = panels(found, x, perplexity), len(found) == 1
    if not drawn:
        raise DataError(f"{found[0].run}: nothing to draw over {UNITS[x]} yet", "wait for the first line of the log")
    keys = [panel.key for panel in drawn]
    mosaic = [[keys[0]] * max(len(keys) - 1, 1), *([keys[1:]] if keys[1:] else [])]
    figure, axes = pyplot.subplot_mosaic(mosaic, figsize=(8, 2.5 * len(mosaic)), height_ratios=[2, 1][: len(mosaic)])
    above = axes[keys[0]]
    for panel in drawn:
        on = axes[panel.key]
        for line in panel.lines:
            on.plot(line.x, line.y, **style(line, one, found[line.run].name))
        for mark in marks(found, x):
            on.axvline(mark.x, color="C3" if one else f"C{mark.run}", linestyle=":", linewidth=1)
        scale(on, panel, 7 if on is above else 4)
        on.set_xlabel(UNITS[x])
        on.set_title("" if on is above else panel.label, fontsize="medium")
    above.set_ylabel(drawn[0].label)
    if marks(found, x):
        above.plot([], [], ":", color="C3" if one else "grey", linewidth=1, label="diverged")
    above.legend()
    return figure


def style(line, one, name):
    """Colour, width, marks and label of a line: one run has a colour for each text, several have one each."""
    valid = line.kind == "valid"
    kind = {"train": "training", "valid": "validation", "": ""}[line.kind]
    return {
        "color": f"C{int(valid) if one else line.run}",
        "linewidth": 1.5 if valid else 0.9,
        "marker": "osv^Dx+*"[line.run % 8] if valid or not (one or line.kind) else "",
        "markersize": 4,
        "markevery": max(1, len(line.x) // (MARKED if valid else MARKED // 2)),
        "label": kind if one else f"{label(name)}, {kind}",
    }


def scale(axes, panel, most):
    """Scale and ticks of the y axis of a panel."""
    from rnnlm.show.curves import ticks

    axes.set_yscale("log" if panel.log else "linear")
    low, high = panel.limits
    chosen = ticks(low, high, most, panel.log)
    axes.set_yticks(chosen, [f"{tick:g}" for tick in chosen])
    axes.minorticks_off()
    if low == 0:
        axes.set_ylim(0, high * 1.05)
