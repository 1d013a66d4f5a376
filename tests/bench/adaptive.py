"""The adaptive softmax beside the full one."""

from __future__ import annotations

from dataclasses import replace

from tests.bench.race import Contender, race
from tests.bench.shapes import Shape
from tests.bench.table import Settings, Table, ratio, spread

CUTOFFS = [(2000, 10_000), (4000, 20_000), (2000, 10_000, 40_000)]


def run(settings: Settings) -> None:
    shape = Shape(20_000, 200) if settings.quick else Shape(100_000, 400)
    cutoffs = CUTOFFS[:1] if settings.quick else CUTOFFS
    table = Table(
        f"adaptive: the softmax of {shape}, SGD",
        "Probabilities fall as 1 / rank to the last word, so clusters are opened more often than by real text.\n"
        "head: its forward and backward alone.",
        {"softmax": 38, "step, ms": 19, "full/this": 17, "head, ms": 19, "full/this, head": 17},
    )
    for tied in (False, True):
        heads = {f"adaptive, {', '.join(map(str, c))}": replace(shape, tied=tied, cutoffs=c) for c in cutoffs}
        heads = {"full": replace(shape, tied=tied), **heads}
        steps = {name: Contender("ours:Step", {"shape": one}) for name, one in heads.items()}
        alone = {f"{name} alone": Contender("ours:HeadOnly", {"shape": one}) for name, one in heads.items()}
        seconds = race(steps | alone, settings.repeats, settings.seconds)
        for name in heads:
            cells = []
            for suffix in ("", " alone"):
                per_token = seconds[name + suffix]
                cells += [spread(1e3 * shape.tokens * s for s in per_token), ratio(seconds["full" + suffix], per_token)]
            table.row(name + ", tied" * tied, *cells)
