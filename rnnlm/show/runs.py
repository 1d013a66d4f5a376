"""Summaries of run directories: settings in which runs differ, their best validations, means over seeds."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rnnlm import config
from rnnlm.errors import DataError, UsageError
from rnnlm.experiment import Config
from rnnlm.recipes.names import config_file
from rnnlm.recipes.sweep import SEED, short_names
from rnnlm.training import checkpoint
from rnnlm.training.checkpoint import Checkpoint
from rnnlm.training.resume import differences

LONGEST = 40  # characters of a name made of settings
BEST = ("valid_nats", "valid_ppl", "valid_ppl_known")  # figures of the best validation


class RunSummary(NamedTuple):
    """Configuration, results and log of a run directory.

    state: "finished"; "diverged", if it ended so; or else "unfinished", which it also is while it trains.
    unk_learnt: False if words out of the vocabulary had no part in choosing the best model.
    texts: SHA-256 of validation text and vocabulary, between which perplexities can be compared; None if not known.
    """

    path: Path
    config: dict[str, Any]
    results: dict[str, float | None]
    log: list[dict[str, Any]]  # the objects of log.jsonl: see `read_log`
    state: str
    unk_learnt: bool
    texts: tuple[str, str] | None


def summarize(path: Path) -> RunSummary:
    """Read config.yaml, log.jsonl and the counters of the last checkpoint. Results, None before the first validation:

    valid_nats       cross-entropy per token of the best validation
    valid_ppl        perplexity of the best validation; None for a model without one
    valid_ppl_known  perplexity without words out of the vocabulary; None if the log is of an older version
    best_epoch       epochs before the best validation
    train_ppl        training perplexity reported with it
    epochs           epochs so far
    seconds          training time so far
    diverged         number of times that training diverged and went back to a checkpoint

    Raises UsageError if `path` is no run directory, DataError if its log is broken.
    """
    if not path.is_dir():
        raise UsageError(
            f"{path}: not a run directory",
            "expected one that `rnnlm train` has written; models are compared with --text",
        )
    settings, _ = config.load(str(config_file(path)), Config)
    records, saved = read_log(path / "log.jsonl"), _last_checkpoint(path)
    log = [record for record in records if "valid_nats" in record]
    results: dict[str, Any] = dict.fromkeys((*BEST, "best_epoch", "train_ppl", "epochs", "seconds"))
    if log:
        chosen = [record for record in log if record.get("best")]
        best, last = chosen[-1] if chosen else min(log, key=lambda record: record["valid_nats"]), log[-1]
        results = {
            **{key: best.get(key) for key in BEST}, "best_epoch": best["epoch"], "train_ppl": best["train_ppl"],
            "epochs": last["epoch"], "seconds": last["seconds"],
        }  # fmt: skip
    results["diverged"] = sum("diverged" in record for record in records)
    state = "finished" if saved and saved.progress.get("finished") else "unfinished"
    if records and "diverged" in records[-1] and records[-1].get("back") is None:
        state = "diverged"
    learnt, texts = True, None
    if saved:
        history, texts = saved.progress.get("history"), (saved.figures["valid_sha256"], saved.figures["vocab_sha256"])
        learnt = not (log and isinstance(history, list) and history) or history[0] == log[0]["valid_nats"]
    return RunSummary(path, config.plain(settings), results, records, state, learnt, texts)


def _last_checkpoint(path: Path) -> Checkpoint | None:
    """The last checkpoint of a run without its arrays, or the one before it if it is damaged; None if there is none."""
    for name in ("last.npz", "previous.npz"):
        try:
            saved = checkpoint.load(path / name, arrays=False)
            saved.figures = checkpoint.read_figures(saved, path / name)
            return saved
        except DataError:
            continue
    return None


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
    paths = dict.fromkeys(path for run in runs[1:] for path, _ in differences(runs[0].config, run.config))
    sections = list(runs[0].config)
    in_order = sorted(paths, key=lambda path: sections.index(path.partition(".")[0]))
    return {path: [_value(run.config, path) for run in runs] for path in in_order}


def without_consequences(settings: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Settings that differ, without those that come with a kind, such as model.cell.bias where a cell has none."""

    def comes_with_a_kind(path: str, values: list[Any]) -> bool:
        parents = path.split(".")[:-1]
        kinds = {".".join([*parents[:n], "kind"]) for n in range(1, len(parents) + 1)} - {path}
        return bool(kinds & set(settings)) and len({json.dumps(value) for value in values if value is not None}) == 1

    return {path: values for path, values in settings.items() if not comes_with_a_kind(path, values)}


def names_of(runs: Sequence[RunSummary]) -> list[str]:
    """A short name for each run: the settings in which it differs from the others, such as "lr 0.1, size 200".

    Where that is nothing, or too long, it is the name of its directory; the whole path if two are called so.
    """
    settings = without_consequences(settings_that_differ(runs)) if runs else {}
    paths = [path.removesuffix(".kind") for path in settings]
    keys = list(map(short_names(paths).get, paths))
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


# --- many runs -----------------------------------------------------------------------------------------------------


def decisive(runs: Sequence[RunSummary]) -> str:
    """The figure by which runs are ranked: without words out of the vocabulary, if any run was chosen so."""
    return "valid_nats" if all(run.unk_learnt for run in runs) else "valid_ppl_known"


def place(figure: float | None) -> float:
    """By what a run or group is sorted, the best first: its figure; one that has none comes last."""
    return math.inf if figure is None else figure


def over_seeds(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """The runs in groups that differ in more than their seeds, in the order of the means of their figures.

    settings        of the group, those that differ between groups
    runs, finished  the runs, and how many of them have finished
    KEY_mean        mean over those of each figure of BEST; None if there are none, or one of them has no such figure
    KEY_sd          standard deviation between seeds, from n - 1; None for fewer than two
    """
    differing = {path: values for path, values in settings_that_differ(runs).items() if path != SEED}
    alike: dict[str, list[RunSummary]] = {}
    for run, *values in zip(runs, *differing.values()):
        alike.setdefault(json.dumps(dict(zip(differing, values))), []).append(run)
    groups = []
    for settings, members in alike.items():
        results = [run.results for run in members if run.state == "finished"]
        columns: dict[str, Any] = {key: [result[key] for result in results] for key in BEST}
        known = {key: column for key, column in columns.items() if None not in column}
        groups.append({
            "settings": json.loads(settings), "runs": [str(run.path) for run in members], "finished": len(results),
            **{f"{key}_mean": statistics.fmean(known[key]) if known.get(key) else None for key in BEST},
            **{f"{key}_sd": statistics.stdev(known[key]) if len(known.get(key, ())) > 1 else None for key in BEST},
        })  # fmt: skip
    return sorted(groups, key=lambda group: place(group[f"{decisive(runs)}_mean"]))
