"""The step of training beside PyTorch's, and beside the loop of the textbooks."""

from __future__ import annotations

from tests.bench.machine import FLOP, PYTORCH, SGEMM
from tests.bench.race import CORES, Contender, race
from tests.bench.shapes import FORMULA, Shape
from tests.bench.table import Settings, Table, ratio, spread

SHAPES = [
    Shape(10_000, 200),
    Shape(10_000, 400),
    Shape(10_000, 650),
    Shape(10_000, 650, layers=2),
    Shape(10_000, 800, embedding=400, tied=True),
    Shape(10_000, 400, cell="lstm"),
    Shape(10_000, 400, cell="gru"),
    Shape(10_000, 400, B=64),
    Shape(10_000, 400, B=64, cell="lstm"),
    Shape(65, 128),
    Shape(65, 128, B=64, T=64),
    Shape(65, 512),
    Shape(65, 512, B=64, T=64),
]
QUICK = [Shape(10_000, 200), Shape(65, 128)]
TUTORIAL = {"K": 8000, "H": 100, "truncate": 4}


def run(settings: Settings) -> None:
    against_pytorch(settings)
    against_the_textbook(settings)


def against_pytorch(settings: Settings) -> None:
    table = Table(
        "step: forward, backward, clip, update", f"{FORMULA}\nThe rate of sgemm is that of the BLAS's own threads.",
        {"network": 29, "update": 11, "ms": 19, "words/s": 9, "GFLOP/s": 7, "sgemm": 6, "of sgemm": 13,
         "PyTorch ms": 19, "PyTorch/rnnlm": 17},
    )  # fmt: skip
    for shape in QUICK if settings.quick else SHAPES:
        contenders = {"sgemm": SGEMM}
        for rule in ("SGD", "Adam"):
            contenders[rule] = Contender("ours:Step", {"shape": shape, "optimizer": rule})
        if PYTORCH:
            for rule in ("SGD", "Adam", "Adam, fused"):  # the last is a faster one than PyTorch's default
                contenders[f"PyTorch {rule}"] = Contender("pytorch:Step", {"shape": shape, "optimizer": rule})
        seconds = race(contenders, settings.repeats, settings.seconds)
        limits = [FLOP / s / 1e9 for s in seconds["sgemm"]]
        for rule in ("SGD", "Adam"):
            step = [shape.tokens * s for s in seconds[rule]]
            rates = [shape.flop / s / 1e9 for s in step]
            table.row(
                str(shape), rule, _ms(step), f"{shape.tokens / spread(step).median:,.0f}",
                f"{spread(rates).median:.1f}", f"{spread(limits).median:.1f}", f"{ratio(rates, limits):.0%}",
                *_beside(seconds.get(f"PyTorch {rule}"), step, shape),
            )  # fmt: skip
        if PYTORCH:
            step = [shape.tokens * s for s in seconds["Adam"]]
            table.row(str(shape), "Adam, fused", *[None] * 5, *_beside(seconds["PyTorch Adam, fused"], step, shape))


def _ms(seconds):
    return spread(1e3 * s for s in seconds)


def _beside(per_token, ours, shape):
    """The cells of PyTorch's step and the ratio, if it was measured."""
    if per_token is None:
        return ()
    theirs = [shape.tokens * s for s in per_token]
    return _ms(theirs), ratio(theirs, ours)


def against_the_textbook(settings: Settings) -> None:
    textbooks = {
        f"textbook, {dtype}, BLAS threads: {threads}": Contender(
            "textbook:Textbook", {**TUTORIAL, "N": 100, "dtype": dtype}, blas_threads=threads
        )
        for dtype in ("float64", "float32")
        for threads in dict.fromkeys([1, CORES])
    }
    ours = {
        f"rnnlm, float32, sentences an update: {B}": Contender("ours:StepOnSentences", {**TUTORIAL, "B": B, "N": N})
        for B, N in ((1, 2000), (4, 8000), (20, 20_000), (64, 40_000))
    }
    seconds = race(textbooks | ours, settings.repeats, settings.seconds)
    float64, float32 = (
        min((seconds[name] for name in textbooks if dtype in name), key=lambda per_word: spread(per_word).median)
        for dtype in ("float64", "float32")
    )
    table = Table(
        f"textbook: the loop over words and sentences, K={TUTORIAL['K']:,}, H={TUTORIAL['H']}",
        f"One-hot input, no biases, errors followed back {TUTORIAL['truncate']} steps, SGD. The textbook updates\n"
        "after each sentence; NumPy's default is float64. Ratios are to the faster of its two ways in that precision.",
        {"who": 39, "words/s": 22, "times float64": 17, "times float32": 17},
    )
    for name, per_word in seconds.items():
        table.row(name, spread(1 / s for s in per_word), ratio(float64, per_word), ratio(float32, per_word))
