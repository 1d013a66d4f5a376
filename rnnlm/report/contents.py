"""Contents of a report: sections of figures of a run, or for one that does not apply the reason why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from rnnlm.errors import RnnlmError
from rnnlm.report import hidden, model, training
from rnnlm.report.source import Source
from rnnlm.show.curves import PERPLEXITY

SECTIONS: dict[str, tuple[str, Callable[[Source], dict[str, Any]]]] = {  # by the name of the macro that shows it
    "trained": ("What was trained", training.trained),
    "curves": ("How it went", training.curves),
    "samples": ("Samples over time", training.samples),
    "quality": ("How good it is", model.quality),
    "surprise": ("What surprises it", model.surprising),
    "gradients": ("How an error fades", model.gradients),
    "sentence": ("A sentence unrolled", hidden.sentence),
    "units": ("What units do", hidden.units),
    "words": ("Nearest words", model.nearest),
    "again": ("How to run it again", training.again),
}


class Section(NamedTuple):
    """A section of the page: the data that its macro shows, by name, or None and the reason."""

    id: str
    title: str
    data: dict[str, Any] | None
    missing: str = ""


class Report(NamedTuple):
    """Contents of a page. key: the figures at its head, (name, value)."""

    name: str
    summary: str
    key: list[tuple[str, str]]
    sections: list[Section]
    written: str


def contents(path: Path, text: str | None = None, sentence: str | None = None) -> Report:
    """Contents of the report of a run directory or a model file.

    text: file to read instead of the validation text. sentence: to unroll, instead of one of the text. Raises DataError
    for a model or a text that is missing or broken; what else is missing leaves out its section alone.
    """
    source, sections = Source(path, text, sentence), []
    for name, (title, build) in SECTIONS.items():
        try:
            sections.append(Section(name, title, build(source)))
        except RnnlmError as error:
            sections.append(Section(name, title, None, f"{error.message}."))
    written = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return Report(path.resolve().name, summary(source), key(source), sections, written)


def summary(source: Source) -> str:
    """The network and its training in a sentence."""
    settings, figures = source.loaded.config, source.loaded.figures
    parts = ((each.name, getattr(settings.model, each.name)) for each in fields(settings.model))  # type: ignore[arg-type]
    made = [f"{name} {part.kind} of {part.n_out}" for name, part in parts if hasattr(part, "n_out")]
    epochs = f"{figures['epoch']} epoch{'s' if figures['epoch'] != 1 else ''}"
    return (
        f"A network of kind {settings.model.kind} ({', '.join(made)}) after {figures['step']:,} updates in {epochs} on "
        f"{' + '.join(settings.data.train)}."
    )


def key(source: Source) -> list[tuple[str, str]]:
    """The figures at the head of the page."""
    facts = source.facts
    name = source.loaded.network.model.perplexity
    found = [("parameters", f"{facts['count']:,}"), ("vocabulary", f"{facts['vocabulary']['size']:,}")]
    best = facts["training"][f"best_{name}"]
    if best is not None:
        of = "training" if source.loaded.config.data.valid is None else "validation"
        found.insert(0, (f"{of} {PERPLEXITY[name]}", f"{best:,.4g}"))
    if source.course and (seconds := [s for s in source.course.validations["seconds"] if s is not None]):
        found.append(("time", duration(seconds[-1])))
    if run := facts["run"]:
        found.append(("training", "finished" if run["finished"] else "unfinished"))
    return found


def duration(seconds: float) -> str:
    """A time for people: 45 s, 2:05 min, 1:02:05 h."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"
