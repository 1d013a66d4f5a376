"""Tuning of weights: against grids, against the definition, and on a noisy channel over natural text."""

import itertools
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from rnnlm import config
from rnnlm.corpora import python_docs
from rnnlm.experiment import Config, prepare
from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.rescoring.formats import IMPOSSIBLE
from rnnlm.lm.rescoring.nbest import Hypothesis, NBest
from rnnlm.lm.rescoring.rescore import Scored, Weights, combined
from rnnlm.lm.rescoring.tuning import tune
from tests.lm.rescoring.conftest import channel, errors, rescored


def test_a_noisy_channel_over_documentation(tmp_path):
    library = Path(os.__file__).parent
    for package in ("email", "http", "unittest"):
        shutil.copytree(library / package, tmp_path / "library" / package)
    lines = list(itertools.chain(*python_docs.build(tmp_path / "library")[0].values()))
    (tmp_path / "train.txt").write_text("\n".join(line for i, line in enumerate(lines) if i % 8))
    settings = {
        "data": {"train": str(tmp_path / "train.txt"), "max_size": 1000},
        "model": {"embedding": 24, "cell": {"size": 48, "init_U": {"kind": "orthogonal", "scale": 5}}},
        "optimizer": {"kind": "adam", "lr": 0.01},
        "training": {"epochs": 1, "batch": 20, "window": 20, "clip_norm": 1},
    }
    experiment = prepare(config.build(Config, settings))
    for _ in experiment.trainer.run():
        pass
    words = experiment.vocab.words[3:400]
    confused = dict(zip(words, random.Random(2).sample(words, len(words))))
    short = [line.split() for line in lines[::8] if 4 <= len(line.split()) <= 7][:40]
    scorer = NetworkScorer(experiment.trainer.network, stream=True)
    scored, distances = rescored(scorer, channel(short, confused=confused))
    weights = tune(scored, distances, Weights(), ("lm", "penalty"))
    grid = np.array([Weights(1, lm, 0, penalty) for lm in np.linspace(0, 4, 9) for penalty in np.linspace(-4, 4, 9)])
    assert errors(scored, distances, weights) <= fewest_errors(scored, distances, grid)
    first, oracle = sum(d[0] for d in distances), sum(d.min() for d in distances)
    assert oracle <= errors(scored, distances, weights) < 0.9 * first


def test_tuned_weights_are_no_worse_than_a_grid(heard):
    scored, distances = heard
    free = ("lm", "penalty")
    weights = tune(scored, distances, Weights(), free)
    assert (weights.ac, weights.old) == (1, 0)
    assert weights.lm > 0
    grid = np.array([Weights(1, lm, 0, p) for lm in np.linspace(0, 10, 21) for p in np.linspace(-10, 10, 21)])
    least = fewest_errors(scored, distances, grid)
    assert errors(scored, distances, weights) <= least < errors(scored, distances, Weights(lm=0))
    assert tune(scored, distances, Weights(), free) == weights  # the same every time


def test_weights_tuned_on_one_half_help_the_other(heard):
    scored, distances = heard
    half = len(scored) // 2
    weights = tune(scored[:half], distances[:half], Weights(), ("lm", "penalty"))
    assert errors(scored[half:], distances[half:], weights) < sum(d[0] for d in distances[half:])


def lists_of_numbers(seed, U=30, N=12):
    """Random scored lists and word errors: scores that all know something of the errors."""
    rng = np.random.default_rng(seed)
    for _ in range(U):
        n = int(rng.integers(1, N + 1))
        d = rng.integers(0, 6, n)
        noise = rng.normal(0, [60, 8, 9, 0], (n, 4))
        scores = np.round([-1000, -50, -60, -12] - d[:, None] * [30, 4, 2, 0] + noise, 1)
        scores[:, 3] += rng.integers(-2, 3, n)
        scores = np.column_stack([scores, np.zeros(n)])
        yield Scored(NBest("", [Hypothesis("", [])] * n), scores), d


def fewest_errors(scored, distances, grid):
    """Fewest errors of any weights in a grid (G, 4)."""
    chosen = (combined(s.scores.T[:, None], grid.T[..., None]).argmax(axis=1) for s in scored)
    return sum(d[n] for d, n in zip(distances, chosen)).min()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("free", [("lm",), ("penalty",), ("lm", "penalty"), ("lm", "old", "penalty")])
def test_tuning_against_a_finer_grid(seed, free):
    scored, distances = zip(*lists_of_numbers(seed))
    start = Weights(lm=2, old=1)
    axes = {"lm": np.linspace(0, 30, 16), "old": np.linspace(0, 30, 7), "penalty": np.linspace(-90, 90, 19)}
    values = [axes[name] if name in free else [value] for name, value in start._asdict().items()]
    weights = tune(scored, distances, start, free)
    found = errors(scored, distances, weights)
    assert found <= fewest_errors(scored, distances, np.array(list(itertools.product(*values))))
    assert found <= errors(scored, distances, start)
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
    scored = [Scored(NBest("u", [Hypothesis("u", ["a"])]), np.array([[-1.0, -2, -3, -1, 0]]))]
    assert tune(scored, [np.array([1])], Weights(lm=0.5), ("lm", "penalty")) == Weights(lm=0.5)


def test_the_penalty_of_unknown_words_is_tuned():
    """Hypotheses with an unknown word are wrong, and better than the others in all else."""
    rng = np.random.default_rng(5)
    scored, distances = [], []
    for _ in range(20):
        bonus = rng.uniform(1, 6)
        scores = np.array([[-10, -8 + bonus, 0, -4, -1], [-10, -8, 0, -4, 0], [-11, -9, 0, -4, 0]])
        scored.append(Scored(NBest("u", [Hypothesis("u", [])] * 3), scores))
        distances.append(np.array([1, 0, 2]))
    assert errors(scored, distances, Weights()) == 20
    assert errors(scored, distances, tune(scored, distances, Weights(), ("lm", "penalty"))) > 0
    weights = tune(scored, distances, Weights(), ("lm", "penalty", "oov"))
    assert errors(scored, distances, weights) == 0
    assert weights.oov > 0
    assert weights.oov == float(f"{weights.oov:.2g}")
    fixed = tune(scored, distances, Weights(oov=3), ("lm", "penalty"))
    assert (fixed.oov, errors(scored, distances, fixed)) == (3, 0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("free", [("lm", "penalty", "oov"), ("oov",)])
def test_tuning_with_unknown_words_against_a_grid(seed, free):
    rng, lists = np.random.default_rng(seed), []
    for s, d in lists_of_numbers(seed):
        s.scores[:, 4] = -rng.integers(0, 3, len(d)) * (d > 1)
        lists.append((s, d))
    scored, distances = zip(*lists)
    grid = {"lm": np.linspace(0, 30, 11), "penalty": np.linspace(-90, 90, 11), "oov": np.linspace(0, 20, 11)}
    values = [grid[name] if name in free else [value] for name, value in Weights(lm=2)._asdict().items()]
    rows = np.array([Weights(*row).factors for row in itertools.product(*values)])
    weights = tune(scored, distances, Weights(lm=2), free)
    assert errors(scored, distances, weights) <= fewest_errors(scored, distances, rows)
    assert weights.oov >= 0


def test_impossible_hypotheses_do_not_disturb():
    scored, distances = zip(*lists_of_numbers(1))
    expected = tune(scored, distances, Weights(), ("lm", "penalty"))
    worse = [
        (
            Scored(NBest("", [Hypothesis("", [])] * (len(d) + 1)), np.vstack([s.scores, [IMPOSSIBLE, 0, 0, 0, 0]])),
            [*d, 9],
        )
        for s, d in zip(scored, distances)
    ]
    scored, distances = zip(*((s, np.array(d)) for s, d in worse))
    assert tune(scored, distances, Weights(), ("lm", "penalty")) == expected
    only = [Scored(NBest("", [Hypothesis("", [])]), np.array([[IMPOSSIBLE, -1.0, 0, -1, 0]]))]
    assert tune(only, [np.array([1])], Weights(), ("lm",)) == Weights()
