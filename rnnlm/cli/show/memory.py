"""`rnnlm show memory`, also `rnnlm memory`: the longest lag at which each cell still learns."""

from __future__ import annotations

import re

import click

from rnnlm.cli.show.plot import plot_option, pyplot_for, save
from rnnlm.errors import UsageError


def increasing(context, option, text):
    """Increasing whole numbers of at least 2, from a text with commas between them."""
    lags = [int(lag) if re.fullmatch("[0-9]{1,9}", lag.strip()) else 0 for lag in text.split(",")]
    if min(lags) < 2 or lags != sorted(set(lags)):
        raise click.BadParameter(f"expected increasing whole numbers of at least 2, such as 5,10,20, found '{text}'")
    return lags


@click.command()
@click.option("--task", "tasks", type=click.Choice(["adding", "copy"]), multiple=True, help="Repeatable.  [both]")
@click.option("--lags", metavar="N,N...", callback=increasing, default="5,10,20,40,80,160", help="Steps to remember.")
@click.option("--updates", type=click.IntRange(1), default=1000, help="Most updates at each lag; thorough: 5000.")
@click.option("--units", type=click.IntRange(4), default=24, help="Of a tanh cell; others get as many parameters.")
@click.option("--cell", "chosen", multiple=True, metavar="NAME", help="Cell to train; repeatable.  [all]")
@click.option("--seed", type=click.IntRange(0), default=1, help="Seed of weights and problems.")
@plot_option
def command(tasks, lags, updates, units, chosen, seed, plot):
    """Train cells of equal size on the adding problem and the copy problem at increasing lag.

    The table shows after how many updates each cell solves the problem: its error is below a tenth of that of guessing.
    A cell that fails at one lag is not tried at the next.
    """
    from rnnlm.show import memory

    if unknown := set(chosen) - set(memory.CELLS):
        raise UsageError(f"--cell: '{min(unknown)}' is unknown", f"known: {'; '.join(memory.CELLS)}")
    if plot:
        pyplot = pyplot_for(plot)
    makers = {name: make for name, make in memory.CELLS.items() if not chosen or name in chosen}
    width, reached = max(map(len, makers)), {}
    for name in tasks or memory.TASKS:
        task = memory.TASKS[name]
        budget = memory.number_of_parameters(memory.CELLS["tanh, orthogonal"](units), task.n_in)
        click.echo(f"{name} problem: updates until solved, of at most {updates}; cells of up to {budget} parameters")
        click.echo(f"{'cell':{width}}  units" + "".join(f"{f'lag {lag}':>9}" for lag in lags) + f"{'solved':>9}")
        for kind, make in makers.items():
            cell, last = memory.sized(make, task.n_in, budget), 0
            click.echo(f"{kind:{width}}  {cell.n_out:5}", nl=False)
            for lag in lags:  # each number as soon as it is known
                needed = memory.updates_to_solve(cell, task, lag, updates, seed)
                click.echo(f"{needed or '-':>9}", nl=False)
                if needed is None:
                    break
                last = lag
            click.echo(" " * 9 * (len(lags) - lags.index(lag) - 1) + f"{f'to {last}' if last else 'none':>9}")
            reached[name, kind] = last
    if plot:
        save(_draw(pyplot, reached, lags), plot, "the last lag that each solved")


def _draw(pyplot, reached, lags):
    """Bar chart of the longest lag that each cell solved: a group for each cell, a colour for each task."""
    tasks, kinds = (list(dict.fromkeys(names)) for names in zip(*reached))
    figure, axes = pyplot.subplots(figsize=(8, 4))
    for i, task in enumerate(tasks):
        places = [k + 0.8 * (i + 0.5) / len(tasks) - 0.4 for k in range(len(kinds))]
        axes.bar(places, [reached[task, kind] for kind in kinds], 0.8 / len(tasks), label=task)
    axes.set_xticks(range(len(kinds)), kinds, rotation=30, ha="right")
    axes.set_yscale("log", base=2)
    axes.set_ylim(lags[0] / 2, lags[-1] * 1.5)
    axes.set_yticks(lags, lags)
    axes.set_ylabel("longest lag solved (steps)")
    axes.legend()
    return figure
