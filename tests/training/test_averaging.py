"""Averaged weights: each rule against its definition, and that the average is what is validated, saved and resumed."""

import itertools

import numpy as np
import pytest

from rnnlm.errors import UsageError
from rnnlm.training import checkpoint
from rnnlm.training.averaging import EMA, Mean, Tail, Triggered
from rnnlm.training.run import Run
from rnnlm.training.trainer import Update, Validation
from tests.kinds import AVERAGES


def average_of(rule, weights):
    """The mean that a rule makes of vectors of weights, one after each update."""
    mean = Mean(rule, weights[0])
    for n, theta in enumerate(weights, 1):
        mean.update(theta, n)
    return mean.weights


@pytest.fixture(name="weights")
def some_weights():
    return np.random.default_rng(1).standard_normal((50, 7))


def test_a_mean_is_the_mean(weights, threads):
    for rule in (Tail(), Triggered(), EMA(decay=0.999, warmup=0)):
        np.testing.assert_allclose(average_of(rule, weights), weights.mean(axis=0), rtol=1e-12)


def test_after_its_warm_up_the_decay_is_as_told(weights):
    mean = weights[0]
    for n, theta in enumerate(weights[1:], 2):
        decay = min(0.5, 1 - 4 / (3 + n))
        mean = decay * mean + (1 - decay) * theta
    np.testing.assert_allclose(average_of(EMA(decay=0.5, warmup=3), weights), mean, rtol=1e-12)


@pytest.mark.parametrize("updates", [100, 1660, 20_000])
def test_with_the_warm_up_the_start_is_forgotten(updates):
    """Without it, 0.999 would leave 19 % of the first weights after 1,660 updates."""
    left = np.prod([1 - EMA(decay=0.999).share(n) for n in range(2, updates + 1)])
    assert left < 1e-4
    assert np.prod([1 - 0.001] * 1660) == pytest.approx(0.19, abs=0.001)


def test_when_each_begins():
    assert EMA().begins(0.0, [])
    assert [done for done in (0.0, 0.5, 0.51, 1.0) if Tail(start=0.5).begins(done, [])] == [0.51, 1.0]
    rule = Triggered(patience=2)
    assert not rule.begins(0.9, [5, 6])
    assert not rule.begins(0.9, [5, 6, 4])  # better than what is two before
    assert rule.begins(0.9, [5, 6, 4, 5])  # 5 is no better than 5, before 6 and 4
    assert rule.begins(0.9, [4, 3, 3.5, 3.2])


def test_the_trigger_stays_pulled(tiny):
    """From the update after the validation that stalled, whatever later ones say."""
    trainer = tiny("training.average={kind: triggered, patience: 1}", "training.epochs=5").trainer
    entropies = iter([5.0, 5.1, 4.0, 3.0, 2.0])
    validate, steps = trainer.validate, len(trainer.reading)
    trainer.validate = lambda network: validate(network)._replace(nats=next(entropies), tokens=1)
    kept = []
    for event in trainer.run():
        if isinstance(event, Update) and event and trainer.progress.step > 2 * steps:
            kept.append(trainer.network.params.trainable.copy())
    assert trainer.progress.averaged == 3 * steps == len(kept)
    np.testing.assert_allclose(trainer.mean.weights, np.mean(kept, axis=0), rtol=1e-4, atol=1e-6)


def test_what_is_validated_and_saved_is_the_average(tiny, tmp_path):
    experiment, run = tiny("training.average={kind: tail, start: 0.6}"), Run(tmp_path / "run")
    trainer, params = experiment.trainer, experiment.trainer.network.params
    validate, seen = trainer.validate, []

    def noted(network):
        seen.append(network.params.trainable.copy())
        return validate(network)

    trainer.validate = noted
    with run.lock():
        run.begin(experiment, ["train"])
        own, averages = [], []
        for event in run.train(experiment):
            if isinstance(event, Validation):
                own.append(params.trainable.copy())
                averages.append(trainer.mean.weights.copy())
                best = checkpoint.load(run.best).weights
                expected = averages[-1] if trainer.progress.averaged else own[-1]
                assert event.best
                assert b"".join(best[name].tobytes() for name in params.named) == expected.tobytes()
    assert (seen[0] == own[0]).all()  # before it began
    assert (seen[1] == averages[1]).all()
    assert (seen[1] != own[1]).any()
    last = checkpoint.load(run.last)
    assert b"".join(last.weights[name].tobytes() for name in params.named) == own[1].tobytes()
    assert last.slots["average"].tobytes() == averages[1].tobytes()


@pytest.mark.parametrize("name", AVERAGES)
def test_training_itself_does_not_notice(tiny, name):
    rule = AVERAGES[name]
    options = ", ".join(f"{option}: {value}" for option, value in vars(rule).items())
    averaged = tiny(f"training.average={{kind: {rule.kind}, {options}}}")
    assert averaged.trainer.mean.rule == rule
    plain = tiny()
    for event, other in itertools.zip_longest(averaged.trainer.run(), plain.trainer.run()):
        assert type(event) is type(other)
        if isinstance(event, Update):
            assert event == other
    assert (averaged.trainer.network.params.flat == plain.trainer.network.params.flat).all()


def test_no_schedule_that_goes_back(tiny):
    with pytest.raises(UsageError, match="schedule newbob .*training.average"):
        tiny("training.average=ema", "schedule=newbob")
