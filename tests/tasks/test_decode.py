"""Sentences from decoders: what they depend on, greedy decoding, beam search, figures."""

from dataclasses import replace

import numpy as np
import pytest

from rnnlm.nn.cells import GRU
from rnnlm.nn.models import Seq2Seq, Vec2Seq
from rnnlm.tasks import decode, pairs, vectors
from rnnlm.tasks.gradcheck import synthetic_batch_for
from rnnlm.text.vocab import BOS, EOS
from rnnlm.text.windows import PairBatch, VectorBatch
from tests.kinds import FAMILY, network_of

T = 6


@pytest.mark.parametrize("name", [name for name in FAMILY if "seq" in name])
def test_what_is_written_depends_on_what_is_given_and_on_the_true_words_before(name):
    network = network_of(FAMILY[name])
    batch = synthetic_batch_for(network, T, np.random.default_rng(3))

    def nats(batch):
        return network.nats(replace(batch, weights=None), ())[0][:, 0]

    before = nats(batch)
    other = batch.inputs.copy()
    other[3, 0] = (other[3, 0] + 1) % 20
    moved = nats(replace(batch, inputs=other)) != before
    assert moved.tolist() == [False] * 3 + [True] * 3
    given = {"source": (batch.source + 1) % 20} if isinstance(batch, PairBatch) else {"vectors": batch.vectors + 1}
    assert (nats(replace(batch, **given)) != before).all()


def log_p_of(network, batch, ids):
    """log p of a whole sentence, </s> included, for the one example of a batch."""
    targets = np.array([*ids, EOS], np.int32)[:, None]
    inputs = np.concatenate([[[0]], targets[:-1]]).astype(np.int32)
    return -float(network.nats(replace(batch, inputs=inputs, targets=targets), ())[0].sum())


def question(network):
    if isinstance(network.model, Seq2Seq):
        return pairs.pair_batch(np.array([5, 6, 7], np.int32))
    return vectors.vector_batch(np.array([0.3, -0.2, 0.9, 0.1]))


@pytest.mark.parametrize("name", [name for name in FAMILY if "seq" in name])
def test_written_sentences_have_the_probability_that_is_said(name):
    network = network_of(FAMILY[name])
    network.p["head"]["c"][EOS] += 2  # so that sentences come to an end
    batch = question(network)
    (one,) = decode.greedy(network, batch, 30)
    assert one.finished
    assert one.log_p == pytest.approx(log_p_of(network, batch, one.ids), rel=1e-10)
    (alike,) = decode.beam(network, batch, 1, 30)
    assert (alike.ids, alike.finished) == (one.ids, True)
    found = decode.beam(network, batch, 4, 30)
    for one in found:
        assert one.log_p == pytest.approx(log_p_of(network, batch, one.ids), rel=1e-10)
    assert [one.log_p for one in found] == sorted((one.log_p for one in found), reverse=True)
    assert len({tuple(one.ids) for one in found}) == 4


def test_a_wide_beam_finds_what_is_likeliest_of_all():
    network = network_of(Vec2Seq(vector=4, decoder=GRU(size=3)))
    network.p["head"]["c"][EOS] += 1
    batch, K = question(network), len(network.vocab)
    short = [[], *([i] for i in range(2, K)), *([i, j] for i in range(2, K) for j in range(2, K))]
    scores = {tuple(ids): log_p_of(network, batch, ids) for ids in short}
    found = [one for one in decode.beam(network, batch, K * K, 3) if one.finished]
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:5]
    assert [tuple(one.ids) for one in found if len(one.ids) < 3][:5] == best


def test_side_by_side_is_one_by_one():
    network = network_of(FAMILY["seq2seq every step"])
    network.p["head"]["c"][EOS] += 2
    batch = synthetic_batch_for(network, T, np.random.default_rng(3))
    sources = [batch.source[:n, b] for b, n in enumerate(batch.lengths)]
    together = decode.greedy(network, batch, 20)
    alone = [decode.greedy(network, pairs.pair_batch(source), 20)[0] for source in sources]
    assert [one.ids for one in together] == [one.ids for one in alone]
    assert [one.log_p for one in together] == pytest.approx([one.log_p for one in alone], rel=1e-12)
    assert len({one.log_p for one in alone}) == 3


@pytest.mark.parametrize("tokens", [1, 2])
def test_a_beam_wider_than_the_vocabulary_has_no_impossible_words(tokens):
    network = network_of(Vec2Seq(vector=4, decoder=GRU(size=3)))
    batch, K = question(network), len(network.vocab)
    found = decode.beam(network, batch, 10 * K**2, tokens)
    possible = K - 1  # words that can follow: all but <s>, one of which ends the sentence
    assert len(found) == sum((possible - 1) ** n for n in range(tokens)) + (possible - 1) ** tokens
    assert all(np.isfinite(one.log_p) and BOS not in one.ids for one in found)


def test_a_beam_of_which_nothing_is_left_ends():
    """Where </s> alone has a probability, there is one sentence, and it is empty."""
    network = network_of(Vec2Seq(vector=4, decoder=GRU(size=3)))
    c = network.p["head"]["c"]
    c[...] = -np.inf
    c[EOS] = 0
    (one,) = decode.beam(network, question(network), 3, 10)
    assert (one.ids, one.log_p, one.finished) == ([], 0, True)


def test_figures_of_written_sentences():
    network = network_of(FAMILY["vec2seq"])
    network.p["head"]["c"][EOS] += 2
    given = np.random.default_rng(1).standard_normal((2, 4))
    right, wrong = (decode.greedy(network, vectors.vector_batch(vector), 20)[0].ids for vector in given)
    wrong = [3 if wrong[:1] != [3] else 4]
    n, T = len(right) + 1, max(len(right) + 1, 2)
    targets, weights = np.full((T, 2), EOS, np.int32), np.ones((T, 2), np.float32)
    targets[: n - 1, 0], targets[0, 1] = right, wrong[0]
    weights[n:, 0] = weights[2:, 1] = 0
    inputs = np.concatenate([np.zeros((1, 2), np.int32), targets[:-1]])
    batch = VectorBatch(given, inputs, targets, weights=weights)
    found = decode.count(network, [batch])
    assert (found["sentences"], found["exact"], found["tokens"]) == (2, 1, n + 2)
    assert n <= found["right"] <= n + 1
    assert found["nats"] == pytest.approx(network.loss(batch, ())[0].nats)
