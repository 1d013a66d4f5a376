"""A trained model in use: evaluation and sampling beside the training step; and how soon the command answers."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.bench.race import Contender, race
from tests.bench.shapes import Shape
from tests.bench.table import Settings, Table, ratio, spread

SHAPES = [Shape(10_000, 200), Shape(10_000, 400), Shape(65, 512)]
MANY = 256


def run(settings: Settings) -> None:
    table = Table(
        "use: evaluation and sampling", "",
        {"what": 38, "tokens/s": 25, "times training": 17, "times 1 sequence": 17},
    )  # fmt: skip
    for shape in SHAPES[:1] if settings.quick else SHAPES:
        table.row(f"{shape}:")
        reading = {"training step, SGD": Contender("ours:Step", {"shape": shape})}
        for what, how in (
            ("validation, the state carried", "validation"),
            ("evaluation, sentences apart", "sentences"),
            ("the same from words, all figures", "words"),
        ):
            reading[what] = Contender("ours:Evaluation", {"shape": shape, "how": how})
        sampling = {
            f"sampling, {what}": Contender("ours:Sampling", {"shape": shape, "number": number})
            for what, number in (("1 sequence", 1), (f"{MANY} sequences at once", MANY))
        }
        seconds = race(reading | sampling, settings.repeats, settings.seconds)
        step, one = seconds["training step, SGD"], seconds["sampling, 1 sequence"]
        for what, per_token in seconds.items():
            ratios = (ratio(step, per_token), None) if what in reading else (None, ratio(one, per_token))
            table.row(f"  {what}", spread(1 / s for s in per_token), *ratios)
    print(f"\n`rnnlm --help`: {spread(_help() for _ in range(settings.repeats))} s")


def _help() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "rnnlm", "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
