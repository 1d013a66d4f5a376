"""Which text a task reads: the section `data` of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rnnlm.config import option


@dataclass(frozen=True)
class Data:
    """Which text, cut how. Paths are relative to the working directory."""

    train: list[str] = option(doc="training text: one file or several, UTF-8, a sentence a line")
    valid: float | str | None = option(None, "validation text; or the share at the end of the training text")
    test: str | None = option(None, "test text, for `rnnlm eval RUN` without a file")
    level: Literal["word", "char"] = option("word", "what a token is: between white space, or each character")
    reading: Literal["stream", "sentences", "blanks", "labelled", "pairs", "vectors"] = option(
        "stream",
        "one stream with the state carried on; independent sentences; sentences, each word a blank; "
        "lines label<TAB>text or source<TAB>target; lines with a vector each, in a .npy file of the same name",
    )
    lower: bool = option(False, "lowercase the text")
    blank_lines: bool = option(False, "at level char: keep empty lines, as line ends of their own")
    vocab: str | None = option(None, "vocabulary file; null: built from the training text")
    max_size: int | None = option(None, "largest vocabulary, specials included (null: no limit)", low=4)
    min_count: int = option(1, "a word must occur this often to enter the vocabulary", low=1)

    def __post_init__(self):
        if not self.train:
            raise ValueError("train: expected at least one file, found none")
        if "-" in self.train:
            raise ValueError("train: the training text is read more than once, which standard input cannot be")
        if isinstance(self.valid, float) and not 0 < self.valid < 1:
            raise ValueError(f"valid: expected a file or a share between 0 and 1, found {self.valid:g}")
        if self.reading in ("labelled", "pairs") and self.vocab is not None:
            raise ValueError(f"vocab: with reading {self.reading} they come from the training text; leave it out")
        if self.blank_lines and self.reading not in ("stream", "sentences"):
            raise ValueError(f"blank_lines: with reading {self.reading} no empty line is an example; leave it out")
        if self.reading == "vectors" and len(self.train) > 1:
            raise ValueError(f"train: with reading vectors one file is expected, found {len(self.train)}")
