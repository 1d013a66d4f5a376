"""Blank models: what they may not see, and their figures."""

import numpy as np
import pytest

from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.perplexity import examine, rank
from rnnlm.nn.cells import Vanilla
from rnnlm.nn.gradcheck import synthetic_vocab
from rnnlm.nn.models import Blank
from rnnlm.tasks import blanks
from rnnlm.text.vocab import Vocabulary
from rnnlm.text.windows import BlankBatch
from tests.kinds import FAMILY, MODELS, network_of

T = 6
BLANKS = [name for name in FAMILY if name.startswith("blank")]


@pytest.mark.parametrize("name", BLANKS)
def test_a_blank_does_not_see_its_own_word_and_sees_all_others(name):
    network, rng = network_of(FAMILY[name]), np.random.default_rng(1)
    batch = BlankBatch(rng.integers(3, 19, (T, 1), dtype=np.int32), np.array([T]))

    def predictions():
        return network.target_log_probs(batch)[:, 0].copy()

    before = predictions()
    for t in range(T):
        batch.targets[t] += 1
        moved = np.abs(predictions() - before).max(axis=1) > 0
        assert moved.tolist() == [place != t for place in range(T)]
        batch.targets[t] -= 1


@pytest.mark.parametrize("name", BLANKS)
def test_a_blank_in_a_padded_sentence_has_the_same_neighbours(name):
    network, rng = network_of(FAMILY[name]), np.random.default_rng(1)
    words = rng.integers(3, 19, (T, 2), dtype=np.int32)
    padded = BlankBatch(words, np.array([T, 3]))
    short = BlankBatch(words[:3, 1:], np.array([3]))
    together = network.target_log_probs(padded)[:3, 1].copy()
    alone = network.target_log_probs(short)[:, 0]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    np.testing.assert_allclose(np.exp(alone).sum(axis=1), 1, rtol=1e-12)


def test_the_blank_of_a_mirrored_text_under_mirrored_weights_is_the_same():
    """The two directions are treated alike: exchanged, with the ends of the sentence, they see the text from behind."""
    network, mirror = network_of(Blank(cell=Vanilla(size=4))), network_of(Blank(cell=Vanilla(size=4)))
    p, q = network.params, mirror.params
    swap = [1, 0, *range(2, len(network.vocab))]  # <s> and </s>
    for one, other in (("forwards", "backwards"), ("backwards", "forwards")):
        for name in ("W", "b"):
            q[one]["cell"][name][...] = p[other]["cell"][name]
        q[one]["cell"]["U"][...] = p[other]["cell"]["U"][swap]
    q["head"]["V"][:, :4], q["head"]["V"][:, 4:] = p["head"]["V"][:, 4:], p["head"]["V"][:, :4]
    words = np.random.default_rng(1).integers(3, 19, (T, 1), dtype=np.int32)
    here, there = (BlankBatch(x, np.array([T])) for x in (words, words[::-1]))
    found = network.target_log_probs(here)
    np.testing.assert_allclose(mirror.target_log_probs(there)[::-1], found, rtol=1e-12)


def test_figures_of_blanks():
    network = network_of(FAMILY["blank"])
    batch = BlankBatch(np.array([[5, 3], [2, 4], [7, 1]], np.int32), np.array([3, 2]))  # 2 is <unk>; 1 is padding
    log_p = network.target_log_probs(batch).copy()
    places = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]
    true = np.array([log_p[t, b, batch.targets[t, b]] for t, b in places])
    log_p[:, :, :2] = -np.inf
    ranks = np.array([(log_p[t, b] >= true[i]).sum() for i, (t, b) in enumerate(places)])
    known = [0, 2, 3, 4]
    found = blanks.count(network, iter([batch]))
    for part, chosen in (("all", slice(None)), ("known", known)):
        expected = {"words": len(ranks[chosen]), "right": (ranks[chosen] == 1).sum(), "top": (ranks[chosen] <= 5).sum()}
        assert {name: found[name, part] for name in expected} == expected
        assert found["nats", part] == pytest.approx(-true[chosen].sum())
    twice = blanks.count(network, iter([batch, batch]))
    assert twice["words", "all"] == 10
    assert twice["nats", "known"] == pytest.approx(2 * found["nats", "known"])


def test_of_equal_probabilities_none_is_first():
    """In blanks as in `eval --ranks`: a model that knows nothing is never right."""
    network = network_of(FAMILY["blank one-hot"])
    network.params["head"]["V"][...] = network.params["head"]["c"][...] = 0
    found = blanks.count(network, iter([BlankBatch(np.array([[5], [2], [7]], np.int32), np.array([3]))]))
    assert [found[name, "all"] for name in ("words", "right", "top")] == [3, 0, 0]
    text = network_of(MODELS["one-hot"])
    text.params["head"]["V"][...] = text.params["head"]["c"][...] = 0
    (seen,) = examine(NetworkScorer(text, stream=False), [text.vocab.words[5:7]])
    assert list(seen.ranks) == [len(text.vocab) - 1] * 3  # all but <s>


def test_ranks():
    log_p = np.array([[-3, -1, -1, -3], [-1, -4, -2, -3], [-np.inf, -1, -1, -np.inf]])
    assert rank(log_p, np.array([1, 2, 3]), never=()).tolist() == [2, 2, 4]
    assert rank(log_p, np.array([3, 2, 3]), never=[0]).tolist() == [3, 1, 3]


def test_tokens_of_a_line_with_blanks():
    words, characters = synthetic_vocab(5), Vocabulary(["<s>", "</s>", "<unk>", "a"], [0, 1, 0, 1], "char")
    assert blanks.split("a __ ___ ______ b", words) == ["a", "__", "____", "____", "b"]
    assert blanks.split("a ____b", characters) == ["a", " ", "____", "b"]
