"""`rnnlm export`: word vectors, weights and hidden vectors."""

import json
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnnlm as package
from rnnlm.loading import load_model
from rnnlm.text import vectors

TEXT = b"the cat sees a dog now\n\nthe quagga likes\n"


@pytest.mark.parametrize("kind", ["word2vec", "word2vec-binary", "text"])
def test_word_vectors(rnnlm, trained, tmp_path, kind):
    status, out, err = rnnlm("export", trained["stream"], "--format", kind, "-o", "e")
    loaded = load_model(trained["stream"])
    E, words = loaded.network.params.named["E"], loaded.vocab.words
    assert (status, out) == (0, "")
    assert f"e: {len(words)} word vectors of 8 numbers (E)" in err
    found = vectors.read(tmp_path / "e", words, 8)
    np.testing.assert_array_equal(np.array([found[word] for word in words]), E)
    assert ((tmp_path / "e").read_bytes().split(b"\n")[0] == b"%d 8" % len(words)) == (kind != "text")


def test_another_matrix_to_standard_output(rnnlm, trained):
    status, out, err = rnnlm("export", trained["sentences"], "--matrix", "head.V", "-o", "-")
    loaded = load_model(trained["sentences"])
    assert (status, "(head.V)" in err) == (0, True)
    first, *rows = out.splitlines()
    assert first == f"{len(loaded.vocab)} 16"
    assert [row.split()[0] for row in rows] == loaded.vocab.words
    np.testing.assert_array_equal(
        np.array([row.split()[1:] for row in rows], np.float32), loaded.network.params.named["head.V"]
    )


def test_a_blank_has_no_line(rnnlm, trained, tmp_path):
    status, _, err = rnnlm("export", trained["char"], "-o", "e")
    number = len(load_model(trained["char"]).vocab) - 1
    assert status == 0
    assert "note: 1 words with white space are left out: ' '" in err
    assert len((tmp_path / "e").read_bytes().splitlines()) == 1 + number


def test_all_weights_as_npz(rnnlm, trained):
    status, _, err = rnnlm("export", trained["stream"], "--format", "npz", "-o", "w.npz")
    loaded = load_model(trained["stream"])
    assert status == 0
    assert "cell.W 16x16" in err
    with np.load("w.npz", allow_pickle=False) as file:
        assert set(file) == {*loaded.network.params.named, "words", "config"}
        for name, array in loaded.network.params.named.items():
            np.testing.assert_array_equal(file[name], array)
        assert bytes(file["words"]).decode().split("\n") == loaded.vocab.words
        assert "size: 16" in bytes(file["config"]).decode()


def test_all_weights_as_safetensors(rnnlm, trained, tmp_path):
    assert rnnlm("export", trained["stream"], "--format", "safetensors", "-o", "w")[0] == 0
    loaded = load_model(trained["stream"])
    data = (tmp_path / "w").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    assert length % 8 == 0
    assert metadata["words"].split("\n") == loaded.vocab.words
    assert all(isinstance(text, str) for text in metadata.values())
    assert list(header) == list(loaded.network.params.named)
    for name, array in loaded.network.params.named.items():
        first, last = header[name]["data_offsets"]
        assert header[name]["dtype"] == "F32"
        found = np.frombuffer(data[8 + length :][first:last], "<f4").reshape(header[name]["shape"])
        np.testing.assert_array_equal(found, array)
    assert 8 + length + max(entry["data_offsets"][1] for entry in header.values()) == len(data)


@pytest.mark.parametrize("way", ["--independent", "--continuous"])
@pytest.mark.parametrize("name", ["stream", "sentences"])
def test_a_hidden_vector_per_word_predicts_the_next(rnnlm, trained, tmp_path, name, way, monkeypatch):
    """Through the output layer, each row gives the distribution that the model has after that word."""
    monkeypatch.setattr("rnnlm.lm.network.NetworkScorer.at_once", 4)
    (tmp_path / "text").write_bytes(TEXT)
    status, _, err = rnnlm("export", trained[name], "--hidden", "text", way, "-o", "h.npy")
    assert status == 0
    assert "9 hidden vectors of 16 numbers, one per word" in err
    hidden = np.load("h.npy")
    p = load_model(trained[name]).network.params.named
    logits = hidden @ p["head.V"].T + p["head.c"]
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    scorer = package.load(trained[name], carried=way == "--continuous")
    sentences = [scorer.vocab.split(line.decode()) for line in TEXT.splitlines()]
    after = [row.copy() for row in scorer.distributions(sentences)]
    starts = np.cumsum([0] + [len(words) + 1 for words in sentences])[:-1]
    rows = [row for i, row in enumerate(after) if i not in starts]
    np.testing.assert_allclose(log_p, rows, atol=1e-4)


def test_a_hidden_vector_per_sentence(rnnlm, trained):
    export = ("export", trained["sentences"], "--hidden", "-")
    assert rnnlm(*export, "-o", "w.npy", stdin=TEXT)[0] == 0
    status, _, err = rnnlm(*export, "--per", "sentence", "-o", "s.npy", stdin=TEXT)
    assert status == 0
    assert "3 hidden vectors of 16 numbers, one per sentence" in err
    words, sentences = np.load("w.npy"), np.load("s.npy")
    np.testing.assert_array_equal(sentences[[0, 2]], words[[5, 8]])
    assert not np.array_equal(sentences[1], sentences[0])  # after <s> alone


def test_unknown_words_beside_hidden_vectors_are_said(rnnlm, trained):
    _, _, err = rnnlm("export", trained["sentences"], "--hidden", "-", "-o", "w.npy", stdin=b"xyz xyz\n")
    assert "warning: 2 of 2 words not in the vocabulary, read as <unk>: 'xyz'" in err


def test_no_sentence_has_no_hidden_vectors(rnnlm, trained):
    status, _, err = rnnlm("export", trained["sentences"], "--hidden", "-", "-o", "w.npy", stdin=b"")
    assert status == 1
    assert "no sentences" in err


@pytest.mark.parametrize("arguments", [["--format", "safetensors"], ["--hidden", "text"]])
def test_standard_output_has_what_a_file_has(rnnlm, trained, tmp_path, arguments):
    (tmp_path / "text").write_bytes(TEXT)
    command = ["export", str(trained["stream"]), *arguments, "-o"]
    assert rnnlm(*command, "e")[0] == 0
    done = subprocess.run([sys.executable, "-m", "rnnlm", *command, "-"], capture_output=True, check=True)
    assert done.stdout == (tmp_path / "e").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (["--matrix", "cell.W"], 2, "cell.W"),
        (["--matrix", "cell.W", "--format", "npz"], 2, "--matrix"),
        (["--hidden", "-", "--format", "npz"], 2, "--hidden"),
        (["--hidden", "gone.txt"], 1, "gone.txt"),
    ],
)
def test_what_is_refused(rnnlm, trained, tmp_path, arguments, status, word):
    found, _, err = rnnlm("export", trained["stream"], *arguments, "-o", "e")
    assert found == status
    assert word in err.splitlines()[0]
    assert not (tmp_path / "e").exists()


def test_without_an_embedding_the_other_matrices_are_named(rnnlm, tmp_path):
    (tmp_path / "t.txt").write_text("a b\nb a\n" * 9)
    (tmp_path / "t.yaml").write_text("data: {train: t.txt}\nmodel: {cell: {size: 3}}\ntraining: {epochs: 1}\n")
    assert rnnlm("train", "t.yaml", "-q")[0] == 0
    status, _, err = rnnlm("export", "runs/t", "-o", "e")
    assert status == 2
    assert "no embedding" in err
    assert "cell.U" in err
    assert "head.V" in err
    assert rnnlm("export", "runs/t", "-o", "e", "--matrix", "cell.U")[0] == 0
    assert (tmp_path / "e").read_bytes().startswith(b"5 3\n<s> ")


@pytest.mark.parametrize("kind", ["word2vec", "word2vec-binary", "text"])
def test_what_is_exported_starts_another_training(rnnlm, trained, tmp_path, kind):
    """How many words were found is printed; frozen vectors stay; the model is used without the file."""
    assert rnnlm("export", trained["stream"], "--format", kind, "-o", "words")[0] == 0
    (tmp_path / "t.txt").write_text("the cat sees a zebra\n" * 9)
    (tmp_path / "t.yaml").write_text(
        "data: {train: t.txt}\n"
        "model: {embedding: 8, cell: {size: 3}, init_E: {kind: vectors, file: words, frozen: true}}\n"
        "training: {epochs: 2}\n"
    )
    status, out, err = rnnlm("train", "t.yaml")
    assert status == 0
    assert "E: 7 of 8 words found in words\n" in out + err  # all but the zebra
    (tmp_path / "words").unlink()
    before, after = load_model(trained["stream"]), load_model("runs/t")
    for word in ("</s>", "the", "cat"):
        rows = [m.network.params.named["E"][m.vocab.words.index(word)] for m in (before, after)]
        np.testing.assert_array_equal(*rows)
    assert rnnlm("score", "runs/t", stdin=b"the cat\n")[0] == 0
    status, _, err = rnnlm("train", "t.yaml", "--force")
    assert status == 1
    assert "words: no such file" in err


def test_a_run_is_resumed_without_the_file_of_its_vectors(rnnlm, trained, tmp_path):
    assert rnnlm("export", trained["stream"], "-o", "words")[0] == 0
    (tmp_path / "t.txt").write_text("the cat sees a zebra\n" * 9)
    model = "{embedding: 8, cell: {size: 3}, init_E: {kind: vectors, file: words}}"
    (tmp_path / "t.yaml").write_text(f"data: {{train: t.txt}}\nmodel: {model}\ntraining: {{epochs: 2}}\n")
    assert rnnlm("train", "t.yaml", "-o", "whole")[0] == 0
    assert rnnlm("train", "t.yaml", "-o", "parts", "--set", "training.epochs=1")[0] == 0
    (tmp_path / "words").unlink()
    status, out, err = rnnlm("train", "t.yaml", "-o", "parts", "--resume")
    assert status == 0
    assert "words found" not in out + err
    whole, parts = (load_model(tmp_path / name / "last.npz").network.params.flat for name in ("whole", "parts"))
    np.testing.assert_array_equal(whole, parts)


def test_the_code_of_the_page_runs(rnnlm, trained, capfd):
    page = (Path(__file__).parents[2] / "docs" / "vectors.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)).replace('"list"', '"cat"')
    assert rnnlm("export", trained["stream"], "-o", "words.txt")[0] == 0
    assert rnnlm("export", trained["stream"], "--format", "npz", "-o", "demo.npz")[0] == 0
    names = {}
    exec(compile(code, "docs/vectors.md", "exec"), names)
    assert capfd.readouterr().out.startswith("['cat', ")
    assert names["words"] == load_model(trained["stream"]).vocab.words
