"""The models of other tasks from the shell: trained, measured, asked; and the commands that they refuse."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnnlm.cli import main
from rnnlm.loading import EVERY_MODEL, load_model
from rnnlm.training import checkpoint
from tests.cli.refused import assert_refused
from tests.kinds import NOUNS, READINGS, SETTINGS, lines_of

KINDS = {"blanks": "blank", "labelled": "classifier", "pairs": "seq2seq", "vectors": "vec2seq"}
WHY = {  # the model's own commands, in the message of every other command
    "blank": ("a blank model", "rnnlm fill"),
    "classifier": ("a classifier", "rnnlm predict"),
    "seq2seq": ("a seq2seq model", "rnnlm predict"),
    "vec2seq": ("a vec2seq model", "rnnlm predict"),
    "lm": ("a language model", "rnnlm sample"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which a model of each kind was trained by the command, in runs/KIND."""
    folder = tmp_path_factory.mktemp("family")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for reading in READINGS:
            for seed, (part, number) in enumerate((("train", 150), ("valid", 20), ("test", 30))):
                lines = list(lines_of(reading, number, seed))
                (folder / f"{reading}.{part}.txt").write_text("\n".join(lines) + "\n")
                nouns = [[word in line.split() for word in NOUNS] for line in lines]
                np.save(folder / f"{reading}.{part}.npy", np.array(nouns, np.uint8))
            data = {part: f"{reading}.{part}.txt" for part in ("train", "valid", "test")} | {"reading": reading}
            settings = {"data": data, "model": SETTINGS[reading], "optimizer": {"kind": "adam", "lr": 0.03},
                        "training": {"epochs": 6, "batch": 8}}  # fmt: skip
            (folder / f"{KINDS[reading]}.yaml").write_text(json.dumps(settings))
            run("train", f"{KINDS[reading]}.yaml", "-q")
        settings["data"] = {"train": "blanks.train.txt"}
        settings["model"], settings["training"]["epochs"] = {"embedding": 6, "cell": {"size": 8}}, 1
        (folder / "lm.yaml").write_text(json.dumps(settings))
        run("train", "lm.yaml", "-q")
    return folder


def run(*arguments):
    with pytest.raises(SystemExit) as exit:
        main([str(argument) for argument in arguments])
    assert not exit.value.code


@pytest.fixture
def rnnlm(rnnlm, folder, monkeypatch):
    """A function that runs `rnnlm ...` in that folder."""
    monkeypatch.chdir(folder)
    return rnnlm


# --- training ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", READINGS)
def test_training_says_what_it_does(rnnlm, tmp_path, reading):
    kind = KINDS[reading]
    status, out, err = rnnlm("train", f"{kind}.yaml", "-o", tmp_path / "run", "--set", "training.epochs=2")
    assert (status, out) == (0, "")
    assert re.search(rf"^train: 150 sentences, \d+ words, 0\.00% OOV  \({reading}.train.txt\)$", err, re.M)
    vocabulary = {"labelled": r"11 entries; labels: 4 entries", "pairs": r"11 entries; target vocabulary: 11 entries"}
    assert re.search(rf"^vocabulary: {vocabulary.get(reading, '11 entries')}$", err, re.M)
    unit, outcomes = {"labelled": ("sentence", "labels"), "pairs": ("token", "target vocabulary")}.get(
        reading, ("token", "vocabulary")
    )
    assert re.search(rf"^first loss: \d\.\d+ nats per {unit} \(uniform over the {outcomes}: [\d.]+\)$", err, re.M)
    ppl = "pppl" if kind == "blank" else "ppl"
    assert f" train {ppl} valid {ppl} " in re.sub(" +", " ", err)
    assert len(re.findall(r"^    .*\((?:right|wrong: .*)\)", err, re.M)) == 4
    assert re.search(rf"^best: validation \d, valid {ppl} [\d.]+ \([\d.]+ nats\); model .*best.npz$", err, re.M)
    command = {"blank": "fill {} TEXT", "vec2seq": "predict {} VECTORS.npy"}.get(kind, "predict {} TEXT")
    assert err.splitlines()[-3:-1] == [f"  rnnlm eval {tmp_path}/run", f"  rnnlm {command.format(tmp_path / 'run')}"]
    row = json.loads((tmp_path / "run/log.jsonl").read_text().splitlines()[0])
    assert row[f"valid_{ppl}"] == pytest.approx(np.exp(row["valid_nats"]))
    assert ("valid_ppl" in row) == (kind != "blank")


@pytest.mark.parametrize("reading", READINGS)
def test_resume_is_bit_identical(rnnlm, tmp_path, reading):
    config = f"{KINDS[reading]}.yaml"
    settings = ["-q", "--set", "training.epochs=2"]
    assert rnnlm("train", config, "-o", tmp_path / "once", *settings) == (0, "", "")
    assert rnnlm("train", config, "-o", tmp_path / "twice", *settings, "--max-time", "0s") == (75, "", "")
    assert rnnlm("train", tmp_path / "twice", "--resume", "-q") == (0, "", "")
    assert (tmp_path / "once/best.npz").read_bytes() == (tmp_path / "twice/best.npz").read_bytes()


@pytest.mark.parametrize("reading", READINGS)
def test_dry_run_info_and_gradcheck(rnnlm, reading):
    kind = KINDS[reading]
    status, _, err = rnnlm("train", f"{kind}.yaml", "--dry-run")
    assert status == 0
    assert re.search(r"^time: [\d.]+ ms a step, \d+ steps and about 0:\d\d an epoch$", err, re.M)
    status, out, _ = rnnlm("info", f"runs/{kind}")
    assert status == 0
    assert f"kind        {kind}\n" in out
    outputs = {"labelled": ", and 4 outputs", "pairs": ", and 11 outputs"}.get(reading, "")
    assert re.search(rf"^vocabulary  \d+ words{outputs} \(sha [0-9a-f]{{12}}\)$", out, re.M)
    ppl = "pppl" if kind == "blank" else "ppl"
    assert re.search(rf"^validation  best: number \d of \d, {ppl} [\d.]+, ", out, re.M)
    assert json.loads(rnnlm("info", f"runs/{kind}", "--json")[1])["training"][f"best_{ppl}"] > 1
    for source in (f"{kind}.yaml", f"runs/{kind}"):
        status, out, _ = rnnlm("gradcheck", source)
        assert status == 0
        assert "\npassed: largest relative error " in out


# --- eval ----------------------------------------------------------------------------------------------------------


def test_eval_of_a_blank_model(rnnlm):
    status, out, err = rnnlm("eval", "runs/blank")
    assert (status, err) == (0, "")
    figures = r"pseudo-perplexity [\d.]+   accuracy [\d.]+%   among 5 likeliest [\d.]+%"
    assert re.fullmatch(
        rf"file blanks.test.txt: 30 sentences, \d+ words, 0 OOVs\n{figures}\n# OOV as <unk>: {figures}\n"
        r"# accuracy as `eval --ranks` has it, counting sentence ends, too: [\d.]+%\n"
        r"# each word from all others of its sentence, which tell where it ends; no perplexity\n", out,
    )  # fmt: skip
    assert " ppl" not in out
    row = json.loads(rnnlm("eval", "runs/blank", "--json")[1])
    assert list(row) == ["model", "kind", "file", "sentences", "words", "oovs", "pppl", "accuracy", "top5",
                         "accuracy_with_ends", "pppl_unk", "accuracy_unk", "top5_unk"]  # fmt: skip
    assert row["pppl"] == row["pppl_unk"] < 11
    assert row["accuracy"] <= row["top5"]
    right = round(row["accuracy"] * row["words"]) + 30
    assert row["accuracy_with_ends"] == pytest.approx(right / (row["words"] + 30))


def test_eval_of_a_blank_model_reads_standard_input_and_counts_oovs(rnnlm):
    status, out, _ = rnnlm("eval", "runs/blank", "-", "--json", stdin=b"the cat sees zebra\n\nthe\n")
    row = json.loads(out)
    assert (status, row["file"], row["sentences"], row["words"], row["oovs"]) == (0, "<stdin>", 2, 5, 1)
    assert row["pppl"] != row["pppl_unk"]


def test_eval_of_a_classifier(rnnlm, folder):
    status, out, err = rnnlm("eval", "runs/classifier")
    assert (status, err) == (0, "")
    row = json.loads(rnnlm("eval", "runs/classifier", "--json")[1])
    table, labels = np.array(row["confusion"]), [line["label"] for line in row["classes"]]
    true = [line.split("\t")[0] for line in (folder / "labelled.test.txt").read_text().splitlines()]
    assert labels == sorted(NOUNS)
    assert table.sum(axis=1).tolist() == [true.count(label) for label in labels]
    assert row["right"] == np.trace(table) > 15  # the label stands in the sentence
    assert row["accuracy"] == np.trace(table) / 30
    for i, line in enumerate(row["classes"]):
        assert (line["sentences"], line["predicted"]) == (table[i].sum(), table[:, i].sum())
        assert line["recall"] == table[i, i] / table[i].sum()
        assert line["precision"] in (None, table[i, i] / max(table[:, i].sum(), 1))
    lines = out.splitlines()
    assert lines[0].startswith("file labelled.test.txt: 30 sentences, ")
    most = max(labels, key=true.count)
    assert re.fullmatch(
        rf"accuracy {row['accuracy']:.2%} \({row['right']} of 30\)   ppl of the label [\d.]+   "
        rf"always '{most}': {true.count(most) / 30:.2%}", lines[1],
    )  # fmt: skip
    assert lines[3].split() == ["label", "precision", "recall", "F1", "sentences", "predicted"]
    assert [line.split()[0] for line in lines[4:8]] == labels
    assert lines[9] == "rows: the true label; columns: the predicted one, by number"
    assert [line.replace(".", "0").split()[2:] for line in lines[11:]] == [[str(x) for x in row] for row in table]


@pytest.mark.parametrize("kind", ["seq2seq", "vec2seq"])
def test_eval_of_what_is_written(rnnlm, kind):
    status, out, err = rnnlm("eval", f"runs/{kind}")
    assert (status, err) == (0, "")
    assert re.fullmatch(
        r"file \w+.test.txt: 30 sentences, \d+ words, 0 OOVs\n"
        r"exact match [\d.]+% \(\d+ of 30\)   token accuracy [\d.]+%   ppl [\d.]+\n"
        r"# exact match: written greedily; the others: each token after the true ones before it, </s> counted\n", out,
    )  # fmt: skip
    row = json.loads(rnnlm("eval", f"runs/{kind}", "--json")[1])
    assert row["exact_match"] == row["exact"] / 30 <= row["token_accuracy"] <= 1
    assert row["ppl"] == pytest.approx(np.exp(row["nats_per_token"]))


def test_eval_warns_of_vectors_that_have_changed(rnnlm, folder):
    """They belong to the text, which is the same."""
    assert rnnlm("eval", "runs/vec2seq", "vectors.valid.txt")[2] == ""
    vectors = np.load(folder / "vectors.valid.npy")
    np.save(folder / "vectors.valid.npy", 1 - vectors)
    (warning,) = rnnlm("eval", "runs/vec2seq", "vectors.valid.txt")[2].splitlines()
    assert re.match(r"warning: vectors\.valid\.txt: data\.valid has changed", warning)
    np.save(folder / "vectors.valid.npy", vectors)


def test_eval_refuses_what_is_for_language_models(rnnlm):
    for option in (["-v", 1], ["--independent"]):
        assert_refused(rnnlm("eval", "runs/blank", *option), 2, "runs/blank: a blank model", "--json")


def test_eval_reads_a_task_from_standard_input(rnnlm):
    text = Path("pairs.test.txt").read_bytes()
    status, out, _ = rnnlm("eval", "runs/seq2seq", "-", stdin=text)
    assert (status, out.replace("<stdin>", "pairs.test.txt")) == rnnlm("eval", "runs/seq2seq", "pairs.test.txt")[:2]
    assert_refused(rnnlm("eval", "runs/vec2seq", "-", stdin=b"a\n"), 2, "<stdin>: ", "no file of vectors")


# --- predict and fill ----------------------------------------------------------------------------------------------


def test_predict_labels(rnnlm):
    status, out, err = rnnlm("predict", "runs/classifier", "-", "-k", 2, stdin=b"the cat sees zebra\n\nthe dog likes\n")
    assert (status, err) == (0, "note: 1 of 4 words not in the vocabulary, read as <unk>: 'zebra'\n")
    lines = out.splitlines()
    assert len(lines) == 3
    assert all(re.fullmatch(r"[01]\.\d{4} \w+   [01]\.\d{4} \w+", line) for line in lines)
    row = json.loads(rnnlm("predict", "runs/classifier", "the cat sees", "--json")[1])
    assert row["text"] == "the cat sees"
    assert sorted(one["label"] for one in row["labels"]) == sorted(NOUNS)
    assert sum(one["p"] for one in row["labels"]) == pytest.approx(1, abs=1e-5)


def test_predict_answers(rnnlm):
    status, out, err = rnnlm("predict", "runs/seq2seq", "-", stdin=b"the cat sees\n\nzebra\n")
    note = "warning: 1 of 1 word not in the vocabulary, read as <unk>: 'zebra'\n"
    assert (status, err, out.count("\n"), out.split("\n")[1]) == (0, note, 3, "")
    status, out, _ = rnnlm("predict", "runs/seq2seq", "the cat sees", "--beam", 3)
    rows = [line.split("\t") for line in out.splitlines()]
    assert (status, len(rows), rows[-1]) == (0, 4, [""])
    assert [float(row[0]) for row in rows[:3]] == sorted((float(row[0]) for row in rows[:3]), reverse=True)
    row = json.loads(rnnlm("predict", "runs/seq2seq", "the cat sees", "--beam", 3, "--json")[1])
    assert row["source"] == "the cat sees"
    assert [one["text"] for one in row["answers"]] == [row[1] for row in rows[:3]]


def test_predict_sentences_for_vectors(rnnlm):
    status, out, err = rnnlm("predict", "runs/vec2seq", "vectors.test.npy")
    assert (status, err, out.count("\n")) == (0, "", 30)
    rows = [json.loads(line) for line in rnnlm("predict", "runs/vec2seq", "vectors.test.npy", "--json")[1].splitlines()]
    assert [row["row"] for row in rows] == list(range(1, 31))
    assert [row["answers"][0]["text"] for row in rows] == out.splitlines()
    assert rnnlm("predict", "runs/vec2seq", "no.npy")[0] == 1
    assert_refused(rnnlm("predict", "runs/vec2seq"), 2, "vectors", "standard input", ".npy")


@pytest.mark.parametrize("kind", ["seq2seq", "vec2seq"])
def test_answers_are_not_counted_by_k(rnnlm, kind):
    assert_refused(rnnlm("predict", f"runs/{kind}", "x", "-k", 3), 2, "-k 3: ", "--beam")


def test_beams_are_for_models_that_answer(rnnlm):
    assert_refused(rnnlm("predict", "runs/classifier", "x", "--beam", 2), 2, "--beam: a classifier", "-k")
    assert_refused(rnnlm("predict", "runs/lm", "x", "--beam", 2), 2, "--beam: a language model", "`rnnlm sample`")


def test_fill(rnnlm):
    status, out, err = rnnlm("fill", "runs/blank", "the ____ sees ______ zebra", "-k", 3)
    assert (status, err) == (0, "note: 1 of 3 words not in the vocabulary, read as <unk>: 'zebra'\n")
    lines = out.splitlines()
    assert re.fullmatch(r"____ 1(   [01]\.\d{4} \w+ *){3}", lines[0])
    assert re.fullmatch(r"____ 2(   [01]\.\d{4} \w+ *){3}", lines[1])
    assert lines[2:] == [""]
    assert lines[0].split()[3] in NOUNS
    status, out, _ = rnnlm("fill", "runs/blank", "-", "-k", 8, "--json", stdin=b"____ cat sees\nthe cat ____\n")
    first, second = map(json.loads, out.splitlines())
    assert (first["text"], first["blanks"][0][0]["word"]) == ("____ cat sees", "the")
    assert (len(second["blanks"]), len(second["blanks"][0])) == (1, 8)
    assert "<unk>" not in {one["word"] for one in second["blanks"][0]}


def test_fill_needs_a_blank_and_so_many_words(rnnlm):
    assert_refused(rnnlm("fill", "runs/blank", "the cat"), 2, "no blank in 'the cat'", "____")
    assert_refused(rnnlm("fill", "runs/blank", "the ____", "-k", 9), 2, "-k 9: ", "only 8 words")


# --- what they refuse ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "kind"),
    [*((command, kind) for command in ("sample", "score") for kind in KINDS.values()), ("predict", "blank"),
     *(("fill", kind) for kind in ("lm", "classifier", "seq2seq", "vec2seq"))],
)  # fmt: skip
def test_a_command_that_does_not_fit_says_why(rnnlm, command, kind):
    assert_refused(rnnlm(command, f"runs/{kind}"), 2, f"runs/{kind}/best.npz: {WHY[kind][0]}", WHY[kind][1])


def test_a_model_starts_from_one_of_its_kind_alone(rnnlm, tmp_path):
    for kind in KINDS.values():
        options = ["-q", "-o", tmp_path / kind, "--set", "training.epochs=1", "--init-from", f"runs/{kind}"]
        assert rnnlm("train", f"{kind}.yaml", *options) == (0, "", "")
    status, _, err = rnnlm("train", "blank.yaml", "-o", tmp_path / "x", "--init-from", "runs/lm")
    assert (status, "do not belong together" in err) == (1, True)


def test_a_real_process(folder):
    def rnnlm(*arguments):
        return subprocess.run([sys.executable, "-m", "rnnlm", *arguments], cwd=folder, capture_output=True, text=True)

    done = rnnlm("fill", "runs/blank", "the ____ sees", "-k", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"____   [01]\.\d{4} \w+\n\n", done.stdout)
    assert rnnlm("sample", "runs/blank").returncode == 2


@pytest.mark.parametrize("arguments", [
    ("eval", "lm", "blanks.test.txt"), ("eval", "lm", "blanks.test.txt", "--ranks"),
    ("eval", "lm", "blanks.test.txt", "--cache", 5), ("eval", "lm", "blanks.test.txt", "--mix", "runs/lm"),
    ("sample", "lm", "--seed", 1), ("sample", "lm", "--greedy"), ("predict", "lm", "the cat"),
    ("score", "lm", "blanks.test.txt"),
    ("rescore", "lm", "lists", "-f", "srilm-stream"), ("compare", "lm", "runs/lm", "--text", "blanks.test.txt"),
    ("export", "lm", "--hidden", "blanks.test.txt", "-o", "-"),
    ("fill", "blank", "the ____ sees"), ("eval", "blank"), ("eval", "classifier"), ("predict", "classifier", "the cat"),
    ("eval", "seq2seq"), ("predict", "seq2seq", "a b"), ("predict", "seq2seq", "a b", "--beam", 3),
    ("eval", "vec2seq"), ("predict", "vec2seq", "vectors.test.npy"),
])  # fmt: skip
def test_a_model_whose_probabilities_overflow(rnnlm, folder, arguments):
    """Its weights are finite. Nothing that is not a number is printed, nor does NumPy warn."""
    command, kind, *more = arguments
    model = checkpoint.load(folder / "runs" / kind / "best.npz")
    for weights in model.weights.values():
        weights[...] = 1e38
    checkpoint.save(folder / "huge.npz", model)
    (folder / "lists").write_text("u -3.5 0 3 the cat sees\nu -2.5 0 2 the dog\n")
    assert_refused(
        rnnlm(command, "huge.npz", *more), 3, "the model's probabilities", "not numbers", "weights are too large"
    )


# --- export --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*KINDS.values(), "lm"])
def test_the_weights_of_every_kind_are_exported(rnnlm, tmp_path, kind):
    status, _, err = rnnlm("export", f"runs/{kind}", "--format", "npz", "-o", tmp_path / "w.npz")
    assert status == 0, err
    loaded = load_model(f"runs/{kind}", EVERY_MODEL)
    inputs, outputs = (getattr(loaded.vocab, name, loaded.vocab).words for name in ("inputs", "outputs"))
    with np.load(tmp_path / "w.npz") as file:
        assert bytes(file["words"]).decode().split("\n") == inputs
        assert ("outputs" in file) == (kind in ("classifier", "seq2seq"))
        if "outputs" in file:
            assert bytes(file["outputs"]).decode().split("\n") == outputs


@pytest.mark.parametrize(
    ("kind", "matrix", "side"), [("seq2seq", "head.V", "outputs"), ("classifier", "head.V", "outputs")]
)
def test_the_rows_of_an_output_layer_belong_to_what_is_written(rnnlm, tmp_path, kind, matrix, side):
    status, _, err = rnnlm("export", f"runs/{kind}", "--matrix", matrix, "-o", tmp_path / "e")
    assert status == 0, err
    words = getattr(load_model(f"runs/{kind}", EVERY_MODEL).vocab, side).words
    assert [line.split()[0] for line in (tmp_path / "e").read_text().splitlines()[1:]] == words


@pytest.mark.parametrize("kind", KINDS.values())
def test_hidden_vectors_are_those_of_language_models(rnnlm, tmp_path, kind):
    assert_refused(rnnlm("export", f"runs/{kind}", "--hidden", "-", "-o", tmp_path / "h"), 2, *WHY[kind])
