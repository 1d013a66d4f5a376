"""`rnnlm data`: what it prints, and the exit status that goes with it."""

import hashlib
import subprocess
import sys

import pytest

from rnnlm.corpora import catalogue
from rnnlm.corpora.catalogue import Corpus
from rnnlm.corpora.download import File

TEXT = b"one two three\n\nfour five\n"


def build(progress):
    progress(1, 1)
    return {"train": ["a b c", "d e f"], "valid": ["g h i"], "test": ["j k l"]}, ["no topics"]


@pytest.fixture(autouse=True)
def corpora(tmp_path, monkeypatch):
    """Two small corpora instead of the real ones, a working directory of one's own, and a copy of the text in it."""
    file = File("toy.txt", len(TEXT), hashlib.sha256(TEXT).hexdigest())
    url = "https://example.invalid"
    toy = Corpus("toy", "a text", 0.5, 12.25, "free", "nowhere", url=url, files=(file,))
    made = Corpus("made", "four lines", 1.25, 6.0, "free as well", "here", build=build)
    monkeypatch.setattr(catalogue, "CORPORA", {corpus.name: corpus for corpus in (toy, made)})
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("toy.txt").write_bytes(TEXT)


def test_list(rnnlm):
    rnnlm("data", "fetch", "toy", "--from", ".")
    assert rnnlm("data", "list") == (
        0,
        "name  what        M words    MB  licence       here\n"
        "toy   a text         0.50  12.2  free          verified\n"
        "made  four lines     1.25   6.0  free as well  missing\n",
        "",
    )
    assert rnnlm("data", "list", "--dir", "elsewhere")[1].count("missing") == 2


def test_list_of_some_with_all_that_is_known_of_them(rnnlm):
    status, out, _ = rnnlm("data", "list", "made", "toy")
    assert status == 0
    for word in ("made: four lines", "free as well", "here", "train.txt valid.txt test.txt", "toy: a text", "12.2 MB"):
        assert word in out
    assert rnnlm("data", "list", "tou")[0] == 2


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
    status, out, err = rnnlm("data", "fetch", "made", "tou")
    assert (status, out) == (2, "")
    assert err.startswith("rnnlm: error: unknown corpus 'tou'; did you mean 'toy'?\n  hint: ")
    assert not tmp_path.joinpath("data").exists()


def test_fetch_of_what_is_not_there(rnnlm):
    status, out, err = rnnlm("data", "fetch", "toy", "--from", "nowhere")
    assert (status, out) == (1, "")
    assert err.startswith("rnnlm: error: nowhere: ")
    assert "toy.txt" in err


def test_check(rnnlm, tmp_path):
    assert rnnlm("data", "check") == (0, "", "")  # nothing here, nothing wrong
    rnnlm("data", "fetch", "toy", "--from", ".")
    assert rnnlm("data", "check") == (0, "data/toy/toy.txt: verified\n", "")
    status, out, err = rnnlm("data", "check", "toy", "made")
    assert (status, out.splitlines()[:2]) == (1, ["data/toy/toy.txt: verified", "data/made/train.txt: missing"])
    assert out.count("missing") == 3
    assert err.startswith("rnnlm: error: missing or damaged: made\n")
    assert "`rnnlm data fetch made`" in err
    tmp_path.joinpath("data/toy/toy.txt").write_bytes(b"short")
    status, out, err = rnnlm("data", "check")
    assert (status, out.startswith("data/toy/toy.txt: found SHA-256 ")) == (1, True)
    assert hashlib.sha256(TEXT).hexdigest() in out
    assert "`rnnlm data fetch toy`" in err


def test_a_real_process_that_needs_no_numpy():
    script = "import sys, rnnlm.cli.data, rnnlm.corpora.catalogue; print('numpy' in sys.modules, 'tqdm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
    done = subprocess.run([sys.executable, "-m", "rnnlm", "data", "list"], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "name", "python-docs", "python-packages", "addition-2", "addition-3", "numbers", "logic", "chinese", "ptb",
        "wikitext-2", "tiny-shakespeare",
    ]  # fmt: skip
    assert all(line.endswith("missing") and len(line) <= 80 for line in lines[1:])
