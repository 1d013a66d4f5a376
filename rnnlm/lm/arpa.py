r"""ARPA files: the text format of n-gram models, read and written by SRILM, KenLM and others.

    \data\
    ngram 1=4
    ngram 2=3

    \1-grams:
    -99	<s>	-0.30103
    -0.60206	</s>
    -0.60206	the	-0.2218487
    ...

    \end\

A line is log10 probability, words, log10 backoff weight. A missing weight is 0; -99 or less stands for log 0.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import os
import re
from collections.abc import Iterator
from itertools import repeat
from typing import Any, BinaryIO, NoReturn, cast

import numpy as np

from rnnlm.encodings import kind_of
from rnnlm.errors import DataError, UsageError
from rnnlm.files import keep, shortened, write_whole
from rnnlm.lm.ngram import Ngram, Order, find
from rnnlm.lm.scorer import LN10
from rnnlm.text.lines import STDIN, TextPath, blocks, opened, text_name
from rnnlm.text.vocab import BOS, SPECIALS, Vocabulary

ZERO = -99  # log10 of a probability that counts as zero
SLACK = 1e-6  # rounding may lift a log10 probability above 0 by so much
LINES = 1 << 16  # written at a time
NEWLINE = 10
WHITE = np.isin(np.arange(256), list(b" \t\n\r\v\f"))
HEAD = 1 << 16  # bytes that are looked at
AGAIN = "nothing turns it back: name the ARPA file that it was made from"
IRSTLM = "write an ARPA file with: compile-lm --text yes {0} {0}.arpa"
SRILM = "write an ARPA file with: ngram -lm {0} -write-lm {0}.arpa"
SPHINX = "write an ARPA file with: sphinx_lm_convert -i {0} -o {0}.arpa"
TRAIN = "its weights cannot be read here: train one with `rnnlm train`"
FORMATS = [  # of other programs' models: how the file begins, what it is, how to convert it
    (rb"\s*iARPA\b", "IRSTLM's intermediate format (iARPA), whose numbers are not ARPA's", IRSTLM),
    (rb"\s*qARPA\b", "IRSTLM's quantized format (qARPA)", AGAIN),
    (rb"blmt\b", "a binary file of IRSTLM", IRSTLM),
    (rb"Qblmt\b", "a quantized binary file of IRSTLM", AGAIN),
    (rb"mmap lm http://kheafield\.com/code", "a binary file of KenLM", AGAIN),
    (rb"SRILM_BINARY_NGRAM_", "a binary file of SRILM", SRILM),
    (rb"(?s:.{0,8})Darpa Trigram LM|Trie Language Model", "a binary file of CMU Sphinx", SPHINX),
    (rb"\0B<ConstArpaLm>", "a const-arpa file of Kaldi", AGAIN),
    (rb"\xd6\xfd\xb2\x7e", "a transducer of OpenFst, such as Kaldi's G.fst", AGAIN),
    (rb"version: \d+\s+file format: ", "a network of Mikolov's RNNLM toolkit", TRAIN),
]


def head(path: TextPath) -> bytes:
    """First bytes of a file, decompressed; none if it cannot be read."""
    with contextlib.suppress(DataError), opened(path) as stream:
        return stream.read(HEAD)
    return b""


def refuse_foreign(begins: bytes, name: str) -> None:
    """Raise DataError, which names the format and how to convert it, for the model of another program.

    begins: the first bytes of a file. name: of the file.
    """
    if kind := kind_of(begins.removeprefix(b"\xef\xbb\xbf"), name, FORMATS):
        raise DataError(f"{name}: {kind.what}, expected an ARPA file or a model of rnnlm", kind.hint)


def refuse_foreign_file(path: TextPath) -> None:
    """Raise DataError for a file that is the model of another program: see `refuse_foreign`."""
    if os.path.isfile(path):
        refuse_foreign(head(path), str(path))


def is_arpa(path: TextPath) -> bool:
    r"""Whether a path means an ARPA file: standard input, a name in .arpa (.gz), or a line \data\ at the start."""
    if str(path) == STDIN or str(path).endswith(tuple(f".arpa{end}" for end in ("", ".gz", ".bz2", ".xz", ".zst"))):
        return True
    keep(path)  # a pipe, which is read again
    return re.search(rb"^\\data\\\s*$", head(path), re.MULTILINE) is not None


def refuse(path: TextPath) -> None:
    """Raise an error for what is no network: UsageError for an ARPA file, DataError for another program's model."""
    if os.path.isfile(path):
        refuse_foreign_file(path)
        if is_arpa(path):
            hint = "`rnnlm eval`, `score`, `rescore` and `compare` take it"
            raise UsageError(f"{path}: an n-gram model (ARPA file), expected a network", hint)


# --- writing -------------------------------------------------------------------------------------------------------


def save(model: Ngram, path: str | os.PathLike[str]) -> None:
    """Write an ARPA file, whole or not at all; gzipped if its name ends in .gz, always the same bytes for a model.

    Raises DataError if it cannot be written.
    """

    def content(file: BinaryIO) -> None:
        if str(path).endswith(".gz"):
            with io.BufferedWriter(cast(Any, gzip.GzipFile("", "wb", 6, file, 0)), 1 << 20) as stream:
                write(model, stream)
        else:
            write(model, file)

    write_whole(path, content)


def write(model: Ngram, file: BinaryIO) -> None:
    """Write a model to a binary stream as an ARPA file, words in the order of the vocabulary."""
    counts = "".join(f"ngram {n}={len(order.keys)}\n" for n, order in enumerate(model.orders, 1))
    file.write(f"\\data\\\n{counts}".encode())
    for n, order in enumerate(model.orders, 1):
        file.write(f"\n\\{n}-grams:\n".encode())
        for first in range(0, len(order.keys), LINES):
            part = slice(first, first + LINES)
            words = _words(model, n, order.keys[part])
            log_p, backoff = (np.maximum(x[part] / LN10, ZERO).tolist() for x in (order.log_p, order.backoff))
            if n < model.order:
                lines = [f"{p:.7f}\t{g}\t{b:.7f}\n" for p, g, b in zip(log_p, words, backoff)]
            else:
                lines = [f"{p:.7f}\t{g}\n" for p, g in zip(log_p, words)]
            file.write("".join(lines).encode())
    file.write(b"\n\\end\\\n")


def _words(model: Ngram, n: int, keys: np.ndarray) -> list[str]:
    """Words of the n-grams with these keys, separated by spaces."""
    K, columns = len(model.vocab), []
    for order in reversed(model.orders[: n - 1]):
        place, word = np.divmod(keys, K)
        columns.append(word)
        keys = order.keys[place]
    columns.append(keys)
    texts = [[model.vocab.words[i] for i in column.tolist()] for column in reversed(columns)]
    return list(map(" ".join, zip(*texts)))


# --- reading -------------------------------------------------------------------------------------------------------


def load(path: TextPath) -> Ngram:
    """Read an ARPA file, compressed or not; `-` is standard input.

    The vocabulary is `<s>`, `</s>`, `<unk>` (`<UNK>` is read as `<unk>`), then the words in the order of the file.
    Without a line for `<unk>`, unknown words have probability zero. Text before the line \\data\\ is skipped, as other
    programs do. Raises DataError with file, line and what was expected for whatever is missing, malformed, listed twice
    or not announced in the header, and for formats that only look like it (`FORMATS`). Memory grows with the
    n-grams that are there.
    """
    refuse_foreign_file(path)
    return _Reader(path).model()


class _Reader:
    """Reader of one ARPA file, block by block of its lines."""

    def __init__(self, path: TextPath):
        self.name = text_name(path)
        self.blocks = blocks(path)
        self.lines: list[str] = []
        self.at = 0  # index of the next one
        self.before = 0  # number of lines in the file before `lines`

    @property
    def number(self) -> int:
        """Number of the next line, from 1."""
        return self.before + self.at + 1

    def model(self) -> Ngram:
        while (line := self.next("\\data\\")) != "\\data\\":
            refuse_foreign(line.encode(), self.name)  # from standard input
            self.at += 1
        self.at += 1
        promised = self.header()
        orders: list[Order] = []
        vocab, index = Vocabulary(SPECIALS, [0] * 3), dict[bytes, int]()
        for n, number in enumerate(promised, 1):
            self.skip(f"\\{n}-grams:")
            ids, lines, log_p, backoff = self.section(n, number, index, len(promised))
            if len(lines) != number:
                self.fail(self.next("\\end\\"), f"expected {number} {n}-grams as \\data\\ says, found {len(lines)}")
            if n == 1:
                vocab, order = self.unigrams(index, log_p, backoff)
            else:
                order = self.order(ids, lines, log_p, backoff, orders, vocab)
            orders.append(order)
        self.skip("\\end\\")
        if (more := self.peek()) is not None:
            self.fail(more, "expected nothing after \\end\\")
        return Ngram(vocab, orders)

    def header(self) -> list[int]:
        """Number of n-grams of each order, as the header has it."""
        promised: list[int] = []
        while not (line := self.next("ngram 1=...")).startswith("\\"):
            entry = re.fullmatch(r"ngram\s+([0-9]{1,9})\s*=\s*([0-9]{1,18})", line)
            if not entry or int(entry[1]) != len(promised) + 1:
                self.fail(line, f"expected 'ngram {len(promised) + 1}=' and a number, or \\1-grams:")
            promised.append(int(entry[2]))
            self.at += 1
        if not promised:
            self.fail(line, "expected 'ngram 1=' and a number")
        return promised

    def section(self, n: int, number: int, index: dict[bytes, int], N: int) -> Iterator[np.ndarray]:
        """N-grams up to the next line that begins with a backslash: ids (n, m), line numbers, log p, log backoff.

        The ids are those of `index`, where unigrams are added as they come.
        """
        found, parts = 0, [(np.empty((n, 0), np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))]
        while (line := self.peek()) is not None and not line.startswith("\\"):
            text = "\n".join(self.lines[self.at :])
            end = re.search(r"^[ \t]*\\", text, re.MULTILINE)
            fields, lengths = _fields((text[: end.start()] if end else text).encode())
            numbers = np.flatnonzero(lengths)
            wrong = (lengths > 0) & (lengths != n + 1) & (lengths != n + 2)
            if wrong.any():
                words = f"{n} words" if n > 1 else "a word"
                self.fail(int(wrong.argmax()), f"expected log10 p, {words} and perhaps a backoff weight")
            if found + len(numbers) > number:
                self.fail(int(numbers[number - found]), f"expected the end of {number} {n}-grams, as \\data\\ says")
            first = (np.cumsum(lengths) - lengths)[numbers]  # index of each line's first field
            weighted = lengths[numbers] == n + 2
            p, b = self.floats(fields[first], numbers, "log10 p"), np.zeros(len(numbers))
            b[weighted] = self.floats(fields[first[weighted] + n + 1], numbers[weighted], "a backoff weight")
            self.refuse(p > SLACK, numbers, "expected log10 p, which is not above 0")
            if n == N:
                self.refuse(b != 0, numbers, f"expected no backoff weight of the longest n-grams, {N}-grams")
            if n == 1:
                row = np.array([index.setdefault(word, len(index)) for word in fields[first + 1].tolist()])
                self.refuse(np.diff(row, prepend=found - 1) != 1, numbers, "expected each word once")
                ids = row[None]
            else:
                ids = np.empty((n, len(numbers)), np.int64)
                for i, row in enumerate(ids, 1):
                    row[:] = np.fromiter(map(index.get, fields[first + i].tolist(), repeat(-1)), np.int64, len(row))
                self.refuse(ids.min(axis=0) < 0, numbers, "expected words that are among the 1-grams")
            log_p, backoff = (np.where(x > ZERO, x * LN10, -np.inf) for x in (p, b))
            found += len(numbers)
            parts.append((ids, numbers + self.number, log_p, backoff))
            self.at += len(lengths)
        return (np.concatenate(column, axis=-1) for column in zip(*parts))

    def unigrams(self, index: dict[bytes, int], log_p: np.ndarray, backoff: np.ndarray) -> tuple[Vocabulary, Order]:
        """The vocabulary and the 1-grams, in its order; the ids in `index` become those of the vocabulary."""
        unk = b"<UNK>" if b"<UNK>" in index and b"<unk>" not in index else b"<unk>"
        for special in (b"<s>", b"</s>"):
            if special not in index:
                self.fail(self.next("\\end\\"), f"expected {special.decode()} among the 1-grams before")
        words = [b"<s>", b"</s>", unk, *(word for word in index if word not in (b"<s>", b"</s>", unk))]
        K = len(words)
        order = Order(np.arange(K), np.full(K, -np.inf), np.zeros(K))
        for i, word in enumerate(words):
            if word in index:
                order.log_p[i], order.backoff[i] = log_p[index[word]], backoff[index[word]]
                index[word] = i
        order.log_p[BOS] = -np.inf  # some programs give it log p = 0
        return Vocabulary([*SPECIALS, *(word.decode() for word in words[3:])], [0] * K), order

    def order(self, ids, lines, log_p, backoff, orders, vocab) -> Order:
        """Sorted arrays of n-grams, ids (n, m), whose contexts are in the orders below. lines: where they are."""
        n, K = len(ids), len(vocab)
        place = ids[0]
        for k, lower in enumerate(orders[1:], 2):
            place = find(lower.keys, place * K + ids[k - 1])
            if (place < 0).any():
                i = int((place < 0).argmax())
                words = " ".join(vocab.words[j] for j in ids[: n - 1, i])
                self.fail_at(int(lines[i]), f"{n}-gram '{words} ...'", f"expected its context among the {n - 1}-grams")
        keys = place * K + ids[-1]
        if (keys[1:] <= keys[:-1]).any():
            by_key = np.argsort(keys, kind="stable")
            keys, lines, log_p, backoff = keys[by_key], lines[by_key], log_p[by_key], backoff[by_key]
            twice = np.flatnonzero(keys[1:] == keys[:-1])
            if len(twice):
                i = twice[lines[1:][twice].argmin()] + 1
                words = " ".join(vocab.words[j] for j in ids[:, by_key[i]])
                self.fail_at(int(lines[i]), f"{n}-gram '{words}'", f"expected it once, it is in line {lines[i - 1]}")
        return Order(keys, log_p, backoff)

    def peek(self) -> str | None:
        """The next line that is not blank, stripped; None at the end of the file."""
        while True:
            while self.at < len(self.lines):
                if line := self.lines[self.at].strip():
                    return line
                self.at += 1
            if (block := next(self.blocks, None)) is None:
                return None
            self.before, self.at, self.lines = self.before + len(self.lines), 0, block

    def next(self, expected: str) -> str:
        """The next line that is not blank, stripped. Raises DataError at the end of the file."""
        line = self.peek()
        if line is None:
            self.fail_at(self.before + len(self.lines), "the end of the file", f"expected {expected}")
        return line

    def skip(self, wanted: str) -> None:
        """Go beyond the next line. Raises DataError if it is another one than `wanted`."""
        if (line := self.next(wanted)) != wanted:
            self.fail(line, f"expected {wanted}")
        self.at += 1

    def floats(self, column: np.ndarray, numbers: np.ndarray, what: str) -> np.ndarray:
        """Numbers from a column of texts. Raises DataError, for the first of them that is none."""
        texts = column.tolist()
        try:
            if b"_" in b"".join(texts):  # Python's numbers may have it
                raise ValueError
            values = np.fromiter(map(float, texts), float, len(texts))
        except ValueError:
            values = np.array(list(map(_number, texts)))
        self.refuse(np.isnan(values) | (values == math.inf), numbers, f"expected a number for {what}")
        return values

    def refuse(self, wrong: np.ndarray, numbers: np.ndarray, expected: str) -> None:
        """Raise DataError for the first entry that is wrong. numbers: their lines, counted from the next one."""
        if wrong.any():
            self.fail(int(numbers[wrong.argmax()]), expected)

    def fail(self, line: str | int, expected: str) -> NoReturn:
        """Raise DataError for the next line, given as text, or for the i-th line from here."""
        i, text = (line, self.lines[self.at + line].strip()) if isinstance(line, int) else (0, line)
        self.fail_at(self.number + i, shortened(text, 60), expected)

    def fail_at(self, number: int, found: str, expected: str) -> NoReturn:
        raise DataError(f"{self.name}:{number}: found {found}, {expected}", "is this a whole ARPA file?")


def _fields(text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Fields separated by ASCII white space, as an object array, and the number of fields in each line."""
    array = np.frombuffer(text, np.uint8)
    begins = ~WHITE[array]
    begins[1:] &= WHITE[array[:-1]]
    ends = np.append(np.flatnonzero(array == NEWLINE), len(array))
    lengths = np.diff(np.searchsorted(np.flatnonzero(begins), ends), prepend=0)
    return np.array([*text.split(), b""], object), lengths if not text.endswith(b"\n") else lengths[:-1]


def _number(text: bytes) -> float:
    if text.startswith(b"-1.#INF"):  # as older C libraries of Windows print it
        return -math.inf
    try:
        return math.nan if b"_" in text else float(text)
    except ValueError:
        return math.nan
