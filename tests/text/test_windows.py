"""Batches of a stream and of sentences: every token is predicted once, from the tokens before it."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlm.text.corpus import encode
from rnnlm.text.vocab import BOS, EOS, OOV, SPECIALS, UNK, Vocabulary
from rnnlm.text.windows import Batch, BlankBatch, LabelledBatch, PairBatch, Sentences, Stream, VectorBatch
from tests.text.examples import FIRST, made, real


def check(reading, corpus):
    """Every token is the target of one prediction; padding is EOS, in inputs and targets, and has no weight."""
    found = []
    for batch in reading.batches():
        assert batch.inputs.shape == batch.targets.shape == batch.shape
        for array in (batch.inputs, batch.targets):
            assert array.dtype == np.int32
            assert array.flags.c_contiguous
        if batch.weights is not None:
            assert batch.weights.dtype == np.float32
            assert set(np.unique(batch.weights)) == {0, 1}
        assert (batch.targets[~real(batch)] == EOS).all()
        assert batch.tokens == real(batch).sum()
        found += batch.targets[real(batch)].tolist()
    assert sorted(found) == corpus.ids.tolist()


def same(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others):
        for field in dataclasses.fields(batch):
            x, y = getattr(batch, field.name), getattr(other, field.name)
            assert (x is y is None) or np.array_equal(x, y)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=20), st.integers(1, 12), st.integers(1, 12))
def test_stream_predicts_every_token_once_from_the_one_before(lengths, B, T):
    corpus = made(lengths)
    stream = Stream(corpus, B, T)
    check(stream, corpus)
    batches = list(stream.batches())
    assert len(batches) == len(stream)
    assert [batch.fresh for batch in batches] == [True] + [False] * (len(stream) - 1)
    assert {batch.shape for batch in batches[:-1]} <= {(stream.window, stream.batch)}
    inputs = np.concatenate([batch.inputs for batch in batches]).T.ravel()  # columns, one after the other
    targets = np.concatenate([batch.targets for batch in batches]).T.ravel()
    N = len(corpus.ids)
    assert inputs[:N].tolist() == [EOS, *corpus.ids[:-1]]
    assert targets[:N].tolist() == corpus.ids.tolist()
    same(list(stream.batches(len(stream) // 2)), batches[len(stream) // 2 :])


def test_stream_pads_at_the_very_end_only():
    batches = list(Stream(made([5, 5]), 3, 2).batches())  # columns of 4, the last one of 2
    assert batches[0].weights is None
    assert batches[1].weights.tolist() == [[1, 1, 0], [1, 1, 0]]
    assert (batches[0].tokens, batches[1].tokens) == (6, 4)


def test_stream_adapts_to_a_short_corpus():
    stream = Stream(made([2, 1]), batch=20, window=35)
    assert (stream.batch, stream.window, len(stream)) == (3, 1, 1)
    assert stream.note.startswith("made.txt: ")
    assert "batch 20 -> 3, window 35 -> 1" in stream.note
    stream = Stream(made([700]), batch=20, window=35)
    assert (stream.batch, stream.window, len(stream), stream.note) == (20, 35, 1, "")


def test_the_shortest_corpus(write):
    text = encode([write("\n")], Vocabulary(SPECIALS, [0] * 3, level="char"), blank_lines=True)
    same(list(Stream(text, 4, 5).batches()), [Batch(np.array([[EOS]]), np.array([[EOS]]))])
    same(list(Sentences(text, 4).batches()), [Batch(np.array([[BOS]]), np.array([[EOS]]))])


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=20),
    st.integers(1, 8),
    st.integers(1, 30),
    st.none() | st.integers(0, 9),
)
def test_sentences_predict_every_token_once_from_their_own_past(lengths, B, tokens, seed):
    corpus = made(lengths)
    sentences = Sentences(corpus, B, tokens)
    check(sentences, corpus)
    firsts = set((FIRST + corpus.ends - lengths).tolist())  # the first tokens of sentences

    def batches(start=0):
        return list(sentences.batches(start, None if seed is None else np.random.default_rng(seed)))

    assert len(batches()) == len(sentences)
    for batch in batches():
        T, columns = batch.shape
        assert T * columns <= tokens
        assert columns <= sentences.batch <= B
        assert batch.fresh == (batch.targets[0, 0] in firsts)
        expected = [BOS if i in firsts else i - 1 for i in batch.targets[real(batch)].tolist()]
        assert batch.inputs[real(batch)].tolist() == expected
    same(batches(len(sentences) // 2), batches()[len(sentences) // 2 :])


@pytest.mark.parametrize("reading", [lambda text: Stream(text, 2, 2), lambda text: Sentences(text, 2, 2)])
def test_a_word_out_of_the_vocabulary_is_read_as_unk(write, reading):
    text = encode([write("a b\nb a b\n")], Vocabulary([*SPECIALS, "a"], [0] * 4))
    assert OOV in text.ids
    batches = list(reading(text).batches())
    for array in [array for batch in batches for array in (batch.inputs, batch.targets)]:
        assert set(array.ravel().tolist()) <= {BOS, EOS, UNK, 3}
    assert sum(batch.tokens for batch in batches) == 7
    assert sum((batch.targets == UNK).sum() for batch in batches) == 3


def test_what_stands_behind_a_sentence_is_no_input_of_its_padding(write):
    text = encode([write("a a a\na\n")], Vocabulary([*SPECIALS, "a"], [0] * 4))
    (batch,) = Sentences(text, 2).batches()
    assert batch.inputs.T.tolist() == [[BOS, 3, 3, 3], [BOS, 3, EOS, EOS]]
    assert batch.targets.T.tolist() == [[3, 3, 3, EOS], [3, EOS, EOS, EOS]]


def test_sentences_of_equal_length_stand_together():
    corpus = made([3, 7, 3, 7, 3, 7, 3, 7])
    batches = list(Sentences(corpus, 4).batches())
    assert [batch.shape for batch in batches] == [(7, 4), (3, 4)]
    assert all(batch.weights is None for batch in batches)


def test_a_long_sentence_is_read_in_windows():
    batches = list(Sentences(made([2, 10]), 8, tokens=4).batches())
    assert [batch.shape for batch in batches] == [(4, 1), (4, 1), (2, 1), (2, 1)]
    assert [batch.fresh for batch in batches] == [True, False, False, True]


def test_shuffling_is_decided_by_the_generator():
    corpus = made([4] * 50 + [6] * 50)
    sentences = Sentences(corpus, 5)

    def order(rng):
        return [tuple(batch.targets[0]) for batch in sentences.batches(0, rng)]

    assert order(np.random.default_rng(1)) == order(np.random.default_rng(1))
    rng = np.random.default_rng(1)
    first, second = order(rng), order(rng)
    assert first != second
    groups = [{frozenset(row) for row in rows} for rows in (first, second)]
    assert groups[0] != groups[1]  # other company, not only other order
    assert order(None) == order(None)


def test_sentences_adapt_to_a_short_corpus():
    sentences = Sentences(made([3, 4]), 20)
    assert (sentences.batch, len(sentences)) == (2, 1)
    assert sentences.note.startswith("made.txt: ")
    assert "batch 20 -> 2" in sentences.note


def test_inputs_and_targets_share_no_memory():
    for reading in (Stream(made([8]), 2, 2), Sentences(made([8]), 2)):
        for batch in reading.batches():
            assert not np.shares_memory(batch.inputs, batch.targets)


def test_shape_and_predictions_of_every_batch():
    words, lengths = np.ones((4, 3), np.int32), np.array([4, 2, 1])
    weights = (np.arange(4)[:, None] < lengths).astype(np.float32)
    for batch, shape, tokens in (
        (Batch(words, words), (4, 3), 12),
        (Batch(words, words, weights=weights), (4, 3), 7),
        (BlankBatch(words, lengths, weights=weights), (4, 3), 7),
        (LabelledBatch(words, lengths, words[0]), (4, 3), 3),
        (PairBatch(words[:2], None, words, words, weights=weights), (2, 4, 3), 7),
        (VectorBatch(np.ones((3, 5)), words, words, weights=weights), (4, 3), 7),
    ):
        assert (batch.shape, batch.tokens, batch.fresh) == (shape, tokens, True)


# --- windows whose ends are moved ---


@pytest.mark.parametrize("jitter", [1, 2, 3, 9])
def test_jitter_moves_the_ends_of_windows_and_nothing_else(jitter):
    corpus = made([5] * 40)
    plain, moved = Stream(corpus, 3, 7), Stream(corpus, 3, 7, jitter)
    before = list(plain.batches(0, np.random.default_rng(1)))
    after = list(moved.batches(0, np.random.default_rng(1)))
    assert len(before) == len(after) == len(moved)
    for name in ("inputs", "targets"):
        one, other = (np.concatenate([getattr(batch, name) for batch in batches]) for batches in (before, after))
        np.testing.assert_array_equal(one, other)
    assert [batch.fresh for batch in after] == [True] + [False] * (len(after) - 1)
    lengths = [len(batch.targets) for batch in after]
    assert len(set(lengths)) > 1
    most = min(jitter, 3)
    assert all(7 - 2 * most <= length <= 7 + 2 * most for length in lengths[:-1])
    other = [len(batch.targets) for batch in moved.batches(0, np.random.default_rng(2))]
    assert lengths != other
    later = list(moved.batches(4, np.random.default_rng(1)))
    assert [len(batch.targets) for batch in later] == lengths[4:]
    assert [len(batch.targets) for batch in moved.batches()] == [len(batch.targets) for batch in before]


@pytest.mark.parametrize("length", range(1, 40))
def test_jitter_leaves_no_window_empty(length):
    moved = Stream(made([length]), 1, 5, 2)
    for seed in range(20):
        lengths = [len(batch.targets) for batch in moved.batches(0, np.random.default_rng(seed))]
        assert min(lengths) > 0
        assert sum(lengths) == length
        assert len(lengths) == len(moved)
