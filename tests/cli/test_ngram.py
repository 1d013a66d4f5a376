"""`rnnlm ngram`, and what `rnnlm eval` does with n-gram models and mixtures."""

import gzip
import json
import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from rnnlm.cli import main
from rnnlm.lm import arpa
from rnnlm.loading import load_scorer
from tests.cli.refused import assert_refused


@pytest.fixture(scope="module")
def models(trained, tmp_path_factory):
    """The trained networks, n-gram models of the same text with the network's words and with others, and the texts."""
    folder = tmp_path_factory.mktemp("models")
    train = trained["test.txt"].with_name("train.txt")
    for name, *options in (
        ("kn.arpa", "--vocab", trained["stream"], "--order", 3),
        ("open.arpa.gz",),
        ("small.arpa", "--vocab", folder / "small.txt", "--order", 2, "--prune", "0,1"),
    ):
        (folder / "small.txt").write_text("<s>\t0\n</s>\t1\n<unk>\t0\nthe\t1\ncat\t1\nextra\t0\n")
        with pytest.raises(SystemExit) as exit:
            main([str(x) for x in ("ngram", train, "-o", folder / name, *options)])
        assert not exit.value.code
    return {
        **trained, "kn": folder / "kn.arpa", "open": folder / "open.arpa.gz", "small": folder / "small.arpa",
        "train": train, "valid": train.with_name("valid.txt"), "test": trained["test.txt"],
    }  # fmt: skip


# --- ngram ---------------------------------------------------------------------------------------------------------


def test_ngram_says_what_it_did(rnnlm, models):
    status, out, err = rnnlm("ngram", models["train"], models["valid"], "-o", "kn.arpa", "--order", 2)
    assert (status, out) == (0, "")
    assert re.fullmatch(
        rf"{models['train']} \+ {models['valid']}: 450 sentences, \d+ words\n"
        r"  \d+ 1-grams, discounts (\d\.\d{3} ){2}\d\.\d{3}(  \(the text is too small or too even to have its own\))?\n"
        r"  \d+ 2-grams, discounts (\d\.\d{3} ){2}\d\.\d{3}(  \(the text is too small or too even to have its own\))?\n"
        r"kn\.arpa: written after \d+\.\d s\n",
        err,
    )
    assert arpa.load("kn.arpa").order == 2


def test_ngram_in_a_pipe(rnnlm, models, tmp_path):
    text = models["train"].read_bytes()
    status, out, _ = rnnlm("ngram", "-", "-o", "-", "--order", 3, "--vocab", models["stream"], stdin=text)
    assert status == 0
    assert out == models["kn"].read_text()
    process = [sys.executable, "-m", "rnnlm"]
    (tmp_path / "train.gz").write_bytes(gzip.compress(text))
    made = subprocess.run([*process, "ngram", "train.gz", "-o", "-", "--order", "2"], capture_output=True, check=True)
    done = subprocess.run(
        [*process, "eval", "-", str(models["test"])], input=made.stdout, capture_output=True, check=True
    )
    assert b": 60 sentences, " in done.stdout


def test_the_vocabulary_is_that_of_a_model(models):
    network, kn, small = (load_scorer(models[name]) for name in ("stream", "kn", "small"))
    assert kn.vocab.fingerprint == network.vocab.fingerprint
    assert small.vocab.words == ["<s>", "</s>", "<unk>", "the", "cat", "extra"]
    assert len(load_scorer(models["open"]).vocab) > len(kn.vocab)


@pytest.mark.parametrize(("status", "arguments", "words"), [
    (2, ("{train}", "-o", "{kn}"), ("{kn}", "exists already", "--force")),
    (2, ("{train}", "-o", "no/kn.arpa"), ("no/kn.arpa", "no folder no")),
    (2, ("{train}", "-o", "a.arpa", "--prune", "0,x"), ("--prune 0,x", "whole numbers")),
    (2, ("{train}", "-o", "a.arpa", "--prune", "0,2,1"), ("prune 0 2 1", "never fall")),
    (2, ("{train}", "-o", "a.arpa", "--vocab", "{char}"), ("{char}", "characters", "words")),
    (2, ("{train}", "-o", "a.arpa", "--order", "0"), ("--order", "1<=x<=20")),
    (2, ("{train}", "-o", ""), (".: is a directory",)),
    (1, ("empty.txt", "-o", "a.arpa"), ("empty.txt", "no sentences", "1 empty lines")),
    (1, ("{train}", "-o", "a.arpa", "--vocab", "empty.txt"), ("empty.txt:1", "a word, a tab and its count")),
])  # fmt: skip
def test_what_ngram_refuses(rnnlm, models, tmp_path, status, arguments, words):
    (tmp_path / "empty.txt").write_text("\n")
    found = rnnlm("ngram", *(argument.format(**models) for argument in arguments))
    assert_refused(found, status, *(word.format(**models) for word in words))
    assert not (tmp_path / "a.arpa").exists()


@pytest.mark.parametrize(("order", "empty"), [(3, 0), (4, 1), (5, 2)])
def test_orders_without_an_ngram(rnnlm, tmp_path, order, empty):
    """Sentences of one word have no n-grams of more than three."""
    (tmp_path / "text").write_text("yes\nno\nyes\n")
    rnnlm("ngram", "text", "-o", "3.arpa", "--order", 3)
    rnnlm("ngram", "text", "-o", "kn.arpa", "--order", order)
    assert [len(listed.keys) for listed in arpa.load("kn.arpa").orders[3:]] == [0] * empty
    assert rnnlm("score", "kn.arpa", "text") == rnnlm("score", "3.arpa", "text")
    found = figures(rnnlm, "kn.arpa", "text", "--check-sums")
    assert found["sum_error"] < 1e-6


def test_orders_that_pruning_empties(rnnlm, models):
    rnnlm("ngram", models["train"], "-o", "kn.arpa", "--order", 5, "--prune", "0,0,999")
    assert [len(listed.keys) for listed in arpa.load("kn.arpa").orders[2:]] == [0, 0, 0]
    assert figures(rnnlm, "kn.arpa", models["test"], "--check-sums")["sum_error"] < 1e-6


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(("unbuffered", "command"), [
    ("1", ("ngram", "{valid}", "-o", "-")),
    ("", ("vocab", "{valid}", "-o", "-")),
    ("", ("config", "explain", "schedule")),
    ("1", ("-rnnlm", "{kn}", "-test", "{test}")),
])  # fmt: skip
def test_a_full_disk_behind_standard_output(models, unbuffered, command):
    with open("/dev/full", "w") as full:
        done = start(command, models, unbuffered, stdout=full)
    err = done.communicate(timeout=100)[1].decode()
    assert_refused((done.returncode, "", err), 1, "<stdout>", "No space left")
    assert err.count("rnnlm: error") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("command", [("score", "{kn}", "{test}"), ("-rnnlm", "{kn}", "-test", "{test}", "-nbest")])
def test_a_reader_of_standard_output_that_has_gone(models, command):
    done = start(command, models, "1", stdout=subprocess.PIPE)
    done.stdout.close()
    assert done.communicate(timeout=100)[1] == b""
    assert done.returncode == 1


def start(command, models, unbuffered, stdout):
    """A process that runs a command, with or without a buffer before standard output."""
    command = [sys.executable, "-m", "rnnlm", *(argument.format(**models) for argument in command)]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, env=environment)


# --- eval ----------------------------------------------------------------------------------------------------------


def figures(rnnlm, *arguments):
    status, out, err = rnnlm("eval", *arguments, "--json")
    assert status == 0, err
    return json.loads(out)


def test_eval_of_an_ngram_model(rnnlm, models):
    found = figures(rnnlm, models["kn"], models["test"], "--ranks", "--check-sums")
    scorer = load_scorer(models["kn"])
    sentences = [line.split() for line in models["test"].read_text().splitlines()]
    log_p = np.concatenate(list(scorer.log_probs(sentences)))
    assert found["logprob_unk"] == pytest.approx(log_p.sum() / math.log(10), rel=1e-12)
    assert (found["model"], found["state"], found["models"]) == (str(models["kn"]), "independent", [])
    assert found["oovs"] > 0
    assert found["sum_error"] < 1e-6
    rows = list(scorer.distributions(sentences))
    ids = [i for words in sentences for i in [*scorer.vocab.ids(words), 1]]
    ranks = np.array([(np.delete(row, 0) >= row[i]).sum() for i, row in zip(ids, rows) if i >= 0])
    assert [found[f"rank_{n}"] for n in (1, 5, 10)] == [(ranks <= n).mean() for n in (1, 5, 10)]
    assert 0 < found["rank_1"] < found["rank_5"] <= found["rank_10"] <= 1


def test_the_sums_of_networks_and_mixtures(rnnlm, models):
    for arguments in (
        (models["sentences"],),
        (models["stream"], "--mix", models["kn"]),
        (models["stream"], "--mix", models["small"], "--mix", models["sentences"], "--weights", "0.5,0.2,0.3"),
    ):
        found = figures(rnnlm, *arguments, models["test"], "--check-sums")
        assert found["sum_error"] < 1e-5
        assert found["rank_1"] is None


def test_sums_that_are_wrong(rnnlm, tmp_path):
    (tmp_path / "bad.arpa").write_text("\\data\\\nngram 1=3\n\n\\1-grams:\n-99\t<s>\n-0.5\t</s>\n-0.4\ta\n\n\\end\\\n")
    status, out, err = rnnlm("eval", "bad.arpa", "-", "--check-sums", stdin=b"a a\n")
    assert status == 3
    assert "# sums of probabilities: 1 within 0.29\n" in out
    assert re.search(r"rnnlm: error: bad.arpa: .* 0\.286.*\n  hint: ", err)


@pytest.mark.parametrize("name", ["stream", "sentences", "kn", "open", "small", "mixture"])
def test_the_sum_of_score_is_the_logprob_of_eval(rnnlm, models, name):
    mixed = ("--mix", models["kn"], "--mix", models["small"], "--weights", "0.5,0.3,0.2")
    model, mixed = (models["stream"], mixed) if name == "mixture" else (models[name], ())
    _, out, _ = rnnlm("score", model, models["test"], *mixed)
    scores = [float(line) for line in out.splitlines()]
    flags = () if name in ("kn", "open", "small") else ("--independent",)
    assert len(scores) == 60
    assert sum(scores) == pytest.approx(figures(rnnlm, model, models["test"], *flags, *mixed)["logprob_unk"], abs=1e-6)


def test_a_mixture_shows_each_model(rnnlm, models):
    arguments = (models["stream"], "--mix", models["kn"], "--weights", "0.3,0.7", models["test"])
    status, out, err = rnnlm("eval", *arguments)
    assert status == 0
    own = [figures(rnnlm, models[name], models["test"])["ppl"] for name in ("stream", "kn")]
    shown = re.findall(r"# model (.*): weight (.*)  ppl = (.*)\n", out)
    assert [row[:2] for row in shown] == [(str(models["stream"] / "best.npz"), "0.3000"), (str(models["kn"]), "0.7000")]
    np.testing.assert_allclose([float(row[2]) for row in shown], own, rtol=1e-4)
    found = figures(rnnlm, *arguments)
    assert found["ppl"] < max(own)
    assert [list(part) for part in found["models"]] == [["model", "weight", "zeroprobs", "ppl", "ppl_unk"]] * 2
    assert err == f"{models['test']}: OOV rate {found['oovs'] / found['words']:.2%}, 0 empty lines skipped\n"


def test_weights_are_found_on_a_text(rnnlm, models):
    status, _, err = rnnlm("eval", models["stream"], "--mix", models["kn"], "--dev", models["valid"], models["test"])
    assert status == 0
    weights = [float(w) for w in re.search(r"valid.txt: weights (\S+) (\S+)\n", err).groups()]
    assert sum(weights) == pytest.approx(1, abs=1e-3)
    at = [figures(rnnlm, models["stream"], "--mix", models["kn"], "--weights", f"{w},{1 - w}", models["valid"])["ppl"]
          for w in (weights[0], max(0, weights[0] - 0.02), min(1, weights[0] + 0.02))]  # fmt: skip
    assert at[0] == min(at)


def test_models_of_different_words(rnnlm, models):
    status, out, err = rnnlm("eval", models["kn"], "--mix", models["small"], models["test"])
    assert status == 0
    lacks = len(load_scorer(models["kn"]).vocab) - 5  # <s>, </s>, <unk>, the, cat
    assert err.startswith(
        f"{models['kn']}: lacks 1 words that the others have, gives them probability zero\n"
        f"{models['small']}: lacks {lacks} words that the others have, gives them probability zero\n"
    )
    assert re.search(rf"# model {models['small']}: weight 0.5000  ppl = \S+  \(\d+ zeroprobs left out\)\n", out)


WORD = re.compile(r"\tp\( (\S+) \| (\S+) (\.\.\.)?\) \t= \[(\w+)\] (\S+) \[ (\S+) \]")


@pytest.mark.parametrize(("mix", "kind"), [((), "ngram"), (("{stream}", "{sentences}"), "mix")])
def test_the_listing_is_what_scripts_parse(rnnlm, models, mix, kind):
    """SRILM's compute-best-mix and ppl-from-log take the second and the tenth field where the first is p(."""
    mixed = [x for path in mix for x in ("--mix", path.format(**models))]
    status, out, _ = rnnlm("eval", models["kn"], *mixed, "-", "-v", 2, stdin=b"the cat quagga\nthe\n")
    assert status == 0
    lines = [line for line in out.splitlines() if line.startswith("\tp( ")]
    assert [WORD.fullmatch(line).group(1) for line in lines] == ["the", "cat", "quagga", "</s>", "the", "</s>"]
    assert {WORD.fullmatch(line).group(4) for line in lines} == {kind, "OOV"}
    logprob = sum(float(line.split()[9]) for line in lines if "[ -inf" not in line)
    total = re.search(r"file .*: 2 sentences, 4 words, 1 OOVs\n0 zeroprobs, logprob= (\S+) ppl= (\S+) ", out)
    assert logprob == pytest.approx(float(total[1]), abs=1e-4)
    ends = sum(line.split()[1] == "</s>" for line in lines)
    words = len(lines) - ends
    assert 10 ** (-logprob / (ends + words - 1)) == pytest.approx(float(total[2]), rel=1e-4)


def test_words_out_of_the_vocabulary(rnnlm, models):
    text = b"the quagga sees the zebra\nthe quagga\n"
    by = {}
    for oov in ("both", "unk", "exclude", "spread"):
        status, out, err = rnnlm("eval", models["kn"], "-", "--oov", oov, stdin=text)
        assert (status, err) == (0, "<stdin>: OOV rate 42.86%, 0 empty lines skipped\n")
        by[oov] = out.splitlines()[:-1]
    number = {oov: [float(x) for x in re.findall(r"(?:logprob|ppl1?) ?= (\S+)", "\n".join(by[oov]))] for oov in by}
    assert by["exclude"] == by["both"][:2]
    assert by["both"][2].startswith("# OOV as <unk>: ppl = ")
    assert by["unk"][0] == "file <stdin>: 2 sentences, 7 words, 0 OOVs"
    assert number["unk"][1] == number["unk"][3] == number["both"][3]
    assert by["spread"][2].startswith("# OOV as one of 2 types: ppl = ")
    assert number["spread"][0] == pytest.approx(number["unk"][0] - 3 * math.log10(2), abs=1e-6)
    _, out, _ = rnnlm("eval", models["kn"], "-", "--oov", "spread", "--oov-types", 8, "-v", 2, stdin=text)
    log10 = [float(line.split()[9]) for line in out.splitlines() if line.startswith("\tp( ")]
    logprobs = [float(x) for x in re.findall(r"logprob= (\S+)", out)]
    assert logprobs[2] == pytest.approx(number["unk"][0] - 3 * math.log10(8), abs=1e-6)
    assert sum(logprobs[:2]) == pytest.approx(logprobs[2], abs=1e-6)
    assert sum(log10) == pytest.approx(logprobs[2], abs=1e-4)


@pytest.mark.parametrize(("arguments", "words"), [
    (("{kn}",), ("{kn}", "no TEXT")),
    (("{kn}", "{test}", "--continuous"), ("--continuous", "independent")),
    (("{kn}", "{test}", "--dev", "{valid}"), ("--dev", "--mix")),
    (("{kn}", "{test}", "--weights", "1"), ("--weights", "--mix")),
    (("{kn}", "{test}", "--mix", "{open}", "--weights", "a,b"), ("--weights a,b", "numbers")),
    (("{kn}", "{test}", "--mix", "{open}", "--weights", "0.5"), ("weights 0.5", "expected 2")),
    (("{kn}", "{test}", "--mix", "{open}", "--weights", "0.5,0.5", "--dev", "{valid}"), ("--weights", "--dev")),
    (("{kn}", "{test}", "--mix", "{char}"), ("words", "chars", "mixed")),
    (("{kn}", "{test}", "--oov-types", "3"), ("--oov-types", "--oov spread")),
    (("{kn}", "{test}", "--oov", "spread", "-v", "1"), ("--oov spread", "--oov-types")),
])  # fmt: skip
def test_what_eval_refuses(rnnlm, models, arguments, words):
    found = rnnlm("eval", *(argument.format(**models) for argument in arguments))
    assert_refused(found, 2, *(word.format(**models) for word in words))


def test_a_broken_arpa_file(rnnlm, models, tmp_path):
    whole = models["kn"].read_text()
    (tmp_path / "cut.arpa").write_text(whole[: whole.index("\\3-grams:")])
    number = (tmp_path / "cut.arpa").read_text().count("\n")
    assert_refused(rnnlm("eval", "cut.arpa", models["test"]), 1, f"cut.arpa:{number}:", "the end of the file")
