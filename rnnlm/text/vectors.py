"""Files of word vectors: GloVe's text, and the text and binary formats of word2vec.

    the 0.418 0.24968 -0.41242 ...    GloVe: a word and its D numbers on each line
    400000 50                         word2vec: the number of words and D come first
    the 0.418 0.24968 -0.41242 ...

word2vec's binary format has that first line, too. Then come, for each word, the word, a blank, D little-endian float32
and perhaps a line end. A word cannot contain ASCII white space in any of them.

Letters: K words, D numbers per vector.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, NoReturn

import numpy as np

from rnnlm.errors import DataError
from rnnlm.files import shortened
from rnnlm.text.lines import TextPath, opened, text_name

ROWS = 1 << 12  # words written at once
PIECE = 1 << 20  # bytes of a binary file read at once
LONGEST = 1 << 20  # bytes of a line or a word; more is no file of vectors
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DAMAGED = "the file is damaged: copy or download it again"
FORMATS = "expected vectors as text of GloVe or word2vec, or binary of word2vec (an archive must be unpacked)"


# --- reading ---


def read(path: TextPath, words: Iterable[str], D: int) -> dict[str, np.ndarray]:
    """Vectors (D,) float32 of those words that a file has; of a word listed twice, the first vector.

    The file is GloVe's or word2vec's, text or binary; its first lines tell which. Memory grows with the words that are
    found, not with the file. Raises DataError for a file that is missing, cut short or something else, for vectors of
    another length than D, and for numbers that are not finite.
    """
    with opened(path) as stream:
        found = _Reader(stream, text_name(path), D, words).vectors()
    return {word.decode(): vector for word, vector in found.items()}


class _Reader:
    """Goes through a file of word vectors from its beginning."""

    def __init__(self, stream: Any, name: str, D: int, words: Iterable[str]):
        self.stream, self.name, self.D = stream, name, D
        self._line = partial(stream.readline, LONGEST)
        self.wanted = {word.encode() for word in words}
        self.found: dict[bytes, np.ndarray] = {}

    def vectors(self) -> dict[bytes, np.ndarray]:
        first = self._line().removeprefix(BYTE_ORDER_MARK)
        header = re.fullmatch(rb"\s*([0-9]{1,12})\s+([0-9]{1,6})\s*", first)
        D = int(header[2]) if header else len(first.split()) - 1
        if not first:
            self._fail(1, "is empty", FORMATS)
        if not header and (D < 1 or _floats(first.split()[1:], D) is None):
            self._fail(1, f"found {_shown(first)}, expected a word and {self.D} numbers", FORMATS)
        if D != self.D:
            self._fail(1, f"vectors of {D} numbers, expected {self.D}", f"set the size of the embedding to {D}")
        if not header:
            self._text(first, 1, None)
        elif number := int(header[1]):
            second = self._line()
            if _floats(second.rsplit(None, self.D)[1:], self.D) is not None:
                self._text(second, 2, number)
            else:
                self._binary(second, number)
        return self.found

    def _text(self, first: bytes, start: int, number: int | None) -> None:
        """Read lines of text, of which `first` is line `start` of the file; as many as promised, if a number was."""
        rows = 0
        for i, line in enumerate(chain([first], iter(self._line, b"")), start):
            if not line.strip():
                continue
            rows += 1
            if line.split(None, 1)[0] not in self.wanted:
                continue  # to parse what nobody wants would take most of the time
            word, *values = line.strip().rsplit(None, self.D)  # words of some files contain blanks
            vector = _floats(values, self.D)
            if vector is None:
                self._fail(i, f"found {_shown(line)}, expected a word and {self.D} numbers", DAMAGED)
            self._keep(word, vector, i)
        if number not in (None, rows):
            self._fail(i, f"found {rows} words, but the first line promises {number}", DAMAGED)

    def _binary(self, buffer: bytes, number: int) -> None:
        """Read the words and vectors of a binary file, of which `buffer` is the beginning."""
        at, size = 0, 4 * self.D
        for i in range(1, number + 1):
            while (blank := buffer.find(b" ", at)) < 0 or len(buffer) < blank + 1 + size:
                more = self.stream.read(PIECE)
                if not more or (blank < 0 and len(buffer) - at > LONGEST):
                    self._fail(None, f"ends in word {i} of {number}" if not more else f"word {i} has no end", DAMAGED)
                buffer, at = buffer[at:] + more, 0
            word = buffer[at:blank].lstrip(b"\n")
            if word in self.wanted:
                self._keep(word, np.frombuffer(buffer, "<f4", self.D, blank + 1).astype(np.float32), None)
            at = blank + 1 + size

    def _keep(self, word: bytes, vector: np.ndarray, line: int | None) -> None:
        if word in self.wanted and word not in self.found:
            if not np.isfinite(vector).all():
                self._fail(line, f"the vector of {_shown(word)} has numbers that are not finite", DAMAGED)
            self.found[word] = vector

    def _fail(self, line: int | None, what: str, hint: str) -> NoReturn:
        raise DataError(f"{self.name}{'' if line is None else f':{line}'}: {what}", hint)


def _floats(values: Sequence[bytes], D: int) -> np.ndarray | None:
    """(D,) float32, or None if these are not D numbers."""
    try:
        return np.array(list(map(float, values)), np.float32) if len(values) == D else None
    except ValueError:
        return None


def _shown(data: bytes) -> str:
    return shortened(data.decode(errors="replace").strip())


# --- writing ---


def writable(words: Iterable[str]) -> list[bool]:
    """Whether each word can be written: it is not empty and has no ASCII white space."""
    return [word.encode().split() == [word.encode()] for word in words]


def write(file: BinaryIO, words: Sequence[str], vectors: np.ndarray, header: bool) -> None:
    """Write vectors (K, D) of K words as text: word2vec's with the header, GloVe's without.

    Numbers have as many digits as it takes to read the same float32 again. The words are those that are `writable`.
    """
    if header:
        file.write(_header(vectors))
    for first in range(0, len(words), ROWS):
        rows = vectors[first : first + ROWS].tolist()
        lines = (f"{word} {' '.join([f'{x:.9g}' for x in row])}\n" for word, row in zip(words[first:], rows))
        file.write("".join(lines).encode())


def write_binary(file: BinaryIO, words: Sequence[str], vectors: np.ndarray) -> None:
    """Write vectors (K, D) of K words in word2vec's binary format. The words are those that are `writable`."""
    file.write(_header(vectors))
    for word, row in zip(words, vectors.astype("<f4")):
        file.write(word.encode() + b" " + row.tobytes() + b"\n")


def _header(vectors: np.ndarray) -> bytes:
    return "{} {}\n".format(*vectors.shape).encode()
