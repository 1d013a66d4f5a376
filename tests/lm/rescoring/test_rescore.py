"""Rescoring: scores combined, errors counted, weights tuned, and a noisy channel whose errors the model corrects."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlm import config
from rnnlm.experiment import Config, prepare
from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.rescoring.nbest import Hypothesis, NBest
from rnnlm.lm.rescoring.rescore import LOG_ZERO, Errors, Scored, Weights, edit_distances, rescore, tune
from rnnlm.loading import load_model
from tests.conftest import NOUNS, VERBS

CONFUSED = dict(zip(["the", "a", "now", *VERBS], [*NOUNS, "the", "a"]))  # what sounds alike, mostly of another kind
CONFUSED |= {other: word for word, other in CONFUSED.items() if other not in CONFUSED}


def channel(sentences, seed=1, size=12, confused=CONFUSED):
    """N-best lists of what was heard: each word and its double get noisy scores, words get lost; and what was said."""
    rng = random.Random(seed)
    for number, words in enumerate(sentences):
        heard = [
            {(word,): rng.gauss(1, 1), (confused.get(word, word),): rng.gauss(0, 1), (): rng.gauss(-2, 1)}
            for word in words
        ]
        paths = {}
        for path in itertools.product(*heard):
            sentence = tuple(itertools.chain.from_iterable(path))
            paths[sentence] = max(sum(d[p] for d, p in zip(heard, path)), paths.get(sentence, -np.inf))
        best = sorted(paths, key=paths.get, reverse=True)[:size]
        yield NBest(f"u{number}", [Hypothesis(f"u{number}", list(s), 3 * paths[s]) for s in best]), words


@pytest.fixture(scope="module", params=["stream", "sentences"])
def heard(trained, request):
    """The lists of a noisy channel, scored by a trained network, and the distances from what was said."""
    loaded = load_model(trained[request.param])
    sentences = [line.split() for line in trained["test.txt"].read_text().splitlines()]
    return rescored(NetworkScorer(loaded.network, loaded.stream), channel(sentences))


def rescored(scorer, pairs):
    """Lists and what was said -> the lists scored, and the distances of their hypotheses from that."""
    lists, references = zip(*pairs)
    scored = list(rescore(scorer, lists, scorer.network.vocab.split))
    return scored, [
        edit_distances(words, [h.words for h in s.nbest.hypotheses]) for words, s in zip(references, scored)
    ]


def errors(scored, distances, weights):
    return sum(int(d[s.ranking(weights)[0]]) for s, d in zip(scored, distances))


def test_scores_of_hypotheses(heard, trained):
    scored, _ = heard
    s = scored[3]
    assert s.scores.shape == (len(s.nbest.hypotheses), 4)
    np.testing.assert_array_equal(s.scores[:, 0], [h.ac for h in s.nbest.hypotheses])
    np.testing.assert_array_equal(s.scores[:, 3], [-len(h.words) for h in s.nbest.hypotheses])
    np.testing.assert_allclose(s.scores[:, 1], [again(s, trained, heard)[i] for i in range(len(s.scores))], rtol=1e-5)


def again(s, trained, heard):
    """The log-probabilities of the hypotheses, of whichever network it was, one sentence after the other."""
    for name in ("stream", "sentences"):
        loaded = load_model(trained[name])
        scorer = NetworkScorer(loaded.network, loaded.stream)
        found = [next(scorer.log_probs([h.words])).sum(dtype=float) for h in s.nbest.hypotheses]
        if np.allclose(found, s.scores[:, 1], rtol=1e-5):
            return found
    raise AssertionError("no network scores like this")


def test_word_error_rate_falls(heard):
    scored, distances = heard
    first, rescored = (sum(d[0] for d in distances), errors(scored, distances, Weights(lm=3, penalty=-1)))
    oracle = sum(d.min() for d in distances)
    assert 0 <= oracle <= rescored < 0.8 * first


def test_a_noisy_channel_over_the_documentation(documentation, tmp_path):
    (tmp_path / "train.txt").write_text("\n".join(documentation["train"][:4000]))
    settings = {
        "data": {"train": str(tmp_path / "train.txt"), "max_size": 1500},
        "model": {"embedding": 32, "cell": {"size": 64, "init_U": {"kind": "orthogonal", "scale": 5}}},
        "optimizer": {"kind": "adam", "lr": 0.005},
        "training": {"epochs": 1, "batch": 20, "window": 20, "clip_norm": 1},
    }
    experiment = prepare(config.build(Config, settings))
    for _ in experiment.trainer.run():
        pass
    words = experiment.vocab.words[3:400]
    confused = dict(zip(words, random.Random(2).sample(words, len(words))))
    short = [line.split() for line in documentation["test"] if 4 <= len(line.split()) <= 7][:60]
    scorer = NetworkScorer(experiment.trainer.network, stream=True)
    scored, distances = rescored(scorer, channel(short, confused=confused))
    weights = tune(scored, distances, Weights(), ("lm", "penalty"))
    grid = [Weights(lm=lm, penalty=penalty) for lm in np.linspace(0, 4, 9) for penalty in np.linspace(-4, 4, 9)]
    assert errors(scored, distances, weights) <= min(errors(scored, distances, w) for w in grid)
    first, oracle = sum(d[0] for d in distances), sum(d.min() for d in distances)
    assert oracle <= errors(scored, distances, weights) < 0.9 * first


def test_tuned_weights_are_no_worse_than_a_grid(heard):
    scored, distances = heard
    free = ("lm", "penalty")
    weights = tune(scored, distances, Weights(), free)
    assert (weights.ac, weights.old) == (1, 0)
    assert weights.lm > 0
    grid = [Weights(1, lm, 0, p) for lm in np.linspace(0, 10, 21) for p in np.linspace(-10, 10, 21)]
    found = errors(scored, distances, weights)
    assert found <= min(errors(scored, distances, w) for w in grid) < errors(scored, distances, Weights(lm=0))
    assert tune(scored, distances, Weights(), free) == weights  # the same every time


def test_weights_tuned_on_one_half_help_the_other(heard):
    scored, distances = heard
    half = len(scored) // 2
    weights = tune(scored[:half], distances[:half], Weights(), ("lm", "penalty"))
    assert errors(scored[half:], distances[half:], weights) < sum(d[0] for d in distances[half:])


def lists_of_numbers(seed, U=30, N=12):
    """Scored lists out of thin air: four scores that all know something of the errors."""
    rng = np.random.default_rng(seed)
    for _ in range(U):
        n = int(rng.integers(1, N + 1))
        d = rng.integers(0, 6, n)
        noise = rng.normal(0, [60, 8, 9, 0], (n, 4))
        scores = np.round([-1000, -50, -60, -12] - d[:, None] * [30, 4, 2, 0] + noise, 1)
        scores[:, 3] += rng.integers(-2, 3, n)
        yield Scored(NBest("", [Hypothesis("", [])] * n), scores), d


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("free", [("lm",), ("penalty",), ("lm", "penalty"), ("lm", "old", "penalty")])
def test_tuning_against_a_finer_grid(seed, free):
    scored, distances = zip(*lists_of_numbers(seed))
    start = Weights(lm=2, old=1)
    axes = [np.linspace(0, 30, 16), np.linspace(0, 30, 7), np.linspace(-90, 90, 19)]
    grid = itertools.product(*(axes[("lm", "old", "penalty").index(name)] for name in free))
    least = min(errors(scored, distances, start._replace(**dict(zip(free, point)))) for point in grid)
    weights = tune(scored, distances, start, free)
    assert errors(scored, distances, weights) <= min(least, errors(scored, distances, start))
    assert all(getattr(weights, name) == getattr(start, name) for name in Weights._fields if name not in free)
    assert min(weights.lm, weights.old) >= 0


def test_one_weight_is_tuned_exactly():
    """Along one weight no value at all makes fewer errors: only where two hypotheses tie can anything change."""
    for seed in range(5):
        scored, distances = zip(*lists_of_numbers(seed, U=8, N=6))
        ties = []
        for s in scored:
            for a, b in itertools.combinations(s.scores, 2):
                if a[1] != b[1]:
                    ties.append((b[0] - a[0]) / (a[1] - b[1]))
        ties = sorted(x for x in ties if x > 0)
        between = [ties[0] / 2, *((x + y) / 2 for x, y in itertools.pairwise(ties)), ties[-1] + 1]
        least = min(errors(scored, distances, Weights(lm=x)) for x in between)
        assert errors(scored, distances, tune(scored, distances, Weights(), ("lm",))) == least


def test_lists_that_leave_no_choice():
    scored = [Scored(NBest("u", [Hypothesis("u", ["a"])]), np.array([[-1.0, -2, -3, -1]]))]
    assert tune(scored, [np.array([1])], Weights(lm=0.5), ("lm", "penalty")) == Weights(lm=0.5)


def test_equal_scores_keep_their_order():
    scores = np.array([[0, -1, 0, -1], [0, 0, 0, -1], [0, -1, 0, -1], [0, 0, 0, -1]], float)
    assert list(Scored(NBest("", []), scores).ranking(Weights())) == [1, 3, 0, 2]


class Certain:
    """A scorer for which everything but `a` is impossible."""

    def alternatives(self, lists):
        for sentences in lists:
            yield [np.array([0.0 if word == "a" else -np.inf for word in [*words, "a"]]) for words in sentences]


def test_what_is_impossible_is_worse_the_more_of_it_there_is():
    (s,) = rescore(Certain(), [NBest("u", [Hypothesis("u", words.split()) for words in ("b b", "a", "a b", "")])])
    np.testing.assert_allclose(s.scores[:, 1], [2 * LOG_ZERO, 0, LOG_ZERO, 0])
    assert list(s.ranking(Weights())) == [1, 3, 2, 0]


def levenshtein(a, b):
    """The definition, cell by cell."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


words = st.lists(st.sampled_from("abcd"), max_size=7)


@given(words, st.lists(words, min_size=1, max_size=5))
def test_edit_distances(reference, hypotheses):
    assert list(edit_distances(reference, hypotheses)) == [levenshtein(reference, words) for words in hypotheses]


def test_errors_add_up():
    total = Errors(1, 4, 1) + Errors(1, 6, 2)
    assert (total, total.wer) == (Errors(2, 10, 3), 0.3)
    assert np.isnan(Errors(1, 0, 2).wer)
