"""Summaries of run directories."""

import math

import pytest

from rnnlm.errors import DataError
from rnnlm.show.runs import settings_that_differ, summarize
from rnnlm.training.progress import Divergence
from rnnlm.training.run import Run


def test_results_are_those_of_the_log(tmp_path, tiny):
    run = Run(tmp_path / "run")
    run.path.mkdir()
    run.describe(tiny(), [])
    assert set(summarize(run.path).results.values()) == {None, 0}
    for epoch, nats in ((1.0, 3.0), (2.0, 2.0), (3.0, 2.5)):
        run.log({"epoch": epoch, "valid_nats": nats, "valid_ppl": math.exp(nats), "train_ppl": 9, "seconds": 4 * epoch})
    summary = summarize(run.path)
    assert summary.results == {
        "valid_nats": 2.0, "valid_ppl": math.exp(2), "valid_ppl_known": None,
        "best_epoch": 2.0, "train_ppl": 9, "epochs": 3.0, "seconds": 12.0,
        "diverged": 0,
    }  # fmt: skip
    run.log(Divergence(3.5, 70, 0.1, "loss nan", "the best weights", 0.05)._asdict())
    assert summarize(run.path).results == {**summary.results, "diverged": 1}
    assert settings_that_differ([summary, summary]) == {}
    other = summary._replace(config={**summary.config, "seed": 7, "schedule": {"kind": "step", "first": 3}})
    assert settings_that_differ([summary, other]) == {
        "schedule.kind": ["constant", "step"], "schedule.warmup": [0.0, None], "schedule.first": [None, 3],
        "seed": [1, 7],
    }  # fmt: skip
    with open(run.path / "log.jsonl", "a") as file:
        file.write('{"epoch": "x"}')
    assert summarize(run.path).results["diverged"] == 1  # the line that is just being written is not read
    with open(run.path / "log.jsonl", "a") as file:
        file.write("\n")
    with pytest.raises(DataError, match=r"log.jsonl:5: .*validation"):
        summarize(run.path)
