"""Output of the commands eval, predict and fill for the models of a task: figures and answers, as text or as JSON."""

from __future__ import annotations

from rnnlm.cli.output import answer, tell
from rnnlm.cli.tables import table, visible
from rnnlm.text.lines import text_name


def evaluate(loaded, path, as_json):
    """Print the figures of a model on a text."""
    from rnnlm.text.unknown import notes

    settings, task = loaded.config, loaded.task
    corpus = task.encode([path], loaded.vocab, settings.data, settings.model)
    tell(*notes(corpus))
    figures = task.evaluate(loaded.network, corpus, settings.training.batch)
    sizes = {"sentences": corpus.sentences, "words": corpus.words, "oovs": corpus.oovs}
    facts = {"model": str(loaded.path), "kind": settings.model.kind, "file": text_name(path)} | sizes | figures
    heading = f"file {corpus.name}: {corpus.sentences} sentences, {corpus.words} words, {corpus.oovs} OOVs"
    answer(facts, lines_of([heading, *task.report(figures)]), as_json)


def predict(path, text, k, beam, as_json, command):
    """Print the answers of a model, which has to be of a kind for the command, to the lines of a text."""
    from rnnlm.loading import load_model

    loaded = load_model(path, command)
    for one in loaded.task.predict(loaded.network, text, k, beam):
        tell(one.note)
        answer(one.facts, lines_of(one.lines, align="l", gap=3), as_json)


def lines_of(parts, **layout):
    """Lines of parts that are lines themselves, or rows of tables, in which predictions have their probabilities."""
    for part in parts:
        if isinstance(part, str):
            yield part
        else:
            rows = [[x if isinstance(x, str) else f"{x.p:.4f} {visible(x.word)}" for x in row] for row in part]
            yield from table(rows, **layout)
