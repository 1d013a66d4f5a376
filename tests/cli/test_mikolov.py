"""The flags of Mikolov's toolkit, and the way Kaldi's scripts call it."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from rnnlm.loading import load_scorer
from tests.cli.refused import assert_refused

LN10 = math.log(10)


def log10(model, sentences, carried=False):
    return [log_p.astype(float) / LN10 for log_p in load_scorer(model, carried).log_probs(sentences)]


def test_kaldi_calls_it_in_a_pipe(trained, tmp_path):
    """The call of Kaldi's rnnlm_compute_scores.sh: ids and texts pasted together, the scores turned to nats by awk."""
    (tmp_path / "rnnlm").write_bytes((trained["sentences"] / "best.npz").read_bytes())
    (tmp_path / "ids").write_text("utt-1\nutt-2\nutt-3\n")
    (tmp_path / "text").write_text("the cat sees a dog \nthe quagga \n\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/rnnlm").symlink_to(os.path.join(os.path.dirname(sys.executable), "rnnlm"))
    script = """
        paste ids text > id_text
        bin/rnnlm -independent -rnnlm rnnlm -test id_text -nbest -debug 0 | awk '{print $1*log(10);}' > loglikes
        paste ids loglikes
    """
    found = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert (found.returncode, found.stderr) == (0, "")
    rows = [line.split() for line in found.stdout.splitlines()]
    assert [row[0] for row in rows] == ["utt-1", "utt-2", "utt-3"]
    one, two, three = log10(trained["sentences"], [["the", "cat", "sees", "a", "dog"], ["the", "quagga"], []])
    expected = [one.sum(), two.sum(), three.sum()]  # a word out of the vocabulary counts as <unk>, as in `rnnlm score`
    np.testing.assert_allclose([float(row[1]) for row in rows], np.array(expected) * LN10, rtol=1e-4)


def test_nbest_in_context(rnnlm, trained, tmp_path):
    (tmp_path / "list").write_text("1 the cat\n1 a dog\n2 the bird\n2 the cat\n")
    status, out, err = rnnlm("-rnnlm", trained["stream"], "-test", "list", "-nbest", "-debug", "1")
    *scores, blank, logp, empty, ppl = out.splitlines()
    first = ["the", "cat"]
    expected = [log10(trained["stream"], text, True)[-1].sum() for text in (
        [first], [["a", "dog"]], [first, ["the", "bird"]], [first, first],
    )]  # fmt: skip
    np.testing.assert_allclose([float(x) for x in scores], expected, atol=1e-5)
    assert (status, err, blank, empty) == (0, "", "", "")
    assert float(logp.removeprefix("test log probability: ")) == pytest.approx(sum(expected), abs=1e-4)
    assert float(ppl.removeprefix("PPL net: ")) == pytest.approx(10 ** (-sum(expected) / 12), rel=1e-4)


@pytest.mark.parametrize("flags", [(), ("-independent",)])
def test_perplexity(rnnlm, trained, tmp_path, flags):
    (tmp_path / "text").write_text("the cat sees a dog\n\nthe quagga\n")
    status, out, err = rnnlm("-rnnlm", trained["stream"], "-test", "text", *flags, "-bptt", 4, "-debug", 2)
    texts = [["the", "cat", "sees", "a", "dog"], [], ["the", "quagga"]]
    one, two, three = log10(trained["stream"], texts, carried=not flags)
    known = np.concatenate([one, two, three[[0, 2]]])
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[:2] == ["Index   P(NET)          Word", "-" * 34]
    table = [line.split() for line in lines[2:-4]]
    assert [row[-1] for row in table] == ["the", "cat", "sees", "a", "dog", "</s>", "</s>", "the", "OOV", "</s>"]
    assert table[8] == ["-1", "0", "OOV"]
    np.testing.assert_allclose([float(row[1]) for row in table if row[2] != "OOV"], 10**known, rtol=1e-4)
    assert float(lines[-3].removeprefix("test log probability: ")) == pytest.approx(known.sum(), abs=1e-5)
    assert float(lines[-1].removeprefix("PPL net: ")) == pytest.approx(10 ** -known.mean(), rel=1e-5)
    assert rnnlm("-rnnlm", trained["stream"], "-test", "text", *flags)[1].splitlines() == lines[-4:]


@pytest.mark.parametrize(("arguments", "words"), [
    (("-train", "x"), ("-train", "'rnnlm train'")),
    (("-rnnlm", "m", "-test", "t", "-dynamic", "0.1"), ("-dynamic", "'rnnlm eval --dynamic'")),
    (("-rnnlm", "m", "-tset", "t"), ("-tset", "unknown", "-test")),
    (("-rnnlm", "m", "-nbest"), ("-test is missing",)),
    (("-test", "t", "-debug", "0"), ("-rnnlm is missing",)),
    (("-rnnlm", "m", "-test"), ("-test", "expected a value")),
    (("-rnnlm", "m", "-test", "t", "-debug", "x"), ("-debug x", "0, 1 or 2")),
])  # fmt: skip
def test_errors(rnnlm, arguments, words):
    assert_refused(rnnlm(*arguments), 2, *words)


def test_a_text_without_a_line(rnnlm, trained):
    assert_refused(rnnlm("-rnnlm", trained["stream"], "-test", "-", "-debug", 0), 1, "-: no words", "no line")


def test_the_mask_is_hidden(rnnlm):
    assert "-nbest" not in rnnlm("--help")[1]
