"""`rnnlm info`: kind, parameters, vocabulary, training and configuration of a model."""

from __future__ import annotations

import math
import textwrap

import click

from rnnlm.cli.options import model_argument
from rnnlm.cli.output import in_json, show
from rnnlm.cli.tables import decimal, table


@click.command()
@model_argument
@click.option("--json", "as_json", is_flag=True, help="One JSON object, on one line.")
def command(model, as_json):
    """Kind, parameters, vocabulary, training and configuration of MODEL (a model file, or a run directory).

    For a run directory, the best model is shown, and the progress of the training.

    The keys of --json are in docs/runs.md. A number that is not finite is null.
    """
    from rnnlm import config
    from rnnlm.loading import EVERY_MODEL, load_model
    from rnnlm.show.facts import describe

    loaded = load_model(model, EVERY_MODEL)
    facts = describe(loaded, model) | {"config": config.plain(loaded.config)}
    show(in_json(facts) if as_json else report(facts, config.dump(loaded.config)))


def report(facts, configuration):
    """Facts of `describe`, and the configuration in YAML, as lines of text."""
    vocab, training, run = facts["vocabulary"], facts["training"], facts["run"]
    yield f"model       {facts['model']} ({facts['bytes'] / 1e6:.1f} MB, by rnnlm {facts['rnnlm']})"
    yield f"kind        {facts['kind']}"
    yield f"parameters  {facts['count']:,} {facts['dtype']}"
    rows = [("name", "shape", "count", "norm")]
    for p in facts["parameters"]:
        norm = "not finite" if p["norm"] is None else f"{p['norm']:.4g}"
        rows.append((p["name"], "x".join(map(str, p["shape"])), f"{p['count']:,}", norm))
    yield from (f"{'':13}{row}" for row in table(rows))
    lower = ", lowercase" if vocab["lower"] else ""
    outputs = f", and {vocab['outputs']:,} outputs" if "outputs" in vocab else ""
    yield f"vocabulary  {vocab['size']:,} {vocab['level']}s{lower}{outputs} (sha {vocab['sha256'][:12]})"
    text = f"on text with sha {training['train_sha256'][:12]}"
    yield f"training    epoch {training['epoch']}, step {training['step']:,}, {text}"
    if training["best"] is None:
        yield "validation  none yet"
    else:
        text = "training text" if training["valid"] is None else f"valid: {training['valid']}"
        name = next(key for key in training if key.endswith("ppl")).removeprefix("best_")
        ppl = training[f"best_{name}"]
        best = f"{name} {decimal(math.inf if ppl is None else ppl)}, {training['best_nats']:.4f} nats per token"
        yield f"validation  best: number {training['best']} of {len(training['nats'])}, {best}"
        yield f"            {text}"
    if run:
        how = "finished" if run["finished"] else f"unfinished; go on with: rnnlm train {run['path']} --resume"
        yield f"run         epoch {run['epoch']}, step {run['step']:,}, {how}"
    yield "configuration"
    yield textwrap.indent(configuration.rstrip("\n"), "  ")
