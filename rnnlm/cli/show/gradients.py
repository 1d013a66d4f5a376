"""`rnnlm show gradients`: how the error of an output fades on its way back through time."""

from __future__ import annotations

from pathlib import Path

import click

from rnnlm.cli.options import PATH
from rnnlm.cli.output import in_json, show, tell
from rnnlm.cli.show.plot import label, plot_option, pyplot_for, save
from rnnlm.cli.tables import table


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="MODEL|CONFIG...", type=PATH)
@click.option("--text", metavar="FILE", help="Text to read.  [default: the validation text, or the training text]")
@click.option("--lags", type=click.IntRange(1, 1000), default=20, help="K, the most steps back.")
@click.option("--positions", type=click.IntRange(1), default=64, help="Outputs whose errors are followed.")
@click.option("--tokens", type=click.IntRange(2), default=2000, help="Read so many tokens of the text.")
@plot_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object, on one line: see docs/show.md.")
def command(sources, text, lags, positions, tokens, plot, as_json):
    """How an error fades: |dL_t/ds_{t-k}| over the lag k, as a share of |dL_t/dh_t|, for language models.

    Each trained MODEL (a run directory or a model file) is shown as it started and as it is, each CONFIG (YAML) as it
    starts. The table has the median over the positions t, and the quartiles in --json and --plot. s is the state of the
    cell (of an LSTM h and c). For a vanilla cell the bound (|W| max f')^k stands beside it, and the singular values and
    eigenvalues of W below. All in float64.
    """
    pyplot = pyplot_for(plot) if plot else None
    curves = [curve for source in sources for curve in curves_of(source, text, lags, positions, tokens)]
    show(in_json({"lags": lags, "curves": curves}) if as_json else report(curves, lags))
    if pyplot:
        save(draw(pyplot, curves, lags), plot, "the share of an error that is left, over the lag")


def curves_of(source, text, lags, positions, tokens):
    """Figures of one model or configuration, as --json prints them."""
    import numpy as np

    from rnnlm import config
    from rnnlm.errors import UsageError
    from rnnlm.experiment import Config, prepare
    from rnnlm.loading import load_model
    from rnnlm.show.gradients import of_network
    from rnnlm.text.vocab import BOS, EOS, readable

    if source.is_dir() or source.suffix == ".npz":
        loaded = load_model(source)
        settings, words = loaded.config, loaded.vocab
        networks, corpus = [("at the start", loaded.start()), ("trained", loaded.network)], None
    else:
        settings, messages = config.load(source, Config)
        tell(*messages)
        if settings.model.kind != "lm":
            raise UsageError(f"{source}: {settings.model.instead[0]}", "give a language model, of model.kind lm")
        ready = prepare(settings)
        words, corpus = ready.vocab, ready.train if ready.valid is None else ready.valid
        networks = [("at the start", ready.trainer.network)]
    task, data = settings.task, settings.data
    if text is not None or corpus is None:
        named = [text] if text is not None else data.valid_texts or data.train
        corpus = task.encode(named, words, data, settings.model)
    ids = readable(np.asarray(corpus.ids[:tokens]))
    for when, network in networks:
        found = of_network(network, ids, EOS if task.stream else BOS, lags, positions)
        yield {
            "model": str(source), "when": when, "text": corpus.name, "positions": found.whole.shape[1],
            "norm": float(np.median(found.whole[0])), "quartiles": found.quartiles.tolist(),
            "hidden": None if found.hidden is None else np.median(found.hidden / found.whole[0], axis=1).tolist(),
            "bound": None if found.bound is None else found.bound.tolist(),
            "singular": None if found.singular is None else found.singular.tolist(),
            "eigenvalues": None if found.eigenvalues is None else [[e.real, e.imag] for e in found.eigenvalues],
        }  # fmt: skip


def report(curves, lags):
    """Lines of a table with a column for each curve, and one for its bound."""
    heads, columns = ["lag"], []
    for number, curve in enumerate(curves, 1):
        at = f"{curve['positions']} positions of {curve['text']}, |dL_t/dh_t| {curve['norm']:.3g}"
        yield f"{number}: {curve['model']}, {curve['when']}: {at}"
        heads.append(f"{number} median")
        columns.append([median for _, median, _ in curve["quartiles"]])
        if curve["bound"]:
            heads.append("bound")
            columns.append(curve["bound"])
    yield ""
    yield from table([heads, *([k, *(f"{column[k]:.2e}" for column in columns)] for k in range(lags + 1))], "r")
    for number, curve in enumerate(curves, 1):
        if curve["singular"]:
            radius = max(abs(complex(*pair)) for pair in curve["eigenvalues"])
            high, low = curve["singular"][0], curve["singular"][-1]
            yield f"{number}: W has singular values from {high:.4g} to {low:.4g}, eigenvalues up to {radius:.4g}"


def draw(pyplot, curves, lags):
    """Figure of the medians, with the quartiles as bands and the bounds dotted, on a log axis."""
    figure, axes = pyplot.subplots(figsize=(7, 4))
    marks, steps = "osv^Dx+*", range(lags + 1)
    for number, curve in enumerate(curves):
        low, median, high = zip(*curve["quartiles"])
        name, mark = f"{label(Path(curve['model']).name)}, {curve['when']}", marks[number % len(marks)]
        (drawn,) = axes.plot(steps, visible(median), marker=mark, markersize=4, label=name)
        band = visible(low), visible(high)
        axes.fill_between(steps, *band, color=drawn.get_color(), alpha=0.2, linewidth=0)
        if curve["bound"]:
            axes.plot(steps, curve["bound"], ":", color=drawn.get_color(), linewidth=1)
    highest = max(share for curve in curves for quartiles in curve["quartiles"] for share in quartiles)
    if any(curve["bound"] for curve in curves):
        axes.plot([], [], ":", color="grey", linewidth=1, label="bound (|W| max f')^k")
    axes.set(yscale="log", xlabel="lag k (steps)", ylabel="share of the error that is left")
    axes.set_ylim(top=10 * highest)  # the bound of a trained network is soon far above everything else
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    return figure


def visible(norms):
    """Norms as a log axis can show them: 0, as of truncated errors, has no logarithm."""
    return [norm or float("nan") for norm in norms]
