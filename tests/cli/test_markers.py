"""`<s>` and `</s>` around the lines of a text: every command has the same figures with and without them."""

import json

import pytest

REPORTED = "<s> begins"


@pytest.fixture
def marked(trained, tmp_path):
    """The test text without and with markers around each line, and n-best lists of both."""
    lines = trained["test.txt"].read_text().splitlines()
    around = [f"<s> {line} </s>" for line in lines]
    for name, text in (("plain", lines), ("marked", around)):
        (tmp_path / f"{name}.txt").write_text("".join(f"{line}\n" for line in text))
        (tmp_path / f"{name}.nbest").write_text("".join(f"u{i // 3} {line}\n" for i, line in enumerate(text[:30])))
        (tmp_path / f"{name}.ref").write_text("".join(f"u{i} {line}\n" for i, line in enumerate(text[:10])))
    return tmp_path


@pytest.mark.parametrize("model", ["stream", "sentences"])
@pytest.mark.parametrize("options", [["eval", "--json", "--ranks"], ["score"], ["score", "--words"]])
def test_eval_and_score(rnnlm, trained, marked, options, model):
    command, *rest = options
    (_, plain, quiet), (_, found, said) = (
        rnnlm(command, trained[model], f"{name}.txt", *rest) for name in ("plain", "marked")
    )
    if command == "eval":
        plain, found = map(json.loads, (plain, found))
        for facts in (plain, found):
            del facts["file"], facts["seconds"]
    assert found == plain
    assert REPORTED not in quiet
    assert f"note: marked.txt: {REPORTED} 60 of 60 lines, </s> ends 60 of 60 lines" in said


def test_vocab_and_ngram(rnnlm, marked):
    for name in ("plain", "marked"):
        _, _, said = rnnlm("vocab", f"{name}.txt", "-o", f"{name}.vocab")
        assert (REPORTED in said) == (name == "marked")
        _, _, said = rnnlm("ngram", f"{name}.txt", "-o", f"{name}.arpa", "--order", 3)
        assert (REPORTED in said) == (name == "marked")
    for suffix in ("vocab", "arpa"):
        assert (marked / f"marked.{suffix}").read_bytes() == (marked / f"plain.{suffix}").read_bytes()


def test_train_and_compare(rnnlm, trained, marked):
    for name in ("plain", "marked"):
        status, _, said = rnnlm(
            "train", "--train", f"{name}.txt", "--valid", f"{name}.txt", "-o", name, "--set", "data.level=word",
            "--set", "model={cell: {size: 4}}", "--set", "training.epochs=1",
        )  # fmt: skip
        assert status == 0
        assert said.count(REPORTED) == (1 if name == "marked" else 0)  # of a text that trains and validates once
    plain, found = (
        json.loads((marked / name / "log.jsonl").read_text().splitlines()[-1]) for name in ("plain", "marked")
    )
    assert found["valid_nats"] == plain["valid_nats"]
    tables = [
        rnnlm("compare", trained["stream"], "plain", "--text", f"{name}.txt", "--json") for name in ("plain", "marked")
    ]
    (_, plain, quiet), (_, found, said) = tables
    assert {**json.loads(found), "text": ""} == {**json.loads(plain), "text": ""}
    assert REPORTED in said
    assert REPORTED not in quiet


def test_rescore_and_its_references(rnnlm, trained, marked):
    found = {
        rnnlm("rescore", trained["stream"], f"{lists}.nbest", "-f", "mikolov", "--ref", f"{ref}.ref")
        for lists in ("plain", "marked")
        for ref in ("plain", "marked")
    }
    assert len(found) == 1
    flags = ("-rnnlm", trained["stream"], "-independent", "-test")
    (_, plain, _), (_, found, said) = (rnnlm(*flags, f"{name}.txt") for name in ("plain", "marked"))
    assert found == plain
    assert REPORTED in said


def test_markers_within_a_line_are_warned_of(rnnlm, trained, tmp_path):
    (tmp_path / "t.txt").write_text("the cat sees a dog\nthe cat </s> <s> the dog\n")
    for arguments in (["eval", trained["stream"], "t.txt"], ["score", trained["stream"], "t.txt"],
                      ["vocab", "t.txt", "-o", "v"], ["ngram", "t.txt", "-o", "a"]):  # fmt: skip
        _, _, said = rnnlm(*arguments)
        assert "warning: t.txt:2: <s> or </s> within a line (the first of 2)" in said


def test_adaptation_and_the_weights_of_a_mixture(rnnlm, trained, marked):
    adapted = [
        rnnlm("eval", trained["stream"], "plain.txt", "--cache", 20, "--dev", f"{name}.txt", "--json")
        for name in ("plain", "marked")
    ]
    (_, plain, _), (_, found, said) = adapted
    plain, found = (json.loads(out) for out in (plain, found))
    assert found["ppl"] == plain["ppl"]
    assert REPORTED in said
    mixed = [
        rnnlm("eval", trained["stream"], "plain.txt", "--mix", trained["sentences"], "--dev", f"{name}.txt", "--json")
        for name in ("plain", "marked")
    ]
    assert json.loads(mixed[0][1])["models"] == json.loads(mixed[1][1])["models"]
    assert REPORTED in mixed[1][2]
