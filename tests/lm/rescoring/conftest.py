"""A noisy channel: n-best lists of a recogniser that confuses words which sound alike."""

import itertools
import random

import numpy as np
import pytest

from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.rescoring.nbest import Hypothesis, NBest
from rnnlm.lm.rescoring.rescore import rescore
from rnnlm.lm.rescoring.wer import edit_distances
from rnnlm.loading import load_model
from tests.conftest import NOUNS, VERBS

CONFUSED = dict(zip(["the", "a", "now", *VERBS], [*NOUNS, "the", "a"]))  # pairs that sound alike, mostly of two kinds
CONFUSED |= {other: word for word, other in CONFUSED.items() if other not in CONFUSED}


def channel(sentences, seed=1, size=12, confused=CONFUSED):
    """N-best lists and references: each word and the one it is confused with get noisy scores, and words get lost."""
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


def rescored(scorer, pairs):
    """Scored lists, and the word errors of their hypotheses, from lists and references."""
    lists, references = zip(*pairs)
    scored = list(rescore(scorer, lists, scorer.vocab.split))
    return scored, [
        edit_distances(words, [h.words for h in s.nbest.hypotheses]) for words, s in zip(references, scored)
    ]


def errors(scored, distances, weights):
    """Word errors of the best hypotheses under these weights."""
    return sum(int(d[s.ranking(weights)[0]]) for s, d in zip(scored, distances))


@pytest.fixture(scope="module", params=["stream", "sentences"])
def scorer(trained, request):
    """The scorer of a trained network."""
    loaded = load_model(trained[request.param])
    return NetworkScorer(loaded.network, loaded.stream)


@pytest.fixture(scope="module")
def heard(trained, scorer):
    """The lists of a noisy channel, scored by a trained network, and the word errors of their hypotheses."""
    return rescored(scorer, channel([line.split() for line in trained["test.txt"].read_text().splitlines()]))
