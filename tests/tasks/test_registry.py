"""A new task is one class: every command takes its models."""

import subprocess
import sys

import pytest

from tests.kinds import SETTINGS

NEW = """
import sys
from dataclasses import dataclass
from rnnlm.cli import main
from rnnlm.nn.models import Classifier
from rnnlm.tasks.base import Answer
from rnnlm.tasks.labelled import Labelled


class Lengths(Labelled, reading="lengths"):
    doc = "how long a text is"
    unit, outcomes, commands, next = "text", "lengths", ("predict", "fill"), ("fill {} TEXT",)

    def evaluate(self, network, corpus, batch):
        return {"right": corpus.sentences}

    def report(self, figures):
        return [f"right: {figures['right']}"]

    def predict(self, network, text, k, beam):
        yield Answer({"length": len(text)}, [f"length {len(text)}"])


@dataclass(frozen=True)
class Measure(Classifier, kind="measure"):
    readings = ("lengths",)


main(sys.argv[1:])
"""


@pytest.fixture
def rnnlm(task, tmp_path):
    task("labelled")
    settings = {"data": {"train": "train.txt", "reading": "lengths"}, "training": {"epochs": 1, "batch": 8}}
    settings["model"] = {**SETTINGS["labelled"], "kind": "measure"}
    (tmp_path / "c.yaml").write_text(str(settings))

    def run(*arguments):
        done = subprocess.run([sys.executable, "-c", NEW, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return run


def test_a_task_of_ones_own(rnnlm, tmp_path):
    training = rnnlm("train", "c.yaml", "-o", "run")
    assert "nats per text (uniform over the lengths" in training
    assert "rnnlm fill run TEXT" in training
    assert rnnlm("eval", "run", "valid.txt").splitlines()[1:] == ["right: 20"]
    assert '"kind": "measure"' in rnnlm("eval", "run", "valid.txt", "--json")
    assert rnnlm("predict", "run", "four") == rnnlm("fill", "run", "four") == "length 4\n"
    assert rnnlm("predict", "run", "four", "--json") == '{"length": 4}\n'
    assert "kind        measure" in rnnlm("info", "run")
    assert "passed" in rnnlm("gradcheck", "run")
    assert "passed" in rnnlm("gradcheck", "c.yaml")
    assert "lengths: how long a text is" in rnnlm("config", "explain", "data.reading")
