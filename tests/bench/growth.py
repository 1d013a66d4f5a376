"""How the time of a step grows with each size of the network."""

from __future__ import annotations

from tests.bench.race import Contender, race
from tests.bench.shapes import Shape
from tests.bench.table import Settings, Table, ratio, spread

SERIES = {
    "H": [Shape(10_000, H) for H in (100, 200, 400, 800)],
    "K": [Shape(K, 200) for K in (1000, 3000, 10_000, 30_000)],
    "B": [Shape(10_000, 200, B=B) for B in (10, 20, 40, 80)],
    "T": [Shape(10_000, 200, T=T) for T in (17, 35, 70, 140)],
    "layers": [Shape(10_000, 400, layers=n) for n in (1, 2, 3, 4)],
}


def run(settings: Settings) -> None:
    table = Table(
        "growth: the time of a step, SGD", "Time and useful work are relative to the first row of each series.",
        {"network": 28, "ms": 19, "words/s": 9, "GFLOP/s": 7, "time": 17, "work": 5},
    )  # fmt: skip
    for name, shapes in SERIES.items():
        shapes = shapes[:2] if settings.quick else shapes
        contenders = {str(shape): Contender("ours:Step", {"shape": shape}) for shape in shapes}
        answers = race(contenders, settings.repeats, settings.seconds)
        steps = [[shape.tokens * s for s in answers[str(shape)]] for shape in shapes]
        table.row(f"{name}:")
        for shape, step in zip(shapes, steps):
            median = spread(step).median
            table.row(
                f"  {shape}", spread(1e3 * s for s in step), f"{shape.tokens / median:,.0f}",
                f"{shape.flop / median / 1e9:.1f}", ratio(step, steps[0]), f"{shape.flop / shapes[0].flop:.2f}",
            )  # fmt: skip
