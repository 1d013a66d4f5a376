"""What holds for every head: probabilities that sum to one, and a loss that is theirs."""

import math

import numpy as np
import pytest

from rnnlm.errors import UsageError
from rnnlm.nn import parallel
from rnnlm.nn.gradcheck import synthetic_vocab
from rnnlm.nn.heads import Adaptive, Loss, Scores, Softmax
from rnnlm.text.vocab import SPECIALS, Vocabulary
from tests.kinds import HEADS, VOCAB, WIDTH, K, memory, parameters

N, D = 7, 3

every_head = pytest.mark.parametrize("name", HEADS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def loss_and_grad(head, p, y, targets):
    """-log p(target) (N,), and the gradient of their sum by all parameters and by y."""
    work = head.workspace(p, len(y), memory(y.dtype))
    nats = head.forward(p, y, targets, work)
    g, dy = p.zeros_like(), np.full_like(y, np.nan)
    head.backward(p, g, np.ones(len(y), y.dtype), work, dy)
    return nats, g, dy


@every_head
def test_probabilities_sum_to_one(name):
    p = parameters(HEADS[name].specs(WIDTH[name], VOCAB))
    log_p = HEADS[name].log_probs(p, np.random.default_rng(1).standard_normal((N, WIDTH[name])))
    assert log_p.shape == (N, K)
    np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1, rtol=1e-14)


@every_head
def test_loss_is_that_of_the_probabilities(name):
    rng = np.random.default_rng(1)
    y, targets = rng.standard_normal((4 * K, WIDTH[name])), np.arange(4 * K) % K
    p = parameters(HEADS[name].specs(WIDTH[name], VOCAB))
    nats, _, _ = loss_and_grad(HEADS[name], p, y, targets)
    np.testing.assert_allclose(nats, -HEADS[name].log_probs(p, y)[np.arange(4 * K), targets], rtol=1e-13)


@every_head
def test_float32_stays_float32(name):
    rng = np.random.default_rng(1)
    y, targets = rng.standard_normal((N, WIDTH[name])).astype(np.float32), rng.integers(0, K, N)
    p = parameters(HEADS[name].specs(WIDTH[name], VOCAB), np.float32)
    nats, g, dy = loss_and_grad(HEADS[name], p, y, targets)
    log_p = HEADS[name].log_probs(p, y)
    assert {array.dtype for array in (nats, g.flat, dy, log_p)} == {np.dtype(np.float32)}


@every_head
def test_gradients_add_up(name):
    rng = np.random.default_rng(1)
    y, targets = rng.standard_normal((N, WIDTH[name])), rng.integers(0, K, N)
    p = parameters(HEADS[name].specs(WIDTH[name], VOCAB))
    _, g, dy = loss_and_grad(HEADS[name], p, y, targets)
    work = HEADS[name].workspace(p, N, memory())
    HEADS[name].forward(p, y, targets, work)
    twice, again = g.zeros_like(), np.empty_like(dy)
    twice.flat[...] = g.flat
    HEADS[name].backward(p, twice, np.ones(N), work, again)
    np.testing.assert_allclose(twice.flat, 2 * g.flat, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(again, dy)


@every_head
def test_tokens_do_not_touch_each_other(name):
    rng = np.random.default_rng(1)
    y, targets = rng.standard_normal((N, WIDTH[name])), rng.integers(0, K, N)
    p = parameters(HEADS[name].specs(WIDTH[name], VOCAB))
    nats, _, dy = loss_and_grad(HEADS[name], p, y, targets)
    for n in range(N):
        nats_n, _, dy_n = loss_and_grad(HEADS[name], p, y[n : n + 1], targets[n : n + 1])
        np.testing.assert_allclose(nats_n[0], nats[n], rtol=1e-13)
        np.testing.assert_allclose(dy_n[0], dy[n], rtol=1e-12, atol=1e-14)


# --- extremes


@every_dtype
@pytest.mark.parametrize(
    "logits",
    [
        [1e4, 0, -1e4, 3, 0],
        [1e4, 1e4, 1e4, 1e4, 1e4],
        [-1e4, -1e4, -1e4, -1e4, -1e4],
        [-1e4, -1e4 + 5, -2e4, -1e4, -1e4],
        [0, 0, 0, 0, 0],
        [-95, -96, -97, -100, -103],  # exp is almost zero in float32
        [88, 87, 86, 80, 60],  # exp is almost infinite in float32
        [-1e38, 0, 1e38, 1, 2],
    ],
    ids=str,
)
def test_extreme_logits(logits, dtype):
    """One token for each word, with logits V 1."""
    head, vocab = Softmax(bias="none"), synthetic_vocab(len(logits))
    p = parameters(head.specs(1, vocab), dtype)
    p["V"][:, 0] = logits
    y, targets = np.ones((5, 1), dtype), np.arange(5)
    nats, g, dy = loss_and_grad(head, p, y, targets)

    shifted = p["V"][:, 0].astype(float) - max(p["V"][:, 0].astype(float))
    log_p = shifted - np.log(np.exp(shifted).sum())
    tolerance = 1e-6 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(nats, -log_p, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(head.log_probs(p, y)[0], log_p, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(g["V"][:, 0], 5 * np.exp(log_p) - 1, rtol=tolerance, atol=10 * tolerance)
    assert np.isfinite(dy).all()


@every_dtype
def test_one_extreme_token_among_ordinary_ones(dtype):
    head, rng = Softmax(), np.random.default_rng(1)
    p = parameters(head.specs(D, VOCAB), dtype)
    y = rng.standard_normal((N, D)).astype(dtype)
    ordinary, _, _ = loss_and_grad(head, p, y, np.zeros(N, int))
    y[3] *= 1e5
    nats, g, dy = loss_and_grad(head, p, y, np.zeros(N, int))
    np.testing.assert_allclose(np.delete(nats, 3), np.delete(ordinary, 3), rtol=1e-5)
    assert all(np.isfinite(array).all() for array in (nats, g.flat, dy))


def test_a_logit_that_is_not_a_number_is_not_hidden():
    p = parameters(Softmax().specs(D, VOCAB))
    p["V"][0, 0] = np.nan
    nats, _, _ = loss_and_grad(Softmax(), p, np.ones((N, D)), np.zeros(N, int))
    assert np.isnan(nats).all()


@pytest.mark.parametrize("size", [3, 4])
def test_vocabularies_of_hardly_a_word(size):
    p = parameters(Softmax().specs(D, synthetic_vocab(size)))
    y = np.random.default_rng(1).standard_normal((N, D))
    nats, _, _ = loss_and_grad(Softmax(), p, y, np.arange(N) % size)
    log_p = Softmax().log_probs(p, y)
    assert log_p.shape == (N, size)
    np.testing.assert_allclose(nats, -log_p[np.arange(N), np.arange(N) % size], rtol=1e-13)


BLOCK = 1000


@pytest.mark.parametrize(("tokens", "size"), [(BLOCK // 7 * 2 + 3, 7), (3, BLOCK + 1), (1, 7)])
def test_several_blocks_and_threads(tokens, size, threads, monkeypatch):
    monkeypatch.setattr(parallel, "BLOCK", BLOCK)
    rng = np.random.default_rng(1)
    p = parameters(Softmax().specs(2, synthetic_vocab(size)))
    y, targets = rng.standard_normal((tokens, 2)), rng.integers(0, size, tokens)
    nats, g, dy = loss_and_grad(Softmax(), p, y, targets)
    log_p = Softmax().log_probs(p, y)
    np.testing.assert_allclose(nats, -log_p[np.arange(tokens), targets], rtol=1e-10)
    do = np.exp(log_p)
    do[np.arange(tokens), targets] -= 1
    np.testing.assert_allclose(g["V"], do.T @ y, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(g["c"], do.sum(axis=0), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(dy, do @ p["V"], rtol=1e-8, atol=1e-10)


# --- the bias starts at the unigram model


@pytest.mark.parametrize("head", [Softmax(), Adaptive(cutoffs=[4, 7])], ids=lambda head: head.kind)
def test_the_bias_starts_at_the_unigram_frequencies(head):
    p = parameters(head.specs(D, VOCAB))
    p.flat[...] = 0
    for name in ("c", "c_clusters"):
        if name in p:
            spec = head.specs(D, VOCAB)[name]
            p[name][...] = spec.init(spec.shape, None)
    smoothed = VOCAB.counts + 1
    np.testing.assert_allclose(np.exp(head.log_probs(p, np.ones((1, D)))[0]), smoothed / smoothed.sum(), rtol=1e-12)


# --- losses


def test_losses_add_up():
    loss = sum([Loss(3.0, 2), Loss(5.0, 6)], Loss())
    assert loss == Loss(8.0, 8)
    assert loss.mean == 1
    assert loss.perplexity == math.e
    assert loss.bits == 1 / math.log(2)


def test_the_loss_of_nothing_is_not_a_number():
    assert math.isnan(Loss().mean)


def test_a_perplexity_too_large_to_write_is_infinite():
    assert Loss(1e6, 1).perplexity == math.inf


# --- vocabularies that do not suit


def test_a_vocabulary_out_of_order_makes_the_adaptive_softmax_slow():
    words, counts = [*SPECIALS, *"abcdefgh"], np.array([0, 20, 5, 100, 90, 9, 8, 7, 3, 2, 1])
    head = Adaptive(cutoffs=[5, 8])
    assert head.warning(Vocabulary(words, counts)) == ""
    counts[3:] = counts[:2:-1]
    assert "89% of the tokens" in head.warning(Vocabulary(words, counts))
    assert Softmax().warning(Vocabulary(words, counts)) == ""


def test_some_new_words_behind_the_others_are_no_reason_to_warn():
    counts = [0, 20, 5, *range(100, 40, -1), 41, 42, 43]
    words = [*SPECIALS, *map(str, range(len(counts) - 3))]
    assert Adaptive(cutoffs=[50]).warning(Vocabulary(words, counts)) == ""


# --- mistakes


@pytest.mark.parametrize("cutoffs", [[], [0, 3], [3, 3], [5, 4]])
def test_cutoffs_rise(cutoffs):
    with pytest.raises(ValueError) as error:
        Adaptive(cutoffs=cutoffs)
    assert str(error.value) == f"cutoffs: expected rising word numbers, found {cutoffs}"


def test_cutoffs_lie_within_the_vocabulary():
    with pytest.raises(UsageError) as error:
        Adaptive(cutoffs=[4, K]).specs(D, VOCAB)
    assert error.value.message == "model.head.cutoffs: the last is 9, but the vocabulary has 9 words"
    assert error.value.hint == "give smaller cutoffs, or use head: softmax"


def test_scores_need_one_for_each_word():
    with pytest.raises(UsageError) as refusal:
        Scores().specs(4, VOCAB)
    assert refusal.value.message == "model.head: scores needs from the cell one output for each of 9 words, found 4"
    assert refusal.value.hint == "set model.cell.outputs to 9"
