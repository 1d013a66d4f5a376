"""The configuration of a training: other texts than the file's, and what is chosen by the size of a text."""

from __future__ import annotations

import math
import operator
import random
import re
from pathlib import Path

import pytest

from rnnlm import config
from rnnlm.errors import DataError
from rnnlm.experiment import Config, prepare
from rnnlm.recipes.choice import Size, settings
from rnnlm.recipes.names import config_file
from tests.kinds import refused

CONFIG = """\
data: {train: old.txt, valid: old-valid.txt, test: old-test.txt}
model: {cell: lstm}
optimizer: sgd
schedule: constant
training: {epochs: 1}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def words_of(number, kinds, seed=1):
    """Lines of ten words of so many kinds."""
    rng = random.Random(seed)
    return [" ".join(f"w{rng.randrange(kinds)}" for _ in range(10)) for _ in range(number // 10)]


# --- another training text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "valid", "test", "noted"),
    [
        ([], "old-valid.txt", "old-test.txt", ""),
        (["data.train=old.txt"], "old-valid.txt", "old-test.txt", ""),
        (["data.train=[new.txt]"], 0.1, None, "validation and test text"),
        (["data.train=[new.txt]", "data.valid=new-valid.txt"], "new-valid.txt", None, "test text"),
        (["data.train=[new.txt]", "data.test=new-test.txt"], 0.1, "new-test.txt", "validation text"),
        (["data.train=[new.txt]", "data.valid=null", "data.test=t.txt"], None, "t.txt", ""),
        (["data.train=[new.txt]", "data.valid=0.3"], 0.3, None, "test text"),
    ],
)
def test_texts_of_another_training_text_are_left_out(folder, overrides, valid, test, noted):
    found, messages = settings(config_file("c.yaml"), overrides)
    assert (found.data.valid, found.data.test) == (valid, test)
    notes = [message for message in messages if message.startswith("note: ")]
    assert len(notes) == bool(noted)
    assert all(noted in note for note in notes)
    assert bool(notes and "10%" in notes[0]) == (valid == 0.1)


def test_the_texts_of_a_resumed_run_stay(folder):
    """Its training text may have moved."""
    found, messages = settings(config_file("c.yaml"), ["data.train=moved.txt"], resumed=True)
    assert (found.data.valid, found.data.test) == ("old-valid.txt", "old-test.txt")
    assert not any(message.startswith("note: ") for message in messages)


def test_the_next_step_evaluates_no_other_corpus(rnnlm, tiny, tmp_path):
    (tmp_path / "c.yaml").write_text(
        (tmp_path / "tiny.yaml").read_text().replace("valid.txt", "valid.txt, test: t.txt")
    )
    write(tmp_path / "t.txt", ["one two three"])
    write(tmp_path / "mine.txt", words_of(2000, 20))
    assert "  rnnlm eval runs/c\n" in rnnlm("train", "c.yaml")[2]
    _, _, err = rnnlm("train", "c.yaml", "--train", "mine.txt", "-o", "r")
    assert "  rnnlm eval r TEXT\n" in err
    assert re.search(r"^valid: 20 sentences, .*\(mine.txt\)$", err, re.MULTILINE)
    status, _, err = rnnlm("eval", "r")
    assert status == 2
    assert "t.txt" not in err


# --- chosen by size ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "level"),
    [
        (words_of(20_000, 300), "word"),
        (words_of(3_000, 2_000), "char"),  # too few of each word
        (["    " + line for line in words_of(20_000, 300)], "char"),  # indented as source code is
        (["".join(chr(0x4E00 + ord(c)) for c in line if c != " ") for line in words_of(5_000, 300)], "char"),
        (sorted({f"word{i}" for i in range(3000)}), "char"),
        (["one line"], "char"),
        (["x"] * 3, "char"),
    ],
)
def test_every_text_has_a_configuration(folder, lines, level):
    write(folder / "t.txt", lines)
    found, messages = settings(None, ["data.train=t.txt"])
    assert found.data.level == level
    assert (found.data.valid is None) == (len(lines) == 1)
    experiment = prepare(found)
    assert len(experiment.vocab) > 3
    next(experiment.trainer.run())
    figures, shown = messages
    assert figures.startswith("# chosen for t.txt: ")
    (folder / "saved.yaml").write_text(f"{figures}\n{shown}")
    assert settings(config_file("saved.yaml"), []) == (found, [])


def test_a_longer_text_has_a_larger_network_and_fewer_epochs():
    sections = []
    for copies in (1, 10, 100, 1000):
        size = Size.of([])
        size.characters.tokens.update(dict.fromkeys("abcdefghijklmnopqrst", 50 * copies))
        size.characters.sentences = 100
        data = size.data()
        assert data["level"] == "char"
        sections.append(size.sections(type("Data", (), {"min_count": 1, "max_size": None, **data})))
    epochs = [section["training"]["epochs"] for section in sections]
    sizes = [section["model"]["cell"]["size"] for section in sections]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[0] > epochs[-1] >= 1
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_what_is_given_is_not_chosen(folder):
    write(folder / "t.txt", words_of(2_000, 300))
    found, messages = settings(None, ["data.train=t.txt", "data.level=word", "model.cell.size=7", "training.epochs=3"])
    assert (found.data.level, found.model.cell.size, found.training.epochs) == ("word", 7, 3)
    assert found.training.clip_norm == 1
    assert [message.split()[1] for message in messages[:3]] == ["data.level:", "model.cell.size:", "training.epochs:"]


def test_sections_that_a_file_leaves_out_are_chosen(folder):
    write(folder / "t.txt", words_of(2_000, 300))
    (folder / "short.yaml").write_text("data: {train: t.txt, level: char}\ntraining: {epochs: 2}\n")
    found, messages = settings(config_file("short.yaml"), [])
    by_size = Size.of(["t.txt"]).sections(found.data)
    assert found.model.cell.size == by_size["model"]["cell"]["size"]
    assert (found.optimizer.kind, found.training.epochs, found.data.valid) == ("adam", 2, None)
    assert "\nmodel:" in "\n" + messages[1]
    assert "training:" not in messages[1]


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("model.cell.kind=lstm", "model.cell"),
        ("model.head.kind=adaptive", "model.head"),
        ("optimizer.kind=sgd", "optimizer"),
        ("schedule.kind=newbob", "schedule"),
        ("optimizer=momentum", "optimizer"),
    ],
)
def test_another_kind_than_the_chosen_one(folder, override, path):
    """Has no use for the options of that."""
    write(folder / "t.txt", words_of(2_000, 300))
    more = ["model.head.cutoffs=[9]"] if "head" in override else []
    found, _ = settings(None, ["data.train=t.txt", override, *more])
    assert operator.attrgetter(path)(found).kind == override.partition("=")[2]
    assert found.model.cell.size == settings(None, ["data.train=t.txt"])[0].model.cell.size


def test_a_text_that_is_missing(folder):
    message, _ = refused(DataError, settings, None, ["data.train=none.txt"])
    assert message.startswith("none.txt: ")


# --- as it is typed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["my.txt"], ["--train", "my.txt"]])
def test_one_text_and_one_command(rnnlm, folder, arguments):
    write(folder / "my.txt", words_of(2_000, 300))
    status, out, err = rnnlm("train", *arguments, "--set", "training.epochs=1")
    assert (status, out) == (0, "")
    assert "\n# chosen for my.txt: " in "\n" + err
    assert err.endswith("  rnnlm eval runs/my TEXT\n  rnnlm sample runs/my -n 10\n  rnnlm info runs/my\n")
    assert (folder / "runs/my/config.yaml").exists()
    status, _, err = rnnlm("train", *arguments, "--resume")
    assert status == 0
    assert "nothing is left to do" in err
    status, _, err = rnnlm("train")
    assert status == 2
    assert "my.txt" in err


def test_a_configuration_without_suffix_is_no_text(rnnlm, tiny, folder):
    (folder / "settings").write_text((folder / "tiny.yaml").read_text())
    assert "chosen" not in rnnlm("train", "settings", "--dry-run")[2]
    (folder / "poem.txt").write_text("title: a\n  bad: [indentation\n\tand more\n" * 20)
    status, _, err = rnnlm("train", "poem.txt", "--dry-run")
    assert status == 0
    assert "level: char" in err


def test_the_defaults_learn(tiny):
    """With little more than a text."""
    Path("train.txt").write_text(Path("train.txt").read_text() * 20)
    for sections in ("model: {cell: {size: 20}}\n", "model: lm\n"):
        Path("d.yaml").write_text(f"data: {{train: train.txt, valid: valid.txt, level: char}}\n{sections}")
        found, _ = config.load("d.yaml", Config)
        assert (found.optimizer.kind, found.schedule.kind, found.training.clip_norm) == ("adam", "cosine", 1)
        experiment = prepare(found)
        for _ in experiment.trainer.run():
            pass
        assert experiment.trainer.progress.history[-1] < 0.5 * math.log(len(experiment.vocab))
