"""`rnnlm train`, as it is typed: what it writes and shows, how it is stopped, and every way to get it wrong."""

import contextlib
import fcntl
import itertools
import json
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import sys
import termios
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from rnnlm.cli import progress
from rnnlm.nn.heads import Loss
from rnnlm.training import checkpoint
from rnnlm.training.run import Run
from rnnlm.training.trainer import Validation

FILES = [
    ".lock", "best.npz", "command.txt", "config.yaml", "env.json", "last.npz", "log.jsonl", "previous.npz",
    "samples.txt", "train.log", "vocab.txt",
]  # fmt: skip


@pytest.fixture
def rnnlm(rnnlm, tiny):
    """The same where tiny.yaml is."""
    return rnnlm


@pytest.fixture
def start(tiny):
    """A function that starts `rnnlm train ...` as a process of its own that may write files of `largest` bytes."""
    processes = []

    def start(*arguments, stderr=subprocess.PIPE, largest=resource.RLIM_INFINITY, before=lambda: None):
        def prepare():
            before()
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C must reach it even if the tests run in the background
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

        command = [sys.executable, "-m", "rnnlm", "train", *map(str, arguments)]
        processes.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, preexec_fn=prepare)
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        with process:
            pass


def assert_error(err, *patterns):
    """A mistake is an error of one line that begins like the first pattern and has the others, and a hint."""
    line, hint = err.splitlines()
    assert re.match(f"rnnlm: error: {patterns[0]}", line)
    for pattern in patterns[1:]:
        assert re.search(pattern, line)
    assert hint.startswith("  hint: ")


def rows(err):
    """The validations in what was shown, without the time and what follows it."""
    return re.findall(r"^ +[0-9.]+ +[0-9]+ .*%", err, re.MULTILINE)


def same_training(a, b):
    """Whether two run directories hold the same model and the same state."""
    a, b = (checkpoint.load(Run(Path(path)).last) for path in (a, b))
    for x in (a, b):
        x.progress["seconds"] = x.progress["logs"] = None
    assert a.progress == b.progress
    np.testing.assert_equal((a.weights, a.slots, a.state), (b.weights, b.slots, b.state))
    return True


# --- what it writes and shows --------------------------------------------------------------------------------------


def test_a_row_has_both_figures_where_there_are_oovs():
    one = Validation(10.5, 99999, Loss(20, 10), Loss(80.0, 10, 60.0, 2), 0.001, 0.25, True, False, 12.3)
    title, cells = progress.header("ppl", oovs=True), progress.row(one)
    assert title.index("no OOVs") + len("no OOVs") == cells.index("12.18") + len("12.18")
    assert "2980.96" in cells
    assert len(title) < len(cells) <= 80


def test_unk_that_is_never_trained_is_warned_of(rnnlm, tmp_path):
    (tmp_path / "valid.txt").write_text("the zebra sees a yak\n")
    status, _, err = rnnlm("train", "tiny.yaml", "--set", "data.rare_as_unk=0")
    assert status == 0
    assert re.search("warning: <unk> is never trained, but 40.00% of the validation text", err)
    assert "no OOVs" in err
    best = re.search(r"best: validation \d, valid, no OOVs: ppl ([\d.]+)", err)
    log = [json.loads(line) for line in (tmp_path / "runs/tiny/log.jsonl").read_text().splitlines()]
    assert float(best[1]) == pytest.approx(min(row["valid_ppl_known"] for row in log), abs=0.01)
    assert {row["valid_oovs"] for row in log} == {2}


def test_a_training(rnnlm, tmp_path):
    status, out, err = rnnlm("train", "tiny.yaml", "-o", "my run")
    assert (status, out) == (0, "")
    assert sorted(os.listdir("my run")) == FILES
    assert "\r" not in err
    lines = err.splitlines()
    assert re.fullmatch(r"train: 60 sentences, \d+ words, 0.00% OOV  \(train.txt\)", lines[0])
    assert re.fullmatch(r"valid: 20 sentences, \d+ words, \d+\.\d\d% OOV  \(valid.txt\)", lines[1])
    assert "rare words are read as <unk>" in lines.pop(2)
    assert re.fullmatch(r"vocabulary: \d+ entries", lines[2])
    K = int(lines[2].split()[1])
    count = 6 * K + 6 * 8 + 8 * 8 + 8 + 8 * K + K
    shapes = f"E {K}x6, cell.U 6x8, cell.W 8x8, cell.b 8, head.V {K}x8, head.c {K}"
    assert lines[3] == f"parameters: {count} ({shapes}), 0 MB with gradient and optimizer"
    uniform = re.escape(f"{np.log(K):.3f}")
    first = rf"first loss: \d\.\d+ nats per token \(uniform over the vocabulary: {uniform}\)"
    assert re.fullmatch(first, lines[4])
    assert " ".join(lines[5].split()) == "epoch step lr train ppl valid ppl nats clip time"
    assert re.fullmatch(r" +1\.00 +\d+ +0\.01 +[\d.]+ +[\d.]+ +\d\.\d{4} +0% +\d+:\d\d \*", lines[6])
    assert lines[7].startswith("    ")
    assert len(rows(err)) == 2
    log = [json.loads(line) for line in (tmp_path / "my run/log.jsonl").read_text().splitlines()]
    assert [(row["epoch"], row["best"]) for row in log] == [(1.0, True), (2.0, True)]
    nats = log[1]["valid_nats"]
    assert lines[-5:] == [
        f"best: validation 2, valid ppl {np.exp(nats):.2f} ({nats:.4f} nats); model my run/best.npz",
        "next:",
        "  rnnlm eval 'my run' TEXT",
        "  rnnlm sample 'my run' -n 10",
        "  rnnlm info 'my run'",
    ]
    assert (tmp_path / "my run/train.log").read_text() == err
    samples = (tmp_path / "my run/samples.txt").read_text().splitlines()
    assert samples[0] == f"# epoch 1.00  valid ppl {log[0]['valid_ppl']:.2f}"
    assert "    " + samples[1] == lines[7]


def test_plain_lines_now_and_then_where_there_is_no_terminal(rnnlm, monkeypatch):
    monkeypatch.setattr("rnnlm.cli.progress.PLAIN_INTERVAL", 0)
    _, _, err = rnnlm("train", "tiny.yaml")
    lines = [line for line in err.splitlines() if line.startswith("epoch ")]
    steps = len(lines)
    status = r"lr 0\.01  ppl \d+\.\d  \|g\| \d\.\d\d \(clip 0%\)  \d+\.\dk tok/s"
    for i, line in enumerate(lines, 1):
        assert re.fullmatch(rf"epoch {1 if i <= steps / 2 else 2}/2 {i / steps:4.0%}  {status}", line)


def test_quiet(rnnlm, tmp_path):
    assert rnnlm("train", "tiny.yaml", "-q") == (0, "", "")
    assert sorted(os.listdir("runs/tiny")) == FILES
    assert len(rows((tmp_path / "runs/tiny/train.log").read_text())) == 2


def test_verbose_shows_the_resolved_configuration(rnnlm):
    _, _, err = rnnlm("train", "tiny.yaml", "-v", "--dry-run")
    assert "\n  reading: stream\n" in err
    assert "\ntraining:\n  epochs: 2\n" in err


def test_a_dry_run_writes_nothing(rnnlm):
    before = sorted(os.listdir())
    status, out, err = rnnlm("train", "tiny.yaml", "--dry-run")
    assert (status, out) == (0, "")
    assert sorted(set(os.listdir()) - {"cache"}) == before
    first, time, memory = err.splitlines()[-3:]
    assert first.startswith("first loss: ")
    assert re.fullmatch(r"time: [\d.]+ ms a step, \d+ steps and about 0:00 an epoch", time)
    assert memory.startswith("memory: ")


@pytest.mark.parametrize("reading", ["stream", "sentences"])
@pytest.mark.parametrize("schedule", ["constant", "newbob"])
def test_the_memory_of_a_dry_run_is_what_training_takes(rnnlm, tiny, reading, schedule):
    """Activations, which are most of it, included."""
    settings = (
        "model.cell.size=300", "training.batch=16", "training.epochs=1", f"data.reading={reading}",
        f"schedule={schedule}", "data.valid=null",
    )  # fmt: skip
    _, _, err = rnnlm("train", "tiny.yaml", "--dry-run", *[f"--set={setting}" for setting in settings])
    whole, weights, activations = map(float, re.findall(r"[\d.]+(?= MB| for)", err.splitlines()[-1]))
    assert whole == pytest.approx(weights + activations, abs=0.11)
    tracemalloc.start()
    try:
        experiment = tiny(*settings)
        for _ in experiment.trainer.run():
            pass
        taken = tracemalloc.get_traced_memory()[0] / 1e6
    finally:
        tracemalloc.stop()
    assert activations > 0.2 * whole
    assert whole == pytest.approx(taken, rel=0.2)


def test_overrides_are_shown_once_and_kept(rnnlm, tmp_path):
    names = ["a, b [c].txt", "d: 'e' #\"f\".txt", "猫 😀.txt"]
    text = (tmp_path / "train.txt").read_text()
    for name in names:
        (tmp_path / name).write_text(text)
    flags = [word for name in names[:2] for word in ("--train", name)]
    status, _, err = rnnlm(
        "train", "tiny.yaml", *flags, "--valid", names[2], "--seed", 7, "--threads", 1, "--set", "optimizer.lr=1e-3",
        "--set", "training.epochs=1",
    )  # fmt: skip
    assert status == 0
    assert err.splitlines()[:5] == [
        "override optimizer.lr: 0.01 -> 0.001",
        "override training.epochs: 2 -> 1",
        """override data.train: [train.txt] -> ['a, b [c].txt', 'd: ''e'' #"f".txt']""",
        "override data.valid: valid.txt -> 猫 😀.txt",
        "override seed: 1 -> 7",
    ]
    assert err.count("override") == 5
    plain = checkpoint.load(Run(tmp_path / "runs/tiny").best).config
    assert (plain["data"]["train"], plain["data"]["valid"]) == (names[:2], names[2])
    assert (plain["seed"], plain["optimizer"]["lr"]) == (7, 0.001)
    assert rnnlm("train", "runs/tiny", "--resume")[0] == 0


@pytest.mark.parametrize("share", ["0.1", "1e-1", ".1"])
def test_a_share_to_validate_on(rnnlm, tmp_path, share):
    status, _, err = rnnlm("train", "tiny.yaml", "--valid", share)
    assert status == 0
    assert err.startswith("override data.valid: valid.txt -> 0.1\ntrain: 54 sentences, ")
    assert checkpoint.load(Run(tmp_path / "runs/tiny").best).config["data"]["valid"] == 0.1


def test_without_validation_text(rnnlm):
    status, _, err = rnnlm("train", "tiny.yaml", "--set", "data.valid=null")
    assert status == 0
    assert re.search(r"^best: validation 2, train ppl ", err, re.MULTILINE)
    assert "\nvalid:" not in err


def test_a_corpus_shorter_than_one_batch(rnnlm, tmp_path):
    (tmp_path / "train.txt").write_text("hello\n")
    status, _, err = rnnlm("train", "tiny.yaml")
    assert status == 0
    assert "\nnote: train.txt: only 2 tokens in 1 sentences: batch 5 -> 2, window 6 -> 1\n" in err


def test_threads(start, tmp_path):
    for threads in (1, 3):
        process = start("tiny.yaml", "--force", "-q", "--threads", threads, "--set", "training.epochs=1")
        assert process.communicate() == ("", "")
        assert json.loads((tmp_path / "runs/tiny/env.json").read_text())["threads"] == threads
    assert start("tiny.yaml", "--resume", "-q").communicate() == ("", "")
    assert json.loads((tmp_path / "runs/tiny/env.json").read_text())["threads"] == 3


# --- earlier runs --------------------------------------------------------------------------------------------------


def test_an_earlier_run_is_not_overwritten(rnnlm, tmp_path):
    assert rnnlm("train", "tiny.yaml", "-q")[0] == 0
    before = (tmp_path / "runs/tiny/best.npz").read_bytes()
    for config in ("tiny.yaml", "runs/tiny"):
        status, out, err = rnnlm("train", config, "--seed", 2, "-q")
        assert (status, out) == (2, "")
        assert err.startswith("rnnlm: error: runs/tiny: exists already\n")
    assert (tmp_path / "runs/tiny/best.npz").read_bytes() == before
    (tmp_path / "runs/tiny/notes.txt").write_text("mine")
    assert rnnlm("train", "tiny.yaml", "--seed", 2, "-q", "--force")[0] == 0
    assert (tmp_path / "runs/tiny/best.npz").read_bytes() != before
    assert (tmp_path / "runs/tiny/notes.txt").read_text() == "mine"
    assert len((tmp_path / "runs/tiny/log.jsonl").read_text().splitlines()) == 2


def test_two_trainings_in_one_directory(rnnlm, tmp_path):
    with Run(tmp_path / "runs/tiny").lock():
        for option in ([], ["--force"]):
            status, out, err = rnnlm("train", "tiny.yaml", *option)
            assert (status, out) == (1, "")
            assert err.startswith("rnnlm: error: runs/tiny: another training is running")


def test_a_run_that_another_training_has_finished_meanwhile(rnnlm, tmp_path, monkeypatch):
    """While this one read its texts. It is not overwritten, either."""
    from rnnlm import experiment

    def prepare_slowly(settings, **options):
        prepared = prepare(settings, **options)
        monkeypatch.setattr(experiment, "prepare", prepare)
        assert rnnlm("train", "tiny.yaml", "-q")[0] == 0
        return prepared

    prepare = experiment.prepare
    monkeypatch.setattr(experiment, "prepare", prepare_slowly)
    status, _, err = rnnlm("train", "tiny.yaml", "--seed", 2, "-q")
    assert status == 2
    assert err.startswith("rnnlm: error: runs/tiny: exists already\n")
    assert checkpoint.load(Run(tmp_path / "runs/tiny").best).config["seed"] == 1


def test_the_command_is_kept(rnnlm, tmp_path):
    """As it was given to `main`, whatever program called that."""
    assert rnnlm("train", "tiny.yaml", "-o", "a b", "-q", "--set", "training.epochs=1")[0] == 0
    assert rnnlm("train", "a b", "--resume", "-q")[0] == 0
    assert (tmp_path / "a b/command.txt").read_text() == (
        "rnnlm train tiny.yaml -o 'a b' -q --set training.epochs=1\nrnnlm train 'a b' --resume -q\n"
    )


def test_two_epochs_are_one_and_one_more(rnnlm, tmp_path):
    _, _, err = rnnlm("train", "tiny.yaml", "-o", "once")
    _, _, first = rnnlm("train", "tiny.yaml", "-o", "twice", "--set", "training.epochs=1")
    status, _, second = rnnlm("train", "twice", "--resume", "--set", "training.epochs=2")
    assert status == 0
    assert "\nresuming after step " in second
    assert same_training("once", "twice")
    assert (tmp_path / "once/best.npz").read_bytes() == (tmp_path / "twice/best.npz").read_bytes()
    assert rows(first) + rows(second) == rows(err)
    commands = (tmp_path / "twice/command.txt").read_text().splitlines()
    assert len(commands) == 2
    status, _, third = rnnlm("train", "twice", "--resume")  # the number of epochs was kept
    assert status == 0
    assert "; nothing is left to do\nnote: all 2 epochs are over; to go on, raise training.epochs\n" in third
    assert rows(third) == []
    assert same_training("once", "twice")


@pytest.mark.parametrize("reading", ["stream", "sentences"])
def test_stopped_by_the_clock(rnnlm, tmp_path, reading):
    settings = ["--set", "schedule=cosine", "--set", f"data.reading={reading}"]
    rnnlm("train", "tiny.yaml", "-q", "-o", "once", *settings)
    status, _, err = rnnlm("train", "tiny.yaml", "-o", "often", *settings, "--max-time", "0s")
    assert status == 75
    assert err.endswith("stopped after step 1; saved often/last.npz\ngo on with: rnnlm train often --resume\n")
    assert rnnlm("train", "often", "--resume", "-q", "--max-time", "0.001") == (75, "", "")
    assert rnnlm("train", "often", "--resume", "-q") == (0, "", "")
    assert same_training("once", "often")
    assert (tmp_path / "once/best.npz").read_bytes() == (tmp_path / "often/best.npz").read_bytes()


def test_resume_or_begin(rnnlm, tmp_path):
    """One command for a scheduler that starts it again and again."""
    settings = ["--set", "schedule=cosine"]
    rnnlm("train", "tiny.yaml", "-q", "-o", "once", *settings)
    (tmp_path / "often").mkdir()
    (tmp_path / "often/.last.npz.1.tmp").touch()  # of a start that was killed
    again = ["train", "tiny.yaml", "-o", "often", "--auto-resume", *settings, "--init-from", "once"]
    assert rnnlm(*again, "--max-time", "0s", "--set", "optimizer.lr=0.02")[0] == 75
    assert checkpoint.load(tmp_path / "often/last.npz").progress["step"] == 1
    status, _, err = rnnlm(*again, "--max-time", "0s")
    assert status == 2  # it is another configuration
    assert "optimizer.lr: 0.02 -> 0.01" in err
    assert rnnlm(*again, "--set", "optimizer.lr=0.02", "-q") == (0, "", "")
    status, _, err = rnnlm(*again, "--set", "optimizer.lr=0.02")
    assert status == 0
    assert "nothing is left to do" in err
    assert rnnlm("train", "tiny.yaml", "-o", "often", "--auto-resume", "--resume")[0] == 2


def test_nothing_to_resume(rnnlm, tmp_path):
    for _ in range(2):
        status, out, err = rnnlm("train", "tiny.yaml", "--resume")
        assert (status, out) == (2, "")
        assert err.startswith("rnnlm: error: runs/tiny: nothing to resume")
        (tmp_path / "runs/tiny").mkdir(parents=True, exist_ok=True)


def test_resuming_with_another_configuration(rnnlm):
    rnnlm("train", "tiny.yaml", "-q")
    status, out, err = rnnlm("train", "tiny.yaml", "--resume", "-q", "--seed", 2)
    assert (status, out) == (2, "")
    assert re.match("rnnlm: error: runs/tiny: .*configuration: seed: 1 -> 2\n", err)


def test_a_vocabulary_out_of_order(rnnlm, tiny, tmp_path):
    head, *rest = tiny().vocab.to_bytes().decode().splitlines(keepends=True)
    (tmp_path / "alphabet.txt").write_text("".join([head, *rest[:2], *sorted(rest[2:], key=lambda line: line[::-1])]))
    adaptive = ["--set", "model.head={kind: adaptive, cutoffs: [5, 10]}", "--set", "model.embedding=8"]
    for more, warnings in ([], 0), (["--set", "data.vocab=alphabet.txt"], 1):
        status, _, err = rnnlm("train", "tiny.yaml", "--dry-run", *adaptive, *more)
        assert status == 0
        assert err.count("warning: the vocabulary is not in the order of frequency") == warnings


def test_new_words(rnnlm, tmp_path):
    rnnlm("train", "tiny.yaml", "-q", "-o", "old")
    (tmp_path / "more.txt").write_text("the zebra sees a zebra\nthe cat likes a gnu\n" * 20)
    again = [
        "train",
        "old",
        "--train",
        "more.txt",
        "--valid",
        "valid.txt",
        "--init-from",
        "old",
        "--extend-vocab",
        "-o",
        "new",
        "--auto-resume",
    ]
    status, _, err = rnnlm(*again, "--max-time", "0s")
    assert status == 75
    assert "note: 2 new words behind " in err
    status, _, err = rnnlm(*again)
    assert status == 0
    assert "resuming after step 1\n" in err
    old, new = ((tmp_path / name / "vocab.txt").read_text().splitlines() for name in ("old", "new"))
    assert [line.split("\t")[0] for line in new] == [*(line.split("\t")[0] for line in old), "zebra", "gnu"]
    assert new[-2:] == ["zebra\t40", "gnu\t20"]
    assert rnnlm("train", "new", "--resume", "-q", "--set", "training.epochs=3") == (0, "", "")
    assert rnnlm("train", "tiny.yaml", "--extend-vocab")[0] == 2


def test_starting_from_another_model(rnnlm, tmp_path):
    rnnlm("train", "tiny.yaml", "-q")
    for model in ("runs/tiny", "runs/tiny/best.npz"):
        status, _, err = rnnlm("train", "tiny.yaml", "-o", "new", "--init-from", model, "--seed", 5)
        assert status == 0
        before = json.loads((tmp_path / "runs/tiny/log.jsonl").read_text().splitlines()[0])
        after = json.loads((tmp_path / "new/log.jsonl").read_text().splitlines()[0])
        assert after["train_nats"] < before["train_nats"]
        os.rename("new", f"new {model[-1]}")
    (tmp_path / "train.txt").write_text("something else\n")
    status, _, err = rnnlm("train", "tiny.yaml", "-o", "other", "--init-from", "runs/tiny")
    assert status == 1
    assert re.match("rnnlm: error: runs/tiny/best.npz: .*vocabulary.*\n.*data.vocab", err)
    assert not (tmp_path / "other").exists()


# --- signals and terminals -----------------------------------------------------------------------------------------


def test_training_is_stopped_by_signals_and_goes_on(start, tmp_path):
    """Ctrl-C, a closed terminal, the end of a batch job, then to the end: all as if nothing had happened."""
    epochs = 100
    overrides = [
        f"--set={override}"
        for override in (
            f"training.epochs={epochs}",
            "schedule=cosine",
            "training.samples=0",
            "model.cell.dropconnect=0.2",
        )
    ]
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM):
        status = 128 + number
        process = start("tiny.yaml", *overrides, "-o", "run", "--auto-resume")
        assert list(itertools.takewhile(lambda line: not rows(line), process.stderr))  # to the first validation
        process.send_signal(number)
        out, err = process.communicate()
        assert (process.returncode, out) == (status, "")
        step = checkpoint.load(Run(tmp_path / "run").last).progress["step"]
        assert err.endswith(f"stopped after step {step:,}; saved run/last.npz\ngo on with: rnnlm train run --resume\n")
        assert "Traceback" not in err
    assert start("run", "--resume", "-q").communicate() == ("", "")
    assert start("tiny.yaml", *overrides, "-q", "-o", "once").communicate() == ("", "")
    assert same_training("once", "run")
    assert (tmp_path / "once/best.npz").read_bytes() == (tmp_path / "run/best.npz").read_bytes()
    assert (tmp_path / "run/log.jsonl").read_text().count("valid_nats") == epochs


def test_nohup(start, tmp_path):
    """A process that was started to outlive its terminal does."""
    process = start(
        "tiny.yaml", "--set=training.epochs=30", before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    assert list(itertools.takewhile(lambda line: not rows(line), process.stderr))
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate()
    assert process.returncode == 0
    assert "best: " in err


def test_a_terminal_that_is_closed(start, tmp_path):
    """It sends SIGHUP, and whatever is then shown is an error. The state is saved, and the log is whole."""
    ours, theirs = pty.openpty()
    process = start("tiny.yaml", "--set=training.epochs=100000", stderr=theirs)
    os.close(theirs)
    shown = b""
    while not rows(shown.decode(errors="replace").replace("\r", "\n")):
        shown += os.read(ours, 1 << 10)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait() == 128 + signal.SIGHUP
    assert (tmp_path / "runs/tiny/train.log").read_text().endswith("go on with: rnnlm train runs/tiny --resume\n")


def test_interrupted_before_there_is_anything_to_save(start, tmp_path):
    os.mkfifo("config.yaml")
    process, pipe = start("config.yaml"), None
    while pipe is None:
        assert process.poll() is None
        with contextlib.suppress(OSError):  # until the command begins to read it
            pipe = os.open("config.yaml", os.O_WRONLY | os.O_NONBLOCK)
    process.send_signal(signal.SIGINT)
    os.close(pipe)
    out, err = process.communicate()
    assert (process.returncode, out, err.strip()) == (130, "", "interrupted")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_on_a_terminal_there_is_a_bar(start, tmp_path, columns):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))  # lines and columns
    process = start("tiny.yaml", "--set", "training.epochs=30", stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux tells that the other end is closed
        while block := os.read(ours, 1 << 16):
            shown += block
    os.close(ours)
    assert process.wait() == 0
    gradient = rb"  \|g\| [\d.]+ \(clip 0%\)" if columns > 80 else b""
    status = rb"lr 0.01  ppl [\d.]+" + gradient + rb"  [\d.]+k tok/s ETA \d\d:\d\d"
    bars = re.findall(rb"\r(epoch \d+/30 +\d+%\|[^\r]*\| " + status + b")", shown)
    assert bars
    assert all(len(bar.decode()) <= columns for bar in bars)
    assert all(len(bar.decode().split("|")[1]) >= 8 for bar in bars)
    assert max(map(len, shown.decode().replace("\r", "\n").partition("epoch  ")[2].splitlines())) <= columns
    assert len(rows(shown.decode().replace("\r", "\n"))) == 30
    assert b"\r" not in (tmp_path / "runs/tiny/train.log").read_bytes()


# --- mistakes ------------------------------------------------------------------------------------------------------


def test_divergence(start, tmp_path):
    """In a process of its own: no warning of NumPy's may stand among the messages."""
    process = start("tiny.yaml", "--set", "optimizer.lr=1e30", "--set", "model.cell.activation=relu")
    out, err = process.communicate()
    assert (process.returncode, out) == (3, "")
    *lines, message, hint = err.splitlines()
    assert re.fullmatch(r"rnnlm: error: training diverged after \d+ steps: .* \(halved 3 times\)", message)
    assert "optimizer.lr" in hint
    retries = [line for line in lines if "diverged" in line]
    for number, (line, rate) in enumerate(zip(retries, ("5e+29", "2.5e+29", "1.25e+29"), strict=True), 1):
        assert "; back to the weights of step 0 " in line
        assert line.endswith(f" with learning rate {rate}, retry {number} of 3")
    assert not any("Warning" in line for line in lines)
    assert sum(line.startswith("first loss") for line in lines) == 1
    log = [json.loads(line) for line in (tmp_path / "runs/tiny/log.jsonl").read_text().splitlines()]
    assert [(row["lr"], row["next_lr"]) for row in log if "diverged" in row] == [
        (1e30, 5e29), (5e29, 2.5e29), (2.5e29, 1.25e29), (1.25e29, None),
    ]  # fmt: skip
    assert [row["back"] is None for row in log if "diverged" in row] == [False, False, False, True]
    assert (tmp_path / "runs/tiny/train.log").read_text().splitlines()[-1] == message.removeprefix("rnnlm: ")
    assert checkpoint.load(Run(tmp_path / "runs/tiny").last).progress


def test_a_model_that_has_learnt_nothing(rnnlm, tmp_path):
    """It is said to be so, in figures that fit a line, and with another command than to sample from it."""
    _, _, err = rnnlm("train", "tiny.yaml", "--set", "optimizer.lr=300")
    *_, best, warning, title, retry = err.splitlines()
    K = int(re.search(r"vocabulary: (\d+) entries", err)[1])
    assert f"({np.log(K):.4f} nats)" in warning
    assert warning.startswith("warning: no better than a uniform guess")
    assert title == "next:"
    assert re.fullmatch(r"  rnnlm train runs/tiny --force --set optimizer.lr=0.\d+", retry)
    assert max(map(len, [*rows(err), best])) < 110
    assert re.search(r"ppl (inf|\d\.\d+e\+\d+) ", best)
    _, _, err = rnnlm(*retry.split()[1:])
    assert "uniform guess" not in err
    assert "rnnlm sample" in err


def test_training_that_diverges_once(rnnlm, tmp_path, monkeypatch, diverging):
    from rnnlm import experiment

    def prepare_badly(settings, **options):
        prepared = prepare(settings, **options)
        diverging(prepared.trainer, len(prepared.trainer.reading) + 2)
        return prepared

    prepare = experiment.prepare
    monkeypatch.setattr(experiment, "prepare", prepare_badly)
    status, _, err = rnnlm("train", "tiny.yaml")
    assert status == 0
    assert len(rows(err)) == 2
    assert re.search("training diverged .*; back to .* with learning rate 0.005, retry 1 of 3", err)
    log = [json.loads(line) for line in (tmp_path / "runs/tiny/log.jsonl").read_text().splitlines()]
    assert [row["lr"] for row in log] == [0.01, 0.01, 0.005]


@pytest.mark.parametrize(
    ("arguments", "patterns"),
    [
        (["none.yaml"], ["none.yaml: no such file", "/none.yaml"]),
        (["."], [r"\.: no config.yaml"]),
        (["chr"], ["chr: no such file, and no recipe of this name; did you mean 'char'"]),
        (["configs/char.yaml"], ["configs/char.yaml: no such file"]),
        (["tiny.yaml", "--resume", "--force"], ["--resume, .*--force exclude each other"]),
        (["tiny.yaml", "--max-time", "soon"], ["--max-time: expected a duration", "'soon'"]),
        (["tiny.yaml", "--max-time", "-1"], ["--max-time: expected a duration", "'-1'"]),
        (["tiny.yaml", "--seed", "-1"], ["--set seed=-1: ", "at least 0, found -1"]),
        (["tiny.yaml", "--valid", "2"], ["--set data.valid=2: ", "between 0 and 1, found 2"]),
        (["tiny.yaml", "--valid", "-0.5"], ["--set data.valid=-0.5: ", "between 0 and 1, found -0.5"]),
        (["tiny.yaml", "--set", "optimizer.lr"], ["--set optimizer.lr: ", "PATH=VALUE"]),
        (["tiny.yaml", "-o", "train.txt"], ["train.txt: a file"]),
    ],
)  # fmt: skip
def test_wrong_usage(rnnlm, arguments, patterns):
    before = sorted(os.listdir())
    status, out, err = rnnlm("train", *arguments)
    assert (status, out) == (2, "")
    assert_error(err, *patterns)
    assert sorted(os.listdir()) == before


def test_every_mistake_in_a_configuration(rnnlm, tmp_path):
    (tmp_path / "c.yaml").write_text(
        "data: {train: train.txt}\n"
        "model: {cell: {sise: 10}}\n"
        "optimizer: {lr: 1e-3}\n"
        "training:\n"
        "  epochs: many\n"
        "  batch: 0\n"
        "  epochs: 2\n"
        "dtype: float16\n"
    )
    status, out, err = rnnlm("train", "c.yaml")
    assert (status, out) == (2, "")
    patterns = [
        "rnnlm: error: c.yaml:2: model.cell.sise: unknown .*'size'", "c.yaml:5: training.epochs: .*'many'",
        "c.yaml:6: training.batch: .*found 0", "c.yaml:7: training.epochs: duplicate .*5",
        "c.yaml:8: dtype: .*'float16'.*'float64'", "  hint: ",
    ]  # fmt: skip
    for line, pattern in zip(err.splitlines(), patterns, strict=True):
        assert re.match(pattern, line)


@pytest.mark.parametrize(
    ("content", "patterns"),
    [
        (None, ["text.txt: no such file", "/text.txt"]),
        (b"", ["text.txt: no sentences", "0 bytes"]),
        (b"\n \n\n", ["text.txt: no sentences", "3 empty lines"]),
        (b"good\nb\xe4d\n", ["text.txt:2: byte 6: not UTF-8", "0xe4"]),
    ],
)
@pytest.mark.parametrize("flag", ["--train", "--valid"])
def test_texts_that_cannot_be_read(rnnlm, tmp_path, content, patterns, flag):
    if content is not None:
        (tmp_path / "text.txt").write_bytes(content)
    status, _, err = rnnlm("train", "tiny.yaml", flag, "text.txt")
    assert status == 1
    assert_error("\n".join(err.splitlines()[-2:]), *patterns)  # below the overrides and notes
    assert not (tmp_path / "runs").exists()


def test_a_corpus_that_is_not_there_yet(rnnlm, tmp_path):
    status, _, err = rnnlm("train", "tiny.yaml", "-q", "--train", "data/ptb/ptb.train.txt")
    assert status == 1
    assert_error(err, "data/ptb/ptb.train.txt: no such file", str(tmp_path))
    assert "rnnlm data fetch ptb" in err


@pytest.mark.parametrize("content", [b"the cat sat on the mat\n", b"", b"PK\x03\x04 and so on"])
def test_a_model_that_is_none(rnnlm, tmp_path, content):
    (tmp_path / "model").write_bytes(content)
    status, _, err = rnnlm("train", "tiny.yaml", "--init-from", "model")
    assert status == 1
    assert err.startswith("rnnlm: error: model: not a model file")
    (tmp_path / "runs/tiny").mkdir(parents=True)
    os.rename("model", "runs/tiny/last.npz")
    status, _, err = rnnlm("train", "tiny.yaml", "--resume")
    assert status == 1
    assert err.startswith("rnnlm: error: runs/tiny/last.npz: not a model file")
    assert (tmp_path / "runs/tiny/last.npz").read_bytes() == content


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written(rnnlm, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    status, _, err = rnnlm("train", "tiny.yaml", "-o", "closed/run")
    assert status == 1
    assert re.match("rnnlm: error: closed/run: .*: Permission denied\n", err)


def test_a_full_disk(start, tmp_path):
    """Here it is a limit on the size of files: what was saved before is still whole."""
    assert start("tiny.yaml", "-q").communicate() == ("", "")
    files = {path: path.read_bytes() for path in (tmp_path / "runs/tiny").glob("*.npz")}
    process = start("runs/tiny", "--resume", "-q", "--set", "training.epochs=3", largest=2048)
    out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert re.match("rnnlm: error: runs/tiny/best.npz: .*: File too large\n", err)
    assert {path: path.read_bytes() for path in (tmp_path / "runs/tiny").glob("*.npz")} == files
    assert start("runs/tiny", "--resume", "-q", "--set", "training.epochs=3").communicate() == ("", "")
