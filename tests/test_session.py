"""Training from Python: events, interrupts, and that it is the training of `rnnlm train`."""

import os
import signal

import numpy as np
import pytest

import rnnlm
from rnnlm import config
from rnnlm.errors import DataError, NumericalError, UsageError
from rnnlm.experiment import Config
from rnnlm.training import checkpoint
from rnnlm.training.run import Run
from rnnlm.training.trainer import Update, Validation


@pytest.fixture(autouse=True)
def folder(tiny):
    """A working directory with tiny.yaml and its texts."""


def weights(path):
    return checkpoint.load(Run(path).last).weights


def test_it_is_the_training_of_the_command(request, tmp_path):
    assert request.getfixturevalue("rnnlm")("train", "tiny.yaml", "-q", "-o", "command") == (0, "", "")
    with rnnlm.train("tiny.yaml", output="python") as training:
        events = list(training)
        assert training.finished
        assert training.step == training.steps == sum(isinstance(event, Update) for event in events)
    assert [event.epoch for event in events if isinstance(event, Validation)] == [1, 2]
    np.testing.assert_equal(weights(tmp_path / "python"), weights(tmp_path / "command"))
    assert sorted({*os.listdir("command")} - {"train.log"}) == sorted(os.listdir("python"))


@pytest.mark.parametrize("form", ["file", "dictionaries", "instance", "run"])
def test_forms_of_a_configuration(form):
    loaded = config.load("tiny.yaml", Config)[0]
    if form == "run":
        rnnlm.train("tiny.yaml", output="run").close()
    forms = {"file": "tiny.yaml", "dictionaries": config.plain(loaded), "instance": loaded, "run": "run"}
    training = rnnlm.train(forms[form], overrides={"training.epochs": 1, "data.valid": None})
    assert training.experiment.config.data.valid is None
    assert [event.epoch for event in training if isinstance(event, Validation)] == [1]


def test_without_a_directory_nothing_is_written(tmp_path):
    before = os.listdir(tmp_path)
    for _ in rnnlm.train("tiny.yaml"):
        pass
    assert os.listdir(tmp_path) == before


def test_an_interrupt_keeps_the_state(tmp_path):
    """It comes in the midst of an update, which ends first; going on is as if it had not been."""
    list(rnnlm.train("tiny.yaml", output="once"))
    training = rnnlm.train("tiny.yaml", output="run")
    network, events = training.experiment.trainer.network, []
    true_backward, calls = network.backward, []

    def backward(*arguments):
        calls.append(1)
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        true_backward(*arguments)

    network.backward = backward
    with pytest.raises(KeyboardInterrupt):
        events.extend(training)
    assert checkpoint.load(tmp_path / "run/last.npz").progress["step"] == training.step == 5
    with pytest.raises(DataError, match="another training"):
        rnnlm.train("tiny.yaml", output="run", resume="auto")
    kept = next(training)  # the update of the interrupt is not lost
    assert isinstance(kept, Update)
    assert training.step == 5
    list(training)
    np.testing.assert_equal(weights(tmp_path / "run"), weights(tmp_path / "once"))


def test_stopping_and_going_on(tmp_path):
    list(rnnlm.train("tiny.yaml", output="once"))
    while True:  # the same cell, run again and again
        with rnnlm.train("tiny.yaml", output="often", resume="auto") as training:
            for _ in training:
                if training.step % 5 == 0:
                    break
        if training.finished:
            break
    np.testing.assert_equal(weights(tmp_path / "often"), weights(tmp_path / "once"))
    assert list(training) == []


def test_divergence_is_an_error_and_is_not_saved(tmp_path, diverging):
    with rnnlm.train("tiny.yaml", output="run", overrides={"training.retries": 0}) as training:
        diverging(training.experiment.trainer, 3)
        with pytest.raises(NumericalError):
            list(training)
    assert checkpoint.load(tmp_path / "run/last.npz").progress["step"] == 0
    rnnlm.train("tiny.yaml", output="run", resume=True, overrides={"training.retries": 0}).close()


def test_new_words(tmp_path):
    list(rnnlm.train("tiny.yaml", output="run"))
    (tmp_path / "more.txt").write_text("the gnu sees a cat\n" * 30)
    more = {"data.train": ["more.txt"]}
    for expected in (False, True):
        options = {"init_from": "run", "extend_vocab": True, "resume": "auto", "overrides": more}
        with rnnlm.train("tiny.yaml", output="more", **options) as training:
            assert training.experiment.vocab.words[-1] == "gnu"
            assert (training.step > 0) == expected
            next(training)


def test_the_model_of_the_moment():
    training = rnnlm.train("tiny.yaml")
    (before,) = training.model.log_probs([["the", "cat"]])
    list(training)
    (after,) = training.model.log_probs([["the", "cat"]])
    assert after.sum() > before.sum()


@pytest.mark.parametrize(
    "options", [{"resume": True}, {"force": True}, {"extend_vocab": True}, {"output": "run", "resume": True}]
)
def test_options_that_cannot_be(options):
    with pytest.raises(UsageError):
        rnnlm.train("tiny.yaml", **options)
