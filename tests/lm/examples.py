"""A small network, sentences, and the definition of their log-probabilities, for tests of language models."""

import numpy as np

from rnnlm.nn.network import Network
from rnnlm.text.vocab import BOS, EOS, UNK
from tests.kinds import MODELS, VOCAB

WORDS = VOCAB.words[3:]
SENTENCES = [
    [WORDS[0], WORDS[1], WORDS[2]],
    [],
    [WORDS[3]],
    ["unheard", WORDS[1], "<unk>", "<s>", "</s>"],
    WORDS * 5,
    [WORDS[0]],
]
TEXT = SENTENCES * 2


def network(name="embedding", dtype=np.float64):
    """A network whose weights are large enough to tell words apart."""
    model = Network(MODELS[name], VOCAB, dtype, np.random.default_rng(1))
    model.params.flat[...] = np.random.default_rng(2).uniform(-1, 1, model.params.flat.shape)
    return model


def naive(model, stream, carried, sentences):
    """Log-probabilities of sentences by the definition: one word after the other."""
    state = model.initial_state(1)
    for words in sentences:
        state = state if carried else model.initial_state(1)
        before, log_p = EOS if stream else BOS, []
        for i in [*(VOCAB.index.get(word, UNK) for word in words), EOS]:
            scores, state = model.log_probs(np.array([[before]]), state)
            log_p.append(scores[0, 0, i])
            before = i
        yield np.array(log_p)


def naive_windows(stream, carried, T):
    """(inputs, targets, fresh) of each window of TEXT, by the definition."""
    tokens, before = [], EOS
    for number, words in enumerate(TEXT):
        ids = [*(VOCAB.index.get(word, UNK) for word in words), EOS]
        pieces = 1 if carried else -(-len(ids) // T)
        cuts = {int(part[0]) for part in np.array_split(np.arange(len(ids)), pieces)}
        for i, target in enumerate(ids):
            inputs = before if before != EOS or stream else BOS
            tokens.append((inputs, target, i == 0 and (number == 0 or not carried), i in cuts))
            before = target
    starts = range(0, len(tokens), T) if carried else [i for i, token in enumerate(tokens) if token[3]]
    for start, end in zip(starts, [*starts, len(tokens)][1:]):
        window = tokens[start:end]
        yield [t[0] for t in window], [t[1] for t in window], window[0][2]


def start_probability(scorer, sentences):
    """p(<s>) before the end of the last sentence: no text has that word, so it is put among the ids."""
    ids = [scorer.ids(words) for words in sentences]
    ids[-1][-1] = BOS
    return np.exp(-np.concatenate([w.nats.copy() for w in scorer.windows(ids)])[-1])
