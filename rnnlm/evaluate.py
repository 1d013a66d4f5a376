"""Perplexity of a network over a corpus."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rnnlm.corpus import Corpus, Sentences, Stream
from rnnlm.heads import Loss
from rnnlm.models.base import Network
from rnnlm.vocab import EOS

WINDOW = 512  # tokens at once: wide enough for fast products, small in memory


def token_nats(network: Network, corpus: Corpus, carried: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """-log p of every token of the corpus: pairs (positions in corpus.ids, nats), both (n,), each position once.

    carried: one stream from the first word to the last, the hidden state carried across sentence ends; otherwise each
    sentence alone, from the initial state and <s>.
    """
    reading = Stream(corpus, 1, WINDOW) if carried else Sentences(corpus, 32)
    state = None
    for batch in reading.batches():
        nats, state = network.nats(batch, state)
        real = slice(None) if batch.weights is None else batch.weights > 0
        yield batch.positions[real].ravel(), nats[real].ravel()


def loss(network: Network, corpus: Corpus, carried: bool) -> Loss:
    """Cross-entropy of the whole corpus, sentence ends and <unk> counted."""
    return sum((Loss(float(n.sum(dtype=float)), len(n)) for _, n in token_nats(network, corpus, carried)), Loss())


@dataclass(frozen=True)
class Evaluation:
    """The figures of a model on a text, under both conventions for words out of the vocabulary (OOVs)."""

    sentences: int
    words: int  # without sentence ends
    oovs: int
    characters: int
    nats: float  # of every token, an OOV counted as <unk>
    nats_known: float  # without the OOVs
    nats_words: float  # of the known words, without sentence ends
    zeroprobs: int  # tokens of probability zero

    @property
    def perplexity(self) -> float:
        """exp of the mean over words and sentence ends, OOVs as <unk>."""
        return _exp(self.nats / (self.words + self.sentences))

    @property
    def ppl(self) -> float:
        """SRILM's ppl: OOVs left out."""
        return _exp(self.nats_known / max(self.words - self.oovs - self.zeroprobs + self.sentences, 1))

    @property
    def ppl1(self) -> float:
        """SRILM's ppl1: OOVs and sentence ends left out."""
        return _exp(self.nats_words / max(self.words - self.oovs - self.zeroprobs, 1))

    @property
    def logprob(self) -> float:
        """SRILM's logprob: log base 10, OOVs left out."""
        return -self.nats_known / math.log(10)

    @property
    def bits(self) -> float:
        """Bits per token, OOVs as <unk>."""
        return self.nats / (self.words + self.sentences) / math.log(2)

    @property
    def bits_per_character(self) -> float:
        """Bits per character of the text, line ends counted, OOVs as <unk>."""
        return self.nats / max(self.characters, 1) / math.log(2)


def evaluate(network: Network, corpus: Corpus, carried: bool) -> Evaluation:
    """All figures of a network on a corpus; see `token_nats` for `carried`."""
    nats = known = words = 0.0
    zeroprobs = 0
    for positions, token in token_nats(network, corpus, carried):
        ids, token = np.asarray(corpus.ids[positions]), token.astype(float)
        nats += token.sum()
        token, ids = token[ids >= 0], ids[ids >= 0]
        zero = ~np.isfinite(token)
        zeroprobs += int(zero.sum())
        known += token[~zero].sum()
        words += token[~zero & (ids != EOS)].sum()
    figures = corpus.sentences, corpus.words, corpus.oovs, corpus.characters
    return Evaluation(*figures, float(nats), float(known), float(words), zeroprobs)


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf
