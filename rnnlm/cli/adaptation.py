"""Options of `rnnlm eval` that adapt a network to the text: dynamic evaluation and the neural cache."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from rnnlm.cli.options import several
from rnnlm.cli.output import tell
from rnnlm.errors import UsageError
from rnnlm.files import keep

if TYPE_CHECKING:
    from rnnlm.lm.adaptive.adapt import Adaptation

adaptation_options = several(
    click.option("--dynamic", metavar="LR|tune", help="Dynamic evaluation: learn from TEXT, once it is scored."),
    click.option("--dynamic-rule", type=click.Choice(["sgd", "rms"]), help="Update rule.  [default: sgd]"),
    click.option("--dynamic-decay", type=click.FloatRange(min=0), help="rms: pull towards the trained weights."),
    click.option("--dynamic-window", type=click.IntRange(min=1), help="Tokens between updates.  [default: 20]"),
    click.option("--dynamic-gradients", metavar="FILE", help="rms: text to scale by.  [default: the training text]"),
    click.option(
        "--cache", metavar="N", type=click.IntRange(1, 100_000), help="Mix in a cache of the last N positions."
    ),
    click.option("--cache-theta", type=click.FloatRange(min=0), help="Weight of similar hidden states."),
    click.option("--cache-lambda", type=click.FloatRange(min=0, max=1, max_open=True), help="Weight of the cache."),
)


def adaptation(dev: str | None, dynamic: str | None, cache: int | None, **options: Any) -> Adaptation | None:
    """The adaptation that --dynamic, --cache and their further options ask for, or None."""
    rule: Any = options["dynamic_rule"] or "sgd"
    for name, value in options.items():
        option, what = f"--{name.replace('_', '-')}", name.split("_")[0]
        if value is not None and not (dynamic if what == "dynamic" else cache):
            number = "learning rate" if what == "dynamic" else "number of positions"
            raise UsageError(f"{option} without --{what}", f"give the {number} with --{what}")
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{option} {value}: expected a finite number", "leave it out")
        if value is not None and name in ("dynamic_decay", "dynamic_gradients") and rule != "rms":
            raise UsageError(f"{option} with --dynamic-rule {rule}", "it goes with --dynamic-rule rms")
    if not dynamic and not cache:
        return None
    from rnnlm.lm.adaptive.adapt import Adaptation
    from rnnlm.lm.adaptive.dynamic import WINDOW

    if dev is not None:
        keep(dev)
    return Adaptation(
        dynamic=bool(dynamic), rate=learning_rate(dynamic), rule=rule, decay=options["dynamic_decay"],
        window=options["dynamic_window"] or WINDOW, gradients=options["dynamic_gradients"],
        cache=cache, theta=options["cache_theta"], lam=options["cache_lambda"], dev=dev,
    )  # fmt: skip


def learning_rate(text):
    """The number given with --dynamic; None for tune."""
    if not text or text == "tune":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise UsageError(f"--dynamic {text}: expected a learning rate above 0, or tune", "such as --dynamic 0.0003")
    return rate


def adapt_to_text(main, wanted):
    """The adapted network of a text model."""
    from rnnlm.lm.adaptive.adapt import adapt

    if main.data is None:
        raise UsageError(
            f"{main.path}: an n-gram model has no weights or hidden vectors to adapt",
            "leave out --dynamic and --cache, or name a network first",
        )
    return adapt(main.scorer, main.data.train, main.blank_lines, wanted, tell, main.documents)
