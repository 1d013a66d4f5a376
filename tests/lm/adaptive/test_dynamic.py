import itertools

import numpy as np
import pytest

from rnnlm.errors import NumericalError
from rnnlm.lm.adaptive import dynamic
from rnnlm.lm.adaptive.dynamic import Anchored, Descent, DynamicScorer, gradient_rms
from rnnlm.lm.network import NetworkScorer, SequentialScorer
from rnnlm.text.vocab import readable
from rnnlm.text.windows import Batch
from tests.lm.examples import TEXT, WORDS, naive_windows, network, start_probability


def rule(name, model):
    if name == "descent":
        return Descent(0.05)
    return Anchored(model.params.trainable, np.linspace(0, 3, model.params.trainable.size), 0.05, 0.2)


every_rule = pytest.mark.parametrize("name", ["descent", "anchored"])
both_readings = pytest.mark.parametrize(("stream", "carried"), [(True, True), (False, False)])


@every_rule
@both_readings
@pytest.mark.parametrize("T", [1, 4])
def test_dynamic_evaluation_is_its_definition(name, stream, carried, T):
    model, learner = network("tied adaptive"), network("tied adaptive")
    found = np.concatenate(list(DynamicScorer(model, stream, carried, rule(name, model), T).log_probs(TEXT)))
    expected, state = [], None
    theta, trained = learner.params.trainable, model.params.trainable
    s = np.linspace(0, 3, theta.size)
    for inputs, targets, fresh in naive_windows(stream, carried, T):
        batch = Batch(np.array(inputs)[:, None], np.array(targets)[:, None], fresh=fresh)
        expected.extend(learner.nats(batch, state)[0][:, 0])
        loss, state = learner.loss_and_grad(batch, state)
        g = learner.grads.trainable * loss.tokens
        if name == "descent":
            theta -= 0.05 * g
        else:
            pull = np.minimum(0.2 * s / s.mean(), 1)
            theta += pull * (trained - theta) - 0.05 * g / (s + dynamic.EPS * s.mean())
    np.testing.assert_allclose(-found, expected, rtol=0, atol=1e-10)
    assert np.abs(theta - trained).max() > 0.01


@every_rule
@both_readings
def test_no_probability_depends_on_its_own_word_or_on_what_follows(name, stream, carried):
    model = network()
    scorer = DynamicScorer(model, stream, carried, rule(name, model), tokens=4)
    text = [list(words) for words in TEXT]
    log_p = list(scorer.log_probs(text))
    for number, i in ((0, 1), (4, 0), (4, 6), (10, 9)):
        for word in WORDS:  # whatever stands there, the probabilities of these words are a distribution
            changed = [list(words) for words in text]
            changed[number][i] = word
            changed[number + 1 :] = [[WORDS[5]]]
            found = list(scorer.log_probs(changed))
            for before, after in zip(log_p[:number], found):
                np.testing.assert_array_equal(before, after)
            np.testing.assert_array_equal(found[number][:i], log_p[number][:i])
    p = []
    for word in [*WORDS, "<unk>", None]:
        ending = [*TEXT[:4], [*TEXT[4][:1], word] if word else TEXT[4][:1]]
        p.append(np.exp(list(scorer.log_probs(ending))[4][1]))
    assert 0.5 < sum(p) < 1  # <s> has the rest
    assert sum(p) + start_probability(scorer, [*TEXT[:4], TEXT[4][:1]]) == pytest.approx(1, abs=1e-12)


@every_rule
def test_the_loaded_weights_stay_and_every_text_begins_with_them(name):
    model = network()
    before = model.params.flat.copy()
    scorer = DynamicScorer(model, True, True, rule(name, model), tokens=3)
    first, second = zip(*zip(scorer.log_probs(TEXT), scorer.log_probs(TEXT)))  # in turns
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(second))
    np.testing.assert_array_equal(model.params.flat, before)
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(list(scorer.log_probs(TEXT))))


def test_what_is_said_again_gets_likelier():
    model = network()
    model.params.flat *= 0.1
    (repeated,) = DynamicScorer(model, True, True, Descent(0.1), tokens=5).log_probs([WORDS[:4] * 30])
    (static,) = NetworkScorer(model, True, True).log_probs([WORDS[:4] * 30])
    assert repeated[-21:-1].sum() > static[-21:-1].sum() + 5


def test_float32_stays_float32():
    model = network(dtype=np.float32)
    for name in ("descent", "anchored"):
        (log_p,) = DynamicScorer(model, True, True, rule(name, model), 4).log_probs([WORDS])
        assert log_p.dtype == np.float32


def test_divergence_is_reported():
    model = network(dtype=np.float32)
    with pytest.raises(NumericalError) as error:
        list(DynamicScorer(model, True, True, Descent(1e38), tokens=4).log_probs(TEXT))
    assert [word for word in ("diverged", "12 tokens", "1e+38") if word not in error.value.message] == []
    assert "--dev" in error.value.hint


def test_gradient_rms():
    model = network()
    scorer = SequentialScorer(model, True, True, 3)
    batches = list(scorer.batches(map(scorer.ids, TEXT)))
    squares, state = [], None
    for batch in batches:
        loss, state = model.loss_and_grad(batch, state)
        squares.append(loss.tokens * model.grads.trainable**2)
    np.testing.assert_allclose(gradient_rms(model, batches), np.sqrt(np.mean(squares, axis=0)), rtol=1e-12)


@pytest.mark.parametrize("dynamic", [False, True])
@both_readings
def test_distributions(stream, carried, dynamic):
    model = network("all dropouts")
    scorer = SequentialScorer(model, stream, carried, 4)
    if dynamic:
        scorer = DynamicScorer(model, stream, carried, Descent(0.05), 4)
    rows = np.array([row.copy() for row in scorer.distributions(TEXT)])
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1, rtol=0, atol=1e-12)
    targets = readable(np.concatenate(list(map(scorer.ids, TEXT))))
    expected = np.concatenate(list(scorer.log_probs(TEXT)))
    np.testing.assert_allclose(rows[np.arange(len(rows)), targets], expected, rtol=0, atol=1e-12)


def test_an_endless_text_is_read_window_by_window():
    read = itertools.count()
    endless = (WORDS[: 1 + next(read) % 3] for _ in itertools.repeat(None))
    scorer = DynamicScorer(network(), True, True, Descent(0.01), tokens=10)
    assert len(list(itertools.islice(scorer.log_probs(endless), 300))) == 300
    assert next(read) <= 300 + 10
