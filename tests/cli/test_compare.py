"""`rnnlm compare`: models on a text, and runs."""

import csv
import json
import os

import pytest

from rnnlm import train
from rnnlm.cli import compare, tables
from rnnlm.cli.compare import show_runs
from rnnlm.cli.tables import width
from rnnlm.errors import NumericalError
from rnnlm.lm import arpa
from rnnlm.lm.kneser_ney import estimate, read
from tests.cli.refused import assert_refused


@pytest.fixture
def kn(trained, tmp_path):
    arpa.save(estimate(*read([trained["test.txt"].with_name("train.txt")]), 3), tmp_path / "kn.arpa")
    return "kn.arpa"


def test_compare_models(rnnlm, trained, kn):
    models = (trained["stream"], trained["sentences"], kn)
    status, out, err = rnnlm("compare", *models, "--text", trained["test.txt"], "--words", 3)
    assert (status, err) == (0, "")
    head, names, *rows = out.splitlines()
    assert head.startswith(f"{trained['test.txt']}: 60 sentences, ")
    assert names.split()[:4] == ["model", "vocab", "OOVs", "ppl"]
    assert [row.split()[1] for row in rows[:3]] == [*(f"{path}/best.npz" for path in models[:2]), "kn.arpa"]
    assert len(rows) == 3 + 3 + 3
    facts = json.loads(rnnlm("compare", *models, "--text", trained["test.txt"], "--words", 3, "--json")[1])
    assert list(facts) == ["text", "sentences", "tokens", "left_out", "resamples", "seed", "models", "words"]
    assert [float(row.split()[4]) for row in rows[:3]] == [round(model["ppl"], 2) for model in facts["models"]]
    for model in facts["models"]:
        assert model["ppl_interval"][0] < model["ppl"] < model["ppl_interval"][1]
        assert model["ratio_interval"][0] <= model["ratio"] <= model["ratio_interval"][1]
    assert [row.split()[0] for row in rows[-3:]] == [entry["word"] for entry in facts["words"]]


def test_compared_perplexity_is_evals_where_vocabularies_are_the_same(rnnlm, trained):
    models = (trained["stream"], trained["sentences"])
    facts = json.loads(rnnlm("compare", *models, "--text", trained["test.txt"], "--json")[1])
    for path, model in zip(models, facts["models"]):
        found = json.loads(rnnlm("eval", path, trained["test.txt"], "--json")[1])
        assert model["ppl"] == pytest.approx(found["ppl"], rel=1e-6)
        assert model["oovs"] == found["oovs"]


CAPITALS = """\\data\\
ngram 1=6

\\1-grams:
-99\t<s>
-0.5\t</s>
-1\t<unk>
-0.7\tThe
-0.8\tthe
-0.9\tcat

\\end\\
"""


@pytest.fixture
def lower(rnnlm, tmp_path):
    """A run of a network that lowercases its text, beside an ARPA file with capitals and a text."""
    (tmp_path / "train.txt").write_text("The cat\nthe Cat\n" * 20)
    (tmp_path / "test.txt").write_text("The cat\nthe cat\n")
    (tmp_path / "cased.arpa").write_text(CAPITALS)
    (tmp_path / "low.yaml").write_text(
        "data: {train: train.txt, lower: true, reading: sentences}\n"
        "model: {embedding: 4, cell: {size: 4}}\ntraining: {epochs: 1, batch: 4}\n"
    )
    assert rnnlm("train", "low.yaml", "-o", "low", "-q")[0] == 0
    return "low"


def test_models_with_and_without_capitals_are_compared_as_eval_has_them(rnnlm, lower):
    status, out, err = rnnlm("compare", lower, "cased.arpa", "--text", "test.txt", "--json")
    assert (status, "lower case for low" in err, "cased.arpa" in err) == (0, True, True)
    facts = json.loads(out)
    assert (facts["tokens"], facts["left_out"]) == (6, 0)
    for model in facts["models"]:
        found = json.loads(rnnlm("eval", model["model"], "test.txt", "--json")[1])
        assert model["ppl"] == pytest.approx(found["ppl"], rel=1e-6)
    assert rnnlm("compare", "cased.arpa", "cased.arpa", "--text", "test.txt")[2] == ""


@pytest.mark.parametrize("command", ["eval", "score", "rescore"])
def test_a_mixture_that_lowercases_warns_of_a_model_with_capitals(rnnlm, lower, tmp_path, command):
    (tmp_path / "test.txt").write_text("u the cat\n")
    more = ("-f", "mikolov") if command == "rescore" else ()
    status, _, err = rnnlm(command, lower, "test.txt", "--mix", "cased.arpa", *more)
    assert status == 0
    (warning,) = [line for line in err.splitlines() if line.startswith("warning: ")]
    assert [
        word for word in ("cased.arpa", "1 words with capitals", "'The'", "lowercases") if word not in warning
    ] == []


def test_a_perplexity_of_300_digits_has_an_exponent(rnnlm, tmp_path):
    (tmp_path / "test.txt").write_text("the cat\n")
    (tmp_path / "far.arpa").write_text(CAPITALS.replace("-0.5\t<", "-98\t<").replace("-0.9\tcat", "-98.5\tcat"))
    (tmp_path / "near.arpa").write_text(CAPITALS)
    status, out, _ = rnnlm("compare", "near.arpa", "far.arpa", "--text", "test.txt")
    assert (status, "e+65" in out) == (0, True)
    assert max(map(len, out.split())) < 20
    _, out, _ = rnnlm("-rnnlm", "far.arpa", "-test", "test.txt")
    assert "PPL net: 5.8" in out
    assert "e+65" in out


def test_compare_runs(rnnlm, trained):
    status, out, err = rnnlm("compare", trained["stream"], trained["char"])
    assert (status, "vocabularies differ" in err) == (0, True)
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == [str(trained["stream"]), str(trained["char"])]
    assert ["data.level", '"word"', '"char"'] in rows
    assert ["data.min_count", "2", "1"] in rows
    assert [row[0] for row in rows[-5:]] == ["valid_ppl", "best_epoch", "train_ppl", "epochs", "seconds"]
    facts = json.loads(rnnlm("compare", trained["stream"], trained["char"], "--json")[1])
    assert list(facts) == ["runs", "settings", "results", "ranked_by", "groups"]
    assert facts["settings"]["data.level"] == ["word", "char"]


def test_rows_for_runs_without_a_perplexity_and_for_those_that_diverged():
    one = {"valid_nats": 2.5, "valid_ppl": None, "best_epoch": 1.0, "train_ppl": None, "epochs": 1.0, "seconds": 3.0}
    results = [{**one, "diverged": 0, "state": "finished"}, {**one, "diverged": 2, "state": "diverged"}]
    facts = {"runs": ["a", "b"], "settings": {}, "results": results}
    assert [line.split() for line in show_runs(facts)] == [
        ["a", "b"], ["valid_nats", "2.5000", "2.5000"], ["valid_ppl", "-", "-"], ["best_epoch", "1.00", "1.00"],
        ["train_ppl", "-", "-"], ["epochs", "1.00", "1.00"], ["seconds", "3", "3"], ["diverged", "0", "2"],
        ["state", "finished", "diverged"],
    ]  # fmt: skip


@pytest.fixture
def sweep(rnnlm, tiny, diverging, monkeypatch):
    """A folder of runs: two rates with two seeds each, of which one is unfinished and one has diverged."""
    for lr in ("1e-3", "1e-2"):
        for seed in (1, 2):
            options = ("--set", "training.retries=0", "--set", f"optimizer.lr={lr}", "--seed", seed, "-q")
            assert rnnlm("train", "tiny.yaml", *options, "-o", f"s/{lr},{seed}")[0] == 0
    more = ("--set", "training.retries=0", "--set", "optimizer.lr=1e-2", "-q")
    assert rnnlm("train", "tiny.yaml", *more, "--seed", 3, "--max-time", "0s", "-o", "s/1e-2,3")[0] == 75
    with train("tiny.yaml", output="s/1e-2,4", overrides={
        "training.retries": 0, "optimizer.lr": 0.01, "seed": 4,
    }) as training:  # fmt: skip
        diverging(training.experiment.trainer, 20)
        with pytest.raises(NumericalError):
            list(training)
    return ["s/1e-3,1", "s/1e-3,2", "s/1e-2,1", "s/1e-2,2", "s/1e-2,3", "s/1e-2,4"]


def test_many_runs(rnnlm, sweep, tmp_path):
    (tmp_path / "s/begins").mkdir()
    (tmp_path / "s/begins/.lock").touch()
    status, out, err = rnnlm("compare", *sweep, "s/begins")
    assert (status, "s/begins" in err) == (0, True)
    heading, names, *rows = out.splitlines()
    means = rows[rows.index("") + 1 :]
    rows = [row.split() for row in rows[: rows.index("")]]
    assert heading.startswith("6 runs")
    assert names.split() == ["lr", "seed", "valid_ppl", "best", "at", "epoch", "seconds", "diverged", "state", "run"]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert {row[-1]: row[-2] for row in rows} == {
        path: {"s/1e-2,3": "unfinished", "s/1e-2,4": "diverged"}.get(path, "finished") for path in sweep
    }
    assert rows[-1][-1] == "s/1e-2,3"  # without a validation
    assert rows[-1][3] == "-"
    ppl = [float(row[3]) for row in rows[:-1]]
    assert ppl == sorted(ppl)
    assert [row.split()[:4] for row in means[1:3]] == [["lr", "runs", "valid_ppl", "sd"], ["0.01", "2", "of", "4"]]
    assert means[3].split()[:2] == ["0.001", "2"]
    of = {row[-1]: float(row[3]) for row in rows[:-1]}
    low = [of["s/1e-3,1"], of["s/1e-3,2"]]
    assert float(means[3].split()[2]) == pytest.approx(sum(low) / 2, abs=0.02)
    assert float(means[3].split()[3]) == pytest.approx(abs(low[0] - low[1]) / 2**0.5, abs=0.02)
    _, table, _ = rnnlm("compare", *sweep, "--csv")
    first, *others = csv.DictReader(table.splitlines())
    assert [row["run"] for row in (first, *others)] == [row[-1] for row in rows]
    assert list(first)[:5] == ["run", "optimizer.lr", "seed", "valid_nats", "valid_ppl"]
    assert float(first["valid_ppl"]) == pytest.approx(ppl[0], abs=0.005)
    assert (others[-1]["valid_ppl"], others[-1]["state"]) == ("", "unfinished")


def test_many_runs_that_are_no_sweep(rnnlm, tiny):
    """Other kinds: what comes with a kind is no column of its own, but in --json; nothing is said over seeds."""
    for kind in ("vanilla", "lstm", "gru"):
        assert rnnlm("train", "tiny.yaml", "--set", f"model.cell={{kind: {kind}, size: 5}}", "-o", kind, "-q")[0] == 0
    _, out, _ = rnnlm("compare", "vanilla", "lstm", "gru")
    assert out.splitlines()[1].split()[:2] == ["kind", "valid_ppl"]
    assert len(out.splitlines()) == 2 + 3
    facts = json.loads(rnnlm("compare", "vanilla", "lstm", "gru", "--json")[1])
    assert {"model.cell.kind", "model.cell.activation", "model.cell.forget_bias"} <= facts["settings"].keys()
    assert [group["valid_ppl_sd"] for group in facts["groups"]] == [None] * 3


def test_runs_whose_best_model_was_chosen_without_unknown_words(rnnlm, tiny, tmp_path):
    """They are ranked so, too."""
    (tmp_path / "valid.txt").write_text((tmp_path / "valid.txt").read_text() + "the gnu sees a gnu\n" * 20)
    for seed in (1, 2, 3):
        options = ("--set", "data.rare_as_unk=0", "--seed", seed)
        assert rnnlm("train", "tiny.yaml", *options, "-q", "-o", f"run{seed}")[0] == 0
    facts = json.loads(rnnlm("compare", "run1", "run2", "run3", "--json")[1])
    assert facts["ranked_by"] == "valid_ppl_known"
    known = [result["valid_ppl_known"] for result in facts["results"]]
    assert known == sorted(known)
    assert all(result["valid_ppl"] > result["valid_ppl_known"] for result in facts["results"])
    assert "no OOVs" in rnnlm("compare", "run1", "run2", "run3")[1]


def test_models_as_csv(rnnlm, trained):
    models = (trained["stream"], trained["sentences"])
    rows = list(csv.DictReader(rnnlm("compare", *models, "--text", trained["test.txt"], "--csv")[1].splitlines()))
    facts = json.loads(rnnlm("compare", *models, "--text", trained["test.txt"], "--json")[1])
    for row, model in zip(rows, facts["models"]):
        assert (row["model"], float(row["ppl"])) == (model["model"], model["ppl"])
        assert [float(row["ppl_interval_low"]), float(row["ppl_interval_high"])] == model["ppl_interval"]


@pytest.mark.parametrize("columns", [80, 120])
def test_many_runs_fit_the_terminal(rnnlm, sweep, monkeypatch, columns):
    monkeypatch.setattr(tables, "terminal_width", lambda: columns)
    monkeypatch.setattr(compare, "terminal_width", lambda: columns)
    os.rename("s/1e-2,1", f"s/{'文' * 20}-{'x' * 20}")
    _, out, _ = rnnlm("compare", *(path for path in sweep if path != "s/1e-2,1"), f"s/{'文' * 20}-{'x' * 20}")
    assert max(map(width, out.splitlines())) <= columns
    assert f"s/{'文' * 20}-{'x' * 20}" in out


def test_tables_fit_the_terminal(rnnlm, trained, kn, monkeypatch):
    monkeypatch.setattr(tables, "terminal_width", lambda: 80)
    _, out, _ = rnnlm("compare", trained["stream"], trained["char"])
    assert max(map(width, out.splitlines())) <= 80
    assert [row.split() for row in out.splitlines() if "data.level" in row] == [["data.level", '"word"', '"char"']]
    models = (trained["stream"], trained["sentences"], kn)
    _, out, _ = rnnlm("compare", *models, "--text", trained["test.txt"], "--words", 0)
    head, *rows = out.splitlines()
    assert max(map(width, rows)) <= 80
    assert [row.split()[0] for row in rows if row.startswith(("2", "3"))] == ["2", "3"] * (1 + rows.count(""))


@pytest.mark.parametrize(("arguments", "words"), [
    (("{stream}",), ("one model",)),
    (("{stream}", "{char}", "--json", "--csv"), ("--json", "--csv")),
    (("{stream}", "{stream}/best.npz"), ("{stream}/best.npz: not a run directory", "--text")),
    (("{stream}", "{char}", "--text", "{test}"), ("words", "characters")),
])  # fmt: skip
def test_errors(rnnlm, trained, arguments, words):
    names = {"stream": trained["stream"], "char": trained["char"], "test": trained["test.txt"]}
    found = rnnlm("compare", *(argument.format(**names) for argument in arguments))
    assert_refused(found, 2, *(word.format(**names) for word in words))
