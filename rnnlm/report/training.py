"""Sections about the training: what was trained, how it went, samples on the way, and how to run it again."""

from __future__ import annotations

import contextlib
import json
import math
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnlm import config
from rnnlm.errors import DataError
from rnnlm.nn.heads.loss import figure
from rnnlm.report.charts import Chart, Series, chart
from rnnlm.report.source import Source
from rnnlm.show.curves import Course, Panel, marks, panels
from rnnlm.text.corpus import digest_of
from rnnlm.text.names import joined
from rnnlm.text.vocab import EOS, UNK

MOST_SAMPLES = 40  # validations whose samples are shown; of more, as many, evenly spread
HEADING = re.compile(r"# (epoch [0-9.]+  valid p?ppl \S+)")
ENVIRONMENT = ("rnnlm", "python", "numpy", "blas", "machine", "system", "processor", "cores", "threads")


# --- what was trained ---


@dataclass(frozen=True)
class Text:
    """A text of the configuration. Sizes are None where it is not there any more; state: whether it has changed."""

    use: str
    name: str
    sentences: int | None
    words: int | None
    oov: float | None
    sha256: str | None
    state: str


@dataclass(frozen=True)
class Trained:
    """The texts, the parameters as `rnnlm info --json` has them, facts (name, value), and the configuration as YAML."""

    texts: list[Text]
    unit: str
    parameters: list[dict[str, Any]]
    facts: list[tuple[str, str]]
    config: str


def trained(source: Source) -> Trained:
    """Texts, vocabulary, parameters and configuration of a model."""
    loaded, facts = source.loaded, source.facts
    words = facts["vocabulary"]
    rows = [
        ("kind", facts["kind"]),
        ("parameters", f"{facts['count']:,} of type {facts['dtype']}"),
        ("vocabulary", f"{words['size']:,} {words['level']}s" + (", lowercase" if words["lower"] else "")),
    ]
    if "outputs" in words:
        rows.append((loaded.task.outcomes, f"{words['outputs']:,}"))
    return Trained(list(texts(source)), f"{words['level']}s", facts["parameters"], rows, config.dump(loaded.config))


def texts(source: Source) -> Iterator[Text]:
    """The texts of the configuration. The sizes of the training text are those that the vocabulary's counts tell."""
    loaded, data, figures = source.loaded, source.loaded.config.data, source.loaded.figures
    counts, share = loaded.vocab.inputs.counts, isinstance(data.valid, float)
    words, sha256 = int(counts[UNK:].sum()), figures["train_sha256"]
    state, name = compared(source, data.train, sha256), joined(data.train)
    part = f", without its last {data.valid:.4g}" if share else ""
    yield Text("training", name + part, int(counts[EOS]), words, int(counts[UNK]) / max(words, 1), sha256, state)
    if isinstance(data.valid, float):
        yield measured(source, "validation", f"the last {data.valid:.4g} of {name}", data.valid, sha256, state)
    tests = [] if data.test is None else [data.test]
    for use, paths, digest in (("validation", data.valid_texts, "valid_sha256"), ("test", tests, "test_sha256")):
        if paths:
            state = compared(source, paths, figures[digest])
            yield measured(source, use, joined(paths), paths, figures[digest], state)


def measured(source: Source, use: str, name: str, read: list[str] | float, digest: str | None, state: str) -> Text:
    """A text with its sizes, where it can be read."""
    try:
        _, _, corpus = source.read(read)
    except DataError:
        return Text(use, name, None, None, None, digest, state)
    return Text(use, name, corpus.sentences, corpus.words, corpus.oovs / max(corpus.words, 1), digest, state)


def compared(source: Source, paths: list[str], digest: str | None) -> str:
    """Whether texts are as they were at training, by their SHA-256."""
    if not all(Path(path).is_file() for path in paths):
        return "not there now"
    if digest is None:
        return "not recorded"
    now = source.loaded.task.digest(paths[0]) if len(paths) == 1 else digest_of(paths)
    return "as at training" if now == digest else "has changed since training"


# --- how it went ---


@dataclass(frozen=True)
class Curves:
    """Charts over the epochs, the validations as rows under `head`, and divergences in words."""

    charts: list[Chart]
    head: list[str]
    rows: list[list[str]]
    best: int | None  # row of the best validation
    divergences: list[str]


def curves(source: Source) -> Curves:
    """Curves of a run. Raises DataError without a log."""
    course = logged(source)
    found = panels([course])
    best = best_of(course)
    rules = [(mark.x, "diverged") for mark in marks([course])]
    if best is not None and course.validations["epoch"][best] is not None:
        rules.append((course.validations["epoch"][best], "best"))
    drawn = [drawing(panel, course, rules if panel.key == "loss" else []) for panel in found]
    head = ["epoch", "updates", "learning rate", "clipped", "training nats", "validation nats", course.perplexity]
    columns = ["epoch", "step", "lr", "clipped", "train_nats", "valid_nats"]
    rows = [row(*values) for values in zip(*(course.validations[name] for name in columns))]
    broken = [
        f"epoch {epoch:.2f}: {what}; " + (f"went back to {back}" if back else "training ended")
        for epoch, what, back in zip(*(course.divergences[name] for name in ("epoch", "diverged", "back")))
    ]
    return Curves([each for each in drawn if each], head, rows, best, broken)


def logged(source: Source) -> Course:
    """The log of a run. Raises DataError where there is none, or nothing in it."""
    if source.course is None:
        raise DataError(f"{source.path} is a model file, and no run directory with a log", "give the run directory")
    if source.course.empty:
        raise DataError("the log of the run has no lines yet", "wait for the first validation")
    return source.course


def best_of(course: Course) -> int | None:
    """Number of the validation with the lowest entropy, from 0."""
    nats = [(value, i) for i, value in enumerate(course.validations["valid_nats"]) if value is not None]
    return min(nats)[1] if nats else None


def row(epoch: Any, step: Any, lr: Any, clipped: Any, train: Any, valid: Any) -> list[str]:
    """A validation as the table has it."""

    def shown(value: Any, layout: str) -> str:
        return "–" if value is None else format(value, layout)

    ppl = "–" if valid is None else figure(math.exp(min(valid, 700)))
    return [
        shown(epoch, ".2f"), shown(step, ",.0f"), shown(lr, ".3g"), shown(clipped, ".0%"), shown(train, ".4f"),
        shown(valid, ".4f"), ppl,
    ]  # fmt: skip


KINDS = {"train": "training", "valid": "validation", "": ""}


def drawing(panel: Panel, course: Course, rules: list[tuple[float, str]]) -> Chart | None:
    """A panel as a chart, with a sentence that says what is to be seen."""
    lines = [
        Series(KINDS[line.kind] or panel.label, line.x, line.y, marked=line.kind == "valid" or len(line.x) < 20)
        for line in panel.lines
    ]
    said = "; ".join(
        f"{series.name} from {line.y[0]:.3g} at epoch {line.x[0]:.2f} to {line.y[-1]:.3g} at epoch {line.x[-1]:.2f}, "
        f"lowest {min(line.y):.3g}, highest {max(line.y):.3g}"
        for series, line in zip(lines, panel.lines)
    )
    title = panel.label[:1].upper() + panel.label[1:]
    return chart(title, "epochs", panel.label, lines, f"{title} over epochs: {said}.", panel.log, rules)


# --- samples over time ---


@dataclass(frozen=True)
class Sampled:
    """Sampled lines of a validation."""

    title: str
    lines: list[str]
    best: bool
    kept: bool  # on paper: the first, the best and the last


@dataclass(frozen=True)
class Samples:
    """Samples of validations, in order; `all` is how many there were."""

    validations: list[Sampled]
    all: int


def samples(source: Source) -> Samples:
    """The samples of a run, drawn at each validation. Raises DataError where there are none."""
    course = logged(source)
    path = source.path / "samples.txt"
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "`training.samples` is the number of lines") from None
    found: list[tuple[str, list[str]]] = []
    for line in text.split("\n")[:-1]:
        if match := HEADING.fullmatch(line):
            found.append((match[1].replace("  ", ", "), []))
        elif found:
            found[-1][1].append(line)
    if not any(lines for _, lines in found):
        raise DataError("no lines were sampled", "`training.samples` is the number of lines")
    best = best_of(course)
    last = len(found) - 1
    spread = {round(i * last / (MOST_SAMPLES - 1)) for i in range(MOST_SAMPLES)} | {best}
    return Samples(
        [
            Sampled(title, lines, i == best, i in (0, best, last))
            for i, (title, lines) in enumerate(found)
            if i in spread
        ],
        len(found),
    )


# --- how to run it again ---


@dataclass(frozen=True)
class Again:
    """Commands that were typed, and that go on from here; environment as (name, value), hashes as (name, SHA-256)."""

    commands: list[str]
    next: list[str]
    environment: list[tuple[str, str]]
    hashes: list[tuple[str, str]]


def again(source: Source) -> Again:
    """How to run a training again. Of a model file alone only versions and hashes are known."""
    figures, path, env, commands = source.loaded.figures, source.path, {}, []
    if path.is_dir():
        with contextlib.suppress(OSError, ValueError):
            env = json.loads((path / "env.json").read_text(encoding="utf-8"))
        with contextlib.suppress(OSError):
            commands = (path / "command.txt").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    names = {"train": "training text", "valid": "validation text", "test": "test text", "vocab": "vocabulary"}
    hashes = [(name, figures[f"{key}_sha256"]) for key, name in names.items() if figures[f"{key}_sha256"]]
    rows = [(name, str(env[name])) for name in ENVIRONMENT if name in env] or [("rnnlm", figures["rnnlm"])]
    model = shlex.quote(str(path))
    return Again(commands, [f"rnnlm {command.format(model)}" for command in source.loaded.task.next], rows, hashes)
