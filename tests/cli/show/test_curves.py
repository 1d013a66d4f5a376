"""`rnnlm show curves`: its plot, its table, its picture, and a training that still goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from rnnlm.cli.show.curves import draw, marker
from rnnlm.cli.tables import width
from rnnlm.show.curves import courses, panels
from rnnlm.training.progress import Divergence
from rnnlm.training.run import Run
from tests.cli.show.conftest import CONTROL


@pytest.fixture
def run(tmp_path, trained):
    """A function that makes a copy of a run of another name, learning rate and log."""

    def make(name, lr=0.01, lines=()):
        path = tmp_path / name
        path.mkdir()
        config = (trained["stream"] / "config.yaml").read_text()
        assert "lr: 0.01" in config
        (path / "config.yaml").write_text(config.replace("lr: 0.01", f"lr: {lr}"))
        shutil.copy(trained["stream"] / "log.jsonl", path)
        for line in lines:
            Run(path).log(line)
        return path

    return make


def update(step, loss=2.0, norm=0.5, clipped=0.1):
    epoch = step / 100
    return {"epoch": epoch, "step": step, "loss": loss, "norm": norm, "lr": 0.01, "clipped": clipped, "seconds": epoch}


BROKEN = Divergence(3.5, 350, 0.1, "loss nan, norm of the gradient inf", "the weights of step 300", 0.05)._asdict()


def test_a_plot(rnnlm, trained):
    status, out, err = rnnlm("show", "curves", trained["stream"])
    assert (status, err) == (0, "")
    assert not CONTROL.search(out)
    lines = out.splitlines()
    assert max(map(width, lines)) <= 80
    assert "perplexity over epochs, log" in lines
    assert any("o" in line and "│" in line for line in lines)
    assert "best validation 2" in lines[-1]


@pytest.mark.parametrize("x", ["steps", "epochs", "seconds"])
def test_every_axis_with_everything_on_it(rnnlm, run, x):
    path = run("a", lines=[update(250), update(300), BROKEN, update(350)])
    status, out, err = rnnlm("show", "curves", path, "--x", x, "--nats")
    assert (status, err) == (0, "")
    assert f"cross-entropy (nats per token) over {'seconds of training' if x == 'seconds' else x}" in out
    for word in ("learning rate", "norm of the gradient", "share of clipped steps", "diverged after step 350", "×"):
        assert word in out
    assert max(map(width, out.splitlines()[:-1])) <= 80


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_on_a_terminal(terminal, plain, run, columns):
    paths = [run(f"run{i}", lr=i / 100, lines=[update(250), BROKEN, update(300)]) for i in (1, 2, 3)]
    lines = terminal(columns, "show", "curves", *paths)
    assert any("\x1b[38;5;" in line for line in lines)
    shown = plain(lines)
    drawn = [line for line in shown if "diverged" not in line and "best" not in line]
    assert columns - 3 <= max(map(width, drawn)) <= columns
    assert not CONTROL.search("".join(shown))
    assert [line.split()[-2:] for line in shown[1:4]] == [["lr", "0.01"], ["lr", "0.02"], ["lr", "0.03"]]


def test_no_color(terminal, run):
    lines = terminal(80, "show", "curves", run("a"), run("b", lr=0.5), NO_COLOR="1")
    assert not CONTROL.search("".join(lines))
    assert [line.split() for line in lines[1:3]] == [["a", "a", "⠤1⠤", "lr", "0.01"], ["b", "b", "⠤2⠤", "lr", "0.5"]]


def test_each_line_has_a_mark_of_its_own_where_there_are_no_colours():
    marks = [marker(run, kind, False, False) for run in range(9) for kind in ("train", "valid")]
    assert len(set(marks)) == 18


def test_a_table(rnnlm, trained):
    status, out, err = rnnlm("show", "curves", trained["stream"], "--table")
    assert (status, err) == (0, "")
    head, *rows, last = out.splitlines()
    assert head.split() == ["epoch", "step", "lr", "train", "ppl", "valid", "ppl", "nats", "clip", "time"]
    assert [row.split()[0] for row in rows] == ["1.00", "2.00"]
    assert rows[-1].endswith("best")
    assert last.startswith("best validation 2: perplexity")


def test_a_table_of_many_validations_has_the_best(rnnlm, run):
    path = run("a")
    (line,) = [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()][-1:]
    for step in range(1, 101):
        Run(path).log({**line, "step": line["step"] + step, "best": step == 2, "valid_nats": 1 if step == 2 else 2})
    _, out, _ = rnnlm("show", "curves", path, "--table")
    lines = out.splitlines()
    assert len(lines) <= 24
    assert sum(line.endswith("best") for line in lines) == 1
    assert "102 validations" in lines[-2]


def test_a_run_without_validations_yet_is_a_table_of_updates(rnnlm, run):
    path = run("a")
    (path / "log.jsonl").unlink()
    Run(path).log(update(100, loss=1.0))
    _, out, _ = rnnlm("show", "curves", path, "--table")
    assert out.splitlines()[1].split() == ["1.00", "100", "0.01", "2.72", "0.5", "10%", "0:01"]


def test_without_plotille_it_is_a_table_and_says_which_extra_to_install(rnnlm, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotille", None)
    status, out, err = rnnlm("show", "curves", trained["stream"])
    assert status == 0
    assert "rnnlm[plot]" in err
    assert out == rnnlm("show", "curves", trained["stream"], "--table")[1]


def test_json(rnnlm, trained):
    status, out, err = rnnlm("show", "curves", trained["stream"], trained["sentences"], "--json")
    assert (status, err) == (0, "")
    found = json.loads(out, parse_constant=pytest.fail)
    assert found == {"runs": [course.__dict__ for course in courses([trained["stream"], trained["sentences"]])]}


def test_a_hostile_name(rnnlm, run):
    path = run("a\x1b[2J\u202e猫<img>").name
    for option in ("--table", "--nats"):
        status, out, err = rnnlm("show", "curves", path, run(f"b{option}", lr=0.5), option)
        assert (status, err) == (0, "")
        assert not CONTROL.search(out)
    assert "猫<img>" in rnnlm("show", "curves", path)[1]


@pytest.mark.parametrize(
    ("log", "status", "words"),
    [
        ("", 1, "nothing in its log yet"),
        ('{"epoch": 1}\n', 1, "log.jsonl:1"),
        ('{"epoch": 1, "loss": "x"}\n', 0, ""),
        ("\x00\xff\n", 1, "log.jsonl:1"),
        ("[]\n", 1, "log.jsonl:1"),
    ],
)
def test_a_log_that_is_empty_or_broken(rnnlm, run, log, status, words):
    path = run("a")
    (path / "log.jsonl").write_bytes(log.encode("latin-1"))
    found, out, err = rnnlm("show", "curves", path)
    assert found == status, err
    assert words in err
    assert len(err.splitlines()) == (2 if status else 0)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("nowhere",), 2, "nowhere"),
        ((".",), 2, "config.yaml"),
        ((), 2, "RUN"),
        (("{run}", "--follow", "--json"), 2, "--follow"),
        (("{run}", "--plot", "a.docx"), 2, "ending"),
        (("{run}", "--x", "hours"), 2, "epochs"),
    ],
)
def test_what_cannot_be(rnnlm, trained, arguments, status, words):
    found, out, err = rnnlm("show", "curves", *(one.format(run=trained["stream"]) for one in arguments))
    assert (found, out) == (status, "")
    assert words in err


# --- a training that goes on ---


def follow(path, *options):
    return subprocess.Popen(
        [sys.executable, "-m", "rnnlm", "show", "curves", str(path), "--follow", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def lines_until(process, word):
    """The lines of a process up to the first with a word."""
    found = []
    while not found or word not in found[-1]:
        assert (line := process.stdout.readline()), (found, process.stderr.read())
        found.append(line)
    return found


def test_follow_draws_again_when_the_log_has_grown(run):
    path = run("a")
    lines = (path / "log.jsonl").read_text().splitlines(keepends=True)
    (path / "log.jsonl").write_text(lines[0])
    process = follow(path)
    try:
        first = lines_until(process, "best validation 1")
        with open(path / "log.jsonl", "a") as file:
            file.writelines(lines[1:])
        second = lines_until(process, "best validation 2")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    finally:
        process.kill()
    assert (process.returncode, out, err) == (130, "", "")
    assert not CONTROL.search("".join(first + second))
    assert len(second) == len(first) + 1  # an empty line between


def test_follow_ends_with_the_training(trained):
    process = follow(trained["stream"])
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.count("best validation") == 1


def test_follow_waits_for_the_first_line(run):
    path = run("a")
    log = (path / "log.jsonl").read_text()
    (path / "log.jsonl").unlink()
    process = follow(path, "--table")
    try:
        time.sleep(0.5)
        os.kill(process.pid, 0)
        (path / "log.jsonl").write_text(log)
        assert lines_until(process, "best validation 2")
    finally:
        process.kill()
        process.communicate()


# --- pictures ---


def test_the_picture_has_the_lines_of_the_panels(run):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    found = courses([run("a", lines=[update(250), BROKEN, update(300)]), run("b$x$", lr=0.5)])
    figure = draw(pyplot, found, "steps", True)
    for panel, axes in zip(panels(found, "steps"), figure.axes):
        drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
        for line in panel.lines:
            assert (line.x, line.y) in drawn
        assert ([350, 350], [0, 1]) in drawn  # the divergence
        assert axes.get_yscale() == ("log" if panel.log else "linear")
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names == [
        "lr 0.01, training", "lr 0.01, validation", "lr 0.5, training", "lr 0.5, validation", "diverged"
    ]  # fmt: skip
    styles = [(line.get_color(), line.get_marker()) for line in figure.axes[0].lines if line.get_marker() != "None"]
    assert len(set(styles)) == len(styles)
    pyplot.close(figure)


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.PDF", b"%PDF")])
def test_the_ending_says_which_picture(rnnlm, trained, tmp_path, name, start):
    pytest.importorskip("matplotlib")
    status, _, err = rnnlm("show", "curves", trained["stream"], "--plot", name)
    assert (status, name in err) == (0, True)
    first = (tmp_path / name).read_bytes()
    assert first.startswith(start)
    if name.endswith("svg"):
        rnnlm("show", "curves", trained["stream"], "--plot", name)
        assert (tmp_path / name).read_bytes() == first


def test_without_matplotlib_it_says_which_extra_to_install(rnnlm, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, err = rnnlm("show", "curves", trained["stream"], "--plot", "a.png")
    assert (status, out) == (2, "")
    assert "rnnlm[plot]" in err
