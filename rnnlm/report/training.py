"""Sections about the training: what was trained, how it went, samples on the way, and how to run it again."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rnnlm import config
from rnnlm.errors import DataError
from rnnlm.nn.heads.loss import exp_mean, figure
from rnnlm.report.charts import Series, chart
from rnnlm.report.source import Source
from rnnlm.show.curves import Course, Panel, marks, panels
from rnnlm.text.corpus import digest_of
from rnnlm.text.names import joined
from rnnlm.text.vocab import EOS, UNK

MOST_SAMPLES = 40  # validations whose samples are shown; of more, as many, evenly spread
HEADING = re.compile(r"# (epoch [0-9.]+  valid p?ppl \S+)")
ENVIRONMENT = ("rnnlm", "python", "numpy", "blas", "machine", "system", "processor", "cores", "threads")
HASHES = {"train": "training text", "valid": "validation text", "test": "test text", "vocab": "vocabulary"}


# --- what was trained ---


class Text(NamedTuple):
    """A text of the configuration. state: whether it has changed. Sizes are None where it is not there any more."""

    use: str
    name: str
    state: str
    sentences: int | None = None
    words: int | None = None
    oov: float | None = None


def trained(source: Source) -> dict[str, Any]:
    """Texts, parameters as `rnnlm info --json` has them, facts (name, value), and the configuration as YAML."""
    loaded, facts = source.loaded, source.facts
    words = facts["vocabulary"]
    rows = [
        ("kind", facts["kind"]),
        ("parameters", f"{facts['count']:,} of type {facts['dtype']}"),
        ("vocabulary", f"{words['size']:,} {words['level']}s" + (", lowercase" if words["lower"] else "")),
    ]
    if "outputs" in words:
        rows.append((loaded.task.outcomes, f"{words['outputs']:,}"))
    return {
        "texts": list(texts(source)), "unit": f"{words['level']}s", "parameters": facts["parameters"], "facts": rows,
        "config": config.dump(loaded.config),
    }  # fmt: skip


def texts(source: Source) -> Iterator[Text]:
    """The texts of the configuration. The sizes of the training text are those that the vocabulary's counts tell."""
    loaded, data = source.loaded, source.loaded.config.data
    counts, share = loaded.vocab.inputs.counts, data.valid
    words, state, name = int(counts[UNK:].sum()), compared(source, data.train, "train"), joined(data.train)
    part = f", without its last {share:.4g}" if isinstance(share, float) else ""
    yield Text("training", name + part, state, int(counts[EOS]), words, int(counts[UNK]) / max(words, 1))
    if isinstance(share, float):
        yield measured(source, "validation", f"the last {share:.4g} of {name}", state, share)
    tests = [] if data.test is None else [data.test]
    for use, paths, key in (("validation", data.valid_texts, "valid"), ("test", tests, "test")):
        if paths:
            yield measured(source, use, joined(paths), compared(source, paths, key), paths)


def measured(source: Source, use: str, name: str, state: str, read: list[str] | float) -> Text:
    """A text with its sizes, where it can be read."""
    try:
        _, _, corpus = source.read(read)
    except DataError:
        return Text(use, name, state)
    return Text(use, name, state, corpus.sentences, corpus.words, corpus.oovs / max(corpus.words, 1))


def compared(source: Source, paths: list[str], key: str) -> str:
    """Whether texts are as they were at training, by their SHA-256."""
    before = source.loaded.figures[f"{key}_sha256"]
    if not all(Path(path).is_file() for path in paths):
        return "not there now"
    if before is None:
        return "not recorded"
    now = source.loaded.task.digest(paths[0]) if len(paths) == 1 else digest_of(paths)
    return "as at training" if now == before else "has changed since training"


# --- how it went ---


def curves(source: Source) -> dict[str, Any]:
    """Charts over the epochs, the validations as rows under a head, the row that is best, and divergences in words.

    Raises DataError without a log.
    """
    course = logged(source)
    table, best = course.validations, course.best
    rules = [(mark.x, "diverged") for mark in marks([course])]
    if best is not None and table["epoch"][best] is not None:
        rules.append((table["epoch"][best], "best"))
    drawn = [drawing(panel, rules if panel.key == "loss" else []) for panel in panels([course])]
    columns = {
        "epoch": ("epoch", ".2f"), "updates": ("step", ",.0f"), "learning rate": ("lr", ".3g"),
        "clipped": ("clipped", ".0%"), "training nats": ("train_nats", ".4f"), "validation nats": ("valid_nats", ".4f"),
    }  # fmt: skip
    cells = [["–" if x is None else format(x, layout) for x in table[key]] for key, layout in columns.values()]
    cells.append(["–" if nats is None else figure(exp_mean(nats, 1)) for nats in table["valid_nats"]])
    broken = [
        f"epoch {epoch:.2f}: {what}; " + (f"went back to {back}" if back else "training ended")
        for epoch, what, back in zip(*(course.divergences[name] for name in ("epoch", "diverged", "back")))
    ]
    return {
        "charts": [each for each in drawn if each], "head": [*columns, course.perplexity], "rows": list(zip(*cells)),
        "best": best, "divergences": broken,
    }  # fmt: skip


def logged(source: Source) -> Course:
    """The log of a run. Raises DataError where there is none, or nothing in it."""
    if source.course is None:
        raise DataError(f"{source.path} is a model file, and no run directory with a log", "give the run directory")
    if source.course.empty:
        raise DataError("the log of the run has no lines yet", "wait for the first validation")
    return source.course


KINDS = {"train": "training", "valid": "validation", "": ""}


def drawing(panel: Panel, rules: list[tuple[float, str]]) -> dict[str, Any] | None:
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


def samples(source: Source) -> dict[str, Any]:
    """The samples drawn at each validation, and how many there were in all. Raises DataError where there are none.

    kept: whether a validation is shown on paper: the first, the best and the last.
    """
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
    best, last = course.best, len(found) - 1
    spread = {round(i * last / (MOST_SAMPLES - 1)) for i in range(MOST_SAMPLES)} | {best}
    validations = [
        {"title": title, "lines": lines, "best": i == best, "kept": i in (0, best, last)}
        for i, (title, lines) in enumerate(found)
        if i in spread
    ]
    return {"validations": validations, "all": len(found)}


# --- how to run it again ---


def again(source: Source) -> dict[str, Any]:
    """How to run a training again: commands, environment (name, value), hashes (name, SHA-256).

    Of a model file alone only versions and hashes are known.
    """
    figures, path, env, commands = source.loaded.figures, source.path, {}, []
    if path.is_dir():
        with contextlib.suppress(OSError, ValueError):
            env = json.loads((path / "env.json").read_text(encoding="utf-8"))
        with contextlib.suppress(OSError):
            commands = (path / "command.txt").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    model = shlex.quote(str(path))
    return {
        "commands": commands, "next": [f"rnnlm {command.format(model)}" for command in source.loaded.task.next],
        "environment": [(name, env[name]) for name in ENVIRONMENT if name in env] or [("rnnlm", figures["rnnlm"])],
        "hashes": [(name, figures[f"{key}_sha256"]) for key, name in HASHES.items() if figures[f"{key}_sha256"]],
    }  # fmt: skip
