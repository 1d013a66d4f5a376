import itertools

import numpy as np
import pytest

from rnnlm.errors import UsageError
from rnnlm.lm import network as scoring
from rnnlm.lm.network import NetworkScorer, SequentialScorer
from rnnlm.text.vocab import BOS, EOS, UNK
from tests.kinds import MODELS, VOCAB
from tests.lm.examples import SENTENCES, TEXT, WORDS, naive, naive_windows, network


@pytest.mark.parametrize("tokens", [1, 3, 1024])
@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["one-hot", "embedding", "tied adaptive", "all dropouts"])
def test_one_log_probability_per_word_and_one_for_the_end(name, stream, carried, tokens):
    model = network(name)
    scorer = NetworkScorer(model, stream, carried)
    scorer.tokens = tokens  # where blocks, batches and windows are cut makes no difference
    found = list(scorer.log_probs(iter(SENTENCES)))
    expected = list(naive(model, stream, carried, SENTENCES))
    assert [len(log_p) for log_p in found] == [len(words) + 1 for words in SENTENCES]
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), rtol=0, atol=1e-12)


LISTS = [SENTENCES, [], [SENTENCES[4], SENTENCES[4][:7], SENTENCES[4][:7], ["unseen", WORDS[1]]], [[]], SENTENCES[::-1]]


@pytest.mark.parametrize("tokens", [1, 3, 1024])
@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_alternatives_are_scored_as_one_by_one(name, carried, tokens):
    model = network(name)
    scorer = NetworkScorer(model, True, carried)
    scorer.tokens = tokens
    found = list(scorer.alternatives(iter(LISTS)))
    assert [[len(log_p) for log_p in scores] for scores in found] == [
        [len(words) + 1 for words in sentences] for sentences in LISTS
    ]
    past = []  # the first sentence of each list so far
    for sentences, scores in zip(LISTS, found):
        for words, log_p in zip(sentences, scores):
            expected = list(naive(model, True, carried, [*past, words]))[-1]
            np.testing.assert_allclose(log_p, expected, rtol=0, atol=1e-12)
        past += sentences[:1] if carried else []


def test_what_alternatives_have_in_common_is_computed_once(monkeypatch):
    model = network()
    computed = []
    nats = model.nats
    monkeypatch.setattr(model, "nats", lambda batch, state: computed.append(batch.inputs.size) or nats(batch, state))
    a, b, c = WORDS[:3]
    list(
        NetworkScorer(model, True).alternatives([[[a, b, c], [a, b], [a, b, c, c], ["unheard"], ["unseen"]], [[a, b]]])
    )
    # a, <unk> | a b, <unk> </s> | a b c, a b </s> | a b c c, a b c </s> | a b c c </s>
    assert computed == [2, 2, 2, 2, 1]


def test_probabilities_of_all_continuations_add_up_to_one():
    scorer = NetworkScorer(network(), stream=False)
    words = [WORDS[0], WORDS[4]]
    ends = [[*words, word] for word in [*WORDS, "<unk>"]]
    p = [np.exp(log_p[2]) for log_p in scorer.log_probs([*ends, words])]
    before_start = np.exp(scorer.network.log_probs(np.array([[BOS]] + [[i] for i in VOCAB.ids(words)]),
                                                   scorer.network.initial_state(1))[0][2, 0, BOS])  # fmt: skip
    assert sum(p) + before_start == pytest.approx(1, abs=1e-12)


def test_float32_stays_float32():
    (log_p,) = NetworkScorer(network(dtype=np.float32), stream=True).log_probs([WORDS])
    assert log_p.dtype == np.float32


@pytest.mark.parametrize("carried", [False, True])
def test_an_endless_text_is_read_as_it_is_needed(carried):
    read = itertools.count()
    endless = (WORDS[: 1 + next(read) % 3] for _ in itertools.repeat(None))
    scorer = NetworkScorer(network(), stream=True, carried=carried)
    scorer.tokens = 10
    assert len(list(itertools.islice(scorer.log_probs(endless), 1000))) == 1000
    assert next(read) <= 1000 + scoring.BLOCK * scorer.tokens


def test_no_sentences():
    assert list(NetworkScorer(network(), stream=True).log_probs([])) == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("tokens", [2, 1024])
def test_likeliest(stream, tokens):
    model = network("tied adaptive")
    scorer = NetworkScorer(model, stream)
    scorer.tokens = tokens
    words = [WORDS[0], "unheard", WORDS[2], WORDS[2]]
    ids = [[EOS if stream else BOS], [VOCAB.index[WORDS[0]]], [UNK], *[[VOCAB.index[WORDS[2]]]] * 2]
    log_p, _ = model.log_probs(np.array(ids), model.initial_state(1))
    found = list(scorer.likeliest(words, len(VOCAB) - 1))
    assert len(found) == len(ids)
    for row, p in zip(found, np.exp(log_p[:, 0])):
        expected = sorted(((q, word) for q, word in zip(p[1:], VOCAB.words[1:])), reverse=True)
        assert [word for word, _ in row] == [word for _, word in expected]
        np.testing.assert_allclose([q for _, q in row], [q for q, _ in expected], atol=1e-12)
    assert [row[:2] for row in found] == list(scorer.likeliest(words, 2))


def test_memory_of_scores_is_bounded_for_any_vocabulary(monkeypatch):
    monkeypatch.setattr(scoring, "LOGITS", 5 * len(VOCAB))
    assert NetworkScorer(network(), stream=True).tokens == 5
    monkeypatch.setattr(scoring, "LOGITS", 5)
    assert NetworkScorer(network(), stream=True).tokens == 1


# --- in order, window by window ---


@pytest.mark.parametrize("tokens", [1, 3, 1024])
@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["one-hot", "tied projection", "tied adaptive", "all dropouts"])
def test_in_order_scores_are_the_definition(name, stream, carried, tokens):
    model = network(name)
    found = list(SequentialScorer(model, stream, carried, tokens).log_probs(iter(TEXT)))
    expected = list(naive(model, stream, carried, TEXT))
    assert [len(log_p) for log_p in found] == [len(words) + 1 for words in TEXT]
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("stream", "carried"), [(True, True), (False, False)])
@pytest.mark.parametrize("T", [1, 4, 7])
def test_windows(stream, carried, T):
    scorer = SequentialScorer(network(), stream, carried, T)
    found = list(scorer.batches(map(scorer.ids, TEXT)))
    expected = list(naive_windows(stream, carried, T))
    assert [(b.inputs[:, 0].tolist(), b.targets[:, 0].tolist(), b.fresh) for b in found] == expected


def test_hidden_is_what_the_head_sees():
    for name in ("embedding", "tied projection", "output dropout"):
        model = network(name)
        scorer = SequentialScorer(model, True, True, 5)
        for window in scorer.windows([scorer.ids(WORDS)]):
            log_p = model.model.head.log_probs(model.p["head"], window.hidden)
            np.testing.assert_allclose(-log_p[np.arange(len(log_p)), window.targets], window.nats, atol=1e-12)


def test_no_branches():
    scorer = SequentialScorer(network(), True)
    for call in (scorer.walk, lambda: scorer.alternatives([])):
        with pytest.raises(UsageError) as error:
            call()
        assert "rnn" in error.value.message


def test_an_endless_text_is_read_window_by_window():
    read = itertools.count()
    endless = (WORDS[: 1 + next(read) % 3] for _ in itertools.repeat(None))
    scorer = SequentialScorer(network(), True, True, tokens=10)
    assert len(list(itertools.islice(scorer.log_probs(endless), 300))) == 300
    assert next(read) <= 300 + 10
