"""Many processes on MPI: what they gain here, what a sum over them takes, and how far that would go on a cluster."""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from tests.bench.race import CORES
from tests.bench.shapes import Shape
from tests.bench.table import Settings, Table, ratio, spread

MPIRUN = shutil.which("mpirun", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
SHAPES = [Shape(10_000, 400, B=64), Shape(10_000, 400, B=64, cutoffs=(2000,)), Shape(65, 512, B=64, T=64)]
SIZES = [1, 1000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000]
# The cluster: what nodes of 32 cores are assumed to do. Latency of a message in seconds, by gigabits per second.
NODE_CORES, EFFICIENCY, VECTOR = 32, 0.7, 6.0  # cores; share of them that a step uses; memory against that of one core
LATENCY = {1: 50e-6, 10: 20e-6, 100: 2e-6}
NODES = (1, 2, 4, 8, 16, 32, 64)


def run(settings: Settings) -> None:
    if MPIRUN is None:
        print("\n## mpi: left out, there is no mpirun (make mpi)")
        return
    shapes = SHAPES[2:] if settings.quick else SHAPES
    alpha, beta = sums(settings)
    for shape, (fixed, each, n) in steps(settings, shapes, alpha, beta).items():
        cluster(shape, fixed, each, n)


def measured(processes: int, threads: int, seconds: float, task: str, *options: object) -> float:
    """Median time in seconds of one unit of work of `tests.bench.together`."""
    words = [sys.executable, "-m", "tests.bench.together", task, threads, seconds, *options]
    flags = ["--allow-run-as-root", "--oversubscribe", "-n", processes] if processes > 1 else []
    command = [MPIRUN, *flags, *words] if processes > 1 else words
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"mpirun: {done.stderr}")
    return statistics.median(json.loads(done.stdout))


def sums(settings: Settings) -> tuple[float, float]:
    """Times of sums over two processes of this machine; -> latency (s) and time per number (s) that describe them."""
    times = {n: [measured(2, 1, settings.seconds, "sums", n) for _ in range(settings.repeats)] for n in SIZES}
    middle = {n: min(found) for n, found in times.items()}  # what else runs on the machine can only add to it
    alpha = min(middle.values())
    # Geometric mean over the longer vectors, so that none weighs more than another.
    beta = statistics.geometric_mean(max(middle[n] - alpha, 1e-6) / n for n in SIZES if n >= 100_000)
    table = Table(
        "mpi: a sum of float32 vectors over 2 processes here",
        f"Model: {1e6 * alpha:.0f} microseconds + {1e9 * beta:.3f} ns a number ({4 / beta / 1e9:.1f} GB/s).",
        {"numbers": 10, "ms": 21, "model, ms": 9, "measured/model": 14},
    )
    for n in SIZES:
        predicted = alpha + n * beta
        table.row(f"{n:,}", spread(1e3 * t for t in times[n]), f"{1e3 * predicted:.3g}", f"{middle[n] / predicted:.2f}")
    return alpha, beta


def steps(settings: Settings, shapes: list[Shape], alpha: float, beta: float) -> dict[Shape, tuple[float, float, int]]:
    """Steps of one process and of two; -> time on one core that every rank needs, time per sequence, parameters."""
    table = Table(
        "mpi: the step of 1 process x 2 threads, and of 2 processes x 1 thread", "model: the step of half the batch on "
        "one core, and the sum.",
        {"network": 29, "1 x 2, ms": 19, "2 x 1, ms": 19, "no overlap, ms": 19, "2 shares, ms": 19, "8 shares, ms": 19,
         "speed of 2 x 1": 17, "model, ms": 9, "measured/model": 14},
    )  # fmt: skip
    found = {}
    for shape in shapes:
        fields = asdict(shape)
        half = json.dumps(fields | {"B": shape.B // 2})
        plain = json.dumps(fields)
        ways = {
            "threads": (1, CORES, plain, "overlap"), "both": (2, 1, plain, "overlap"), "late": (2, 1, plain, "late"),
            "two": (2, 1, plain, "2"), "eight": (2, 1, plain, "8"),
            "one": (1, 1, plain, "overlap"), "half": (1, 1, half, "overlap"),
        }  # fmt: skip
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(settings.repeats):
            for way, (processes, threads, text, how) in ways.items():
                times[way].append(measured(processes, threads, 4 * settings.seconds, "steps", text, how))
        middle = {way: spread(values).median for way, values in times.items()}
        n = parameters(shape)
        predicted = middle["half"] + 2 * alpha + alpha + n * beta
        table.row(
            name(shape), *(spread(1e3 * t for t in times[way]) for way in ("threads", "both", "late", "two", "eight")),
            ratio(times["threads"], times["both"]), f"{1e3 * predicted:.3g}", f"{middle['both'] / predicted:.2f}",
        )  # fmt: skip
        each = (middle["one"] - middle["half"]) / (shape.B - shape.B // 2)
        found[shape] = max(middle["one"] - each * shape.B, 0.0), each, n
    return found


def name(shape: Shape) -> str:
    return f"{shape}{', adaptive' if shape.cutoffs else ''}"


def parameters(shape: Shape) -> int:
    """Number of trainable parameters."""
    from rnnlm.nn.gradcheck import synthetic_vocab
    from rnnlm.nn.params import Parameters
    from tests.bench.ours import model_of

    return sum(math.prod(size) for size in Parameters.shapes(model_of(shape).specs(synthetic_vocab(shape.K))).values())


def ring(n: float, nodes: int, gigabits: float, size: int = 4) -> float:
    """Time of a ring all-reduce of n numbers of `size` bytes over so many nodes (alpha-beta model).

    2 (N - 1) messages one after the other, each of n / N numbers: 2 (N - 1) (alpha + n size / (N bandwidth)).
    """
    return 2 * (nodes - 1) * (LATENCY[int(gigabits)] + n * size / nodes / (gigabits * 1e9 / 8))


def cluster(shape: Shape, fixed: float, each: float, n: int) -> None:
    """What the model says of nodes of 32 cores: the batch stays (strong scaling), or grows with the nodes (weak)."""
    table = Table(
        f"mpi: {name(shape)} on nodes of {NODE_CORES} cores, by the model",
        f"{n:,} parameters, {1e3 * fixed:.1f} ms + {1e3 * each:.2f} ms a sequence on one core here. A node does a\n"
        f"sequence's work {NODE_CORES * EFFICIENCY:.0f} times as fast as a core, passes over the vector {VECTOR:g}\n"
        "times (assumed). Speed against one node: strong, 64 sequences in all / weak, 64 sequences a node.",
        {"network": 11, **{f"{nodes} nodes": 12 for nodes in NODES[1:]}, "64, half the bytes": 18},
    )

    def step(B, nodes, gigabits, size=4):
        wire = ring(n, nodes, gigabits, size) if nodes > 1 else 0.0
        return fixed / VECTOR + each * max(B / nodes, 1) / (NODE_CORES * EFFICIENCY) + wire

    def speeds(nodes, gigabits, size=4):
        one = step(shape.B, 1, gigabits)
        strong = one / step(shape.B, nodes, gigabits, size)
        weak = nodes * one / step(shape.B * nodes, nodes, gigabits, size)
        return f"{strong:.1f} / {weak:.1f}"

    for gigabits in LATENCY:
        cells = [speeds(nodes, gigabits) for nodes in NODES[1:]]
        table.row(f"{gigabits} Gbit/s", *cells, speeds(NODES[-1], gigabits, size=2))
