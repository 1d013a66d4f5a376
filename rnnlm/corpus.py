"""From text to numbers: files are read line by line, encoded once into memory-mapped ids, and served in batches.

There are two ways of reading: `Stream`, one continuous text in B columns whose state is carried from window to window,
and `Sentences`, each on its own. Either predicts every token exactly once.

Dimension letters: T time steps, B columns or sentences of a batch, N tokens of a corpus (sentence ends included),
S sentences.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import itertools
import mmap
import os
import stat
import struct
import sys
import tempfile
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np

from rnnlm.errors import DataError
from rnnlm.vocab import BOS, EOS, OOV, SPECIALS, UNK, Counts, Vocabulary

TextPath = str | os.PathLike[str]
STDIN = "-"
BLOCK = 1 << 17  # bytes read, encoded and written at a time
MAX_LINE = 1 << 26  # bytes; the gigabytes that a few kilobytes of gzip can stand for need have no line end at all
GZIP_MAGIC = b"\x1f\x8b"

# --- reading text --------------------------------------------------------------------------------------------------


def lines(path: TextPath, seen: Callable[[bytes], object] | None = None) -> Iterator[str]:
    """The lines of a UTF-8 text, without their ends.

    `path` is "-" for standard input, or a file, plain or gzipped (told by its first bytes). Only "\\n" ends a line,
    with or without "\\r" before it; the last line may lack it. A byte order mark at the start is dropped. `seen` is
    called with the bytes of the text as they are read (for progress bars). Lines typed or piped in slowly are yielded
    as they come. Memory: a block of text, or the longest line. Raises DataError for a file that cannot be read or, with
    line and byte (counted from 0), that is not UTF-8, and for a line of more than MAX_LINE bytes.
    """
    for block in blocks(path, seen):
        yield from block


def blocks(path: TextPath, seen: Callable[[bytes], object] | None = None) -> Iterator[list[str]]:
    """The same in lists of lines, about BLOCK bytes each; of what is piped in slowly, the lines that are there."""
    offset = line = 0
    with _open(path) as stream:
        while block := stream.read1(BLOCK):
            if not block.endswith(b"\n"):
                block += stream.readline(MAX_LINE)
                if len(block) >= MAX_LINE and not block.endswith(b"\n"):
                    line += block.count(b"\n") + 1
                    raise DataError(
                        f"{text_name(path)}:{line}: a line of more than {MAX_LINE >> 20} MB, which no sentence has",
                        "break it up, for example with: fold -s -w 1000",
                    )
            if seen:
                seen(block)
            try:
                text = block.decode()
            except UnicodeDecodeError as error:
                line += block.count(b"\n", 0, error.start) + 1
                raise DataError(
                    f"{text_name(path)}:{line}: byte {offset + error.start}: not UTF-8 (0x{block[error.start]:02x})",
                    "convert it, for example with: iconv -f ISO-8859-1 -t UTF-8",
                ) from None
            if offset == 0:
                text = text.removeprefix("\ufeff")
            offset += len(block)
            line += block.count(b"\n")
            if text:
                text = text if text.endswith("\n") else text + "\n"
                yield text.replace("\r\n", "\n")[:-1].split("\n")


def columns(path: TextPath, column: int, seen: Callable[[bytes], object] | None = None) -> Iterator[list[str]]:
    """Blocks of one column, 0 or 1, of a text whose lines are two parts with a tab between: `label<TAB>text`.

    An empty line has two empty parts. Raises DataError, naming the line, for one that lacks the tab or a part.
    """
    number = 0
    for block in blocks(path, seen):
        yield [part(line, column, path, number + i) for i, line in enumerate(block, 1)]
        number += len(block)


def part(line: str, column: int, path: TextPath, number: int) -> str:
    """One part of a line, whose number is for the message."""
    left, tab, right = line.partition("\t")
    if not tab and not line.strip():
        return ""
    if not (left.strip() and right.strip()):
        what = "an empty part beside the tab" if tab else "no tab"
        found = repr(line if len(line) <= 40 else line[:37] + "...")
        raise DataError(
            f"{text_name(path)}:{number}: {what} in {found}",
            "expected two parts with a tab between",
        )
    return right if column else left


@contextlib.contextmanager
def _open(path: TextPath) -> Iterator[Any]:
    """A binary stream of a text, unzipped. Whatever prevents reading it becomes a DataError."""
    name = text_name(path)
    try:
        if str(path) == STDIN:
            if sys.stdin is None:
                raise DataError(f"{name}: is closed", "pipe a text in, or name a file")
            yield sys.stdin.buffer
            return
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise DataError(f"{name}: is a directory", "name the text files in it")
        if not stat.S_ISREG(mode):  # most texts are read twice
            raise DataError(f"{name}: is a pipe or a device, not a file", "pipe the text in, and name it '-'")
        with io.BufferedReader(io.FileIO(os.fspath(path)), BLOCK) as file:
            yield gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == GZIP_MAGIC else file
    except FileNotFoundError:
        from rnnlm import datasets

        raise DataError(f"{name}: no such file (tried {os.path.abspath(path)})", datasets.hint(str(path))) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name}: broken gzip file: {error}", "copy or download it again") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror}", "check the file and its permissions") from None


def text_name(path: TextPath) -> str:
    """What reports and messages call a text."""
    return "<stdin>" if str(path) == STDIN else str(path) or "''"


# --- the corpus ----------------------------------------------------------------------------------------------------


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
        with _open(path) as stream:
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


# --- batches -------------------------------------------------------------------------------------------------------

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
