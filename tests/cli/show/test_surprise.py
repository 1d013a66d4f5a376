"""`rnnlm show surprise`: the text, the tables, and the picture."""

import json
import re

import pytest

from rnnlm.cli.show.surprise import draw
from rnnlm.cli.tables import width
from rnnlm.loading import load_scorer
from rnnlm.show.surprise import surprise
from tests.cli.show.conftest import CONTROL

HOSTILE = "the <img/onerror=alert(1)> {{7*7}} \u202ertl\u200f 猫 \x1b[31mred cat " + "x" * 10_000 + "\n"


@pytest.mark.parametrize("name", ["stream", "sentences", "char"])
def test_its_figures_are_those_of_eval(rnnlm, trained, name):
    status, out, err = rnnlm("show", "surprise", trained[name], trained["test.txt"], "--json")
    assert (status, err) == (0, "")
    found = json.loads(out, parse_constant=pytest.fail)
    wanted = json.loads(rnnlm("eval", trained[name], trained["test.txt"], "--json")[1])
    assert found["bits"] == pytest.approx(wanted["bits_per_token"])
    assert found["tokens"] == wanted["words"] + wanted["sentences"]
    assert len(found["sentences"]) == 5
    assert set(found["words"][0]) == {"word", "count", "training", "bits", "share"}
    assert sum(each["share_of_bits"] for each in found["classes"]) == pytest.approx(1)


def test_the_text_with_the_bits_below(rnnlm, trained):
    status, out, err = rnnlm("show", "surprise", trained["stream"], trained["test.txt"], "-n", "2", "-k", "3")
    assert (status, err) == (0, "")
    assert not CONTROL.search(out)
    lines = out.splitlines()
    found = surprise(load_scorer(trained["stream"], True), trained["test.txt"].read_text().splitlines(), 2)
    assert lines[3].split() == found.sentences[0].words
    assert lines[4].split() == [f"{bits:.1f}" for bits in found.sentences[0].bits]
    starts = [[match.start() for match in re.finditer(r"\S+", line)] for line in lines[3:5]]
    assert starts[0] == starts[1]
    assert lines[-3].split()[:2] == [found.words[0].word, str(found.words[0].count)]


def test_characters_have_a_digit_each(rnnlm, trained):
    status, out, err = rnnlm("show", "surprise", trained["char"], trained["test.txt"], "-n", "1")
    assert (status, err) == (0, "")
    text, digits = out.splitlines()[3:5]
    assert text == trained["test.txt"].read_text().splitlines()[0] + "</s>"
    assert re.fullmatch(r"[0-9+]+", digits)
    assert len(digits) == len(text) - 3  # </s> is one token


def test_without_a_text_the_test_text_or_else_the_validation_text(rnnlm, trained):
    assert "test.txt" in rnnlm("show", "surprise", trained["stream"])[1].splitlines()[0]
    assert "valid.txt" in rnnlm("show", "surprise", trained["char"])[1].splitlines()[0]


def test_standard_input(rnnlm, trained):
    status, out, err = rnnlm("show", "surprise", trained["stream"], "-", stdin=b"the cat sees\n")
    assert (status, err) == (0, "")
    assert out.splitlines()[0].startswith("<stdin>: 4 tokens")


@pytest.mark.parametrize("name", ["stream", "char"])
def test_a_hostile_text(rnnlm, trained, name):
    status, out, err = rnnlm("show", "surprise", trained[name], "-", stdin=HOSTILE.encode())
    assert (status, err) == (0, "")
    assert not CONTROL.search(out)
    assert max(map(width, out.splitlines())) <= 80
    assert len(out.splitlines()) < 80
    assert r"\x1b" in out


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", ["stream", "char"])
def test_on_a_terminal_it_has_colours(terminal, plain, trained, tmp_path, monkeypatch, name, columns):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(HOSTILE + "the cat sees a dog now\n" + "猫 " * 100 + "\n", encoding="utf-8")
    lines = terminal(columns, "show", "surprise", trained[name], "text.txt")
    assert any("\x1b[48;5;" in line or ";48;5;" in line for line in lines)
    shown = plain(lines)
    assert not CONTROL.search("".join(shown))
    assert max(map(width, shown)) <= columns
    assert any("the cat sees a dog now" in line for line in shown)
    lines = terminal(columns, "show", "surprise", trained[name], "text.txt", NO_COLOR="1")
    assert not CONTROL.search("".join(lines))
    assert max(map(width, lines)) <= columns


def test_an_arpa_file(rnnlm, trained):
    train = trained["test.txt"].parent / "train.txt"
    assert rnnlm("ngram", train, "-o", "a.arpa", "--order", "2")[0] == 0
    status, out, err = rnnlm("show", "surprise", "a.arpa", trained["test.txt"])
    assert (status, err) == (0, "")
    assert "all words" in out
    status, out, err = rnnlm("show", "surprise", "a.arpa")
    assert (status, out) == (2, "")
    assert "TEXT" in err


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [("nowhere.txt", 1, "nowhere.txt"), ("-", 1, "no sentences"), ("bytes.txt", 1, "bytes.txt:1")],
)
def test_a_text_that_cannot_be_read(rnnlm, trained, tmp_path, text, status, words):
    (tmp_path / "bytes.txt").write_bytes(b"a \xff\n")
    found, out, err = rnnlm("show", "surprise", trained["stream"], text)
    assert (found, out) == (status, "")
    assert words in err


def test_the_picture_has_the_shares(trained):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    found = surprise(load_scorer(trained["stream"]), trained["test.txt"].read_text().splitlines())
    figure = draw(pyplot, found)
    bars = [bar.get_width() for bar in figure.axes[0].patches]
    assert bars == [share for each in found.classes for share in (each.share, each.share_of_bits)]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [each.name for each in found.classes]
    pyplot.close(figure)


def test_a_picture(rnnlm, trained, tmp_path):
    pytest.importorskip("matplotlib")
    status, _, err = rnnlm("show", "surprise", trained["stream"], "--plot", "bits.png")
    assert (status, "bits.png" in err) == (0, True)
    assert (tmp_path / "bits.png").read_bytes().startswith(b"\x89PNG")
