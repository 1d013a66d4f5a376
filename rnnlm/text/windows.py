"""Token ids to batches: windows of one continuous stream, or sentences, each on its own.

`Stream` is one continuous text in B columns whose state is carried from window to window; `Sentences` takes each
sentence by itself, and `Documents` each document. Every one predicts every token exactly once.

Dimension letters: T time steps, B columns or sentences of a batch, S steps of a source, C numbers of a vector.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnlm.text.corpus import Corpus
from rnnlm.text.vocab import BOS, EOS, UNK, readable

FORGET = 64  # batches after which the pages of the text are let go


# --- ids as a network reads them ---


def shifted(targets: np.ndarray, start: int | np.ndarray) -> np.ndarray:
    """Inputs (T, B) for targets (T, B): `start` at the first step, then at each step the target before it.

    start: one id, or one per column (B,).
    """
    return np.concatenate([np.full((1, targets.shape[1]), start, np.int32), targets[:-1]])


def padded(ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of token ids (T, B), each lengths[b] ids from starts[b] on: EOS for padding and UNK for OOV.

    Returns also a mask (T, B), False for padding.
    """
    t = np.arange(int(lengths.max()))[:, None]
    valid = t < lengths
    found = readable(ids[np.minimum(starts + t, len(ids) - 1)])
    found[~valid] = EOS
    return found, valid


def weights_of(valid: np.ndarray) -> np.ndarray | None:
    """Weights of predictions for a mask that is False for padding: float32, 1 and 0; None if there is no padding."""
    return None if valid.all() else valid.astype(np.float32)


# --- batches, by task ---


Rows = dict[str, tuple[int, slice]]  # of a batch's inputs and targets: how many there are, and some of them


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """Predictions of a batch, and their shape and number: the base of all batches, which have `targets`.

    No id is negative: a token outside the vocabulary is UNK.
    """

    weights: np.ndarray | None = None  # (T, B) float32: 1, and 0 for padding; None if there is no padding
    fresh: bool = True  # the state starts anew; otherwise it is the one that the previous batch left

    @property
    def shape(self) -> tuple[int, ...]:
        """T, B; B is last for every batch."""
        return self.targets.shape  # type: ignore[attr-defined]

    @property
    def tokens(self) -> int:
        """Number of predictions, padding not counted."""
        n = self.targets.size if self.weights is None else np.count_nonzero(self.weights)  # type: ignore[attr-defined]
        return int(n)

    @property
    def sequences(self) -> int:
        """B."""
        return self.shape[-1]

    def share(self, part: slice) -> Any:
        """Batch of some neighbouring sequences alone, with as many steps."""
        arrays = {name: x for name, x in vars(self).items() if isinstance(x, np.ndarray)}
        taken: dict[str, Any] = {name: np.ascontiguousarray(x[..., part]) for name, x in arrays.items()}
        return replace(self, **taken)

    def rows(self, part: slice) -> Rows:
        """Rows of masks that belong to some neighbouring sequences: each has one, of its inputs and its targets."""
        return {"inputs": (self.sequences, part), "targets": (self.sequences, part)}


@dataclass(frozen=True, eq=False)
class Batch(Predictions):
    """A window of T steps of B sequences of a language model."""

    inputs: np.ndarray  # (T, B) int32
    targets: np.ndarray  # (T, B) int32


@dataclass(frozen=True, eq=False)
class BlankBatch(Predictions):
    """B sentences, padded to T words, each word of which is predicted from all the others."""

    targets: np.ndarray  # (T, B) int32
    lengths: np.ndarray  # (B,) how many of the T are the sentence

    @property
    def tokens(self) -> int:
        """Number of predictions, padding not counted."""
        return int(self.lengths.sum())


@dataclass(frozen=True, eq=False)
class LabelledBatch(Predictions):
    """B sentences, each with its `<s>` in front and padded to T steps, and their labels."""

    inputs: np.ndarray  # (T, B) int32
    lengths: np.ndarray  # (B,) how many of the T are the sentence
    targets: np.ndarray  # (B,) int32, the labels

    @property
    def shape(self) -> tuple[int, ...]:
        """T, B."""
        return self.inputs.shape


@dataclass(frozen=True, eq=False)
class PairBatch(Predictions):
    """B pairs: sources of up to S words and targets of up to T, `</s>` included."""

    source: np.ndarray  # (S, B) int32
    lengths: np.ndarray | None  # (B,) how many of the S are the source; None: all are
    inputs: np.ndarray  # (T, B) int32: <s>, and the target but for its last
    targets: np.ndarray  # (T, B) int32

    @property
    def shape(self) -> tuple[int, ...]:
        """S, T, B."""
        return len(self.source), *self.targets.shape


@dataclass(frozen=True, eq=False)
class VectorBatch(Predictions):
    """B sentences, and a vector for each."""

    vectors: np.ndarray  # (B, C)
    inputs: np.ndarray  # (T, B) int32
    targets: np.ndarray  # (T, B) int32

    def share(self, part: slice) -> VectorBatch:
        """Batch of some neighbouring sequences alone, with as many steps."""
        return replace(super().share(part), vectors=self.vectors[part])


# --- from a corpus to batches ---


class Stream:
    """A corpus as one continuous text in B columns of L tokens; the state is carried from window to window.

    Column j holds tokens jL ... (j+1)L - 1 as targets; the first input of a column is the token before, that of the
    first column EOS. The last column is padded. `batch` and `window` are lowered for a corpus that is too short for
    them, and `note` says so.

    With `jitter`, where one window ends and the next begins is moved at random, by at most so many steps either way:
    otherwise the gradient would be cut at the same words in every epoch. An epoch has as many windows as without.
    """

    def __init__(self, corpus: Corpus, batch: int, window: int, jitter: int = 0):
        N = len(corpus.ids)
        self._corpus, self._ids = corpus, corpus.ids
        self._length = -(-N // min(batch, N))  # L
        self.batch = -(-N // self._length)
        self.window = min(window, self._length)
        self._jitter = min(jitter, (self.window - 1) // 2)
        self.note = _note(corpus, {"batch": (batch, self.batch), "window": (window, self.window)})

    def __len__(self) -> int:
        return -(-self._length // self.window)

    def batches(self, start: int = 0, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """The windows from number `start` on, in the order of the text. `rng` moves their ends, if there is jitter."""
        N, cuts = len(self._ids), np.arange(len(self) + 1) * self.window
        if self._jitter and rng is not None:
            cuts[1:-1] += rng.integers(-self._jitter, self._jitter, len(self) - 1, endpoint=True)
            cuts[1:-1] = np.minimum(cuts[1:-1], self._length - 1)
        cuts[-1] = self._length
        for i in range(start, len(self)):
            first, T = int(cuts[i]), int(cuts[i + 1] - cuts[i])
            starts = np.arange(self.batch) * self._length + first
            targets, valid = padded(self._ids, starts, np.minimum(N - starts, T))
            before = np.where(starts > 0, readable(self._ids[np.minimum(starts, N) - 1]), EOS)
            if i % FORGET == 0:
                self._corpus.forget()
            yield Batch(shifted(targets, before), targets, weights=weights_of(valid), fresh=i == 0)


class Sentences:
    """The sentences of a corpus, each on its own: `<s>` predicts the first word, the last word predicts `</s>`.

    A batch holds up to `batch` sentences of similar length, T B <= `tokens` in all. Sentences longer than `window` are
    read in several windows, the state carried on (`fresh` is False), so memory is bounded whatever the text. A subclass
    for another task overrides `_read`, which makes the batches of sentences, given by number.
    """

    start = BOS  # predicts a first word

    def __init__(
        self,
        corpus: Corpus,
        batch: int,
        tokens: int | None = None,
        lengths: np.ndarray | None = None,
        window: int | None = None,
    ):
        """tokens: limit of a batch, by default 64 per sentence and at least 2048. lengths (S,): what counts as T of
        each sentence, if not its own length. window: most steps of a batch, by default `tokens`."""
        self._corpus, self._ids, self._ends = corpus, corpus.ids, corpus.ends
        self._lengths = np.diff(self._ends, prepend=0) if lengths is None else lengths
        self.batch = min(batch, corpus.sentences)
        self.tokens = tokens or max(64 * batch, 2048)
        self.window = window or self.tokens
        self.note = _note(corpus, {"batch": (batch, self.batch)})
        # Longest first: the length of a batch is that of its first sentence, and memory is at its peak at once.
        lengths = -np.sort(-self._lengths)
        self._cuts = [0]  # batch i: sentences cuts[i] ... cuts[i+1] - 1 in the order of lengths
        self._windows = 0
        while (i := self._cuts[-1]) < len(lengths):
            T = int(lengths[i])
            self._cuts.append(min(i + max(1, self._most(lengths[i : i + self.batch])), len(lengths)))
            self._windows += -(-T // self.window)

    def _most(self, lengths: np.ndarray) -> int:
        """How many of the next sentences, longest first, a batch has room for."""
        return min(self.batch, self.tokens // int(lengths[0]))

    def __len__(self) -> int:
        return self._windows

    def batches(self, start: int = 0, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """The batches from number `start` on, the longest sentences first.

        With `rng`, batches come in random order, and sentences of equal length are grouped at random too: two
        permutations are drawn at once, before the first batch.
        """
        order = np.arange(len(self._lengths)) if rng is None else rng.permutation(len(self._lengths))
        order = order[np.argsort(-self._lengths[order], kind="stable")]
        which = np.arange(len(self._cuts) - 1) if rng is None else rng.permutation(len(self._cuts) - 1)
        groups = (order[self._cuts[i] : self._cuts[i + 1]] for i in which)
        for i, batch in enumerate(itertools.chain.from_iterable(map(self._read, groups))):
            if i % FORGET == 0:
                self._corpus.forget()
            if i >= start:
                yield batch

    def _read(self, sentences: np.ndarray) -> Iterator[Batch]:
        lengths = self._lengths[sentences]
        starts, before = self._ends[sentences] - lengths, np.full(len(sentences), self.start)
        for first in range(0, int(lengths[0]), self.window):
            targets, valid = padded(self._ids, starts + first, np.clip(lengths - first, 0, self.window))
            yield Batch(shifted(targets, before), targets, weights=weights_of(valid), fresh=first == 0)
            before = targets[-1]


class Documents(Sentences):
    """The documents of a stream, side by side: each begins in the initial state, carried from window to window of it.

    A batch holds up to `batch` documents, of which the shortest has more than half the tokens of the longest. `</s>`
    predicts a first word, as everywhere in a stream.
    """

    start = EOS

    def __init__(self, corpus: Corpus, batch: int, window: int):
        assert corpus.starts is not None
        last = np.append(corpus.starts[1:], corpus.sentences) - 1
        super().__init__(replace(corpus, table=corpus.table[last], starts=None), batch, window=window)

    def _most(self, lengths: np.ndarray) -> int:
        return int((2 * lengths > lengths[0]).sum())


class RareAsUnk:
    """Batches in which words are read as `<unk>` at random, for a text in which there is none to learn it from.

    Every occurrence of word i, as a target and where it is read next, is `<unk>` with probability p[i], p (K,). The
    choice is a function of the epoch's generator and of the batch's number, so there is nothing to save.
    """

    def __init__(self, reading: Stream | Sentences, p: np.ndarray):
        self._reading, self._p = reading, p
        self.batch, self.note = reading.batch, reading.note

    def __len__(self) -> int:
        return len(self._reading)

    def batches(self, start: int = 0, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """The batches from number `start` on, in random order with `rng`, without which no word is changed."""
        seed = None if rng is None else int(rng.integers(1 << 62))
        for i, batch in enumerate(self._reading.batches(start, rng), start):
            yield batch if seed is None else self._changed(batch, np.random.default_rng([seed, i]))

    def _changed(self, batch: Batch, rng: np.random.Generator) -> Batch:
        chosen = rng.random(batch.targets.shape, np.float32) < self._p[batch.targets]
        targets = np.where(chosen, np.int32(UNK), batch.targets)
        if not hasattr(batch, "inputs"):  # of blanks: the targets are what is read, too
            return replace(batch, targets=targets)
        return replace(batch, targets=targets, inputs=shifted(targets, batch.inputs[0]))


def _note(corpus: Corpus, sizes: dict[str, tuple[int, int]]) -> str:
    changed = [f"{name} {wanted} -> {used}" for name, (wanted, used) in sizes.items() if wanted != used]
    size = f"{len(corpus.ids)} tokens in {corpus.sentences} sentences"
    return f"{corpus.name}: only {size}: {', '.join(changed)}" if changed else ""
