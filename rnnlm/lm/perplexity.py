"""Perplexity of a language model on text: the figures of `rnnlm eval`.

Dimension letters: n words of a sentence, K words of the vocabulary.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from rnnlm.errors import DataError, UsageError
from rnnlm.lm.mixture import Mixture
from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.scorer import Scorer, by_document
from rnnlm.nn.heads.loss import Loss, exp_mean
from rnnlm.nn.network import Network
from rnnlm.nn.ops import check_numbers
from rnnlm.text.corpus import Corpus
from rnnlm.text.unknown import Markers, UnknownWords
from rnnlm.text.vocab import BOS, EOS, OOV, UNK, Vocabulary

AT_ONCE = 1 << 16  # probabilities looked at together
LINES = "pass an open file, or a list of strings"


def loss(network: Network, corpus: Corpus, stream: bool, share: tuple[int, int] = (0, 1)) -> Loss:
    """Cross-entropy of a corpus, read as the network was trained: as a stream with the state carried, or by sentences.

    Where the corpus tells documents apart, each begins in the initial state. Sentence ends are counted, and words out
    of the vocabulary as `<unk>`; `Loss.known` leaves these out.

    share: (i, n), the part i of n alone: of documents, or of sentences that are read by themselves. The parts add up to
    the whole; all of a stream without documents, which cannot be parted, is part 0.
    """
    scorer = NetworkScorer(network, stream, carried=stream)

    def each() -> Iterator[Loss]:
        for document in _part(corpus, stream, *share):
            own, ahead = itertools.tee(document)
            for ids, nats in zip(own, scorer.nats(ahead)):
                oov = ids == OOV
                yield Loss(float(nats.sum(dtype=float)), len(nats), float(nats[oov].sum(dtype=float)), int(oov.sum()))

    return sum(each(), Loss())


def _part(corpus: Corpus, stream: bool, i: int, n: int) -> Iterator[Iterator[np.ndarray]]:
    """The sentences of every n-th document from number i on, or those of part i of n of all sentences."""
    if not stream:
        yield itertools.islice(corpus, corpus.sentences * i // n, corpus.sentences * (i + 1) // n)
        return
    for number, document in enumerate(corpus.documents):
        if number % n == i:
            yield document
        else:
            deque(document, maxlen=0)  # the documents are read from the same iterator


# --- figures ---


class Figures(NamedTuple):
    """Sums over the tokens of a text, and the perplexities that follow from them.

    Words out of the vocabulary (OOVs) are left out of some figures, and counted as `<unk>` in others. Addable: the
    figures of a text are the sum of those of its sentences.
    """

    sentences: int = 0
    words: int = 0  # without sentence ends
    oovs: int = 0
    zeroprobs: int = 0  # known words, and sentence ends, of probability zero
    characters: int = 0  # of the words, and one after each: a blank or the line's end
    nats: float = 0.0  # -log p of all tokens
    nats_known: float = 0.0  # -log p of all tokens but OOVs and zeroprobs
    unks: int = 0  # words read as `<unk>`: OOVs, and literal ones

    def __add__(self, other):  # type: ignore[override]
        return Figures(*(a + b for a, b in zip(self, other)))

    def spread(self, types: int) -> Figures:
        """Figures with `<unk>` for so many types, which share its probability: each has p(<unk>) / types."""
        share = self.unks * math.log(types) if self.unks else 0.0
        return self._replace(nats=self.nats + share, nats_known=self.nats_known + share)

    @property
    def tokens(self) -> int:
        """Number of words and sentence ends."""
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
        """SRILM's ppl1: 10^(-logprob / (words - OOVs - zeroprobs)), without sentence ends in the denominator."""
        return exp_mean(self.nats_known, self.words - self.oovs - self.zeroprobs)

    @property
    def logprob_unk(self) -> float:
        """Log-probability of the text, base 10, OOVs as `<unk>`."""
        return -self.nats / math.log(10)

    @property
    def ppl_unk(self) -> float:
        """Perplexity with OOVs as `<unk>`, sentence ends counted: the one that training reports."""
        return exp_mean(self.nats, self.tokens)

    @property
    def nats_per_token(self) -> float:
        """Cross-entropy in nats per word and sentence end, OOVs as `<unk>`."""
        return Loss(self.nats, self.tokens).mean

    @property
    def bits_per_token(self) -> float:
        """Cross-entropy in bits per word and sentence end, OOVs as `<unk>`."""
        return Loss(self.nats, self.tokens).bits

    @property
    def bits_per_character(self) -> float:
        """Cross-entropy in bits per character, OOVs as `<unk>`."""
        return Loss(self.nats, self.characters).bits


@dataclass
class Evaluation:
    """Figures of a language model on a text: see `perplexity`."""

    total: Figures = Figures()
    models: list[Figures] = field(default_factory=list)  # of each model of a mixture
    oov_types: int | None = None  # that share p(<unk>); None unless OOVs are spread
    unknown: int = 0  # words out of the vocabulary, whichever way they are counted
    blank_lines: int = 0  # empty lines that were skipped
    documents: int = 0
    markers: Markers = field(default_factory=Markers)  # of sentences in the text, which are left out
    ranks: Counter[int] = field(default_factory=Counter)  # number of tokens of each rank
    sum_error: float = 0.0  # the largest |sum of all probabilities - 1|

    @property
    def oov_rate(self) -> float:
        """Share of the words that are out of the vocabulary."""
        return self.unknown / max(self.total.words, 1)

    def among(self, n: int) -> float:
        """Share of the tokens that are among the n most likely words."""
        return sum(self.ranks[i] for i in range(1, n + 1)) / max(self.ranks.total(), 1)


# --- evaluation ---


class ScoredSentence(NamedTuple):
    """A sentence of n words, its log-probabilities and figures under a language model."""

    words: Sequence[str]
    log_p: np.ndarray  # (n + 1,) natural log; the last is that of </s>
    known: np.ndarray  # (n + 1,) whether the word is in the vocabulary
    figures: Figures
    models: Sequence[Figures] = ()  # under each model of a mixture


def perplexity(
    scorer: Scorer,
    text: Iterable[str],
    oov: Literal["both", "unk", "exclude", "spread"] = "both",
    oov_types: int | None = None,
    ranks: bool = False,
    blank_lines: bool = False,
    name: str = "text",
    seen: Callable[[ScoredSentence], object] | None = None,
    documents: bool = False,
) -> Evaluation:
    """Perplexity of a text under a language model, with all figures of `rnnlm eval`. A line is a sentence.

    oov: how words out of the vocabulary are counted. "both" and "exclude": left out of ppl, and as `<unk>` in ppl_unk;
    "unk": as `<unk>` in all figures; "spread": as one of `oov_types` types that share the probability of `<unk>`
    (None: as many as the text has). ranks: the rank of every token and the sums of probabilities, too, which takes
    longer. blank_lines: an empty line is a sentence of a character model; otherwise empty lines are skipped and
    counted. name: of the text, in messages. seen: called with each sentence once it is scored. documents: empty lines
    part documents, each of which begins in the model's initial state.

    Memory does not grow with the text. Raises UsageError if it is a string, DataError for a text without
    sentences, NumericalError if probabilities are not numbers.
    """
    if isinstance(text, str):
        raise UsageError("text: found a string, expected lines of text", LINES)
    vocab = scorer.vocab
    types: set[str] = set()
    blank_lines = blank_lines and vocab.level == "char"
    evaluation = Evaluation(models=[Figures()] * (len(scorer.scorers) if isinstance(scorer, Mixture) else 0))
    read = UnknownWords(vocab, name)
    evaluation.markers = read.markers

    def sentences() -> Iterator[tuple[int, list[str]]]:
        """Each with the number of its document, which is that of the empty lines before it."""
        for words in map(read.split, _lines(text)):
            if words or blank_lines:
                yield evaluation.blank_lines if documents else 0, words
            else:
                evaluation.blank_lines += 1

    def scored(document: Iterator[list[str]]) -> Iterator[tuple[ScoredSentence, Examined | None]]:
        evaluation.documents += 1
        copies = itertools.tee(document, 2 if ranks else 1)  # a copy that nobody reads would hold the whole text
        examined = examine(scorer, copies[1]) if ranks else itertools.repeat(None)
        return zip(evaluate(scorer, copies[0], oov in ("unk", "spread")), examined)

    for sentence, found in by_document(scored, sentences()):
        if oov == "spread" and oov_types is None:
            types.update(word for word in sentence.words if vocab.index.get(word, UNK) == UNK)
        if seen:
            seen(sentence)
        evaluation.total += sentence.figures
        evaluation.models = [total + model for total, model in zip(evaluation.models, sentence.models)]
        if found:
            evaluation.ranks.update(found.ranks)
            evaluation.sum_error = max(evaluation.sum_error, found.error)
    if not evaluation.total.sentences:
        raise DataError(
            f"{name}: no sentences ({evaluation.blank_lines} empty lines)",
            "a sentence is a line with at least one word",
        )
    evaluation.unknown = read.number
    if oov == "spread":
        evaluation.oov_types = oov_types or len(types)
        evaluation.total = evaluation.total.spread(evaluation.oov_types)
        evaluation.models = [model.spread(evaluation.oov_types) for model in evaluation.models]
    return evaluation


def _lines(text: Iterable[str]) -> Iterator[str]:
    for line in text:
        if not isinstance(line, str):
            raise UsageError(f"text: found a {type(line).__name__}, expected lines of text", LINES)
        yield line.removesuffix("\n")


def evaluate(scorer: Scorer, sentences: Iterable[Sequence[str]], as_unk: bool = False) -> Iterator[ScoredSentence]:
    """Log-probabilities and figures of each sentence, in order; of a mixture also the figures under each model.

    as_unk: words out of the vocabulary count as `<unk>`. Memory does not grow with the number of sentences.
    """
    own, ahead = itertools.tee(sentences)
    if not isinstance(scorer, Mixture):
        for words, log_p in zip(own, scorer.log_probs(ahead)):
            yield score(words, log_p, scorer.vocab, as_unk)
        return
    for words, rows in zip(own, scorer.parts(ahead)):
        models = [score(words, log_p, scorer.vocab, as_unk).figures for log_p in rows]
        yield score(words, scorer.mix(rows), scorer.vocab, as_unk)._replace(models=models)


def score(words: Sequence[str], log_p: np.ndarray, vocab: Vocabulary, as_unk: bool = False) -> ScoredSentence:
    """Figures of a sentence of n words from its log-probabilities (n + 1,). as_unk: OOVs are the word `<unk>`.

    Raises NumericalError if they are not numbers.
    """
    check_numbers(log_p)
    known = np.array(vocab.known(words)) | as_unk
    zero = known & np.isneginf(log_p)
    figures = Figures(
        sentences=1,
        words=len(words),
        oovs=int((~known).sum()),
        zeroprobs=int(zero.sum()),
        characters=len(vocab.join(words)) + 1,
        nats=-float(log_p.sum(dtype=float)),
        nats_known=-float(log_p[known & ~zero].sum(dtype=float)),
        unks=sum(vocab.index.get(word, UNK) == UNK for word in words),
    )
    return ScoredSentence(words, log_p, known, figures)


# --- ranks and sums ---


class Examined(NamedTuple):
    """Ranks of a sentence's tokens, and how well its distributions are normalised."""

    ranks: list[int]  # of each word that is in the vocabulary, and of `</s>`
    error: float  # the largest |sum of all probabilities - 1|


def examine(scorer: Scorer, sentences: Iterable[Sequence[str]]) -> Iterator[Examined]:
    """Ranks of each sentence's tokens (see `rank`), and how far its distributions are from adding up to one.

    Every word of the vocabulary is looked at for every token, so the time grows with the vocabulary.
    """
    own, ahead = itertools.tee(sentences)
    rows, piece = scorer.distributions(ahead), max(1, AT_ONCE // len(scorer.vocab))
    for words in own:
        ids, ranks, error = np.array([*scorer.vocab.ids(words), EOS]), [], 0.0
        for first in range(0, len(ids), piece):
            targets = ids[first : first + piece]
            log_p = np.array([row.copy() for _, row in zip(targets, rows)])
            error = max(error, float(abs(np.exp(log_p, dtype=float).sum(axis=1) - 1).max()))
            known = targets != OOV
            ranks += rank(log_p[known], targets[known]).tolist()
        yield Examined(ranks, error)


def rank(log_p: np.ndarray, targets: np.ndarray, never: Sequence[int] = (BOS,)) -> np.ndarray:
    """Rank of each target among all words, (n,): the number of words at least as probable, itself included.

    So the most likely word has rank 1, and of equally likely words none is first. log_p (n, K), targets (n,) token ids.
    never: token ids that are never predicted, and not counted.
    """
    p = log_p[np.arange(len(targets)), targets][:, None]
    return (log_p >= p).sum(axis=1) - (log_p[:, never] >= p).sum(axis=1)
