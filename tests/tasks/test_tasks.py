"""Examples of two parts: how they are read, cut and served, and that a training on them is taken up exactly."""

import os
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlm import config
from rnnlm.errors import DataError, UsageError
from rnnlm.experiment import Config, prepare
from rnnlm.loading import load_model
from rnnlm.tasks.tasks import TASKS
from rnnlm.text.vocab import EOS, UNK, Labels, Vocabularies, Vocabulary
from rnnlm.text.windows import BlankBatch, LabelledBatch, PairBatch, VectorBatch
from rnnlm.training.run import Run

NOUNS, VERBS = ["cat", "dog", "bird", "fish"], ["sees", "likes", "finds"]
READINGS = ["blanks", "labelled", "pairs", "vectors"]
MODELS = {
    "blanks": {"kind": "blank", "embedding": 6, "cell": {"size": 8}},
    "labelled": {"kind": "classifier", "embedding": 6, "cell": {"size": 8}, "dropout_output": 0.2},
    "pairs": {
        "kind": "seq2seq",
        "embedding": 6,
        "encoder": {"size": 8},
        "decoder": {"size": 8},
        "teacher_forcing": 0.7,
    },
    "vectors": {"kind": "vec2seq", "vector": 4, "embedding": 6, "decoder": {"size": 8}},
}


def lines_of(reading, number, seed):
    """Lines of a small task: the noun is the label, and the source is the target from behind."""
    rng = random.Random(seed)
    for _ in range(number):
        noun, words = rng.choice(NOUNS), [rng.choice(NOUNS) for _ in range(rng.randrange(4))]
        text = " ".join(["the", noun, rng.choice(VERBS), *words])
        yield {"labelled": f"{noun}\t{text}", "pairs": f"{text}\t{' '.join(text.split()[::-1])}"}.get(reading, text)


@pytest.fixture
def task(tmp_path, monkeypatch):
    """A function from a reading and options to a configuration, whose files are in the working directory."""
    monkeypatch.chdir(tmp_path)

    def task(reading, **data):
        for seed, (name, number) in enumerate((("train", 60), ("valid", 20))):
            lines = list(lines_of(reading, number, seed))
            (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
            nouns = np.array([[word in line.split() for word in NOUNS] for line in lines])
            np.save(tmp_path / f"{name}.npy", nouns.astype(np.float32))
        return config.build(Config, {
            "data": {"train": "train.txt", "valid": "valid.txt", "reading": reading, **data},
            "model": MODELS[reading],
            "optimizer": {"kind": "adam", "lr": 0.02},
            "training": {"epochs": 3, "batch": 8},
        })  # fmt: skip

    return task


def refused(kind, function, *arguments):
    with pytest.raises(kind) as error:
        function(*arguments)
    return error.value.message, error.value.hint


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
    experiment = prepare(task(reading))
    batches = list(experiment.trainer.reading.batches(0, np.random.default_rng(1)))
    assert len(batches) == len(experiment.trainer.reading)
    found = [text for batch in batches for text in texts_of(batch, experiment.vocab)]
    assert sorted(found) == sorted((tmp_path / "train.txt").read_text().splitlines())
    assert experiment.trainer.tokens == pytest.approx(sum(batch.tokens for batch in batches) / len(batches))
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


def test_a_long_target_takes_no_more_memory_than_a_long_source(task, tmp_path):
    settings = task("pairs", valid=None)
    (tmp_path / "train.txt").write_text("a\tb\n" * 20 + "a\t" + "b " * 500 + "\n" + "a " * 500 + "\tb\n")
    batches = list(prepare(settings).trainer.reading.batches())
    assert max(max(S, T) * B for S, T, B in (batch.shape for batch in batches)) <= 2048
    assert sum(batch.shape[-1] for batch in batches) == 22


def test_a_single_example_cannot_be_split(task, tmp_path):
    settings = task("pairs", valid=0.5)
    (tmp_path / "train.txt").write_text("a\tb\n\n")
    assert refused(DataError, prepare, settings) == (
        "train.txt: cannot be split: it has fewer than two lines", "name a text of its own for each part",
    )  # fmt: skip


@pytest.mark.parametrize("reading", READINGS)
def test_validation_is_the_loss_of_all_examples_at_once(task, reading):
    experiment = prepare(task(reading))
    trainer = experiment.trainer
    whole = TASKS[reading].reading(experiment.valid, 1000, 0)
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
    loaded = load_model(run.best, (settings.model.kind,))
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


@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda s: "\n" not in s and "\t" not in s), st.integers(1, 99), min_size=1
    )
)
def test_labels_outlive_their_file(counts):
    try:
        labels = Labels(list(counts), list(counts.values()))
        content = labels.to_bytes()
    except UnicodeEncodeError:  # lone surrogates, which no file can hold
        return
    back = Labels.from_bytes(content)
    assert (back.words, back.counts.tolist(), back.fingerprint) == (
        labels.words,
        labels.counts.tolist(),
        labels.fingerprint,
    )


@pytest.mark.parametrize("reading", ["labelled", "pairs"])
def test_two_vocabularies_outlive_their_file(task, reading):
    words = prepare(task(reading)).vocab
    back = TASKS[reading].load_vocabulary(words.to_bytes(), "here")
    assert isinstance(back, Vocabularies)
    assert back.fingerprint == words.fingerprint
    assert (back.inputs.words, back.outputs.words) == (words.inputs.words, words.outputs.words)
    assert (len(back), back.outputs.counts.tolist()) == (len(words.outputs), words.outputs.counts.tolist())


def test_a_broken_vocabulary_of_labels():
    assert refused(DataError, Labels.from_bytes, b"cat\t5\ndog\n")[0] == (
        "labels:2: found 'dog', wanted a label, a tab and its count"
    )
    assert isinstance(Vocabulary(["<s>", "</s>", "<unk>"], [0, 0, 0]).index["<unk>"], int)


# --- mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "problem"),
    [("no tab", "no tab in 'no tab'"), ("\tx", r"an empty part beside the tab in '\tx'"),
     ("x\t ", r"an empty part beside the tab in 'x\t '")],
)  # fmt: skip
@pytest.mark.parametrize("reading", ["labelled", "pairs"])
def test_a_line_that_is_no_example(task, tmp_path, reading, line, problem):
    settings = task(reading)
    (tmp_path / "train.txt").write_text(f"a\tb\n\n{line}\n")
    assert refused(DataError, prepare, settings) == (f"train.txt:3: {problem}", "expected two parts with a tab between")


def test_a_label_that_training_lacks(task, tmp_path):
    settings = task("labelled")
    (tmp_path / "valid.txt").write_text("cat\tthe cat\n\nzebra\tthe zebra\nlion\ta\n")
    assert refused(DataError, prepare, settings) == (
        "valid.txt:3: a label that the training text lacks (the first of 2 such lines)",
        "known labels: bird, cat, dog, fish",
    )


@pytest.mark.parametrize(
    ("matrix", "message", "hint"),
    [
        (np.zeros((59, 4)), "train.npy: 59 vectors, but train.txt has 60 lines",
         "the vector of a line stands in the row of its number"),
        (np.zeros((60, 5)), "train.npy: vectors of 5 numbers, expected 4", "set model.vector to their width"),
        (np.zeros(60), "train.npy: found float64 of shape (60,), expected numbers in a matrix",
         "a matrix with a vector in each row, as numpy.save writes it"),
        (np.full((60, 4), "x"), "train.npy: found <U1 of shape (60, 4), expected numbers in a matrix",
         "a matrix with a vector in each row, as numpy.save writes it"),
        (np.where(np.arange(60)[:, None] == 7, np.nan, np.ones((60, 4))),
         "train.npy: row 8 has a number that is not finite",
         "remove or replace it"),
        ("a pipe", "train.npy: is a directory, a pipe or a device, not a file",
         "expected a matrix with a vector in each row, as numpy.save writes it"),
        (None, "train.npy: no such file (tried {cwd}/train.npy)",
         "expected a matrix with a vector in each row, as numpy.save writes it"),
        (b"not one", "train.npy: not a .npy file of numbers, or a damaged one",
         "expected a matrix with a vector in each row, as numpy.save writes it"),
        (np.array([[{}]]), "train.npy: not a .npy file of numbers, or a damaged one",
         "expected a matrix with a vector in each row, as numpy.save writes it"),
    ],
)  # fmt: skip
def test_vectors_that_do_not_fit(task, tmp_path, matrix, message, hint):
    settings = task("vectors")
    (tmp_path / "train.npy").unlink()
    if isinstance(matrix, str):
        os.mkfifo(tmp_path / "train.npy")
    elif isinstance(matrix, bytes):
        (tmp_path / "train.npy").write_bytes(matrix)
    elif matrix is not None:
        np.save(tmp_path / "train.npy", matrix)
    assert refused(DataError, prepare, settings) == (message.format(cwd=tmp_path), hint)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"reading": "labelled", "vocab": "v.txt"},
         "<config>: data.vocab: with reading labelled they come from the training text; leave it out"),
        ({"reading": "pairs", "blank_lines": True},
         "<config>: data.blank_lines: with reading pairs no empty line is an example; leave it out"),
        ({"reading": "vectors", "train": ["a.txt", "b.txt"]},
         "<config>: data.train: with reading vectors one file is expected, found 2"),
    ],
)  # fmt: skip
def test_data_that_cannot_be(data, message):
    settings = {"data": {"train": "a.txt", **data}, "model": MODELS[data["reading"]]}
    assert refused(UsageError, config.build, Config, settings)[0] == message


@pytest.mark.parametrize("reading", [*READINGS, "stream", "sentences"])
def test_a_model_that_learns_from_something_else(reading):
    kinds = {"blank": "blanks", "classifier": "labelled", "seq2seq": "pairs", "vec2seq": "vectors"}
    kinds["lm"] = "stream or sentences"
    for kind, known in kinds.items():
        settings = {"data": {"train": "a.txt", "reading": reading}, "model": {"kind": kind}}
        if kind == "vec2seq":
            settings["model"]["vector"] = 4
        if reading in known.split(" or "):
            assert config.build(Config, settings).data.reading == reading
        else:
            assert refused(UsageError, config.build, Config, settings)[0] == (
                f"<config>: model: a model of kind {kind} learns from data.reading {known}, found {reading}"
            )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"cell": {"kind": "leaky", "alpha": 0}}, "cell.alpha: expected a number above 0 and at most 1, found 0"),
        ({"cell": {"kind": "jordan"}}, "cell.outputs: missing required key; expected an integer of at least 1"),
        ({"cell": {"kind": "reservoir", "density": 2}},
         "cell.density: expected a number above 0 and at most 1, found 2"),
        ({"cell": {"kind": "lstm", "forgetbias": 2}},
         "cell.forgetbias: unknown key; did you mean 'forget_bias'? "
         "(known: size, forget_bias, init_W, init_U, dropconnect)"),
        ({"cell": {"kind": "gruu"}},
         "cell.kind: unknown kind 'gruu'; did you mean 'gru'? "
         "(known: bidirectional, gru, jordan, leaky, lstm, reservoir, stack, vanilla)"),
        ({"cell": {"kind": "bidirectional", "cell": "gru"}},
         "cell: a language model may not see the words that it predicts; use a causal cell"),
        ({"kind": "classifier", "cell": {"kind": "bidirectional", "cell": "gru", "merge": "summ"}},
         "cell.merge: expected one of concat, sum, found 'summ'; did you mean 'sum'?"),
        ({"kind": "classifier", "pool": "max"}, "pool: expected one of last, mean, found 'max'"),
        ({"kind": "seq2seq", "context": "everystep"},
         "context: expected one of state, every_step, found 'everystep'; did you mean 'every_step'?"),
        ({"kind": "seq2seq", "encoder": "lstm", "decoder": "gru"},
         "decoder: its state (100,) cannot start from the encoder's (100, 100); use equal cells, or context: "
         "every_step"),
        ({"kind": "vec2seq"}, "vector: missing required key; expected an integer of at least 1"),
    ],
)  # fmt: skip
def test_mistakes_in_the_family_are_named(model, message):
    readings = {"classifier": "labelled", "seq2seq": "pairs", "vec2seq": "vectors"}
    data = {"train": "a.txt", "reading": readings.get(model.get("kind"), "stream")}
    found, _ = refused(UsageError, config.build, Config, {"data": data, "model": model})
    assert found.removeprefix("<config>: model.") == message


def test_words_out_of_the_vocabulary_are_read_as_unk(task):
    experiment = prepare(task("pairs", min_count=20))
    batch = next(experiment.trainer.reading.batches())
    assert min(batch.source.min(), batch.targets.min()) >= 0
    assert UNK in batch.source
    assert UNK in batch.targets
