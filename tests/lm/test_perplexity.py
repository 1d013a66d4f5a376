import itertools
import math
import tracemalloc
from collections import Counter

import numpy as np
import pytest

from rnnlm.errors import DataError, UsageError
from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.perplexity import Figures, evaluate, loss, perplexity, rank
from rnnlm.nn.network import Network
from rnnlm.text.corpus import encode
from rnnlm.text.vocab import BOS, EOS, SPECIALS, Vocabulary
from tests.kinds import MODELS

VOCAB = Vocabulary([*SPECIALS, "a", "bc", "def"], [0, 2, 1, 4, 2, 1])
TEXT = ["a bc a", "def zzz", "a <unk> yy xx"]
P = {"a": 0.5, "bc": 0.25, "def": 0.0, "</s>": 0.125, "<unk>": 0.0625}


class Unigram:
    """A scorer with the probabilities P."""

    vocab, kind, start, carried = VOCAB, "unigram", BOS, False

    def log_probs(self, sentences):
        with np.errstate(divide="ignore"):
            for words in sentences:
                yield np.log([P.get(word, P["<unk>"]) for word in [*words, "</s>"]])


class Uniform:
    """A scorer that knows nothing."""

    vocab, kind, start, carried = VOCAB, "uniform", BOS, False

    def log_probs(self, sentences):
        return (np.full(len(words) + 1, -math.log(len(VOCAB))) for words in sentences)


def test_figures_under_both_conventions():
    total = perplexity(Unigram(), TEXT).total
    assert total[:5] == (3, 9, 3, 1, sum(map(len, TEXT)) + 3)
    # known: a bc a </s>, </s> (def has probability zero), a <unk> </s>; powers of 1/2
    known = 1 + 2 + 1 + 3 + 3 + 1 + 4 + 3
    assert total.nats_known == pytest.approx(known * math.log(2), abs=1e-12)
    assert total.logprob == pytest.approx(-known * math.log10(2), abs=1e-12)
    assert total.ppl == pytest.approx(10 ** (-total.logprob / (9 - 3 - 1 + 3)), rel=1e-12)
    assert total.ppl1 == pytest.approx(10 ** (-total.logprob / (9 - 3 - 1)), rel=1e-12)
    assert total.nats == total.ppl_unk == math.inf


def test_unknown_words_count_as_unk():
    total = perplexity(Unigram(), ["a zzz", "bc"]).total
    assert total.nats_per_token == pytest.approx((1 + 4 + 3 + 2 + 3) / 5 * math.log(2), abs=1e-12)
    assert total.bits_per_token == pytest.approx(13 / 5, abs=1e-12)
    assert total.bits_per_character == pytest.approx(13 / len("a zzz bc "), abs=1e-12)
    assert total.ppl_unk == pytest.approx(2 ** (13 / 5), rel=1e-12)
    assert (total.words, total.oovs, total.tokens) == (3, 1, 5)
    assert total.ppl == pytest.approx(2 ** (9 / 4), rel=1e-12)


def test_the_uniform_model_has_the_perplexity_of_its_vocabulary():
    total = perplexity(Uniform(), ["a bc", "def"]).total
    assert total.ppl == pytest.approx(len(VOCAB), rel=1e-12)
    assert total.ppl_unk == pytest.approx(len(VOCAB), rel=1e-12)
    assert total.ppl1 == pytest.approx(len(VOCAB) ** (5 / 3), rel=1e-12)


def test_each_sentence_comes_with_its_words():
    first, second, third = evaluate(Uniform(), map(str.split, TEXT))
    assert first.words == ["a", "bc", "a"]
    assert second.known.tolist() == [True, False, True]
    assert third.known.tolist() == [True, True, False, False, True]
    assert third.figures.oovs == 2
    np.testing.assert_allclose(second.log_p, -math.log(len(VOCAB)))


def test_undefined_and_infinite_figures():
    nothing = Figures()
    assert all(math.isnan(x) for x in (nothing.ppl, nothing.ppl1, nothing.ppl_unk, nothing.bits_per_character))
    only_oov = Figures(sentences=1, words=1, oovs=1, nats=2.0, nats_known=1.0)
    assert math.isnan(only_oov.ppl1)
    assert only_oov.ppl == pytest.approx(math.e)
    assert Figures(sentences=1, nats=1e4, nats_known=1e4).ppl == math.inf


def test_memory_does_not_grow_with_the_text():
    tracemalloc.start()
    total = perplexity(Uniform(), itertools.repeat("a bc zzz", 10_000)).total
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total.words == 30_000
    assert peak < 500_000  # bytes; the arrays of log-probabilities alone would take more


@pytest.mark.parametrize("oov", ["both", "exclude", "unk", "spread"])
def test_words_out_of_the_vocabulary(oov):
    found = perplexity(Unigram(), ["a zzz yy", "bc <unk> zzz"], oov)
    assert (found.unknown, found.oov_rate) == (3, 0.5)
    assert found.total.oovs == (3 if oov in ("both", "exclude") else 0)
    bits = 1 + 2 + 2 * 3 + 4 * 4 + (4 * math.log2(3) if oov == "spread" else 0)  # three types: zzz, yy, <unk>
    assert found.total.bits_per_token == pytest.approx(bits / 8, abs=1e-12)
    known = bits / 8 if oov in ("unk", "spread") else (1 + 2 + 2 * 3 + 4) / 5
    assert found.total.ppl == pytest.approx(2**known, rel=1e-12)
    assert found.oov_types == (3 if oov == "spread" else None)


def test_types_may_be_more_than_the_text_has():
    found = perplexity(Unigram(), ["zzz"], "spread", oov_types=8)
    assert found.total.bits_per_token == pytest.approx((4 + 3 + 3) / 2, abs=1e-12)


def test_empty_lines():
    found = perplexity(Unigram(), ["", "a\n", " ", "bc"])
    assert (found.blank_lines, found.total.sentences) == (2, 2)
    characters = Uniform()
    characters.vocab = Vocabulary([*SPECIALS, "a", " "], [0] * 5, "char")
    assert perplexity(characters, ["", "a a\n", ""]).total[:2] == (1, 3)
    found = perplexity(characters, ["", "a a\n", ""], blank_lines=True)
    assert (found.blank_lines, found.total[:2]) == (0, (3, 3))


def test_sentences_are_seen_in_order():
    seen = []
    perplexity(Unigram(), TEXT, seen=lambda sentence: seen.append(" ".join(sentence.words)))
    assert seen == TEXT


@pytest.mark.parametrize("text", [[], ["", "  "]])
def test_a_text_without_sentences(text):
    with pytest.raises(DataError) as error:
        perplexity(Unigram(), text, name="nothing.txt")
    assert "nothing.txt" in error.value.message


@pytest.mark.parametrize("text", ["a bc", [["a", "bc"]]])
def test_a_text_is_lines(text):
    with pytest.raises(UsageError) as error:
        perplexity(Unigram(), text)
    assert "lines of text" in error.value.message


def test_of_equals_none_is_first():
    log_p = np.array([[0.0, -1.0, -1.0, -2.0, -2.0, -np.inf], [-np.inf, -3.0, -1.0, -1.0, -1.0, -4.0]])
    assert rank(log_p, np.array([1, 3])).tolist() == [2, 3]
    assert rank(log_p[[0] * 5], np.arange(1, 6)).tolist() == [2, 2, 4, 4, 5]
    assert rank(log_p, np.array([3, 5]), never=(BOS, EOS)).tolist() == [3, 4]


@pytest.mark.parametrize("stream", [False, True])
def test_loss_of_a_corpus(stream, tmp_path):
    (tmp_path / "text.txt").write_text("\n\n".join(TEXT))
    network = Network(MODELS["embedding"], VOCAB, np.float64, np.random.default_rng(1))
    found = loss(network, encode([tmp_path / "text.txt"], VOCAB), stream)
    scorer = NetworkScorer(network, stream, carried=stream)
    assert found.tokens == 12
    assert found.nats == pytest.approx(-sum(log_p.sum() for log_p in scorer.log_probs(map(str.split, TEXT))), rel=1e-12)


DOCUMENTS = ["a bc", "def a", "", "", "a a bc def", "  ", "bc"]


@pytest.mark.parametrize("carried", [True, False])
def test_documents_are_texts_of_their_own(carried):
    network = Network(MODELS["embedding"], VOCAB, np.float64, np.random.default_rng(1))
    scorer = NetworkScorer(network, stream=True, carried=carried)
    parts = [DOCUMENTS[:2], DOCUMENTS[4:5], DOCUMENTS[6:]]
    found = perplexity(scorer, DOCUMENTS, documents=True, ranks=True)
    alone = [perplexity(scorer, part, ranks=True) for part in parts]
    assert (found.documents, found.blank_lines) == (3, 3)
    assert found.total.nats == pytest.approx(sum(one.total.nats for one in alone), rel=1e-12)
    assert found.ranks == sum((one.ranks for one in alone), Counter())
    through = perplexity(scorer, DOCUMENTS)
    assert (through.documents, through.total.sentences) == (1, 4)
    assert (through.total.nats == pytest.approx(found.total.nats, rel=1e-9)) == (not carried)


def test_the_loss_of_documents_is_that_of_eval(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(DOCUMENTS))
    network = Network(MODELS["embedding"], VOCAB, np.float64, np.random.default_rng(1))
    found = loss(network, encode([path], VOCAB, documents=True), True)
    scorer = NetworkScorer(network, stream=True, carried=True)
    assert found.nats == pytest.approx(perplexity(scorer, DOCUMENTS, documents=True).total.nats, rel=1e-12)
    assert found.nats != pytest.approx(loss(network, encode([path], VOCAB), True).nats, rel=1e-9)


def test_markers_are_counted():
    found = perplexity(Unigram(), ["<s> a </s>", "bc"])
    assert (found.total.words, found.markers.begins, found.markers.lines) == (2, 1, 2)
