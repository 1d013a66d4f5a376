"""Output of the commands eval, predict and fill for the models of a task: figures and answers, as text or as JSON."""

from __future__ import annotations

import json

import click

from rnnlm.cli.tables import table, visible


def evaluate(loaded, paths, as_json):
    """Print the figures of a model on each text."""
    from rnnlm.nn.heads.loss import finite
    from rnnlm.text.lines import text_name
    from rnnlm.text.unknown import notes

    settings, task = loaded.config, loaded.task
    for path in paths:
        corpus = task.encode([path], loaded.vocab, settings.data, settings.model)
        for note in notes(corpus):
            click.echo(note, err=True)
        figures = task.evaluate(loaded.network, corpus, settings.training.batch)
        sizes = {"sentences": corpus.sentences, "words": corpus.words, "oovs": corpus.oovs}
        if as_json:
            figures = {name: finite(x) if isinstance(x, float) else x for name, x in figures.items()}
            row = {"model": str(loaded.path), "kind": settings.model.kind, "file": text_name(path)} | sizes | figures
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo(f"file {corpus.name}: {corpus.sentences} sentences, {corpus.words} words, {corpus.oovs} OOVs")
            show(task.report(figures))


def answer(loaded, text, k, beam, as_json):
    """Print the answers of a model to the lines of a text, or to the rows of a matrix."""
    for one in loaded.task.predict(loaded.network, text, k, beam):
        if one.note:
            click.echo(one.note, err=True)
        if as_json:
            click.echo(json.dumps(one.facts, ensure_ascii=False))
        else:
            show(one.lines, align="l", gap=3)


def show(lines, **layout):
    """Print lines; a list of rows is a table, in which a prediction has its probability before it."""
    for line in lines:
        if isinstance(line, str):
            click.echo(line)
            continue
        rows = [[x if isinstance(x, str) else f"{x.p:.4f} {visible(x.word)}" for x in row] for row in line]
        for text in table(rows, **layout):
            click.echo(text)
