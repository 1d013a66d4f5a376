"""`<unk>` where the training text has none: rare words teach it, and validations compare what was learnt."""

import random

import numpy as np
import pytest

from rnnlm import config
from rnnlm.experiment import Config, prepare
from rnnlm.nn.heads import Loss
from rnnlm.text.vocab import EOS, UNK
from rnnlm.training import progress
from rnnlm.training.checkpoint import Checkpoint
from rnnlm.training.trainer import Validation

NAMES = [f"Name{i}" for i in range(3000)]


def line(rng):
    """A sentence with a name, of which there are more than any text has."""
    name = rng.choices(NAMES, [1 / (i + 1) ** 0.8 for i in range(len(NAMES))])[0]
    return f"the n{rng.randrange(40)} v{rng.randrange(20)} to {name} ."


@pytest.fixture
def experiment(tmp_path):
    """A function from options of the section `data` to an experiment on texts smaller than the vocabulary's limit."""
    rng = random.Random(1)
    for name, number in (("train", 800), ("valid", 200), ("test", 300)):
        (tmp_path / f"{name}.txt").write_text("".join(line(rng) + "\n" for _ in range(number)))
    texts = {name: str(tmp_path / f"{name}.txt") for name in ("train", "valid", "test")}

    def build(**data):
        return prepare(config.build(Config, {
            "data": {**texts, "max_size": 8000, **data},
            "model": {"embedding": 32, "cell": {"size": 32}, "head": {"kind": "softmax", "tied": True}},
            "optimizer": {"kind": "adam", "lr": 0.004},
            "schedule": "cosine",
            "training": {"epochs": 6, "batch": 10, "window": 20, "clip_norm": 1},
        }))  # fmt: skip

    return build


def figures(experiment):
    """Test perplexity at each validation, known words and all of them; and the number of the best validation."""
    test = experiment.task.encode([experiment.config.data.test], experiment.vocab, experiment.config.data, None)
    assert test.oovs / test.words > 0.05
    rows = []
    for event in experiment.trainer.run():
        if isinstance(event, Validation):
            loss = experiment.task.loss(experiment.trainer.network, test, 10)
            rows.append((loss.known.perplexity, loss.perplexity))
    return np.array(rows), experiment.trainer.progress.best


def test_the_best_model_is_the_best_by_either_figure(experiment):
    rows, best = figures(experiment())
    assert (rows[best] <= 1.01 * rows.min(axis=0)).all()
    untrained, chosen = figures(experiment(rare_as_unk=0))
    assert untrained[chosen, 0] <= 1.01 * untrained[:, 0].min()  # chosen without the words that tell nothing
    assert rows[best, 1] < 0.9 * untrained[:, 1].min()


def test_rare_words_are_read_as_unk(experiment):
    trained = experiment()
    trainer, words = trained.trainer, trained.vocab
    assert words.counts[UNK] == 0
    changed, plain = (
        list(reading.batches(0, np.random.default_rng(4)))
        for reading in (trainer.reading, experiment(rare_as_unk=0).trainer.reading)
    )
    found = total = 0
    for one, other in zip(changed, plain, strict=True):
        hidden = one.targets == UNK
        np.testing.assert_array_equal(one.targets[~hidden], other.targets[~hidden])
        np.testing.assert_array_equal(one.inputs[1:], one.targets[:-1])
        np.testing.assert_array_equal(one.inputs[0], other.inputs[0])
        assert not (other.targets[hidden] == EOS).any()
        found, total = found + hidden.sum(), total + hidden.size
    expected = sum(c * 0.2 / (0.2 + c) for c in words.counts[3:])
    assert found == pytest.approx(expected, rel=0.25)
    assert trained.unk_share == pytest.approx(expected / trained.train.words)
    again = list(trainer.reading.batches(5, np.random.default_rng(4)))
    np.testing.assert_array_equal(again[0].targets, changed[5].targets)


@pytest.mark.parametrize("data", [{"min_count": 2}, {"max_size": 200}])
def test_a_text_with_words_out_of_the_vocabulary_is_read_as_it_is(experiment, data):
    trained = experiment(**data)
    assert trained.unk_share == 0
    assert trained.trainer.unk_learnt


def test_validations_without_oovs_decide_where_unk_was_never_trained(experiment):
    trainer = experiment(rare_as_unk=0).trainer
    trainer.validate = lambda network: Loss(30.0, 10, 10.0, 2)
    trainer.step(next(trainer.reading.batches()))
    assert trainer.measure().valid.mean == 3
    assert trainer.progress.history == [2.5]


def test_the_loss_without_oovs_is_that_of_the_known_words():
    total = Loss(30.0, 10, 10.0, 2) + Loss(10.0, 4)
    assert total == Loss(40.0, 14, 10.0, 2)
    assert total.known == Loss(30.0, 12)


def test_a_resumed_training_hides_the_same_words(experiment):
    whole, first, second = (experiment().trainer for _ in range(3))
    for trainer, steps in ((whole, 8), (first, 5)):
        for _, batch in zip(range(steps), trainer.reading.batches(0, trainer.shuffle())):
            trainer.step(batch)
    second.network.params.flat[...] = first.network.params.flat
    progress.restore(second, Checkpoint({}, b"", {}, {}, **progress.save(first)))
    for _, batch in zip(range(3), second.reading.batches(second.progress.position, second.shuffle())):
        second.step(batch)
    np.testing.assert_array_equal(second.network.params.flat, whole.network.params.flat)
