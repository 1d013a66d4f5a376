"""A source of known entropy: the network must learn all that there is to learn, and cannot learn more."""

import numpy as np
import pytest

from rnnlm import config
from rnnlm.experiment import Config, prepare
from rnnlm.lm.network import NetworkScorer
from rnnlm.text.vocab import EOS

WORDS = [f"w{i}" for i in range(19)]
END = len(WORDS)  # the state between sentences


def chain(rng):
    """Transition probabilities (20, 20) from word to word, few of them likely; a sentence has at least one word."""
    P = 0.8 * rng.dirichlet(np.full(END + 1, 0.2), END + 1) + 0.2 / (END + 1)
    P[:END, END] = 0.12
    P[END, END] = 0
    return P / P.sum(axis=1, keepdims=True)


def draw(P, rng, tokens):
    """So many states that follow each other, beginning after a sentence end."""
    cumulative, states, state = P.cumsum(axis=1), [], END
    for point in rng.random(tokens):
        state = min(int(np.searchsorted(cumulative[state], point, side="right")), END)
        states.append(state)
    return np.array(states)


def write(path, states):
    """The states as text, a sentence a line."""
    path.write_text("".join("\n" if state == END else WORDS[state] + " " for state in states))


@pytest.mark.parametrize("reading", ["stream", "sentences"])
def test_network_reaches_the_perplexity_of_a_markov_chain(tmp_path, monkeypatch, reading):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    P = chain(rng)
    write(tmp_path / "train.txt", draw(P, rng, 100_000))
    settings = {
        "data": {"train": "train.txt", "reading": reading},
        "model": {"cell": {"size": 24}},
        "optimizer": {"kind": "adam", "lr": 0.02},
        "schedule": "cosine",
        "training": {"epochs": 3, "batch": 32, "window": 20, "clip_norm": 1},
    }
    experiment = prepare(config.build(Config, settings))
    for _ in experiment.trainer.run():
        pass

    states = draw(P, rng, 20_000)
    before = np.concatenate([[END], states[:-1]])
    truth = -np.log(P[before, states])  # nats per token of the held-out text, under the chain itself
    ids = np.array([*experiment.vocab.ids(WORDS), EOS], np.int32)[states]
    sentences = filter(len, np.split(ids, np.flatnonzero(ids == EOS) + 1))
    stream = reading == "stream"
    scorer = NetworkScorer(experiment.trainer.network, stream, carried=stream)
    found = np.concatenate(list(scorer.nats(sentences)))

    excess = found - truth  # its mean is the logarithm of the ratio of perplexities
    noise = excess.std() / np.sqrt(len(excess))
    assert -3 * noise < excess.mean() < np.log(1.01)
    assert noise < 0.001  # or else the test would say little
