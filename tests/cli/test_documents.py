"""Documents, parted by empty lines: a run is trained, validated and evaluated with each begun anew."""

import json
import random

import numpy as np
import pytest

from rnnlm import config
from rnnlm.errors import UsageError
from rnnlm.experiment import Config, prepare
from rnnlm.training import progress
from rnnlm.training.checkpoint import Checkpoint
from tests.conftest import TINY, sentence


@pytest.fixture
def run(rnnlm, tmp_path):
    """A run on documents of a few sentences, and how it is evaluated."""
    rng = random.Random(3)
    for name, number in (("train", 30), ("valid", 8), ("test", 6)):
        documents = ["".join(sentence(rng) + "\n" for _ in range(rng.randint(1, 6))) for _ in range(number)]
        (tmp_path / f"{name}.txt").write_text("\n".join(documents))
    (tmp_path / "tiny.yaml").write_text(TINY)
    status, _, said = rnnlm("train", "tiny.yaml", "-o", "run", "--set", "data.documents=blank_line")
    assert status == 0, said
    assert "train: 30 documents, " in said
    assert "valid: 8 documents, " in said
    return rnnlm


def test_validation_and_eval_agree(run, tmp_path):
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    nats = min(row["valid_nats"] for row in rows if "valid_nats" in row)
    status, out, said = run("eval", "run", "valid.txt", "--json")
    assert status == 0
    assert "7 empty lines part 8 documents" in said
    assert json.loads(out)["nats_per_token"] == pytest.approx(nats, rel=1e-5)


def test_figures_are_those_of_the_documents_one_by_one(run, tmp_path):
    parts = (tmp_path / "test.txt").read_text().split("\n\n")
    whole = json.loads(run("eval", "run", "test.txt", "--json")[1])
    alone = [json.loads(run("eval", "run", "-", "--json", stdin=part.encode())[1]) for part in parts]
    assert whole["logprob_unk"] == pytest.approx(sum(one["logprob_unk"] for one in alone), rel=1e-6)
    assert whole["words"] == sum(one["words"] for one in alone)
    options = ["--cache", 9, "--dynamic", "0.01"]
    whole = json.loads(run("eval", "run", "test.txt", "--json", *options)[1])
    alone = [json.loads(run("eval", "run", "-", "--json", *options, stdin=part.encode())[1]) for part in parts]
    assert whole["logprob_unk"] == pytest.approx(sum(one["logprob_unk"] for one in alone), rel=1e-6)
    compared = json.loads(run("compare", "run", "run", "--text", "test.txt", "--json")[1])
    assert compared["models"][0]["ppl"] == pytest.approx(
        json.loads(run("eval", "run", "test.txt", "--json")[1])["ppl"], rel=1e-6
    )


def test_resuming_goes_on_within_a_document(run):
    settings = config.load("tiny.yaml", Config, ["data.documents=blank_line", "training.window=3"])[0]
    whole, first, second = (prepare(settings).trainer for _ in range(3))
    fresh = [batch.fresh for batch in whole.reading.batches(0, whole.shuffle())]
    stop = next(i for i in range(4, len(fresh)) if not fresh[i])  # its state comes from the batch before
    for trainer, steps in ((whole, stop + 3), (first, stop)):
        for _, batch in zip(range(steps), trainer.reading.batches(0, trainer.shuffle())):
            trainer.step(batch)
    second.network.params.flat[...] = first.network.params.flat
    progress.restore(second, Checkpoint({}, b"", {}, {}, **progress.save(first)))
    for _, batch in zip(range(3), second.reading.batches(second.progress.position, second.shuffle())):
        second.step(batch)
    np.testing.assert_array_equal(second.network.params.flat, whole.network.params.flat)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"level": "char", "blank_lines": True}, "blank_lines"),
        ({"reading": "sentences"}, "no state"),
        ({"reading": "blanks"}, "no state"),
        ({"documents": "page"}, "blank_line"),
    ],
)
def test_options_that_do_not_go_with_documents(data, words):
    model = {"kind": "blank"} if data.get("reading") == "blanks" else {}
    with pytest.raises(UsageError, match=words):
        config.build(Config, {"data": {"train": "t", "documents": "blank_line", **data}, "model": model})
