import numpy as np
import pytest

from rnnlm.errors import NumericalError
from rnnlm.lm import sample as sampling
from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.sample import GROUP, Choosing, Sample, pick, sample
from rnnlm.nn.network import Network
from rnnlm.text.vocab import BOS, EOS, OOV, SPECIALS, UNK, Vocabulary, build, count
from tests.kinds import MODELS, VOCAB
from tests.lm import examples

P = np.array([0.3, 0.1, 0.2, 0.05, 0.15, 0.2])  # of <s>, </s>, <unk> and three words


def drawn(choosing, number=20_000, p=P):
    """How often each id is drawn."""
    with np.errstate(divide="ignore"):
        log_p = np.log(np.tile(p, (number, 1)))
    before = log_p.copy()
    ids = choosing.draw(log_p, np.random.default_rng(1))
    np.testing.assert_array_equal(log_p, before)
    return np.bincount(ids, minlength=len(p)) / number


def renormalised(p, allowed):
    p = np.where(np.isin(np.arange(len(p)), allowed), p, 0)
    return p / p.sum()


@pytest.mark.parametrize(
    ("choosing", "expected"),
    [
        (Choosing(), renormalised(P, [1, 3, 4, 5])),
        (Choosing(allow_unk=True), renormalised(P, [1, 2, 3, 4, 5])),
        (Choosing(temperature=0.5), renormalised(P**2, [1, 3, 4, 5])),
        (Choosing(temperature=2), renormalised(P**0.5, [1, 3, 4, 5])),
        (Choosing(top_k=2), renormalised(P, [4, 5])),
        (Choosing(top_k=1), renormalised(P, [5])),
        (Choosing(top_k=100), renormalised(P, [1, 3, 4, 5])),
        (Choosing(top_p=0.3), renormalised(P, [5])),
        (Choosing(top_p=0.5), renormalised(P, [4, 5])),
        (Choosing(top_p=0.8), renormalised(P, [1, 4, 5])),
        (Choosing(top_p=1), renormalised(P, [1, 3, 4, 5])),
        (Choosing(top_p=1e-9), renormalised(P, [5])),
        (Choosing(top_k=3, top_p=0.5), renormalised(P, [4, 5])),
        (Choosing(greedy=True), renormalised(P, [5])),
        (Choosing(temperature=1e-320), renormalised(P, [5])),
    ],
)
def test_draw(choosing, expected):
    np.testing.assert_allclose(drawn(choosing), expected, atol=0.015)


@pytest.mark.parametrize("greedy", [False, True])
def test_probabilities_that_are_not_numbers(greedy):
    """As large weights make them."""
    with pytest.raises(NumericalError) as error, np.errstate(invalid="ignore"):
        drawn(Choosing(greedy=greedy), 3, np.full(6, np.nan))
    assert "not numbers" in error.value.message
    assert "learning rate" in error.value.hint


@pytest.mark.parametrize("K", [1, 5, GROUP, GROUP + 1, 5 * GROUP - 3])
def test_groups_of_words_change_nothing(K):
    """pick() finds the word that the running sum over all words finds; a word of probability zero never."""
    rng = np.random.default_rng(K)
    p = rng.random((200, K)) * (rng.random((200, K)) < 0.3)
    p[np.arange(200), rng.integers(K, size=200)] += 0.1
    points = np.concatenate([np.zeros(20), np.full(20, np.nextafter(1, 0)), rng.random(160)])
    reach = p.cumsum(axis=1)
    drawn = pick(p, points)
    assert (p[np.arange(200), drawn] > 0).all()
    sums = np.column_stack([np.zeros(200), reach])
    point = points * reach[:, -1]
    assert (sums[np.arange(200), drawn] <= point + 1e-12 * reach[:, -1]).all()
    assert (sums[np.arange(200), drawn + 1] >= point - 1e-12 * reach[:, -1]).all()


def test_words_of_probability_zero_are_never_drawn():
    assert drawn(Choosing(), p=np.array([0, 0, 0, 0.5, 0, 0.5]))[[0, 1, 2, 4]].sum() == 0


# --- samples of a network ------------------------------------------------------------------------------------------


@pytest.fixture
def network():
    return examples.network()


def words(one):
    return [VOCAB.words[i] for i in one.ids]


def draw(network, seed=1, number=20, stream=True, **options):
    return list(sample(network, number, stream, np.random.default_rng(seed), **options))


@pytest.mark.parametrize("stream", [False, True])
def test_the_probability_of_a_sample_is_what_the_scorer_says(network, stream):
    samples = draw(network, stream=stream, choosing=Choosing(temperature=1.5, top_k=5))
    assert all(one.finished for one in samples)
    scores = NetworkScorer(network, stream).log_probs(map(words, samples))
    np.testing.assert_allclose([one.log_p for one in samples], [log_p.sum() for log_p in scores], atol=1e-12)


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_go_on_over_sentence_ends(network, stream):
    samples = draw(network, 2, 5, stream, max_tokens=40, sentences=False)
    assert [len(one.ids) for one in samples] == [40] * 5
    assert all(EOS in one.ids and not one.finished for one in samples)
    for one in samples:
        sentences = [line.split() for line in one.text(network).split("\n")]
        scores = np.concatenate(list(NetworkScorer(network, stream, carried=True).log_probs(sentences)))
        assert one.log_p == pytest.approx(scores[:40].sum(), abs=1e-12)


@pytest.mark.parametrize("prompt_window", [1, 2, 64])
@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_is_continued(network, stream, prompt_window, monkeypatch):
    monkeypatch.setattr(sampling, "PROMPT", prompt_window)
    prompt = [3, EOS, OOV, 5]
    scorer = NetworkScorer(network, stream, carried=True)
    for one in draw(network, 3, 5, stream, prompt=prompt):
        _, log_p = scorer.log_probs([[VOCAB.words[3]], ["unheard", VOCAB.words[5], *words(one)]])
        assert one.log_p == pytest.approx(log_p[2:].sum(), abs=1e-12)


def test_samples_are_distributed_as_the_model_says(network):
    first = [one.ids[0] if one.ids else EOS for one in draw(network, number=4000, max_tokens=1)]
    (log_p,), _ = network.log_probs(np.array([[EOS]]), network.initial_state(1))
    p = np.exp(log_p[0])
    p[[BOS, UNK]] = 0
    np.testing.assert_allclose(np.bincount(first, minlength=len(VOCAB)) / 4000, p / p.sum(), atol=0.03)


def test_the_seed_decides(network):
    assert draw(network, seed=1) == draw(network, seed=1)
    assert draw(network, seed=1) != draw(network, seed=2)


def test_unk_appears_only_where_it_is_allowed(network):
    assert not any(UNK in one.ids for one in draw(network, number=200))
    assert any(UNK in one.ids for one in draw(network, number=200, choosing=Choosing(allow_unk=True)))


def test_greedy_samples_are_the_likeliest_words(network):
    (one,) = draw(network, number=1, choosing=Choosing(greedy=True), max_tokens=6, sentences=False)
    log_p, _ = network.log_probs(np.array([EOS, *one.ids])[:, None], network.initial_state(1))
    log_p[..., [BOS, UNK]] = -np.inf
    assert one.ids == log_p[:-1, 0].argmax(axis=1).tolist()


@pytest.mark.parametrize("side_by_side", [1, 7])
def test_more_samples_than_fit_side_by_side(network, side_by_side, monkeypatch):
    monkeypatch.setattr(sampling, "LOGITS", side_by_side * len(VOCAB))
    samples = draw(network, number=15, max_tokens=3)
    assert len(samples) == 15
    scores = NetworkScorer(network, stream=True).log_probs(map(words, samples))
    for one, log_p in zip(samples, scores):
        assert one.log_p == pytest.approx(log_p[: len(one.ids) + one.finished].sum(), abs=1e-12)


def test_length_is_limited(network):
    assert max(len(one.ids) for one in draw(network, number=100, max_tokens=2)) == 2


def test_text(network):
    one = Sample([3, 4, EOS, EOS, 5])
    a, b, c = VOCAB.words[3:6]
    assert one.text(network) == f"{a} {b}\n\n{c}"
    characters = build(count(["ab c"], "char"))
    assert characters.words == [*SPECIALS, " ", "a", "b", "c"]
    network = Network(MODELS["one-hot"], characters, np.float64)
    assert Sample([4, 5, 3, 6, EOS]).text(network) == "ab c\n"
    assert Sample([3]).text(Network(MODELS["one-hot"], Vocabulary([*SPECIALS, "x"], [0] * 4))) == "x"
