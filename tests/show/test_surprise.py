"""Surprise: bits of each word, and where in the text they are spent."""

import math

import numpy as np
import pytest

from rnnlm.errors import DataError
from rnnlm.lm.kneser_ney import estimate, read
from rnnlm.lm.perplexity import perplexity
from rnnlm.lm.scorer import Scorer
from rnnlm.loading import load_scorer
from rnnlm.show.surprise import surprise
from rnnlm.text.vocab import Vocabulary

WORDS = ["<s>", "</s>", "<unk>", "the", "cat", "dog", "never"]
BITS = {"the": 1.0, "cat": 3.0, "dog": 5.0, "never": 20.0, "</s>": 2.0}


class Fixed(Scorer):
    """A model in which every word has its own probability, and every other one that of `<unk>`."""

    kind, start, carried, order = "ngram", 0, False, 1

    def __init__(self, counts=(0, 40, 3, 1200, 90, 9, 0), bits=BITS):
        self.vocab, self.bits = Vocabulary(WORDS, counts), bits

    def log_probs(self, sentences):
        for words in sentences:
            yield np.array([-self.bits.get(word, 7.0) for word in [*words, "</s>"]]) * math.log(2)


def test_bits_by_frequency_class():
    found = surprise(Fixed(), ["the cat", "", "the dog dog x", "never the"])
    assert (found.tokens, found.zeroprobs) == (11, 0)
    total = 3 * 1 + 3 + 2 * 5 + 7 + 20 + 3 * 2
    assert found.bits == pytest.approx(total / 11)
    assert found.perplexity == pytest.approx(2 ** (total / 11))
    rows = [(each.name, each.tokens, each.low, each.high, each.costly) for each in found.classes]
    assert rows == [
        ("</s>", 3, None, None, ["</s>"]), ("1,000 to 9,999", 3, 1000, 9999, ["the"]),
        ("10 to 99", 1, 10, 99, ["cat"]), ("1 to 9", 2, 1, 9, ["dog"]), ("0", 1, 0, 0, ["never"]),
        ("<unk>", 1, None, None, ["x"]),
    ]  # fmt: skip
    assert [each.bits for each in found.classes] == pytest.approx([2, 1, 3, 5, 20, 7])
    assert [each.perplexity for each in found.classes] == pytest.approx([4, 2, 8, 32, 2**20, 128])
    assert sum(each.share for each in found.classes) == pytest.approx(1)
    assert sum(each.share_of_bits for each in found.classes) == pytest.approx(1)
    words = [(each.word, each.count, each.training) for each in found.words[:3]]
    assert words == [("never", 1, 0), ("dog", 2, 9), ("x", 1, None)]
    assert found.words[1].bits == pytest.approx(5)
    assert found.words[1].share == pytest.approx(10 / total)


def test_the_first_sentences_word_by_word():
    found = surprise(Fixed(), ["the x", "cat"], sentences=1)
    (sentence,) = found.sentences
    assert (sentence.words, sentence.known) == (["the", "x", "</s>"], [True, False, True])
    assert sentence.bits == pytest.approx([1, 7, 2])


def test_words_of_probability_zero_are_left_out_and_counted():
    found = surprise(Fixed(bits={**BITS, "cat": math.inf}), ["the cat"])
    assert (found.tokens, found.zeroprobs, found.bits) == (2, 1, pytest.approx(1.5))
    assert found.sentences[0].bits == [pytest.approx(1), None, pytest.approx(2)]


def test_a_vocabulary_without_counts_has_one_class_of_words():
    found = surprise(Fixed(counts=[0] * 7), ["the cat x"])
    assert [each.name for each in found.classes] == ["</s>", "all words", "<unk>"]
    assert {each.training for each in found.words} == {None}


def test_a_text_of_nothing():
    with pytest.raises(DataError, match="here: no sentences"):
        surprise(Fixed(), ["", ""], name="here")


@pytest.mark.parametrize("name", ["stream", "sentences", "char"])
@pytest.mark.parametrize("carried", [True, False])
def test_its_perplexity_is_that_of_eval(trained, name, carried):
    lines = trained["test.txt"].read_text().splitlines()
    scorer = load_scorer(trained[name], carried)
    found, wanted = surprise(scorer, lines), perplexity(scorer, lines).total
    assert (found.tokens, found.perplexity) == (wanted.tokens, pytest.approx(wanted.ppl_unk, rel=1e-6))
    bits = sum(each.tokens * each.bits for each in found.classes)
    assert bits / found.tokens == pytest.approx(wanted.bits_per_token, rel=1e-6)
    assert sum(each.tokens for each in found.classes) == wanted.tokens


def test_an_n_gram_model(trained):
    model = estimate(*read([trained["test.txt"].parent / "train.txt"]), 2)
    lines = trained["test.txt"].read_text().splitlines()
    found, wanted = surprise(model, lines), perplexity(model, lines).total
    assert found.perplexity == pytest.approx(wanted.ppl_unk)
    assert sum(each.tokens for each in found.classes) == wanted.tokens
