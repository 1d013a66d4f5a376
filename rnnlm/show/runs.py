"""Summaries of run directories: configuration, best validation, and the settings in which runs differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rnnlm import config
from rnnlm.errors import DataError, UsageError
from rnnlm.experiment import Config
from rnnlm.recipes.names import config_file
from rnnlm.training.resume import differences

LONGEST = 40  # characters of a name made of settings


class RunSummary(NamedTuple):
    """Configuration, results and log of a run directory."""

    path: Path
    config: dict[str, Any]
    results: dict[str, float | None]
    log: list[dict[str, Any]] = []  # the objects of log.jsonl: see `read_log`


def summarize(path: Path) -> RunSummary:
    """Read config.yaml and log.jsonl of a run directory. Its results, None before the first validation:

    valid_nats  cross-entropy per token of the best validation
    valid_ppl   perplexity of the best validation; None for a model without one
    best_epoch  epochs before the best validation
    train_ppl   training perplexity reported with it
    epochs      epochs so far
    seconds     training time so far
    diverged    number of times that training diverged and went back to a checkpoint

    Raises UsageError if `path` is no run directory, DataError if its log is broken.
    """
    if not path.is_dir():
        raise UsageError(
            f"{path}: not a run directory",
            "expected one that `rnnlm train` has written; models are compared with --text",
        )
    settings, _ = config.load(str(config_file(path)), Config)
    records = read_log(path / "log.jsonl")
    log = [record for record in records if "valid_nats" in record]
    results: dict[str, Any] = dict.fromkeys(("valid_nats", "valid_ppl", "best_epoch", "train_ppl", "epochs", "seconds"))
    if log:
        best, last = min(log, key=lambda record: record["valid_nats"]), log[-1]
        results = {
            "valid_nats": best["valid_nats"], "valid_ppl": best["valid_ppl"], "best_epoch": best["epoch"],
            "train_ppl": best["train_ppl"], "epochs": last["epoch"], "seconds": last["seconds"],
        }  # fmt: skip
    results["diverged"] = sum("diverged" in record for record in records)
    return RunSummary(path, config.plain(settings), results, records)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The objects of a log.jsonl: validations, updates, divergences. It is empty if there is no such file yet.

    The last line counts only if its end is there: a training may be writing it. Raises DataError for a broken log.
    """
    records: list[dict[str, Any]] = []
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n"):
                    break
                record = json.loads(line)
                other = "diverged" in record or "loss" in record  # about a divergence, or about updates
                figures = ("epoch",) if other else ("epoch", "valid_nats", "seconds")
                if not all(isinstance(record[key], (int, float)) for key in figures):
                    raise ValueError
                records.append(record if other else {"valid_ppl": None, "train_ppl": None, **record})
    except FileNotFoundError:
        pass  # no validation yet
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}", "check the file and its permissions") from None
    except (ValueError, KeyError, TypeError):
        raise DataError(
            f"{path}:{len(records) + 1}: expected a validation as `rnnlm train` logs it", "restore or remove that line"
        ) from None
    return records


def settings_that_differ(runs: Sequence[RunSummary]) -> dict[str, list[Any]]:
    """Settings that are not the same in all runs: {dotted path: value in each run, None where there is none}."""
    paths = [path for run in runs[1:] for path, _ in differences(runs[0].config, run.config)]
    return {path: [_value(run.config, path) for run in runs] for path in dict.fromkeys(paths)}


def names_of(runs: Sequence[RunSummary]) -> list[str]:
    """A short name for each run: the settings in which it differs from the others, such as "lr 0.1, size 200".

    Where that is nothing, or too long, it is the name of its directory; the whole path if two are called so.
    """
    settings = settings_that_differ(runs) if runs else {}
    kinds = [path.removesuffix("kind") for path in settings if path.endswith(".kind")]
    for path in [path for path, values in settings.items() if None in values and path.startswith(tuple(kinds))]:
        del settings[path]  # an option that one kind has and the other has not
    short = [path.removesuffix(".kind").split(".")[-1] for path in settings]
    keys = short if len(set(short)) == len(short) else settings
    names = [
        ", ".join(f"{key} {_shown(value)}" for key, value in zip(keys, values) if value is not None)
        for values in zip(*settings.values())
    ]
    if names and all(names) and len(set(names)) == len(names) and max(map(len, names)) <= LONGEST:
        return names
    directories = [run.path.resolve().name for run in runs]
    return directories if len(set(directories)) == len(directories) else [str(run.path) for run in runs]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _value(settings: Any, path: str) -> Any:
    for key in path.split("."):
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings
