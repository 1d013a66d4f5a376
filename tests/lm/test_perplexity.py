import itertools
import math
import tracemalloc

import numpy as np
import pytest

from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.perplexity import Evaluation, evaluate, loss
from rnnlm.nn.network import Network
from rnnlm.text.corpus import encode
from rnnlm.text.vocab import SPECIALS, Vocabulary
from tests.kinds import MODELS

VOCAB = Vocabulary([*SPECIALS, "a", "bc", "def"], [0, 2, 1, 4, 2, 1])
TEXT = ["a bc a", "def zzz", "a <unk> yy xx"]
P = {"a": 0.5, "bc": 0.25, "def": 0.0, "</s>": 0.125, "<unk>": 0.0625}


class Unigram:
    """A scorer with the probabilities P."""

    def log_probs(self, sentences):
        with np.errstate(divide="ignore"):
            for words in sentences:
                yield np.log([P.get(word, P["<unk>"]) for word in [*words, "</s>"]])


class Uniform:
    """A scorer that knows nothing."""

    def log_probs(self, sentences):
        return (np.full(len(words) + 1, -math.log(len(VOCAB))) for words in sentences)


def test_figures_under_both_conventions():
    total = sum((s.figures for s in evaluate(Unigram(), VOCAB, map(str.split, TEXT))), Evaluation())
    assert total[:5] == (3, 9, 3, 1, sum(map(len, TEXT)) + 3)
    # known: a bc a </s>, </s> (def has probability zero), a <unk> </s>; powers of 1/2
    known = 1 + 2 + 1 + 3 + 3 + 1 + 4 + 3
    assert total.nats_known == pytest.approx(known * math.log(2), abs=1e-12)
    assert total.logprob == pytest.approx(-known * math.log10(2), abs=1e-12)
    assert total.ppl == pytest.approx(10 ** (-total.logprob / (9 - 3 - 1 + 3)), rel=1e-12)
    assert total.ppl1 == pytest.approx(10 ** (-total.logprob / (9 - 3 - 1)), rel=1e-12)
    assert total.nats == total.ppl_unk == math.inf


def test_unknown_words_count_as_unk():
    total = sum((s.figures for s in evaluate(Unigram(), VOCAB, [["a", "zzz"], ["bc"]])), Evaluation())
    assert total.nats_per_token == pytest.approx((1 + 4 + 3 + 2 + 3) / 5 * math.log(2), abs=1e-12)
    assert total.bits_per_token == pytest.approx(13 / 5, abs=1e-12)
    assert total.bits_per_character == pytest.approx(13 / len("a zzz bc "), abs=1e-12)
    assert total.ppl_unk == pytest.approx(2 ** (13 / 5), rel=1e-12)
    assert (total.words, total.oovs, total.tokens) == (3, 1, 5)
    assert total.ppl == pytest.approx(2 ** (9 / 4), rel=1e-12)


def test_the_uniform_model_has_the_perplexity_of_its_vocabulary():
    total = sum((s.figures for s in evaluate(Uniform(), VOCAB, [["a", "bc"], ["def"]])), Evaluation())
    assert total.ppl == pytest.approx(len(VOCAB), rel=1e-12)
    assert total.ppl_unk == pytest.approx(len(VOCAB), rel=1e-12)
    assert total.ppl1 == pytest.approx(len(VOCAB) ** (5 / 3), rel=1e-12)


def test_each_sentence_comes_with_its_words():
    first, second, third = evaluate(Uniform(), VOCAB, map(str.split, TEXT))
    assert first.words == ["a", "bc", "a"]
    assert second.known.tolist() == [True, False, True]
    assert third.known.tolist() == [True, True, False, False, True]
    assert third.figures.oovs == 2
    np.testing.assert_allclose(second.log_p, -math.log(len(VOCAB)))


def test_undefined_and_infinite_figures():
    nothing = Evaluation()
    assert all(math.isnan(x) for x in (nothing.ppl, nothing.ppl1, nothing.ppl_unk, nothing.bits_per_character))
    only_oov = Evaluation(sentences=1, words=1, oovs=1, nats=2.0, nats_known=1.0)
    assert math.isnan(only_oov.ppl1)
    assert only_oov.ppl == pytest.approx(math.e)
    assert Evaluation(sentences=1, nats=1e4, nats_known=1e4).ppl == math.inf


def test_memory_does_not_grow_with_the_text():
    sentences = itertools.repeat(["a", "bc", "zzz"], 10_000)
    tracemalloc.start()
    total = sum((s.figures for s in evaluate(Uniform(), VOCAB, sentences)), Evaluation())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total.words == 30_000
    assert peak < 500_000  # bytes; the arrays of log-probabilities alone would take more


@pytest.mark.parametrize("stream", [False, True])
def test_loss_of_a_corpus(stream, tmp_path):
    (tmp_path / "text.txt").write_text("\n\n".join(TEXT))
    network = Network(MODELS["embedding"], VOCAB, np.float64, np.random.default_rng(1))
    found = loss(network, encode([tmp_path / "text.txt"], VOCAB), stream)
    scorer = NetworkScorer(network, stream, carried=stream)
    assert found.tokens == 12
    assert found.nats == pytest.approx(-sum(log_p.sum() for log_p in scorer.log_probs(map(str.split, TEXT))), rel=1e-12)
