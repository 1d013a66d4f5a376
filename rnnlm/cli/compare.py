"""`rnnlm compare`: models on a text, with confidence intervals; or runs, with the settings in which they differ."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable
from typing import Any

import click

from rnnlm.cli.options import PATH, independent_option
from rnnlm.cli.output import in_json, show, tell
from rnnlm.cli.tables import cell, decimal, table, terminal_width, width
from rnnlm.errors import UsageError
from rnnlm.text.lines import lines, text_name

LAYOUTS: dict[str, Callable[[Any], str]] = {  # of results; the others are decimals
    "valid_nats": "{:.4f}".format, "seconds": "{:.0f}".format, "diverged": str, "state": str,
}  # fmt: skip
TITLES = {"valid_ppl_known": "no OOVs", "best_epoch": "best at", "epochs": "epoch"}  # of columns


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", type=PATH)
@click.option("--text", metavar="FILE|-", help="Text to compare the models on, a sentence a line.")
@click.option("--words", type=click.IntRange(min=0), default=10, help="Show so many words on which they differ most.")
@click.option("--resamples", type=click.IntRange(100, 100_000), default=1000, help="Resampled texts for the intervals.")
@click.option("--seed", type=click.IntRange(min=0), default=1, help="Seed of the resampling.")
@independent_option()
@click.option("--csv", "as_csv", is_flag=True, help="A row for each model or run, with commas.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, on one line: see docs/text.md, docs/runs.md.")
def command(models, text, words, resamples, seed, carried, as_csv, as_json):
    """Compare two or more MODELs (run directories, model files, ARPA files) on a text, or runs without one.

    With --text: the perplexity of each model with its 95 % interval, and its ratio to the first model's with the
    interval of that (paired bootstrap over the sentences). Only tokens that all models know are compared, `</s>` among
    them, so perplexities are those of `rnnlm eval` where vocabularies are the same, and comparable where they are not.
    Then the words that make most of the difference, with their count and mean -log10 p under each model.

    Without --text: every setting in which the runs differ, and their results. More than two runs stand in rows, the
    best first, and below them means and standard deviations over seeds.
    """
    if len(models) < 2:
        raise UsageError("one model: nothing to compare it with", "name two or more")
    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other", "give one of them")
    facts = runs(models) if text is None else on_text(models, text, words, resamples, seed, carried)
    if as_csv:
        rows = list(csv_of_runs(facts) if text is None else csv_of_models(facts))
        writer = csv.DictWriter(sys.stdout, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        report = show_models if text is not None else show_runs if len(facts["runs"]) < 3 else show_many
        show(in_json(facts) if as_json else report(facts))


def on_text(models, text, words, resamples, seed, carried):
    """Figures of models on a text, as --json prints them."""
    from rnnlm.lm.compare import bootstrap, compare
    from rnnlm.loading import load_text_model
    from rnnlm.text.unknown import warning

    loaded = [load_text_model(path, carried) for path in models]
    scorers = [model.scorer for model in loaded]
    lower, cased = ([str(m.path) for m in loaded if m.scorer.vocab.lower == is_lower] for is_lower in (True, False))
    if lower and cased:
        note = f"read in lower case for {' and '.join(lower)}, as it is for {' and '.join(cased)}: as in `rnnlm eval`"
        tell(f"{text_name(text)}: {note}")
    kept, documents = all(model.blank_lines for model in loaded), [model.documents for model in loaded]
    found = compare(scorers, lines(text), text_name(text), kept, documents)
    size = int(found.tokens.sum()) + found.left_out - len(found.tokens)
    many = (warning(oovs, size, f"{text_name(text)}, by {model.path}") for model, oovs in zip(loaded, found.oovs))
    tell(*found.markers.notes, *many)
    drawn = bootstrap(found, resamples, seed)
    return {
        "text": text_name(text), "sentences": len(found.tokens), "tokens": int(found.tokens.sum()),
        "left_out": found.left_out, "resamples": resamples, "seed": seed,
        "models": [
            {
                "model": str(model.path), "kind": model.scorer.kind, "vocab_size": len(model.scorer.vocab),
                "oovs": oovs, "zeroprobs": zeroprobs, "ppl": float(ppl), "ppl_interval": list(interval),
                "ratio": float(ppl / found.ppl[0]), "ratio_interval": list(against), "better": better,
            }
            for model, oovs, zeroprobs, ppl, interval, against, better in zip(
                loaded, found.oovs, found.zeroprobs, found.ppl, *drawn
            )
        ],
        "words": [
            {"word": word, "count": entry.count, "log10_p": (-entry.nats / entry.count / math.log(10)).tolist()}
            for word, entry in found.most_different(words)
        ],
    }  # fmt: skip


def show_models(facts):
    """Lines of the tables of models and of words."""
    yield "{text}: {sentences} sentences, {tokens} tokens compared, {left_out} left out".format(**facts)
    rows = [["", "model", "vocab", "OOVs", "ppl", "95 % interval", "against 1", "95 % interval", "better"]]
    for number, model in enumerate(facts["models"], 1):
        low, high = model["ppl_interval"]
        figures = decimal(model["ppl"]), f"{decimal(low)} {decimal(high)}"
        row = [number, model["model"], model["vocab_size"], model["oovs"], *figures]
        if number > 1:
            low, high = (100 * (x - 1) for x in model["ratio_interval"])
            ratio = decimal(100 * (model["ratio"] - 1), "+")
            row += [f"{ratio}%", f"{decimal(low, '+')} {decimal(high, '+')}", f"{model['better']:.1%}"]
        rows.append(row)
    yield from table(rows, "llr")
    if facts["words"]:
        yield ""
        yield "words that make most of the difference, and their mean -log10 p"
        rows = [["", "word", "count", *range(1, len(rows))]]
        for entry in facts["words"]:
            rows.append(["", entry["word"], entry["count"], *(f"{abs(x):.3f}" for x in entry["log10_p"])])
        yield from table(rows, "llr")


def csv_of_models(facts):
    """Rows of --csv with --text: the figures of each model by their names."""
    for model in facts["models"]:
        flat: dict[str, Any] = {}
        for key, value in model.items():
            flat |= {f"{key}_low": value[0], f"{key}_high": value[1]} if isinstance(value, list) else {key: value}
        yield flat


def runs(paths):
    """Settings and results of runs, as --json prints them: two in the order in which they are given, more best first.

    A directory in which no run has begun is left out, with a note, where others are left to compare.
    """
    from rnnlm.show.runs import decisive, over_seeds, place, settings_that_differ, summarize

    begun = [path for path in paths if not nothing_in(path)]
    if len(begun) > 1:
        tell(*(f"note: {path}: nothing in it yet, left out" for path in paths if path not in begun))
        paths = begun
    found = [summarize(path) for path in paths]
    if len({run.texts for run in found if run.texts}) > 1:
        how = "rnnlm compare --text FILE compares them on one text, over the words that all of them know"
        tell(f"note: validation texts or vocabularies differ, and so what their perplexities mean; {how}")
    ranked_by = decisive(found)
    if len(found) > 2:
        found.sort(key=lambda run: place(run.results[ranked_by]))
    return {
        "runs": [str(run.path) for run in found],
        "settings": settings_that_differ(found),
        "results": [{**run.results, "state": run.state} for run in found],
        "ranked_by": ranked_by,
        "groups": over_seeds(found),
    }  # fmt: skip


def nothing_in(path):
    """Whether a directory is empty but for the lock of a training that is about to begin."""
    return path.is_dir() and all(file.name == ".lock" for file in path.iterdir())


def worth_showing(results, *keys):
    """Results of runs by these keys, and `diverged` and `state` where runs have diverged or are not finished."""
    diverged = any(run["diverged"] for run in results)
    unfinished = any(run["state"] != "finished" for run in results)
    return [*keys, *["diverged"] * diverged, *["state"] * unfinished]


def show_runs(facts):
    """Lines of a table with a column for each run."""
    results = facts["results"]
    lacking = any(run["valid_ppl"] is None for run in results)
    figures = ["valid_nats", "valid_ppl"] if lacking else ["valid_ppl"]  # which has the other one as its logarithm
    rows = [["", *facts["runs"]]]
    rows += [[path, *map(json.dumps, values)] for path, values in facts["settings"].items()]
    for key in worth_showing(results, *figures, "best_epoch", "train_ppl", "epochs", "seconds"):
        rows.append([key, *(figure(key, run[key]) for run in results)])
    yield from table(rows)


def show_many(facts):
    """Lines of a table with a row for each run, and of one with a row for each group that differs in seeds alone."""
    from rnnlm.recipes.sweep import short_names
    from rnnlm.show.runs import without_consequences

    results, groups, settings = facts["results"], facts["groups"], without_consequences(facts["settings"])
    short = short_names(settings)
    figures = ["valid_ppl" if any(run["valid_ppl"] is not None for run in results) else "valid_nats"]
    if facts["ranked_by"] != "valid_nats":
        figures.append(facts["ranked_by"])
    keys = worth_showing(results, *figures, "best_epoch", "epochs", "seconds")
    yield f"{len(results)} runs, the best first"
    rows: list[list[Any]] = [["", *short.values(), *(TITLES.get(key, key) for key in keys)]]
    for number, (values, run) in enumerate(zip(zip(*settings.values()), results), 1):
        rows.append([number, *map(setting, values), *(figure(key, run[key]) for key in keys)])
    names, limit = ["run", *facts["runs"]], terminal_width()
    whole = list(table([[*row, name] for row, name in zip(rows, names)], "r" * len(rows[0]) + "l", limit=sys.maxsize))
    if limit is None or max(map(width, whole)) <= limit:
        yield from whole
    else:
        yield from table(rows, "r")
        yield ""
        yield from table([["", "run"], *enumerate(facts["runs"], 1)], "rl")
    if all(len(group["runs"]) == 1 for group in groups):
        return
    yield ""
    yield "mean and standard deviation over seeds, of the runs that have finished"
    short.pop("seed", None)
    rows = [[*short.values(), "runs", *(title for key in figures for title in (TITLES.get(key, key), "sd"))]]
    for group in groups:
        number, finished = len(group["runs"]), group["finished"]
        row = [*(setting(group["settings"][path]) for path in short)]
        row.append(number if finished == number else f"{finished} of {number}")
        for key in figures:
            row += [figure(key, group[f"{key}_mean"]), cell(group[f"{key}_sd"], "{:.2g}".format)]
        rows.append(row)
    yield from table(rows, "r")


def csv_of_runs(facts):
    """Rows of --csv: for each run its settings and results by their names. What is not known is empty."""
    for i, (name, results) in enumerate(zip(facts["runs"], facts["results"])):
        settings = {path: cell(values[i], plain, "") for path, values in facts["settings"].items()}
        yield {"run": name, **settings, **results}


def figure(key, value):
    """A result as a cell of a table."""
    return cell(value, LAYOUTS.get(key, decimal))


def setting(value):
    """A setting as a cell of a table."""
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else plain(value)


def plain(value):
    """A setting as text: text as it is, the rest as in JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
