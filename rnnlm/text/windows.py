"""Token ids to batches: windows of one continuous stream, or sentences, each on its own.

`Stream` is one continuous text in B columns whose state is carried from window to window; `Sentences` takes each
sentence by itself. Either predicts every token exactly once.

Dimension letters: T time steps, B columns or sentences of a batch, S steps of a source, C numbers of a vector.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from rnnlm.text.corpus import Corpus
from rnnlm.text.vocab import BOS, EOS, UNK

FORGET = 64  # batches after which the pages of the text are let go


class Batch(NamedTuple):
    """A window of T steps of B sequences. No id is negative: a token outside the vocabulary is UNK."""

    inputs: np.ndarray  # (T, B) int32
    targets: np.ndarray  # (T, B) int32
    weights: np.ndarray | None = None  # (T, B) float32: 1, and 0 for padding; None: no padding
    fresh: bool = True  # the state starts anew; otherwise it is the one that the previous batch left
    positions: np.ndarray | None = None  # (T, B) int64: where in `corpus.ids` each target stands; padding: anywhere

    @property
    def shape(self) -> tuple[int, int]:
        """T, B."""
        return self.inputs.shape  # type: ignore[return-value]

    @property
    def tokens(self) -> int:
        """Predictions, padding not counted."""
        return self.targets.size if self.weights is None else int(np.count_nonzero(self.weights))


def _batch(ids: np.ndarray, positions: np.ndarray, valid: np.ndarray, fresh: bool) -> Batch:
    """The batch of targets at `positions` (T, B), each input the token before; `valid` (T, B) is False for padding."""
    T, B = positions.shape
    before = np.concatenate([positions[:1] - 1, positions])
    tokens = ids[np.clip(before, 0, len(ids) - 1)]
    tokens[tokens < 0] = UNK
    if before[0, 0] < 0:  # before the first token of all, as before any other sentence, there is a sentence end
        tokens[0, 0] = EOS
    if valid.all():
        return Batch(tokens[:-1].copy(), tokens[1:], None, fresh, positions)
    inputs, targets = (np.where(valid, x, EOS).astype(np.int32) for x in (tokens[:-1], tokens[1:]))
    return Batch(inputs, targets, valid.astype(np.float32), fresh, positions)


class Stream:
    """The corpus as one continuous text in B columns of L tokens; the state is carried from window to window.

    Column j holds tokens jL ... (j+1)L - 1 as targets; the first input of a column is the token before. The last column
    is padded. `batch` and `window` are lowered for a corpus that is too short for them, and `note` says so.
    """

    def __init__(self, corpus: Corpus, batch: int, window: int):
        N = len(corpus.ids)
        self._corpus, self._ids = corpus, corpus.ids
        self._length = -(-N // min(batch, N))  # L
        self.batch = -(-N // self._length)
        self.window = min(window, self._length)
        self.note = _note(corpus, {"batch": (batch, self.batch), "window": (window, self.window)})

    def __len__(self) -> int:
        return -(-self._length // self.window)

    def batches(self, start: int = 0, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """The windows from number `start` on. Their order is that of the text: `rng` is not used."""
        columns = np.arange(self.batch) * self._length
        for i in range(start, len(self)):
            t = np.arange(i * self.window, min((i + 1) * self.window, self._length))
            positions = t[:, None] + columns
            if i % FORGET == 0:
                self._corpus.forget()
            yield _batch(self._ids, positions, positions < len(self._ids), fresh=i == 0)


class Sentences:
    """The sentences of a corpus, each on its own: `<s>` predicts the first word, the last word predicts `</s>`.

    A batch holds up to `batch` sentences of similar length, T B <= `tokens` in all. A sentence longer than `tokens` is
    read in several windows, the state carried on (`fresh` is False), so memory is bounded whatever the text.
    """

    def __init__(self, corpus: Corpus, batch: int, tokens: int | None = None, lengths: np.ndarray | None = None):
        """`tokens` defaults to 64 per sentence of a batch, and to no fewer than 2048. lengths (S,): what counts as T of
        each sentence, if not its own."""
        self._corpus, self._ids, self._ends = corpus, corpus.ids, corpus.ends
        self._lengths = np.diff(self._ends, prepend=0) if lengths is None else lengths
        self.batch = min(batch, corpus.sentences)
        self.tokens = tokens or max(64 * batch, 2048)
        self.note = _note(corpus, {"batch": (batch, self.batch)})
        # Longest first: the length of a batch is that of its first sentence, and memory is at its peak at once.
        lengths = -np.sort(-self._lengths)
        self._cuts = [0]  # batch i: sentences cuts[i] ... cuts[i+1] - 1 in the order of lengths
        self._windows = 0
        while (i := self._cuts[-1]) < len(lengths):
            T = int(lengths[i])
            self._cuts.append(min(i + max(1, min(self.batch, self.tokens // T)), len(lengths)))
            self._windows += -(-T // self.tokens)

    def __len__(self) -> int:
        return self._windows

    def batches(self, start: int = 0, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """The batches from number `start` on, the longest sentences first.

        With `rng`, batches come in random order, and which sentences of equal length stand together is random too: two
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
        starts = self._ends[sentences] - lengths
        for first in range(0, int(lengths[0]), self.tokens):
            t = np.arange(first, min(first + self.tokens, int(lengths[0])))[:, None]
            batch = _batch(self._ids, starts + t, t < lengths, fresh=first == 0)
            if first == 0:
                batch.inputs[0] = BOS
            yield batch


def _note(corpus: Corpus, sizes: dict[str, tuple[int, int]]) -> str:
    changed = [f"{name} {wanted} -> {used}" for name, (wanted, used) in sizes.items() if wanted != used]
    size = f"{len(corpus.ids)} tokens in {corpus.sentences} sentences"
    return f"{corpus.name}: only {size}: {', '.join(changed)}" if changed else ""


# --- batches of other tasks ---


class BlankBatch(NamedTuple):
    """B sentences, padded to T words."""

    targets: np.ndarray  # (T, B) int32
    lengths: np.ndarray  # (B,) how many of the T are the sentence
    weights: np.ndarray | None = None  # (T, B) float32: 1, and 0 for padding
    fresh: bool = True

    @property
    def shape(self) -> tuple[int, int]:
        """T, B."""
        return self.targets.shape  # type: ignore[return-value]

    @property
    def tokens(self) -> int:
        """Predictions, padding not counted."""
        return int(self.lengths.sum())


class LabelledBatch(NamedTuple):
    """B sentences, each with its `<s>` in front and padded to T steps, and their labels."""

    inputs: np.ndarray  # (T, B) int32
    lengths: np.ndarray  # (B,) how many of the T are the sentence
    targets: np.ndarray  # (B,) int32
    weights: np.ndarray | None = None
    fresh: bool = True

    @property
    def shape(self) -> tuple[int, int]:
        """T, B."""
        return self.inputs.shape  # type: ignore[return-value]

    @property
    def tokens(self) -> int:
        """Predictions: one per sentence."""
        return len(self.targets)


class PairBatch(NamedTuple):
    """B pairs: sources of up to S words and targets of up to T, `</s>` included."""

    source: np.ndarray  # (S, B) int32
    lengths: np.ndarray | None  # (B,) how many of the S are the source; None: all are
    inputs: np.ndarray  # (T, B) int32: <s>, and the target but for its last
    targets: np.ndarray  # (T, B) int32
    weights: np.ndarray | None = None  # (T, B) float32: 1, and 0 for padding
    fresh: bool = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """S, T, B."""
        return len(self.source), *self.inputs.shape  # type: ignore[return-value]

    @property
    def tokens(self) -> int:
        """Predictions, padding not counted."""
        return self.targets.size if self.weights is None else int(np.count_nonzero(self.weights))


class VectorBatch(NamedTuple):
    """B sentences, and a vector for each."""

    vectors: np.ndarray  # (B, C)
    inputs: np.ndarray  # (T, B) int32
    targets: np.ndarray  # (T, B) int32
    weights: np.ndarray | None = None  # (T, B) float32: 1, and 0 for padding
    fresh: bool = True

    @property
    def shape(self) -> tuple[int, int]:
        """T, B."""
        return self.inputs.shape  # type: ignore[return-value]

    @property
    def tokens(self) -> int:
        """Predictions, padding not counted."""
        return self.targets.size if self.weights is None else int(np.count_nonzero(self.weights))


def shifted(targets: np.ndarray, start: int) -> np.ndarray:
    """Inputs (T, B) for targets (T, B): `start` at the first step, then at each step the target before it."""
    return np.concatenate([np.full((1, targets.shape[1]), start, np.int32), targets[:-1]])


def padded(ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What stands from starts (B,) on, lengths (B,) ids each: (T, B) with EOS for padding and UNK for OOV; and which of
    it is no padding."""
    t = np.arange(int(lengths.max()))[:, None]
    valid = t < lengths
    found = ids[np.minimum(starts + t, len(ids) - 1)]
    return np.where(valid, np.where(found < 0, UNK, found), EOS).astype(np.int32), valid
