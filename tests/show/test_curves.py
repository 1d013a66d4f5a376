"""Curves of trainings: what is read from a log, what is drawn, and where the ticks are."""

import json
import math
import random

import pytest

from rnnlm.errors import DataError, UsageError
from rnnlm.show.curves import courses, marks, panels, ticks
from rnnlm.training.progress import Divergence
from rnnlm.training.run import Run


def validation(step, nats, **more):
    return {
        "epoch": step / 10, "step": step, "lr": 0.1, "clipped": 0.5, "train_nats": nats + 1, "valid_nats": nats,
        "best": True, "seconds": step / 2, **more,
    }  # fmt: skip


def update(step, loss, **more):
    return {"epoch": step / 10, "step": step, "loss": loss, "norm": 2.0, "lr": 0.1, "clipped": 0.25, **more}


@pytest.fixture
def run(tmp_path, tiny):
    """A function that makes a run directory with these lines in its log, and overrides of its configuration."""

    def make(name, records, *overrides):
        made = Run(tmp_path / name)
        made.path.mkdir()
        made.describe(tiny(*overrides), [])
        for record in records:
            made.log(record)
        return made.path

    return make


def drawn(course, **options):
    """{(panel, kind): (x, y)} of one training."""
    return {(panel.key, line.kind): (line.x, line.y) for panel in panels([course], **options) for line in panel.lines}


def test_a_run_as_it_is_trained(trained):
    (course,) = courses([trained["stream"]])
    lines = [json.loads(line) for line in (trained["stream"] / "log.jsonl").read_text().splitlines()]
    validations = [line for line in lines if "valid_nats" in line]
    assert course.validations["valid_nats"] == [line["valid_nats"] for line in validations]
    assert course.name == "stream"
    assert (course.unit, course.perplexity) == ("token", "perplexity")
    found = drawn(course)
    assert found["loss", "valid"] == ([1.0, 2.0], [math.exp(line["valid_nats"]) for line in validations])
    assert {key for key, _ in found} >= {"loss", "lr", "clipped"}


def test_lines_of_updates_take_the_place_of_the_means_of_validations(run):
    path = run("a", [update(5, 4.0), validation(10, 3.0), update(10, 3.5), update(15, 3.0)])
    (course,) = courses([path])
    found = drawn(course, x="steps", perplexity=False)
    assert found["loss", "train"] == ([5, 10, 15], [4.0, 3.5, 3.0])
    assert found["loss", "valid"] == ([10], [3.0])
    assert found["norm", ""] == ([5, 10, 15], [2.0] * 3)
    assert found["clipped", ""] == ([5, 10, 15], [0.25] * 3)


def test_an_old_log_of_validations_alone(run):
    path = run("a", [validation(10, 3.0), validation(20, 2.0)])
    found = drawn(courses([path])[0], perplexity=False)
    assert found == {
        ("loss", "train"): ([1.0, 2.0], [4.0, 3.0]), ("loss", "valid"): ([1.0, 2.0], [3.0, 2.0]),
        ("lr", ""): ([1.0, 2.0], [0.1, 0.1]), ("clipped", ""): ([1.0, 2.0], [0.5, 0.5]),
    }  # fmt: skip


def test_steps_that_were_made_again_are_drawn_once_and_divergences_are_marked(run):
    broken = Divergence(1.2, 12, 0.1, "loss nan", "the weights of step 5 (last.npz)", 0.05)._asdict()
    again = [update(10, 2.5, lr=0.05), validation(10, 2.2), update(15, 2.0, lr=0.05)]
    path = run("a", [update(5, 4.0), update(10, 3.0), validation(10, 2.9), broken, *again])
    (course,) = courses([path])
    assert course.updates["step"] == [5, 10, 15]
    assert course.updates["loss"] == [4.0, 2.5, 2.0]
    assert course.validations["valid_nats"] == [2.2]
    assert marks([course], "steps") == [(0, 12)]
    assert course.divergences["back"] == ["the weights of step 5 (last.npz)"]


def test_seconds_of_lines_that_do_not_have_them_lie_between_those_that_do(run):
    broken = Divergence(1.5, 15, 0.1, "loss nan")._asdict()
    path = run("a", [update(5, 4.0), validation(10, 3.0), broken, validation(20, 2.0, seconds=30), update(30, 1.0)])
    (course,) = courses([path])
    assert course.updates["seconds"] == [2.5, 45.0]
    assert course.divergences["seconds"] == [17.5]
    path = run("b", [update(5, 4.0, seconds=1.0), update(10, 4.0, seconds=4.0)])
    assert courses([path])[0].updates["seconds"] == [1.0, 4.0]
    path = run("c", [update(5, 4.0)])
    (course,) = courses([path])
    assert course.updates["seconds"] == [None]
    assert panels([course], "seconds") == []


def test_a_number_that_is_not_finite_leaves_no_point(run):
    path = run("a", [update(5, None, norm=math.inf), update(10, 800.0), validation(20, math.nan)])
    found = drawn(courses([path])[0])
    assert ("loss", "train") not in found
    assert found["norm", ""] == ([1.0], [2.0])
    (course,) = courses([path])
    assert json.loads(json.dumps(course.__dict__), parse_constant=pytest.fail) == course.__dict__


def test_the_line_that_is_being_written_is_not_read(run):
    path = run("a", [update(5, 4.0)])
    with open(path / "log.jsonl", "a") as file:
        file.write('{"epoch": 1.0, "st')
    assert courses([path])[0].updates["step"] == [5]
    with open(path / "log.jsonl", "a") as file:
        file.write("\n")
    with pytest.raises(DataError, match="log.jsonl:2"):
        courses([path])


def test_a_run_before_its_first_line(run):
    assert courses([run("a", [])])[0].empty


def test_what_is_no_run(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        courses([tmp_path / "nowhere"])


def test_runs_are_named_by_what_differs(run):
    rates = [run(name, [], f"optimizer.lr={rate}") for name, rate in (("a", 0.1), ("b", 0.2))]
    assert [course.name for course in courses(rates)] == ["lr 0.1", "lr 0.2"]
    kinds = [run("c", [], "optimizer=adagrad"), run("d", [], "optimizer=adam")]
    assert [course.name for course in courses(kinds)] == ["optimizer adagrad, lr 0.1", "optimizer adam, lr 0.003"]
    assert [course.name for course in courses([rates[0], rates[0] / ".." / "a"])] == [str(rates[0]), f"{rates[0]}/../a"]
    many = [rates[0], run("e", [], "seed=7", "model.cell.size=5", "model.embedding=3", "training.epochs=99")]
    assert [course.name for course in courses(many)] == ["a", "e"]


def test_without_a_validation_text_there_is_no_line_of_one(run):
    path = run("a", [validation(10, 3.0)], "data.valid=null")
    found = drawn(courses([path])[0], perplexity=False)
    assert ("loss", "valid") not in found
    assert found["loss", "train"] == ([1.0], [4.0])


def test_log_axes_are_for_positive_numbers(run):
    path = run("a", [update(5, 4.0, norm=0.0), update(10, 4.0)])
    assert {panel.key: panel.log for panel in panels(courses([path]))} == {
        "loss": True, "lr": False, "norm": False, "clipped": False
    }  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "most", "log", "wanted"),
    [
        (0, 6, 6, False, [0, 2, 4, 6]),
        (0, 1, 4, False, [0, 0.5, 1]),
        (1e-9, 0.004, 5, False, [0.001, 0.002, 0.003, 0.004]),
        (63, 190, 6, True, [80, 100, 120, 140, 160, 180]),
        (63, 1900, 6, True, [100, 200, 500, 1000]),
        (0.5, 2e9, 4, True, [1, 1000, 1e6, 1e9]),
        (3, 3, 5, False, [3]),
    ],
)
def test_ticks(low, high, most, log, wanted):
    assert ticks(low, high, most, log) == wanted


def test_ticks_are_few_and_lie_on_the_axis():
    rng = random.Random(1)
    for _ in range(2000):
        low = rng.choice([0, rng.uniform(-50, 50), 10 ** rng.uniform(-9, 9)])
        high = low + 10 ** rng.uniform(-6, 9) * max(abs(low), 1e-3)
        most, log = rng.randint(2, 9), rng.random() < 0.5
        found = ticks(low, high, most, log)
        slack = 1e-6 * (high - low)
        assert len(found) <= most
        assert all(low - slack <= tick <= high + slack for tick in found)
        assert found == sorted(set(found))


def test_a_blank_model_has_pseudo_perplexity_and_a_classifier_counts_sentences(run, tmp_path):
    model = "{kind: blank, embedding: 4, cell: {size: 4}}"
    blank = run("blank", [validation(10, 3.0)], "data.reading=blanks", f"model={model}")
    (course,) = courses([blank])
    assert (course.unit, course.perplexity) == ("token", "pseudo-perplexity")
    assert panels([course])[0].label == "pseudo-perplexity"
    for name in ("train", "valid"):
        (tmp_path / f"{name}.tsv").write_text("good\tthe cat\nbad\tthe dog\n")
    model = "{kind: classifier, embedding: 4, cell: {size: 4}}"
    texts = "data={train: train.tsv, valid: valid.tsv, reading: labelled}"
    classifier = run("classifier", [validation(10, 3.0)], texts, f"model={model}")
    (course,) = courses([classifier])
    assert course.unit == "sentence"
    assert panels([course], perplexity=False)[0].label == "cross-entropy (nats per sentence)"
    assert panels(courses([blank, classifier]))[0].label == "pseudo-perplexity or perplexity"
