"""The training loop: exact losses, schedules, and that a stopped training goes on as if nothing had happened."""

import itertools
import json
import math
import random
import re
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlm import config
from rnnlm.experiment import Config, prepare
from rnnlm.nn.heads import Loss
from rnnlm.text.windows import Sentences
from rnnlm.training.progress import Diverged, Progress, save
from rnnlm.training.run import Run
from rnnlm.training.trainer import Update, Validation

# Everything random, and everything that carries over from step to step.
RICH = (
    "model.dropout_input=0.2",
    "model.dropout_output=0.3",
    "model.cell.dropconnect=0.2",
    "training.clip_norm=0.5",
    "training.validate_every=4",
    "schedule=cosine",
)
REGULARIZED = (
    "model.embedding=8",
    "model.skip=true",
    "model.ar=2",
    "model.tar=1",
    "model.noise_input=0.1",
    "model.cell.zoneout=0.1",
    "optimizer.weight_decay=0.1",
    "training.dropout_warmup=0.5",
    "training.jitter=2",
    "training.batches=[3]",
    "training.epochs=3",
)
READINGS = ("stream", "sentences")


def whole(trainer):
    """All that training may still depend on, or that it leaves; the clock apart."""
    saved = save(trainer)
    arrays = {"weights": trainer.network.params.flat, **saved["slots"]}
    arrays |= {f"state {i}": array for i, array in enumerate(saved["state"])} | saved["best"]
    return {name: array.tobytes() for name, array in arrays.items()}, saved["progress"] | {"seconds": None}


def train(experiment, run=None, events=None):
    """Train to the end, or for so many events, with the files of a run if there is one."""
    seen = list(itertools.islice(run.train(experiment) if run else experiment.trainer.run(), events))
    if run:
        run.save_last(experiment)
    return seen


def story(experiment, *entropies):
    """Let validation find these entropies, one after the other; -> the list of what is left of them."""
    left = list(entropies)
    experiment.trainer.validate = lambda network: Loss(1000 * left.pop(0), 1000)
    return left


def updates(events):
    return [event for event in events if isinstance(event, Update)]


def validations(events):
    return [event for event in events if isinstance(event, Validation)]


# --- exact losses --------------------------------------------------------------------------------------------------

LOSSES = {
    "stream": [
        2.216211575150, 2.122715238113, 2.047921301346, 2.078845226333, 2.233890418015,
        1.884216175100, 2.035690295718, 2.025264518680, 2.177624126336, 2.026555610259,
    ],
    "sentences": [
        2.032694442894, 2.127433078763, 1.904168369869, 1.825148752262, 2.170828960510,
        2.150046366182, 2.033309588636, 2.037291525864, 2.201035028170, 2.076022117129,
    ],
    "dropout": [
        2.219784319356, 2.122271087960, 2.051726929312, 2.075285541777, 2.231193649665,
        1.893470047228, 2.036968003033, 2.018099350633, 2.162518244806, 2.033139403961,
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", LOSSES)
def test_ten_losses(tmp_path, case):
    """Written down once, so that no later change of speed changes a result."""
    rng = random.Random(1)
    lines = (" ".join(rng.choices("abcdefgh", range(1, 9), k=rng.randint(1, 9))) for _ in range(80))
    (tmp_path / "train.txt").write_text("\n".join(lines))
    init, share = {"kind": "uniform", "scale": 0.2}, 0.3 if case == "dropout" else 0.0
    settings = {
        "data": {
            "train": str(tmp_path / "train.txt"), "reading": "sentences" if case == "sentences" else "stream",
            "rare_as_unk": 0,
        },
        "model": {
            "embedding": 5, "init_E": init, "dropout_input": share, "dropout_output": share,
            "cell": {"kind": "vanilla", "size": 7, "init_W": init, "init_U": init, "dropconnect": share},
            "head": {"kind": "softmax", "init_V": init},
        },
        "optimizer": {"kind": "adam", "lr": 0.02}, "schedule": "constant",
        "training": {"batch": 4, "window": 5, "clip_norm": 0.5},
        "seed": 3, "dtype": "float64",
    }  # fmt: skip
    trainer = prepare(config.build(Config, settings)).trainer
    losses = [update.loss.mean for update in itertools.islice(trainer.run(), 10)]
    assert losses == pytest.approx(LOSSES[case], rel=0, abs=1e-9)


def test_every_word_counts_the_same_in_short_sentences_and_long(tiny):
    """The gradients of an epoch's batches add up to that of the whole text."""
    experiment = tiny("data.reading=sentences", "optimizer={kind: sgd, lr: 1}", "dtype=float64")
    trainer, params = experiment.trainer, experiment.trainer.network.params
    start, moved = params.flat.copy(), 0
    for batch in trainer.reading.batches():
        params.flat[...] = start
        trainer.step(batch)
        moved += start - params.flat
    params.flat[...] = start
    (everything,) = Sentences(experiment.train, experiment.train.sentences).batches()
    trainer.network.loss_and_grad(everything, None)
    assert moved == pytest.approx(len(trainer.reading) * trainer.network.grads.flat, abs=1e-12)


def test_every_word_counts_the_same_in_windows_of_changing_length(tiny):
    """The gradients of an epoch's windows, each from the first state, add up to that of the whole text."""
    experiment = tiny("training.jitter=2", "optimizer={kind: sgd, lr: 1}", "dtype=float64")
    trainer, params = experiment.trainer, experiment.trainer.network.params
    start, moved, mean, tokens = params.flat.copy(), 0, 0, 0
    batches = list(trainer.reading.batches(0, trainer.shuffle()))
    assert len({batch.shape for batch in batches}) > 2
    for batch in batches:
        params.flat[...] = start
        state = trainer.state
        trainer.step(batch)
        moved += start - params.flat
        params.flat[...] = start
        loss, _ = trainer.network.loss_and_grad(batch, state)
        mean, tokens = mean + loss.tokens * trainer.network.grads.flat, tokens + loss.tokens
    assert tokens == len(experiment.train.ids)
    assert moved == pytest.approx(len(batches) * mean / tokens, abs=1e-12)


def test_batches_of_the_first_epochs(tiny):
    trainer = tiny("training.batches=[2, 10]", "training.epochs=4", "schedule=cosine").trainer
    events = list(trainer.run())
    tokens = [look.step for look in validations(events)]
    lengths = [len(reading) for reading in trainer.readings]
    assert [reading.batch for reading in trainer.readings] == [2, 10, 5]
    assert list(np.diff([0, *tokens])) == [*lengths, lengths[-1]]
    assert trainer.steps(4) == len(updates(events)) == trainer.progress.step
    assert [event.epoch for event in validations(events)] == [1, 2, 3, 4]
    assert updates(events)[-1].lr < 1e-4  # the cosine ends where the updates do
    assert {look.train.tokens for look in validations(events)} == {len(tiny().train.ids)}


def test_dropout_that_grows(tiny):
    trainer = tiny("model.dropout_output=0.8", "training.dropout_warmup=0.5", "training.epochs=4").trainer
    strengths = []
    for event in trainer.run():
        if isinstance(event, Update):
            strengths.append(trainer.dropout.strength)
    n = len(strengths)
    assert strengths == pytest.approx([min(2 * i / n, 1) for i in range(n)])
    assert tiny("model.dropout_output=0.8").trainer.dropout.strength == 1


# --- resuming ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", READINGS)
def test_stopped_anywhere_it_goes_on_as_if_nothing_had_happened(tiny, tmp_path, reading):
    overrides, run = (*RICH, f"data.reading={reading}"), Run(tmp_path)
    reference = tiny(*overrides)
    events = train(reference)
    assert len(validations(events)) == 2 * (len(reference.trainer.reading) // 4) > 4
    for k in range(0, len(events) + 1, 2):
        run.clear()
        stopped, resumed = tiny(*overrides), tiny(*overrides)
        before = train(stopped, run, k)
        run.resume(resumed)
        assert whole(resumed.trainer) == whole(stopped.trainer)
        after = train(resumed)
        assert [event[:4] for event in before + after] == [event[:4] for event in events]
        assert whole(resumed.trainer) == whole(reference.trainer)


@pytest.mark.parametrize(
    "cell",
    [
        "{kind: lstm, size: 4, dropconnect: 0.2}",
        "{kind: gru, size: 4}",
        "{kind: leaky, size: 4, learned: true}",
        "{kind: reservoir, size: 8, density: 0.5}",
        "{kind: jordan, size: 4, outputs: 5}",
        "{kind: jordan, size: 4, outputs: 5, teacher_forcing: true}",
        "{kind: stack, dropout: 0.2, cells: [{kind: lstm, size: 4}, {kind: gru, size: 3}]}",
    ],
)
def test_every_cell_goes_on_where_it_was_stopped(tiny, tmp_path, cell):
    override, run = f"model.cell={cell}", Run(tmp_path)
    reference, stopped, resumed = tiny(override), tiny(override), tiny(override)
    train(reference)
    train(stopped, run, 5)
    run.resume(resumed)
    assert whole(resumed.trainer) == whole(stopped.trainer) != whole(reference.trainer)
    train(resumed)
    assert whole(resumed.trainer) == whole(reference.trainer)


@pytest.mark.parametrize("average", ["ema", "{kind: tail, start: 0.3}", "{kind: triggered, patience: 1}"])
@pytest.mark.parametrize("reading", READINGS)
def test_every_regularizer_goes_on_where_it_was_stopped(tiny, tmp_path, reading, average):
    overrides, run = (*RICH, *REGULARIZED, f"data.reading={reading}", f"training.average={average}"), Run(tmp_path)
    reference = tiny(*overrides)
    events = train(reference)
    assert (average == "ema") <= (reference.trainer.progress.averaged == len(updates(events)))
    for k in range(1, len(events) + 1, 3):
        run.clear()
        stopped, resumed = tiny(*overrides), tiny(*overrides)
        before = train(stopped, run, k)
        run.resume(resumed)
        assert whole(resumed.trainer) == whole(stopped.trainer)
        after = train(resumed)
        assert [event[:4] for event in before + after] == [event[:4] for event in events]
        assert whole(resumed.trainer) == whole(reference.trainer)


@pytest.mark.parametrize("reading", READINGS)
def test_two_epochs_are_one_and_one_more(tiny, tmp_path, reading):
    overrides = [*RICH[:-1], f"data.reading={reading}"]  # a schedule that does not depend on the number of epochs
    once, twice = Run(tmp_path / "once"), Run(tmp_path / "twice")
    once.path.mkdir()
    twice.path.mkdir()
    reference, first, second = tiny(*overrides), tiny(*overrides, "training.epochs=1"), tiny(*overrides)
    train(reference, once)
    train(first, twice)
    assert first.trainer.finished
    twice.resume(second)
    assert not second.trainer.finished
    train(second, twice)
    assert whole(second.trainer) == whole(reference.trainer)
    assert twice.best.read_bytes() == once.best.read_bytes()


def test_between_an_update_and_its_validation(tiny, tmp_path):
    reference, stopped, resumed = tiny(), tiny(), tiny()
    train(reference)
    steps = len(stopped.trainer.reading)
    train(stopped, Run(tmp_path), steps)
    assert (stopped.trainer.progress.epoch, stopped.trainer.progress.history) == (1, [])
    Run(tmp_path).resume(resumed)
    event = next(resumed.trainer.run())
    assert isinstance(event, Validation)
    assert (event.epoch, event.step) == (1, steps)
    train(resumed)
    assert whole(resumed.trainer) == whole(reference.trainer)


def test_the_last_validation_is_made_after_a_stop(tiny, tmp_path):
    stopped, resumed = tiny("training.epochs=1"), tiny("training.epochs=1")
    train(stopped, Run(tmp_path), len(stopped.trainer.reading))
    assert not stopped.trainer.finished
    Run(tmp_path).resume(resumed)
    assert [type(event) for event in train(resumed)] == [Validation]
    assert resumed.trainer.finished


def test_what_was_over_stays_over_unless_more_is_asked_for(tiny, tmp_path):
    stopped, same, patient = tiny("training.patience=1"), tiny("training.patience=1"), tiny("training.patience=2")
    story(stopped, 3, 3.1)
    train(stopped, Run(tmp_path))
    Run(tmp_path).resume(same)
    assert train(same) == []
    Run(tmp_path).resume(patient)
    assert patient.trainer.finished  # both epochs are over
    patient = tiny("training.patience=2", "training.epochs=3")
    Run(tmp_path).resume(patient)
    assert len(validations(train(patient))) == 1


def test_the_same_seed_makes_the_same_file(tiny, tmp_path):
    runs = [Run(tmp_path / name) for name in "abc"]
    for run, seed in zip(runs, (1, 1, 2)):
        run.path.mkdir()
        train(tiny(*RICH, f"seed={seed}"), run)
    assert runs[0].best.read_bytes() == runs[1].best.read_bytes()
    assert runs[0].best.read_bytes() != runs[2].best.read_bytes()


floats, counts = st.floats(0, allow_nan=False, allow_infinity=False), st.integers(0, 1 << 60)


@given(st.builds(Progress, counts, counts, counts, floats, st.lists(floats), floats, floats, counts, counts, floats))
def test_progress_survives_json(progress):
    assert config.build(Progress, json.loads(json.dumps(asdict(progress)))) == progress


# --- validation, schedules, stopping -------------------------------------------------------------------------------


def test_newbob_halves_goes_back_and_stops(tiny):
    experiment = tiny("schedule=newbob", "training.epochs=9")
    left = story(experiment, 5.0, 4.9, 4.899, 4.8, 4.95, 1.0)
    trainer, weights, looks = experiment.trainer, [], []
    for event in trainer.run():
        if isinstance(event, Validation):
            looks.append(event)
            weights.append(trainer.network.params.flat.copy())
    assert [look.lr for look in looks] == [0.01, 0.01, 0.01, 0.005, 0.0025]  # halved after the stall at 4.899
    assert [look.best for look in looks] == [True, True, True, True, False]
    assert [look.rolled_back for look in looks] == [False, False, False, False, True]
    assert np.array_equal(weights[4], weights[3])
    assert not np.array_equal(weights[3], weights[2])
    assert left == [1.0]
    assert trainer.finished


def test_patience(tiny):
    experiment = tiny("training.patience=2", "training.epochs=9")
    left = story(experiment, 5, 4, 4.1, 3.9, 3.9, 4, 3)
    events = validations(experiment.trainer.run())
    assert [event.best for event in events] == [True, True, False, True, False, False]
    assert left == [3]
    assert experiment.trainer.progress.best == 3


@pytest.mark.parametrize(
    ("overrides", "reason", "option"),
    [
        ([], "all 2 epochs", "training.epochs"),
        (["optimizer.lr=1e-9", "training.epochs=9", "training.patience=1"], "training.patience 1", "training.patience"),
        (["optimizer.lr=1e-9", "training.epochs=9", "schedule=newbob"], "schedule newbob: .*stalled twice", None),
    ],
)
def test_the_rule_that_ends_training(tiny, overrides, reason, option):
    trainer = tiny(*overrides).trainer
    assert trainer.end is None
    for _ in trainer.run():
        pass
    assert re.search(reason, trainer.end.reason)
    assert trainer.end.option == option


def test_step_schedule_goes_by_epochs(tiny):
    trainer = tiny("schedule={kind: step, gamma: 0.1}", "training.epochs=3", "training.validate_every=3").trainer
    events = list(trainer.run())
    n = len(trainer.reading)
    assert [event.lr for event in updates(events)] == pytest.approx(n * [0.01] + n * [0.001] + n * [0.0001])
    assert {event.lr for event in validations(events) if event.epoch <= 1} == {0.01}


def test_cosine_ends_at_nothing(tiny):
    trainer = tiny("schedule=cosine").trainer
    rates = [event.lr for event in updates(trainer.run())]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 0.01
    assert rates[-1] < 1e-4


@pytest.mark.parametrize("every", [1, 2, 5, 7, 1000])
def test_validations_within_an_epoch(tiny, every):
    """At every so many updates and at the epoch's end, but never after a shorter stretch than the others."""
    trainer = tiny(f"training.validate_every={every}").trainer
    n = len(trainer.reading)
    steps = [event.step for event in validations(trainer.run())]
    ends = [*range(every, n - every + 1, every), n] if n % every or every > n else list(range(every, n + 1, every))
    assert steps == [*ends, *(n + step for step in ends)]
    assert min(np.diff([0, *steps])) >= min(every, n)


def test_without_validation_text_the_training_loss_decides(tiny):
    experiment = tiny("data.valid=null")
    events = list(experiment.trainer.run())
    first, second = validations(events)
    losses = [update.loss for update in updates(events)]
    n = len(experiment.trainer.reading)
    for look, part in ((first, losses[:n]), (second, losses[n:])):
        assert look.valid == look.train == pytest.approx(sum(part, Loss()))
    assert experiment.trainer.progress.history == [first.train.mean, second.train.mean]
    assert first.train.tokens == experiment.train.words + experiment.train.sentences


# --- clipping, divergence ------------------------------------------------------------------------------------------


def test_clipping_by_norm(tiny):
    trainer = tiny("optimizer={kind: sgd, lr: 1}", "training.clip_norm=0.01", "training.epochs=1").trainer
    before = trainer.network.params.flat.copy()
    events = trainer.run()
    first = next(events)
    assert first.norm > 0.01
    assert first.clipped
    assert np.linalg.norm(trainer.network.params.flat - before) == pytest.approx(0.01, rel=1e-4)
    (look,) = validations(events)
    assert look.clipped == 1


def test_clipping_by_value(tiny):
    trainer = tiny("optimizer={kind: sgd, lr: 1}", "training.clip_value=1e-3", "training.epochs=1").trainer
    before = trainer.network.params.flat.copy()
    assert next(trainer.run()).clipped
    assert np.abs(trainer.network.params.flat - before).max() == pytest.approx(1e-3, rel=1e-3)


def test_the_share_of_clipped_steps(tiny):
    trainer = tiny("training.epochs=1").trainer
    norms = [update.norm for update in updates(trainer.run())]
    limit = float(np.median(norms))
    trainer = tiny("training.epochs=1", f"training.clip_norm={limit!r}").trainer
    events = list(trainer.run())
    share = np.mean([update.norm > limit for update in updates(events)])
    assert 0 < validations(events)[0].clipped == share < 1
    assert validations(tiny("training.epochs=1").trainer.run())[0].clipped == 0


def test_a_loss_that_is_not_finite(tiny, diverging):
    """The weights are left as they were."""
    trainer = tiny().trainer
    diverging(trainer, 2)
    events = trainer.run()
    next(events), next(events)
    before = trainer.network.params.flat.copy()
    with pytest.raises(Diverged, match="after 2 steps: loss inf, .* learning rate 0.01$") as error:
        next(events)
    assert error.value.exit_code == 3
    assert error.value.divergence[:2] == (2 / len(trainer.reading), 2)
    assert trainer.network.params.flat.tobytes() == before.tobytes()
    assert trainer.progress.step == 2


def test_a_gradient_that_is_not_finite(tiny):
    """With a loss that is."""
    trainer = tiny().trainer
    backward = trainer.network.backward

    def broken(*arguments):
        backward(*arguments)
        trainer.network.grads.flat[3] = math.inf

    trainer.network.backward = broken
    before = trainer.network.params.flat.copy()
    with pytest.raises(Diverged, match=r"after 0 steps: loss [\d.]+, .* gradient inf, .* weights [\d.]+, .* 0\.01$"):
        next(trainer.run())
    assert trainer.network.params.flat.tobytes() == before.tobytes()


@pytest.mark.parametrize("entropy", [math.nan, math.inf])
def test_a_validation_entropy_that_is_not_finite(tiny, entropy):
    experiment = tiny("training.epochs=3")
    story(experiment, 3, entropy)
    with pytest.raises(Diverged, match=f"validation entropy {entropy}, ") as error:
        list(experiment.trainer.run())
    assert error.value.divergence[:2] == (2, 2 * len(experiment.trainer.reading))
    assert experiment.trainer.progress.history == [3]
