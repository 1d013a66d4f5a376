"""The encoded corpus: a text as token ids, written once to disk and mapped into memory.

Dimension letters: N tokens of a corpus (sentence ends included), S sentences, K entries of the vocabulary.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import struct
import tempfile
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from rnnlm.errors import DataError
from rnnlm.text.lines import BLOCK, STDIN, TextPath, blocks, columns, opened, text_name
from rnnlm.text.vocab import EOS, OOV, SPECIALS, Counts, Vocabulary


@dataclass(frozen=True, eq=False)
class Corpus:
    """An encoded text, or the part of one that `split` cut off.

    ids    (N,) int32, every sentence followed by EOS; -1 for a token outside the vocabulary
    table  (S, 3) int64, per sentence where it ends: in `ids`, in characters and in lines of the text
    """

    ids: np.ndarray
    table: np.ndarray
    characters: int  # of the text, one per line end included
    blank: int  # empty lines that were skipped
    name: str
    bytes: int  # of the files that it comes from, unzipped
    sha256: str  # of the same
    mapping: mmap.mmap | None = None  # the file behind both arrays, if there is one

    @property
    def ends(self) -> np.ndarray:
        """(S,) int64: the index just past each sentence's EOS."""
        return self.table[:, 0]

    @property
    def sentences(self) -> int:
        return len(self.table)

    @property
    def words(self) -> int:
        """Tokens, sentence ends not counted."""
        return len(self.ids) - self.sentences

    @cached_property
    def oovs(self) -> int:
        """Tokens outside the vocabulary."""
        return sum(int((block < 0).sum()) for block in self._blocks())

    def counts(self, vocab: Vocabulary) -> Counts:
        """What was counted to get here, for a vocabulary that knows every word of the text."""
        ids = np.zeros(len(vocab), np.int64)
        for block in self._blocks():
            ids += np.bincount(block[block >= 0], minlength=len(vocab))
        tokens = Counter({word: int(n) for word, n in zip(vocab.words, ids) if n and word != SPECIALS[EOS]})
        return Counts(tokens, self.sentences, self.blank, vocab.level, vocab.lower)

    def _blocks(self) -> Iterator[np.ndarray]:
        for i in range(0, len(self.ids), BLOCK):
            yield self.ids[i : i + BLOCK]
            self.forget()

    def forget(self) -> None:
        """Take the pages read so far out of this process, or else a pass over the text ends with all of it in memory.

        They stay in the system's cache of files as long as there is room, and come back from there when read again.
        """
        if self.mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
            self.mapping.madvise(mmap.MADV_DONTNEED)

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
        """The first n sentences, and the others."""
        tokens, characters, lines = (int(x) for x in self.table[n - 1])
        head = replace(self, ids=self.ids[:tokens], table=self.table[:n], characters=characters, blank=lines - n)
        tail = replace(
            self,
            ids=self.ids[tokens:],
            table=self.table[n:] - self.table[n - 1],
            characters=self.characters - characters,
            blank=self.blank - head.blank,
        )
        return head, tail


class Encoder(Protocol):
    """What makes numbers of lines: a vocabulary."""

    level: str

    def __len__(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    def encode(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]: ...


def encode(
    paths: Sequence[TextPath],
    vocab: Encoder,
    blank_lines: bool = False,
    cache: TextPath | None = None,
    column: int | None = None,
) -> Corpus:
    """The ids of texts, one after the other, encoded in one pass and mapped from disk.

    Empty lines are skipped and counted; with `blank_lines` and a vocabulary of characters each is a sentence of its end
    alone, so that every newline of the text is predicted. The result is kept in the directory `cache` (default:
    $RNNLM_CACHE, $XDG_CACHE_HOME/rnnlm or ~/.cache/rnnlm; safe to delete) under the hash of contents and vocabulary;
    where that cannot be written, and for standard input, in a temporary file. With `column`, the text has two on each
    line (see `columns`), and this is the one to encode. Raises DataError as `lines` does, and for a text without
    sentences.
    """
    blank_lines = blank_lines and vocab.level == "char"
    name = " + ".join(text_name(path) for path in paths)
    folder = Path(cache or os.environ.get("RNNLM_CACHE") or _user_cache())

    def entry(digest: str) -> Path:
        key = f"{FORMAT!r} {digest} {vocab.fingerprint} {blank_lines} {column}"
        return folder / f"{hashlib.sha256(key.encode()).hexdigest()}.corpus"

    cached = STDIN not in map(str, paths)
    if cached:
        digest = digest_of(paths)
        with contextlib.suppress(OSError, _Damaged), open(entry(digest), "rb") as file:
            return _map(file, name, digest, len(vocab))
    try:
        with _scratch(folder if cached else None) as file:
            digest = _write(file, paths, vocab, blank_lines, column)
            corpus = _map(file, name, digest, len(vocab))
            if not corpus.sentences:
                raise DataError(
                    f"{name}: no sentences ({corpus.bytes} bytes, {corpus.blank} empty lines)",
                    "a sentence is a line with at least one word",
                )
            if cached:
                with contextlib.suppress(OSError):  # then it will be encoded again the next time
                    os.replace(file.name, entry(digest))
    except OSError as error:
        raise DataError(
            f"{name}: its encoding cannot be written: {error.strerror}",
            "point RNNLM_CACHE or TMPDIR to a disk with space",
        ) from None
    return corpus


def _user_cache() -> str:
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "rnnlm")


def digest_of(paths: Sequence[TextPath]) -> str:
    """SHA-256 (hex) of the contents of texts."""
    hashes = [hashlib.sha256() for _ in paths]
    for path, sha in zip(paths, hashes):
        with opened(path) as stream:
            while block := stream.read(BLOCK):
                sha.update(block)
    return _combine(hashes)


def _combine(hashes: Sequence[Any]) -> str:
    """The hash of one text; of several, the hash of their hashes, because the end of a text also ends a line."""
    if len(hashes) == 1:
        return hashes[0].hexdigest()
    return hashlib.sha256(b"".join(sha.digest() for sha in hashes)).hexdigest()


# An encoded corpus on disk: ids, one more int32 if that makes their number even, table, trailer. All little-endian.
FORMAT = b"rnnlm\0\0\1"
TRAILER = struct.Struct("<8s5QI")  # FORMAT, N, S, characters, blank, bytes of the text, CRC-32 of all before it
ID, ROW = np.dtype("<i4"), np.dtype("<i8")


class _Damaged(Exception):
    """A file that is not an encoded corpus, or no longer."""


@contextlib.contextmanager
def _scratch(folder: Path | None) -> Iterator[Any]:
    """A new file, in `folder` if that can be written; removed at the end unless renamed. Mappings outlive the name."""
    file: Any = None
    if folder:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            file = tempfile.NamedTemporaryFile(dir=folder, suffix=".tmp", delete=False)  # noqa: SIM115
    file = file or tempfile.NamedTemporaryFile(delete=False)  # noqa: SIM115
    try:
        with file:
            yield file
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file.name)


def _write(file: BinaryIO, paths: Sequence[TextPath], vocab: Encoder, blank_lines: bool, column: int | None) -> str:
    """Encode texts into `file`; return the digest of what was read, for a text may have changed since it was hashed."""
    hashes: list[Any] = []
    crc = tokens = sentences = characters = line = size = 0

    def write(data: bytes) -> None:
        nonlocal crc
        crc = zlib.crc32(data, crc)
        file.write(data)

    def seen(block: bytes) -> None:
        nonlocal size
        size += len(block)
        hashes[-1].update(block)

    with tempfile.TemporaryFile() as table:
        for path in paths:
            hashes.append(hashlib.sha256())
            for block in blocks(path, seen) if column is None else columns(path, column, seen):
                ids, lengths = vocab.encode(block)
                kept = lengths >= (0 if blank_lines else 1)
                ids = np.insert(ids, np.cumsum(lengths)[kept], EOS)
                write(ids.astype(ID).tobytes())
                widths = np.fromiter(map(len, block), np.int64, len(block)) + 1
                ends = tokens + np.cumsum((lengths + 1) * kept)
                rows = np.stack([ends, characters + np.cumsum(widths), line + np.arange(1, len(block) + 1)], axis=1)
                table.write(rows[kept].astype(ROW).tobytes())
                tokens += len(ids)
                sentences += int(kept.sum())
                characters += int(widths.sum())
                line += len(block)
        if tokens % 2:
            write(np.zeros(1, ID).tobytes())
        table.seek(0)
        while data := table.read(BLOCK):
            write(data)
    write(TRAILER.pack(FORMAT, tokens, sentences, characters, line - sentences, size, 0)[:-4])
    file.write(struct.pack("<I", crc))
    file.flush()
    return _combine(hashes)


def _map(file: BinaryIO, name: str, digest: str, K: int) -> Corpus:
    """The corpus in an open file, whose ids are those of a vocabulary of K entries. Raises _Damaged."""
    size = os.fstat(file.fileno()).st_size
    if size < TRAILER.size:
        raise _Damaged
    file.seek(-TRAILER.size, os.SEEK_END)
    magic, N, S, characters, blank, length, crc = TRAILER.unpack(file.read())
    start = (N + N % 2) * ID.itemsize
    if magic != FORMAT or size != start + S * 3 * ROW.itemsize + TRAILER.size or crc != _crc(file, size - 4):
        raise _Damaged
    if S == 0:  # nothing to map
        return Corpus(np.empty(0, ID), np.empty((0, 3), ROW), characters, blank, name, length, digest)
    mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    ids = np.frombuffer(mapping, ID, N)
    table = np.frombuffer(mapping, ROW, S * 3, start).reshape(S, 3)
    text = Corpus(ids, table, characters, blank, name, length, digest, mapping)
    if not _consistent(text, K):  # the checksum is no secret, and an index beyond the end would end in a traceback
        raise _Damaged
    return text


def _consistent(text: Corpus, K: int) -> bool:
    """Whether every id is one of K entries or -1, and the ends of sentences, characters and lines go up."""
    if any(block.min() < OOV or block.max() >= max(K, EOS + 1) for block in text._blocks()):
        return False
    last = np.zeros(3, np.int64)
    step = max(1, BLOCK // text.table[:1].nbytes)
    for i in range(0, text.sentences, step):
        rows = np.concatenate([last[None], text.table[i : i + step]])
        text.forget()
        if (rows[1:] <= rows[:-1]).any():
            return False
        last = rows[-1]
    return bool(last[0] == len(text.ids))


def _crc(file: BinaryIO, size: int) -> int:
    file.seek(0)
    crc = 0
    while size and (block := file.read(min(size, BLOCK))):
        crc = zlib.crc32(block, crc)
        size -= len(block)
    return crc
