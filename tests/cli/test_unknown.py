"""Half of a text or more out of the vocabulary: a warning wherever it is scored, and none for other texts."""

import random
import warnings

import pytest

import rnnlm as library
from rnnlm.compat import kenlm
from rnnlm.lm.scorer import Heard
from tests.conftest import TINY, sentence

STRANGE = ["der hund sieht the", "eine katze findet the vogel", "the fisch"]
CHINESE = "昨天我上学迟到了"


@pytest.fixture
def texts(tmp_path):
    """Half known, mostly known, and without blanks; as texts and as n-best lists."""
    known = ["the cat sees a dog", "the bird likes a fish now", "the quagga finds a cat"]
    for name, lines in (("strange", STRANGE), ("known", known), ("chinese", [CHINESE])):
        (tmp_path / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
        (tmp_path / f"{name}.nbest").write_text("".join(f"u {line}\n" for line in lines))
    return tmp_path


COMMANDS = {
    "eval": ["eval", "MODEL", "FILE.txt"],
    "eval --json": ["eval", "MODEL", "FILE.txt", "--json"],
    "eval of an ARPA file": ["eval", "m.arpa", "FILE.txt"],
    "score": ["score", "MODEL", "FILE.txt"],
    "rescore": ["rescore", "MODEL", "FILE.nbest", "-f", "mikolov"],
    "compare": ["compare", "MODEL", "m.arpa", "--text", "FILE.txt"],
    "predict": ["predict", "MODEL", "LINE"],
    "sample": ["sample", "MODEL", "--prompt", "LINE"],
    "-test": ["-rnnlm", "MODEL", "-test", "FILE.txt"],
    "-nbest": ["-rnnlm", "MODEL", "-test", "FILE.nbest", "-nbest"],
    "ngram": ["ngram", "FILE.txt", "-o", "n.arpa", "--vocab", "MODEL", "--force"],
    "mixture": ["eval", "MODEL", "known.txt", "--mix", "m.arpa", "--dev", "FILE.txt"],
    "cache": ["eval", "MODEL", "known.txt", "--cache", 9, "--dev", "FILE.txt"],
    "dynamic": ["eval", "MODEL", "known.txt", "--dynamic", "tune", "--dev", "FILE.txt"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_a_warning_everywhere(rnnlm, trained, texts, command):
    rnnlm("ngram", trained["test.txt"], "-o", "m.arpa", "--order", 2)
    for name, warned in (("strange", True), ("known", False)):
        line = (texts / f"{name}.txt").read_text().splitlines()[0]
        words = {
            "MODEL": str(trained["stream"]),
            "LINE": line,
            "FILE.txt": f"{name}.txt",
            "FILE.nbest": f"{name}.nbest",
        }
        status, _, said = rnnlm(*(words.get(word, word) for word in COMMANDS[command]))
        assert status == 0
        assert ("warning: " in said) == warned
        if warned:
            assert "OOV" in said or "not in the vocabulary" in said


@pytest.mark.parametrize("command", ["score", "rescore", "predict", "sample"])
def test_text_without_blanks_is_to_be_cut_into_words(rnnlm, trained, texts, command):
    words = {"MODEL": str(trained["stream"]), "LINE": CHINESE, "FILE.txt": "chinese.txt", "FILE.nbest": "chinese.nbest"}
    status, _, said = rnnlm(*(words.get(word, word) for word in COMMANDS[command]))
    assert status == 0
    assert "1 of 1 word not in the vocabulary" in said
    assert "cut the text into words" in said
    assert said.count(CHINESE) == 2


def test_fill(rnnlm, tmp_path):
    rng = random.Random(2)
    (tmp_path / "train.txt").write_text("".join(sentence(rng) + "\n" for _ in range(60)))
    (tmp_path / "b.yaml").write_text(
        "data: {train: train.txt, reading: blanks}\nmodel: {kind: blank, embedding: 4, cell: {size: 4}}\n"
        "training: {epochs: 1}\n"
    )
    assert rnnlm("train", "b.yaml", "-o", "run", "-q")[0] == 0
    assert "warning: 2 of 2 words not in the vocabulary" in rnnlm("fill", "run", "der hund ____")[2]
    assert "cut the text into words" in rnnlm("fill", "run", f"{CHINESE} ____")[2]
    assert rnnlm("fill", "run", "the cat ____")[2] == ""
    (tmp_path / "strange.txt").write_text("\n".join(STRANGE))
    assert "warning: strange.txt: 72.73% OOV" in rnnlm("eval", "run", "strange.txt")[2]


def test_training_and_validation_texts(rnnlm, tiny, tmp_path):
    (tmp_path / "strange.txt").write_text("\n".join(STRANGE * 9))
    (tmp_path / "words.txt").write_text("the\nnowhere\n")
    _, _, said = rnnlm("train", "tiny.yaml", "--valid", "strange.txt", "-o", "a", "--set", "training.epochs=1")
    assert "warning: strange.txt: 72.73% OOV" in said
    _, _, said = rnnlm("train", "tiny.yaml", "-o", "b", "--set", "training.epochs=1", "--set", "data.vocab=words.txt")
    assert said.count("% OOV: ") == 2
    assert "warning: train.txt: " in said
    with library.train("tiny.yaml", overrides={"data.valid": "strange.txt"}) as training:
        assert any("warning: strange.txt: 72.73% OOV" in note for note in training.notes)


# --- Python ----------------------------------------------------------------------------------------------------------


def test_strings_warn_once_after_a_while(trained):
    model = library.load(trained["stream"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(20):
            model.score("the cat sees a dog")
            list(model.full_scores("the cat sees a dog </s>"))
    model = library.load(trained["stream"])
    with pytest.warns(UserWarning, match="% OOV: another") as caught:
        any(model.score(line) > 0 for line in STRANGE * 30)
    assert len(caught) == 1
    assert model.heard.words == 330


def test_a_program_for_kenlm_is_warned(trained):
    model, state, after = kenlm.Model(str(trained["stream"])), kenlm.State(), kenlm.State()
    model.BeginSentenceWrite(state)
    with pytest.warns(UserWarning, match="100.00% OOV"):
        any(model.BaseScore(state, "hund", after) > 0 for _ in range(Heard.FEW))
    model.BaseScore(state, "</s>", after)
    assert model.scorer.heard.words == Heard.FEW
    model = kenlm.Model(str(trained["sentences"]))
    with pytest.warns(UserWarning, match="OOV"):
        any(model.perplexity(" ".join(STRANGE)) < 0 for _ in range(9))


# --- <unk> that nothing teaches --------------------------------------------------------------------------------------


def test_an_unk_that_is_never_trained_is_warned_of(rnnlm, tiny, tmp_path):
    with (tmp_path / "valid.txt").open("a") as file:
        file.write("the quagga sees a dog\n")
    said = rnnlm("train", "tiny.yaml", "-o", "a", "--set", "data.rare_as_unk=0", "--set", "training.epochs=1")[2]
    assert "warning: <unk> is never trained" in said
    assert " no OOVs" in said
    assert "note: rare words are read as <unk>" in rnnlm("train", "tiny.yaml", "--dry-run")[2]
    with library.train("tiny.yaml", overrides={"data.rare_as_unk": 0}) as training:
        assert any("<unk> is never trained" in note for note in training.notes)
    out = rnnlm("eval", "a", "valid.txt")[1]
    assert " ppl= " in out
    assert "# OOV as <unk>: ppl = " in out


def test_even_counts_are_warned_of_wherever_a_vocabulary_is_made(rnnlm, tmp_path):
    words = [f"w{i}" for i in range(30)]
    (tmp_path / "words.txt").write_text("".join(f"{word}\n" for word in words))
    (tmp_path / "text.txt").write_text("".join(" ".join(words[i:] + words[:i]) + "\n" for i in range(30)))
    status, _, said = rnnlm("vocab", "words.txt", "-o", "v.txt")
    assert status == 0
    assert "warning: words.txt: a list of words" in said
    assert "data.vocab" in said
    assert "list of words" not in rnnlm("vocab", "text.txt", "-o", "w.txt")[2]
    (tmp_path / "tiny.yaml").write_text(TINY.replace("train.txt", "text.txt").replace("valid.txt", "0.1"))
    for vocabulary in ("null", "v.txt", "words.txt"):
        said = rnnlm("train", "tiny.yaml", "--dry-run", "--set", f"data.vocab={vocabulary}")[2]
        assert "equally often" in said
    with library.train("tiny.yaml") as training:
        assert any("equally often" in note for note in training.notes)


def test_words_that_no_text_can_have_are_said(rnnlm, tmp_path):
    (tmp_path / "text.txt").write_text("the\u00a0cat sat\nthe dog sat\n" * 20)
    (tmp_path / "v.txt").write_text("<s>\t0\tlevel=word lower\n</s>\t1\n<unk>\t1\nThe\t3\ndog\t2\nsat\t2\n")
    (tmp_path / "tiny.yaml").write_text(TINY.replace("train.txt", "text.txt").replace("valid.txt", "0.1"))
    said = rnnlm("train", "tiny.yaml", "--dry-run", "--set", "data.vocab=v.txt", "--set", "data.lower=true")[2]
    assert "1 words of the vocabulary have capitals, such as 'The'" in said
    assert "beyond ASCII" not in said
    said = rnnlm("train", "tiny.yaml", "--dry-run")[2]
    assert r"a word contains white space beyond ASCII, such as 'the\xa0cat'" in said
    assert r"such as 'the\xa0cat'" in rnnlm("vocab", "text.txt", "-o", "w.txt")[2]
