"""What follows when training diverges: back to a good checkpoint with half the learning rate, again and again."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from rnnlm.nn.heads import Loss
from rnnlm.training import checkpoint
from rnnlm.training.progress import Diverged, Divergence
from rnnlm.training.run import Run
from rnnlm.training.trainer import Update, Validation


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


def begun(run, experiment):
    """A trainer whose run has begun in the directory."""
    run.begin(experiment, ["train"])
    return experiment.trainer


def weights(trainer):
    return trainer.network.params.flat.tobytes()


def divergences(events):
    return [event for event in events if isinstance(event, Divergence)]


def log(run):
    return [json.loads(line) for line in (run.path / "log.jsonl").read_text().splitlines()]


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_divergence_without_end(tiny, run, optimizer):
    """Three times from the start, with half the rate each time; then it is given up, and the checkpoint is whole."""
    experiment = tiny(f"optimizer={{kind: {optimizer}, lr: 1e30}}", "model.cell.activation=relu")
    trainer, seen = begun(run, experiment), []
    first = weights(trainer)

    def watch():
        for event in run.train(experiment):
            seen.append(event)
            if isinstance(event, Divergence):
                assert weights(trainer) == first
                assert not any(array.any() for array in (*trainer.slots.values(), *trainer.state))

    with pytest.raises(Diverged, match=r"learning rate 1.25e\+29 \(halved 3 times\)") as error:
        watch()
    rates = [(event.lr, event.next_lr) for event in divergences(seen)]
    assert rates == [(1e30, 5e29), (5e29, 2.5e29), (2.5e29, 1.25e29)]
    assert error.value.divergence.next_lr is None
    assert [(row["lr"], row["next_lr"]) for row in log(run)] == [*rates, (1.25e29, None)]
    assert checkpoint.load(run.last).progress["halved"] == 3


def test_without_retries(tiny, run, diverging):
    experiment = tiny("training.retries=0")
    diverging(begun(run, experiment), 2)
    with pytest.raises(Diverged, match="after 2 steps"):
        list(run.train(experiment))
    (record,) = log(run)
    assert list(record) == ["epoch", "step", "lr", "diverged", "back", "next_lr"]  # these keys are stable
    assert (record["step"], record["lr"], record["back"], record["next_lr"]) == (2, 0.01, None, None)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_training_goes_on_from_the_last_checkpoint(tiny, run, optimizer, diverging):
    """With its weights, slots, hidden state and position, all as if the rate had been half from there on."""
    overrides = (f"optimizer={{kind: {optimizer}, lr: 0.02}}", "model.cell.dropconnect=0.2")
    experiment, other = tiny(*overrides), tiny(*overrides)
    n = len(experiment.trainer.reading)
    diverging(begun(run, experiment), n + 3)
    events = list(run.train(experiment))
    (event,) = divergences(events)
    assert event[:2] == (1 + 3 / n, n + 3)
    assert (event.lr, event.next_lr) == (0.02, 0.01)
    assert event.back == f"the weights of step {n} (last.npz)"
    there = events.index(event)
    expected = []
    for update in other.trainer.run():
        expected.append(update)
        if isinstance(update, Validation):
            other.trainer.optimizer = replace(other.trainer.optimizer, lr=0.01)
    assert [e[:4] for e in events[there + 1 :]] == [e[:4] for e in expected[n + 1 :]]
    assert weights(experiment.trainer) == weights(other.trainer)
    assert experiment.trainer.finished
    assert [row.get("best", row.get("step")) for row in log(run)] == [True, n + 3, True]


def test_an_average_starts_anew_from_other_weights(tiny, run, diverging):
    """It would hold those that led to the divergence."""
    experiment = tiny("training.epochs=3", "training.save_every=1e-9", "training.average={kind: ema, warmup: 0}")
    trainer = begun(run, experiment)
    n = len(trainer.reading)
    diverging(trainer, n + 3, n + 4)
    since = []
    for event in run.train(experiment):
        if isinstance(event, Divergence):
            since = [] if event.back.endswith("(best.npz)") else None
        elif isinstance(event, Validation) and len(since or ()) == n - 3:
            assert trainer.progress.averaged == n - 3
            np.testing.assert_allclose(trainer.mean.weights, np.mean(since, axis=0), rtol=1e-4, atol=1e-6)
            return
        elif since is not None and not isinstance(event, Validation):
            since.append(trainer.network.params.trainable.copy())
    raise AssertionError("no validation after it")


def test_weights_that_were_bad_already(tiny, run, diverging):
    """If training diverges from the last checkpoint, too, it goes on there with the best weights, and slots of zero."""
    experiment = tiny("training.epochs=3", "training.save_every=1e-9")
    trainer = begun(run, experiment)
    n = len(trainer.reading)
    diverging(trainer, n + 3, n + 4)
    best, events = None, []
    for event in run.train(experiment):
        events.append(event)
        if isinstance(event, Validation) and event.best and best is None:
            best = weights(trainer)
        if len(divergences(events)) == 2 and isinstance(event, Divergence):
            assert weights(trainer) == best
            assert not any(array.any() for array in (*trainer.slots.values(), *trainer.state))
            assert (trainer.progress.step, trainer.progress.position) == (n + 3, 3)
    first, second = divergences(events)
    assert (first.back, first.next_lr) == (f"the weights of step {n + 3} (last.npz)", 0.005)
    assert (second.back, second.next_lr) == (f"the weights of step {n} (best.npz)", 0.0025)
    assert trainer.finished


def test_weights_that_were_bad_before_the_first_validation(tiny, run, diverging):
    experiment = tiny("training.save_every=1e-9")
    trainer = begun(run, experiment)
    diverging(trainer, 5, 6)
    events = list(run.train(experiment))
    assert [(event.step, event.back) for event in divergences(events)] == [
        (5, "the weights of step 5 (last.npz)"), (5, "the weights of step 4 (previous.npz)"),
    ]  # fmt: skip
    assert trainer.finished
    assert trainer.progress.step == 2 * len(trainer.reading)


def test_divergence_found_by_validation(tiny, run):
    """The epoch is trained once more, and the history knows nothing of it."""
    experiment = tiny("training.epochs=3")
    trainer, left = begun(run, experiment), [3, math.nan, 3, 2]
    trainer.validate = lambda network: Loss(1000 * left.pop(0), 1000)
    events = list(run.train(experiment))
    n = len(trainer.reading)
    (event,) = divergences(events)
    assert (event.epoch, event.step, event.next_lr) == (2, 2 * n, 0.005)
    assert "validation entropy nan" in event.diverged
    assert trainer.progress.history == [3, 3, 2]
    assert [event.best for event in events if isinstance(event, Validation)] == [True, False, True]
    assert left == []


def test_stopped_at_a_divergence_it_goes_on_as_if_nothing_had_happened(tiny, tmp_path, diverging):
    """A step before the divergence, at the divergence itself, and a step later."""
    overrides, n = ("model.cell.dropconnect=0.2", "training.validate_every=4", "schedule=cosine"), 11
    once = Run(tmp_path / "once")
    once.path.mkdir()
    reference = tiny(*overrides)
    diverging(begun(once, reference), n)
    events = list(once.train(reference))
    (k,) = (i for i, event in enumerate(events) if isinstance(event, Divergence))
    for stop in (k - 1, k + 1, k + 2):
        run = Run(tmp_path / str(stop))
        run.path.mkdir()
        stopped, resumed = tiny(*overrides), tiny(*overrides)
        diverging(begun(run, stopped), n)
        before = list(itertools.islice(run.train(stopped), stop))
        run.save_last(stopped)
        run.resume(resumed)
        assert resumed.trainer.progress.halved == (stop > k)
        if stop < k:
            diverging(resumed.trainer, n - resumed.trainer.progress.step)
        after = list(run.train(resumed))
        # A run that was stopped has another checkpoint to go back to: the one of its stop.
        if stop > k:
            assert [event[:4] for event in before + after] == [event[:4] for event in events]
            assert weights(resumed.trainer) == weights(reference.trainer)
        else:
            (event,) = divergences(after)
            assert event.back == f"the weights of step {stopped.trainer.progress.step} (last.npz)"
        assert resumed.trainer.finished


def test_no_copy_of_the_weights_is_kept(tiny, run):
    experiment = tiny()
    begun(run, experiment)
    assert all(isinstance(event, (Update, Validation)) for event in run.train(experiment))
    assert experiment.trainer.best is None
    saved = checkpoint.load(run.last)
    assert saved.best == {}
    shape = experiment.trainer.network.params.trainable.shape
    assert {name: array.shape for name, array in saved.slots.items()} == {"m": shape, "v": shape}
    np.testing.assert_equal(checkpoint.load(run.best).slots, {})
