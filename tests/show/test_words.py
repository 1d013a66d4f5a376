"""Nearest words, and the map of words."""

from types import SimpleNamespace

import numpy as np
import pytest

from rnnlm.errors import UsageError
from rnnlm.loading import Loaded, load_model
from rnnlm.show.words import WordVectors


def vectors(rows, words=("<s>", "</s>", "<unk>", "cat", "dog", "bird"), counts=(0, 5, 1, 9, 7, 8), **kind):
    rows = np.array(rows, float)
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
    vocab = SimpleNamespace(words=list(words), counts=np.array(counts), **{"level": "word", "lower": False, **kind})
    return WordVectors("model", "E", vocab, rows / lengths)


def test_nearest_by_cosine_whatever_the_lengths():
    found = vectors([[3, 0], [0, 1], [0, 0], [2, 0], [1, 1], [-5, 0]]).nearest("cat", 4)
    assert (found.word, found.count) == ("cat", 9)
    assert [each.word for each in found.neighbours] == ["dog", "</s>", "<unk>", "bird"]  # <s> is never predicted
    assert [each.cosine for each in found.neighbours] == pytest.approx([0.5**0.5, 0, 0, -1])
    assert [each.count for each in found.neighbours] == [7, 5, 1, 8]


def test_more_neighbours_than_words():
    assert len(vectors(np.eye(6)).nearest("cat", 100).neighbours) == 4


def test_labels_have_no_special_words():
    labels = vectors(np.eye(3), ("bad", "fair", "good"), (1, 2, 3), level="label")
    assert [each.word for each in labels.nearest("good").neighbours] == ["bad", "fair"]
    assert labels.map(9).words == ["good", "fair", "bad"]


def test_words_that_are_meant():
    with pytest.raises(UsageError, match="'catt' is no word .*; did you mean 'cat'"):
        vectors(np.eye(6)).nearest("catt")
    with pytest.raises(UsageError, match="'xyzzy' is no word of the vocabulary of model$"):
        vectors(np.eye(6)).nearest("xyzzy")
    assert vectors(np.eye(6), lower=True).nearest("CAT").word == "cat"
    with pytest.raises(UsageError, match="xxx"):
        vectors(np.eye(6)).nearest("x" * 10_000)
    with pytest.raises(UsageError, match="characters"):
        vectors(np.eye(6), level="char").nearest("ab")


def test_the_map_is_that_of_the_principal_components():
    rng = np.random.default_rng(1)
    words = [f"w{i}" for i in range(50)]
    known = vectors(rng.normal(size=(50, 8)) * np.arange(8, 0, -1), words, rng.integers(1, 99, 50))
    found = known.map(20)
    rows = np.stack([known.rows[known.row(word)] for word in found.words])
    values, axes = np.linalg.eigh(np.cov(rows.T, bias=True))  # by another way than the singular values
    for points, value, axis, share in zip((found.x, found.y), values[::-1], axes.T[::-1], found.explained):
        assert np.var(points) == pytest.approx(value)
        assert np.abs(points) == pytest.approx(np.abs((rows - rows.mean(axis=0)) @ axis))
        assert share == pytest.approx(value / values.sum())


def test_the_map_has_the_most_frequent_words_and_those_that_are_named():
    known = vectors(np.eye(6))
    assert known.map(3).words == ["cat", "bird", "dog"]
    assert known.map(2, ["dog", "cat"]).words == ["cat", "bird", "dog"]
    assert known.map(1).x == [0]


def test_one_word_and_equal_words_are_points():
    assert vectors(np.ones((6, 3))).map(4).explained == (0, 0)
    assert vectors(np.ones((6, 1))).map(4).y == [0] * 4


@pytest.mark.parametrize("name", ["stream", "sentences", "char"])
def test_the_embedding_of_a_trained_model(trained, name):
    loaded = load_model(trained[name])
    known = WordVectors.of(loaded)
    E = loaded.network.params.named["E"].astype(float)
    a, b = ("a", "e") if name == "char" else ("cat", "dog")
    i, j = loaded.vocab.index[a], loaded.vocab.index[b]
    found = {each.word: each for each in known.nearest(a, 1000).neighbours}
    assert (known.name, found[b].count) == ("E", loaded.vocab.counts[j])
    assert found[b].cosine == pytest.approx(E[i] @ E[j] / np.linalg.norm(E[i]) / np.linalg.norm(E[j]), abs=1e-12)


@pytest.mark.parametrize("cell", ["{size: 8}", "{kind: lstm, size: 8}", "{kind: stack, cells: [{size: 8}, {size: 8}]}"])
def test_under_one_hot_input_the_rows_of_U(tiny, cell):
    experiment = tiny("model.embedding=null", f"model.cell={cell}")
    network = experiment.trainer.network
    known = WordVectors.of(Loaded("here", experiment.config, experiment.vocab, network, {}))
    assert known.name.split(".")[-1] == "U"
    assert len(known.rows) == len(experiment.vocab)
    assert known.nearest("cat", 3).word == "cat"
