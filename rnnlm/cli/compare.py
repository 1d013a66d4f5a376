"""`rnnlm compare`: models on a text, with confidence intervals; or runs, with the settings in which they differ."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import click

from rnnlm.cli.options import independent_option
from rnnlm.cli.tables import decimal, table
from rnnlm.errors import UsageError


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", type=click.Path(path_type=Path))
@click.option("--text", metavar="FILE|-", help="Text to compare the models on, a sentence a line.")
@click.option("--words", type=click.IntRange(min=0), default=10, help="Show so many words on which they differ most.")
@click.option("--resamples", type=click.IntRange(100, 100_000), default=1000, help="Resampled texts for the intervals.")
@click.option("--seed", type=click.IntRange(min=0), default=1, help="Seed of the resampling.")
@independent_option()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, on one line: see docs/text.md, docs/runs.md.")
def command(models, text, words, resamples, seed, independent, as_json):
    """Compare two or more MODELs (run directories, model files, ARPA files) on a text, or runs without one.

    With --text: the perplexity of each model with its 95 % interval, and its ratio to the first model's with the
    interval of that (paired bootstrap over the sentences). Only tokens that all models know are compared, `</s>` among
    them, so perplexities are those of `rnnlm eval` where vocabularies are the same, and comparable where they are not.
    Then the words that make most of the difference, with their count and mean -log10 p under each model.

    Without --text: every setting in which the runs differ, and their results.
    """
    if len(models) < 2:
        raise UsageError("one model: nothing to compare it with", "name two or more")
    facts = runs(models) if text is None else on_text(models, text, words, resamples, seed, independent)
    if as_json:
        facts = json.loads(json.dumps(facts), parse_constant=lambda name: None)  # JSON has no infinity
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        show = show_runs if text is None else show_models
        for line in show(facts):
            click.echo(line)


def on_text(models, text, words, resamples, seed, independent):
    """Figures of models on a text, as --json prints them."""
    from rnnlm.lm.compare import bootstrap, compare
    from rnnlm.loading import load_text_model
    from rnnlm.text.lines import lines, text_name
    from rnnlm.text.unknown import warning

    loaded = [load_text_model(path, None if independent is None else not independent) for path in models]
    scorers = [model.scorer for model in loaded]
    lower, cased = ([str(m.path) for m in loaded if m.scorer.vocab.lower == is_lower] for is_lower in (True, False))
    if lower and cased:
        note = f"read in lower case for {' and '.join(lower)}, as it is for {' and '.join(cased)}: as in `rnnlm eval`"
        click.echo(f"{text_name(text)}: {note}", err=True)
    blank_lines = all(model.data is not None and model.data.blank_lines for model in loaded)
    documents = [model.data is not None and model.data.documents is not None for model in loaded]
    found = compare(scorers, lines(text), text_name(text), blank_lines, documents)
    size = int(found.tokens.sum()) + found.left_out - len(found.tokens)
    many = (warning(oovs, size, f"{text_name(text)}, by {model.path}") for model, oovs in zip(loaded, found.oovs))
    for note in filter(None, [*found.markers.notes, *many]):
        click.echo(note, err=True)
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
        row = [
            number,
            model["model"],
            model["vocab_size"],
            model["oovs"],
            decimal(model["ppl"]),
            f"{decimal(low)} {decimal(high)}",
        ]
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


def runs(paths):
    """Settings and results of runs, as --json prints them."""
    from rnnlm.show.runs import settings_that_differ, summarize

    found = [summarize(path) for path in paths]
    return {
        "runs": [str(run.path) for run in found],
        "settings": settings_that_differ(found),
        "results": [run.results for run in found],
    }


def show_runs(facts):
    """Lines of a table with a column for each run."""
    results = facts["results"]
    formats: dict[str, Callable[[float], str]] = {
        "valid_nats": "{:.4f}".format, "valid_ppl": decimal, "best_epoch": decimal, "train_ppl": decimal,
        "epochs": decimal, "seconds": "{:.0f}".format, "diverged": str,
    }  # fmt: skip
    if all(run["valid_ppl"] is not None for run in results):  # valid_nats is its logarithm
        del formats["valid_nats"]
    if not any(run["diverged"] for run in results):
        del formats["diverged"]
    rows = [["", *facts["runs"]]]
    rows += [[path, *map(json.dumps, values)] for path, values in facts["settings"].items()]
    for key, layout in formats.items():
        rows.append([key, *("-" if run[key] is None else layout(run[key]) for run in results)])
    yield from table(rows)
