"""Rescoring: a model's scores of hypotheses, their combination, and what is written of it."""

import numpy as np

from rnnlm.lm.rescoring.nbest import Hypothesis, NBest
from rnnlm.lm.rescoring.rescore import LOG_ZERO, Scored, Weights, rescore
from rnnlm.text.vocab import Vocabulary
from tests.lm.rescoring.conftest import errors


def test_scores_of_hypotheses(heard, scorer):
    s = heard[0][3]
    assert s.scores.shape == (len(s.nbest.hypotheses), 5)
    np.testing.assert_array_equal(s.scores[:, 0], [h.ac for h in s.nbest.hypotheses])
    np.testing.assert_array_equal(s.scores[:, 3], [-len(h.words) for h in s.nbest.hypotheses])
    alone = [next(scorer.log_probs([h.words])).sum(dtype=float) for h in s.nbest.hypotheses]
    np.testing.assert_allclose(s.scores[:, 1], alone, rtol=1e-5)


def test_word_error_rate_falls(heard):
    scored, distances = heard
    first, rescored = (sum(d[0] for d in distances), errors(scored, distances, Weights(lm=3, penalty=-1)))
    oracle = sum(d.min() for d in distances)
    assert 0 <= oracle <= rescored < 0.8 * first


def test_equal_scores_keep_their_order():
    scores = np.array([[0, -1, 0, -1, 0], [0, 0, 0, -1, 0], [0, -1, 0, -1, 0], [0, 0, 0, -1, 0]], float)
    assert list(Scored(NBest("", []), scores).ranking(Weights())) == [1, 3, 0, 2]


def test_the_best_hypothesis_and_the_whole_list_as_lines():
    nbest = NBest("u", [Hypothesis("u", ["a", "b"], -1.0), Hypothesis("u", ["c"], -2.0)])
    s = Scored(nbest, np.array([[-1.0, -4, 0, -2, 0], [-2.0, -1, 0, -1, 0]]))
    assert [s.best(Weights(lm=lm)) for lm in (0, 1)] == ["u a b", "u c"]
    assert list(s.lines(Weights(), "mikolov")) == ["u c", "u a b"]
    assert list(s.lines(Weights(lm=0), "srilm")) == list(s.lines(Weights(lm=0), "srilm-stream"))


class Certain:
    """A scorer for which everything but `a` is impossible."""

    vocab = Vocabulary(["<s>", "</s>", "<unk>", "a", "b"], [1] * 5)

    def alternatives(self, lists):
        for sentences in lists:
            yield [np.array([0.0 if word == "a" else -np.inf for word in [*words, "a"]]) for words in sentences]


def test_what_is_impossible_is_worse_the_more_of_it_there_is():
    (s,) = rescore(Certain(), [NBest("u", [Hypothesis("u", words.split()) for words in ("b b", "a", "a b", "")])])
    np.testing.assert_allclose(s.scores[:, 1], [2 * LOG_ZERO, 0, LOG_ZERO, 0])
    assert list(s.ranking(Weights())) == [1, 3, 2, 0]
