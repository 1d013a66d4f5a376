"""`rnnlm rescore` and what `rnnlm score` can be asked for."""

import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest

from rnnlm.lm.rescoring.nbest import read
from rnnlm.lm.rescoring.wer import edit_distances
from rnnlm.loading import load_scorer
from tests.cli.refused import assert_refused
from tests.lm.rescoring.conftest import channel

LN10 = math.log(10)


@pytest.fixture
def heard(trained, tmp_path):
    """What a noisy channel makes of the test text, in every format, and the references."""
    sentences = [line.split() for line in trained["test.txt"].read_text().splitlines()[:30]]
    files = {name: [] for name in ("mikolov", "mikolov.ac", "kaldi", "kaldi.ac", "srilm-stream", "ref")}
    (tmp_path / "lists").mkdir()
    for nbest, words in channel(sentences):
        lines = []
        for n, h in enumerate(nbest.hypotheses, 1):
            text = "".join(f" {word}" for word in h.words)
            files["mikolov"].append(f"{nbest.id}{text}")
            files["mikolov.ac"].append(f"{h.ac / LN10:.9g}")
            files["kaldi"].append(f"{nbest.id}-{n}{text}")
            files["kaldi.ac"].append(f"{nbest.id}-{n} {-h.ac:.9g}")
            lines.append(f"{h.ac / LN10:.9g} -7 {len(h.words)}{text}")
        files["srilm-stream"] += [f"{nbest.id} {line}" for line in lines]
        files["ref"].append(" ".join([nbest.id, *words]))
        (tmp_path / "lists" / f"{nbest.id}.nbest").write_text("\n".join(lines) + "\n")
    for name, lines in files.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    return [f"lists/u{i}.nbest" for i in range(len(sentences))]


TABLE = re.compile(
    r"(\w* *) utterances    words   errors      WER\n"
    r"first-best +(\d+) +(\d+) +(\d+) +([\d.]+)%\n"
    r"rescored +\2 +\3 +(\d+) +([\d.]+)%\n"
    r"oracle +\2 +\3 +(\d+) +([\d.]+)%\n"
    r"difference +[-+][\d.]+%, 95 % interval .*, better in .*\n"
)
WEIGHTS = ("--lm-weight", 3, "--word-penalty", -1)
NOTE = re.compile("note: .* not in the vocabulary, .*\n")


def test_every_format_gives_the_same_answer(rnnlm, trained, heard):
    model = trained["stream"]
    found = rnnlm("rescore", model, "mikolov", "-f", "mikolov", "--ac", "mikolov.ac", *WEIGHTS)
    assert found[0] == 0
    assert rnnlm("rescore", model, "kaldi", "-f", "kaldi", "--ac", "kaldi.ac", *WEIGHTS) == found
    assert rnnlm("rescore", model, "srilm-stream", "-f", "srilm-stream", *WEIGHTS) == found
    assert rnnlm("rescore", model, *heard, "-f", "srilm", *WEIGHTS) == found
    best = [line.split() for line in found[1].splitlines()]
    scorer = load_scorer(model)
    lists = list(read(["mikolov"], "mikolov", "mikolov.ac"))
    assert len(best) == len(lists)
    for (id, *words), nbest in zip(best, lists):
        total = [h.ac + 3 * next(scorer.log_probs([h.words])).sum(dtype=float) + len(h.words) for h in nbest.hypotheses]
        assert (id, words) == (nbest.id, nbest.hypotheses[int(np.argmax(total))].words)


def test_word_error_rates(rnnlm, trained, heard, tmp_path):
    arguments = ("rescore", trained["sentences"], "kaldi", "-f", "kaldi", "--ac", "kaldi.ac", *WEIGHTS, "--ref", "ref")
    status, best, table = rnnlm(*arguments)
    assert status == 0
    note = NOTE.match(table)[0]
    table = table.removeprefix(note)
    _, utterances, words, first, _, rescored, wer, oracle, _ = TABLE.fullmatch(table).groups()
    references = [line.split()[1:] for line in (tmp_path / "ref").read_text().splitlines()]
    chosen = [line.split()[1:] for line in best.splitlines()]
    errors = sum(int(edit_distances(r, [c])[0]) for r, c in zip(references, chosen))
    assert (int(utterances), int(words), int(rescored)) == (30, sum(map(len, references)), errors)
    assert float(wer) == pytest.approx(100 * errors / int(words), abs=0.01)
    assert int(oracle) <= int(rescored) < int(first)
    assert rnnlm(*arguments, "-o", "best") == (0, table, note)
    assert (tmp_path / "best").read_text() == best


def test_tune(rnnlm, trained, heard):
    arguments = ("rescore", trained["stream"], "kaldi", "-f", "kaldi", "--ac", "kaldi.ac", "--ref", "ref")
    status, best, err = rnnlm(*arguments, "--tune", 0.5)
    weights, table = err.split("\n", 1)
    assert status == 0
    (one, *development), (two, *rest) = TABLE.findall(table)
    assert (one.strip(), two.strip(), development[0], rest[0]) == ("development", "rest", "15", "15")
    assert int(development[4]) < int(development[2])
    assert int(rest[4]) < int(rest[2])
    assert weights.startswith("weights: --ac-weight 1 --lm-weight ")
    again = rnnlm(*arguments[:-2], *weights.split()[1:])  # the same choice with the options as printed
    assert again[:2] == (0, best)


def test_reordered_lists(rnnlm, trained, heard, tmp_path):
    arguments = ("rescore", trained["stream"], "-f")
    _, best, _ = rnnlm(*arguments, "kaldi", "kaldi", "--ac", "kaldi.ac")
    status, out, _ = rnnlm(*arguments, "kaldi", "kaldi", "--ac", "kaldi.ac", "--nbest")
    assert status == 0
    assert sorted(out.splitlines()) == sorted((tmp_path / "kaldi").read_text().splitlines())
    (tmp_path / "again").write_text(rnnlm(*arguments, "srilm", *heard, "--nbest")[1])
    first = {}
    for line in out.splitlines():
        key, *words = line.split()
        first.setdefault(key.rpartition("-")[0], words)
    assert [" ".join([id, *words]) for id, words in first.items()] == best.splitlines()
    scorer = load_scorer(trained["stream"])
    for nbest in read(["again"], "srilm-stream"):
        assert nbest.hypotheses[0].words == first[nbest.id]
        for h in nbest.hypotheses:
            assert h.old == pytest.approx(next(scorer.log_probs([h.words])).sum(dtype=float), rel=1e-5)
        totals = [h.ac + h.old for h in nbest.hypotheses]
        assert totals == sorted(totals, reverse=True)


def test_context(rnnlm, trained, tmp_path):
    """The first hypothesis of each utterance is what the next one follows."""
    (tmp_path / "f").write_text("1 the cat\n1 the dog sees\n2 the cat\n2 a cat\n3 the cat\n")
    _, out, _ = rnnlm("rescore", trained["stream"], "f", "-f", "mikolov", "--nbest", "--context", "first-best")
    scorer = load_scorer(trained["stream"], carried=True)
    texts = {"the cat": [["the", "cat"]] * 2, "a cat": [["the", "cat"], ["a", "cat"]]}
    second = {words: list(scorer.log_probs(text))[1].sum() for words, text in texts.items()}
    assert out.splitlines()[2:4] == [f"2 {words}" for words in sorted(second, key=second.get, reverse=True)]
    assert rnnlm("rescore", trained["stream"], "f", "-f", "mikolov")[1].count("\n") == 3


def test_a_mixture_rescores(rnnlm, trained, heard):
    arguments = ("rescore", trained["stream"], "kaldi", "-f", "kaldi", "--ac", "kaldi.ac", "--ref", "ref")
    mixed = rnnlm(*arguments, "--mix", trained["sentences"], "--mix-weights", "1,0")
    assert mixed == rnnlm(*arguments)
    assert mixed[0] == 0
    status, _, table = rnnlm(*arguments, "--mix", trained["sentences"])
    assert status == 0
    assert TABLE.fullmatch(NOTE.sub("", table))


@pytest.mark.parametrize(("status", "arguments", "words"), [
    (2, ("-f", "srilm", "--ac", "x"), ("--ac", "srilm")),
    (2, ("-f", "mikolov", "--tune", "1"), ("--tune", "--ref")),
    (2, ("-f", "mikolov", "--old-weight", "1"), ("--old-weight", "--old")),
    (2, ("-f", "mikolov", "--ac-weight", "0.5"), ("--ac-weight", "--ac")),
    (2, ("-f", "mikolov", "--lm-weight", "nan"), ("--lm-weight nan", "finite")),
    (2, ("-f", "mikolov", "--word-penalty", "inf"), ("--word-penalty inf", "finite")),
    (2, ("-f", "mikolov", "--ref", "list", "--tune", "nan"), ("--tune nan", "finite")),
    (2, ("-f", "mikolov", "-o", "."), (".: is a directory",)),
    (2, ("-f", "mikolov", "-o", ""), ("is a directory",)),
    (2, ("-f", "mikolov", "-o", "./list"), ("./list", "overwrite list")),
    (2, ("-f", "mikolov", "--mix-weights", "x"), ("--weights x", "numbers")),
    (1, ("-f", "mikolov", "-o", "gone/out"), ("gone/out", "cannot be written")),
    (1, ("-f", "kaldi"), ("list:1", "'u1 the cat'", "ID-N words...")),
    (1, ("-f", "mikolov", "--ref", "ref", "-o", "out"), ("ref", "no reference", "'u1'")),
])  # fmt: skip
def test_rescore_errors(rnnlm, trained, tmp_path, status, arguments, words):
    (tmp_path / "list").write_text("u1 the cat\n")
    (tmp_path / "ref").write_text("u2 the cat\n")
    assert_refused(rnnlm("rescore", trained["stream"], "list", *arguments), status, *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list", "ref"]


def test_a_file_that_cannot_be_finished_stays_as_it_was(rnnlm, trained, tmp_path):
    (tmp_path / "list").write_text("u1 the cat\nu2 a dog\nu1 the cat\n")
    (tmp_path / "out").write_text("before\n")
    assert_refused(rnnlm("rescore", trained["stream"], "list", "-f", "mikolov", "-o", "out"), 1, "list:3")
    assert (tmp_path / "out").read_text() == "before\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list", "out"]


def test_references_without_a_list_are_named(rnnlm, trained, tmp_path):
    (tmp_path / "list").write_text("u1 the cat\n")
    (tmp_path / "ref").write_text("u1 the cat\nu3 a\nu2 the cat\n")
    _, out, err = rnnlm("rescore", trained["stream"], "list", "-f", "mikolov", "--ref", "ref")
    assert out == "u1 the cat\n"
    assert re.match("note: ref: 2 .*'u2'\n", err)


def test_rescore_in_a_pipe(trained, tmp_path):
    command = [sys.executable, "-m", "rnnlm", "rescore", str(trained["stream"]), "-", "-f", "mikolov"]
    lists = "1 the cat sees a dog\n1 cat the a sees dog\n2 dog\n"
    found = subprocess.run(command, input=lists, capture_output=True, text=True, timeout=100)
    assert (found.returncode, found.stdout, found.stderr) == (0, "1 the cat sees a dog\n2 dog\n", "")


# --- noise, unknown words, what changed ----------------------------------------------------------------------------

NOISY = "u1 -1 -9 3 the [laugh] quagga\nu1 -2 -9 3 the uh cat\nu2 -1 -9 1 zebra\nu2 -9 -9 1 cat\nu3 -1 -9 0\n"
REFERENCES = "u1 the cat\nu2 uh zebra\nu3\n"


@pytest.fixture
def noisy(tmp_path):
    """Lists with noise and words that no model knows."""
    (tmp_path / "list").write_text(NOISY)
    (tmp_path / "ref").write_text(REFERENCES)
    (tmp_path / "noise").write_text("[laugh]\nuh\n")


@pytest.mark.parametrize("noise", ["noise", "[laugh],uh"])
def test_noise_is_neither_scored_nor_counted(rnnlm, trained, noisy, noise):
    arguments = ("rescore", trained["stream"], "list", "-f", "srilm-stream", "--noise", noise, "--oov-penalty", 8)
    status, out, err = rnnlm(*arguments, "--ref", "ref")
    assert (status, out) == (0, "u1 the cat\nu2 cat\nu3\n")
    assert "2 of 6 words not in the vocabulary" in err
    assert re.search("first-best +3 +3 +1 +33.33%\nrescored +3 +3 +1 ", err)
    assert rnnlm(*arguments, "--keep-noise")[1] == "u1 the uh cat\nu2 cat\nu3\n"
    lines = rnnlm(*arguments, "--nbest")[1].splitlines()
    assert [line.split()[0:2] + line.split()[3:] for line in lines[:2]] == [
        ["u1", "-2", "3", "the", "uh", "cat"], ["u1", "-1", "3", "the", "[laugh]", "quagga"],
    ]  # fmt: skip
    score = float(rnnlm("score", trained["stream"], stdin=b"the cat\n")[1])
    assert float(lines[0].split()[2]) == pytest.approx(score, abs=1e-5)


def test_noise_that_is_nowhere_is_reported(rnnlm, trained, noisy):
    _, _, err = rnnlm("rescore", trained["stream"], "list", "-f", "srilm-stream", "--noise", "noises.txt")
    assert "note: --noise: the lists have no 'noises.txt'" in err
    assert "noise" not in rnnlm("rescore", trained["stream"], "list", "-f", "srilm-stream", "--noise", "uh,x")[2]


def test_what_changed_and_errors_by_length(rnnlm, trained, noisy):
    arguments = ("rescore", trained["stream"], "list", "-f", "srilm-stream", "--noise", "noise", "--oov-penalty", 8)
    status, out, _ = rnnlm(*arguments, "--ref", "ref", "-v", "-o", "out")
    assert status == 0
    assert re.search(r"words  utterances  first-best  rescored  oracle\n +0-5 +3 +33.33% +33.33% +0.00%\n", out)
    assert out.endswith(
        "\n2 utterances changed\nu1: 1 -> 0 errors\n  - the quagga\n  + the cat\n"
        "u2: 0 -> 1 errors\n  - zebra\n  + cat\n"
    )
    assert "u1\n  - the quagga\n  + the cat\n" in rnnlm(*arguments, "-v")[2]


OOV = [(), ("--oov", "unk"), ("--oov-penalty", 2.5), ("--oov", "exclude")]


@pytest.mark.parametrize("options", OOV)
def test_unknown_words_count_alike_in_every_command(rnnlm, trained, tmp_path, options):
    (tmp_path / "list").write_text("u the quagga sees zebra\nu the cat\n")
    text = b"the quagga sees zebra\nthe cat\n"
    scores = [float(x) for x in rnnlm("score", trained["stream"], *options, stdin=text)[1].split()]
    flags = [str(x).replace("--", "-") for x in options]
    old = rnnlm("-independent", "-rnnlm", trained["stream"], "-test", "list", "-nbest", "-debug", 0, *flags)[1]
    np.testing.assert_allclose([float(x) for x in old.split()], scores, atol=1e-6)
    (tmp_path / "stream").write_text("u -1 -1 4 the quagga sees zebra\nu -9 -1 2 the cat\n")
    out = rnnlm("rescore", trained["stream"], "stream", "-f", "srilm-stream", "--nbest", "--ac-weight", 0, *options)[1]
    found = {line.split(maxsplit=4)[4]: float(line.split()[2]) for line in out.splitlines()}
    np.testing.assert_allclose([found["the quagga sees zebra"], found["the cat"]], scores, rtol=1e-5)
    known, *_ = load_scorer(trained["stream"]).log_probs([["the", "quagga", "sees", "zebra"]])
    expected = {
        "2.5": known.sum() / LN10 - 5, "exclude": known[[0, 2, 4]].sum() / LN10,
    }.get(str(options[-1]) if options else "", known.sum() / LN10)  # fmt: skip
    assert scores[0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("options", "words"), [
    (("--oov", "exclude", "--oov-penalty", 1), ("--oov-penalty with --oov exclude",)),
    (("--oov-penalty", "nan"), ("--oov-penalty nan",)),
    (("--oov-penalty", -1), ("--oov-penalty -1",)),
])  # fmt: skip
def test_options_of_unknown_words(rnnlm, trained, noisy, options, words):
    assert_refused(rnnlm("score", trained["stream"], *options), 2, *words)
    assert_refused(rnnlm("rescore", trained["stream"], "list", "-f", "srilm-stream", *options), 2, *words)


def test_flags_of_unknown_words(rnnlm, trained, noisy):
    arguments = ("-rnnlm", trained["stream"], "-test", "list", "-nbest")
    assert_refused(rnnlm(*arguments, "-oov", "x"), 2, "-oov x", "unk, exclude")
    assert_refused(rnnlm(*arguments, "-oov-penalty", "x"), 2, "-oov-penalty x", "number")


def test_the_penalty_is_tuned_where_there_are_unknown_words(rnnlm, trained, tmp_path):
    lists = "".join(f"u{i} -1 -9 3 the quagga now\nu{i} -1 -9 3 the cat now\n" for i in range(4))
    (tmp_path / "list").write_text(lists)
    (tmp_path / "ref").write_text("".join(f"u{i} the cat now\n" for i in range(4)))
    arguments = ("rescore", trained["stream"], "list", "-f", "srilm-stream", "--ref", "ref", "--tune", 1)
    assert re.match(r"weights: .* --oov-penalty \d", rnnlm(*arguments)[2])
    assert re.search("rescored +4 +12 +0 ", rnnlm(*arguments)[2])
    assert "--oov-penalty" not in rnnlm(*arguments, "--oov", "exclude")[2]


# --- score ---------------------------------------------------------------------------------------------------------

LINES = "the cat sees a dog\n\nthe zebra likes a quagga now\n \nthe bird\n"


def test_score_of_words(rnnlm, trained):
    for name in ("stream", "char"):
        _, sums, _ = rnnlm("score", trained[name], stdin=LINES.encode())
        status, out, err = rnnlm("score", trained[name], "--words", stdin=LINES.encode())
        assert status == 0
        assert "not in the vocabulary" in err
        rows = [[float(x) for x in line.split()] for line in out.splitlines()]
        cut = load_scorer(trained[name]).vocab.split
        assert [len(row) for row in rows] == [len(cut(line)) + 1 for line in LINES.splitlines()]
        np.testing.assert_allclose(list(map(sum, rows)), [float(line) for line in sums.splitlines()], atol=1e-6)


def test_score_to_other_bases(rnnlm, trained):
    ten, e, two = (
        rnnlm("score", trained["stream"], "--base", base, stdin=LINES.encode())[1].split() for base in ("10", "e", "2")
    )
    np.testing.assert_allclose(np.array(ten, float) * LN10, np.array(e, float), atol=1e-6)
    np.testing.assert_allclose(np.array(two, float) * math.log(2), np.array(e, float), atol=1e-6)


@pytest.mark.parametrize("flag", ["--independent", "--continuous"])
@pytest.mark.parametrize("name", ["stream", "sentences", "char", "mixture"])
def test_scores_add_up_to_what_eval_says(rnnlm, trained, name, flag):
    model, mix = trained.get(name, trained["stream"]), ()
    if name == "mixture":
        mix = ("--mix", trained["sentences"])
    text = trained["test.txt"]
    unk, known = (rnnlm("score", model, text, *mix, flag, "--oov", oov)[1].split() for oov in ("unk", "exclude"))
    assert len(unk) == len(known) == 60
    if not mix:
        figures = json.loads(rnnlm("eval", model, text, flag, "--json")[1])
        assert sum(map(float, unk)) == pytest.approx(figures["logprob_unk"], abs=1e-6)
        assert sum(map(float, known)) == pytest.approx(figures["logprob"], abs=1e-6)


@pytest.mark.parametrize("form", ["mikolov", "kaldi", "srilm-stream", "srilm"])
def test_a_format_that_is_not_named_is_judged_and_said(rnnlm, trained, heard, form):
    lists = heard if form == "srilm" else [form]
    scores = ["--ac", f"{form}.ac"] if form in ("mikolov", "kaldi") else []
    status, out, err = rnnlm("rescore", trained["stream"], *lists, *scores, *WEIGHTS)
    first, *rest = err.splitlines()
    assert status == 0
    assert first.startswith(f"{lists[0]}: format {form}, '")
    named = rnnlm("rescore", trained["stream"], *lists, "-f", form, *scores, *WEIGHTS)
    assert (out, rest) == (named[1], named[2].splitlines())


def test_a_format_is_judged_in_a_pipe(rnnlm, trained):
    status, out, err = rnnlm("rescore", trained["stream"], "-", stdin=b"u-1 the cat\nu-2 a cat\n")
    assert (status, out.split()[0]) == (0, "u")
    assert err.startswith("<stdin>: format kaldi")
    assert_refused(rnnlm("rescore", trained["stream"], "-", stdin=b"u-1 the cat\n"), 1, "mikolov", "kaldi", "--format")


def test_options_that_do_not_go_with_the_judged_format(rnnlm, trained, heard):
    found = rnnlm("rescore", trained["stream"], *heard, "--ac", "kaldi.ac")
    assert found[0] == 2
    assert "lists of the format srilm" in found[2]


def test_a_fixed_penalty_is_all_that_an_unknown_word_counts(rnnlm, trained, tmp_path):
    """As in Mikolov's toolkit: -5, whatever the probability of <unk>."""
    (tmp_path / "t").write_text("the quagga sees a zebu\nthe cat\n")
    (tmp_path / "l").write_text("u the quagga sees a zebu\nu the cat\n")
    out = rnnlm("score", trained["sentences"], "t", "--oov", "fixed", "--words")[1]
    words = [[float(x) for x in line.split()] for line in out.splitlines()]
    known = rnnlm("score", trained["sentences"], "t", "--oov", "exclude", "--words")[1].splitlines()
    assert words[0][1] == words[0][4] == -5
    assert [x for x in words[0] if x != -5] == [float(x) for x in known[0].split() if x != "nan"]
    assert words[1] == [float(x) for x in known[1].split()]
    totals = [sum(row) for row in words]
    flags = ("-independent", "-rnnlm", trained["sentences"], "-test", "l", "-nbest", "-debug", 0)
    out = rnnlm(*flags, "-oov", "fixed")[1]
    assert [float(x) for x in out.split()] == pytest.approx(totals, abs=1e-5)
    out = rnnlm(*flags, "-oov", "fixed", "-oov-penalty", 2)[1]
    assert [float(x) for x in out.split()] == pytest.approx([totals[0] + 6, totals[1]], abs=1e-5)
    (tmp_path / "s").write_text("u 0 0 5 the quagga sees a zebu\nu 0 0 2 the cat\n")
    out = rnnlm("rescore", trained["sentences"], "s", "-f", "srilm-stream", "--nbest", "--oov", "fixed")[1]
    assert [float(line.split()[2]) for line in out.splitlines()] == pytest.approx(
        sorted(totals, reverse=True), abs=1e-4
    )
