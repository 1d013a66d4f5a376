"""`rnnlm show units`: the text with the activations, in colours and without, the picture, and what is refused."""

import json
import re
from pathlib import Path

import pytest

from rnnlm.cli.show.units import LEVELS
from rnnlm.cli.tables import width
from rnnlm.loading import load_model
from rnnlm.show.units import readings
from tests.cli.show.conftest import CONTROL

HOSTILE = "the <img/onerror=alert(1)> {{7*7}} $x_1$ \u202ertl\u200f 猫 \x1b[31mred cat " + "x" * 10_000 + "\nthe cat\n"


def test_words_with_the_activations_below(rnnlm, trained):
    status, out, err = rnnlm("show", "units", trained["stream"], trained["test.txt"], "--unit", "3", "--lines", "2")
    assert (status, err) == (0, "")
    (one,) = readings(load_model(trained["stream"]), str(trained["test.txt"]), chosen=["3"])
    blank = out.splitlines().index("")
    lines = out.splitlines()[blank + 3 :]
    first = one.lines[1]
    assert lines[0].split() == one.words[:first]
    assert lines[1].split() == [f"{100 * x:+.0f}" for x in one.units[0].values[:first]]
    assert lines[2].split()[0] == "</s>"
    assert lines[4:] == [""]


def test_units_are_found(rnnlm, trained):
    out = rnnlm("show", "units", trained["sentences"], trained["test.txt"], "--best", "2")[1]
    titles = [line for line in out.splitlines() if "r^2" in line]
    assert len(titles) == 4
    assert all(re.fullmatch(r"h, unit \d+: [a-z ]+, r\^2 \d\.\d\d \(r [+-]\d\.\d\d\)", title) for title in titles)
    assert "inside quotation marks, inside brackets" in out.splitlines()[1]


def test_characters_have_a_block_each(rnnlm, trained):
    status, out, err = rnnlm("show", "units", trained["char"], trained["test.txt"], "--unit", "0", "--lines", "1")
    assert (status, err) == (0, "")
    text, blocks = out.splitlines()[-3:-1]
    assert text == "⏎" + trained["test.txt"].read_text().splitlines()[0]
    assert len(blocks) == len(text)
    assert set(blocks) <= set(LEVELS)


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", ["stream", "char"])
def test_on_a_terminal(terminal, plain, trained, tmp_path, columns, name):
    (tmp_path / "odd.txt").write_text(HOSTILE)
    coloured = terminal(columns, "show", "units", trained[name], tmp_path / "odd.txt", "--unit", "2")
    assert any("\x1b[" in line for line in coloured)
    bare = terminal(columns, "show", "units", trained[name], tmp_path / "odd.txt", "--unit", "2", NO_COLOR="1")
    assert not any("\x1b" in line for line in bare)
    for lines in (plain(coloured), bare):
        assert not CONTROL.search("\n".join(lines))
        assert max(map(width, lines)) <= columns
    assert len(bare) < 60


def test_json(rnnlm, trained):
    status, out, err = rnnlm("show", "units", trained["stream"], trained["test.txt"], "--json", "--tokens", "50")
    assert (status, err) == (0, "")
    found = json.loads(out, parse_constant=pytest.fail)
    (side,) = found["sides"]
    assert set(side) == {"side", "words", "lines", "features", "absent", "units"}
    assert len(side["words"]) == len(side["features"]["position in the line"]) == 50
    assert set(side["units"][0]) == {"layer", "part", "number", "values", "feature", "correlation", "explained"}
    assert len(side["units"][0]["values"]) == 50


def test_picture(rnnlm, trained, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    from rnnlm.cli.show.plot import pyplot_for
    from rnnlm.cli.show.units import draw

    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.txt").write_text(HOSTILE)
    status, _, err = rnnlm("show", "units", trained["stream"], "odd.txt", "--plot", "units.svg")
    assert status == 0, err
    found = readings(load_model(trained["stream"]), str(trained["test.txt"]))
    pyplot = pyplot_for(Path("units.png"))
    figure = draw(pyplot, found, False, 2)
    panels = figure.axes[: len(found[0].units)]
    n = found[0].lines[2]
    for axes, unit in zip(panels, found[0].units):
        assert str(unit.number) in axes.get_title(loc="left")
        assert [text.get_text() for text in axes.texts] == found[0].words[:n]
        largest = abs(unit.values).max()
        colours = [pyplot.get_cmap("RdBu_r")(0.5 + x / largest / 2) for x in unit.values[:n]]
        assert [patch.get_facecolor() for patch in axes.patches] == colours
    pyplot.close("all")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["test.txt", "--unit", "99"], 2),
        (["test.txt", "--unit", "c1"], 2),
        (["test.txt", "--unit", "2:1"], 2),
        (["missing.txt"], 1),
        (["test.txt", "--best", "0"], 2),
        ([], 2),
    ],
)
def test_bad_input(rnnlm, trained, arguments, status):
    found = rnnlm("show", "units", trained["stream"], *(trained.get(one, one) for one in arguments))
    assert found[:2] == (status, "")
    assert found[2].startswith("rnnlm: error: ")


def test_standard_input_and_an_empty_text(rnnlm, trained):
    status, out, _ = rnnlm("show", "units", trained["stream"], "-", stdin=b"the cat sees a dog\n")
    assert (status, out.splitlines()[0]) == (0, "6 words read")
    status, out, err = rnnlm("show", "units", trained["stream"], "-", stdin=b"\n")
    assert (status, out) == (1, "")
