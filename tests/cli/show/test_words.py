"""`rnnlm show words`: its table, its map, and words that are not there."""

import json
import sys

import pytest

from rnnlm.cli.show.words import draw
from rnnlm.cli.tables import width
from rnnlm.loading import load_model
from rnnlm.show.words import WordVectors
from tests.cli.show.conftest import CONTROL

HOSTILE = ["<img/onerror=alert(1)>", "{{7*7}}", "\u202ertl\u200f", "x" * 10_000, "猫", "\x1b[31mred", "$x$", "e\u0301"]


@pytest.fixture
def hostile(rnnlm, tmp_path):
    """A run of a network whose words are of all kinds."""
    (tmp_path / "tiny.yaml").write_text(
        "data: {train: text.txt}\nmodel: {embedding: 4, cell: {size: 4}}\noptimizer: {kind: adam, lr: 0.01}\n"
        "schedule: constant\ntraining: {epochs: 1, batch: 2, window: 5, samples: 0}\n"
    )
    (tmp_path / "text.txt").write_text(20 * (" ".join(HOSTILE) + "\n"), encoding="utf-8")
    assert rnnlm("train", "tiny.yaml", "-o", "hostile", "-q")[0] == 0
    return tmp_path / "hostile"


def test_a_table(rnnlm, trained):
    status, out, err = rnnlm("show", "words", trained["stream"], "cat", "sees", "-k", "3")
    assert (status, err) == (0, "")
    head, *rows = out.splitlines()
    assert head.split() == ["word", "nearest", "cosine", "count"]
    found = WordVectors.of(load_model(trained["stream"]))
    wanted = [
        [near.word, f"{near.cosine:.3f}", f"{near.count:,}"]
        for word in ("cat", "sees")
        for near in found.nearest(word, 3).neighbours
    ]
    assert [row.split()[-3:] for row in rows] == wanted
    assert [row.split()[0] for row in rows[::3]] == ["cat", "sees"]


def test_characters(rnnlm, trained):
    status, out, err = rnnlm("show", "words", trained["char"], " ", "a", "-k", "2")
    assert (status, err) == (0, "")
    assert out.splitlines()[1].startswith("<space>")


def test_json(rnnlm, trained):
    status, out, err = rnnlm("show", "words", trained["stream"], "cat", "-k", "2", "--most", "5", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert (found["matrix"], [one["word"] for one in found["words"]]) == ("E", ["cat"])
    assert [set(near) for near in found["words"][0]["neighbours"]] == [{"word", "cosine", "count"}] * 2
    assert len(found["map"]["words"]) == len(found["map"]["x"]) == len(found["map"]["y"])
    assert found["map"]["words"][:3] == ["</s>", "a", "the"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("catt",), ("'catt'", "did you mean 'cat'")),
        ((), ("no WORD", "--plot")),
        (("cat", "--matrix", "cell.X"), ("cell.X", "E")),
        (("x" * 10_000,), ("xxx...",)),
        (("\x1b[2J",), (r"\x1b[2J",)),
        ((b"\xff".decode(errors="surrogateescape"),), ("UTF-8",)),
        (("cat", "-k", "0"), ("-k",)),
    ],
)
def test_what_cannot_be(rnnlm, trained, arguments, words):
    status, out, err = rnnlm("show", "words", trained["stream"], *arguments)
    assert (status, out) == (2, "")
    assert all(word in err for word in words), err
    assert not CONTROL.search(err)
    assert len(err) < 500


def test_hostile_words(rnnlm, hostile):
    status, out, err = rnnlm("show", "words", hostile, *HOSTILE, "-k", "20")
    assert (status, err) == (0, "")
    assert not CONTROL.search(out)
    assert max(map(width, out.splitlines())) <= 120
    assert len({width(line) for line in out.splitlines()}) == 1  # the last column is on the right, whatever stands left
    for shown in ("<img/onerror=alert(1)>", "{{7*7}}", r"\u202ertl\u200f", "猫", r"\x1b[31mred", "$x$", "xxx…"):
        assert shown in out


@pytest.mark.parametrize("columns", [80, 120])
def test_hostile_words_on_a_terminal(terminal, plain, hostile, columns):
    lines = plain(terminal(columns, "show", "words", hostile, *HOSTILE))
    assert not CONTROL.search("".join(lines))
    assert max(map(width, lines)) <= columns


def test_the_map_has_each_word_at_its_point(hostile):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    points = WordVectors.of(load_model(hostile)).map(100)
    figure = draw(pyplot, points, ["猫"])
    texts = {text.get_text(): text for text in figure.axes[0].texts}
    assert len(texts) == len(points.words)
    assert [text.xy for text in figure.axes[0].texts] == list(zip(points.x, points.y))
    assert {r"\$x\$", r"\u202ertl\u200f", "x" * 19 + "…"} <= set(texts)
    assert texts["猫"].get_color() != texts["{{7*7}}"].get_color()
    assert sum(points.explained) <= 1 + 1e-9
    pyplot.close(figure)


def test_a_picture(rnnlm, trained, tmp_path):
    pytest.importorskip("matplotlib")
    status, out, err = rnnlm("show", "words", trained["stream"], "--plot", "map.svg")
    assert (status, out) == (0, "")
    assert "map.svg" in err
    assert (tmp_path / "map.svg").read_bytes().startswith(b"<?xml")


def test_without_matplotlib_it_says_which_extra_to_install(rnnlm, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, err = rnnlm("show", "words", trained["stream"], "--plot", "map.svg")
    assert (status, "rnnlm[plot]" in err) == (2, True)
