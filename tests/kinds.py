"""One small instance of every registered kind, and of every option that changes what is computed.

Tests run over these: a new kind joins the gradient check and all the others by being listed here, and
`test_every_kind_has_an_example` fails until it is.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from rnnlm.nn.cells import GRU, LSTM, Bidirectional, Jordan, Leaky, Reservoir, Stack, Vanilla
from rnnlm.nn.compose import Recursive, TreeLSTM
from rnnlm.nn.gradcheck import synthetic_vocab
from rnnlm.nn.heads import Adaptive, Scores, Softmax
from rnnlm.nn.initializers import Chain, Glorot, Identity, Orthogonal, TimeScales, Uniform, Vectors, Zeros
from rnnlm.nn.models import Blank, Classifier, LanguageModel, Seq2Seq, Tree, Vec2Seq
from rnnlm.nn.network import Network
from rnnlm.nn.params import Parameters
from rnnlm.tasks.gradcheck import synthetic_vocab_for
from rnnlm.training.averaging import EMA, Tail, Triggered
from rnnlm.training.optim import SGD, Adagrad, Adam, Momentum, RMSProp
from rnnlm.training.schedule import Constant, Cosine, Newbob, Step

VOCAB = synthetic_vocab(9)
K = len(VOCAB)
TRUNCATE = 5  # k of the truncated examples: in windows of up to 5 steps their gradient is the whole one

CELLS = {
    "vanilla": Vanilla(size=3),
    "relu": Vanilla(size=3, activation="relu", init_W=Identity()),
    "sigmoid": Vanilla(size=3, activation="sigmoid"),
    "identity": Vanilla(size=3, activation="identity"),
    "no bias": Vanilla(size=3, bias=False),
    "one unit": Vanilla(size=1),
    "dropconnect": Vanilla(size=3, dropconnect=0.3),
    "dropconnect of others": Vanilla(size=3, dropconnect=0.3, dropconnect_self=False),
    "truncated": Vanilla(size=3, truncate=TRUNCATE),
    "truncated dropconnect": Vanilla(size=3, truncate=TRUNCATE, dropconnect=0.3),
    "zoneout": Vanilla(size=3, zoneout=0.4),
    "zoneout dropconnect": Vanilla(size=3, zoneout=0.4, dropconnect=0.3, activation="sigmoid", bias=False),
    "lstm": LSTM(size=3),
    "lstm dropconnect": LSTM(size=3, dropconnect=0.3),
    "gru": GRU(size=3),
    "jordan": Jordan(outputs=4, size=3),
    "jordan forced": Jordan(outputs=4, size=3, teacher_forcing=True, activation="sigmoid"),
    "leaky": Leaky(size=3, alpha=0.3),
    "leaky relu": Leaky(size=3, alpha=1, activation="relu"),
    "leaky spread": Leaky(size=3, alpha=0.2, spread=True),
    "leaky learned": Leaky(size=3, alpha=0.3, learned=True),
    "leaky spread learned": Leaky(size=3, alpha=0.2, spread=True, learned=True),
    "reservoir": Reservoir(size=4, density=0.7),
    "reservoir leak": Reservoir(size=4, density=1, leak=0.4),
    "bidirectional": Bidirectional(Vanilla(size=3)),
    "bidirectional sum": Bidirectional(LSTM(size=2), merge="sum"),
    "bidirectional stack": Bidirectional(Stack([GRU(size=2), Vanilla(size=3)], dropout=0.4)),
    "stack of bidirectionals": Stack([Bidirectional(Vanilla(size=3)), Bidirectional(GRU(size=2), merge="sum")]),
    "bidirectional others": Bidirectional(Stack([Leaky(size=3, alpha=0.3), Jordan(outputs=3, size=2)])),
    "stack": Stack([Vanilla(size=4), Vanilla(size=3), Vanilla(size=2, activation="sigmoid")]),
    "stack of one": Stack([Vanilla(size=3)], dropout=0.4),
    "stack dropout": Stack([Vanilla(size=3, dropconnect=0.3), Vanilla(size=2)], dropout=0.4),
    "stack truncated": Stack([Vanilla(size=3, truncate=TRUNCATE), Vanilla(size=2, truncate=TRUNCATE)]),
    "stack of kinds": Stack([LSTM(size=3), GRU(size=4), Vanilla(size=2)], dropout=0.4),
    "stack of others": Stack(
        [Reservoir(size=4, density=0.7), Jordan(outputs=3, size=3), Leaky(size=3, alpha=0.3, learned=True)], dropout=0.4
    ),
    "stack of stacks": Stack([Stack([Vanilla(size=3), Vanilla(size=2)], dropout=0.4), Vanilla(size=3)], dropout=0.4),
}

HEADS = {
    "softmax": Softmax(),
    "softmax bias from zero": Softmax(bias="zeros"),
    "softmax no bias": Softmax(bias="none"),
    "adaptive": Adaptive(cutoffs=[4, 7], narrow=2),
    "adaptive one cluster": Adaptive(cutoffs=[5], bias="zeros"),
    "adaptive no bias": Adaptive(cutoffs=[1, 2, 8], bias="none"),
    "scores": Scores(),
}
WIDTH = {name: K if isinstance(HEADS[name], Scores) else 3 for name in HEADS}  # of what each head sees

VECTORS = str(Path(__file__).parent / "files" / "vectors.txt")  # (3,) each, of some words of VOCAB

WORD_INITS = {"vectors": Vectors(VECTORS), "frozen vectors": Vectors(VECTORS, frozen=True, scale=2.0)}

MODELS = {
    "one-hot": LanguageModel(cell=Vanilla(size=4)),
    "embedding": LanguageModel(cell=Vanilla(size=4), embedding=3),
    "tied": LanguageModel(cell=Vanilla(size=3), embedding=3, head=Softmax(tied=True)),
    "vectors": LanguageModel(cell=Vanilla(size=4), embedding=3, init_E=WORD_INITS["vectors"]),
    "frozen vectors": LanguageModel(cell=Vanilla(size=4), embedding=3, init_E=WORD_INITS["frozen vectors"]),
    "tied frozen vectors": LanguageModel(
        cell=Vanilla(size=4), embedding=3, init_E=WORD_INITS["frozen vectors"], head=Softmax(tied=True)
    ),
    "tied no bias": LanguageModel(cell=Vanilla(size=3), embedding=3, head=Softmax(tied=True, bias="none")),
    "tied projection": LanguageModel(cell=Vanilla(size=4), embedding=3, head=Softmax(tied=True)),
    "tied adaptive": LanguageModel(cell=Vanilla(size=4), embedding=3, head=Adaptive(cutoffs=[4, 7], tied=True)),
    "adaptive": LanguageModel(cell=Vanilla(size=4), head=Adaptive(cutoffs=[4, 7], narrow=2)),
    "jordan": LanguageModel(cell=Jordan(outputs=K, size=4), head=Scores()),
    "jordan forced": LanguageModel(cell=Jordan(outputs=K, size=4, teacher_forcing=True), head=Scores()),
    "reservoir": LanguageModel(cell=Reservoir(size=4, density=0.7), embedding=3),
    "input dropout": LanguageModel(cell=Vanilla(size=4), embedding=3, dropout_input=0.4),
    "word dropout": LanguageModel(cell=Vanilla(size=4), embedding=3, dropout_words=0.3),
    "output dropout": LanguageModel(cell=Vanilla(size=4), dropout_output=0.4),
    "tutorial": LanguageModel(cell=Vanilla(size=4, bias=False, truncate=TRUNCATE), head=Softmax(bias="none")),
    "noise": LanguageModel(cell=Vanilla(size=4), embedding=3, noise_input=0.3),
    "ar": LanguageModel(cell=Vanilla(size=4), ar=2.0, dropout_output=0.4),
    "tar": LanguageModel(cell=Vanilla(size=4), embedding=3, tar=3.0),
    "skip": LanguageModel(cell=Vanilla(size=3), embedding=3, skip=True),
    "skip tied projection": LanguageModel(
        cell=Vanilla(size=4),
        embedding=3,
        head=Adaptive(cutoffs=[4, 7], tied=True),
        skip=True,
        ar=2.0,
        tar=1.0,
        dropout_words=0.3,
        noise_input=0.3,
    ),
    "all regularizers": LanguageModel(
        cell=Vanilla(size=3, dropconnect=0.3, zoneout=0.2),
        head=Softmax(tied=True),
        embedding=3,
        dropout_words=0.2,
        dropout_input=0.4,
        dropout_output=0.4,
        noise_input=0.2,
        skip=True,
        ar=2.0,
        tar=1.0,
    ),
    "all dropouts": LanguageModel(
        cell=Stack([Vanilla(size=4, dropconnect=0.3), Vanilla(size=5, dropconnect=0.3)], dropout=0.4),
        head=Softmax(tied=True),
        embedding=3,
        dropout_input=0.4,
        dropout_output=0.4,
    ),
}

COMPOSITIONS = {
    "recursive": Recursive(size=4),
    "recursive sigmoid": Recursive(size=4, activation="sigmoid"),
    "tree_lstm": TreeLSTM(size=3),
}

FAMILY = {  # the models of other tasks than a running text
    "blank": Blank(cell=Vanilla(size=4), embedding=3),
    "blank one-hot": Blank(cell=LSTM(size=3)),
    "blank frozen vectors": Blank(cell=Vanilla(size=4), embedding=3, init_E=WORD_INITS["frozen vectors"]),
    "blank tied": Blank(cell=GRU(size=3), embedding=3, head=Softmax(tied=True), dropout_input=0.3, dropout_output=0.4),
    "classifier": Classifier(cell=LSTM(size=4), embedding=3),
    "classifier one-hot": Classifier(cell=Vanilla(size=4)),
    "classifier mean": Classifier(
        cell=Stack([GRU(size=3), Vanilla(size=4)]), embedding=3, pool="mean", dropout_input=0.3, dropout_output=0.4
    ),
    "classifier both ways": Classifier(cell=Bidirectional(GRU(size=2)), embedding=3, pool="mean"),
    "seq2seq": Seq2Seq(encoder=LSTM(size=4), decoder=LSTM(size=4), embedding=3),
    "seq2seq vectors": Seq2Seq(
        encoder=Vanilla(size=4), decoder=Vanilla(size=4), embedding=3, init_E=WORD_INITS["vectors"]
    ),
    "seq2seq reversed": Seq2Seq(encoder=Vanilla(size=4), decoder=Vanilla(size=4), reverse=True),
    "seq2seq every step": Seq2Seq(
        encoder=Stack([LSTM(size=3), Vanilla(size=2)]), decoder=GRU(size=4), context="every_step", embedding=3
    ),
    "seq2seq both ways": Seq2Seq(
        encoder=Bidirectional(LSTM(size=2)), decoder=GRU(size=3), context="every_step", embedding=3
    ),
    "seq2seq own words": Seq2Seq(
        encoder=GRU(size=4),
        decoder=GRU(size=4),
        embedding=3,
        teacher_forcing=0.5,
        dropout_input=0.3,
        dropout_output=0.4,
    ),
    "vec2seq": Vec2Seq(vector=4, decoder=LSTM(size=3)),
    "vec2seq every step": Vec2Seq(vector=4, decoder=GRU(size=3), context="every_step", embedding=3, dropout_input=0.3),
}

TREES = {
    "one-hot": Tree(COMPOSITIONS["recursive"]),
    "embedding": Tree(COMPOSITIONS["recursive"], embedding=4),
    "narrow": Tree(COMPOSITIONS["recursive sigmoid"], embedding=2, dropout_input=0.3, dropout_output=0.4),
    "lstm one-hot": Tree(COMPOSITIONS["tree_lstm"]),
    "lstm": Tree(COMPOSITIONS["tree_lstm"], embedding=2, dropout_input=0.3, dropout_output=0.4),
}

OPTIMIZERS = {
    "sgd": SGD(lr=0.1),
    "sgd decay": SGD(lr=0.1, weight_decay=0.3),
    "momentum": Momentum(lr=0.1, momentum=0.8),
    "nesterov": Momentum(lr=0.1, momentum=0.8, nesterov=True),
    "adagrad": Adagrad(lr=0.1),
    "rmsprop": RMSProp(lr=0.01, decay=0.9),
    "adam": Adam(lr=0.01, beta1=0.8, beta2=0.95),
    "adam decay": Adam(lr=0.01, weight_decay=0.3),
}

AVERAGES = {
    "ema": EMA(decay=0.9),
    "ema without warm-up": EMA(decay=0.5, warmup=0),
    "tail": Tail(start=0.4),
    "triggered": Triggered(patience=1),
}

SCHEDULES = {
    "constant": Constant(),
    "warm-up": Constant(warmup=0.2),
    "step": Step(first=3, every=2, gamma=0.5),
    "cosine": Cosine(warmup=0.1, last=0.2),
    "newbob": Newbob(),
}

INITS = {
    "zeros": Zeros(),
    "uniform": Uniform(0.3),
    "glorot": Glorot(2.0),
    "orthogonal": Orthogonal(0.7),
    "identity": Identity(0.5),
    "chain": Chain(1.02, feedback=-0.1),
    "timescales": TimeScales(longest=10),
}

ALL = [CELLS, HEADS, MODELS, FAMILY, OPTIMIZERS, SCHEDULES, AVERAGES, INITS, WORD_INITS, COMPOSITIONS, TREES]


def parameters(specs, dtype=np.float64, seed=1):
    """Started parameters, a little noise on all of them, so that those that start from zero matter too."""
    rng = np.random.default_rng(seed)
    p = Parameters(specs, dtype, rng)
    p.flat += rng.uniform(-0.3, 0.3, p.flat.shape).astype(dtype)
    return p


def memory(dtype=np.float64):
    """An `empty` whose arrays hold NaN: whoever reads what nobody wrote is found out."""
    return lambda *shape: np.full(shape, np.nan, dtype)


def random_like(state, rng):
    """A random state of the same nesting, shapes and dtype."""
    if isinstance(state, tuple):
        return tuple(random_like(part, rng) for part in state)
    return rng.uniform(-0.5, 0.5, state.shape).astype(state.dtype)


def network_of(model, dtype=np.float64, seed=1):
    """A network with a small vocabulary of its task, and noise on all of its parameters."""
    rng = np.random.default_rng(seed)
    network = Network(model, synthetic_vocab_for(model), dtype, rng)
    network.params.flat += rng.uniform(-0.5, 0.5, network.params.flat.shape).astype(dtype)
    return network


def refused(kind, function, *arguments):
    """Message and hint of the error, of a class derived from `kind`, that function(*arguments) raises."""
    with pytest.raises(kind) as error:
        function(*arguments)
    return error.value.message, error.value.hint


# --- examples of each task other than a running text ---------------------------------------------------------------

NOUNS, VERBS = ["cat", "dog", "bird", "fish"], ["sees", "likes", "finds"]
READINGS = ["blanks", "labelled", "pairs", "vectors"]
SETTINGS = {
    "blanks": {"kind": "blank", "embedding": 6, "cell": {"size": 8}},
    "labelled": {"kind": "classifier", "embedding": 6, "cell": {"size": 8}, "dropout_output": 0.2},
    "pairs": {
        "kind": "seq2seq",
        "embedding": 6,
        "encoder": {"size": 8},
        "decoder": {"size": 8},
        "teacher_forcing": 0.7,
    },
    "vectors": {"kind": "vec2seq", "vector": 4, "embedding": 6, "decoder": {"size": 8}},
}


def lines_of(reading, number, seed):
    """Lines of a small task: the noun is the label, and the source is the target from behind."""
    rng = random.Random(seed)
    for _ in range(number):
        noun, words = rng.choice(NOUNS), [rng.choice(NOUNS) for _ in range(rng.randrange(4))]
        text = " ".join(["the", noun, rng.choice(VERBS), *words])
        yield {"labelled": f"{noun}\t{text}", "pairs": f"{text}\t{' '.join(text.split()[::-1])}"}.get(reading, text)
