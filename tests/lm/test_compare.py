import json
import math

import numpy as np
import pytest

from rnnlm.cli.compare import show_runs
from rnnlm.errors import DataError, UsageError
from rnnlm.lm import compare as module
from rnnlm.lm.compare import Comparison, bootstrap, compare
from rnnlm.lm.kneser_ney import estimate, read
from rnnlm.lm.network import NetworkScorer
from rnnlm.show.runs import settings_that_differ, summarize
from rnnlm.text.vocab import Vocabulary
from rnnlm.training.progress import Divergence
from tests.lm.examples import WORDS, network

TEXT = [[WORDS[0], WORDS[1]], [WORDS[0]], [], [WORDS[2], "unheard", WORDS[0]]]


class Fixed:
    """A scorer with the same probability for every word of a small vocabulary."""

    kind, start, carried = "fixed", 0, False

    def __init__(self, p, words=WORDS, level="word"):
        self.log_p = math.log(p) if p else -math.inf
        self.vocab = Vocabulary(["<s>", "</s>", "<unk>", *words], [1] * (3 + len(words)), level)

    def log_probs(self, sentences):
        return (np.full(len(words) + 1, self.log_p) for words in sentences)


def test_compare_sums_over_what_all_models_know():
    scorers = [Fixed(0.5), Fixed(0.25, WORDS[1:]), NetworkScorer(network(), stream=False)]
    found = compare(scorers, iter(TEXT))
    assert found.tokens.tolist() == [2, 1, 1, 2]  # WORDS[0] is unknown to the second, "unheard" to all
    assert found.left_out == 4
    assert found.oovs == [1, 4, 1]
    assert found.zeroprobs == [0, 0, 0]
    np.testing.assert_allclose(found.nats[:2], np.outer([math.log(2), math.log(4)], [2, 1, 1, 2]))
    np.testing.assert_allclose(found.ppl[:2], [2, 4])
    log_p = list(scorers[2].log_probs(TEXT))
    kept = [log_p[0][1:], log_p[1][1:], log_p[2], log_p[3][[0, 3]]]
    np.testing.assert_allclose(found.nats[2], [-x.sum() for x in kept], rtol=1e-12)
    assert {word: entry.count for word, entry in found.words.items()} == {"</s>": 4, WORDS[1]: 1, WORDS[2]: 1}
    np.testing.assert_allclose(found.words["</s>"].nats, [4 * math.log(2), 4 * math.log(4), -sum(x[-1] for x in kept)])


def test_words_of_probability_zero_are_left_out():
    class Zero(Fixed):
        def log_probs(self, sentences):
            return (np.array([-np.inf] * len(words) + [self.log_p]) for words in sentences)

    found = compare([Fixed(0.5), Zero(0.5)], TEXT)
    assert (found.tokens.tolist(), found.left_out, found.zeroprobs) == ([1, 1, 1, 1], 6, [0, 5])


def test_the_words_that_differ_most():
    words = {"b": module.Word(5, np.array([1.0, 3.0])), "a": module.Word(1, np.array([4.0, 2.0]))}
    words["c"] = module.Word(9, np.array([1.0, 4.0]))
    found = Comparison(np.zeros((2, 1)), np.ones(1), 0, [0, 0], [0, 0], words)
    assert [word for word, _ in found.most_different(9)] == ["c", "a", "b"]
    assert [word for word, _ in found.most_different(1)] == ["c"]


def test_nothing_to_compare():
    with pytest.raises(DataError) as error:
        compare([Fixed(0.5), Fixed(0)], [[WORDS[0]]], "some.txt")
    assert error.value.message == "some.txt: 2 tokens, none of which all models know"
    assert error.value.hint == "compare models of one language"
    with pytest.raises(UsageError) as error:
        compare([Fixed(0.5), Fixed(0.5, "ab", "char")], TEXT)
    assert error.value.message == "a model of words cannot be compared with one of characters"
    assert error.value.hint == "compare models of one level"


def sample(S, rng):
    tokens = rng.integers(1, 30, S)
    nats = rng.gamma(5, 1, (2, S)) * tokens
    nats[1] = 0.9 * nats[0] + 0.05 * nats[1]
    return Comparison(nats, tokens, 0, [0, 0], [0, 0])


def test_bootstrap_is_its_definition():
    rng = np.random.default_rng(3)
    found = sample(300, rng)
    drawn = bootstrap(found, 2000, seed=5)
    picks = rng.integers(0, 300, (2000, 300))
    entropy = found.nats[:, picks].sum(axis=2) / found.tokens[picks].sum(axis=1)
    for m in range(2):
        np.testing.assert_allclose(drawn.ppl[m], np.percentile(np.exp(entropy[m]), [2.5, 97.5]), rtol=0.05)
        ratio = np.exp(entropy[m] - entropy[0])
        np.testing.assert_allclose(drawn.against[m], np.percentile(ratio, [2.5, 97.5]), rtol=0.02)
    assert drawn.against[0] == (1, 1)
    assert drawn.better[0] == 0
    assert drawn.better[1] == pytest.approx((entropy[1] < entropy[0]).mean(), abs=0.05)
    low, high = drawn.ppl[1]
    assert low < found.ppl[1] < high


def test_bootstrap_depends_on_the_seed_alone():
    found = sample(100, np.random.default_rng(4))
    assert bootstrap(found, 200, seed=1) == bootstrap(found, 200, seed=1)
    assert bootstrap(found, 200, seed=1) != bootstrap(found, 200, seed=2)


def test_of_a_long_text_neighbours_are_drawn_together(monkeypatch):
    found = sample(1000, np.random.default_rng(5))
    monkeypatch.setattr(module, "GROUPS", 300)
    drawn = bootstrap(found, 500)
    monkeypatch.undo()
    np.testing.assert_allclose(drawn.ppl, bootstrap(found, 500).ppl, rtol=0.1)


def test_sentences_without_a_compared_token():
    found = bootstrap(Comparison(np.array([[0.0, 3.0]] * 2), np.array([0, 1]), 0, [0, 0], [0, 0]), 200)
    assert found.ppl[0] == pytest.approx((math.exp(3), math.exp(3)))


def test_one_sentence():
    found = bootstrap(Comparison(np.array([[6.0], [3.0]]), np.array([3]), 0, [0, 0], [0, 0]), 100)
    assert found.ppl[0] == pytest.approx((math.exp(2), math.exp(2)))
    assert found.better == [0, 1]


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def arpa(trained, tmp_path):
    from rnnlm.lm.arpa import write

    ids, vocab = read([trained["test.txt"].with_name("train.txt")])
    with open(tmp_path / "kn.arpa", "wb") as file:
        write(estimate(ids, vocab, 3), file)
    return "kn.arpa"


def test_compare_models(rnnlm, trained, arpa):
    models = (trained["stream"], trained["sentences"], arpa)
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


def test_compare_runs(rnnlm, trained):
    status, out, err = rnnlm("compare", trained["stream"], trained["char"])
    assert (status, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == [str(trained["stream"]), str(trained["char"])]
    assert ["data.level", '"word"', '"char"'] in rows
    assert ["data.min_count", "2", "1"] in rows
    assert [row[0] for row in rows[-5:]] == ["valid_ppl", "best_epoch", "train_ppl", "epochs", "seconds"]
    facts = json.loads(rnnlm("compare", trained["stream"], trained["char"], "--json")[1])
    assert list(facts) == ["runs", "settings", "results"]
    assert facts["settings"]["data.level"] == ["word", "char"]


def test_rows_for_runs_without_a_perplexity_and_for_those_that_diverged():
    one = {"valid_nats": 2.5, "valid_ppl": None, "best_epoch": 1.0, "train_ppl": None, "epochs": 1.0, "seconds": 3.0}
    facts = {"runs": ["a", "b"], "settings": {}, "results": [{**one, "diverged": 0}, {**one, "diverged": 2}]}
    assert [line.split() for line in show_runs(facts)] == [
        ["a", "b"], ["valid_nats", "2.5000", "2.5000"], ["valid_ppl", "-", "-"], ["best_epoch", "1.00", "1.00"],
        ["train_ppl", "-", "-"], ["epochs", "1.00", "1.00"], ["seconds", "3", "3"], ["diverged", "0", "2"],
    ]  # fmt: skip


def test_results_are_those_of_the_log(tmp_path, tiny):
    from rnnlm.training.run import Run

    run = Run(tmp_path / "run")
    run.path.mkdir()
    run.describe(tiny(), [])
    assert set(summarize(run.path).results.values()) == {None, 0}
    for epoch, nats in ((1.0, 3.0), (2.0, 2.0), (3.0, 2.5)):
        run.log({"epoch": epoch, "valid_nats": nats, "valid_ppl": math.exp(nats), "train_ppl": 9, "seconds": 4 * epoch})
    summary = summarize(run.path)
    assert summary.results == {
        "valid_nats": 2.0, "valid_ppl": math.exp(2), "best_epoch": 2.0, "train_ppl": 9, "epochs": 3.0, "seconds": 12.0,
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
        file.write('{"epoch": "x"}\n')
    with pytest.raises(DataError) as error:
        summarize(run.path)
    assert error.value.message == f"{run.path}/log.jsonl:5: expected a validation as `rnnlm train` logs it"
    assert error.value.hint == "restore or remove that line"


@pytest.mark.parametrize(("arguments", "message"), [
    (("{stream}",), "one model: nothing to compare it with\n  hint: name two or more\n"),
    (("{stream}", "{stream}/best.npz"), "{stream}/best.npz: not a run directory\n"
     "  hint: without --text runs are compared; with it, models on that text\n"),
    (("{stream}", "{char}", "--text", "{test}"), "a model of words cannot be compared with one of characters\n"
     "  hint: compare models of one level\n"),
])  # fmt: skip
def test_errors(rnnlm, trained, arguments, message):
    names = {"stream": trained["stream"], "char": trained["char"], "test": trained["test.txt"]}
    found = rnnlm("compare", *(argument.format(**names) for argument in arguments))
    assert found == (2, "", f"rnnlm: error: {message.format(**names)}")
