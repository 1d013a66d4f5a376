"""Comparison of models: what is compared, and the bootstrap against its definition."""

import math

import numpy as np
import pytest

from rnnlm.errors import DataError, UsageError
from rnnlm.lm import compare as module
from rnnlm.lm.compare import Comparison, bootstrap, compare
from rnnlm.lm.ngram import Ngram, Order
from rnnlm.text.vocab import Vocabulary

WORDS = ["cat", "dog", "bird"]
TEXT = [f"{WORDS[0]} {WORDS[1]}", WORDS[0], "", f"{WORDS[2]} unheard {WORDS[0]}"]


class Fixed:
    """A scorer with the same probability for every word of a small vocabulary."""

    kind, start, carried = "fixed", 0, False

    def __init__(self, p, words=WORDS, level="word", lower=False):
        self.log_p = math.log(p) if p else -math.inf
        self.vocab = Vocabulary(["<s>", "</s>", "<unk>", *words], [1] * (3 + len(words)), level, lower)

    def log_probs(self, sentences):
        return (np.full(len(words) + 1, self.log_p) for words in sentences)


def test_compare_sums_over_what_all_models_know():
    unigrams = Order(np.arange(6), np.log([1e-9, 0.3, 0.1, 0.2, 0.15, 0.25]), np.zeros(6))
    scorers = [Fixed(0.5), Fixed(0.25, WORDS[1:]), Ngram(Fixed(1).vocab, [unigrams])]
    found = compare(scorers, iter(TEXT), blank_lines=True)
    assert found.tokens.tolist() == [2, 1, 1, 2]  # WORDS[0] is unknown to the second, "unheard" to all
    assert found.left_out == 4
    assert found.oovs == [1, 4, 1]
    assert found.zeroprobs == [0, 0, 0]
    np.testing.assert_allclose(found.nats[:2], np.outer([math.log(2), math.log(4)], [2, 1, 1, 2]))
    np.testing.assert_allclose(found.ppl[:2], [2, 4])
    log_p = list(scorers[2].log_probs(map(str.split, TEXT)))
    kept = [log_p[0][1:], log_p[1][1:], log_p[2], log_p[3][[0, 3]]]
    np.testing.assert_allclose(found.nats[2], [-x.sum() for x in kept], rtol=1e-12)
    assert {word: entry.count for word, entry in found.words.items()} == {"</s>": 4, WORDS[1]: 1, WORDS[2]: 1}
    np.testing.assert_allclose(found.words["</s>"].nats, [4 * math.log(2), 4 * math.log(4), -sum(x[-1] for x in kept)])


def test_each_model_reads_a_text_with_its_own_case():
    class Cased(Fixed):
        def log_probs(self, sentences):
            return (
                np.log([0.5 if word in self.vocab.index else 0.001 for word in [*words, "cat"]]) for words in sentences
            )

    text = ["Cat dog", "cat \u0130", "Dog Cat bird", " "]
    lower, cased = Cased(1, [*WORDS, "i\u0307"], lower=True), Cased(1, [*WORDS, "Cat", "Dog"])
    for scorers in ([lower, cased], [cased, lower]):
        found = compare(scorers, text)
        assert found.tokens.tolist() == [3, 2, 4]
        assert sum(found.oovs) == found.left_out == 1
        assert {word: entry.count for word, entry in found.words.items()} == {
            "Cat": 2, "dog": 1, "cat": 1, "Dog": 1, "bird": 1, "</s>": 3,
        }  # fmt: skip
        np.testing.assert_allclose(found.ppl, [2, 2])


def test_a_line_that_models_cut_differently_is_left_out():
    characters = [Fixed(0.5, "abi", "char", lower) for lower in (True, False)]
    found = compare(characters, ["ab", "a\u0130", "", "ba"])
    assert (found.tokens.tolist(), found.left_out) == ([3, 3], 4)
    assert compare(characters, ["ab", ""], blank_lines=True).tokens.tolist() == [3, 1]


def test_words_of_probability_zero_are_left_out():
    class Zero(Fixed):
        def log_probs(self, sentences):
            return (np.array([-np.inf] * len(words) + [self.log_p]) for words in sentences)

    found = compare([Fixed(0.5), Zero(0.5)], TEXT, blank_lines=True)
    assert (found.tokens.tolist(), found.left_out, found.zeroprobs) == ([1, 1, 1, 1], 6, [0, 5])


def test_the_words_that_differ_most():
    words = {"b": module.Word(5, np.array([1.0, 3.0])), "a": module.Word(1, np.array([4.0, 2.0]))}
    words["c"] = module.Word(9, np.array([1.0, 4.0]))
    found = Comparison(np.zeros((2, 1)), np.ones(1), 0, [0, 0], [0, 0], words)
    assert [word for word, _ in found.most_different(9)] == ["c", "a", "b"]
    assert [word for word, _ in found.most_different(1)] == ["c"]


def test_nothing_to_compare():
    with pytest.raises(DataError, match="some.txt: 2 tokens"):
        compare([Fixed(0.5), Fixed(0)], [WORDS[0]], "some.txt")
    with pytest.raises(UsageError, match="words .* characters"):
        compare([Fixed(0.5), Fixed(0.5, "ab", "char")], TEXT)


def sample(S, rng):
    tokens = rng.integers(1, 30, S)
    nats = rng.gamma(5, 1, (2, S)) * tokens
    nats[1] = 0.9 * nats[0] + 0.05 * nats[1]
    return Comparison(nats, tokens, 0, [0, 0], [0, 0])


def test_bootstrap_is_its_definition():
    rng = np.random.default_rng(3)
    found = sample(300, rng)
    drawn = bootstrap(found, 2000, seed=5)
    picks = rng.integers(0, 300, (2000, 300))
    entropy = found.nats[:, picks].sum(axis=2) / found.tokens[picks].sum(axis=1)
    for m in range(2):
        np.testing.assert_allclose(drawn.ppl[m], np.percentile(np.exp(entropy[m]), [2.5, 97.5]), rtol=0.05)
        ratio = np.exp(entropy[m] - entropy[0])
        np.testing.assert_allclose(drawn.against[m], np.percentile(ratio, [2.5, 97.5]), rtol=0.02)
    assert drawn.against[0] == (1, 1)
    assert drawn.better[0] == 0
    assert drawn.better[1] == pytest.approx((entropy[1] < entropy[0]).mean(), abs=0.05)
    low, high = drawn.ppl[1]
    assert low < found.ppl[1] < high


def test_bootstrap_depends_on_the_seed_alone():
    found = sample(100, np.random.default_rng(4))
    assert bootstrap(found, 200, seed=1) == bootstrap(found, 200, seed=1)
    assert bootstrap(found, 200, seed=1) != bootstrap(found, 200, seed=2)


def test_of_a_long_text_neighbours_are_drawn_together(monkeypatch):
    found = sample(1000, np.random.default_rng(5))
    monkeypatch.setattr(module, "GROUPS", 300)
    drawn = bootstrap(found, 500)
    monkeypatch.undo()
    np.testing.assert_allclose(drawn.ppl, bootstrap(found, 500).ppl, rtol=0.1)


def test_sentences_without_a_compared_token():
    found = bootstrap(Comparison(np.array([[0.0, 3.0]] * 2), np.array([0, 1]), 0, [0, 0], [0, 0]), 200)
    assert found.ppl[0] == pytest.approx((math.exp(3), math.exp(3)))


def test_one_sentence():
    found = bootstrap(Comparison(np.array([[6.0], [3.0]]), np.array([3]), 0, [0, 0], [0, 0]), 100)
    assert found.ppl[0] == pytest.approx((math.exp(2), math.exp(2)))
    assert found.better == [0, 1]
