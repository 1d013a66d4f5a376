"""What each reading asks for: from the files of a configuration to vocabularies, examples and batches, and what a
network makes of them. `data.reading` names one; a model says from which it can learn.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from rnnlm.errors import DataError
from rnnlm.lm import perplexity as evaluate
from rnnlm.lm.sample import sample
from rnnlm.nn.heads import Loss
from rnnlm.nn.network import Network
from rnnlm.tasks import decode, examples
from rnnlm.tasks.base import Data
from rnnlm.text import vocab
from rnnlm.text.corpus import Corpus, digest_of, encode
from rnnlm.text.lines import blocks, columns, lines
from rnnlm.text.vocab import Labels, Vocabularies, Vocabulary
from rnnlm.text.windows import BlankBatch, Sentences, Stream


class Task:
    """What a reading asks for. A `corpus` is what its `encode` makes: a `Corpus`, or a kind of `Examples`."""

    unit: ClassVar[str] = "token"  # of which the loss is a mean
    outcomes: ClassVar[str] = "vocabulary"  # among which the network chooses
    next: ClassVar[tuple[str, ...]] = ("predict {} TEXT",)  # commands to try on a run

    def vocabulary(self, data: Data, share: float | None) -> Any:
        """The words of the training text but for the `share` at its end that validates."""
        raise NotImplementedError

    def load_vocabulary(self, content: bytes, name: str) -> Any:
        """What its `to_bytes` wrote. Raises DataError."""
        return Vocabulary.from_bytes(content, name)

    def encode(self, paths: Sequence[str], words: Any, data: Data, model: Any) -> Any:
        """A text of the task, in numbers."""
        raise NotImplementedError

    def digest(self, path: str) -> str:
        """SHA-256 (hex) of a text, and of what belongs to it: the `sha256` of what `encode` makes of it."""
        return digest_of([path])

    def split(self, corpus: Any, share: float) -> tuple[Any, Any]:
        """Head, and the tail that validates."""
        return corpus.cut(head(corpus.name, corpus.sentences, share))

    def reading(self, corpus: Any, batch: int, window: int) -> Any:
        """Its batches."""
        raise NotImplementedError

    def mean_tokens(self, corpus: Any, reading: Any) -> float | None:
        """Tokens of an average batch; None: batches do not differ."""
        return reading.mean_tokens

    def loss(self, network: Network, corpus: Any, batch: int) -> Loss:
        """Of a network on a text: what validation compares."""
        return sum((network.loss(one, ())[0] for one in self.reading(corpus, batch, 0).batches()), Loss())

    def shown(self, network: Network, corpus: Any, number: int, rng: np.random.Generator) -> list[str]:
        """Lines that show what the network can do, some of them drawn from a text."""
        raise NotImplementedError


class Text(Task):
    """A text, read as a stream or by sentences."""

    next = ("sample {} -n 10",)

    def __init__(self, stream: bool):
        self.stream = stream

    def vocabulary(self, data, share):
        text = (line for path in data.train for line in lines(path))
        counts = vocab.count(text, data.level, data.lower, data.blank_lines)
        if share is not None:  # where to cut is known only in tokens: encode with every word, cut, count the head
            every = vocab.build(counts)
            counts = encode(data.train, every, data.blank_lines).split(share)[0].counts(every)
        return vocab.build(counts, data.max_size, data.min_count)

    def encode(self, paths, words, data, model):
        return encode(paths, words, data.blank_lines)

    def split(self, corpus, share):
        return corpus.split(share)

    def reading(self, corpus, batch, window):
        return Stream(corpus, batch, window) if self.stream else Sentences(corpus, batch)

    def mean_tokens(self, corpus, reading):
        return None if self.stream else len(corpus.ids) / len(reading)

    def loss(self, network, corpus, batch):
        return evaluate.loss(network, corpus, self.stream)

    def shown(self, network, corpus, number, rng):
        limit = 200 if network.vocab.level == "char" else 30
        return [one.text(network) for one in sample(network, number, self.stream, rng, max_tokens=limit)]


class Blanks(Task):
    """Sentences, each word in question."""

    next = ("fill {} TEXT",)

    def vocabulary(self, data, share):
        return build(data, share, None)

    def encode(self, paths, words, data, model):
        return encode(paths, words)

    def reading(self, corpus, batch, window):
        return examples.Blanks(corpus, batch)

    def shown(self, network, corpus, number, rng):
        shown = []
        for i in drawn(corpus, number, rng):
            ids = known(sentence(corpus, i))
            place = int(rng.integers(len(ids)))
            batch = BlankBatch(ids[:, None], np.array([len(ids)]))
            log_p = network.apply(network.model.blank_log_probs, batch.shape, batch)[place, 0]  # type: ignore[attr-defined]
            words = [network.vocab.words[j] for j in ids]
            guess, true, words[place] = network.vocab.words[log_p.argmax()], words[place], "____"
            shown.append(f"{network.vocab.join(words)}   {guess} {np.exp(log_p.max()):.2f} {verdict(guess, true)}")
        return shown


class LabelledTexts(Task):
    """label<TAB>text."""

    unit, outcomes = "sentence", "labels"

    def vocabulary(self, data, share):
        labels = itertools.chain.from_iterable(texts(data, share, 0))
        return Vocabularies(build(data, share, 1), Labels.count(label for label in labels if label))

    def load_vocabulary(self, content, name):
        return Vocabularies.from_bytes(content, name, Labels)

    def encode(self, paths, words, data, model):
        return examples.labelled(paths, words)

    def reading(self, corpus, batch, window):
        return examples.LabelledSentences(corpus, batch)

    def shown(self, network, corpus, number, rng):
        words, labels = network.vocab.inputs, network.vocab.outputs.words
        shown = []
        for i in drawn(corpus, number, rng):
            ids = known(sentence(corpus.text, i))
            batch = examples.sentences([list(ids)])
            log_p = network.apply(network.model.label_log_probs, batch.shape, batch.inputs, batch.lengths)[0]  # type: ignore[attr-defined]
            guess, true = labels[log_p.argmax()], labels[corpus.labels[i]]
            text = words.join(words.words[j] for j in ids)
            shown.append(f"{guess} {np.exp(log_p.max()):.2f} {verdict(guess, true)}   {text}")
        return shown


class SourcesAndTargets(Task):
    """source<TAB>target."""

    outcomes = "target vocabulary"

    def vocabulary(self, data, share):
        return Vocabularies(build(data, share, 0), build(data, share, 1))

    def load_vocabulary(self, content, name):
        return Vocabularies.from_bytes(content, name, Vocabulary)

    def encode(self, paths, words, data, model):
        return examples.pairs(paths, words)

    def reading(self, corpus, batch, window):
        return examples.PairSentences(corpus, batch)

    def shown(self, network, corpus, number, rng):
        inputs, outputs = network.vocab.inputs, network.vocab.outputs
        shown = []
        for i in drawn(corpus, number, rng):
            source, true = known(sentence(corpus.text, i)), known(sentence(corpus.target, i))
            (written,) = decode.greedy(network, examples.sources([list(source)]), 2 * len(true) + 10)
            question, answer = (v.join(v.words[j] for j in ids) for v, ids in ((inputs, source), (outputs, true)))
            guess = decode.words(network, written)
            shown.append(f"{question} -> {guess} {verdict(guess, answer)}")
        return shown


class VectorsAndTexts(Task):
    """A vector in a row of x.npy for every line of x.txt."""

    next = ("predict {} VECTORS.npy",)

    def vocabulary(self, data, share):
        return build(data, share, None)

    def encode(self, paths, words, data, model):
        return examples.vectors(paths[0], words, model.vector)

    def digest(self, path):
        return examples.digest_of_vectors(path)

    def reading(self, corpus, batch, window):
        return examples.VectorSentences(corpus, batch)

    def shown(self, network, corpus, number, rng):
        shown = []
        for i in drawn(corpus, number, rng):
            true = known(sentence(corpus.text, i))
            (written,) = decode.greedy(
                network, examples.rows(corpus.vectors[corpus.rows[i : i + 1]]), 2 * len(true) + 10
            )
            guess, answer = decode.words(network, written), network.vocab.join(network.vocab.words[j] for j in true)
            shown.append(f"{guess} {verdict(guess, answer)}")
        return shown


TASKS: dict[str, Task] = {
    "stream": Text(stream=True),
    "sentences": Text(stream=False),
    "blanks": Blanks(),
    "labelled": LabelledTexts(),
    "pairs": SourcesAndTargets(),
    "vectors": VectorsAndTexts(),
}

# --- vocabularies --------------------------------------------------------------------------------------------------


def texts(data: Data, share: float | None, column: int | None) -> Iterator[list[str]]:
    """Blocks of lines of the training text, or of one of its columns; without the examples at its end that validate."""

    def all_of_it() -> Iterator[list[str]]:
        for path in data.train:
            yield from blocks(path) if column is None else columns(path, column)

    if share is None:
        yield from all_of_it()
        return
    name = " + ".join(data.train)
    left = head(name, sum(bool(line.strip()) for block in all_of_it() for line in block), share)
    for block in all_of_it():
        ends = list(itertools.accumulate(int(bool(line.strip())) for line in block))
        if ends and ends[-1] >= left:
            yield block[: ends.index(left) + 1]
            return
        yield block
        left -= ends[-1]


def build(data: Data, share: float | None, column: int | None) -> Vocabulary:
    """The vocabulary of the training text, or of one of its columns."""
    text = itertools.chain.from_iterable(texts(data, share, column))
    return vocab.build(vocab.count(text, data.level, data.lower), data.max_size, data.min_count)


def head(name: str, sentences: int, share: float) -> int:
    """How many of the examples of a text train when a share validates: one at least, and not all. Raises DataError."""
    if sentences < 2:
        raise DataError(f"{name}: cannot be split: it has fewer than two lines", "name a text of its own for each part")
    return min(max(round(sentences * (1 - share)), 1), sentences - 1)


# --- what is shown -------------------------------------------------------------------------------------------------


def drawn(corpus: Any, number: int, rng: np.random.Generator) -> list[int]:
    """The numbers of some examples."""
    return [int(i) for i in rng.integers(corpus.sentences, size=number)]


def sentence(corpus: Corpus, i: int) -> np.ndarray:
    """The ids of a sentence, without its end."""
    return np.asarray(corpus.ids[corpus.ends[i - 1] if i else 0 : corpus.ends[i] - 1])


def known(ids: np.ndarray) -> np.ndarray:
    """The same as a network reads it."""
    return np.where(ids < 0, vocab.UNK, ids).astype(np.int32)


def verdict(guess: str, true: str) -> str:
    """What is said about a guess."""
    return "(right)" if guess == true else f"(wrong: {true})"
