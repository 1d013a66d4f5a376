"""The Python interface as docs/python.md shows it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnnlm
from rnnlm.errors import DataError
from rnnlm.lm import arpa
from rnnlm.lm.kneser_ney import estimate, read
from rnnlm.text.vocab import EOS, OOV, UNK

PAGE = Path(__file__).parent.parent / "docs" / "python.md"


@pytest.fixture
def folder(trained, tmp_path, monkeypatch):
    """A working directory with what the page speaks of: runs/demo and kn5.arpa."""
    shutil.copytree(trained["sentences"], tmp_path / "runs" / "demo")
    with open(tmp_path / "kn5.arpa", "wb") as file:
        train = trained["test.txt"].with_name("train.txt")
        arpa.write(estimate(*read([train])), file)
    monkeypatch.chdir(tmp_path)


def test_the_example_of_the_page_runs(folder, capsys):
    (section,) = re.findall(r"## From Python\n(.*?)\n## ", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    code = "\n".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL))
    exec(compile(code, str(PAGE), "exec"), {})
    shown = capsys.readouterr().out.split()
    assert len(shown) == 5 + 4 + 1  # four words and the end; four steps; a mixture
    assert all(np.isfinite(float(x.strip("[]"))) for x in shown)


@pytest.mark.parametrize("name", ["runs/demo", "runs/demo/best.npz", "kn5.arpa", "mixture"])
def test_a_walk_is_the_score_word_by_word(folder, name):
    model = rnnlm.mix([rnnlm.load("runs/demo"), rnnlm.load("kn5.arpa")]) if name == "mixture" else rnnlm.load(name)
    words = ["the", "cat", "quagga", "sees"]
    (log_p,) = model.log_probs([words])
    place = start = model.walk()
    for i, expected in zip([*model.vocab.ids(words), EOS], log_p):
        assert place.log_p[UNK if i == OOV else i] == pytest.approx(expected, abs=1e-5)
        assert np.exp(place.log_p).sum() == pytest.approx(1, abs=1e-5)
        place = place.after("quagga" if i == OOV else model.vocab.words[i])
    np.testing.assert_array_equal(start.after("the").log_p, model.walk().after("the").log_p)  # walks may branch


def test_a_model_that_is_not_there():
    with pytest.raises(DataError) as error:
        rnnlm.load("gone")
    assert error.value.message == f"gone: no such model (looked in {Path('gone').absolute()})"


def test_import_is_light():
    code = "import sys, rnnlm; print('numpy' in sys.modules, rnnlm.__all__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False ['load', 'mix']\n"
