"""Curves of trainings: loss, learning rate, norm of the gradient and clipping, over steps, epochs or seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from rnnlm import config
from rnnlm.experiment import Config
from rnnlm.nn.heads.loss import exp_mean
from rnnlm.show.runs import names_of, summarize

X = {"steps": "step", "epochs": "epoch", "seconds": "seconds"}  # the axis, and its column in the log
PERPLEXITY = {"ppl": "perplexity", "pppl": "pseudo-perplexity"}  # by the name that a model gives it
LOSSES = ("loss", "train_nats", "valid_nats")  # columns in nats
Column = list[Any]


@dataclass(frozen=True)
class Course:
    """The course of one training, as its log.jsonl has it. Every table is a dict of columns of equal length.

    run          its directory
    name         the settings in which it differs from the runs beside it, or the name of its directory
    unit         what the loss is a mean over: token, sentence
    perplexity   name of the exponential of the loss: perplexity, or pseudo-perplexity of a blank model
    validations  epoch, step, seconds, lr, clipped, train_nats, valid_nats (None without a validation text), best
    updates      epoch, step, seconds, lr, clipped, loss, norm: means over every `training.log_every` updates
    divergences  epoch, step, seconds, lr, diverged (the numbers that were found), back (to which weights, or None)

    A number that was not finite, or that an older log does not have, is None. Losses are in nats.
    """

    run: str
    name: str
    unit: str
    perplexity: str
    validations: dict[str, Column]
    updates: dict[str, Column]
    divergences: dict[str, Column]

    @property
    def empty(self) -> bool:
        """Whether nothing has been logged yet."""
        return not (self.validations["epoch"] or self.updates["epoch"] or self.divergences["epoch"])

    @property
    def best(self) -> int | None:
        """Number of the validation with the lowest loss, from 0; None without any."""
        losses = [(nats, i) for i, nats in enumerate(self.validations["valid_nats"]) if nats is not None]
        return min(losses)[1] if losses else None


def courses(paths: Sequence[str | Path]) -> list[Course]:
    """The courses of the trainings in run directories, of finished and of running ones.

    Raises UsageError for what is no run directory, DataError for a broken log.
    """
    runs = [summarize(Path(path)) for path in paths]
    found = []
    for run, name in zip(runs, names_of(runs)):
        settings = config.build(Config, run.config)
        validations = once(record for record in run.log if "valid_nats" in record)
        updates = once(record for record in run.log if "loss" in record)
        divergences = [record for record in run.log if "diverged" in record]
        if settings.data.valid is None:
            validations = [{**record, "valid_nats": None} for record in validations]
        clock = _clock([*validations, *updates])
        tables = (
            _columns(validations, clock, "lr", "clipped", "train_nats", "valid_nats", "best"),
            _columns(updates, clock, "lr", "clipped", "loss", "norm"),
            _columns(divergences, clock, "lr", "diverged", "back"),
        )
        found.append(Course(str(run.path), name, settings.task.unit, PERPLEXITY[settings.model.perplexity], *tables))
    return found


def once(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines of a log without those that were made again: a training that goes back logs its steps a second time."""
    kept: list[dict[str, Any]] = []
    for record in records:
        while kept and _place(kept[-1]) >= _place(record):
            kept.pop()
        kept.append(record)
    return kept


def _place(record: dict[str, Any]) -> float:
    return number(record.get("step")) or record["epoch"]


def number(value: Any) -> float | None:
    """A finite number of a log; None for anything else."""
    fine = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300
    return value if fine else None


def _columns(records: Sequence[dict[str, Any]], clock: Any, *keys: str) -> dict[str, Column]:
    """The columns epoch, step, seconds, and those of the keys."""
    columns: dict[str, Column] = {key: [number(record.get(key)) for record in records] for key in ("epoch", "step")}
    columns["seconds"] = [clock(record) for record in records]
    for key in keys:
        column = [record.get(key) for record in records]
        columns[key] = column if key in ("best", "diverged", "back") else list(map(number, column))
    return columns


def _clock(records: Sequence[dict[str, Any]]) -> Any:
    """A function from a line of a log to its seconds of training: its own, or between those of its neighbours.

    Beyond the last line that has them, training goes on as fast as it did on average.
    """
    pairs = [(number(record.get("step")), number(record.get("seconds"))) for record in records]
    known = sorted({(step, seconds) for step, seconds in pairs if step is not None and seconds is not None})
    steps, times = zip((0, 0.0), *known)

    def seconds(record: dict[str, Any]) -> float | None:
        own, step = number(record.get("seconds")), number(record.get("step"))
        if own is not None or step is None or len(steps) == 1:
            return own
        beyond = max(step - steps[-1], 0) * times[-1] / max(steps[-1], 1)
        return round(float(np.interp(step, steps, times)) + beyond, 2)

    return seconds


# --- what is drawn ---


@dataclass(frozen=True)
class Line:
    """A line of a panel. x and y have equal length, and no gaps."""

    run: int  # number of its course, from 0
    kind: Literal["train", "valid", ""]
    x: list[float]
    y: list[float]


@dataclass(frozen=True)
class Panel:
    """A pair of axes with lines of all runs."""

    key: Literal["loss", "lr", "norm", "clipped"]
    label: str  # of the y axis, with its unit
    log: bool  # whether the y axis is logarithmic
    lines: list[Line]

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest number on the y axis; the axes of rates and shares begin at 0."""
        ys = [y for line in self.lines for y in line.y]
        return (0.0, max(ys) or 1.0) if self.key in ("lr", "clipped") else (min(ys), max(ys))


class Mark(NamedTuple):
    """A divergence: x is where the update failed."""

    run: int
    x: float


def panels(found: Sequence[Course], x: str = "epochs", perplexity: bool = True) -> list[Panel]:
    """What to draw of trainings: the loss, and where a log has them learning rate, norm of the gradient, clipping.

    x: steps, epochs or seconds. perplexity: the exponential of the loss, on a logarithmic axis; otherwise nats.
    """

    def line(run: int, kind: Any, table: dict[str, Column], key: str) -> list[Line]:
        ys = table[key]
        if perplexity and key in LOSSES:
            ys = [nats if nats is None else exp_mean(nats, 1) for nats in ys]
        pairs = [(a, b) for a, b in zip(table[X[x]], ys) if a is not None and b is not None and math.isfinite(b)]
        return [Line(run, kind, *map(list, zip(*pairs)))] if pairs else []  # type: ignore[arg-type]

    drawn: dict[str, list[Line]] = {"loss": [], "lr": [], "norm": [], "clipped": []}
    for run, course in enumerate(found):
        often = bool(course.updates["epoch"])
        table = course.updates if often else course.validations
        drawn["loss"] += line(run, "train", table, "loss" if often else "train_nats")
        drawn["loss"] += line(run, "valid", course.validations, "valid_nats")
        drawn["lr"] += line(run, "", table, "lr")
        drawn["norm"] += line(run, "", course.updates, "norm")
        drawn["clipped"] += line(run, "", table, "clipped")
    units = " or ".join(dict.fromkeys(course.unit for course in found))
    names = " or ".join(dict.fromkeys(course.perplexity for course in found))
    labels = {
        "loss": names if perplexity else f"cross-entropy (nats per {units})", "lr": "learning rate",
        "norm": "norm of the gradient", "clipped": "share of clipped steps",
    }  # fmt: skip
    logs = {"loss": perplexity, "norm": True}
    return [
        Panel(key, labels[key], logs.get(key, False) and all(y > 0 for each in lines for y in each.y), lines)  # type: ignore[arg-type]
        for key, lines in drawn.items()
        if lines
    ]


def marks(found: Sequence[Course], x: str = "epochs") -> list[Mark]:
    """The divergences of trainings."""
    return [
        Mark(run, place) for run, course in enumerate(found) for place in course.divergences[X[x]] if place is not None
    ]


def ticks(low: float, high: float, most: int = 6, log: bool = False) -> list[float]:
    """At most `most` round numbers from `low` to `high`, for an axis; on a long logarithmic one in every decade."""
    if log and high >= 10 * low > 0:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for digits in ((1, 2, 5), (1, 3), (1,)):
            found = [tick for e in decades for m in digits if low <= (tick := float(f"{m}e{e}")) <= high]
            if len(found) <= most:
                return found
        return found[:: -(-len(found) // most)]
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (m * power for m in (1, 2, 2.5, 5, 10, 20)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]
