"""Perplexity of a model on text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.scorer import Scorer
from rnnlm.nn.heads.loss import Loss, exp_mean
from rnnlm.nn.network import Network
from rnnlm.nn.ops import check_numbers
from rnnlm.text.corpus import Corpus
from rnnlm.text.vocab import BOS, EOS, OOV, UNK, Vocabulary


def loss(network: Network, corpus: Corpus, stream: bool) -> Loss:
    """Cross-entropy of a corpus, read as the network was trained: as a stream with the state carried, or by sentences.

    Sentence ends are counted, and words outside the vocabulary as `<unk>`.
    """
    starts = np.concatenate([[0], corpus.ends[:-1]])
    sentences = (corpus.ids[start:end] for start, end in zip(starts, corpus.ends))
    nats = NetworkScorer(network, stream, carried=stream).nats(sentences)
    return sum((Loss(float(n.sum(dtype=float)), len(n)) for n in nats), Loss())


class Evaluation(NamedTuple):
    """The figures of a model on a text, with words out of the vocabulary (OOVs) left out, and counted as `<unk>`.

    Addable: the figures of a text are the sum of those of its sentences.
    """

    sentences: int = 0
    words: int = 0  # without sentence ends
    oovs: int = 0
    zeroprobs: int = 0  # known words, and sentence ends, of probability zero
    characters: int = 0  # of the words, and one after each: a blank or the line's end
    nats: float = 0.0  # -log p of every token
    nats_known: float = 0.0  # the same without OOVs and zeroprobs
    unks: int = 0  # words that were read as `<unk>`: OOVs, and literal ones

    def __add__(self, other):  # type: ignore[override]
        return Evaluation(*(a + b for a, b in zip(self, other)))

    def spread(self, types: int) -> Evaluation:
        """The same where `<unk>` stands for so many types, which share its probability: each has p(<unk>) / types."""
        share = self.unks * math.log(types) if self.unks else 0.0
        return self._replace(nats=self.nats + share, nats_known=self.nats_known + share)

    @property
    def tokens(self) -> int:
        """Words and sentence ends."""
        return self.words + self.sentences

    @property
    def logprob(self) -> float:
        """SRILM's logprob: log base 10, OOVs and zeroprobs left out."""
        return -self.nats_known / math.log(10)

    @property
    def ppl(self) -> float:
        """SRILM's ppl: 10^(-logprob / (words - OOVs - zeroprobs + sentences)); nan where that is a division by zero."""
        return exp_mean(self.nats_known, self.tokens - self.oovs - self.zeroprobs)

    @property
    def ppl1(self) -> float:
        """SRILM's ppl1: the same logprob, but sentence ends not counted in the denominator."""
        return exp_mean(self.nats_known, self.words - self.oovs - self.zeroprobs)

    @property
    def ppl_unk(self) -> float:
        """exp of the mean over words and sentence ends, OOVs as `<unk>`: what training reports."""
        return exp_mean(self.nats, self.tokens)

    @property
    def nats_per_token(self) -> float:
        """Entropy per word and sentence end, OOVs as `<unk>`."""
        return Loss(self.nats, self.tokens).mean

    @property
    def bits_per_token(self) -> float:
        """The same in bits."""
        return self.nats_per_token / math.log(2)

    @property
    def bits_per_character(self) -> float:
        """Bits per character, OOVs as `<unk>`."""
        return Loss(self.nats, self.characters).bits


class Scored(NamedTuple):
    """A sentence of n words under a model."""

    words: Sequence[str]
    log_p: np.ndarray  # (n + 1,) natural log; the last is that of </s>
    known: np.ndarray  # (n + 1,) whether the word is in the vocabulary
    figures: Evaluation


def evaluate(
    scorer: Scorer, vocab: Vocabulary, sentences: Iterable[Sequence[str]], as_unk: bool = False
) -> Iterator[Scored]:
    """Each sentence with its figures, in order: see `judge`. Memory does not grow with their number."""
    own, ahead = itertools.tee(sentences)
    return (judge(words, log_p, vocab, as_unk) for words, log_p in zip(own, scorer.log_probs(ahead)))


def judge(words: Sequence[str], log_p: np.ndarray, vocab: Vocabulary, as_unk: bool = False) -> Scored:
    """The figures of a sentence with these log-probabilities. as_unk: OOVs are the word `<unk>`, so there are none.

    Raises NumericalError if they are not numbers.
    """
    check_numbers(log_p)
    unk = np.array([vocab.index.get(word, UNK) == UNK for word in words] + [False])
    known = np.array([as_unk or word in vocab.index for word in words] + [True])
    zero = known & np.isneginf(log_p)
    figures = Evaluation(
        sentences=1,
        words=len(words),
        oovs=int((~known).sum()),
        zeroprobs=int(zero.sum()),
        characters=len(vocab.join(words)) + 1,
        nats=-float(log_p.sum(dtype=float)),
        nats_known=-float(log_p[known & ~zero].sum(dtype=float)),
        unks=int(unk.sum()),
    )
    return Scored(words, log_p, known, figures)


class Examined(NamedTuple):
    """What the whole distributions tell about a sentence."""

    ranks: np.ndarray  # of each right word that is in the vocabulary, and of </s>: 1 is the likeliest
    error: float  # the largest |sum of all probabilities - 1|


def examine(scorer: Scorer, sentences: Iterable[Sequence[str]]) -> Iterator[Examined]:
    """Each sentence's ranks, and how far its distributions are from adding up to one.

    A word's rank is the number of words, itself included, that are at least as probable: of equals none is first.
    `<s>`, which never follows, is not counted. The time goes with the vocabulary: every word is looked at every time.
    """
    own, ahead = itertools.tee(sentences)
    rows = scorer.distributions(ahead)
    vocab = scorer.vocab
    for words in own:
        ranks, error = [], 0.0
        for i, row in zip([*vocab.ids(words), EOS], rows):
            error = max(error, abs(float(np.exp(row, dtype=float).sum()) - 1))
            if i != OOV:
                ranks.append(int((row >= row[i]).sum()) - int(row[BOS] >= row[i]))
        yield Examined(np.array(ranks), error)
