"""The protocol of tasks, their registry, and what several of them share.

A task is the whole way of an example through the program: how it is read, batched, measured, predicted and shown.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from rnnlm.errors import DataError, UsageError
from rnnlm.nn.heads import Loss
from rnnlm.nn.network import Network
from rnnlm.text import vocab, white
from rnnlm.text.corpus import Corpus, digest_of
from rnnlm.text.lines import STDIN, blocks, columns, lines
from rnnlm.text.names import joined
from rnnlm.text.vocab import SPECIALS, UNK, Counts, Labels, Vocabularies, Vocabulary, readable
from rnnlm.text.windows import Sentences, padded

if TYPE_CHECKING:
    from rnnlm.tasks.data import Data
    from rnnlm.tasks.unrolled import Side, Unrolled

TASKS: dict[str, Task] = {}  # by the value of data.reading
DEFAULT_K = 5  # predictions shown
RARE = 0.2  # data.rare_as_unk where nothing else teaches `<unk>`; 0.25 is usual, and 0.5 costs known words more


class Answer(NamedTuple):
    """Prediction for one line of text: as a JSON object, and as lines, in which a list of rows is a table."""

    facts: dict[str, Any]
    lines: list[Any]
    note: str = ""


class Task:
    """One value of data.reading: build its vocabulary, encode its files, batch them, validate, predict, show samples.

    `class Trees(Task, reading="trees")` registers itself. The type of a `corpus` is the task's own: what `encode`
    returns, a `Corpus` or `Examples`. `words` is a `Vocabulary`, or `Vocabularies` where a network writes other words
    than it reads.
    """

    reading: ClassVar[str] = ""
    doc: ClassVar[str] = ""  # for `rnnlm config explain`
    stream: ClassVar[bool] = False  # whether the state is carried from sentence to sentence
    outputs: ClassVar[type[Vocabulary] | type[Labels] | None] = None  # vocabulary of what is predicted, if another
    unit: ClassVar[str] = "token"  # what the loss is a mean over
    outcomes: ClassVar[str] = "vocabulary"  # what the network chooses from
    commands: ClassVar[tuple[str, ...]] = ("predict",)  # that take a model, besides eval, info and gradcheck
    next: ClassVar[tuple[str, ...]] = ("predict {} TEXT",)  # commands to try on a run

    def __init_subclass__(cls, reading: str = "", **arguments: Any):
        super().__init_subclass__(**arguments)
        if reading:
            cls.reading = reading
            TASKS[reading] = cls()

    # --- reading ---

    def check(self, data: Data) -> None:
        """Raise ValueError for options of the section `data` that the task does not have."""
        if data.blank_lines:
            raise ValueError(f"blank_lines: with reading {self.reading} no empty line is an example; leave it out")
        if data.documents:
            raise ValueError(f"documents: with reading {self.reading} no state is carried on; leave it out")
        if self.outputs and data.vocab is not None:
            raise ValueError(f"vocab: with reading {self.reading} they come from the training text; leave it out")

    def vocabulary(self, data: Data, share: float | None) -> Any:
        """Vocabulary of the training text, without the `share` at its end that validates."""
        return chosen(self.counts(data, share), data)

    def counts(self, data: Data, share: float | None, column: int | None = None) -> Counts:
        """Counts of the training text, or of one of its columns, without the `share` at its end that validates."""
        return vocab.count(texts(data, share, column), data.level, data.lower)

    def load_vocabulary(self, content: bytes, name: str) -> Any:
        """Vocabulary from the bytes that its `to_bytes` wrote. Raises DataError."""
        if self.outputs:
            return Vocabularies.from_bytes(content, name, self.outputs)
        return Vocabulary.from_bytes(content, name)

    def encode(self, paths: Sequence[str], words: Any, data: Data, model: Any) -> Any:
        """Corpus of the files at `paths`, for a model of the configuration. Raises DataError as `encode` does."""
        raise NotImplementedError

    def digest(self, path: str) -> str:
        """SHA-256 (hex) of the files of a text: the `sha256` of its corpus."""
        return digest_of([path])

    def split(self, corpus: Any, share: float) -> tuple[Any, Any]:
        """Training part of a corpus, and the `share` at its end that validates."""
        return corpus.cut(head(corpus.name, corpus.sentences, share))

    def words_of(self, data: Data) -> Any:
        """Vocabulary of a configuration: that of its file, or of its training text alone."""
        return self.vocabulary(data, share_of(data))

    def corpora(self, data: Data, model: Any, words: Any = None) -> tuple[Any, Any, Any]:
        """Vocabulary, training corpus and validation corpus (or None) of a configuration.

        words: the vocabulary, if it is not the one of the configuration, which knows the training text alone, or a list
        of words and their counts there.

        Raises DataError for missing or broken text, UsageError for a vocabulary file of another level than the
        configuration's.
        """
        share = share_of(data)
        words = self.words_of(data) if words is None else words
        train = self.encode(data.train, words, data, model)
        if share is not None:
            return words, *self.split(train, share)
        return words, train, None if data.valid is None else self.encode(data.valid_texts, words, data, model)

    def notes(self, words: Any) -> list[str]:
        """Notes and warnings of what is odd about the vocabulary of a training text."""
        inputs = words.inputs
        notes = white.note(inputs.words) if inputs.level == "word" else []
        if never := inputs.capitals:
            notes.append(
                f"warning: {len(never):,} words of the vocabulary have capitals, such as {never[0]!r}: "
                "no text has them, as it is lowercased (data.lower)"
            )
        return notes

    def rare(self, data: Data, words: Any) -> np.ndarray | None:
        """Probability of each word of the training text to be read there as `<unk>`, (K,); None: none is.

        p(w) = a / (a + count of w) (Kiperwasser & Goldberg 2016), with a = data.rare_as_unk.
        """
        a = data.rare_as_unk
        if not isinstance(words, Vocabulary) or a == 0 or (a is None and words.counts[UNK]):
            return None
        a = RARE if a is None else a
        p = a / (a + np.maximum(words.counts, 1))
        p[: len(SPECIALS)] = 0
        return p.astype(np.float32)

    # --- batches and validation ---

    def batcher(self, corpus: Any, batch: int, window: int, jitter: int = 0) -> Any:
        """Batches of a corpus: an object like `rnnlm.text.windows.Sentences`. Streams alone have windows and jitter."""
        return WholeSentences(corpus, batch, self.lengths(corpus), self.batch)

    def lengths(self, corpus: Any) -> np.ndarray:
        """Length of each sentence, (S,): those of similar length are batched together."""
        return np.diff(corpus.ends, prepend=0)

    def batch(self, corpus: Any, sentences: np.ndarray) -> Any:
        """Batch of the sentences with these numbers (B,)."""
        raise NotImplementedError

    def predictions(self, corpus: Any) -> int:
        """Number of predictions in a corpus."""
        return len(corpus.ids)

    def tokens(self, corpus: Any, jitter: int) -> int | None:
        """Number of predictions in an epoch; None where all its batches have equally many."""
        return self.predictions(corpus)

    def loss(self, network: Network, corpus: Any, batch: int, share: tuple[int, int] = (0, 1)) -> Loss:
        """Cross-entropy of a corpus under a network: the figure that validations compare.

        share: (i, n), the part i of n of the corpus alone. The parts add up to the whole; a corpus that cannot be
        parted is part 0.
        """
        batches = itertools.islice(self.batcher(corpus, batch, 0).batches(), share[0], None, share[1])
        return sum((network.loss(one, ())[0] for one in batches), Loss())

    # --- figures, predictions, samples ---

    def evaluate(self, network: Network, corpus: Any, batch: int) -> dict[str, Any]:
        """Figures of a network on a corpus, by name, as `rnnlm eval --json` prints them."""
        raise NotImplementedError

    def report(self, figures: dict[str, Any]) -> list[Any]:
        """Lines for people from the figures of `evaluate`; a list of rows is a table."""
        raise NotImplementedError

    def predict(self, network: Network, text: str, k: int | None, beam: int | None) -> Iterator[Answer]:
        """Answers to the lines of a text ("-": standard input): the k likeliest, or those of a beam search.

        Raises UsageError for an option that the task does not have.
        """
        raise NotImplementedError

    def samples(self, network: Network, corpus: Any, number: int, rng: np.random.Generator) -> list[str]:
        """Lines that show what a network has learnt, from examples of a corpus drawn at random."""
        return [self.sample(network, corpus, int(i), rng) for i in rng.integers(corpus.sentences, size=number)]

    def sample(self, network: Network, corpus: Any, i: int, rng: np.random.Generator) -> str:
        """Line that shows the prediction for example number i of a corpus."""
        raise NotImplementedError

    # --- the unrolled network ---

    def examples(self, network: Network, text: str) -> Iterator[Any]:
        """Examples that `unroll` takes: the lines of the text that a command was given."""
        return questions(text)

    def unroll(self, network: Network, example: Any, k: int) -> Unrolled:
        """What happens in a network that reads an example: hidden vectors, errors, and k predictions in each place.

        Raises UsageError and DataError for an example that the network cannot read.
        """
        raise NotImplementedError

    def examples_in(self, network: Network, path: str) -> Iterator[Any]:
        """Examples that `unroll` takes: those of the text at a path."""
        return filter(str.strip, lines(path))

    def read_through(self, network: Network, path: str) -> Iterator[list[Side]]:
        """Hidden vectors of a network that reads the text at a path, example by example; errors are not wanted."""
        for example in self.examples_in(network, path):
            yield self.unroll(network, example, 1).sides

    # --- gradient check ---

    def synthetic_vocabulary(self, words: Vocabulary) -> Any:
        """Vocabulary of a network that reads and predicts these words."""
        return Vocabularies(words, self.outputs(words.words, words.counts.tolist())) if self.outputs else words

    def synthetic_batch(self, network: Network, T: int, B: int, rng: np.random.Generator) -> Any:
        """Batch of random examples; of those that can be padded, some are."""
        raise NotImplementedError


# --- corpora and batches of examples -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Examples(Corpus):
    """A text, and one more thing for each of its sentences."""

    other: Any = None  # an array with a row for each sentence, or the corpus of sentences that belong to them

    def cut(self, n: int) -> tuple[Any, Any]:
        """The first n examples, and the others."""
        head, tail = super().cut(n)
        first, rest = self.other.cut(n) if isinstance(self.other, Corpus) else (self.other[:n], self.other[n:])
        return replace(head, other=first), replace(tail, other=rest)  # type: ignore[call-arg]

    @classmethod
    def of(cls, text: Corpus, other: Any, **changed: Any) -> Examples:
        """Examples of a text."""
        return cls(**{field.name: getattr(text, field.name) for field in fields(text)} | changed, other=other)


class WholeSentences(Sentences):
    """Batches of sentences of similar length, none of which is parted into windows, however long it is."""

    def __init__(self, corpus: Corpus, batch: int, lengths: np.ndarray, make: Callable[[Corpus, np.ndarray], Any]):
        super().__init__(corpus, batch, max(64 * batch, 2048, int(lengths.max())), lengths)
        self._make = make

    def _read(self, sentences: np.ndarray) -> Iterator[Any]:
        yield self._make(self._corpus, sentences)


def targets_of(corpus: Corpus, sentences: np.ndarray, ends: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sentences by number (B,), padded: token ids (T, B), a mask (T, B), False for padding, and lengths (B,).

    ends: 1 with the sentence ends, 0 without them.
    """
    stops = corpus.ends[sentences]
    starts = np.where(sentences > 0, corpus.ends[sentences - 1], 0)
    lengths = stops - starts - (1 - ends)
    return *padded(corpus.ids, starts, lengths), lengths


# --- vocabularies --------------------------------------------------------------------------------------------------


def share_of(data: Data) -> float | None:
    """The share at the end of the training text that validates; None if there is no such share."""
    return data.valid if isinstance(data.valid, float) else None


def lines_of(paths: Sequence[str], column: int | None = None) -> Iterator[str]:
    """Lines of texts, one after the other, or of one of their columns."""
    for path in paths:
        yield from itertools.chain.from_iterable(blocks(path) if column is None else columns(path, column))


def texts(data: Data, share: float | None, column: int | None) -> Iterator[str]:
    """Lines of the training text, or of one of its columns, without the `share` at its end that validates."""

    def whole() -> Iterator[str]:
        return lines_of(data.train, column)

    def counts(line: str) -> bool:
        """Whether a line is a sentence, or the part of an example."""
        return bool(white.strip(line) if column is not None else vocab.split(line, data.level))

    left = -1  # sentences; never counted down to 0 without a share
    if share is not None:
        left = head(joined(data.train), sum(map(counts, whole())), share)
    for line in whole():
        yield line
        left -= counts(line)
        if left == 0:
            return


def head(name: str, sentences: int, share: float) -> int:
    """Number of sentences that train when a share validates: at least one, and not all. Raises DataError."""
    if sentences < 2:
        raise DataError(f"{name}: cannot be split: it has fewer than two lines", "name a text of its own for each part")
    return min(max(round(sentences * (1 - share)), 1), sentences - 1)


def chosen(counts: Counts, data: Data) -> Vocabulary:
    """Vocabulary of a counted text: its most frequent words, or those of the file data.vocab.

    Words of a plain list come in the order of their frequency, those of a vocabulary file in its own. Raises UsageError
    for a vocabulary file of another level or case than the configuration's.
    """
    if data.vocab is None:
        return vocab.build(counts, data.max_size, data.min_count)
    found = vocab.load(data.vocab, data.level, data.lower)
    if not isinstance(found, Vocabulary):
        return vocab.build(counts, len(SPECIALS) + len(found), keep=found)
    if (found.level, found.lower) != (data.level, data.lower):
        raise UsageError(
            f"{data.vocab}: a vocabulary of level {found.level} and lower {json.dumps(found.lower)}, "
            f"but data.level is {data.level} and data.lower {json.dumps(data.lower)}",
            "set data.level and data.lower to what the vocabulary was built with",
        )
    return found.counted(counts)


# --- predictions and samples ---------------------------------------------------------------------------------------


def questions(text: str) -> Iterator[str]:
    """Lines of the text that a command was given, or of standard input for "-"."""
    return lines(STDIN) if text == STDIN else iter(text.split("\n"))


def sentence(corpus: Corpus, i: int) -> np.ndarray:
    """Token ids of a sentence as a network reads them, (n,) int32, without its end."""
    return readable(corpus.sentence(i)[:-1])


def text_of(words: Vocabulary, ids: Sequence[int] | np.ndarray) -> str:
    """Text of token ids."""
    return words.join(words.words[i] for i in ids)


def verdict(guess: str, true: str) -> str:
    """Comment on a prediction: whether it is right, or else what would be."""
    return "(right)" if guess == true else f"(wrong: {true})"
