"""The vocabulary: the words that a model knows, their ids and how often they occur in the training text.

A text is a sequence of lines, each a sentence. At level "word" ASCII white space separates words: see
`rnnlm.text.white`. At level "char" every code point of a line is a token, blanks and tabs included.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat
from typing import TypeVar

import numpy as np

from rnnlm.errors import DataError, UsageError
from rnnlm.files import keep, shortened, write_whole
from rnnlm.text import white
from rnnlm.text.lines import opened

SPECIALS = ("<s>", "</s>", "<unk>")
BOS, EOS, UNK = range(3)
Listed = TypeVar("Listed")
OOV = -1  # id of a token outside the vocabulary in a stored text: networks read it as UNK, figures tell the two apart
CODE_POINTS = 0x110000
MARKED = "s>"  # in every line with a marker of a sentence
MAX_FILE = 1 << 26  # bytes; a million words take 15 MB, so something larger is not a vocabulary


def split(line: str, level: str = "word", lower: bool = False) -> list[str]:
    """The tokens of a line; of words, without the markers of a sentence around them: see `unmarked`."""
    tokens = cut(line, level, lower)
    return unmarked(tokens) if level == "word" else tokens


def cut(line: str, level: str = "word", lower: bool = False) -> list[str]:
    """The tokens of a line, literal markers of a sentence among them."""
    line = line.lower() if lower else line
    return white.split(line) if level == "word" else list(line)


def unmarked(words: list[str]) -> list[str]:
    """The words of a line without a literal `<s>` that begins it and a `</s>` that ends it, as SRILM reads a line."""
    first = words[:1] == [SPECIALS[BOS]]
    last = words[first:][-1:] == [SPECIALS[EOS]]
    return words[first : len(words) - last] if first or last else words


def listed(value: Listed, what: str = "words") -> Listed:
    """A list or iterator of `what`, as it is. Raises UsageError for a string: each character would count as one."""
    if isinstance(value, (str, bytes)):
        raise UsageError(
            f"{shortened(str(value))}: a string, expected a list of {what}", "Vocabulary.split cuts a line"
        )
    return value


def readable(ids: np.ndarray) -> np.ndarray:
    """Token ids as a network reads them, int32: words out of the vocabulary (OOV) as `<unk>`."""
    return np.where(ids == OOV, UNK, ids).astype(np.int32)


@dataclass
class Counts:
    """Counts of a text: how often each token occurs, number of sentences, number of empty lines that were skipped."""

    tokens: Counter[str]
    sentences: int
    blank: int
    level: str
    lower: bool

    @property
    def total(self) -> int:
        """Number of tokens, sentence ends not counted."""
        return sum(self.tokens.values())

    def oovs(self, vocab: Vocabulary) -> int:
        """Number of tokens that are not in the vocabulary."""
        return sum(count for token, count in self.tokens.items() if token not in vocab.index)


def count(texts: Iterable[str], level: str = "word", lower: bool = False, blank_lines: bool = False) -> Counts:
    """Counts of the tokens in lines of text. Memory grows with the number of different tokens alone.

    A line without tokens is skipped; with `blank_lines` it is a sentence of no characters (level "char" only).
    """
    blank_lines = blank_lines and level == "char"
    sentences = blank = 0

    def tokens() -> Iterator[list[str]]:
        nonlocal sentences, blank
        for line in texts:
            found = split(line, level, lower)
            if found or blank_lines:
                sentences += 1
            else:
                blank += 1
            yield found

    listed(texts, "lines")
    counter = Counter(chain.from_iterable(tokens()))
    return Counts(counter, sentences, blank, level, lower)


def build(counts: Counts, max_size: int | None = None, min_count: int = 1, keep: Iterable[str] = ()) -> Vocabulary:
    """Vocabulary of a counted text: specials first, then the most frequent first, equal counts in code point order.

    max_size: number of entries at most, specials included. min_count: tokens that occur less often are left out.
    keep: words that are in it in any case.

    The count of `</s>` is the number of sentences; that of `<unk>` is its own plus that of every token left out.
    Literal `<s>` and `</s>` are never control symbols: they are left out like rare words. Raises UsageError when `keep`
    does not fit into `max_size`.
    """
    kept = set(listed(keep)).difference(SPECIALS)
    if max_size is not None and max_size < len(SPECIALS) + len(kept):
        raise UsageError(
            f"a vocabulary of {max_size} entries cannot hold {len(SPECIALS)} special tokens and {len(kept)} kept words",
            "raise the maximal size, or keep fewer words",
        )
    rank = {word: (-n, word) for word, n in counts.tokens.items() if n >= min_count}
    rest = sorted(rank.keys() - kept - set(SPECIALS), key=rank.__getitem__)
    if max_size is not None:
        rest = rest[: max_size - len(SPECIALS) - len(kept)]
    words = sorted(kept.union(rest), key=lambda word: (-counts.tokens[word], word))
    return Vocabulary([*SPECIALS, *words], [], counts.level, counts.lower).counted(counts)


class Vocabulary:
    """Vocabulary of a text: words by id, of which 0, 1, 2 are `<s>`, `</s>` and `<unk>`.

    words   list of K strings
    counts  (K,) int64, how often each occurs in the training text
    index   {token: id} for the tokens of a text, which `<s>` and `</s>` can never be
    """

    def __init__(self, words: Sequence[str], counts: Sequence[int], level: str = "word", lower: bool = False):
        self.words, self.counts = list(words), np.asarray(counts, np.int64)
        self.level, self.lower = level, lower
        self.index = {word: i for i, word in enumerate(words) if i not in (BOS, EOS)}

    def __len__(self) -> int:
        return len(self.words)

    @property
    def inputs(self) -> Vocabulary:
        """The vocabulary itself, as for a network that writes the words that it reads: compare `Vocabularies`."""
        return self

    outputs = inputs

    @property
    def capitals(self) -> list[str]:
        """Words that no text has, because texts are lowercased."""
        return [word for word in self.words if word != word.lower()] if self.lower else []

    @property
    def even(self) -> bool:
        """Whether all words, of several, occur equally often: as in a list of words, but in no text."""
        counts = self.counts[len(SPECIALS) :]
        return len(counts) > 1 and bool((counts == counts[0]).all())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of level, lower and the words in order: vocabularies with the same one give the same ids."""
        return hashlib.sha256("\n".join([_kind(self.level, self.lower), *self.words]).encode()).hexdigest()

    def split(self, line: str) -> list[str]:
        """The tokens of a line."""
        return split(line, self.level, self.lower)

    def join(self, words: Iterable[str]) -> str:
        """The line that consists of these tokens."""
        return (" " if self.level == "word" else "").join(words)

    def ids(self, tokens: Iterable[str]) -> list[int]:
        """Ids of tokens, OOV (-1) for one that is not in the vocabulary. Raises UsageError for a string."""
        return [self.index.get(token, OOV) for token in listed(tokens)]

    def known(self, tokens: Iterable[str]) -> list[bool]:
        """Whether each token of a sentence is in the vocabulary; `</s>` behind them is."""
        return [*(token in self.index for token in tokens), True]

    def read(self, tokens: Iterable[str]) -> np.ndarray:
        """Token ids as a network reads them, (n,) int32: words out of the vocabulary as `<unk>`."""
        return readable(np.array(self.ids(tokens), np.int32))

    def encode(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids of the tokens of all lines on end, (n,) int32, and the number per line, (len(lines),) int64."""
        listed(lines, "lines")
        if self.lower:
            lines = list(map(str.lower, lines))
        if self.level == "char":
            codes = np.frombuffer("".join(lines).encode("utf-32-le"), np.dtype("<u4"))
            return self._id_of_code[codes], np.fromiter(map(len, lines), np.int64, len(lines))
        words = list(map(white.split, lines))
        if any(MARKED in line for line in lines):
            words = list(map(unmarked, words))
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        ids = map(self.index.get, chain.from_iterable(words), repeat(OOV))
        return np.fromiter(ids, np.int32, lengths.sum()), lengths

    @cached_property
    def _id_of_code(self) -> np.ndarray:
        """(CODE_POINTS,) int32: the id of every code point."""
        table = np.full(CODE_POINTS, OOV, np.int32)
        table[[ord(word) for word in self.words[len(SPECIALS) :]]] = np.arange(len(SPECIALS), len(self))
        return table

    def extended(self, text: Vocabulary) -> Vocabulary:
        """This vocabulary and behind it the words that only that of a `text` has, in its order; counts are the text's.

        Words keep their ids.
        """
        counts, own = dict(zip(text.words, text.counts.tolist())), set(self.words)
        words = [*self.words, *(word for word in text.words if word not in own)]
        return Vocabulary(words, [counts.get(word, 0) for word in words], self.level, self.lower)

    def counted(self, counts: Counts) -> Vocabulary:
        """This vocabulary, word for word, with the counts of another text."""
        seen = [counts.tokens[word] for word in self.words[len(SPECIALS) :]]
        specials = [0, counts.sentences, counts.total - sum(seen)]
        return Vocabulary(self.words, [*specials, *seen], self.level, self.lower)

    def to_bytes(self) -> bytes:
        """Content of a vocabulary file: lines `word<TAB>count` in UTF-8; the first says level and case as well."""
        lines = [f"{word}\t{n}" for word, n in zip(self.words, self.counts)]
        lines[0] += f"\t{_kind(self.level, self.lower)}"
        return ("\n".join(lines) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "vocabulary") -> Vocabulary:
        """Vocabulary from the content of a file. Raises DataError with the line that is missing or malformed."""
        try:
            lines = data.decode().removeprefix("\ufeff").split("\n")
        except UnicodeDecodeError as error:
            number = data.count(b"\n", 0, error.start) + 1
            raise _broken(name, number, f"not UTF-8 (0x{data[error.start]:02x})") from None
        if len(lines) > 1 and lines[-1] == "":
            del lines[-1]
        kind = re.search(r"\tlevel=(word|char)( lower)?\r?$", lines[0])
        level, lower = (kind[1], bool(kind[2])) if kind else ("word", False)
        lines[0] = lines[0][: kind.start()] if kind else lines[0]
        unit = "character" if level == "char" else "word"
        counts: dict[str, int] = {}  # in the order of the file
        for number, line in enumerate(lines, 1):
            entry = re.fullmatch(r"(.+)\t([0-9]{1,15})\r?", line)
            if not entry:
                raise _broken(name, number, f"found {shortened(line)}, wanted a {unit}, a tab and its count")
            word = entry[1]
            if number <= len(SPECIALS):
                if word != (special := SPECIALS[number - 1]):
                    raise _broken(name, number, f"found {shortened(word)}, wanted the special token {special!r}")
            elif cut(word, level) != [word]:
                raise _broken(name, number, f"{shortened(word)} is not one {unit}")
            if word in counts:
                raise _broken(name, number, f"{shortened(word)} is here for the second time")
            counts[word] = int(entry[2])
        if len(counts) < len(SPECIALS):
            raise _broken(name, len(counts) + 1, f"the special token {SPECIALS[len(counts)]!r} is missing")
        return cls(list(counts), list(counts.values()), level, lower)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the vocabulary file, whole or not at all. Raises DataError when it cannot be written."""
        write_whole(path, self.to_bytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """Read a vocabulary file. Raises DataError when it cannot be read or is not one."""
        return cls.from_bytes(_content(path), str(path))


def load(path: str | os.PathLike[str], level: str = "word", lower: bool = False) -> Vocabulary | list[str]:
    """The vocabulary in a file, or the words of a plain list, each once, without the special tokens.

    A list has one word a line (SRILM's -write-vocab, KenLM's --limit_vocab_file), or words that end in NUL (KenLM's
    --write_vocab_file), or a word and a number a line: Kaldi's words.txt, whose `<eps>` and `#0` are left out, or a
    table of counts. Raises DataError when the file cannot be read, or is neither.
    """
    data = _content(path)
    lines = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").removesuffix("\n").split("\n")
    if len(lines) == 1 and "\0" in lines[0]:
        lines = lines[0].removesuffix("\0").split("\0")
    words = [line for line in lines if line]
    if "\ufffd" in "".join(words) or any(word.startswith("<s>\t") for word in words[:1]):
        return Vocabulary.from_bytes(data, str(path))
    numbered = [re.fullmatch(r"(.+?)[ \t]+[0-9]{1,15}", word) for word in words]
    if words and all(numbered):
        no_words = re.compile(r"<eps>|#[0-9]+" if words[0].startswith("<eps>") else r"(?!)")
        words = [entry[1] for entry in numbered if entry and not no_words.fullmatch(entry[1])]
    elif level == "word":
        words = [word.strip(" \t\r") for word in words]
    words = [word.lower() for word in words] if lower else words
    if not words or any(cut(word, level) != [word] for word in words):
        return Vocabulary.from_bytes(data, str(path))
    return [word for word in dict.fromkeys(words) if word not in SPECIALS]


def _content(path: str | os.PathLike[str]) -> bytes:
    keep(path)  # a pipe, which may be read again
    with opened(path) as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise DataError(f"{path}: more than {MAX_FILE >> 20} MB, which no vocabulary file has", "is it a text?")
    return data


class OpenVocabulary(Vocabulary):
    """Vocabulary that takes in every new word of the lines that it encodes, for a text that can be read only once.

    Words get their ids in the order in which they are met, literal `<s>` and `</s>` among them. `Corpus.counts` then
    has what `build` needs for the vocabulary proper.
    """

    def __init__(self) -> None:
        super().__init__(SPECIALS, [0] * len(SPECIALS))

    def encode(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids of the tokens of all lines on end, none of them OOV, and the number per line: see `Vocabulary.encode`."""
        for word in chain.from_iterable(map(self.split, lines)):
            if word not in self.index:
                self.index[word] = len(self.words)
                self.words.append(word)
        return super().encode(lines)


class Labels:
    """Labels of a labelled text, by id: each whole label is one token, and there are no special ones.

    words   list of K strings, in code point order
    counts  (K,) int64, how often each occurs in the training text
    """

    level = "label"

    def __init__(self, words: Sequence[str], counts: Sequence[int] | np.ndarray):
        self.words, self.counts = list(words), np.asarray(counts, np.int64)
        self.index = {word: i for i, word in enumerate(words)}

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def count(cls, labels: Iterable[str]) -> Labels:
        """Labels of a training text, counted."""
        counts = Counter(labels)
        return cls(sorted(counts), [counts[label] for label in sorted(counts)])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the labels in order."""
        return hashlib.sha256("\n".join([self.level, *self.words]).encode()).hexdigest()

    def encode(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids of labels, OOV for an unknown one, and the number per line: one, or none if it is empty."""
        ids = [self.index.get(line, OOV) for line in lines if line]
        return np.array(ids, np.int32), np.array([bool(line) for line in lines], np.int64)

    def to_bytes(self) -> bytes:
        """Content of a file of labels: lines `label<TAB>count` in UTF-8."""
        return "".join(f"{label}\t{n}\n" for label, n in zip(self.words, self.counts)).encode()

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "labels") -> Labels:
        """Labels from the content of a file. Raises DataError with the line that is malformed."""
        counts: dict[str, int] = {}
        for number, line in enumerate(data.decode(errors="replace").removesuffix("\n").split("\n"), 1):
            entry = re.fullmatch(r"(.+)\t([0-9]{1,15})", line)
            if not entry or entry[1] in counts:
                raise DataError(
                    f"{name}:{number}: found {shortened(line)}, wanted a label, a tab and its count",
                    "the model that holds these labels is damaged: copy it again, or train again",
                )
            counts[entry[1]] = int(entry[2])
        return cls(list(counts), list(counts.values()))


class Vocabularies:
    """Two vocabularies, of the words that a network reads and of those, or the labels, that it predicts.

    In a file they follow each other, with an empty line between. The length is that of the second: the number of
    outcomes among which the network chooses.
    """

    def __init__(self, inputs: Vocabulary, outputs: Vocabulary | Labels):
        self.inputs, self.outputs = inputs, outputs

    def __len__(self) -> int:
        return len(self.outputs)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of both fingerprints."""
        return hashlib.sha256(f"{self.inputs.fingerprint} {self.outputs.fingerprint}".encode()).hexdigest()

    def to_bytes(self) -> bytes:
        """Content of both vocabulary files."""
        return self.inputs.to_bytes() + b"\n" + self.outputs.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes, name: str, outputs: type[Vocabulary] | type[Labels]) -> Vocabularies:
        """Both vocabularies from the content of a file. Raises DataError with the line that is malformed."""
        first, _, second = data.partition(b"\n\n")
        return cls(
            Vocabulary.from_bytes(first, f"{name} of the inputs"), outputs.from_bytes(second, f"{name} of the outputs")
        )


def _kind(level: str, lower: bool) -> str:
    return f"level={level}{' lower' if lower else ''}"


def _broken(name: str, line: int, what: str) -> DataError:
    return DataError(
        f"{name}:{line}: {what}", "is this a vocabulary file, or a list of words, one a line? `rnnlm vocab` builds one"
    )
