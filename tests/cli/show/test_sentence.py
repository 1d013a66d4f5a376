"""`rnnlm show sentence`: its tables, its figures, its pictures by what is in them, and what it refuses."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from rnnlm.cli.show.sentence import report
from rnnlm.cli.tables import width
from rnnlm.nn.cells import GRU, LSTM, Bidirectional, Stack, Vanilla
from rnnlm.nn.models import Blank, Classifier, LanguageModel
from rnnlm.tasks.base import TASKS
from tests.cli.show.conftest import CONTROL
from tests.kinds import FAMILY, TREES, network_of

HOSTILE = "the <img/onerror=alert(1)> {{7*7}} $x_1$ \u202ertl\u200f 猫 \x1b[31mred cat " + "x" * 10_000
DEEP = Stack([LSTM(size=3), GRU(size=2), Vanilla(size=3), Vanilla(size=2)])
SENTENCES = {
    "layers": (LanguageModel(cell=DEEP), "stream", "w0 w1 quagga w2 w3 w4 w5 w6 w7 w0 w0 w0 w0 w1"),
    "blank": (Blank(cell=Stack([LSTM(size=3), GRU(size=2)])), "blanks", "w0 w1 ____ w2"),
    "one blank": (Blank(cell=LSTM(size=3)), "blanks", "____"),
    "classifier": (Classifier(cell=Bidirectional(GRU(size=2)), pool="mean"), "labelled", "w1\tw0 w1 w2"),
    "seq2seq": (FAMILY["seq2seq"], "pairs", "w0 w1 w2\tw3 w4 w5"),
    "every step": (FAMILY["seq2seq every step"], "pairs", "w0 w1 w2"),
    "both ways": (FAMILY["seq2seq both ways"], "pairs", "w0 w1 w2\tw3"),
    "vec2seq": (FAMILY["vec2seq"], "vectors", ("x.npy:1", np.array([1.0, 0, 0, 1]))),
    "tree": (TREES["lstm"], "trees", "(w0 (w1 w3) ((w2 w4) (w0 w5)))"),
    "one leaf": (TREES["embedding"], "trees", "(w0 quagga)"),
}
every_kind = pytest.mark.parametrize("name", SENTENCES)


def unrolled(name):
    model, reading, example = SENTENCES[name]
    return TASKS[reading].unroll(network_of(model), example, 3)


# --- tables --------------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("limit", [60, 80, 120])
def test_tables_fit(name, limit):
    lines = list(report(unrolled(name), limit, False))
    assert max(map(width, lines)) <= limit
    assert lines[0].startswith("L = -log p")


def test_words_and_what_was_expected(rnnlm, trained):
    status, out, err = rnnlm("show", "sentence", trained["stream"], "the cat sees a quagga", "-k", "2")
    assert status == 0
    assert "quagga" in err
    lines = out.splitlines()
    assert lines[1].split() == ["word", "bits", "|h|", "|dL/dh|", "likeliest", "next"]
    assert [line.split()[0] for line in lines[2:9]] == ["</s>", "the", "cat", "sees", "a", "quagga", "</s>"]
    assert "<unk>" in lines[7]
    predicted = rnnlm("predict", trained["stream"], "the cat sees a quagga", "-k", "2")[1].splitlines()
    assert lines[3].split()[4:] == [f"{float(x):.3f}" if x[0] == "0" else x for x in predicted[1].split()[1:]]
    total = sum(float(line.split()[1 + ("<unk>" in line)]) for line in lines[3:9])
    assert float(lines[0].split()[-2]) == pytest.approx(total, abs=0.05)


def test_json(rnnlm, trained):
    status, out, err = rnnlm("show", "sentence", trained["stream"], "-", "--json", stdin=b"the cat\na dog sees\n")
    assert (status, err) == (0, "")
    first, second = (json.loads(line, parse_constant=pytest.fail) for line in out.splitlines())
    assert (first["text"], second["text"]) == ("the cat", "a dog sees")
    assert set(second) == {"text", "loss", "bits", "sides", "note"}
    (side,) = second["sides"]
    assert side["words"] == ["</s>", "a", "dog", "sees"]
    assert side["predictions"][0]["came"] == "a"
    assert set(side["predictions"][0]["likely"][0]) == {"word", "p"}
    assert np.linalg.norm(side["chains"][0]["h"], axis=1) == pytest.approx(side["chains"][0]["norms"], abs=1e-4)


def test_one_line_of_several(rnnlm, trained):
    found = rnnlm("show", "sentence", trained["stream"], "the cat\na dog", "--json", "--line", "2")[1]
    assert json.loads(found)["text"] == "a dog"
    status, out, err = rnnlm("show", "sentence", trained["stream"], "the cat\na dog", "--line", "3")
    assert (status, out) == (2, "")
    assert "2 lines" in err


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", ["stream", "char"])
def test_on_a_terminal(terminal, trained, columns, name):
    lines = terminal(columns, "show", "sentence", trained[name], HOSTILE[:100] if name == "char" else HOSTILE)
    assert not CONTROL.search("\n".join(lines))
    table = [line for line in lines if not line.startswith(("note", "warning"))]
    assert max(map(width, table)) <= columns


def test_nodes_of_a_tree_in_colour(plain):
    one = unrolled("tree")
    coloured, bare = (list(report(one, 80, colours)) for colours in (True, False))
    assert plain(coloured) == bare
    painted = [i for i, line in enumerate(coloured) if "\x1b[" in line]
    assert len(painted) == sum(said is not None for said in one.sides[0].predictions)
    assert [line.split()[0] for line in bare[2:7]] == ["()", "w3", "()", "w4", "w5"]


def test_a_deep_tree(plain):
    deep = "(w0 w1 " * 100 + "w0" + ")" * 100
    lines = list(report(TASKS["trees"].unroll(network_of(TREES["embedding"]), deep, 1), 80, True))
    assert max(map(width, plain(lines))) <= 80
    assert "+100" in lines[-2]


# --- pictures ------------------------------------------------------------------------------------------------------


def drawn(one):
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    from rnnlm.cli.show.diagram import draw
    from rnnlm.cli.show.plot import pyplot_for, save

    pyplot = pyplot_for(Path("picture.svg"))
    figure = draw(pyplot, one)
    save(figure, Path("picture.svg"))
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    pyplot.close("all")
    return figure, texts


@pytest.mark.parametrize("name", [name for name in SENTENCES if name not in ("tree", "one leaf")])
def test_the_diagram_has_the_words_the_vectors_and_the_errors(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = unrolled(name)
    figure, texts = drawn(one)
    for side in one.sides:
        assert set(side.words) <= set(texts)
    strips = [image.get_array()[:, 0] for axes in figure.axes for image in axes.images]
    vectors = [h for side in one.sides for chain in side.chains for h in chain.h]
    assert len(strips) == len(vectors)
    assert sorted(map(tuple, strips)) == sorted(map(tuple, vectors))
    lines = [line for axes in figure.axes for line in axes.lines if axes.get_ylabel().startswith("|dL")]
    errors = sorted(float(y) for line in lines for y in line.get_ydata() if y == y)
    assert errors == sorted(float(e) for side in one.sides for chain in side.chains for e in chain.errors if e)
    bars = [patch.get_width() / 0.9 for axes in figure.axes for patch in axes.patches]
    likely = [p for side in one.sides for said in side.predictions if said for _, p in said.likely]
    assert sorted(bars) == pytest.approx(sorted(likely))


@pytest.mark.parametrize("name", ["tree", "one leaf"])
def test_the_picture_of_a_tree_has_its_words_labels_and_probabilities(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = unrolled(name)
    _, texts = drawn(one)
    (side,) = one.sides
    assert {word for word in side.words if word} <= set(texts)
    for said in filter(None, side.predictions):
        guess = said.likely[0].word
        assert (guess if said.came in (None, guess) else f"{guess} ≠ {said.came}") in texts
        assert f"{said.likely[0].p if said.bits is None else 2**-said.bits:.2f}" in texts


def test_odd_words_in_a_picture(rnnlm, trained, tmp_path):
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    status, _, err = rnnlm("show", "sentence", trained["stream"], HOSTILE, "--plot", "picture.svg")
    assert status == 0, err
    assert (tmp_path / "picture.svg").stat().st_size < 2e6


def test_characters_in_a_picture(rnnlm, trained, tmp_path):
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    status, _, err = rnnlm("show", "sentence", trained["char"], "the cat < sees\ta $", "--plot", "picture.png")
    assert status == 0, err
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("text", ["the cat\na dog", "the " * 300])
def test_pictures_that_cannot_be(rnnlm, trained, text):
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    status, _, err = rnnlm("show", "sentence", trained["stream"], text, "--plot", "picture.png")
    assert status == 2
    assert "--plot" in err


# --- what is refused -----------------------------------------------------------------------------------------------


def test_bad_input(rnnlm, trained, tmp_path):
    for arguments, expected in {
        (trained["stream"],): 2,
        ("missing", "a"): 1,
        (trained["stream"], "a", "-k", "0"): 2,
        (trained["stream"], "a", "--line", "0"): 2,
        (trained["stream"], "\udc80"): 2,
    }.items():
        status, out, err = rnnlm("show", "sentence", *arguments)
        assert (status, out) == (expected, ""), arguments
        assert err.startswith("rnnlm: error: ")
        assert "Traceback" not in err


def test_any_text_is_shown(rnnlm, trained):
    rng = random.Random(4)
    for name in ("stream", "char"):
        text = "".join(chr(rng.choice([*range(1, 0x250), *range(0x4E00, 0x4E20), 0x202E, 0xFEFF])) for _ in range(60))
        status, out, _ = rnnlm("show", "sentence", trained[name], text.replace("\n", " "))
        assert status == 0
        assert not CONTROL.search(out)


def test_models_of_other_tasks(rnnlm, tmp_path):
    """From the shell, too: the model of a kind is trained, and shown."""
    (tmp_path / "pairs.txt").write_text("one two\ttwo one\nthree\tthree\n" * 5)
    model = {"kind": "seq2seq", "encoder": {"size": 4}, "decoder": {"size": 4}}
    settings = {"data": {"train": "pairs.txt", "valid": 0.2, "reading": "pairs"}, "model": model}
    (tmp_path / "pairs.yaml").write_text(json.dumps({**settings, "training": {"epochs": 1, "batch": 2}}))
    assert rnnlm("train", "pairs.yaml", "-q", "-o", "run")[0] == 0
    status, out, err = rnnlm("show", "sentence", "run", "two one\tone two")
    assert (status, err) == (0, "")
    assert [line for line in out.splitlines() if line.endswith("coder:")] == ["encoder:", "decoder:"]
