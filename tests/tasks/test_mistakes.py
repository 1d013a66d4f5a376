"""Configurations and files that do not fit a task, or a model of one."""

import io
import re
from pathlib import Path

import pytest

from rnnlm import config
from rnnlm.errors import DataError, UsageError
from rnnlm.experiment import Config, prepare
from rnnlm.nn.cells import GRU, LSTM, Jordan, Stack, Vanilla
from rnnlm.nn.heads import Softmax
from rnnlm.nn.models import Blank, Classifier, Seq2Seq, Vec2Seq
from rnnlm.nn.models.embedded import widths
from tests.kinds import READINGS, SETTINGS, refused


@pytest.mark.parametrize(
    ("make", "option", "word"),
    [
        (lambda: Seq2Seq(encoder=LSTM(size=4), decoder=LSTM(size=5)), "decoder", "(5, 5)"),
        (lambda: Seq2Seq(encoder=Jordan(outputs=3, teacher_forcing=True)), "encoder", "no state"),
        (lambda: Vec2Seq(vector=3, decoder=Jordan(outputs=3, teacher_forcing=True)), "decoder", "no state"),
        (lambda: Seq2Seq(context="every_step"), "context", "embedding"),
        (lambda: Seq2Seq(head=Softmax(tied=True), embedding=3), "head.tied", "language model"),
        (lambda: Vec2Seq(vector=3, dropout_input=0.1), "dropout_input", "embedding"),
        (lambda: Classifier(head=Softmax(tied=True), embedding=3), "head.tied", "labels"),
        (lambda: Classifier(dropout_input=0.1), "dropout_input", "embedding"),
        (lambda: Blank(head=Softmax(tied=True)), "head.tied", "embedding"),
        (lambda: Blank(dropout_input=0.1), "dropout_input", "embedding"),
    ],
)  # fmt: skip
def test_options_that_exclude_each_other(make, option, word):
    with pytest.raises(ValueError, match=f"^{re.escape(option)}: .*{re.escape(word)}"):
        make()


def test_cells_that_see_the_future_are_refused():
    class Clairvoyant(Vanilla):
        causal = False

    with pytest.raises(ValueError, match=r"^decoder: .*causal"):
        Seq2Seq(encoder=Vanilla(), decoder=Clairvoyant())
    with pytest.raises(ValueError, match=r"^cell: .*causal"):
        Blank(cell=Clairvoyant())


def test_widths_of_states():
    assert widths(Vanilla(size=3)) == (3,)
    assert widths(Stack([LSTM(size=3), GRU(size=2)])) == ((3, 3), (2,))


@pytest.mark.parametrize(
    ("line", "problem"), [("no tab", "no tab"), ("\tx", "an empty part"), ("x\t ", "an empty part")]
)
@pytest.mark.parametrize("reading", ["labelled", "pairs"])
def test_a_line_that_is_no_example(task, tmp_path, reading, line, problem):
    settings = task(reading)
    (tmp_path / "train.txt").write_text(f"a\tb\n\n{line}\n")
    message, hint = refused(DataError, prepare, settings)
    assert message.startswith(f"train.txt:3: {problem}")
    assert "tab" in hint


@pytest.mark.parametrize(
    ("data", "option"),
    [
        ({"reading": "labelled", "vocab": "v.txt"}, "vocab"),
        ({"reading": "pairs", "vocab": "v.txt"}, "vocab"),
        ({"reading": "pairs", "blank_lines": True}, "blank_lines"),
        ({"reading": "blanks", "blank_lines": True}, "blank_lines"),
        ({"reading": "vectors", "train": ["a.txt", "b.txt"]}, "train"),
    ],
)  # fmt: skip
def test_data_that_cannot_be(data, option):
    settings = {"data": {"train": "a.txt", **data}, "model": SETTINGS[data["reading"]]}
    message = refused(UsageError, config.build, Config, settings)[0]
    assert message.startswith(f"<config>: data.{option}: with reading {data['reading']}")


@pytest.mark.parametrize("reading", ["labelled", "pairs"])
def test_texts_that_are_read_twice_may_be_standard_input(task, reading, monkeypatch):
    settings = task(reading)
    text = Path(settings.data.valid).read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert prepare(task(reading, valid="-")).valid.sha256 == prepare(settings).valid.sha256


def test_standard_input_has_no_vectors_beside_it(task, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a b\n")))
    assert "no file of vectors" in refused(UsageError, prepare, task("vectors", valid="-"))[0]


@pytest.mark.parametrize("reading", [*READINGS, "stream", "sentences"])
def test_a_model_that_learns_from_something_else(reading):
    kinds = {"blank": "blanks", "classifier": "labelled", "seq2seq": "pairs", "vec2seq": "vectors"}
    kinds["lm"] = "stream or sentences"
    for kind, known in kinds.items():
        settings = {"data": {"train": "a.txt", "reading": reading}, "model": {"kind": kind}}
        if kind == "vec2seq":
            settings["model"]["vector"] = 4
        if reading in known.split(" or "):
            assert config.build(Config, settings).data.reading == reading
        else:
            message = refused(UsageError, config.build, Config, settings)[0]
            assert message.startswith("<config>: model: ")
            assert all(word in message for word in (kind, known, reading))


@pytest.mark.parametrize(
    ("model", "option", "word"),
    [
        ({"cell": {"kind": "leaky", "alpha": 0}}, "cell.alpha", "above 0"),
        ({"cell": {"kind": "jordan"}}, "cell.outputs", "missing"),
        ({"cell": {"kind": "reservoir", "density": 2}}, "cell.density", "at most 1"),
        ({"cell": {"kind": "lstm", "forgetbias": 2}}, "cell.forgetbias", "'forget_bias'"),
        ({"cell": {"kind": "gruu"}}, "cell.kind", "'gru'"),
        ({"cell": {"kind": "bidirectional", "cell": "gru"}}, "cell", "causal"),
        ({"kind": "classifier", "cell": {"kind": "bidirectional", "cell": "gru", "merge": "summ"}}, "cell.merge",
         "'sum'"),
        ({"kind": "classifier", "pool": "max"}, "pool", "last, mean"),
        ({"kind": "seq2seq", "context": "everystep"}, "context", "'every_step'"),
        ({"kind": "seq2seq", "encoder": "lstm", "decoder": "gru"}, "decoder", "(256, 256)"),
        ({"kind": "vec2seq"}, "vector", "missing"),
    ],
)  # fmt: skip
def test_mistakes_in_models_are_named(model, option, word):
    readings = {"classifier": "labelled", "seq2seq": "pairs", "vec2seq": "vectors"}
    data = {"train": "a.txt", "reading": readings.get(model.get("kind"), "stream")}
    message, _ = refused(UsageError, config.build, Config, {"data": data, "model": model})
    assert message.startswith(f"<config>: model.{option}: ")
    assert word in message
