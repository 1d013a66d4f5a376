import math

import numpy as np
import pytest

from rnnlm.lm.adaptive.cache import CacheScorer, tune
from rnnlm.lm.adaptive.dynamic import Descent, DynamicScorer
from rnnlm.lm.network import SequentialScorer
from rnnlm.text.vocab import EOS, OOV, UNK, readable
from tests.lm.examples import TEXT, WORDS, naive, network, start_probability

SIZE, THETA, LAM = 7, 0.4, 0.3


def source_of(name="tied adaptive", stream=True, carried=True, tokens=5, dynamic=False):
    model = network(name)
    if dynamic:
        return DynamicScorer(model, stream, carried, Descent(0.05), tokens)
    return SequentialScorer(model, stream, carried, tokens)


def definition(source, size, theta, lam, text):
    """-log p of each token, by the formula at the head of the module, position by position."""
    windows = [(w.targets, w.nats.copy(), w.hidden.copy()) for w in source.windows(map(source.ids, text))]
    words, nats, h = (np.concatenate(parts) for parts in zip(*windows))
    found = []
    for t in range(len(words)):
        past = range(max(t - size, 0), t)
        weights = [math.exp(theta * (h[t] @ h[i])) for i in past]
        hits = sum(weight for weight, i in zip(weights, past) if words[i] == words[t])
        p = math.exp(-nats[t])
        found.append(-math.log((1 - lam) * p + lam * hits / sum(weights) if weights else p))
    return np.array(found)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(("stream", "carried"), [(True, True), (False, False)])
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("tokens", [2, 64])
def test_the_cache_is_its_definition(size, stream, carried, dynamic, tokens):
    source = source_of(stream=stream, carried=carried, dynamic=dynamic, tokens=tokens)
    found = list(CacheScorer(source, size, THETA, LAM).log_probs(TEXT))
    assert [len(log_p) for log_p in found] == [len(words) + 1 for words in TEXT]
    expected = definition(source, size, THETA, LAM, TEXT)
    np.testing.assert_allclose(-np.concatenate(found), expected, rtol=0, atol=1e-12)


def test_a_long_text_keeps_what_matters():
    text = [WORDS[i % 4 :] for i in range(200)]
    source = source_of(tokens=64)
    found = np.concatenate(list(CacheScorer(source, SIZE, THETA, LAM).log_probs(text)))
    np.testing.assert_allclose(-found, definition(source, SIZE, THETA, LAM, text), rtol=0, atol=1e-12)


def test_the_first_token_is_the_networks_alone():
    source = source_of()
    (log_p,) = CacheScorer(source, SIZE, THETA, LAM).log_probs([WORDS])
    (without,) = naive(source.network, True, True, [WORDS])
    assert log_p[0] == pytest.approx(without[0], abs=1e-12)
    assert abs(log_p[1] - without[1]) > 0.01


@pytest.mark.parametrize("dynamic", [False, True])
def test_probabilities_add_up_to_one(dynamic):
    scorer = CacheScorer(source_of(dynamic=dynamic), SIZE, THETA, LAM)
    before = [*TEXT[:4], [WORDS[0]]]
    p = [np.exp(list(scorer.log_probs([*TEXT[:4], [WORDS[0], word]]))[4][1]) for word in [*WORDS, "<unk>"]]
    end = np.exp(list(scorer.log_probs(before))[4][1])
    assert sum(p) + end + start_probability(scorer, before) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("dynamic", [False, True])
def test_distributions(dynamic):
    scorer = CacheScorer(source_of(dynamic=dynamic), SIZE, THETA, LAM)
    rows = np.array([row.copy() for row in scorer.distributions(TEXT)])
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1, rtol=0, atol=1e-12)
    targets = readable(np.concatenate(list(map(scorer.ids, TEXT))))
    expected = np.concatenate(list(scorer.log_probs(TEXT)))
    np.testing.assert_allclose(rows[np.arange(len(rows)), targets], expected, rtol=0, atol=1e-12)


def test_extreme_vectors():
    model = network(dtype=np.float32)
    model.params.flat *= 100
    source = SequentialScorer(model, True, True, 5)
    (log_p,) = CacheScorer(source, 10, 1e4, 0.5).log_probs([WORDS * 5])
    assert log_p.dtype == np.float32
    assert not np.isnan(log_p).any()


def test_tune_is_evaluation_at_every_point():
    source = source_of()
    thetas, lams = (0.0, 0.3, 2.0), (0.1, 0.5)
    found = tune(source, [map(source.ids, TEXT)], SIZE, thetas, lams)
    for i, theta in enumerate(thetas):
        for j, lam in enumerate(lams):
            log_p = np.concatenate(list(CacheScorer(source, SIZE, theta, lam).log_probs(TEXT)))
            assert found[i, j] == pytest.approx(-log_p.mean(), abs=1e-12)


def test_what_was_said_before_gets_likelier():
    model = network()
    text = [[WORDS[0], WORDS[5]], [WORDS[0], WORDS[5]]]
    first, second = CacheScorer(SequentialScorer(model, False), 100, 0.3, 0.5).log_probs(text)
    assert (second > first).all()


def test_out_of_vocabulary_words_are_unk():
    source = source_of()
    unheard, literal = (list(CacheScorer(source, SIZE, THETA, LAM).log_probs([[w, w, w]])) for w in ("x", "<unk>"))
    np.testing.assert_array_equal(unheard, literal)
    assert source.ids(["x", "<unk>"]).tolist() == [OOV, UNK, EOS]
