"""The section `data` of a configuration: which text, and for which task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from rnnlm.config import option
from rnnlm.errors import UsageError
from rnnlm.files import keep
from rnnlm.tasks.base import TASKS
from rnnlm.text import names

if TYPE_CHECKING:
    Reading = str
else:
    Reading = Literal[tuple(TASKS)]


@dataclass(frozen=True)
class Data:
    """Texts, vocabulary and task of a run. Paths are relative to the working directory."""

    train: list[str] = option(
        doc="training text, UTF-8, one sentence per line: a file, a pattern (books/*.txt), a folder, or a list of these"
    )
    valid: float | str | list[str] | None = option(
        None, "validation text, given as `train` is, or the share of the training text's end to use as one"
    )
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
        if self.valid == []:
            raise ValueError("valid: expected a file, found an empty list")
        if isinstance(self.valid, float) and not 0 < self.valid < 1:
            raise ValueError(f"valid: expected a file or a share between 0 and 1, found {self.valid:g}")
        TASKS[self.reading].check(self)

    @property
    def valid_texts(self) -> list[str]:
        """Files of the validation text; none if a share of the training text validates, or nothing does."""
        return [self.valid] if isinstance(self.valid, str) else self.valid if isinstance(self.valid, list) else []

    def found(self) -> Data:
        """The section with the texts that its names stand for now: see `rnnlm.text.names.texts`. Pipes are kept.

        Raises DataError as `texts` does, UsageError where more texts are found than the task or `test` can have.
        """
        train, valid = names.texts(self.train), names.texts(self.valid_texts)
        tests = [] if self.test is None else names.texts([self.test])
        if len(tests) > 1:
            raise UsageError(
                f"data.test: expected one text, found {len(tests)} for {self.test}", "name one; `eval` reads several"
            )
        for path in (*train, *valid):
            keep(path)
        try:
            return replace(
                self,
                train=train,
                valid=valid[0] if len(valid) == 1 else valid or self.valid,
                test=tests[0] if tests else None,
            )
        except ValueError as error:
            raise UsageError(f"data.{error}", "`rnnlm config explain data` says what it takes") from None
