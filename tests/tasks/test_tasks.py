"""All tasks: how examples are read, parted and batched, and that a training on them is resumed exactly."""

import numpy as np
import pytest

from rnnlm.errors import DataError
from rnnlm.experiment import prepare
from rnnlm.loading import EVERY_MODEL, load_model
from rnnlm.tasks.base import TASKS
from rnnlm.tasks.gradcheck import synthetic_batch_for
from rnnlm.text.vocab import EOS, UNK, Vocabularies
from rnnlm.text.windows import BlankBatch, LabelledBatch, PairBatch, VectorBatch
from rnnlm.training.run import Run
from tests.kinds import FAMILY, NOUNS, READINGS, network_of, refused

T = 6
every_model = pytest.mark.parametrize("name", FAMILY)


# --- models --------------------------------------------------------------------------------------------------------


def one_of(batch, b):
    """The b-th example of a batch, without its padding."""
    n = batch.targets.ndim and int(np.count_nonzero(batch.weights[:, b])) if batch.weights is not None else None
    if isinstance(batch, LabelledBatch):
        n = batch.lengths[b]
        return LabelledBatch(batch.inputs[:n, b : b + 1], batch.lengths[b : b + 1], batch.targets[b : b + 1])
    if isinstance(batch, PairBatch):
        source = batch.source[: batch.lengths[b], b : b + 1]
        return PairBatch(source, None, batch.inputs[:n, b : b + 1], batch.targets[:n, b : b + 1])
    if isinstance(batch, VectorBatch):
        return VectorBatch(batch.vectors[b : b + 1], batch.inputs[:n, b : b + 1], batch.targets[:n, b : b + 1])
    return BlankBatch(batch.targets[:n, b : b + 1], batch.lengths[b : b + 1])


@every_model
def test_a_batch_is_its_examples(name):
    """Neither the padding nor the others beside it make a difference to an example, in loss and gradient."""
    network = network_of(FAMILY[name])
    batch = synthetic_batch_for(network, T, np.random.default_rng(3))
    loss, _ = network.loss(batch, ())
    network.loss_and_grad(batch, ())
    grads, alone, nats = network.grads.flat * loss.tokens, 0, 0
    for b in range(batch.shape[-1]):
        one, _ = network.loss_and_grad(one_of(batch, b), ())
        nats, alone = nats + one.nats, alone + network.grads.flat * one.tokens
    assert loss.nats == pytest.approx(nats, rel=1e-12)
    np.testing.assert_allclose(grads, alone, rtol=1e-9, atol=1e-12)


@every_model
def test_float32_stays_float32_and_dropout_is_for_training(name):
    network = network_of(FAMILY[name], np.float32)
    batch = synthetic_batch_for(network, T, np.random.default_rng(3))
    nats, state = network.nats(batch, (), np.random.default_rng(2))
    network.loss_and_grad(batch, (), np.random.default_rng(2))
    assert (nats.dtype, network.grads.flat.dtype, state) == (np.float32, np.float32, ())
    exact, _ = network_of(FAMILY[name]).nats(batch, ())
    np.testing.assert_allclose(network.nats(batch, ())[0], exact, rtol=1e-4, atol=1e-5)


@every_model
def test_all_shapes_share_one_memory(name):
    network = network_of(FAMILY[name])
    for steps in (3, 6, 1, 6):
        batch = synthetic_batch_for(network, steps, np.random.default_rng(steps))
        loss, _ = network.loss_and_grad(batch, (), np.random.default_rng(2))
        fresh = network_of(FAMILY[name])
        assert fresh.loss_and_grad(batch, (), np.random.default_rng(2))[0] == loss
        np.testing.assert_array_equal(network.grads.flat, fresh.grads.flat)


# --- batches -------------------------------------------------------------------------------------------------------


def texts_of(batch, vocab):
    """Every example of a batch as it stands in the file."""
    inputs, outputs = getattr(vocab, "inputs", vocab), getattr(vocab, "outputs", vocab)
    for b in range(batch.shape[-1]):
        if isinstance(batch, LabelledBatch):
            words = batch.inputs[1 : batch.lengths[b], b]
            yield f"{outputs.words[batch.targets[b]]}\t{inputs.join(inputs.words[i] for i in words)}"
            continue
        n = len(batch.targets) if batch.weights is None else int(batch.weights[:, b].sum())
        end = 0 if isinstance(batch, BlankBatch) else 1
        assert end == 0 or batch.targets[n - 1, b] == EOS
        text = outputs.join(outputs.words[i] for i in batch.targets[: n - end, b])
        if isinstance(batch, PairBatch):
            S = len(batch.source) if batch.lengths is None else batch.lengths[b]
            text = f"{inputs.join(inputs.words[i] for i in batch.source[:S, b])}\t{text}"
        if isinstance(batch, VectorBatch):
            assert batch.vectors[b].tolist() == [word in text.split() for word in NOUNS]
        yield text


@pytest.mark.parametrize("reading", READINGS)
def test_every_example_comes_once_an_epoch(task, tmp_path, reading):
    experiment = prepare(task(reading, rare_as_unk=0))
    batches = list(experiment.trainer.reading.batches(0, np.random.default_rng(1)))
    assert len(batches) == len(experiment.trainer.reading)
    found = [text for batch in batches for text in texts_of(batch, experiment.vocab)]
    assert sorted(found) == sorted((tmp_path / "train.txt").read_text().splitlines())
    assert experiment.trainer.tokens == pytest.approx(sum(batch.tokens for batch in batches))
    again = list(experiment.trainer.reading.batches(3, np.random.default_rng(1)))
    np.testing.assert_equal([vars(batch) for batch in again], [vars(batch) for batch in batches[3:]])
    for batch in batches:
        if batch.weights is not None:
            assert batch.tokens == batch.weights.sum()


@pytest.mark.parametrize("reading", READINGS)
def test_a_share_validates_and_vocabularies_do_not_know_it(task, tmp_path, reading):
    settings = task(reading, valid=0.25)
    lines = (tmp_path / "train.txt").read_text().splitlines()
    odd = {"labelled": "cat\tonly here", "pairs": "only\there"}.get(reading, "only here")
    text = "\n\n".join([*lines[:59], odd]) + "\n\n"  # an empty line after each
    (tmp_path / "train.txt").write_text(text)
    np.save("train.npy", np.repeat(np.load("train.npy"), 2, axis=0))
    experiment = prepare(settings)
    assert (experiment.train.sentences, experiment.valid.sentences) == (45, 15)
    found = [text for batch in experiment.trainer.reading.batches() for text in texts_of(batch, experiment.vocab)]
    assert sorted(found) == sorted(lines[:45])
    words = getattr(experiment.vocab, "inputs", experiment.vocab).words
    assert "only" not in words
    assert experiment.valid.oovs == (1 if reading == "pairs" else 2)
    assert np.isfinite(experiment.trainer.validate(experiment.trainer.network).nats)


def test_a_single_example_cannot_be_split(task, tmp_path):
    settings = task("pairs", valid=0.5)
    (tmp_path / "train.txt").write_text("a\tb\n\n")
    assert refused(DataError, prepare, settings)[0].startswith("train.txt: cannot be split")


@pytest.mark.parametrize("reading", READINGS)
def test_validation_is_the_loss_of_all_examples_at_once(task, reading):
    experiment = prepare(task(reading))
    trainer = experiment.trainer
    whole = TASKS[reading].batcher(experiment.valid, 1000, 0)
    (batch,) = whole.batches() if len(whole) == 1 else (None,)
    expected = trainer.network.loss(batch, ())[0]
    found = trainer.validate(trainer.network)
    assert found.tokens == expected.tokens
    assert found.nats == pytest.approx(expected.nats, rel=1e-5)


# --- training ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", READINGS)
def test_it_is_learnt_and_taken_up_bit_for_bit(task, tmp_path, reading):
    settings = task(reading)
    once, run = prepare(settings), Run(tmp_path / "run")
    events = list(once.trainer.run())
    nats = once.trainer.progress.history
    assert nats[-1] < nats[0]
    first, second = prepare(settings), prepare(settings)
    run.path.mkdir()
    for _, _ in zip(range(13), first.trainer.run()):
        if first.trainer.progress.history:
            run.save_best(first)
    run.save_last(first)
    run.resume(second)
    rest = list(second.trainer.run())
    assert len(rest) < len(events)
    assert second.trainer.network.params.flat.tobytes() == once.trainer.network.params.flat.tobytes()
    assert second.trainer.progress.history == nats
    run.save_best(second)
    loaded = load_model(run.best, EVERY_MODEL)
    assert loaded.vocab.fingerprint == once.vocab.fingerprint
    batch = next(once.trainer.reading.batches())
    assert loaded.network.loss(batch, ()) == once.trainer.network.loss(batch, ())


@pytest.mark.parametrize("reading", READINGS)
def test_what_is_shown_depends_on_the_step_alone(task, reading):
    experiment = prepare(task(reading))
    lines = experiment.shown()
    assert len(lines) == 2
    assert lines == experiment.shown()
    assert all("(right)" in line or "(wrong: " in line for line in lines)


# --- vocabularies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", ["labelled", "pairs"])
def test_two_vocabularies_outlive_their_file(task, reading):
    words = prepare(task(reading)).vocab
    back = TASKS[reading].load_vocabulary(words.to_bytes(), "here")
    assert isinstance(back, Vocabularies)
    assert back.fingerprint == words.fingerprint
    assert (back.inputs.words, back.outputs.words) == (words.inputs.words, words.outputs.words)
    assert (len(back), back.outputs.counts.tolist()) == (len(words.outputs), words.outputs.counts.tolist())


def test_words_out_of_the_vocabulary_are_read_as_unk(task):
    experiment = prepare(task("pairs", min_count=20))
    batch = next(experiment.trainer.reading.batches())
    assert min(batch.source.min(), batch.targets.min()) >= 0
    assert UNK in batch.source
    assert UNK in batch.targets
