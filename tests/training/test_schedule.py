import math

import pytest

from rnnlm.training.schedule import Constant, Cosine, Newbob, Step
from tests.kinds import SCHEDULES


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_lie_between_zero_and_one(name):
    for step in range(101):
        history = [5 - 0.1 * i for i in range(step // 10)]
        factor = SCHEDULES[name].factor(step / 100, step // 10, history)
        assert 0 < factor <= 1


@pytest.mark.parametrize("name", SCHEDULES)
def test_only_newbob_stops_and_goes_back(name):
    story = [5.0, 5.0, 6.0, 7.0]
    stops = SCHEDULES[name].stop(story), SCHEDULES[name].roll_back(story)
    assert stops == ((True, True) if name == "newbob" else (False, False))


def test_constant():
    assert [Constant().factor(done, 3, []) for done in (0, 0.5, 1)] == [1, 1, 1]


def test_warm_up_rises_from_almost_nothing():
    schedule = Constant(warmup=0.2)
    assert schedule.factor(0, 0, []) == pytest.approx(1e-3)
    assert [schedule.factor(done, 0, []) for done in (0.05, 0.1, 0.2, 0.5, 1)] == pytest.approx([0.25, 0.5, 1, 1, 1])


def test_step():
    schedule = Step(first=3, every=2, gamma=0.5)
    factors = [schedule.factor(0, epoch, []) for epoch in range(9)]
    assert factors == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]


def test_cosine():
    schedule = Cosine(last=0.1)
    half = 0.1 + 0.9 / 2
    quarter = 0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2
    points = [schedule.factor(done, 0, []) for done in (0, 0.25, 0.5, 1)]
    assert points == pytest.approx([1, quarter, half, 0.1])


def test_cosine_after_a_warm_up():
    schedule = Cosine(warmup=0.2)
    points = [schedule.factor(done, 0, []) for done in (0, 0.1, 0.2, 0.6, 1)]
    assert points == pytest.approx([1e-3, 0.5, 1, 0.5, 0], abs=1e-15)


def test_newbob_story():
    """Each line: a validation entropy; the factor after it; whether it is undone; whether training stops."""
    schedule, history = Newbob(ratio=1.003, gamma=0.5), []
    assert schedule.factor(0, 0, history) == 1
    assert not schedule.roll_back(history)
    for entropy, factor, undone, stops in [
        (5.000, 1, False, False),
        (4.900, 1, False, False),
        (4.850, 1, False, False),
        (4.840, 0.5, False, False),  # better, but not by 0.3 %: the first stall
        (4.700, 0.25, False, False),  # now halved every time, stalled or not
        (4.650, 0.125, False, False),
        (4.660, 0.0625, True, True),  # worse: the second stall
    ]:
        history.append(entropy)
        assert schedule.factor(0, len(history), history) == factor
        assert (schedule.roll_back(history), schedule.stop(history)) == (undone, stops)


def test_newbob_compares_with_the_best_so_far():
    schedule = Newbob()
    assert schedule.factor(0, 0, [5.0, 6.0]) == 0.5
    assert not schedule.stop([5.0, 6.0])
    assert schedule.stop([5.0, 6.0, 5.5])  # better than the last, but that one was undone
    assert schedule.roll_back([5.0, 6.0, 5.5])
    assert not schedule.roll_back([5.0, 6.0, 4.5])


def test_newbob_with_nothing_left_to_learn():
    assert Newbob().factor(0, 2, [1.0, 0.0, 0.0]) == 1
    assert not Newbob().stop([1.0, 0.0, 0.0])
