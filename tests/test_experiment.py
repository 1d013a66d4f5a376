"""From a configuration to ready objects, and from a file to a model."""

import re
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from rnnlm import config
from rnnlm.errors import DataError, UsageError
from rnnlm.experiment import Config, prepare_extended
from rnnlm.loading import load_model, model_file
from rnnlm.recipes.names import config_file
from rnnlm.training import checkpoint
from rnnlm.training.resume import start_from
from rnnlm.training.run import Run
from rnnlm.training.trainer import Update
from tests.kinds import refused


def settings(*overrides):
    return config.load("tiny.yaml", Config, overrides)[0]


# --- texts and vocabularies ----------------------------------------------------------------------------------------


def test_vocabulary_comes_from_the_training_text_alone(tiny, tmp_path):
    (tmp_path / "train.txt").write_text("a a a a b b b c c d\n")
    (tmp_path / "valid.txt").write_text("a b c d e\n")
    experiment = tiny("data.min_count=2", "data.max_size=5")
    assert experiment.vocab.words[3:] == ["a", "b"]
    assert (experiment.train.oovs, experiment.valid.oovs) == (3, 3)


def test_vocabulary_of_a_split_text_does_not_know_the_tail(tiny, tmp_path):
    (tmp_path / "train.txt").write_text("a b c d\n" * 9 + "a b c tail\n")
    experiment = tiny("data.valid=0.1")
    assert set(experiment.vocab.words[3:]) == set("abcd")
    assert (experiment.train.sentences, experiment.valid.sentences, experiment.valid.oovs) == (9, 1, 1)
    assert experiment.vocab.counts[3:].sum() == experiment.train.words


def test_several_training_texts_are_one(tiny, tmp_path):
    whole = (tmp_path / "train.txt").read_text().splitlines(keepends=True)
    (tmp_path / "1.txt").write_text("".join(whole[:20]))
    (tmp_path / "2.txt").write_text("".join(whole[20:]))
    experiment, parts = tiny(), tiny("data.train=[1.txt, 2.txt]")
    assert np.array_equal(parts.train.ids, experiment.train.ids)
    assert parts.vocab.to_bytes() == experiment.vocab.to_bytes()


def test_a_vocabulary_of_ones_own(tiny, tmp_path):
    tiny("data.max_size=6").vocab.save("v.txt")
    experiment = tiny("data.vocab=v.txt")
    assert len(experiment.vocab) == 6
    assert experiment.train.oovs > 0


def test_a_vocabulary_of_another_kind(tiny):
    tiny("data.level=char", "data.lower=true").vocab.save("v.txt")
    message, hint = refused(UsageError, tiny, "data.vocab=v.txt")
    assert message.startswith("v.txt: a vocabulary of level char and lower true")
    assert "data.level" in hint
    assert tiny("data.vocab=v.txt", "data.level=char", "data.lower=true").vocab.level == "char"


@pytest.mark.parametrize(
    ("override", "word"),
    [
        ("data.train=[]", "at least one file"),
        ("data.valid=[]", "empty list"),
        ("data.valid=1.5", "between 0 and 1, found 1.5"),
        ("data.valid=0", "between 0 and 1, found 0"),
        ("data.max_size=3", "at least 4"),
    ],
)
def test_data_that_cannot_be(tiny, override, word):
    message, hint = refused(UsageError, tiny, override)
    assert message.startswith(f"--set {override}: ")
    assert word in message
    assert "config explain" in hint


# --- tiny corpora --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", ["stream", "sentences"])
@pytest.mark.parametrize("text", ["hello\n", "hello", "a b\n", "a a a a a a a a a\n", "a\nb\nc\n"])
def test_the_smallest_texts_train(tiny, tmp_path, reading, text):
    (tmp_path / "train.txt").write_text(text)
    experiment = tiny(f"data.reading={reading}", "data.valid=null")
    events = list(experiment.trainer.run())
    tokens = sum(event.loss.tokens for event in events if isinstance(event, Update))
    assert tokens == 2 * (experiment.train.words + experiment.train.sentences)
    sizes = f"{tokens // 2} tokens in {experiment.train.sentences} sentences"
    assert experiment.trainer.reading.note.startswith(f"train.txt: only {sizes}: ")


def test_a_text_of_one_word_is_learnt(tiny, tmp_path):
    (tmp_path / "train.txt").write_text("a a a a a\n" * 50)
    experiment = tiny("data.valid=null", "training.epochs=20", "data.reading=sentences")
    for _ in experiment.trainer.run():
        pass
    assert experiment.trainer.progress.history[-1] < 0.1


def test_the_smallest_split(tiny, tmp_path):
    (tmp_path / "train.txt").write_text("a\nb\n")
    experiment = tiny("data.valid=0.1")
    assert (experiment.train.sentences, experiment.valid.sentences, experiment.vocab.words[3:]) == (1, 1, ["a"])
    (tmp_path / "train.txt").write_text("a b c\n")
    assert refused(DataError, tiny, "data.valid=0.5")[0].startswith("train.txt: cannot be split")


# --- models --------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tiny, tmp_path):
    """A run directory with a model of one step."""
    run, experiment = Run(tmp_path / "run"), tiny()
    run.path.mkdir()
    next(experiment.trainer.run())
    run.save_best(experiment)
    run.describe(experiment, ["train", "tiny.yaml"])
    run.experiment = experiment
    return run


def test_a_model_file_is_all_that_is_needed(run, tmp_path):
    for path in tmp_path.glob("*.txt"):
        path.unlink()
    loaded = load_model(run.path)
    assert loaded.path == run.best
    assert loaded.config == run.experiment.config
    assert loaded.stream
    assert loaded.vocab.to_bytes() == run.experiment.vocab.to_bytes()
    assert loaded.figures["step"] == 1
    trained = run.experiment.trainer.network.params.flat
    assert loaded.network.params.flat.tobytes() == trained.tobytes()
    assert load_model(str(run.best)).network.params.flat.tobytes() == trained.tobytes()


def test_the_model_that_a_path_means(run, tmp_path):
    assert model_file(run.path) == run.best
    run.best.rename(run.last)
    assert model_file(run.path) == run.last
    assert model_file(tmp_path / "any.file") == tmp_path / "any.file"
    run.last.unlink()
    assert refused(DataError, model_file, run.path)[0].startswith(f"{run.path}: no model")


def test_the_configuration_that_a_path_means(run, tmp_path):
    assert config_file("tiny.yaml") == checkpoint.Path("tiny.yaml")
    assert config_file(run.path) == run.path / "config.yaml"
    assert config.load(config_file(run.path), Config)[0] == run.experiment.config
    (run.path / "config.yaml").unlink()
    assert refused(UsageError, config_file, run.path)[0].startswith(f"{run.path}: no config.yaml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": {}}, r"weight E: found none, expected \(\d+, 6\)"),
        (
            {"config": {"data": {"train": "x"}, "model": {"embedding": 7}}},
            r"weight E: found \(\d+, 6\), expected .*, 7\)",
        ),
        ({"config": {"data": {"train": "x"}}}, r"weight cell.U: found \(6, 8\), expected \(\d+, 256\)"),
        ({"vocab": b""}, r"vocabulary:1: found '', wanted a word, a tab and its count"),
        ({"config": {}}, r"data: missing required key; expected a section \(known: .*\)"),
        ({"config": {"data": {"train": "x"}, "sede": 1}}, r"sede: unknown key; did you mean 'seed'\? .*"),
    ],
)
def test_files_whose_parts_do_not_fit(run, change, message):
    saved = checkpoint.load(run.best)
    for name, value in change.items():
        setattr(saved, name, value)
    checkpoint.save(run.best, saved)
    what, hint = refused(DataError, load_model, run.best)
    assert re.fullmatch(f"{re.escape(str(run.best))}: {message}", what)
    assert hint in (
        "model and configuration (or vocabulary) do not belong together",
        "the file is damaged, or from another version: train again",
    )


def test_weights_that_the_model_does_not_have(run, tiny):
    saved = checkpoint.load(run.best)
    saved.weights["P"] = np.zeros((2, 3))
    checkpoint.save(run.best, saved)
    assert refused(DataError, load_model, run.best)[0].startswith(f"{run.best}: weight P: found (2, 3)")


def test_a_configuration_of_gigabytes_takes_no_memory(run):
    for size in (10**5, 10**9, 10**30):
        saved = checkpoint.load(run.best)
        saved.config["model"]["cell"]["size"] = size
        checkpoint.save(run.best, saved)
        tracemalloc.start()
        try:
            message, _ = refused(DataError, load_model, run.best)
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()
        assert message == f"{run.best}: weight cell.U: found (6, 8), expected (6, {size})"


def test_weights_that_are_not_finite(run):
    saved = checkpoint.load(run.best)
    saved.weights["E"][1, 2] = np.nan
    checkpoint.save(run.best, saved)
    message, hint = refused(DataError, load_model, run.best)
    assert message.startswith(f"{run.best}: ")
    assert "not finite" in message
    assert "learning rate" in hint


def test_more_parameters_than_memory(tiny):
    for size in (10**8, 10**12):
        message, hint = refused(UsageError, tiny, f"model.cell.size={size}")
        assert re.match(r"the model has [\d,]+ parameters, more", message)
        assert "smaller" in hint


OPENED = """
import sys
names = []
sys.addaudithook(lambda event, arguments: names.append(str(arguments[0])) if event == "open" else None)
from rnnlm.loading import load_model
load_model(sys.argv[1])
print(*(name for name in names if name.endswith("/secret") or name.endswith(".npz")))
"""


def test_no_path_in_a_model_is_opened(run, tmp_path):
    saved = checkpoint.load(run.best)
    secret = str(tmp_path / "secret")
    (tmp_path / "secret").write_text("x")
    saved.config["data"] |= {"train": [secret], "valid": secret, "test": secret, "vocab": secret}
    checkpoint.save(run.best, saved)
    found = subprocess.run([sys.executable, "-c", OPENED, str(run.best)], capture_output=True, text=True)
    assert (found.stdout.split(), found.stderr) == ([str(run.best)], "")


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
def test_samples_of_weights_that_have_diverged(tiny):
    """Training goes on to the step that finds it."""
    experiment = tiny()
    experiment.trainer.network.params.flat[...] = 1e38
    (line,) = experiment.shown()
    assert "not numbers" in line


def test_an_n_gram_model_is_no_network(tmp_path):
    (tmp_path / "kn").write_text("\\data\\\nngram 1=1\n")
    message, hint = refused(UsageError, load_model, tmp_path / "kn")
    assert message.startswith(f"{tmp_path / 'kn'}: an n-gram model")
    assert "eval" in hint
    (tmp_path / "text").write_text("the cat\n")
    assert refused(DataError, load_model, tmp_path / "text")[0].startswith(f"{tmp_path / 'text'}: not a model file")


# --- starting from another model -----------------------------------------------------------------------------------


def test_start_from_takes_the_weights_alone(run, tiny):
    experiment = tiny("optimizer=sgd", "seed=5")
    start_from(experiment, run.best)
    trainer = experiment.trainer
    assert trainer.network.params.flat.tobytes() == run.experiment.trainer.network.params.flat.tobytes()
    assert (trainer.progress.step, trainer.progress.history) == (0, [])


def test_start_from_with_another_text_and_the_model_s_vocabulary(run, tiny, tmp_path):
    (tmp_path / "train.txt").write_text("the cat sees a dog\n" * 20)
    message, hint = refused(DataError, start_from, tiny(), run.best)
    assert message.startswith(f"{run.best}: its vocabulary")
    assert "data.vocab" in hint
    start_from(tiny(f"data.vocab={run.path}/vocab.txt"), run.best)


def test_start_from_a_model_of_another_size(run, tiny):
    message, _ = refused(DataError, start_from, tiny("model.cell.size=9"), run.best)
    assert message == f"{run.best}: weight cell.U: found (6, 8), expected (6, 9)"


HEADS = {
    "softmax": ["model.head=softmax"],
    "softmax, tied": ["model.head={kind: softmax, tied: true}"],
    "one-hot": ["model.embedding=null", "model.cell=lstm"],
    "adaptive": ["model.head={kind: adaptive, cutoffs: [5, 8]}"],
    "adaptive, tied": ["model.head={kind: adaptive, cutoffs: [5, 8], tied: true}"],
}


@pytest.mark.parametrize("name", HEADS)
def test_new_words_change_probabilities_by_renormalisation_alone(tiny, tmp_path, name):
    """Among all old words; with the adaptive softmax, among those of the last cluster, and for no others."""
    overrides = [*HEADS[name], "dtype=float64"]
    old, run = tiny(*overrides), Run(tmp_path / "run")
    old.trainer.network.params.flat[...] += np.random.default_rng(1).normal(
        0, 0.3, old.trainer.network.params.flat.size
    )
    run.path.mkdir()
    run.save_best(old)
    (tmp_path / "train.txt").write_text("the gnu sees a zebra\nthe cat likes a zebra\n" * 20)
    settings = config.load("tiny.yaml", Config, overrides)[0]
    new = prepare_extended(settings, run.best, run.path)
    K, more = len(old.vocab), 2
    assert new.vocab.words == [*old.vocab.words, "zebra", "gnu"]
    ids = np.arange(12).reshape(4, 3)
    before, after = (
        np.exp(one.trainer.network.log_probs(ids, one.trainer.network.initial_state(3))[0]) for one in (old, new)
    )
    assert after.shape == (4, 3, K + more)
    np.testing.assert_allclose(after.sum(axis=-1), 1)
    assert (after[..., K:] > 0).all()
    first = 8 if "adaptive" in name else 0
    np.testing.assert_allclose(after[..., :first], before[..., :first], rtol=1e-12)
    share = before[..., first:] / before[..., first:].sum(axis=-1, keepdims=True)
    again = after[..., first:K] / after[..., first:K].sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(again, share, rtol=1e-10)


def test_new_words_of_models_that_do_not_fit(run, tiny):
    for override in ("data.lower=true", "data.level=char"):
        settings = config.load("tiny.yaml", Config, [override])[0]
        assert refused(UsageError, prepare_extended, settings, run.best, run.path)[0].startswith(f"{run.best}: ")
    settings = config.load("tiny.yaml", Config, ["model.cell.size=9"])[0]
    assert "cell.U" in refused(DataError, prepare_extended, settings, run.best, run.path)[0]
