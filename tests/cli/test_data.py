"""`rnnlm data`: what it prints, and the exit status that goes with it."""

import hashlib
import subprocess
import sys

import pytest

from rnnlm.corpora import catalogue
from rnnlm.corpora.catalogue import Downloaded, File, Generated
from rnnlm.corpora.python_docs import PythonDocs

TEXT = b"one two three\n\nfour five\n"


def build(progress):
    progress(1, 1)
    return PythonDocs({"train": ["a b c", "d e f"], "valid": ["g h i"], "test": ["j k l"]}, ["no topics"])


@pytest.fixture(autouse=True)
def corpora(tmp_path, monkeypatch):
    """Two small corpora instead of the real ones, a working directory of one's own, and a copy of the text in it."""
    file = File("toy.txt", len(TEXT), hashlib.sha256(TEXT).hexdigest())
    url = "https://example.invalid"
    toy = Downloaded("toy", "a text", "25 bytes", "free", "nowhere", url=url, files=(file,))
    made = Generated("made", "four lines", "24 bytes", "free as well", "here", build=build)
    monkeypatch.setattr(catalogue, "CORPORA", {corpus.name: corpus for corpus in (toy, made)})
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("toy.txt").write_bytes(TEXT)


def test_list(rnnlm):
    rnnlm("data", "fetch", "toy", "--from", ".")
    assert rnnlm("data", "list") == (
        0,
        "name  what        size      licence       source   here\n"
        "toy   a text      25 bytes  free          nowhere  verified\n"
        "made  four lines  24 bytes  free as well  here     missing\n",
        "",
    )
    assert rnnlm("data", "list", "--dir", "elsewhere")[1].count("missing") == 2


def test_fetch(rnnlm):
    assert rnnlm("data", "fetch", "toy", "--from", ".") == (0, "data/toy/toy.txt: 2 sentences, 5 words\n", "")
    assert rnnlm("data", "fetch", "toy") == (0, "data/toy/toy.txt: already there, verified\n", "")
    assert rnnlm("data", "fetch", "toy", "--from", ".", "--force", "--dir", "x")[1:] == (
        "x/toy/toy.txt: 2 sentences, 5 words\n",
        "",
    )


def test_fetch_of_a_generated_corpus_says_what_was_missing(rnnlm):
    assert rnnlm("data", "fetch", "made") == (
        0,
        "data/made/train.txt: 2 sentences, 6 words\n"
        "data/made/valid.txt: 1 sentences, 3 words\n"
        "data/made/test.txt: 1 sentences, 3 words\n",
        "note: no topics\n",
    )


def test_fetch_of_the_unknown_fetches_nothing(rnnlm, tmp_path):
    assert rnnlm("data", "fetch", "made", "tou") == (
        2,
        "",
        "rnnlm: error: unknown corpus 'tou'; did you mean 'toy'?\n  hint: known: toy, made\n",
    )
    assert not tmp_path.joinpath("data").exists()


def test_fetch_of_what_is_not_there(rnnlm):
    assert rnnlm("data", "fetch", "toy", "--from", "nowhere") == (
        1,
        "",
        "rnnlm: error: nowhere: found no toy.txt there\n  hint: --from wants the folder that holds the files\n",
    )


def test_check(rnnlm, tmp_path):
    assert rnnlm("data", "check") == (0, "", "")  # nothing here, nothing wrong
    rnnlm("data", "fetch", "toy", "--from", ".")
    assert rnnlm("data", "check") == (0, "data/toy/toy.txt: verified\n", "")
    assert rnnlm("data", "check", "toy", "made") == (
        1,
        "data/toy/toy.txt: verified\n"
        "data/made/train.txt: missing\n"
        "data/made/valid.txt: missing\n"
        "data/made/test.txt: missing\n",
        "rnnlm: error: missing or damaged: made\n"
        "  hint: `rnnlm data fetch made` brings what is missing; with --force, all\n",
    )
    tmp_path.joinpath("data/toy/toy.txt").write_bytes(b"short")
    assert rnnlm("data", "check") == (
        1,
        "data/toy/toy.txt: found 5 bytes, wanted 25\n",
        "rnnlm: error: missing or damaged: toy\n"
        "  hint: `rnnlm data fetch toy` brings what is missing; with --force, all\n",
    )


def test_a_real_process_that_needs_no_numpy():
    script = "import sys, rnnlm.cli.data, rnnlm.corpora.catalogue; print('numpy' in sys.modules, 'tqdm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
    done = subprocess.run([sys.executable, "-m", "rnnlm", "data", "list"], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "name", "python-docs", "python-packages", "addition-2", "addition-3", "numbers", "ptb", "wikitext-2",
        "tiny-shakespeare",
    ]  # fmt: skip
    assert all(line.endswith("missing") for line in lines[1:])
