"""Where the time of a step goes."""

from __future__ import annotations

from tests.bench.machine import FLOP, SGEMM
from tests.bench.race import Contender, race
from tests.bench.shapes import Shape
from tests.bench.table import Settings, Table, spread

SHAPE = Shape(10_000, 400)
RECURRENCE, HEAD = (2 * SHAPE.tokens * multiply_adds for multiply_adds in (SHAPE.recurrence, SHAPE.head))
USEFUL = {  # FLOP
    "recurrence, forward": RECURRENCE,
    "recurrence, backward": 2 * RECURRENCE,
    "head, forward": HEAD,
    "head, backward": 2 * HEAD,
    "step": SHAPE.flop,
}


def run(settings: Settings) -> None:
    contenders = {"sgemm": SGEMM, "step": Contender("ours:Phases", {"shape": SHAPE})}
    answers = race(contenders, settings.repeats, settings.seconds)
    limit = FLOP / spread(answers["sgemm"]).median
    phases = {phase: [step[phase] for step in answers["step"]] for phase in answers["step"][0]}
    total = phases.pop("step")
    phases["everything else"] = [t - sum(parts) for t, *parts in zip(total, *phases.values())]
    phases["step"] = total
    table = Table(
        f"phases: a step of {SHAPE}, SGD",
        "recurrence: with x U, and the gradients of U and W; everything else: zeroing gradients, checks, sums.",
        {"phase": 20, "ms": 19, "share": 6, "GFLOP/s": 7, "of sgemm": 8},
    )
    for phase, seconds in phases.items():
        share = spread(s / t for s, t in zip(seconds, total)).median
        rate = USEFUL.get(phase, 0) / spread(seconds).median
        figures = (f"{rate / 1e9:.1f}", f"{rate / limit:.0%}") if rate else ()
        table.row(phase, spread(1e3 * s for s in seconds), f"{share:.1%}", *figures)
