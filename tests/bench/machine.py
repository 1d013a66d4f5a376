"""Where the figures come from: machine, versions, threads, and the rate of large matrix products."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from pathlib import Path

from tests.bench.race import CORES, Contender, race
from tests.bench.table import Settings, Table, spread

SIDE = 2048  # of the square matrices whose product sets the scale
FLOP = 2 * SIDE**3
SGEMM = Contender("sgemm:Product", {"n": SIDE}, blas_threads=CORES)
PYTORCH = importlib.util.find_spec("torch") is not None


def run(settings: Settings) -> None:
    facts = {"rnnlm": Contender("ours:Facts")}
    products = {"NumPy, threads of the BLAS": SGEMM, "NumPy, threads of rnnlm": Contender("ours:Product", {"n": SIDE})}
    if PYTORCH:
        facts["PyTorch"] = Contender("pytorch:Facts")
        products["PyTorch"] = Contender("pytorch:Product", {"n": SIDE})
    print(f"{processor()}, {CORES} cores; {platform.system()} {platform.release()}; Python {platform.python_version()}")
    for answers in race(facts, 1, 0).values():
        print(answers[0])
    if not PYTORCH:
        print("PyTorch: not installed, so not compared (pip install torch==2.13.0)")
    print(f"load average before the start: {os.getloadavg()[0]:.2f} (where others compute, figures mean little)")
    print(f"medians over {settings.repeats} turns of {settings.seconds} s; in brackets the 10th and 90th percentile")
    table = Table(f"sgemm: the product of two float32 matrices, {SIDE}^3", "", {"by": 26, "GFLOP/s": 19})
    for name, seconds in race(products, settings.repeats, settings.seconds).items():
        table.row(name, spread(FLOP / s / 1e9 for s in seconds))


def processor() -> str:
    """The processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return found[1] if found else platform.machine()
