"""Sentences that are strings, on every kind of scorer."""

import math

import numpy as np
import pytest

import rnnlm
from rnnlm.errors import UsageError
from rnnlm.lm import arpa
from rnnlm.lm.kneser_ney import estimate, read

SENTENCE = "the cat sees a quagga now"
LN10 = math.log(10)


@pytest.fixture(scope="module")
def models(trained, tmp_path_factory):
    """Scorers by name; the mixture's models know different words."""
    path = tmp_path_factory.mktemp("strings") / "3.arpa"
    with open(path, "wb") as file:
        arpa.write(estimate(*read([trained["test.txt"]]), 3), file)
    found = {name: rnnlm.load(trained[name]) for name in ("stream", "sentences")} | {"arpa": rnnlm.load(path)}
    return found | {"mixture": rnnlm.mix([found["sentences"], found["arpa"]], [0.7, 0.3])}


every_model = pytest.mark.parametrize("name", ["stream", "sentences", "arpa", "mixture"])


@every_model
@pytest.mark.parametrize("sentence", [SENTENCE, "", "quagga", "</s> the", SENTENCE.encode()])
def test_the_score_is_the_sum_of_full_scores(models, name, sentence):
    model = models[name]
    full = list(model.full_scores(sentence))
    assert model.score(sentence) == pytest.approx(sum(log_p for log_p, _, _ in full), abs=1e-4)
    assert model.score(sentence, eos=False) == pytest.approx(sum(log_p for log_p, _, _ in full[:-1]), abs=1e-4)
    assert model.perplexity(sentence) == pytest.approx(10 ** (-model.score(sentence) / len(full)))


@every_model
def test_scores_are_log_probs_to_base_10(models, name):
    model = models[name]
    (expected,) = model.log_probs([SENTENCE.split()])
    np.testing.assert_allclose([log_p for log_p, _, _ in model.full_scores(SENTENCE)], expected / LN10, atol=1e-5)


@every_model
def test_a_walk_gives_one_word_as_it_gives_all(models, name):
    model = models[name]
    walk = model.walk()
    for word in [*model.vocab.words[2:6], "quagga", "the"]:
        log_p, _ = walk.next(word)
        i = model.vocab.index.get(word, 2)
        assert log_p == pytest.approx(walk.log_p[i], abs=1e-6)
        walk = walk.after(word)
    assert walk.next(None)[0] == pytest.approx(walk.log_p[1], abs=1e-6)


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.filterwarnings("ignore:a network cannot begin without context")
def test_a_mixture_mixes_every_word(models, bos):
    """Also those that only one of the models knows."""
    model, parts = models["mixture"], [models["sentences"], models["arpa"]]
    sentence = "the cat sees a fish " + next(w for w in parts[1].vocab.words[3:] if w not in parts[0].vocab.index)
    rows = [[log_p for log_p, _, _ in part.full_scores(sentence, bos)] for part in parts]
    p = [10**a * 0.7 + 10**b * 0.3 for a, b in zip(*rows)]
    p[5] = 10 ** rows[1][5] * 0.3  # the network lacks the word
    found = [log_p for log_p, _, _ in model.full_scores(sentence, bos)]
    np.testing.assert_allclose(found, np.log10(p), atol=1e-6)


def test_lengths_are_those_of_n_grams_or_of_the_sentence(models):
    assert [n for _, n, _ in models["sentences"].full_scores("the cat sees")] == [2, 3, 4, 5]
    found = [n for _, n, _ in models["arpa"].full_scores("the cat sees quagga the")]
    assert found[:3] == [2, 3, 3]
    assert found[3:5] == [1, 1]
    mixed = [n for _, n, _ in models["mixture"].full_scores("the cat sees")]
    assert mixed == [2, 3, 4, 5]
    assert [models[name].order for name in ("arpa", "stream", "mixture")] == [3, math.inf, math.inf]


def test_without_bos_an_n_gram_model_has_no_context(models):
    model = models["arpa"]
    (log_p, length, _), *_ = model.full_scores("cat", bos=False)
    assert length == 1
    assert log_p * LN10 == pytest.approx(model.orders[0].log_p[model.vocab.index["cat"]])
    assert model.score("cat", bos=False) != pytest.approx(model.score("cat"))


def test_without_bos_a_network_warns(models):
    with pytest.warns(UserWarning, match="without context"):
        found = models["stream"].score(SENTENCE, bos=False)
    assert found == pytest.approx(models["stream"].score(SENTENCE), abs=1e-4)


@every_model
def test_words_of_the_vocabulary(models, name):
    model = models[name]
    assert "the" in model
    assert b"the" in model
    assert "quagga" not in model
    assert [word in model for word in ("<s>", "</s>", "<unk>")] == [True, True, False]
    assert [oov for _, _, oov in model.full_scores("the quagga <unk>")] == [False, True, True, False]


def test_characters_and_lower_case(trained, tmp_path):
    assert [n for _, n, _ in rnnlm.load(trained["char"]).full_scores("a cat")] == [2, 3, 4, 5, 6, 7]
    model = rnnlm.load(trained["sentences"])
    model.vocab.lower = True
    try:
        assert "The" in model
        assert model.score("THE CAT") == model.score("the cat")
    finally:
        model.vocab.lower = False


@every_model
def test_the_beginning_of_a_sentence_is_never_predicted(models, name):
    (log_p, length, oov), *others = models[name].full_scores("<s> the cat")
    assert (log_p, length, oov) == (-math.inf, 1, False)
    np.testing.assert_allclose(others, list(models[name].full_scores("the cat")))
    assert models[name].score("<s> the cat") == -math.inf


@pytest.mark.parametrize("wrong", [["the", "cat"], None, 3])
def test_what_is_no_string_is_refused(models, wrong):
    with pytest.raises(UsageError, match="string"):
        models["arpa"].score(wrong)


def test_a_probability_of_zero(tmp_path):
    (tmp_path / "no-unk.arpa").write_text("\\data\\\nngram 1=3\n\n\\1-grams:\n-99 <s>\n-0.3 a\n-0.3 </s>\n\n\\end\\\n")
    model = rnnlm.load(tmp_path / "no-unk.arpa")
    assert model.score("a b") == -math.inf
    assert model.perplexity("a b") == math.inf
