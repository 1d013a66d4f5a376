"""`training.teacher`: a run with a teacher goes on where it stopped, and what cannot be a teacher is refused."""

from pathlib import Path

import numpy as np
import pytest

from rnnlm.errors import RnnlmError
from rnnlm.training import checkpoint

TEACHER = "--set=training.teacher={model: teacher, share: 0.5}"
DROPOUTS = [f"--set=model.{name}=0.2" for name in ("dropout_words", "dropout_input", "dropout_output")]


@pytest.fixture
def teacher(tiny, rnnlm):
    """A run directory `teacher`, of a network with dropout, beside tiny.yaml."""
    settings = ["--set=model.cell={kind: lstm, size: 6, dropconnect: 0.2}", "--set=training.epochs=1", *DROPOUTS]
    assert rnnlm("train", "tiny.yaml", "-o", "teacher", "-q", *settings)[0] == 0
    return tiny


@pytest.mark.parametrize("shares", ["null", "2"])
def test_resumed_bit_for_bit(teacher, rnnlm, shares):
    """The state of the teacher and its masks are in the checkpoint."""
    settings = [TEACHER, *DROPOUTS, f"--set=training.shares={shares}", "--set=training.validate_every=4"]
    assert rnnlm("train", "tiny.yaml", "-o", "once", "-q", *settings)[0] == 0
    assert rnnlm("train", "tiny.yaml", "-o", "twice", "-q", *settings, "--max-time", "0.0001s")[0] == 75
    while rnnlm("train", "twice", "--resume", "-q", "--max-time", "0.0001s")[0] == 75:
        pass
    once, twice = (checkpoint.load(Path(name) / "last.npz") for name in ("once", "twice"))
    assert once.progress["history"] == twice.progress["history"]
    for part in ("weights", "slots"):
        for name, array in getattr(once, part).items():
            np.testing.assert_array_equal(array, getattr(twice, part)[name])
    assert len(once.state) == 1 + 2  # h of the network; h and c of the teacher


def test_the_teacher_matters(teacher, rnnlm):
    """Training says who teaches; another share gives other weights; the model itself needs no teacher."""
    found = []
    for name, settings in (("alone", []), ("taught", [TEACHER])):
        status, _, err = rnnlm("train", "tiny.yaml", "-o", name, *settings)
        assert (status, "teacher: teacher, " in err, "50% of the loss" in err) == (0, bool(settings), bool(settings))
        found.append(checkpoint.load(Path(name) / "best.npz").weights)
    assert not all(np.array_equal(found[0][name], found[1][name]) for name in found[0])
    status, _, err = rnnlm("train", "tiny.yaml", "-o", "dry", TEACHER, "--dry-run")
    assert status == 0
    assert "memory" in err
    Path("teacher/best.npz").unlink()
    assert rnnlm("eval", "taught", "valid.txt")[0] == 0


def test_a_teacher_that_has_changed(teacher, rnnlm):
    """`--resume` compares the teacher's weights with those of the first start."""
    assert rnnlm("train", "tiny.yaml", "-o", "run", "-q", TEACHER, "--max-time", "0.0001s")[0] == 75
    assert rnnlm("train", "teacher", "--resume", "-q", "--set=training.epochs=2")[0] == 0
    status, _, err = rnnlm("train", "run", "--resume")
    assert (status, "the teacher has changed" in err) == (1, True)


@pytest.mark.parametrize(
    ("settings", "status", "words"),
    [
        (["--set=training.teacher={model: missing, share: 0.5}"], 1, "missing"),
        (["--set=training.teacher={model: words.arpa}"], 2, "n-gram"),
        ([TEACHER, "--set=data.min_count=3"], 2, "vocabulary"),
        ([TEACHER, "--set=model.head={kind: adaptive, cutoffs: [5]}"], 2, "softmax"),
        ([TEACHER, "--set=model={kind: lm, head: {kind: adaptive, cutoffs: [5]}}"], 2, "parted"),
        (["--set=training.teacher={model: teacher, share: 0}"], 2, "share"),
        (["--set=training.teacher={share: 0.5}"], 2, "model"),
    ],
)
def test_refused(teacher, rnnlm, settings, status, words):
    assert rnnlm("ngram", "train.txt", "-o", "words.arpa")[0] == 0
    found, _, err = rnnlm("train", "tiny.yaml", "-o", "run", *settings)
    assert (found, words in err, "hint" in err, Path("run").exists()) == (status, True, True, False), err


def test_a_head_without_weights_has_no_teacher_but_can_be_one(teacher, rnnlm):
    words = len(Path("teacher/vocab.txt").read_text().splitlines())
    jordan = f"--set=model={{kind: lm, cell: {{kind: jordan, outputs: {words}, size: 4}}, head: scores}}"
    status, _, err = rnnlm("train", "tiny.yaml", "-o", "run", jordan, TEACHER)
    assert (status, "which is scores" in err) == (2, True)
    assert rnnlm("train", "tiny.yaml", "-o", "jordan", "-q", "--set=training.epochs=1", jordan)[0] == 0
    taught = "--set=training.teacher={model: jordan}"
    assert rnnlm("train", "tiny.yaml", "-o", "run", "-q", "--set=training.epochs=1", taught)[0] == 0


def test_another_task_has_no_teacher(teacher):
    with pytest.raises(RnnlmError, match="kind lm"):
        teacher("data.reading=blanks", "model.kind=blank", "training.teacher={model: teacher}")
