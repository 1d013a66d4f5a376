"""The section `data` of a configuration: which text, and for which task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rnnlm.config import option
from rnnlm.tasks.base import TASKS

if TYPE_CHECKING:
    Reading = str
else:
    Reading = Literal[tuple(TASKS)]


@dataclass(frozen=True)
class Data:
    """Texts, vocabulary and task of a run. Paths are relative to the working directory."""

    train: list[str] = option(doc="training text: one file or several, UTF-8, one sentence per line")
    valid: float | str | None = option(None, "validation text, or the share of the training text's end to use as one")
    test: str | None = option(None, "test text, for `rnnlm eval RUN` without a file")
    level: Literal["word", "char"] = option("word", "token: a word between white space, or a character")
    reading: Reading = option("stream", "; ".join(f"{name}: {task.doc}" for name, task in TASKS.items()))
    lower: bool = option(False, "lowercase the text")
    blank_lines: bool = option(False, "at level char: keep empty lines, each as a sentence without words")
    documents: Literal["blank_line"] | None = option(
        None, "what parts documents, each of which begins in the initial state (reading stream); null: nothing does"
    )
    vocab: str | None = option(
        None,
        "vocabulary file, or list of words, one a line; null: built from the training text",
    )
    max_size: int | None = option(None, "largest vocabulary, special tokens included; null: no limit", low=4)
    min_count: int = option(1, "number of times that a word must occur to enter the vocabulary", low=1)

    rare_as_unk: float | None = option(
        None, "a: a word that occurs c times in the training text is read there as <unk> with probability a / (a + c) "
        "(Kiperwasser & Goldberg 2016); null: 0.2 if nothing else there is <unk>, otherwise 0", low=0,
    )  # fmt: skip

    def __post_init__(self):
        if not self.train:
            raise ValueError("train: expected at least one file, found none")
        if "-" in self.train:
            raise ValueError("train: the training text is read more than once, which standard input cannot be")
        if isinstance(self.valid, float) and not 0 < self.valid < 1:
            raise ValueError(f"valid: expected a file or a share between 0 and 1, found {self.valid:g}")
        TASKS[self.reading].check(self)
