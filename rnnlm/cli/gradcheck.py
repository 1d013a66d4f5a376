"""`rnnlm gradcheck`: compare the analytic gradient with a numerical one."""

from __future__ import annotations

import click

from rnnlm.cli.options import PATH
from rnnlm.cli.output import show, tell
from rnnlm.cli.tables import table
from rnnlm.errors import NumericalError, UsageError

LIMIT = 1e-6  # largest relative error that passes; a right gradient stays a hundred times below


@click.command()
@click.argument("source", metavar="CONFIG|MODEL", type=PATH)
@click.option("--set", "overrides", multiple=True, metavar="A.B=C", help="Override a value of CONFIG; repeatable.")
def command(source, overrides):
    """Check the gradient of a configuration's network, or of a trained model (file or run directory).

    In float64, on a small synthetic batch: no corpus is read. Of each parameter array some elements and one random
    direction are compared; the table shows the worst. Exit status 3 if any relative error is above 1e-6.
    """
    import numpy as np

    from rnnlm import config
    from rnnlm.experiment import Config
    from rnnlm.lm.arpa import is_arpa
    from rnnlm.loading import EVERY_MODEL, load_model
    from rnnlm.nn.network import Network
    from rnnlm.recipes.names import config_file
    from rnnlm.tasks import gradcheck

    if source.is_dir() or source.suffix == ".npz" or is_arpa(source):
        if overrides:
            raise UsageError(f"{source}: --set changes a configuration, and this is a model", "give its config.yaml")
        loaded = load_model(source, EVERY_MODEL)
        settings = loaded.config
        network = Network(settings.model, loaded.vocab, np.float64)
        network.params.flat[...] = loaded.network.params.flat
    else:
        settings, messages = config.load(config_file(source), Config, overrides)
        tell(*messages)
        vocab = gradcheck.synthetic_vocab_for(settings.model)
        network = Network(settings.model, vocab, np.float64, np.random.default_rng(settings.seed))

    T = gradcheck.exact_window(settings.model)
    sizes = f"{len(network.params.flat):,} parameters, K {len(network.vocab):,}, T {T}, B {gradcheck.BATCH}"
    click.echo(f"{source}: {sizes}, float64, seed {settings.seed}")
    if T < gradcheck.WINDOW:
        click.echo(f"note: errors are truncated; in a window of {T} steps or fewer they reach every step")
    with np.errstate(all="ignore"):  # what is not finite shows as an error of inf
        checks = gradcheck.check_network(network, settings.seed)
    rows = [["parameter", "shape", "checked", "error", "where", "analytic", "numeric"]]
    for c in checks:
        figures = [f"{c.error:.1e}", c.where, f"{c.analytic:.6e}", f"{c.numeric:.6e}"]
        rows.append([c.name, "x".join(map(str, c.shape)), str(c.checked), *figures])
    show(table(rows))
    worst = max(checks, key=lambda check: check.error)
    if worst.error > LIMIT:
        raise NumericalError(
            f"{source}: the gradient of {worst.name} is wrong: relative error {worst.error:.1e} at {worst.where}, "
            f"analytic {worst.analytic:.6g}, numeric {worst.numeric:.6g}, limit {LIMIT:g}",
            "a mistake in a backward pass, or weights too extreme for numerical derivatives",
        )
    click.echo(f"passed: largest relative error {worst.error:.1e}, in {worst.name}; limit {LIMIT:g}")
