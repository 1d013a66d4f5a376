import gzip
import io
import os
import subprocess
import sys

import pytest

from rnnlm.cli import main
from rnnlm.text.vocab import Vocabulary


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """A function that runs `rnnlm vocab ...` in a folder with texts: -> exit status, what is on stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.txt").write_text("the cat sat\n\nThe dog sat on the cat\n")
    (tmp_path / "valid.txt").write_text("the bird sat\n")

    def run(*arguments):
        with pytest.raises(SystemExit) as exit:
            main(["vocab", *arguments])
        return exit.value.code or 0, *capfd.readouterr()

    return run


def test_writes_a_vocabulary_and_reports(run, tmp_path):
    status, out, err = run("train.txt", "-o", "v.txt", "--check", "valid.txt", "--check", "train.txt")
    assert (status, out) == (0, "")
    vocab = Vocabulary.load(tmp_path / "v.txt")
    assert vocab.words[3:] == ["cat", "sat", "the", "The", "dog", "on"]
    assert err.splitlines() == [
        "train.txt: 2 sentences, 9 words, 6 types, 1 empty lines skipped",
        f"v.txt: 9 entries, sha {vocab.fingerprint[:12]}; coverage 100.00%, 0 OOVs (0.00%)",
        "valid.txt: 1 sentences, 3 words, 3 types; coverage 66.67%, 1 OOVs (33.33%)",
        "train.txt: 2 sentences, 9 words, 6 types, 1 empty lines skipped; coverage 100.00%, 0 OOVs (0.00%)",
    ]


def test_options(run, tmp_path):
    (tmp_path / "keep.txt").write_text("Zebra\non\n")
    status, _, err = run(
        "train.txt", "valid.txt", "-o", "v.txt", "--max-size", "7", "--min-count", "2", "--lower", "--keep", "keep.txt"
    )
    assert status == 0
    assert (tmp_path / "v.txt").read_text() == (
        "<s>\t0\tlevel=word lower\n</s>\t3\n<unk>\t4\nthe\t4\nsat\t3\non\t1\nzebra\t0\n"
    )
    assert err.startswith(
        "train.txt + valid.txt: 3 sentences, 12 words, 6 types, 1 empty lines skipped\nv.txt: 7 entries"
    )
    assert err.endswith("; coverage 66.67%, 4 OOVs (33.33%)\n")


def test_characters_to_standard_output(run):
    status, out, err = run("train.txt", "-o", "-", "--level", "char", "--blank-lines", "--max-size", "5")
    assert status == 0
    assert out == "<s>\t0\tlevel=char\n</s>\t3\n<unk>\t20\n \t7\nt\t6\n"
    assert err.splitlines()[0] == "train.txt: 3 sentences, 33 characters, 12 types"
    assert err.splitlines()[1].startswith("<stdout>: 5 entries, sha ")


def test_reads_standard_input(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("春 眠\n".encode())))
    status, out, err = run("-", "-o", "-")
    assert (status, out.splitlines()[3:]) == (0, ["春\t1", "眠\t1"])
    assert err.startswith("<stdin>: 1 sentences, 2 words, 2 types\n")


def test_reads_gzipped_text(run, tmp_path):
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress((tmp_path / "train.txt").read_bytes()))
    assert run("train.txt.gz", "-o", "-")[1] == run("train.txt", "-o", "-")[1]


def test_an_existing_file_is_kept_unless_forced(run, tmp_path):
    (tmp_path / "v.txt").write_text("precious")
    status, _, err = run("train.txt", "-o", "v.txt")
    assert status == 2
    assert err.startswith("rnnlm: error: v.txt: exists already\n")
    assert "--force" in err
    assert (tmp_path / "v.txt").read_text() == "precious"
    assert run("train.txt", "-o", "v.txt", "--force")[0] == 0
    assert len(Vocabulary.load(tmp_path / "v.txt")) == 9


@pytest.mark.parametrize(
    ("arguments", "status", "place", "word"),
    [
        (["train.txt", "-o", "none/v.txt"], 2, "none/v.txt: ", "folder none"),
        (["empty.txt", "-o", "v.txt"], 1, "empty.txt: ", "no sentences"),
        (["train.txt", "-o", "v.txt", "--keep", "empty.txt"], 1, "empty.txt: ", "no sentences"),
        (["train.txt", "-o", ""], 2, ".: ", "directory"),
        (["broken.txt", "-o", "v.txt"], 1, "broken.txt:2: byte 4: ", "UTF-8"),
        (["train.txt", "-o", "v.txt", "--keep", "train.txt", "--max-size", "8"], 2, "", "8 entries"),
    ],
)
def test_mistakes(run, tmp_path, arguments, status, place, word):
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "broken.txt").write_bytes(b"the\n\xff\n")
    code, out, err = run(*arguments)
    assert (code, out) == (status, "")
    assert err.startswith(f"rnnlm: error: {place}")
    assert word in err.splitlines()[0]
    assert not (tmp_path / "v.txt").exists()


@pytest.mark.parametrize(
    "arguments",
    [["-o", "v.txt"], ["train.txt"], ["train.txt", "-o", "."], ["train.txt", "-o", "v.txt", "--max-size", "3"]],
)
def test_wrong_usage(run, arguments):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("rnnlm: error: ")


def test_as_a_process_whatever_the_locale(tmp_path):
    (tmp_path / "text.txt").write_bytes("über über\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "rnnlm", "vocab", str(tmp_path / "text.txt"), "-o", "-"],
        capture_output=True,
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0"},
    )
    assert done.returncode == 0
    assert done.stdout == "<s>\t0\tlevel=word\n</s>\t1\n<unk>\t0\nüber\t2\n".encode()
    assert b"\r" not in done.stderr  # no progress bar where there is no terminal
