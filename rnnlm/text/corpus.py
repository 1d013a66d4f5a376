"""The encoded corpus: a text as token ids, in a temporary file that is mapped into memory.

Dimension letters: N tokens of a corpus (sentence ends included), S sentences.
"""

from __future__ import annotations

import hashlib
import itertools
import mmap
import tempfile
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import IO, Any

import numpy as np

from rnnlm.errors import DataError
from rnnlm.files import shortened
from rnnlm.text import white
from rnnlm.text.lines import BLOCK, TextPath, blocks, columns, opened, opened_text, text_name
from rnnlm.text.names import joined
from rnnlm.text.unknown import Markers
from rnnlm.text.vocab import EOS, Counts, Labels, Vocabulary


@dataclass(frozen=True, eq=False)
class Corpus:
    """An encoded text, or the part of one that `split` cut off. Iterating over it gives the ids of each sentence.

    ids    (N,) int32, every sentence followed by EOS; OOV (-1) for a token outside the vocabulary
    table  (S, 3) int64, per sentence where it ends: in `ids`, in characters and in lines of the text
    """

    ids: np.ndarray
    table: np.ndarray
    characters: int  # of the text, one per line end included
    blank: int  # empty lines that were skipped
    name: str
    bytes: int  # of the text, unzipped
    sha256: str  # of the text, as `digest_of` computes it
    mappings: tuple[mmap.mmap, ...] = ()  # the memory behind both arrays, where they are mapped from a file
    starts: np.ndarray | None = None  # (D,) int64: the sentences that begin a document; None: documents are no matter
    markers: Markers = field(default_factory=Markers)  # of sentences, left out of the whole text

    @property
    def ends(self) -> np.ndarray:
        """(S,) int64: the index just past each sentence's EOS."""
        return self.table[:, 0]

    @property
    def sentences(self) -> int:
        """Number of sentences, S."""
        return len(self.table)

    @property
    def words(self) -> int:
        """Number of tokens, sentence ends not counted."""
        return len(self.ids) - self.sentences

    @cached_property
    def oovs(self) -> int:
        """Number of tokens outside the vocabulary."""
        return sum(int((block < 0).sum()) for block in self._blocks())

    def sentence(self, i: int) -> np.ndarray:
        """Token ids of sentence number i, its EOS included: (n + 1,) int32, a copy."""
        return np.array(self.ids[self.ends[i - 1] if i else 0 : self.ends[i]])

    def __iter__(self) -> Iterator[np.ndarray]:
        for first in range(0, self.sentences, BLOCK):
            yield from map(self.sentence, range(first, min(first + BLOCK, self.sentences)))
            self.forget()

    @property
    def documents(self) -> Iterator[Iterator[np.ndarray]]:
        """The sentences of each document in turn, as iterating over the corpus gives them; without `starts`, of all."""
        sentences = iter(self)
        if self.starts is None:
            yield sentences
            return
        for length in np.diff(self.starts, append=self.sentences).tolist():
            yield itertools.islice(sentences, length)

    def counts(self, vocab: Vocabulary) -> Counts:
        """Token counts of the text; `vocab` is the one that it was encoded with and knows all of its words."""
        ids = np.zeros(len(vocab), np.int64)
        for block in self._blocks():
            ids += np.bincount(block[block >= 0], minlength=len(vocab))
        tokens = Counter({word: int(n) for i, (word, n) in enumerate(zip(vocab.words, ids)) if n and i != EOS})
        return Counts(tokens, self.sentences, self.blank, vocab.level, vocab.lower)

    def _blocks(self) -> Iterator[np.ndarray]:
        for i in range(0, len(self.ids), BLOCK):
            yield self.ids[i : i + BLOCK]
            self.forget()

    def forget(self) -> None:
        """Release the pages read so far, or else a pass over the text ends with all of it in this process's memory.

        The system keeps them in its cache of files as long as there is room, and reads them again when needed.
        """
        for mapping in self.mappings:
            if hasattr(mmap, "MADV_DONTNEED"):
                mapping.madvise(mmap.MADV_DONTNEED)

    def split(self, fraction: float) -> tuple[Corpus, Corpus]:
        """Head and tail: the tail has `fraction` of the tokens, to the nearest sentence end, and neither is empty.

        Raises DataError for a corpus of a single sentence.
        """
        if self.sentences < 2:
            raise DataError(
                f"{self.name}: cannot be split: it has one sentence", "name a text of its own for each part"
            )
        cut = len(self.ids) * (1 - fraction)
        n = bisect_left(self.ends, cut)  # the first sentence that ends at the cut or behind it
        if n and cut - self.ends[n - 1] < self.ends[n] - cut:
            n -= 1
        return self.cut(min(n + 1, self.sentences - 1))

    def cut(self, n: int) -> tuple[Corpus, Corpus]:
        """Corpus of the first n sentences, and of the others."""
        tokens, characters, lines = (int(x) for x in self.table[n - 1])
        head = replace(self, ids=self.ids[:tokens], table=self.table[:n], characters=characters, blank=lines - n)
        if self.starts is not None:
            head = replace(head, starts=self.starts[self.starts < n])
        tail = replace(
            self,
            ids=self.ids[tokens:],
            table=self.table[n:] - self.table[n - 1],
            characters=self.characters - characters,
            blank=self.blank - head.blank,
            starts=None if self.starts is None else np.union1d([0], self.starts[self.starts > n] - n),
        )
        return head, tail


def encode(
    paths: Sequence[TextPath],
    vocab: Vocabulary | Labels,
    blank_lines: bool = False,
    column: int | None = None,
    documents: bool = False,
) -> Corpus:
    """Encoded corpus of texts, one after the other: read once, block by block, and mapped from a temporary file.

    The file has no name and is gone when the corpus is, however the process ends. Its size is 4 bytes per token and 24
    per sentence, in the folder that TMPDIR names; memory does not grow with the text.

    Empty lines are skipped and counted; with `blank_lines` and a vocabulary of characters each is a sentence of its end
    alone, so that every newline of the text is predicted. With `column`, each line of the text has two parts (see
    `columns`), and this is the one to encode. With `documents`, empty lines part documents, as the beginnings of texts
    do. Raises DataError as `lines` does, for a text without sentences, for a part without tokens, and when the
    temporary file cannot be written.
    """
    blank_lines = blank_lines and vocab.level == "char"
    name = joined(paths)
    hashes: list[Any] = []
    begun: list[int] = []  # sentences before each text
    markers = Markers(vocab.level, getattr(vocab, "lower", False))
    tokens = sentences = characters = line = size = 0

    def seen(block: bytes) -> None:
        nonlocal size
        size += len(block)
        hashes[-1].update(block)

    try:
        with tempfile.TemporaryFile() as ids_file, tempfile.TemporaryFile() as table_file:
            for path in paths:
                hashes.append(hashlib.sha256())
                begun.append(sentences)
                before = line
                for block in blocks(path, seen) if column is None else columns(path, column, seen):
                    ids, lengths = vocab.encode(block)
                    markers.block(block, text_name(path), line - before)
                    if column is not None:
                        _check_parts(block, lengths, text_name(path), line - before)
                    kept = lengths >= (0 if blank_lines else 1)
                    ids = np.insert(ids, np.cumsum(lengths)[kept], EOS)
                    ids_file.write(ids.astype(np.int32).tobytes())
                    widths = np.fromiter(map(len, block), np.int64, len(block)) + 1
                    ends = tokens + np.cumsum((lengths + 1) * kept)
                    rows = np.stack([ends, characters + np.cumsum(widths), line + np.arange(1, len(block) + 1)], axis=1)
                    table_file.write(rows[kept].astype(np.int64).tobytes())
                    tokens += len(ids)
                    sentences += int(kept.sum())
                    characters += int(widths.sum())
                    line += len(block)
            blank = line - sentences
            if not sentences:
                raise DataError(
                    f"{name}: no sentences ({size} bytes, {blank} empty lines)",
                    "a sentence is a line with at least one word",
                )
            mappings = _mapped(ids_file), _mapped(table_file)
    except OSError as error:
        raise DataError(
            f"{name}: its token ids cannot be written to a temporary file: {error.strerror}",
            "point TMPDIR to a folder on a disk with space",
        ) from None
    table = np.frombuffer(mappings[1], np.int64).reshape(-1, 3)
    starts = _starts(table, begun) if documents else None
    return Corpus(
        np.frombuffer(mappings[0], np.int32), table, characters, blank, name, size, _combined(hashes), mappings,
        starts, markers,
    )  # fmt: skip


def _starts(table: np.ndarray, begun: Sequence[int]) -> np.ndarray:
    """Sentences that begin documents, (D,): behind an empty line, or at the beginning of a text."""
    after_blank = np.flatnonzero(np.diff(table[:, 2], prepend=0) > 1)
    return np.union1d([0, *(n for n in begun if n < len(table))], after_blank)


def _check_parts(block: Sequence[str], lengths: np.ndarray, name: str, before: int) -> None:
    """Raise DataError for a part of a line, one of two that belong together, in which nothing is left to read."""
    for i in np.flatnonzero(lengths == 0).tolist():
        if white.strip(block[i]):
            raise DataError(f"{name}:{before + i + 1}: no words in {shortened(block[i])}", "expected a sentence")


def _mapped(file: IO[bytes]) -> mmap.mmap:
    file.flush()
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def digest_of(paths: Sequence[TextPath], texts: bool = True) -> str:
    """SHA-256 (hex) of the contents of texts, unzipped: the `sha256` of the corpus that `encode` makes of them.

    texts: False for files that are none, such as arrays.
    """
    hashes = [hashlib.sha256() for _ in paths]
    for path, sha in zip(paths, hashes):
        with (opened_text if texts else opened)(path) as stream:
            while block := stream.read(BLOCK):
                sha.update(block)
    return _combined(hashes)


def _combined(hashes: Sequence[Any]) -> str:
    """Hash of one text; for several, the hash of their hashes, because the end of a text also ends a line."""
    if len(hashes) == 1:
        return hashes[0].hexdigest()
    return hashlib.sha256(b"".join(sha.digest() for sha in hashes)).hexdigest()
