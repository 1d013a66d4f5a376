"""Classifiers and labels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlm.errors import DataError
from rnnlm.experiment import prepare
from rnnlm.nn.cells import Vanilla
from rnnlm.nn.models import Classifier
from rnnlm.tasks import labelled
from rnnlm.tasks.gradcheck import synthetic_batch_for
from rnnlm.text.vocab import Labels, Vocabulary
from rnnlm.text.windows import LabelledBatch
from tests.kinds import FAMILY, memory, network_of, refused

T = 6


def test_the_last_hidden_vector_is_that_of_each_sentences_own_end():
    network = network_of(Classifier(cell=Vanilla(size=4)))
    words = np.random.default_rng(1).integers(3, 19, (T, 2), dtype=np.int32)
    lengths = np.array([T, 3])
    cell, p = network.model.cell, network.params["cell"]
    y, _ = cell.forward(p, words, cell.initial_state(2, np.float64), cell.workspace(T, 2, memory()))
    expected = network.model.head.log_probs(network.params["head"], np.array([y[T - 1, 0], y[2, 1]]))
    found = network.target_log_probs(LabelledBatch(words, lengths, np.zeros(2, np.int32)))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-12)


def test_the_mean_hidden_vector_is_that_of_each_sentences_own_words():
    network = network_of(Classifier(cell=Vanilla(size=4), pool="mean"))
    words = np.random.default_rng(1).integers(3, 19, (T, 2), dtype=np.int32)
    cell, p = network.model.cell, network.params["cell"]
    y, _ = cell.forward(p, words, cell.initial_state(2, np.float64), cell.workspace(T, 2, memory()))
    means = np.array([y[:, 0].mean(axis=0), y[:3, 1].mean(axis=0)])
    found = network.target_log_probs(LabelledBatch(words, np.array([T, 3]), np.zeros(2, np.int32)))
    np.testing.assert_allclose(found, network.model.head.log_probs(network.params["head"], means), rtol=1e-12)


def test_confusion():
    network = network_of(FAMILY["classifier"])
    batch = synthetic_batch_for(network, T, np.random.default_rng(3))
    log_p = network.target_log_probs(batch)
    table, nats = labelled.confusion(network, [batch, batch])
    assert table.sum() == 6
    for true, said in zip(batch.targets, log_p.argmax(axis=1)):
        assert table[true, said] >= 2
    assert nats == pytest.approx(2 * network.loss(batch, ())[0].nats)


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


def test_a_broken_vocabulary_of_labels():
    assert refused(DataError, Labels.from_bytes, b"cat\t5\ndog\n")[0].startswith("labels:2: found 'dog'")
    assert isinstance(Vocabulary(["<s>", "</s>", "<unk>"], [0, 0, 0]).index["<unk>"], int)


def test_a_label_that_training_lacks(task, tmp_path):
    settings = task("labelled")
    (tmp_path / "valid.txt").write_text("cat\tthe cat\n\nzebra\tthe zebra\nlion\ta\n")
    message, hint = refused(DataError, prepare, settings)
    assert message.startswith("valid.txt:3: a label")
    assert "2 such lines" in message
    assert "'zebra'" in message
    assert "'bird', 'cat', 'dog', 'fish'" in hint


def test_white_space_around_a_label_does_not_belong_to_it(task, tmp_path):
    settings = task("labelled")
    for name in ("train.txt", "valid.txt"):
        lines = (tmp_path / name).read_text().splitlines()
        odd = [f" {line}".replace("\t", "\u3000 \t ") if i % 3 else line for i, line in enumerate(lines)]
        (tmp_path / f"odd-{name}").write_text("\n".join(odd) + "\n")
    plain = prepare(settings)
    data = replace(settings.data, train=["odd-train.txt"], valid="odd-valid.txt")
    padded = prepare(replace(settings, data=data))
    assert padded.vocab.fingerprint == plain.vocab.fingerprint
    assert padded.train.other.tolist() == plain.train.other.tolist()
    assert padded.valid.ids.tolist() == plain.valid.ids.tolist()


def test_labels_that_hardly_come_back_are_warned_of(task, tmp_path):
    settings = task("labelled")
    assert prepare(settings).notes == []
    rows = [line.split("\t") for line in (tmp_path / "train.txt").read_text().splitlines()]
    (tmp_path / "train.txt").write_text("".join(f"{text} {i}\t{label}\n" for i, (label, text) in enumerate(rows)))
    (note,) = prepare(replace(settings, data=replace(settings.data, valid=None))).notes
    assert note.startswith("warning: ")
    assert "label<TAB>text" in note


def test_a_sentence_of_markers_alone_is_named(task, tmp_path):
    settings = task("labelled")
    with (tmp_path / "train.txt").open("a") as file:
        file.write("cat\t<s> </s>\n")
    number = len((tmp_path / "train.txt").read_text().splitlines())
    message, _ = refused(DataError, prepare, settings)
    assert message.startswith(f"train.txt:{number}: no words")
