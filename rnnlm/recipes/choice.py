"""The configuration of a training: from a file, or chosen for a text by its size."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rnnlm import config
from rnnlm.experiment import Config
from rnnlm.files import read_text
from rnnlm.text import vocab
from rnnlm.text.lines import lines
from rnnlm.text.names import joined

CHOSEN = ("model", "optimizer", "schedule", "training")  # sections that the size of the text can choose
SHARE = 0.1  # of a training text, at its end, that validates where no other text does


@dataclass(frozen=True)
class Size:
    """Size of a text, by which its configuration is chosen."""

    words: vocab.Counts
    characters: vocab.Counts
    indented: int  # lines that begin with white space

    @classmethod
    def of(cls, paths: Sequence[str]) -> Size:
        """Size of the texts at these paths, which are read once."""
        words, characters = (vocab.count((), level) for level in ("word", "char"))
        indented = 0
        for path in paths:
            for line in lines(path):
                words.tokens.update(vocab.split(line))
                characters.tokens.update(line)
                characters.sentences += 1
                indented += line[:1].isspace()
        return cls(words, characters, indented)

    @property
    def repeats(self) -> float:
        """Mean number of times that a word occurs."""
        return self.words.total / max(len(self.words.tokens), 1)

    @property
    def level(self) -> str:
        """The level at which the text can be learnt: of words only where they come back often enough, and no code."""
        return "word" if self.repeats >= 15 and self.indented < 0.2 * self.lines else "char"

    @property
    def lines(self) -> int:
        """Number of lines."""
        return self.characters.sentences

    @cached_property
    def summary(self) -> str:
        """The figures that decide, for people."""
        n, each = self.words.total, f"a word occurs {self.repeats:.1f} times on average"
        return f"{self.characters.total:,} characters, {n:,} words, {self.lines:,} lines; {each}"

    def data(self, level: str | None = None) -> dict[str, Any]:
        """Options of the section `data` for the text; level: that of the user, if there is one."""
        level = level or self.level
        counts = self.words if level == "word" else self.characters
        n = counts.total
        data: dict[str, Any] = {"level": level}
        if self.lines > 1:
            data["valid"] = SHARE if n < 1_000_000 else 0.05 if n < 5_000_000 else 0.02
        if level == "char":
            data["blank_lines"] = True
        if n > 10_000:
            data["min_count"] = 2  # so that there is something to learn <unk> from
        if len(counts.tokens) > 10_000:
            data["max_size"] = 10_000
        return data

    def sections(self, data: Any) -> dict[str, dict[str, Any]]:
        """Model, optimizer, schedule and training for the text: minutes, and the most that can be learnt in them.

        Up to two minutes on two cores for texts of up to a million words or four million characters, of which one epoch
        takes as long; what is longer gets one epoch.
        """
        counts = self.words if data.level == "word" else self.characters
        n, K = counts.total, sum(count >= data.min_count for count in counts.tokens.values())
        K = min(K, data.max_size or K)
        if K <= 1000:  # one-hot input, as in the recipe char
            H = 128 if n < 10_000 else 256 if n < 60_000 else 512
            model, window, budget, longest = _one_hot(H, 0.3 if n < 300_000 else 0.1), 64, 4_500_000, 12
        else:  # an embedding, as in the recipe ptb-fast
            model, window, budget, longest = _embedded(128 if n < 50_000 else 256, n, K), 35, 3_000_000, 12
        epochs = min(max(round(budget / max(n, 1)), 1), longest)
        batch = 8 if n < 30_000 else 16 if n < 150_000 else 32 if n < 2_000_000 else 64
        return {
            "model": model,
            "optimizer": {"kind": "adam", "lr": 3e-3, "eps": 1e-6},
            "schedule": {"kind": "cosine", "warmup": 0.02},
            "training": {"epochs": epochs, "batch": batch, "window": window, "clip_norm": 1},
        }


def _one_hot(H: int, dropout: float) -> dict[str, Any]:
    cell = {"kind": "vanilla", "size": H, "init_W": "orthogonal", "init_U": {"kind": "uniform", "scale": 3}}
    return {"kind": "lm", "cell": cell, "head": {"kind": "softmax"}, "dropout_output": dropout}


def _embedded(H: int, n: int, K: int) -> dict[str, Any]:
    dropped = {"dropout_input": 0.15, "dropout_output": 0.3} if n > 700_000 else {"dropout_input": 0.3,
                                                                                   "dropout_output": 0.5}  # fmt: skip
    starts = {"init_W": {"kind": "timescales", "longest": 30}, "init_U": {"kind": "orthogonal", "scale": 5}}
    head = {"kind": "adaptive", "tied": True, "cutoffs": [K // 10, 3 * K // 10]} if K >= 4000 else {
        "kind": "softmax", "tied": True}  # fmt: skip
    return {"kind": "lm", "embedding": H, "cell": {"kind": "vanilla", "size": H, **starts}, "head": head, **dropped}


# --- the configuration of a training -------------------------------------------------------------------------------


def settings(
    source: Path | None,
    overrides: Iterable[str],
    resumed: bool = False,
    size_of: Callable[[tuple[str, ...]], Size] = Size.of,
) -> tuple[Config, list[str]]:
    """The configuration in a file (None: of nothing but a text), with overrides, and messages about what was chosen.

    What the configuration leaves out is chosen by the size of the training text, if it is a language model's. Where the
    overrides name another training text, the validation and test texts of the file go with the old one. resumed: the
    file is that of the run itself, whose texts stay. size_of: measures the texts at these paths, if need be. Raises
    UsageError as `config.parse` does, DataError for a training text that cannot be read.
    """
    text = "" if source is None else read_text(source, config.MAX_BYTES, "a YAML file")
    name = "configuration" if source is None else str(source)
    overrides, notes = list(overrides), list[str]()
    found, messages = config.parse(text, name, Config, overrides)
    if source is not None and not resumed and (left_out := _of_another_text(text, name, found, overrides)):
        overrides += left_out.values()
        found, messages = config.parse(text, name, Config, overrides)
        share = f"; the last {SHARE:.0%} of the training text validates" if "validation" in left_out else ""
        texts = " and ".join(left_out)
        notes = [f"note: the configuration's {texts} text belongs to another training text and is left out{share}"]
    given = {_path(override) for override in overrides}
    missing = [section for section in CHOSEN if section not in (*given, *config.sections(text))]
    if not missing or found.data.reading not in ("stream", "sentences"):
        return found, messages + notes
    files = found.data.found()
    size, lowest, chosen = size_of(tuple(files.train)), [], {}
    if source is None:
        chosen["data"] = {"train": found.data.train, **size.data(found.data.level if "data.level" in given else None)}
        lowest = [f"data.{key}={json.dumps(value)}" for key, value in chosen["data"].items() if key != "train"]
        found, _ = config.parse(text, name, Config, [*lowest, *overrides])
        given.remove("data.train")
    by_size = size.sections(found.data)
    for path in given:
        _without_options(by_size, path)
    chosen |= {section: by_size[section] for section in missing}
    lowest += [f"{section}={json.dumps(by_size[section])}" for section in missing]
    found, messages = config.parse(text, name, Config, [*lowest, *overrides])
    messages = [line for line in messages if line.split()[1].removesuffix(":") in given]
    return found, [*messages, *notes, f"# chosen for {joined(files.train)}: {size.summary}", _shown(chosen)]


def _without_options(sections: dict[str, Any], path: str) -> None:
    """Take out of the chosen sections, in place, what belongs to another kind than the one that is given at a path."""
    *names, last = path.split(".")
    section: Any = sections
    for name in names:
        section = section.get(name) if isinstance(section, dict) else None
    if last == "kind" and isinstance(section, dict) and section.get("kind"):
        for key in set(section) - {"size", "tied", "embedding", "lr"}:
            del section[key]


def _path(override: str) -> str:
    return override.partition("=")[0]


def _of_another_text(text: str, name: str, found: Config, overrides: Sequence[str]) -> dict[str, str]:
    """Overrides that leave out the validation and test texts of a file whose training text is overridden, by text."""
    given = {_path(override) for override in overrides}
    if "data.train" not in given or "data" in given:
        return {}
    before, _ = config.parse(text, name, Config, [one for one in overrides if _path(one) != "data.train"])
    left_out = {}
    if before.data.train != found.data.train:
        if "data.valid" not in given and isinstance(found.data.valid, str):
            left_out["validation"] = f"data.valid={SHARE}"
        if "data.test" not in given and found.data.test is not None:
            left_out["test"] = "data.test=null"
    return left_out


def _shown(chosen: dict[str, Any]) -> str:
    """Sections as YAML, a line for each option of the sections."""
    rows = (f"{section}:" + "".join(f"\n  {key}: {config.in_one_line(value)}" for key, value in options.items())
            for section, options in chosen.items())  # fmt: skip
    return "\n".join(rows)
