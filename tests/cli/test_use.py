"""The commands that use a trained model: eval, sample, predict, score and info."""

import gzip
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnnlm.cli.predict import lines_of
from rnnlm.lm.network import Likely, NetworkScorer
from rnnlm.loading import load_model
from rnnlm.training import checkpoint
from rnnlm.training.run import Run
from tests.cli.refused import assert_refused

every_command = pytest.mark.parametrize("command", ["eval", "sample", "predict", "score", "info"])


@pytest.fixture
def text(tmp_path):
    """A text with words that the models know, others that they do not, and an empty line."""
    (tmp_path / "text.txt").write_text("the cat sees a dog\n\nthe zebra likes a quagga now\nthe bird finds a fish\n")
    return "text.txt"


def sentences(path):
    return [line.split() for line in path.read_text().splitlines() if line.split()]


# --- eval ----------------------------------------------------------------------------------------------------------

NUMBER = r"(-?[0-9.]+(?:e[-+][0-9]+)?)"
LISTING = re.compile(
    rf"file (.*): (\d+) sentences, (\d+) words, (\d+) OOVs\n"
    rf"(\d+) zeroprobs, logprob= {NUMBER} ppl= {NUMBER} ppl1= {NUMBER}\n"
    rf"# OOV as <unk>: ppl = {NUMBER}   entropy {NUMBER} bits/token   {NUMBER} bits/char\n"
    rf"# vocab (\d+) \(sha ([0-9a-f]{{12}})\)  state (\w+)  </s> counted  log10  {NUMBER} kwords/s\n"
)


@pytest.mark.parametrize(("name", "flags", "state"), [
    ("stream", (), "continuous"),
    ("stream", ("--continuous",), "continuous"),
    ("stream", ("--independent",), "independent"),
    ("sentences", (), "independent"),
    ("sentences", ("--independent",), "independent"),
    ("sentences", ("--continuous",), "continuous"),
])  # fmt: skip
def test_eval(rnnlm, trained, text, tmp_path, name, flags, state):
    status, out, err = rnnlm("eval", trained[name], text, *flags)
    assert (status, err) == (0, "text.txt: OOV rate 12.50%, 1 empty lines skipped\n")
    found = LISTING.fullmatch(out).groups()
    loaded = load_model(trained[name])
    scores = list(
        NetworkScorer(loaded.network, loaded.stream, state == "continuous").log_probs(sentences(tmp_path / text))
    )
    known = [np.isin(words, loaded.vocab.words) for words in sentences(tmp_path / text)]
    logprob = sum(s[:-1][k].sum() + s[-1] for s, k in zip(scores, known)) / math.log(10)
    everything = -sum(s.sum() for s in scores)
    assert found[:5] == ("text.txt", "3", "16", "2", "0")
    bits, characters = everything / math.log(2), len((tmp_path / text).read_text()) - 1
    expected = [logprob, 10 ** (-logprob / 17), 10 ** (-logprob / 14), 2 ** (bits / 19), bits / 19, bits / characters]
    np.testing.assert_allclose([float(x) for x in found[5:11]], expected, rtol=1e-4)
    assert found[11:14] == (str(len(loaded.vocab)), loaded.vocab.fingerprint[:12], state)


def test_eval_takes_the_test_text_of_the_configuration(rnnlm, trained):
    status, out, _ = rnnlm("eval", trained["stream"])
    assert status == 0
    assert out.startswith(f"file {trained['test.txt']}: 60 sentences, ")


def test_eval_needs_a_text(rnnlm, trained):
    assert_refused(rnnlm("eval", trained["char"]), 2, f"{trained['char']}: ", "TEXT", "data.test")


def test_eval_reads_several_texts_each_from_the_start(rnnlm, trained, text, tmp_path):
    (tmp_path / "text.gz").write_bytes(gzip.compress((tmp_path / text).read_bytes()))
    _, out, _ = rnnlm("eval", trained["stream"], text, "-", "text.gz", stdin=(tmp_path / text).read_bytes())
    listings = LISTING.findall(out)
    assert [found[0] for found in listings] == ["text.txt", "<stdin>", "text.gz"]
    assert listings[0][1:14] == listings[1][1:14] == listings[2][1:14]


def test_eval_shows_sentences(rnnlm, trained, text):
    status, out, err = rnnlm("eval", trained["sentences"], text, "-v", 1)
    assert (status, err) == (0, "text.txt: OOV rate 12.50%, 1 empty lines skipped\n")
    lines = out.splitlines()
    assert lines[:8:4] == ["the cat sees a dog", "the zebra likes a quagga now"]
    assert lines[1:8:4] == ["1 sentences, 5 words, 0 OOVs", "1 sentences, 6 words, 2 OOVs"]
    assert lines[3:12:4] == ["", "", ""]
    parts = [float(line.split()[3]) for line in lines[2:12:4]]
    assert sum(parts) == pytest.approx(float(lines[13].split()[3]), rel=1e-6)
    assert LISTING.fullmatch("\n".join(lines[12:]) + "\n")


@pytest.mark.parametrize(("name", "contexts"), [
    ("sentences", ["<s> ", "the ...", "cat ...", "<s> ", "zebra ..."]),
    ("stream", ["</s> ", "the ...", "cat ...", "</s> ...", "zebra ..."]),
])  # fmt: skip
def test_eval_shows_words(rnnlm, trained, name, contexts):
    status, out, _ = rnnlm("eval", trained[name], "-", "--verbosity", "2", stdin=b"the cat\nzebra\n")
    assert status == 0
    lines = out.splitlines()
    word = re.compile(rf"\tp\( (.*) \| (.*)\) \t= \[(rnn|OOV)\] {NUMBER} \[ (?:{NUMBER}|-inf) \]")
    found = [word.fullmatch(line).groups() for line in (*lines[1:4], *lines[8:10])]
    assert [(row[0], row[1]) for row in found] == list(zip(["the", "cat", "</s>", "zebra", "</s>"], contexts))
    assert lines[8].endswith("= [OOV] 0 [ -inf ]")
    known = [row for row in found if row[2] == "rnn"]
    assert len(known) == 4
    for row in known:
        assert math.log10(float(row[3])) == pytest.approx(float(row[4]), abs=1e-4)
    log10 = sum(float(row[4]) for row in known[:3])
    assert log10 == pytest.approx(float(lines[5].split()[3]), abs=1e-4)


def test_eval_of_a_character_model(rnnlm, trained, text):
    status, out, err = rnnlm("eval", trained["char"], text)
    assert (status, err) == (0, "text.txt: OOV rate 4.48%, 1 empty lines skipped\n")  # z, q and u
    assert out.startswith("file text.txt: 3 sentences, 67 words, 3 OOVs\n0 zeroprobs, logprob= ")
    bits, nats = re.search(rf"entropy {NUMBER} bits/char   {NUMBER} nats/char\n", out).groups()
    assert float(bits) == pytest.approx(float(nats) / math.log(2), abs=1e-3)
    assert re.search(r" kchars/s\n$", out)


def test_eval_names_characters_that_do_not_show(rnnlm, trained):
    _, out, _ = rnnlm("eval", trained["char"], "-", "-v", 2, stdin=b"a b\n")
    assert [line.split()[1:4] for line in out.splitlines()[1:5]] == [
        ["a", "|", "</s>"], ["<space>", "|", "a"], ["b", "|", "<space>"], ["</s>", "|", "b"],
    ]  # fmt: skip


def test_eval_as_json(rnnlm, trained, text):
    status, out, _ = rnnlm("eval", trained["sentences"], text, "-", "--json", stdin=b"quagga\n")
    first, second = map(json.loads, out.splitlines())
    assert status == 0
    assert list(first) == list(second) == [
        "model", "file", "level", "sentences", "words", "oovs", "zeroprobs", "characters", "blank_lines",
        "logprob", "ppl", "ppl1", "logprob_unk", "ppl_unk", "nats_per_token", "bits_per_token", "bits_per_character",
        "vocab_size", "vocab_sha256", "state", "seconds", "oov", "oov_types", "rank_1", "rank_5", "rank_10",
        "sum_error", "models", "adaptation",
    ]  # fmt: skip
    assert list(first.values())[-8:] == ["both", None, None, None, None, None, [], None]
    assert first["model"] == str(trained["sentences"] / "best.npz")
    assert [first[key] for key in list(first)[1:9]] == ["text.txt", "word", 3, 16, 2, 0, 70, 1]
    assert first["ppl"] == pytest.approx(10 ** (-first["logprob"] / 17), rel=1e-9)
    assert first["ppl_unk"] == pytest.approx(math.exp(first["nats_per_token"]), rel=1e-9)
    assert first["ppl_unk"] == pytest.approx(10 ** (-first["logprob_unk"] / 19), rel=1e-9)
    assert (second["file"], second["oovs"], second["ppl1"]) == ("<stdin>", 1, None)


def test_eval_of_words_that_are_all_unknown(rnnlm, trained):
    _, out, err = rnnlm("eval", trained["sentences"], "-", stdin=b"quagga")
    assert "file <stdin>: 1 sentences, 1 words, 1 OOVs\n" in out
    assert re.search(rf"0 zeroprobs, logprob= {NUMBER} ppl= {NUMBER} ppl1= undefined\n", out)
    first, second = err.splitlines()
    assert first == "<stdin>: OOV rate 100.00%, 0 empty lines skipped"
    assert second.startswith("warning: <stdin>: 100.00% OOV")


def test_eval_is_what_validation_measured(rnnlm, trained):
    for name in ("stream", "sentences", "char"):
        _, out, _ = rnnlm("eval", trained[name], trained["test.txt"].with_name("valid.txt"), "--json")
        assert json.loads(out)["nats_per_token"] == pytest.approx(
            min(load_model(trained[name]).figures["valid_nats"]), rel=1e-6
        )


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("gone.txt",), 1, ("gone.txt: ", "{folder}/gone.txt")),
        (("empty.txt",), 1, ("empty.txt: ", "no sentences", "0 empty lines")),
        (("blank.txt",), 1, ("blank.txt: ", "no sentences", "2 empty lines")),
        (("latin.txt",), 1, ("latin.txt:2: ", "byte 9", "UTF-8", "0xe9")),
        (("text.txt", "--json", "-v", "1"), 2, ("--json", "--verbosity")),
    ],
)
def test_eval_errors(rnnlm, trained, text, tmp_path, arguments, status, words):
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "blank.txt").write_bytes(b"\n \n")
    (tmp_path / "latin.txt").write_bytes(b"the cat\nf\xe9e\n")
    words = [word.format(folder=tmp_path) for word in words]
    assert_refused(rnnlm("eval", trained["sentences"], *arguments), status, *words)


def sha(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def test_eval_warns_of_a_text_or_a_vocabulary_that_has_changed(rnnlm, tiny, tmp_path):
    """A text that the configuration names, under its name, and nothing else."""
    run = Run(tmp_path / "run")
    for name in ("test.txt", "other.txt"):
        (tmp_path / name).write_text("the cat\n")
    experiment = tiny("training.epochs=1", "data.test=test.txt")
    run.path.mkdir()
    run.save_best(experiment)
    for names in (["valid.txt", "train.txt", "test.txt", "other.txt"], []):
        assert "warning" not in rnnlm("eval", "run", *names)[2]
    before = {part: sha(f"{part}.txt") for part in ("train", "valid", "test")}
    for name in (*before, "other"):
        with open(f"{name}.txt", "a") as text:
            text.write("the end\n")
    for part in before:
        status, _, err = rnnlm("eval", "run", f"{part}.txt", "other.txt")
        then, now = before[part], sha(f"{part}.txt")
        assert status == 0
        warning = err.splitlines()[0]
        assert warning.startswith(f"warning: {part}.txt: ")
        assert [x for x in (f"data.{part}", then, now) if x not in warning] == []
        assert err.count("warning") == 1
    assert rnnlm("eval", "run")[2].splitlines()[0] == err.splitlines()[0]  # the test text, unnamed
    saved = checkpoint.load(run.best)
    saved.figures["vocab_sha256"] = 64 * "0"
    checkpoint.save(run.best, saved)
    _, _, err = rnnlm("eval", "run", "other.txt")
    warning = err.splitlines()[0]
    assert warning.startswith(f"warning: {run.best.relative_to(tmp_path)}: ")
    assert [x for x in ("vocabulary", 12 * "0", experiment.vocab.fingerprint[:12]) if x not in warning] == []


# --- score ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stream", "sentences", "char"])
def test_score_has_a_line_for_every_line(rnnlm, trained, name, tmp_path):
    lines = ["the cat sees a dog", "", "quagga", " \t ", "the " * 3000, "the cat\rsees", "a", "the cat"]
    (tmp_path / "lines.txt").write_text("\n".join(lines), newline="")  # the last without its end
    status, out, err = rnnlm("score", trained[name], "lines.txt")
    assert status == 0
    assert err.startswith("note: ")
    assert "not in the vocabulary" in err
    loaded = load_model(trained[name])
    scorer = NetworkScorer(loaded.network, loaded.stream)
    expected = [log_p.sum() / math.log(10) for log_p in scorer.log_probs(map(loaded.vocab.split, lines))]
    np.testing.assert_allclose([float(line) for line in out.splitlines()], expected, rtol=1e-5)


def test_scores_add_up_to_the_logprob_of_eval(rnnlm, trained):
    for name in ("stream", "sentences", "char"):
        _, out, _ = rnnlm("score", trained[name], trained["test.txt"])
        _, evaluation, _ = rnnlm("eval", trained[name], trained["test.txt"], "--independent", "--json")
        evaluation = json.loads(evaluation)
        assert evaluation["oovs"] > 0 or name == "char"
        assert sum(map(float, out.splitlines())) == pytest.approx(evaluation["logprob_unk"], abs=1e-6)


def test_score_of_nothing_is_nothing(rnnlm, trained):
    assert rnnlm("score", trained["stream"]) == (0, "", "")


def test_score_answers_line_by_line_in_a_pipe(trained):
    """A program can write a line, wait for its score, and write the next."""
    command = [sys.executable, "-m", "rnnlm", "score", str(trained["stream"])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        answers = []
        for line in (b"the cat sees a dog\n", b"\n", b"the cat sees a dog\n"):
            process.stdin.write(line)
            process.stdin.flush()
            answers.append(float(process.stdout.readline()))
        process.stdin.close()
        assert process.wait(60) == 0
    assert answers[0] == answers[2] < answers[1] < 0


def test_a_reader_who_leaves_early_is_no_error(trained, tmp_path):
    (tmp_path / "long.txt").write_text("the cat\n" * 20_000)
    command = f"{sys.executable} -m rnnlm score {trained['stream']} {tmp_path / 'long.txt'} | head -n 1"
    found = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert (found.stdout.count("\n"), found.stderr) == (1, "")


def test_score_errors(rnnlm, trained, tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"f\xe9e\n")
    assert_refused(rnnlm("score", trained["stream"], "latin.txt"), 1, "latin.txt:1: ", "byte 1", "UTF-8", "0xe9")


# --- sample --------------------------------------------------------------------------------------------------------


def test_sample(rnnlm, trained):
    status, out, err = rnnlm("sample", trained["stream"])
    assert (status, len(out.splitlines())) == (0, 10)
    seed = re.fullmatch(r"seed (\d+) \(--seed \1 draws the same text again\)\n", err)[1]
    assert rnnlm("sample", trained["stream"], "--seed", seed)[1] == out
    assert rnnlm("sample", trained["stream"])[1] != out
    vocab = load_model(trained["stream"]).vocab
    assert set(out.split()) <= set(vocab.words[3:])


@pytest.mark.parametrize("name", ["stream", "sentences"])
def test_sample_continues_a_prompt(rnnlm, trained, name):
    status, out, err = rnnlm("sample", trained[name], "-n", 4, "--prompt", " the   cat", "--seed", 1)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 4
    assert all(re.match(r"the cat( |$)", line) for line in out.splitlines())


def test_sample_with_unknown_words_in_the_prompt(rnnlm, trained):
    status, out, err = rnnlm("sample", trained["stream"], "-n", 2, "--prompt", "the quagga and <s>", "--seed", 1)
    assert status == 0
    assert err.splitlines()[-1].startswith("warning: 3 of 4")
    assert err.endswith("<unk>: 'quagga', 'and', '<s>'\n")
    assert all(line.startswith("the quagga and <s>") for line in out.splitlines())


def test_sample_takes_a_prompt_from_a_file_or_a_pipe(rnnlm, trained, tmp_path):
    (tmp_path / "prompt.txt").write_text("the dog\nthe cat\n")
    arguments = ("sample", trained["sentences"], "-n", 2, "--seed", 1)
    status, out, err = rnnlm(*arguments, "--prompt", "@prompt.txt")
    assert (status, err) == (0, "")
    first, second = out.split("---\n")
    assert first.startswith("the dog\nthe cat")
    assert second.startswith("the dog\nthe cat")
    assert rnnlm(*arguments, "--prompt", "-", stdin=b"the dog\nthe cat\n")[1] == out
    assert rnnlm(*arguments, "--prompt", "the dog\nthe cat")[1] == out


def test_a_prompt_can_end_its_sentence(rnnlm, trained):
    _, out, _ = rnnlm("sample", trained["stream"], "--seed", 1, "--greedy", "--prompt", "the dog sees a cat\n")
    assert out.startswith("the dog sees a cat\nthe ")


def test_sample_of_a_character_model(rnnlm, trained):
    arguments = ("sample", trained["char"], "-n", 3, "--seed", 1)
    status, out, err = rnnlm(*arguments, "--max-tokens", 40, "--prompt", "the c")
    assert (status, err) == (0, "")
    samples = out[:-1].split("\n---\n")
    assert [len(one) for one in samples] == [45] * 3
    assert all(one.startswith("the c") for one in samples)
    status, out, _ = rnnlm(*arguments, "--unit", "sentences")
    assert len(out.splitlines()) == 3


def test_sample_tokens_of_a_word_model(rnnlm, trained):
    _, out, _ = rnnlm("sample", trained["stream"], "-n", 2, "--unit", "tokens", "--max-tokens", 30, "--json")
    for row in map(json.loads, out.splitlines()):
        assert (row["tokens"], row["finished"]) == (30, False)
        assert len(row["text"].split()) + row["text"].count("\n") == 30


def test_sample_as_json_and_with_log_probabilities(rnnlm, trained):
    arguments = (
        "sample",
        trained["sentences"],
        "-n",
        5,
        "--seed",
        7,
        "--top-k",
        4,
        "--top-p",
        0.9,
        "--temperature",
        0.8,
    )
    _, out, _ = rnnlm(*arguments, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert list(rows[0]) == ["text", "prompt", "tokens", "logprob", "finished", "seed"]
    assert {(row["prompt"], row["seed"]) for row in rows} == {("", 7)}
    assert all(row["tokens"] == len(row["text"].split()) + row["finished"] for row in rows)
    _, out, _ = rnnlm(*arguments, "--logprob")
    assert out.splitlines() == [f"{row['logprob']:.6f}\t{row['text']}" for row in rows]
    text = "".join(row["text"] + "\n" for row in rows if row["finished"])
    _, scores, _ = rnnlm("score", trained["sentences"], stdin=text.encode())
    np.testing.assert_allclose(
        [float(line) for line in scores.splitlines()], [row["logprob"] for row in rows if row["finished"]], rtol=1e-5
    )


def test_greedy(rnnlm, trained):
    status, out, err = rnnlm("sample", trained["sentences"], "--greedy", "--prompt", "the cat")
    assert (status, err, out.count("\n")) == (0, "", 1)
    words = out.split()
    _, table, _ = rnnlm("predict", trained["sentences"], " ".join(words), "-k", 1, "--json")
    rows = json.loads(table)["predictions"]
    best = [row["next"][0]["word"] for row in rows]
    assert best[2:] == [*words[2:], "</s>"]


def test_unk_is_drawn_only_if_allowed(rnnlm, trained):
    arguments = ("sample", trained["stream"], "-n", 200, "--seed", 1)
    assert "<unk>" not in rnnlm(*arguments)[1]
    assert "<unk>" in rnnlm(*arguments, "--allow-unk")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--temperature", "0"), ("--temperature 0: ",)),
        (("--temperature", "nan"), ("--temperature nan: ",)),
        (("--greedy", "--top-k", "3"), ("--greedy", "--top-k")),
        (("--greedy", "--top-p", "0.5"), ("--greedy", "--top-p")),
        (("--greedy", "--temperature", "2"), ("--greedy", "--temperature")),
        (("--top-p", "0"), ("--top-p 0: ", "probability")),
        (("--top-p", "90"), ("--top-p 90: ", "probability")),
        (("--prompt", "f\udce9e"), (r"'f\udce9e'", "UTF-8")),
    ],
)
def test_sample_usage_errors(rnnlm, trained, arguments, words):
    assert_refused(rnnlm("sample", trained["stream"], *arguments), 2, *words)


@pytest.mark.parametrize("arguments", [("--top-k", "0"), ("-n", "0"), ("--max-tokens", "0"), ("--seed", "-1")])
def test_numbers_out_of_range(rnnlm, trained, arguments):
    status, out, err = rnnlm("sample", trained["stream"], *arguments)
    assert (status, out) == (2, "")
    assert f"Invalid value for '{arguments[0]}'" in err


def test_sample_errors_of_prompt_files(rnnlm, trained, tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"f\xe9e\n")
    found = rnnlm("sample", trained["stream"], "--prompt", "@latin.txt")
    assert_refused(found, 1, "latin.txt:1: ", "byte 1", "UTF-8", "0xe9")
    assert_refused(rnnlm("sample", trained["stream"], "--prompt", "@gone.txt"), 1, "gone.txt: ", f"{tmp_path}/gone.txt")


# --- predict -------------------------------------------------------------------------------------------------------


def test_predict(rnnlm, trained):
    status, out, err = rnnlm("predict", trained["sentences"], "the cat quagga", "-k", "3")
    assert (status, err) == (0, "note: 1 of 3 words not in the vocabulary, read as <unk>: 'quagga'\n")
    *rows, end = out.split("\n\n")[0].splitlines(), out.split("\n\n")[1]
    assert end == ""
    cells = [row.split() for row in rows[0]]
    assert [row[0] for row in cells] == ["<s>", "the", "cat", "quagga"]
    scorer = NetworkScorer(load_model(trained["sentences"]).network, stream=False)
    for row, best in zip(cells, scorer.likeliest(["the", "cat", "quagga"], 3)):
        assert row[1:] == [cell for word, p in best for cell in (f"{p:.4f}", word)]
    assert len({row.index("0.", 15) for row in rows[0]}) == 1  # columns


def test_predict_reads_lines(rnnlm, trained):
    _, out, _ = rnnlm("predict", trained["stream"], stdin=b"the cat\n\nthe\n")
    assert [line.split()[0] for line in out.splitlines() if line] == ["</s>", "the", "cat", "</s>", "</s>", "the"]
    assert rnnlm("predict", trained["stream"], "-", stdin=b"the cat\n\nthe\n")[1] == out
    assert rnnlm("predict", trained["stream"], "the cat\n\nthe")[1] == out


def test_predict_names_characters_that_do_not_show(rnnlm, trained):
    _, out, _ = rnnlm("predict", trained["char"], "the\tc", "-k", 15)
    assert [line.split()[0] for line in out.splitlines() if line] == ["</s>", "t", "h", "e", "<tab>", "c"]
    assert "<space>" in out


def test_predict_as_json(rnnlm, trained):
    vocab = load_model(trained["stream"]).vocab
    status, out, _ = rnnlm("predict", trained["stream"], "--json", "-k", len(vocab) - 1, stdin="the 猫\n\n".encode())
    first, second = map(json.loads, out.splitlines())
    assert (status, first["text"], second["text"]) == (0, "the 猫", "")
    assert [row["after"] for row in first["predictions"]] == ["</s>", "the", "猫"]
    (alone,), begun = second["predictions"], first["predictions"][0]
    assert [cell["word"] for cell in alone["next"]] == [cell["word"] for cell in begun["next"]]
    assert [cell["p"] for cell in alone["next"]] == pytest.approx([cell["p"] for cell in begun["next"]], rel=1e-5)
    for row in first["predictions"]:
        assert {cell["word"] for cell in row["next"]} == set(vocab.words) - {"<s>"}
        assert 0.9 < sum(cell["p"] for cell in row["next"]) <= 1 + 1e-6
        assert [cell["p"] for cell in row["next"]] == sorted((cell["p"] for cell in row["next"]), reverse=True)


def test_predict_more_words_than_there_are(rnnlm, trained):
    number = len(load_model(trained["stream"]).vocab) - 1
    assert_refused(
        rnnlm("predict", trained["stream"], "the", "-k", number + 1), 2, f"-k {number + 1}: ", f"{number} words"
    )


def test_predict_after_bytes_that_are_no_text(rnnlm, trained):
    assert_refused(rnnlm("predict", trained["stream"], "\udcff"), 2, r"'\udcff'", "UTF-8")


def test_columns_stand_under_each_other_in_chinese():
    rows = [["春", Likely("眠", 0.5), Likely("a", 0.25)], ["ab", Likely("b", 0.5), Likely("不", 0.25)]]
    lines = lines_of([rows, ""], align="l", gap=3)
    assert list(lines) == ["春   0.5000 眠   0.2500 a", "ab   0.5000 b    0.2500 不", ""]


# --- info ----------------------------------------------------------------------------------------------------------


def test_info(rnnlm, trained):
    path = trained["stream"]
    status, out, err = rnnlm("info", path)
    assert (status, err) == (0, "")
    loaded = load_model(path)
    K, figures = len(loaded.vocab), loaded.figures
    best = min(figures["valid_nats"])
    norm = f"{np.linalg.norm(loaded.network.params['head']['V']):.4g}"
    lines = out.splitlines()
    assert (
        lines[0] == f"model       {path}/best.npz ({(path / 'best.npz').stat().st_size / 1e6:.1f} MB, by rnnlm 0.1.0)"
    )
    assert lines[1] == "kind        lm"
    assert lines[2] == f"parameters  {K * 8 + 8 * 16 + 16 * 16 + 16 + 17 * K:,} float32"
    assert lines[3].split() == ["name", "shape", "count", "norm"]
    assert [line.split()[0] for line in lines[4:10]] == ["E", "cell.U", "cell.W", "cell.b", "head.V", "head.c"]
    assert lines[8].split() == ["head.V", f"{K}x16", f"{K * 16:,}", norm]
    assert lines[10] == f"vocabulary  {K} words (sha {loaded.vocab.fingerprint[:12]})"
    assert lines[11] == f"training    epoch 2, step {figures['step']}, on text with sha {figures['train_sha256'][:12]}"
    valid = trained["test.txt"].with_name("valid.txt")
    figures_line = f"best: number 2 of 2, ppl {math.exp(best):.2f}, {best:.4f} nats per token"
    assert lines[12] == f"validation  {figures_line}"
    assert lines[13] == f"            valid: {valid}"
    assert lines[14] == f"run         epoch 2, step {figures['step']}, finished"
    assert lines[15] == "configuration"
    assert [line[2:] for line in lines[16:]] == (path / "config.yaml").read_text().splitlines()


def test_info_of_a_file(rnnlm, trained):
    status, out, _ = rnnlm("info", trained["char"] / "best.npz")
    assert status == 0
    assert not re.search(r"^run ", out, re.MULTILINE)
    assert re.search(r"^vocabulary  \d+ chars \(", out, re.MULTILINE)


def test_info_as_json(rnnlm, trained):
    status, out, _ = rnnlm("info", trained["sentences"], "--json")
    found, loaded = json.loads(out), load_model(trained["sentences"])
    assert status == 0
    assert list(found) == [
        "model", "bytes", "rnnlm", "kind", "dtype", "count", "parameters", "vocabulary", "training", "run", "config",
    ]  # fmt: skip
    assert found["count"] == sum(p["count"] for p in found["parameters"]) == loaded.network.params.flat.size
    assert found["parameters"][0]["shape"] == [len(loaded.vocab), 8]
    assert found["vocabulary"] == {
        "size": len(loaded.vocab), "level": "word", "lower": False, "sha256": loaded.vocab.fingerprint,
    }  # fmt: skip
    assert found["training"]["nats"] == loaded.figures["valid_nats"]
    assert found["training"]["best_ppl"] == pytest.approx(math.exp(min(found["training"]["nats"])))
    assert found["run"]["finished"] is True
    assert found["config"]["data"]["reading"] == "sentences"


# --- every command -------------------------------------------------------------------------------------------------


@every_command
def test_what_is_no_model(rnnlm, trained, tmp_path, command):
    (tmp_path / "text.txt").write_text("the cat\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero.npz").write_bytes(b"")
    whole = (trained["stream"] / "best.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    assert_refused(rnnlm(command, "gone"), 1, "gone: ", f"{tmp_path}/gone")
    for name in ("text.txt", "zero.npz", "half.npz", "other.npz", "array.npy"):
        assert_refused(rnnlm(command, name), 1, f"{name}: ", "not a model file")
    assert_refused(rnnlm(command, "empty"), 1, "empty: ", "no model", "directory")


def test_a_run_directory_can_be_moved(rnnlm, trained, tmp_path):
    shutil.copytree(trained["stream"], tmp_path / "moved")
    assert rnnlm("score", "moved", stdin=b"the cat\n") == rnnlm("score", trained["stream"], stdin=b"the cat\n")
    os.remove(tmp_path / "moved" / "best.npz")
    assert rnnlm("score", "moved", stdin=b"the cat\n")[0] == 0  # of the last model


@every_command
def test_help_needs_no_numpy(command):
    code = f"import sys; from rnnlm.cli.{command} import command; command(['--help'], standalone_mode=False); "
    code += "sys.exit('numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stderr) == (0, "")
    assert "MODEL" in found.stdout
