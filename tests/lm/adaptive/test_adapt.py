import json
import math
from pathlib import Path

import numpy as np
import pytest

from rnnlm.errors import UsageError
from rnnlm.lm.adaptive import adapt as module
from rnnlm.lm.adaptive.adapt import Adaptation, adapt
from rnnlm.lm.adaptive.cache import CacheScorer
from rnnlm.lm.adaptive.dynamic import Anchored, Descent, DynamicScorer, gradient_rms
from rnnlm.lm.network import SequentialScorer
from rnnlm.loading import load_text_model
from rnnlm.text.corpus import encode
from rnnlm.text.lines import lines
from rnnlm.text.windows import Stream
from tests.cli.refused import assert_refused


@pytest.fixture
def model(trained):
    return load_text_model(trained["stream"])


@pytest.fixture
def valid(trained):
    return str(trained["test.txt"].with_name("valid.txt"))


def score(scorer, path):
    return np.concatenate(list(scorer.log_probs(line.split() for line in lines(path))))


def test_as_told_without_tuning(model, valid):
    said = []
    wanted = Adaptation(dynamic=True, rate=0.01, window=7, cache=50, theta=0.5, lam=0.2)
    adapted = adapt(model.scorer, model.data.train, model.data.blank_lines, wanted, said.append)
    learner = DynamicScorer(model.scorer.network, True, True, Descent(0.01), 7)
    np.testing.assert_array_equal(score(adapted.scorer, valid), score(CacheScorer(learner, 50, 0.5, 0.2), valid))
    assert said == []
    assert adapted.facts == {
        "dynamic": {"rule": "sgd", "rate": 0.01, "window": 7},
        "cache": {"positions": 50, "theta": 0.5, "lambda": 0.2}, "tuned_on": None,
    }  # fmt: skip
    assert str(adapted) == (
        "dynamic evaluation (sgd, rate 0.01, 7 tokens a step) and cache (50 positions, theta 0.5, lambda 0.2)"
    )


@pytest.mark.parametrize("other", [False, True])
def test_gradients_are_those_of_the_training_text_or_of_another(model, valid, other):
    wanted = Adaptation(dynamic=True, rate=1e-3, rule="rms", decay=0.01, gradients=valid if other else None)
    adapted = adapt(model.scorer, model.data.train, model.data.blank_lines, wanted, print)
    text = valid if other else model.data.train[0]
    network = model.scorer.network
    s = gradient_rms(network, Stream(encode([text], model.scorer.vocab), 64, 20).batches())
    rule = Anchored(network.params.trainable, s, 1e-3, 0.01)
    np.testing.assert_array_equal(score(adapted.scorer, valid), score(DynamicScorer(network, True, True, rule), valid))
    assert adapted.facts["dynamic"] == {"rule": "rms", "rate": 1e-3, "window": 20, "decay": 0.01, "gradients": text}
    assert str(adapted) == f"dynamic evaluation (rms, rate 0.001, decay 0.01, gradients of {text}, 20 tokens a step)"


def test_of_sentences_too(trained, valid):
    model = load_text_model(trained["sentences"])
    wanted = Adaptation(dynamic=True, rate=1e-3, rule="rms", decay=0.01, cache=20)
    adapted = adapt(model.scorer, model.data.train, model.data.blank_lines, wanted, print)
    assert np.isfinite(score(adapted.scorer, valid)).all()
    assert not adapted.scorer.carried


@pytest.mark.parametrize("rule", ["sgd", "rms"])
def test_tuning_takes_the_best_of_the_grid(model, valid, monkeypatch, rule):
    monkeypatch.setattr(module, "RATES", {"sgd": (1e-3, 1e-2, 1e30), "rms": (1e-4, 1e-3)})
    monkeypatch.setattr(module, "DECAYS", (0.0, 0.1))
    monkeypatch.setattr(module, "TOKENS", 100)
    said = []
    wanted = Adaptation(dynamic=True, rule=rule, cache=30, dev=valid)
    adapted = adapt(model.scorer, model.data.train, model.data.blank_lines, wanted, said.append)
    tried = [line for line in said if line.startswith("dynamic evaluation, rate ")]
    ppl = [float(line.split("ppl ")[1].split()[0].replace("infinite", "inf")) for line in tried]
    best = tried[int(np.argmin(ppl))]
    facts = adapted.facts["dynamic"]
    shown = f"rate {facts['rate']:g}" + (f", decay {facts['decay']:g}" if rule == "rms" else "")
    assert best.startswith(f"dynamic evaluation, {shown}: ppl ")
    assert len(tried) == 3  # rms: the decay 0 was tried with the rates
    assert best.endswith(f" tokens of {valid}")
    grid = [line for line in said if line.startswith("cache, theta ")]
    figures = np.array([[float(x.split(": ")[1]) for x in line.split("lambda ")[1].split("  ")] for line in grid])
    found = adapted.facts["cache"]
    i, j = np.unravel_index(figures.argmin(), figures.shape)
    assert figures[i, j] == pytest.approx(math.exp(-score(adapted.scorer, valid).mean()), abs=0.006)
    assert grid[i].startswith(f"cache, theta {found['theta']:g}: ppl at each lambda ")
    assert f" {found['lambda']:g}: {figures[i, j]:.2f}" in grid[i]
    assert adapted.facts["tuned_on"] == valid
    assert str(adapted).endswith(f"), tuned on {valid}")


def test_a_given_theta_is_kept(model, valid):
    said = []
    adapted = adapt(
        model.scorer, model.data.train, model.data.blank_lines, Adaptation(cache=30, theta=0.7, dev=valid), said.append
    )
    assert adapted.facts["cache"]["theta"] == 0.7
    assert len(said) == 1
    assert isinstance(adapted.scorer, CacheScorer)
    assert type(adapted.scorer.scorer) is SequentialScorer


def test_nothing_to_tune_on(model):
    with pytest.raises(UsageError) as error:
        adapt(model.scorer, model.data.train, model.data.blank_lines, Adaptation(dynamic=True), print)
    assert "--dynamic tune" in error.value.message
    assert "--dev" in error.value.hint


def test_defaults_without_a_development_text(model):
    adapted = adapt(model.scorer, model.data.train, model.data.blank_lines, Adaptation(cache=30), print)
    assert adapted.facts["cache"] == {"positions": 30, "theta": module.THETA, "lambda": module.LAM}


def test_a_development_text_from_standard_input_is_read_again_and_again(rnnlm, trained):
    text = Path(trained["test.txt"]).read_bytes()
    flags = ("--cache", "9", "--json", "--dev")
    piped = json.loads(rnnlm("eval", trained["stream"], trained["test.txt"], *flags, "-", stdin=text)[1])
    named = json.loads(rnnlm("eval", trained["stream"], trained["test.txt"], *flags, trained["test.txt"])[1])
    assert piped["ppl"] == named["ppl"]
    assert piped["adaptation"]["cache"] == named["adaptation"]["cache"]


# --- the command ---------------------------------------------------------------------------------------------------

MARK = "# adapted to the text, not comparable with static figures: "


def test_eval_marks_what_is_adapted(rnnlm, trained, model):
    path = trained["test.txt"]
    flags = ("--dynamic", "0.01", "--cache", "50")
    status, out, err = rnnlm("eval", trained["stream"], path, *flags)
    assert (status, err) == (0, f"{path}: OOV rate 1.28%, 0 empty lines skipped\n")
    how = "dynamic evaluation (sgd, rate 0.01, 20 tokens a step) and cache (50 positions, theta 0.1, lambda 0.1)"
    assert f"\n{MARK}{how}\n" in out
    learner = DynamicScorer(model.scorer.network, True, True, Descent(0.01))
    log_p = score(CacheScorer(learner, 50, 0.1, 0.1), path)
    assert f"# OOV as <unk>: ppl = {math.exp(-log_p.mean()):.6g}" in out
    facts = json.loads(rnnlm("eval", trained["stream"], path, *flags, "--json")[1])
    assert facts["ppl_unk"] == pytest.approx(math.exp(-log_p.mean()), rel=1e-6)
    assert facts["adaptation"] == {
        "dynamic": {"rule": "sgd", "rate": 0.01, "window": 20},
        "cache": {"positions": 50, "theta": 0.1, "lambda": 0.1}, "tuned_on": None,
    }  # fmt: skip
    assert json.loads(rnnlm("eval", trained["stream"], path, "--json")[1])["adaptation"] is None
    shown = rnnlm("eval", trained["stream"], path, *flags, "-v", 2)[1].splitlines()
    assert shown[0] == shown[-1] == MARK + how
    assert "= [rnn+dynamic+cache] " in shown[2]


def test_eval_tunes_on_dev_and_mixes(rnnlm, trained, valid, monkeypatch):
    monkeypatch.setattr(module, "RATES", {"rms": (1e-4, 1e-3)})
    monkeypatch.setattr(module, "DECAYS", (0.0, 0.1))
    path = trained["test.txt"]
    flags = ("--dynamic", "tune", "--dynamic-rule", "rms", "--cache", "50", "--dev", valid)
    status, out, err = rnnlm("eval", trained["stream"], path, *flags, "--mix", trained["sentences"], "--ranks")
    assert status == 0
    assert err.count("dynamic evaluation, rate ") == 3
    assert err.count("cache, theta ") == 6
    assert f"{valid}: weights " in err
    assert f"{MARK}dynamic evaluation (rms, rate " in out
    assert f", tuned on {valid}\n" in out
    assert "# right word: " in out
    shown = rnnlm("eval", trained["stream"], path, *flags, "--mix", trained["sentences"], "-v", 2)[1]
    assert "= [mix+dynamic+cache] " in shown


def test_cache_at_its_options(rnnlm, trained, model):
    path = trained["test.txt"]
    flags = ("--cache", "50", "--cache-theta", "0.4", "--cache-lambda", "0.3", "--independent", "--check-sums")
    facts = json.loads(rnnlm("eval", trained["stream"], path, *flags, "--json")[1])
    log_p = score(CacheScorer(SequentialScorer(model.scorer.network, True, False), 50, 0.4, 0.3), path)
    assert facts["ppl_unk"] == pytest.approx(math.exp(-log_p.mean()), rel=1e-6)


@pytest.mark.parametrize(("flags", "words"), [
    (("--dynamic", "fast"), ("--dynamic fast: ", "learning rate")),
    (("--dynamic", "-1"), ("--dynamic -1: ", "above 0")),
    (("--dynamic", "nan"), ("--dynamic nan: ",)),
    (("--dynamic", "tune"), ("--dynamic tune: ", "--dev")),
    (("--dynamic-rule", "rms"), ("--dynamic-rule without --dynamic",)),
    (("--dynamic", "1", "--dynamic-decay", "0.1"), ("--dynamic-decay", "--dynamic-rule sgd")),
    (("--cache-theta", "1"), ("--cache-theta without --cache",)),
    (("--cache", "9", "--cache-theta", "nan"), ("--cache-theta nan: ", "finite")),
    (("--cache", "9", "--cache-theta", "inf"), ("--cache-theta inf: ", "finite")),
    (("--cache", "9", "--cache-lambda", "nan"), ("--cache-lambda nan: ", "finite")),
    (("--dynamic", "1", "--dynamic-rule", "rms", "--dynamic-decay", "nan"), ("--dynamic-decay nan: ", "finite")),
])  # fmt: skip
def test_wrong_options(rnnlm, trained, flags, words):
    assert_refused(rnnlm("eval", trained["stream"], trained["test.txt"], *flags), 2, *words)


@pytest.mark.parametrize("flags", [("--cache", 9), ("--dynamic", "tune"), ("--mix", "{stream}")])
def test_a_development_text_without_sentences(rnnlm, trained, tmp_path, flags):
    (tmp_path / "empty").write_text("\n")
    flags = [str(flag).format(**trained) for flag in flags]
    found = rnnlm("eval", trained["stream"], trained["test.txt"], *flags, "--dev", "empty")
    assert_refused(found, 1, "empty: ", "no sentences")


def test_an_ngram_model_cannot_be_adapted(rnnlm, trained, tmp_path):
    from rnnlm.lm.arpa import write
    from rnnlm.lm.kneser_ney import estimate, read

    with open(tmp_path / "kn.arpa", "wb") as file:
        write(estimate(*read([trained["test.txt"]]), 2), file)
    assert_refused(rnnlm("eval", "kn.arpa", trained["test.txt"], "--cache", 9), 2, "kn.arpa: ", "n-gram")


def test_a_large_rate_diverges(rnnlm, trained):
    found = rnnlm("eval", trained["stream"], trained["test.txt"], "--dynamic", "1e38")
    assert_refused(found, 3, "diverged", "1e+38")
