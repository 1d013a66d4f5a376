"""The benchmarks run: a unit of work of each contender, on a network of a few units."""

import pytest

from tests.bench import ours
from tests.bench.shapes import Shape

SHAPE = Shape(30, 6, B=3, T=4)
UNITS = {
    "step": lambda: ours.Step(SHAPE, "Adam"),
    "deep step": lambda: ours.Step(Shape(30, 6, layers=2, B=3, T=4, cell="lstm", tied=True)),
    "step on sentences": lambda: ours.StepOnSentences(K=30, H=6, truncate=2, B=2, N=40),
    "head": lambda: ours.HeadOnly(SHAPE),
    "adaptive head": lambda: ours.HeadOnly(Shape(30, 6, B=3, T=4, cutoffs=(10,), tied=True)),
    "validation": lambda: ours.Evaluation(SHAPE, "validation", N=40),
    "sentences": lambda: ours.Evaluation(SHAPE, "sentences", N=40),
    "words": lambda: ours.Evaluation(SHAPE, "words", N=40),
    "sampling": lambda: ours.Sampling(SHAPE, number=2, length=3),
    "product": lambda: ours.Product(8),
}


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_of_work(name):
    assert UNITS[name]()() > 0


def test_where_figures_come_from():
    assert "threads" in ours.Facts().burst(0)
