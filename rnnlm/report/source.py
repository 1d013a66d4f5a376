"""Sources of a report: the model, the log of its run, and the text that it reads."""

from __future__ import annotations

from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

from rnnlm.errors import DataError
from rnnlm.lm.scorer import Scorer
from rnnlm.loading import EVERY_MODEL, load_model
from rnnlm.show.curves import courses
from rnnlm.show.facts import describe
from rnnlm.show.surprise import Surprise, surprise
from rnnlm.show.units import Reading, readings
from rnnlm.tasks.unrolled import Unrolled
from rnnlm.text.lines import lines
from rnnlm.text.vocab import OOV

SENTENCES = 100  # the first of the text that are looked at one by one
LENGTHS = {"word": (5, 12), "char": (15, 40)}  # tokens of a sentence that is good to look at


class Source:
    """A model, the run that it comes from, and the text that is read.

    path      as it was named: a run directory, or a model file
    text      file to read instead of the validation text
    sentence  sentence to unroll, instead of one of the text
    course    log of the run; None for a model file alone

    Raises DataError for a model, a log, or a text that is named and missing or broken.
    """

    def __init__(self, path: Path, text: str | None = None, sentence: str | None = None):
        self.path, self.text, self.sentence = path, text, sentence
        self.loaded = load_model(path, EVERY_MODEL)
        self.course = courses([path])[0] if (path / "config.yaml").is_file() else None
        if text is not None:
            self.read(text)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Facts about the model, by the keys of `rnnlm info --json`."""
        return describe(self.loaded, self.path)

    @property
    def corpus(self) -> Any:
        """The text that is read, encoded: the one that was named, or else what validated, or else the training text."""
        return self._chosen[2]

    def unrolled(self, k: int) -> Unrolled:
        """The network unrolled over the sentence that was named, or over a short one of the text."""
        task, network = self.loaded.task, self.loaded.network
        if self.sentence is not None:
            return task.unroll(network, next(task.examples(network, self.sentence)), k)
        paths, first, _ = self._chosen
        every = chain.from_iterable(task.examples_in(network, path) for path in paths)
        return task.unroll(network, min(islice(every, first, first + SENTENCES), key=self._unfit), k)

    def _unfit(self, example: Any) -> tuple[bool, int]:
        """Least for an example of a length that is good to look at and without unknown words, then for the shortest."""
        words = self.loaded.vocab.inputs
        low, high = LENGTHS[words.level]
        tokens = words.split(example) if isinstance(example, str) else []
        fits = low <= len(tokens) <= high
        return not fits, OOV in words.ids(tokens) if fits else len(tokens)

    def readings(self, tokens: int) -> list[Reading]:
        """Units that stand out while the network reads the beginning of the text."""
        return readings(self.loaded, self._chosen[0][0], tokens)

    @cached_property
    def _chosen(self) -> tuple[list[str], int, Any]:
        return self.read(self.loaded.config.data.valid if self.text is None else self.text)

    def read(self, named: str | list[str] | float | None) -> tuple[list[str], int, Any]:
        """A text: its files, the number of sentences at their beginning that are not part of it, and its corpus.

        named: a file or several, the share at the end of the training text, or None for the whole. Raises DataError as
        `Task.encode` does.
        """
        loaded, data = self.loaded, self.loaded.config.data
        paths = [named] if isinstance(named, str) else named if isinstance(named, list) else data.train
        corpus = loaded.task.encode(paths, loaded.vocab, data, loaded.config.model)
        if not isinstance(named, float):
            return paths, 0, corpus
        head, tail = loaded.task.split(corpus, named)
        return paths, head.sentences, tail

    @property
    def writes(self) -> bool:
        """Whether the model is a language model."""
        return "score" in self.loaded.task.commands

    @cached_property
    def scorer(self) -> Scorer:
        """The language model. Raises DataError for a model of another task, with the reason why it is none."""
        if not self.writes:
            raise DataError(self.loaded.config.model.instead[0], "`rnnlm eval` has the figures of other tasks")
        return self.loaded.text_model().scorer

    @cached_property
    def surprise(self) -> Surprise:
        """Surprise of the language model at the text."""
        scorer, kept = self.scorer, self.loaded.config.data.blank_lines
        paths, first, corpus = self._chosen
        every = (line for path in paths for line in lines(path) if kept or scorer.vocab.split(line))
        text = islice(every, first, None)
        return surprise(scorer, text, sentences=SENTENCES, blank_lines=kept, name=corpus.name)
