"""Sequence to sequence: pairs of a source and a target sentence, `source<TAB>target`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnlm.errors import UsageError
from rnnlm.files import keep
from rnnlm.nn.gradcheck import synthetic_batch
from rnnlm.tasks.base import Examples, chosen, questions, sentence, targets_of, text_of, verdict
from rnnlm.tasks.decode import MAX_TOKENS, Decoding, decoder_side, greedy
from rnnlm.tasks.unrolled import Side, Unrolled, chains, known, run
from rnnlm.text.corpus import encode
from rnnlm.text.unknown import UnknownWords
from rnnlm.text.vocab import BOS, EOS, Vocabularies, Vocabulary
from rnnlm.text.windows import PairBatch, shifted, weights_of


class Pairs(Decoding, reading="pairs"):
    """Pairs of a source and a target sentence, which is predicted."""

    doc = "lines of source<TAB>target"
    outputs, outcomes = Vocabulary, "target vocabulary"

    def vocabulary(self, data, share):
        return Vocabularies(*(chosen(self.counts(data, share, column), data) for column in (0, 1)))

    def encode(self, paths, words, data, model):
        for path in paths:
            keep(path)
        return Examples.of(encode(paths, words.inputs, column=0), encode(paths, words.outputs, column=1))

    def lengths(self, corpus):
        """Length of each pair: that of the longer of the two."""
        return np.maximum(super().lengths(corpus), super().lengths(corpus.other))

    def batch(self, corpus, sentences):
        source, known, lengths = targets_of(corpus, sentences, ends=0)
        targets, valid, _ = targets_of(corpus.other, sentences)
        return PairBatch(
            source, None if known.all() else lengths, shifted(targets, BOS), targets, weights=weights_of(valid)
        )

    def predictions(self, corpus):
        return len(corpus.other.ids)

    def questions(self, network, text):
        """Each line is a source; an empty one has no target."""
        words = network.vocab.inputs
        for line in questions(text):
            unknown = UnknownWords(words)
            ids = words.read(unknown.split(line))
            yield {"source": line}, pair_batch(ids) if len(ids) else None, unknown.note

    def unroll(self, network, example, k):
        """A source and its target, which stands behind a tab, or else is the answer: L = -log p of the target."""
        inputs, outputs = network.vocab.inputs, network.vocab.outputs
        source, tab, target = example.partition("\t")
        unknown, unknown_target = UnknownWords(inputs), UnknownWords(outputs)
        tokens, answer = unknown.split(source), unknown_target.split(target)
        if not tokens:
            raise UsageError("a line without a source", "expected a source, or a source, a tab and its target")
        ids = inputs.read(tokens)
        if not tab:
            answer = [outputs.words[i] for i in greedy(network, pair_batch(ids), MAX_TOKENS)[0].ids]
        batch = pair_batch(ids, outputs.read(answer))
        bits, seen = run(network, batch)
        read = tokens[::-1] if network.model.reverse else tokens
        own = [one for one in seen if one.path[0] == "encoder"]
        encoder = Side("encoder", read, known(read, inputs), chains(own), [None] * len(read))
        decoder = decoder_side(network, batch, answer, bits, seen, k)
        loss = f"-log p of the {'target' if tab else 'answer'}"
        note = "\n".join(filter(None, [unknown.note, unknown_target.note]))
        return Unrolled(example, loss, float(bits.sum()), [encoder, decoder], note)

    def sample(self, network, corpus, i, rng):
        source, true = sentence(corpus, i), sentence(corpus.other, i)
        (found,) = greedy(network, pair_batch(source), 2 * len(true) + 10)
        guess, answer = (text_of(network.vocab.outputs, ids) for ids in (found.ids, true))
        return f"{text_of(network.vocab.inputs, source)} -> {guess} {verdict(guess, answer)}"

    def synthetic_batch(self, network, T, B, rng):
        target = synthetic_batch(len(network.vocab), T, B, rng)
        source = rng.integers(0, len(network.vocab.inputs), (T, B), dtype=np.int32)
        lengths = np.maximum(T - np.arange(B), 1)
        return PairBatch(source, lengths, target.inputs, target.targets, weights=target.weights)


def pair_batch(source: np.ndarray, target: Sequence[int] | np.ndarray = ()) -> PairBatch:
    """Batch of one source, ids (n,), and of the ids of its target, if it is known."""
    targets = np.array([*target, EOS], np.int32)[:, None]
    return PairBatch(source[:, None], None, shifted(targets, BOS), targets)
