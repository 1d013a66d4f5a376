"""Mixtures of models: probabilities, vocabularies and weights."""

import itertools
import math

import numpy as np
import pytest

from rnnlm.errors import DataError, UsageError
from rnnlm.lm.kneser_ney import estimate
from rnnlm.lm.mixture import Mixture, fit
from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.ngram import Ngram, Order
from rnnlm.text.vocab import EOS, OOV, SPECIALS, UNK, Vocabulary
from tests.kinds import VOCAB
from tests.lm.examples import WORDS
from tests.lm.examples import network as small_network

SENTENCES = [
    [WORDS[0], WORDS[1], WORDS[2]],
    [],
    ["unheard", WORDS[1], "<unk>", "<s>", "</s>"],
    WORDS * 3,
    [WORDS[0]],
]


def network(carried=False, stream=True):
    return NetworkScorer(small_network(), stream, carried)


def ngram(words=WORDS, seed=3):
    rng = np.random.default_rng(seed)
    vocab = Vocabulary([*SPECIALS, *words], [0] * (3 + len(words)))
    ids = rng.integers(UNK, len(vocab), 400)
    ids[rng.random(400) < 0.2] = EOS
    return estimate(np.append(ids, EOS).astype(np.int32), vocab, 3)


@pytest.mark.parametrize("carried", [False, True])
def test_p_is_the_weighted_sum(carried):
    a, b, c = network(carried), ngram(), ngram(seed=4)
    mixture = Mixture([a, Mixture([b, c], [0.25, 0.75])], [0.4, 0.6])
    assert (mixture.carried, mixture.start, mixture.kind) == (carried, EOS, "mix")
    assert mixture.vocab.fingerprint == VOCAB.fingerprint
    each = [np.exp(np.concatenate(list(scorer.log_probs(SENTENCES)))) for scorer in (a, b, c)]
    expected = 0.4 * each[0] + 0.15 * each[1] + 0.45 * each[2]
    found = list(mixture.log_probs(iter(SENTENCES)))
    assert [len(log_p) for log_p in found] == [len(words) + 1 for words in SENTENCES]
    np.testing.assert_allclose(np.exp(np.concatenate(found)), expected, rtol=1e-12)
    if not carried:  # otherwise a list has but one successor
        (alternatives,) = mixture.alternatives([SENTENCES])
        np.testing.assert_allclose(np.concatenate(alternatives), np.concatenate(found), rtol=1e-10)


def test_distributions_and_walks_agree_with_the_words():
    mixture = Mixture([network(), ngram(WORDS[2:] + ["extra"])], [0.3, 0.7])
    assert mixture.vocab.words == [*SPECIALS, *WORDS, "extra"]
    assert list(map(len, mixture.lacks)) == [1, 2]
    sentences = [*SENTENCES, ["extra", WORDS[0], "extra", WORDS[5]]]
    rows = mixture.distributions(sentences)
    for words, log_p in zip(sentences, mixture.log_probs(sentences)):
        walk = mixture.walk()
        for i, expected in zip([*mixture.vocab.ids(words), EOS], log_p):
            row = next(rows)
            assert row[UNK if i == OOV else i] == pytest.approx(expected, abs=1e-12)
            np.testing.assert_allclose(walk.log_p, row, atol=1e-12)
            assert np.exp(row).sum() == pytest.approx(1, abs=1e-12)
            walk = walk.after(mixture.vocab.words[i] if i != OOV else "unheard")


def test_a_word_that_a_model_lacks_has_the_probability_of_the_others():
    small, large = ngram([WORDS[1]]), ngram(WORDS)
    mixture = Mixture([small, large], [0.5, 0.5])
    ((p, _),) = map(np.exp, mixture.log_probs([[WORDS[0]]]))
    ((expected, _),) = map(np.exp, large.log_probs([[WORDS[0]]]))
    assert p == pytest.approx(expected / 2, rel=1e-12)
    (parts,) = mixture.parts([[WORDS[0], "unheard"]])
    assert parts[0, 0] == -np.inf
    assert np.isfinite(parts[:, 1:]).all()


def test_weight_zero_and_probability_zero():
    vocab = Vocabulary([*SPECIALS, "a"], [0] * 4)
    never = Ngram(vocab, [Order(np.arange(4), np.array([-np.inf, 0, -np.inf, -np.inf]), np.zeros(4))])
    even = Ngram(vocab, [Order(np.arange(4), np.log([1e-300, 0.5, 0.25, 0.25]), np.zeros(4))])
    for weights, expected in (([1, 0], -np.inf), ([0, 1], math.log(0.25)), ([0.5, 0.5], math.log(0.125))):
        ((a, _),) = Mixture([never, even], weights).log_probs([["a"]])
        assert a == pytest.approx(expected)


@pytest.mark.parametrize("M", [2, 3])
def test_em_is_as_good_as_a_grid(M):
    scorers = [network(), ngram(), ngram(seed=4)][:M]
    sentences = [[WORDS[i % len(WORDS)] for i in range(k, 4 * k, 1 + k % 3)] for k in range(1, 40)]
    mixture = Mixture(scorers)
    weights = fit(mixture, iter(sentences))
    assert weights.sum() == pytest.approx(1)
    p = np.exp(np.concatenate(list(mixture.parts(sentences)), axis=1))
    step = 0.0025 if M == 2 else 0.01
    grid = [g for g in itertools.product(np.arange(0, 1 + step / 2, step), repeat=M - 1) if sum(g) <= 1 + 1e-9]
    grid = np.array([[*g, max(0, 1 - sum(g))] for g in grid])
    likelihood = np.log(grid @ p).sum(axis=1)
    best = grid[likelihood.argmax()]
    np.testing.assert_allclose(weights, best, atol=0.005 if M == 2 else 0.01)
    assert np.log(weights @ p).sum() >= likelihood.max() - 1e-4


def test_em_leaves_out_what_no_model_knows():
    mixture = Mixture([ngram(), ngram(seed=4)])
    known = [[WORDS[0], WORDS[3]], [WORDS[1]]]
    one = fit(mixture, [*known, []])
    for word in ("unheard", "another"):  # these words may come, but not count
        parts = list(mixture.parts([[word]]))
        assert parts[0].shape == (2, 2)
    contexts_alike = fit(mixture, [[WORDS[0], WORDS[3]], [WORDS[1]], []])
    np.testing.assert_array_equal(one, contexts_alike)
    with pytest.raises(DataError) as error:
        fit(mixture, [], "dev.txt")
    assert "dev.txt" in error.value.message


@pytest.mark.parametrize(
    ("weights", "shown"),
    [([0.5], "0.5"), ([0.5, 0.6], "0.5, 0.6"), ([1.5, -0.5], "1.5, -0.5"), ([math.nan, 1], "nan, 1")],
)
def test_wrong_weights(weights, shown):
    with pytest.raises(UsageError) as error:
        Mixture([ngram(), ngram()], weights)
    assert error.value.message.startswith(f"weights {shown}: ")
    assert "2" in error.value.message


def test_characters_and_words_do_not_mix():
    characters = ngram(["a"])
    characters.vocab.level = "char"
    with pytest.raises(UsageError) as error:
        Mixture([ngram(), characters])
    assert [word for word in ("words", "chars", "mixed") if word not in error.value.message] == []
