"""The run directory: what is in it, who may write there, and how a run is taken up again."""

import errno
import hashlib
import itertools
import json
import math
import os
import platform
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from rnnlm.errors import DataError, UsageError
from rnnlm.nn.heads import Loss
from rnnlm.show.runs import summarize
from rnnlm.training import checkpoint
from rnnlm.training.resume import differences
from rnnlm.training.run import LOGS, Run, record, update_record
from rnnlm.training.trainer import Update, Validation


@pytest.fixture
def run(tiny, tmp_path):
    """A run that was stopped in its second epoch."""
    run, experiment = Run(tmp_path / "run"), tiny()
    with run.lock():
        assert run.begin(experiment, ["train", "tiny.yaml", "-o", "a b"]) == []
        for _ in run.train(experiment):
            if experiment.trainer.progress.step == len(experiment.trainer.reading) + 3:
                break
        run.save_last(experiment)
    return run


def refused(kind, function, *arguments):
    with pytest.raises(kind) as error:
        function(*arguments)
    return error.value.message, error.value.hint


def test_what_is_in_it(run, tiny, tmp_path):
    experiment = tiny()
    assert {path.name for path in run.path.iterdir()} == {
        ".lock", "best.npz", "command.txt", "config.yaml", "env.json", "last.npz", "log.jsonl", "previous.npz",
        "samples.txt", "vocab.txt",
    }  # fmt: skip
    assert (run.path / "command.txt").read_text() == "rnnlm train tiny.yaml -o 'a b'\n"
    assert (run.path / "vocab.txt").read_bytes() == experiment.vocab.to_bytes()
    env = json.loads((run.path / "env.json").read_text())
    assert list(env) == [
        "rnnlm", "python", "numpy", "blas", "machine", "system", "processor", "cores", "threads",
        "train_sha256", "valid_sha256", "test_sha256", "vocab_sha256", "teacher_sha256",
    ]  # fmt: skip
    assert env["train_sha256"] == hashlib.sha256((tmp_path / "train.txt").read_bytes()).hexdigest()
    assert env["vocab_sha256"] == experiment.vocab.fingerprint
    assert (env["python"], env["numpy"]) == (platform.python_version(), np.__version__)
    assert env["threads"] >= 1
    best, last = checkpoint.load(run.best), checkpoint.load(run.last)
    assert (best.slots, best.state, best.progress) == ({}, [], {})
    assert list(last.slots) == ["m", "v"]
    assert list(best.figures) == [
        "rnnlm", "train_sha256", "valid_sha256", "test_sha256", "vocab_sha256", "teacher_sha256", "step", "epoch",
        "valid_nats",
    ]  # fmt: skip
    assert (best.figures["epoch"], len(best.figures["valid_nats"])) == (1, 1)


def test_a_validation_as_a_record():
    looked = Validation(1.5, 30, Loss(20.0, 10), Loss(8000.0, 10, 7984.0, 2), 0.1, 0.25, True, False, 1.2345)
    assert json.loads(json.dumps(record(looked))) == {
        "epoch": 1.5, "step": 30, "lr": 0.1, "clipped": 0.25, "train_nats": 2.0, "train_ppl": math.exp(2),
        "valid_nats": 800.0, "valid_ppl": None, "valid_oovs": 2, "valid_ppl_known": math.exp(2),
        "best": True, "rolled_back": False, "seconds": 1.23,
    }  # fmt: skip
    documented = (Path(__file__).parents[2] / "docs" / "runs.md").read_text(encoding="utf-8")
    assert all(f"`{key}`" in documented for key in record(looked))


def test_updates_as_records(tiny, tmp_path):
    """Each line has the means over the updates since the one before, whether training was stopped meanwhile or not."""
    overrides = ["training.log_every=10", "training.clip_norm=1", "training.epochs=4"]
    updates, logs = [], []
    for name in ("once", "often"):
        run = Run(tmp_path / name)
        with run.lock():
            experiment = tiny(*overrides)
            run.begin(experiment, ["train"])
            while not experiment.trainer.finished:
                experiment = tiny(*overrides)
                run.resume(experiment)
                for event in run.train(experiment):
                    step = experiment.trainer.progress.step
                    if name == "once" and isinstance(event, Update):
                        updates.append(event)
                    if name == "often" and step % 7 == 0 and isinstance(event, Update):
                        break
                run.save_last(experiment)
        logs.append([json.loads(line) for line in (run.path / "log.jsonl").read_text().splitlines()])
    for row in itertools.chain(*logs):
        for key in ("seconds", "tokens_per_second", "time"):
            row.pop(key, None)
    assert logs[0] == logs[1]
    lines = [row for row in logs[0] if "loss" in row]
    assert [(line["step"], line["updates"]) for line in lines] == [(n, 10) for n in (10, 20, 30, 40, 50)]
    for i, line in enumerate(lines):
        part = updates[10 * i : 10 * i + 10]
        assert line["loss"] == pytest.approx(sum(u.loss.nats for u in part) / sum(u.loss.tokens for u in part))
        assert line["norm"] == pytest.approx(np.mean([u.norm for u in part]))
        assert line["clipped"] == np.mean([u.clipped for u in part])
        assert line["lr"] == part[-1].lr
    assert 0 < sum(line["clipped"] for line in lines) < 5
    summary = summarize(tmp_path / "once")
    assert summary.results["epochs"] == 4


def test_keys_of_updates_are_documented(tiny):
    trainer = tiny().trainer
    next(trainer.run())
    documented = (Path(__file__).parents[2] / "docs" / "runs.md").read_text(encoding="utf-8")
    found = update_record(trainer, 1e6)
    assert datetime.fromisoformat(found["time"]).tzinfo is not None
    assert all(f"`{key}`" in documented for key in found)


# --- who may write -------------------------------------------------------------------------------------------------


def test_whether_there_is_anything_to_lose(tmp_path):
    run = Run(tmp_path / "new")
    assert not run.exists()
    with run.lock():
        assert not run.exists()
    (run.path / "notes.txt").touch()
    assert run.exists()
    assert Run(run.path / "notes.txt").exists()


def test_clearing_removes_what_training_wrote_and_nothing_else(run):
    (run.path / "notes.txt").write_text("mine")
    run.append("train.log", "a line")
    run.append("samples.txt", "a line")
    run.clear()
    names = {path.name for path in run.path.iterdir()}
    assert names == {".lock", "config.yaml", "env.json", "vocab.txt", "notes.txt"}


def test_one_training_at_a_time(run):
    with run.lock():
        message, _ = refused(DataError, Run(run.path).lock().__enter__)
        assert message.startswith(f"{run.path}: another training is running")
    with Run(run.path).lock():
        pass


HOLD = """
import sys
from rnnlm.training.run import *
with Run(Path(sys.argv[1])).lock():
    print('locked', flush=True)
    input()
"""


def test_a_dead_process_holds_no_lock(run):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"locked\n"
        (run.path / f".last.npz.{other.pid}.tmp").write_bytes(b"half")
        with pytest.raises(DataError), run.lock():
            pass
        other.send_signal(signal.SIGKILL)
    with run.lock():
        assert not list(run.path.glob("*.tmp"))


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    message, _ = refused(DataError, Run(tmp_path / "file" / "run").lock().__enter__)
    assert message.startswith(f"{tmp_path}/file/run: ")
    assert message.endswith(": Not a directory")


def test_a_directory_that_cannot_be_locked(tmp_path, monkeypatch):
    """As on some network file systems. That is no other training, and no reason not to train."""

    def flock(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with Run(tmp_path / "run").lock() as (warning,):
        assert warning.startswith(f"{tmp_path}/run: cannot be locked (No locks available)")


def test_force_overwrites_runs_and_nothing_else(run, tmp_path):
    run.check(force=True)
    other = Run(tmp_path / "thesis")
    other.path.mkdir()
    other.check()
    (other.path / "chapter.tex").touch()
    message, _ = refused(UsageError, other.check, False, True)
    assert message.startswith(f"{other.path}: holds other files and no run")


@pytest.mark.parametrize("option", ["train", "valid", "test"])
def test_a_text_that_the_run_would_overwrite(run, tiny, tmp_path, option):
    """Lines sampled by a run are no text that this run may be trained on, whatever name leads to them."""
    (tmp_path / "link.txt").symlink_to(run.path / "samples.txt")
    before = (run.path / "samples.txt").read_bytes()
    experiment = tiny(f"data.{option}=link.txt")
    for arguments in ({"force": True}, {"resume": True}):
        with pytest.raises(UsageError, match=r"^link.txt: an input"):
            run.begin(experiment, ["train"], **arguments)
    assert (run.path / "samples.txt").read_bytes() == before
    other = Run(tmp_path / "other")
    with other.lock():
        assert other.begin(experiment, ["train"]) == []


def test_what_a_killed_training_was_writing_is_nothing_to_lose(tmp_path):
    (tmp_path / ".last.npz.123.tmp").touch()
    assert not Run(tmp_path).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "run").mkdir(mode=0o500)
    message, _ = refused(DataError, Run(tmp_path / "run").lock().__enter__)
    assert message.startswith(f"{tmp_path}/run: ")
    assert message.endswith(": Permission denied")


def test_a_log_that_cannot_be_written(run):
    (run.path / "train.log").mkdir()
    message, _ = refused(DataError, run.append, "train.log", "a line")
    assert message == f"{run.path}/train.log: cannot be written: Is a directory"


def test_names_that_are_not_utf8(run, tiny):
    run.describe(tiny(), ["train", os.fsdecode(b"caf\xe9.yaml")])
    assert (run.path / "command.txt").read_bytes().endswith(b"\nrnnlm train 'caf\xe9.yaml'\n")


# --- taking it up again --------------------------------------------------------------------------------------------


def test_ten_steps_and_ten_more_are_twenty(tiny, tmp_path):
    def steps(experiment, n):
        updates = (event for event in experiment.trainer.run() if isinstance(event, Update))
        return [next(updates).loss.nats for _ in range(n)]

    overrides = ("data.valid=null", "training.epochs=3", "model.cell.dropconnect=0.3")
    twenty, ten, ten_more = (tiny(*overrides) for _ in range(3))
    losses = steps(twenty, 20)
    before = steps(ten, 10)
    Run(tmp_path).save_last(ten)
    Run(tmp_path).resume(ten_more)
    assert before + steps(ten_more, 10) == losses
    assert ten_more.trainer.network.params.flat.tobytes() == twenty.trainer.network.params.flat.tobytes()


def test_the_best_weights_so_far_come_back(tiny, tmp_path):
    """To a schedule that goes back to them; others do without."""
    overrides = ("schedule=newbob", "training.epochs=9")
    stopped, resumed, run = tiny(*overrides), tiny(*overrides), Run(tmp_path)
    for _ in zip(run.train(stopped), range(len(stopped.trainer.reading) + 3)):
        pass
    run.save_last(stopped)
    run.resume(resumed)
    best = checkpoint.load(run.best)
    assert not np.array_equal(resumed.trainer.best, resumed.trainer.network.params.flat)
    resumed.trainer.network.params.flat[...] = resumed.trainer.best
    np.testing.assert_equal(resumed.trainer.network.params.named, best.weights)
    with pytest.raises(UsageError):
        run.resume(tiny(*overrides[1:]))


def test_a_checkpoint_of_the_version_before(run, tiny):
    """It holds the best weights and recent ones, whatever the schedule."""
    saved, experiment, again = checkpoint.load(run.last), tiny(), tiny()
    run.resume(experiment)
    flat = experiment.trainer.network.params.flat
    saved.best = {"flat": flat + 1, "recent": flat + 2}
    saved.progress["kept"] = 1
    checkpoint.save(run.last, saved)
    assert run.resume(again) == []
    rest, others = list(experiment.trainer.run()), list(again.trainer.run())
    assert [event[:4] for event in others] == [event[:4] for event in rest]
    assert again.trainer.network.params.flat.tobytes() == flat.tobytes()


@pytest.mark.parametrize(
    "override",
    ["training.epochs=7", "training.patience=3", "training.save_every=1s", "training.samples=0", "data.test=x"],
)
def test_what_may_be_changed(run, tiny, override):
    experiment = tiny(override)
    run.resume(experiment)
    assert experiment.trainer.progress.step == len(experiment.trainer.reading) + 3


@pytest.mark.parametrize(
    ("overrides", "changes"),
    [
        (["seed=2"], "seed: 1 -> 2"),
        (["training.batch=7", "training.epochs=3"], "training.batch: 5 -> 7"),
        (["optimizer.lr=0.02", "model.cell.bias=false"], "model.cell.bias: true -> false; optimizer.lr: 0.01 -> 0.02"),
        (["training.clip_norm=1"], "training.clip_norm: null -> 1.0"),
        (
            ["schedule=newbob"],
            'schedule.kind: "constant" -> "newbob"; schedule.warmup: 0.0 -> null; '
            "schedule.ratio: null -> 1.003; schedule.gamma: null -> 0.5",
        ),
    ],
)
def test_what_may_not(run, tiny, overrides, changes):
    message, hint = refused(UsageError, run.resume, tiny(*overrides))
    assert message.startswith(f"{run.path}: ")
    assert message.endswith(f"configuration: {changes}")
    assert "--init-from" in hint


def test_texts_and_vocabulary_by_other_names(run, tiny, tmp_path):
    """What is in them counts."""
    (tmp_path / "moved").mkdir()
    for name in ("train.txt", "valid.txt"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    moved = ["data.train=moved/train.txt", "data.valid=moved/valid.txt"]
    for more in ([], [f"data.vocab={run.path}/vocab.txt"], ["data.max_size=1000"]):
        experiment = tiny(*moved, *more)
        noted = list(experiment.notes)
        assert run.resume(experiment) == []
        assert experiment.trainer.progress.step == len(experiment.trainer.reading) + 3
        assert experiment.notes == noted
    message, _ = refused(DataError, run.resume, tiny("data.train=moved/train.txt", "data.valid=moved/train.txt"))
    assert "validation text" in message


def test_a_share_that_validates_is_no_file_name(tiny, tmp_path):
    """Whatever the share, its text is the training text."""
    run = Run(tmp_path)
    run.save_last(tiny("data.valid=0.2"))
    run.resume(tiny("data.valid=0.2"))
    message, _ = refused(UsageError, run.resume, tiny("data.valid=0.3"))
    assert message.endswith("data.valid: 0.2 -> 0.3")


def test_options_younger_than_the_checkpoint(run, tiny):
    saved = checkpoint.load(run.last)
    del saved.config["training"]["retries"], saved.config["model"]["dropout_words"]
    checkpoint.save(run.last, saved)
    assert run.resume(tiny()) == []
    message, _ = refused(UsageError, run.resume, tiny("model.dropout_words=0.1"))
    assert message.endswith("model.dropout_words: 0.0 -> 0.1")


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("cosine", (r"0\.00\d+", r"0\.00\d+")),
        ("{kind: constant, warmup: 0.9}", (r"0\.00\d+", r"0\.00\d+")),
        ("constant", None),
        ("{kind: constant, warmup: 0.2}", None),
        ("step", None),
        ("newbob", None),
    ],
)
def test_more_epochs_that_change_the_rate_are_said_to(tiny, tmp_path, schedule, rates):
    run, experiment = Run(tmp_path), tiny(f"schedule={schedule}")
    for _ in experiment.trainer.run():
        if experiment.trainer.progress.epoch == 1 and experiment.trainer.progress.position == 5:
            break
    run.save_last(experiment)
    again, more = tiny(f"schedule={schedule}"), tiny(f"schedule={schedule}", "training.epochs=5")
    before = list(again.notes)
    for experiment in (again, more):
        run.resume(experiment)
    assert again.notes == before
    added = more.notes[len(before) :]
    if rates is None:
        assert added == []
    else:
        (note,) = added
        assert re.search("^note: schedule .* 5 instead of 2: .* from {} to {} ".format(*rates), note)


def test_differences_of_plain_configurations():
    assert differences({"a": {"b": 1, "c": [1]}, "d": None}, {"a": {"b": 1, "c": [2]}, "d": "x"}) == [
        ("a.c", "a.c: [1] -> [2]"), ("d", 'd: null -> "x"'),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "what"), [("train", "training text"), ("valid", "validation text")])
def test_a_text_that_has_changed(run, tiny, tmp_path, name, what):
    with open(tmp_path / f"{name}.txt", "a") as file:
        file.write("one more\n")
    message, _ = refused(DataError, run.resume, tiny())
    assert message.startswith(f"{run.path}: the {what} has changed")


def test_a_vocabulary_that_has_changed(tiny, tmp_path):
    tiny().vocab.save("v.txt")
    Run(tmp_path).save_last(tiny("data.vocab=v.txt"))
    tiny("data.max_size=7").vocab.save("v.txt")
    message, _ = refused(DataError, Run(tmp_path).resume, tiny("data.vocab=v.txt"))
    assert message.startswith(f"{tmp_path}: the vocabulary has changed")


def test_a_model_is_no_checkpoint(run, tiny):
    run.last.write_bytes(run.best.read_bytes())
    run.previous.unlink()
    message, hint = refused(DataError, run.resume, tiny())
    assert message.startswith(f"{run.last}: a model")
    assert "--init-from" in hint


def test_a_damaged_best_model_is_replaced_by_the_last(run, tiny):
    last = checkpoint.load(run.last)
    for damage, problem in (
        (run.best.unlink, "no such model"),
        (lambda: run.best.write_bytes(b"half"), "damaged"),
    ):
        damage()
        (warning,) = run.resume(tiny())
        assert warning.startswith(f"{run.best}: ")
        assert problem in warning
        assert "last checkpoint" in warning
        np.testing.assert_equal(checkpoint.load(run.best).weights, last.weights)


# --- damaged checkpoints -------------------------------------------------------------------------------------------


def steps(run, experiment, number):
    """Train so many steps, and save."""
    updates = (event for event in experiment.trainer.run() if isinstance(event, Update))
    for _ in range(number):
        next(updates)
    run.save_last(experiment)


def test_the_checkpoint_before_is_used_when_the_last_is_damaged(run, tiny):
    before, experiment = checkpoint.load(run.last), tiny()
    run.resume(experiment)
    steps(run, experiment, 2)
    np.testing.assert_equal(checkpoint.load(run.previous).weights, before.weights)
    whole = run.last.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:-1], whole.replace(b"slots/m", b"slots/n")):
        run.last.write_bytes(damaged)
        experiment, previous = tiny(), run.previous.read_bytes()
        (warning,) = run.resume(experiment)
        assert warning.startswith(f"{run.last}: not a ")
        assert warning.endswith("the checkpoint before it")
        assert experiment.trainer.progress.step == before.progress["step"]
        np.testing.assert_equal(experiment.trainer.network.params.named, before.weights)
        assert (run.last.read_bytes(), run.previous.exists()) == (previous, False)  # never is a damaged one kept
        run.last.rename(run.previous)
    (warning,) = run.resume(tiny())  # as when it is killed between the two renamings
    assert warning.startswith(f"{run.last}: no such model")


def test_without_any_checkpoint(run, tiny):
    run.last.write_bytes(b"")
    run.previous.unlink()
    message, _ = refused(DataError, run.resume, tiny())
    assert message.startswith(f"{run.last}: not a model file")
    run.previous.write_bytes(b"")
    message, _ = refused(DataError, run.resume, tiny())
    assert message.startswith(f"{run.previous}: not a model file")


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": -1}, {"epoch": "x"}, {"step": 10**30}, {"position": 10**9}, {"history": [math.nan]},
        {"halved": 10**6},
        {"history": {}}, {"more": 1}, {"dropout": None}, {"dropout": {"bit_generator": "PCG64"}}, {"dropout": []},
        {"nats": None}, {"dropout": {"bit_generator": "PCG64", "state": {"state": -1, "inc": 2**200}}},
    ],
)  # fmt: skip
def test_progress_that_no_training_has_made(run, tiny, change):
    saved = checkpoint.load(run.last)
    saved.progress |= change
    checkpoint.save(run.last, saved)
    run.previous.unlink()
    message, _ = refused(DataError, run.resume, tiny())
    assert message.startswith(f"{run.last}: not a checkpoint of this configuration")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("slots", {}), ("slots", {"m": np.zeros(3), "v": np.zeros(3)}), ("best", {"flat": np.zeros(1)}),
        ("best", {"E": np.zeros(1)}), ("state", []), ("state", [np.zeros(())]), ("state", [np.zeros((5, 9))]),
    ],
)  # fmt: skip
def test_arrays_that_no_training_has_made(run, tiny, part, value):
    saved = checkpoint.load(run.last)
    setattr(saved, part, value)
    checkpoint.save(run.last, saved)
    run.previous.unlink()
    message, _ = refused(DataError, run.resume, tiny())
    assert message.startswith(f"{run.last}: not a checkpoint of this configuration")


def test_figures_that_no_training_has_made(run, tiny):
    saved = checkpoint.load(run.last)
    saved.figures["train_sha256"] = "\x1b[2J"
    checkpoint.save(run.last, saved)
    run.previous.unlink()
    message, _ = refused(DataError, run.resume, tiny())
    assert message.startswith(f"{run.last}: figures: train_sha256: ")
    assert message.endswith("found '\\x1b[2J'")


# --- logs ----------------------------------------------------------------------------------------------------------


def test_what_will_be_repeated_is_taken_back_from_the_logs(run, tiny):
    run.append("samples.txt", "# epoch 1\na line")
    experiment = tiny()
    run.resume(experiment)
    run.save_last(experiment)
    before = {name: (run.path / name).read_bytes() for name in LOGS}
    for name in LOGS:
        run.append(name, '{"epoch": 2}')
        with open(run.path / name, "a") as file:
            file.write("half a li")
    run.append("train.log", "all that was reported")
    run.resume(tiny())
    assert {name: (run.path / name).read_bytes() for name in LOGS} == before
    assert (run.path / "train.log").read_text() == "all that was reported\n"


def test_logs_that_somebody_has_edited_are_left_alone(run, tiny):
    for text in ("", "mine, and as long as you like: " + 1000 * "x"):
        (run.path / "log.jsonl").write_text(text)
        run.resume(tiny())
        assert (run.path / "log.jsonl").read_text() == text
