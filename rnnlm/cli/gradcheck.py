"""`rnnlm gradcheck`: compare the analytic gradient with a numerical one."""

from __future__ import annotations

from pathlib import Path

import click

from rnnlm.errors import NumericalError, UsageError

LIMIT = 1e-6  # largest relative error that passes; a right gradient stays a hundred times below


@click.command()
@click.argument("source", metavar="CONFIG|MODEL", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="A.B=C", help="Override a value of CONFIG; repeatable.")
def command(source, overrides):
    """Check the gradient of a configuration's network, or of a trained model (file or run directory).

    In float64, on a small synthetic batch: no corpus is read. Of each parameter array some elements and one random
    direction are compared; the table shows the worst. Exit status 3 if any relative error is above 1e-6.
    """
    import numpy as np

    from rnnlm import config
    from rnnlm.experiment import Config
    from rnnlm.loading import load_model
    from rnnlm.nn import gradcheck
    from rnnlm.nn.models import Model
    from rnnlm.nn.network import Network

    if source.is_dir() or source.suffix == ".npz":
        if overrides:
            raise UsageError(f"{source}: --set changes a configuration, and this is a model", "give its config.yaml")
        loaded = load_model(source, Model.kinds())
        settings, messages = loaded.config, []
        network = Network(settings.model, loaded.vocab, np.float64)
        network.params.flat[...] = loaded.network.params.flat
    else:
        settings, messages = config.load(source, Config, overrides)
        vocab = gradcheck.synthetic_vocab_for(settings.model)
        network = Network(settings.model, vocab, np.float64, np.random.default_rng(settings.seed))
    for message in messages:
        click.echo(message, err=True)

    T = gradcheck.exact_window(settings.model)
    sizes = f"{len(network.params.flat):,} parameters, K {len(network.vocab):,}, T {T}, B {gradcheck.BATCH}"
    click.echo(f"{source}: {sizes}, float64, seed {settings.seed}")
    if T < gradcheck.WINDOW:
        click.echo(f"note: errors are truncated; in a window of {T} steps or fewer they reach every step")
    with np.errstate(all="ignore"):  # what is not finite shows as an error of inf
        checks = gradcheck.check_network(network, settings.seed)
    for line in table(checks):
        click.echo(line)

    worst = max(checks, key=lambda check: check.error)
    if worst.error > LIMIT:
        raise NumericalError(
            f"{source}: the gradient of {worst.name} is wrong: relative error {worst.error:.1e} at {worst.where}, "
            f"analytic {worst.analytic:.6g}, numeric {worst.numeric:.6g}, limit {LIMIT:g}",
            "a mistake in a backward pass, or weights too extreme for numerical derivatives",
        )
    click.echo(f"passed: largest relative error {worst.error:.1e}, in {worst.name}; limit {LIMIT:g}")


def table(checks):
    """A row per parameter array, under a heading."""
    width = max(len("parameter"), *(len(check.name) for check in checks))
    numbers = f"{'error':>8} {'where':>12} {'analytic':>13} {'numeric':>13}"
    yield f"{'parameter':{width}} {'shape':>12} {'checked':>7} {numbers}"
    for c in checks:
        shape = "x".join(map(str, c.shape))
        numbers = f"{c.error:8.1e} {c.where:>12} {c.analytic:13.6e} {c.numeric:13.6e}"
        yield f"{c.name:{width}} {shape:>12} {c.checked:7d} {numbers}"
