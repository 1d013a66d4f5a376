"""The cell of CONTRIBUTING.md, put into a copy of the package as it says: one file and one import."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONFIG = """\
data: {train: train.txt, valid: 0.2}
model: {embedding: 4, cell: {kind: independent, size: 6}}
optimizer: {kind: adam, lr: 0.01}
training: {epochs: 3, batch: 4, window: 5}
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A function that runs Python in its `folder` with the package, the cell in it, a text and a configuration."""
    folder, text = tmp_path_factory.mktemp("copy"), (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shutil.copytree(ROOT / "rnnlm", folder / "rnnlm", ignore=shutil.ignore_patterns("__pycache__"))
    (cell,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (path,) = re.findall(r"Here is a whole one; `(.*?)`", text)
    (line,) = re.findall(r"^    (from rnnlm\.nn\.cells\.\w+ import \w+)$", text, re.MULTILINE)
    (folder / path).write_text(cell, encoding="utf-8")
    with (folder / "rnnlm" / "nn" / "cells" / "__init__.py").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    (folder / "train.txt").write_text("the cat sees a bird\nthe bird sees a dog\n" * 30, encoding="utf-8")
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    tests = os.pathsep.join(map(str, (folder, ROOT)))
    environment = os.environ | {"PYTHONPATH": tests}

    def run(*arguments):
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    run.folder = folder
    return run


def test_its_gradient_is_right(copy):
    done = copy("-m", "rnnlm", "gradcheck", "config.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith("cell.")] == [
        "cell.U", "cell.w", "cell.b",
    ]  # fmt: skip


def test_it_trains(copy):
    done = copy("-m", "rnnlm", "train", "config.yaml", "-o", "run")
    assert done.returncode == 0, done.stderr
    log = [json.loads(line) for line in (copy.folder / "run" / "log.jsonl").read_text().splitlines()]
    first, *_, last = (validation["valid_nats"] for validation in log)
    assert last < first


def test_it_passes_the_tests_of_all_cells(copy):
    code = (
        "import pytest, sys; from tests import kinds; from rnnlm.nn.cells import Independent; kinds.CELLS.clear(); "
        "kinds.CELLS['independent'] = Independent(size=3); "
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '-k', 'independent', "
        f"{str(ROOT / 'tests/nn/test_cells.py')!r}, {str(ROOT / 'tests/nn/test_gradcheck.py')!r}]))"
    )
    done = copy("-c", code)
    assert done.returncode == 0, done.stdout + done.stderr
