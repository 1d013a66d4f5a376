"""The Python interface as docs/python.md shows it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnnlm
from rnnlm.corpora import catalogue
from rnnlm.errors import DataError, UsageError
from rnnlm.lm import arpa
from rnnlm.lm.kneser_ney import estimate, read
from rnnlm.lm.mixture import fit
from rnnlm.loading import load_scorer
from rnnlm.nn.heads.loss import finite
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


def run_section(name):
    """Run the code in a section of the page."""
    (section,) = re.findall(rf"## {name}\n(.*?)\n## ", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    code = "\n".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL))
    exec(compile(code, str(PAGE), "exec"), {})


def test_the_example_of_the_page_runs(folder, capsys):
    run_section("From Python")
    shown = capsys.readouterr().out.split()
    assert len(shown) == 5 + 4 + 1  # four words and the end; four steps; a mixture
    assert all(np.isfinite(float(x.strip("[]"))) for x in shown)


def test_the_example_for_users_of_kenlm_runs(folder, capsys):
    run_section("As with KenLM")
    score, unended, perplexity, *others = capsys.readouterr().out.splitlines()
    full, known, steps = others[:5], others[5], others[6:]
    assert float(score) < float(unended) < 0 < float(perplexity)
    assert [line.split()[1] for line in full] == ["2", "3", "4", "5", "6"]
    assert full[2].split()[2] == "True"
    assert known == "False"
    assert sum(map(float, steps)) == pytest.approx(float(score), abs=1e-3)


def test_the_notebook_of_the_page_prints_what_the_page_shows(folder, capsys):
    """But for the last digits, in which machines differ."""
    catalogue.fetch(catalogue.find("chinese"))
    run_section("Training")
    *validations, log_p = capsys.readouterr().out.splitlines()
    shown = re.findall(r"^    (epoch \d): (\S+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [line.split(": ")[0] for line in validations] == [epoch for epoch, _ in shown] == ["epoch 1", "epoch 2"]
    found = [float(line.split(": ")[1]) for line in validations]
    assert found == pytest.approx([float(ppl) for _, ppl in shown], rel=0.02)
    (shown_log_p,) = re.findall(r"^    epoch 2: .*\n    (-\S+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert float(log_p) == pytest.approx(float(shown_log_p), rel=0.02)


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
    assert "gone" in error.value.message


def test_import_is_light():
    code = "import sys, rnnlm; print('numpy' in sys.modules, rnnlm.__all__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False ['load', 'mix', 'perplexity', 'train']\n"


@pytest.mark.parametrize("name", ["runs/demo", "kn5.arpa", "mixture"])
def test_a_string_is_no_list_of_words(folder, name):
    """Its characters would count as words."""
    model = rnnlm.mix([rnnlm.load("runs/demo"), rnnlm.load("kn5.arpa")]) if name == "mixture" else rnnlm.load(name)
    for call in (
        lambda: model.log_probs("the cat"),
        lambda: model.log_probs(["the cat"]),
        lambda: model.alternatives([["the cat", "a cat"]]),
        lambda: model.alternatives(["the cat"]),
        lambda: model.distributions(["the cat"]),
        lambda: fit(rnnlm.mix([model]), ["the cat"]),
        lambda: rnnlm.perplexity(model, "the cat"),
    ):
        with pytest.raises(UsageError) as error:
            list(call())
        assert "string" in error.value.message


FLAGS = [(), ("--oov", "unk"), ("--oov", "spread"), ("--oov", "spread", "--oov-types", "9"), ("--oov", "exclude")]


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
@pytest.mark.parametrize("name", ["stream", "sentences", "char", "kn5.arpa", "mixture"])
def test_perplexity_has_the_figures_of_eval(folder, trained, request, name, flags):
    path, mixed = trained.get(name, "kn5.arpa"), ("--mix", trained["sentences"]) if name == "mixture" else ()
    text = "the cat sees a dog\n\nthe zebra likes a quagga <unk>\nthe quagga\n"
    Path("text.txt").write_text(text)
    _, out, _ = request.getfixturevalue("rnnlm")(
        "eval", path, "text.txt", *mixed, *flags, "--ranks", "--check-sums", "--json"
    )
    expected = json.loads(out)
    model = load_scorer(path, carried=name in ("stream", "char"))
    model = rnnlm.mix([model, rnnlm.load(trained["sentences"])]) if mixed else model
    types = 9 if "9" in flags else None
    with open("text.txt", encoding="utf-8") as lines:
        found = rnnlm.perplexity(model, lines, oov=expected["oov"], oov_types=types, ranks=True)
    names = "sentences words oovs zeroprobs characters logprob ppl ppl1 logprob_unk ppl_unk nats_per_token "
    for key in (names + "bits_per_token bits_per_character").split():
        assert finite(getattr(found.total, key)) == expected[key], key
    assert [found.among(n) for n in (1, 5, 10)] == [expected[f"rank_{n}"] for n in (1, 5, 10)]
    assert (found.blank_lines, found.oov_types) == (1, expected["oov_types"])
    assert found.sum_error == expected["sum_error"]
    for part, figures in zip(found.models, expected["models"], strict=True):
        assert all(finite(getattr(part, key)) == figures[key] for key in ("zeroprobs", "ppl", "ppl_unk"))


def test_a_string_is_no_list(trained):
    """Otherwise each of its characters would count as a word, a line or a model."""
    from rnnlm.lm.compare import compare
    from rnnlm.lm.mixture import fit
    from rnnlm.lm.perplexity import evaluate, examine
    from rnnlm.lm.sample import sample
    from rnnlm.text import vocab

    model = rnnlm.load(trained["sentences"])
    both = rnnlm.mix([model, model])
    text = "the cat sees a dog"
    calls = [
        (text, lambda: rnnlm.mix(text)),
        (text, lambda: rnnlm.perplexity(model, text)),
        (text, lambda: compare([model, model], text)),
        (text, lambda: compare(text, [text])),
        (text, lambda: list(sample(model.network, 1, False, np.random.default_rng(1), prompt=text))),
        (text, lambda: vocab.count(text)),
        (text, lambda: vocab.build(vocab.count([text]), keep=text)),
        (text, lambda: model.vocab.ids(text)),
        (text, lambda: model.vocab.encode(text)),
    ]
    for sentences in (text, [text]):
        calls += [(sentences, lambda one=one: fit(both, one)) for one in [sentences]]
        calls += [
            (sentences, lambda f=f, x=x, one=sentences: list(f(x, one)))
            for x in (model, both)
            for f in (
                evaluate, examine, lambda x, one: x.log_probs(one), lambda x, one: x.distributions(one),
                lambda x, one: x.alternatives([one]),
            )
        ]  # fmt: skip
    for given, call in calls:
        with pytest.raises(UsageError, match="a string"):
            print(given, call())
