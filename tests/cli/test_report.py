"""`rnnlm report`: where the page goes, and what is refused."""

import sys
from pathlib import Path

import pytest

from tests.cli.refused import assert_refused
from tests.report import runs


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return runs.train(tmp_path_factory.mktemp("run"))


def test_page_beside_the_run(rnnlm, tmp_path):
    run = runs.train(tmp_path)
    status, out, err = rnnlm("report", run)
    assert (status, out) == (0, "")
    assert err == f"{run}/report.html: {(run / 'report.html').stat().st_size:,} bytes, 10 sections\n"
    assert (run / "report.html").read_bytes().startswith(b"<!doctype html>")
    assert_refused(rnnlm("report", run), 2, "report.html", "exists already", "--force")
    assert rnnlm("report", run, "--force")[0] == 0
    assert rnnlm("train", run, "--force", "-q")[0] == 0  # another run, of which the page would not speak
    assert not (run / "report.html").exists()


def test_model_file(rnnlm, run, tmp_path):
    status, _, err = rnnlm("report", run / "best.npz", "-o", "page.html")
    assert status == 0
    assert "8 sections; left out: how it went, samples over time" in err
    assert (tmp_path / "page.html").exists()


def test_standard_output(rnnlm, run):
    status, out, err = rnnlm("report", run, "-o", "-")
    assert (status, err[:10]) == (0, "<stdout>: ")
    assert out.startswith("<!doctype html>")
    assert out.endswith("</html>")


def test_sentence(rnnlm, run):
    status, out, _ = rnnlm("report", run, "-o", "-", "--sentence", "the zebra sees <b>me</b>")
    assert status == 0
    assert "the zebra sees &lt;b&gt;me&lt;/b&gt;" in out


def test_devices_and_folders(rnnlm, run, tmp_path):
    (tmp_path / "folder").mkdir()
    assert_refused(rnnlm("report", run, "-o", "folder"), 2, "folder", "is a directory")
    assert rnnlm("report", run, "-o", "/dev/null")[0] == 0
    assert not Path("/dev/null").is_file()
    assert_refused(rnnlm("report", run, "-o", "none/page.html"), 2, "none")


def test_what_is_no_run(rnnlm, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("the cat\n")
    assert_refused(rnnlm("report", "empty"), 1, "empty", "no model")
    assert_refused(rnnlm("report", "text.txt"), 1, "text.txt")
    assert_refused(rnnlm("report", "nowhere"), 1, "nowhere")
    assert list(tmp_path.glob("**/report.html")) == []


def test_text_that_is_not_there(rnnlm, run, tmp_path):
    assert_refused(rnnlm("report", run, "-o", "page.html", "--text", "none.txt"), 1, "none.txt", "no such file")
    assert not (tmp_path / "page.html").exists()


def test_broken_log(rnnlm, tmp_path):
    run = runs.train(tmp_path)
    with (run / "log.jsonl").open("a") as log:
        log.write("{broken\n")
    assert_refused(rnnlm("report", run), 1, "log.jsonl:")


def test_without_jinja(rnnlm, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert_refused(rnnlm("report", run, "-o", "page.html"), 2, "jinja2", "rnnlm[report]")
