"""`rnnlm config`, and the reference of all options."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from rnnlm.cli.reference import explain, markdown
from rnnlm.config import Choice, Duration, option
from rnnlm.errors import UsageError
from rnnlm.experiment import Config


class Layer(Choice, default="plain"):
    pass


@dataclass(frozen=True)
class Stacked(Layer, kind="stacked"):
    """Layers on
    layers."""

    layers: tuple[Layer, ...] = option(doc="from the input upwards")
    dropout: float = option(0.0, "share of units dropped", low=0, below=1)


@dataclass(frozen=True)
class Plain(Layer, kind="plain"):
    """h = f(a | b).

    More about it."""

    size: int = option(doc="hidden units", low=1)
    activation: Literal["tanh", "relu"] = option("tanh", "f<a>")


@dataclass(frozen=True)
class Loop:
    epochs: int = option(10, "passes over the text", low=1, high=1000)
    max_time: Duration | None = option(None, "stop after it", above=0)


@dataclass(frozen=True)
class Root:
    layer: Layer = option(doc="the network")
    train: list[str] = option(default_factory=list, doc="training text")
    valid: float | str | None = option(None, "text, or a share", above=0, below=1)
    sizes: tuple[int, ...] = option((1, 2), "some sizes", low=1)
    extra: Layer | None = option(None, "another network")
    start: Layer = option(Stacked((Plain(7),)), "another one")
    loop: Loop = option(Loop(), "the loop")
    name: str = option("", "a name")


KINDS = "one of the kinds stacked, plain"


def test_every_option_of_every_kind_is_explained():
    assert [tuple(row) for row in explain(Root)] == [
        ("layer", KINDS, "required", "", "the network"),
        ("layer[plain]", "", "", "", "h = f(a | b)."),  # the default kind comes first
        ("layer[plain].size", "integer", "required", "at least 1", "hidden units"),
        ("layer[plain].activation", "one of tanh, relu", "tanh", "", "f<a>"),
        ("layer[stacked]", "", "", "", "Layers on layers."),
        ("layer[stacked].layers", f"list (each item {KINDS})", "required", "", "from the input upwards"),
        ("layer[stacked].dropout", "number", "0.0", "at least 0 and below 1", "share of units dropped"),
        ("train", "list (each item text)", "[]", "", "training text"),
        ("valid", "number or text or null", "null", "above 0 and below 1", "text, or a share"),
        ("sizes", "list (each item an integer)", "[1, 2]", "at least 1", "some sizes"),
        ("extra", f"{KINDS} or null", "null", "", "another network"),
        ("start", KINDS, "{kind: stacked, layers: [{kind: plain, size: 7, activation: tanh}]}", "", "another one"),
        ("loop", "section", "", "", "the loop"),
        ("loop.epochs", "integer", "10", "at least 1 and at most 1000", "passes over the text"),
        ("loop.max_time", "duration (90s, 5m, 1h30m or seconds) or null", "null", "above 0", "stop after it"),
        ("name", "text", "''", "", "a name"),
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("layer.dropout", ["layer[stacked].dropout"]),
        ("layer[plain]", ["layer[plain]", "layer[plain].size", "layer[plain].activation"]),
        ("layer[plain].size", ["layer[plain].size"]),
        ("loop", ["loop", "loop.epochs", "loop.max_time"]),
        ("start.size", ["start[plain].size"]),  # explained elsewhere in the whole
    ],
)
def test_explain_one_path(path, expected):
    assert [row.path for row in explain(Root, path)] == expected


def test_an_option_is_found_in_the_kinds_that_have_it():
    paths = [row.path for row in explain(Config, "model.cell.activation")]
    assert paths[0] == "model[lm].cell[vanilla].activation"
    assert len(paths) > 1
    assert [row.path for row in explain(Config, "model.cell[lstm]")][:2] == [
        "model[lm].cell[lstm]",
        "model[lm].cell[lstm].size",
    ]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("loop.epoch", ["loop.epochs"]),
        ("epochs", ["loop.epochs"]),
        ("plain", ["layer[plain]"]),
        ("siz", ["layer.size", "sizes"]),
        ("start.sise", ["start.size"]),
        ("xyz", []),
        ("\n", []),
    ],
)
def test_explain_suggests_full_names(path, meant):
    with pytest.raises(UsageError, match="no such option") as caught:
        explain(Root, path)
    assert caught.value.message.isprintable()
    assert (
        caught.value.message.split("'")[1::2][-len(meant) :] == meant if meant else "mean" not in caught.value.message
    )


@pytest.mark.parametrize("name", ["lstm", "dropout"])
def test_names_of_the_field_lead_to_options(name):
    with pytest.raises(UsageError, match=rf"did you mean 'model\.cell.*{name}"):
        explain(Config, name)


def test_every_option_has_an_explanation():
    assert [row.path for row in explain(Config) if not row.doc] == []


def test_the_reference_as_markdown():
    text = markdown(Root)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "## Sections and single options", "## `layer[plain]`", "## `layer[stacked]`", "## `loop`",
    ]  # fmt: skip
    assert "## `layer[plain]`\n\nh = f(a \\| b).\n\n| option | type | default | meaning |\n|---|---|---|---|\n" in text
    assert "\n| `size` | integer, at least 1 | required | hidden units |\n" in text
    assert "\n| `activation` | one of tanh, relu | `tanh` | f\\<a> |\n" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables} == {5}
    rows = explain(Config)
    assert markdown(Config).count("\n| `") == sum(1 for row in rows if row.type)
    assert all(f"`{row.name}`\n" in markdown(Config) for row in rows if not row.type)


# --- The command ---


def test_show_prints_the_whole_configuration(rnnlm):
    Path("x.yaml").write_text("data: {train: a.txt}\noptimizer: adam\n")
    status, shown, messages = rnnlm("config", "show", "x.yaml", "--set", "optimizer.lr=0.5", "--set", "seed=7")
    overridden, note = messages.split("note: ")
    assert (status, overridden) == (0, "override optimizer.lr: 0.003 -> 0.5\noverride seed: 1 -> 7\n")
    assert note.startswith("a.txt: no such file")
    assert "size of the training text" in note
    assert "optimizer:\n  kind: adam\n  lr: 0.5\n" in shown
    Path("y.yaml").write_text(shown)
    assert rnnlm("config", "show", "y.yaml") == (0, shown, "")


def test_show_chooses_by_the_size_of_the_text_as_training_does(rnnlm):
    Path("a.txt").write_text("the cat sees a dog\n" * 200)
    Path("x.yaml").write_text("data: {train: a.txt, valid: 0.1}\noptimizer: {lr: 0.001}\ntraining: {epochs: 1}\n")
    status, shown, messages = rnnlm("config", "show", "x.yaml", "--set", "seed=7")
    assert status == 0
    assert "# chosen for a.txt: " in messages
    assert "size: 100" not in shown  # as of no text
    assert rnnlm("train", "x.yaml", "-o", "run", "--seed", 7, "-q")[0] == 0
    assert Path("run/config.yaml").read_text() == shown
    assert rnnlm("config", "show", "run") == (0, shown, "")


def test_show_refuses_mistakes(rnnlm):
    Path("x.yaml").write_text("optimizer: {lrr: 0.5}\ndata: {train: a.txt}\n")
    status, shown, messages = rnnlm("config", "show", "x.yaml", "--set", "seed=-1")
    assert (status, shown) == (2, "")
    first, second, hint = messages.splitlines()
    assert first.startswith("rnnlm: error: x.yaml:1: optimizer.lrr: unknown key; did you mean 'lr'?")
    assert second.startswith("--set seed=-1: ")
    assert "rnnlm config explain" in hint


def test_check_reports_each_file(rnnlm):
    Path("x.yaml").write_text("data: {train: a.txt}\n")
    Path("y.yaml").write_text("data: {train: []}\nseed: -1\n")
    status, report, _ = rnnlm("config", "check", "x.yaml", "y.yaml", "z.yaml")
    starts = ["x.yaml: ok", "y.yaml:1: data.train: ", "y.yaml:2: seed: ", "z.yaml: no such file"]
    assert [line[: len(start)] for line, start in zip(report.splitlines(), starts)] == starts
    assert status == 2
    assert rnnlm("config", "check", "x.yaml") == (0, "x.yaml: ok\n", "")


def test_explain_prints_the_reference(rnnlm):
    assert rnnlm("config", "explain", "optimizer[sgd].lr") == (
        0, "optimizer[sgd].lr: number, above 0, default 0.1\n    learning rate\n", "",
    )  # fmt: skip
    assert "data.train: list (each item text), required\n" in rnnlm("config", "explain", "data")[1]
    assert rnnlm("config", "explain")[1].count("\n") > 100


def test_explain_refuses_an_unknown_path(rnnlm):
    status, _, message = rnnlm("config", "explain", "optimiser")
    assert status == 2
    assert message.startswith("rnnlm: error: optimiser: no such option; did you mean 'optimizer'?\n  hint: ")


def test_help_needs_no_numpy():
    code = "import sys; sys.modules['numpy'] = None; from rnnlm.cli import main; main(['config', '--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Print the reference of all options." in done.stdout
