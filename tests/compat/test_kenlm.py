"""Programs that are written for KenLM's Python module."""

import copy
import pickle
import threading

import numpy as np
import pytest

import rnnlm
from rnnlm.compat import kenlm
from rnnlm.lm import arpa
from rnnlm.lm.kneser_ney import estimate, read

PROGRAM = '''
import kenlm

model = kenlm.LanguageModel(PATH)
print("{0}-gram model".format(model.order))

for sentence in ["the cat sees a dog now", "a quagga likes the bird", "", "now now now </s>"]:
    assert abs(model.score(sentence) - sum(p for p, _, _ in model.full_scores(sentence))) < 1e-3
    words = ["<s>"] + sentence.split() + ["</s>"]
    for i, (prob, length, oov) in enumerate(model.full_scores(sentence)):
        print(words[max(0, i + 2 - length) : i + 2], "oov" if oov else "")
        figures.append(prob)
    for word in words:
        if word not in model:
            print(word, "is an OOV")
    for bos in BOS:
        for eos in (True, False):
            figures.append(model.score(sentence, bos=bos, eos=eos))
    figures.append(model.perplexity(sentence))

state, state2 = kenlm.State(), kenlm.State()
model.BeginSentenceWrite(state)
accum = model.BaseScore(state, "the", state2)
accum += model.BaseScore(state2, "dog", state)
assert abs(accum - model.score("the dog", eos=False)) < 1e-3
accum += model.BaseScore(state, "</s>", state2)
assert abs(accum - model.score("the dog")) < 1e-3

if False in BOS:
    model.NullContextWrite(state)
    full = model.BaseFullScore(state, "zebra", state2)
    figures.append(full.log_prob)
    print(full.ngram_length, full.oov)


def search(length, beam):
    """The likeliest sentences among a few words, found by a beam search over states."""
    start = kenlm.State()
    model.BeginSentenceWrite(start)
    beams = [(0.0, [], start)]
    for _ in range(length):
        found = {}
        for score, words, state in beams:
            for word in ["the", "cat", "dog", "sees", "likes", "a"]:
                out = kenlm.State()
                new = score + model.BaseScore(state, word, out)
                if out not in found or found[out][0] < new:
                    found[out] = (new, [*words, word], out)
        beams = sorted(found.values(), key=lambda entry: -entry[0])[:beam]
    return beams


for score, words, _ in search(5, 4):
    figures.append(score)
    print(" ".join(words))
'''


@pytest.fixture(scope="module")
def paths(trained, tmp_path_factory):
    """Models by name: a network of either way of reading, ARPA files with and without `<unk>`."""
    folder = tmp_path_factory.mktemp("kenlm")
    with open(folder / "3.arpa", "wb") as file:
        arpa.write(estimate(*read([trained["test.txt"]]), 3), file)
    text = (folder / "3.arpa").read_text()
    line = next(line for line in text.splitlines() if "\t<unk>" in line)
    number = len(text.split("\\1-grams:\n")[1].split("\n\n")[0].splitlines())
    text = text.replace(f"{line}\n", "").replace(f"ngram 1={number}\n", f"ngram 1={number - 1}\n")
    (folder / "no-unk.arpa").write_text(text)
    names = {name: trained[name] for name in ("stream", "sentences")}
    return names | {name: folder / f"{name}.arpa" for name in ("3", "no-unk")}


def run(path, module, monkeypatch, bos=(True, False)):
    """Run the program on a model with `module` as its kenlm: the figures that it found."""
    monkeypatch.setitem(__import__("sys").modules, "kenlm", module)
    figures = []
    exec(compile(PROGRAM, "program", "exec"), {"PATH": str(path), "BOS": bos, "figures": figures})
    return figures


@pytest.mark.parametrize("name", ["3", "no-unk"])
def test_a_program_has_the_figures_and_the_output_of_kenlm(paths, name, monkeypatch, capfd):
    real = pytest.importorskip("kenlm")
    expected = np.array(run(paths[name], real, monkeypatch))
    shown = capfd.readouterr().out
    found = np.array(run(paths[name], kenlm, monkeypatch))
    assert capfd.readouterr().out == shown
    whole = (expected > -99) & (expected < 1e9)  # to the logarithm of zero, -100, KenLM adds backoff weights
    assert whole.all() == (name == "3")
    np.testing.assert_allclose(found[whole], expected[whole], rtol=2e-5)


@pytest.mark.parametrize("name", ["stream", "sentences", "3", "no-unk"])
def test_a_program_runs_on_every_kind_of_model(paths, name, monkeypatch, capsys):
    figures = run(paths[name], kenlm, monkeypatch, bos=(True, False) if name in ("3", "no-unk") else (True,))
    assert np.isfinite(figures).all()
    shown = capsys.readouterr().out
    assert "quagga is an OOV" in shown
    assert ("inf-gram" in shown) == (name in ("stream", "sentences"))


def test_a_mixture(paths):
    model = kenlm.Model(rnnlm.mix([rnnlm.load(paths["sentences"]), rnnlm.load(paths["3"])]))
    state, out = kenlm.State(), kenlm.State()
    model.BeginSentenceWrite(state)
    total = 0.0
    for word in ["the", "cat", "quagga", "</s>"]:
        total += model.BaseScore(state, word, out)
        state, out = out, state
    assert total == pytest.approx(model.score("the cat quagga"), abs=1e-4)
    assert model.path is None


def test_zero_has_the_logarithm_that_kenlm_gives_it(paths):
    model = kenlm.Model(paths["no-unk"])
    assert model.score("the zebra", eos=False) == pytest.approx(model.score("the", eos=False) - 100)
    assert np.isfinite(model.perplexity("the zebra"))


@pytest.mark.parametrize("name", ["stream", "3"])
def test_states_are_values(paths, name):
    """They can be compared, sorted, copied and pickled, and go on as they are."""
    model, start, after = kenlm.Model(paths[name]), kenlm.State(), kenlm.State()
    model.BeginSentenceWrite(start)
    model.BaseScore(start, "the", after)
    again = kenlm.State()
    model.BaseScore(start, "the", again)
    assert again == after
    assert hash(again) == hash(after)
    assert start != after
    assert sorted([after, start, kenlm.State()]) == [kenlm.State(), start, after]
    expected = model.BaseScore(after, "cat", kenlm.State())
    for other in (copy.copy(after), copy.deepcopy(after), pickle.loads(pickle.dumps(after))):
        assert other == after
        assert model.BaseScore(other, "cat", kenlm.State()) == pytest.approx(expected, abs=1e-6)


def test_a_state_may_be_both_before_and_after(paths):
    model, state = kenlm.Model(paths["3"]), kenlm.State()
    model.BeginSentenceWrite(state)
    total = sum(model.BaseScore(state, word, state) for word in ["the", "dog", "likes", "</s>"])
    assert total == pytest.approx(model.score("the dog likes"), abs=1e-6)


def test_words_out_of_the_vocabulary_are_one_context(paths):
    model, start, one, two = kenlm.Model(paths["3"]), kenlm.State(), kenlm.State(), kenlm.State()
    model.BaseScore(start, "zebra", one)
    model.BaseScore(start, "quagga", two)
    assert one == two


def test_a_state_of_another_model_is_read_anew(paths):
    first, second = kenlm.Model(paths["stream"]), kenlm.Model(paths["sentences"])
    state, out = kenlm.State(), kenlm.State()
    first.BeginSentenceWrite(state)
    first.BaseScore(state, "the", out)
    expected = second.score("the cat", eos=False) - second.score("the", eos=False)
    assert second.BaseScore(out, "cat", kenlm.State()) == pytest.approx(expected, abs=1e-4)


def test_threads_share_a_model(paths):
    """A network has one workspace: without turns, threads would read each other's numbers."""
    model = kenlm.Model(paths["stream"])
    sentences = [" ".join(["the", "cat", "sees", "a", "dog"][: n % 6]) for n in range(60)]
    expected = [model.score(sentence) for sentence in sentences]
    found = {}

    def work(thread):
        found[thread] = [model.score(sentence) for sentence in sentences]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for scores in found.values():
        np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert len(found) == 4


def test_options_of_loading_are_accepted(paths):
    config = kenlm.Config()
    config.load_method = kenlm.LoadMethod.LAZY
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    model = kenlm.Model(str(paths["3"]).encode(), config)
    assert model.path == str(paths["3"])
    assert repr(model) == "<Model from 3.arpa>"
