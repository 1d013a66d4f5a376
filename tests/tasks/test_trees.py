"""Trees: how a line is read, the task from training to labels written back, and the corpus of logic."""

import json
import re

import numpy as np
import pytest

from rnnlm.corpora import logic
from rnnlm.errors import DataError
from rnnlm.text.trees import labelled, parse

CONFIG = """\
data: {train: train.txt, valid: valid.txt, test: test.txt, reading: trees}
model: {kind: tree, embedding: 8, compose: {kind: KIND, size: 8}}
optimizer: {kind: adam, lr: 0.02}
schedule: constant
training: {epochs: 2, batch: 20, samples: 1}
"""


def test_a_tree():
    tree = parse("(3 (2 It) (4 (2 works) (2 well)))")
    assert tree.words == ["It", "works", "well"]
    assert (tree.left, tree.right, tree.heights, tree.root) == ([1, 0], [2, 3], [1, 2], 4)
    assert tree.labels == [(4, "3"), (0, "2"), (3, "4"), (1, "2"), (2, "2")]


def test_more_than_two_children_are_binarised_to_the_left():
    tree = parse("(1 a b (2 c) d)")
    assert list(zip(tree.left, tree.right)) == [(0, 1), (4, 2), (5, 3)]
    assert tree.labels == [(6, "1"), (2, "2")]  # the inner nodes that this makes have no label


def test_a_node_of_one_child_is_that_child_with_both_labels():
    tree = parse("(3 (2 works))")
    assert (tree.words, tree.left, tree.labels) == (["works"], [], [(0, "3"), (0, "2")])


def test_nodes_without_a_label():
    tree = parse("( (2 It) ((4 works) well))")
    assert tree.labels == [(0, "2"), (1, "4")]
    assert len(tree.nodes) == 4


def test_brackets_as_words():
    assert parse(r"(1 (0 \() (0 a\)b))").words == ["(", "a)b"]
    assert labelled(r"(1 (0 \() (0 a\)b))", ["x", "(", "z"]) == r"(x (\( \() (z a\)b))"


@pytest.mark.parametrize("line", ["(3 (2 It) (4 (2 works) (2 well)))", "(3 (2 works))", "(1 a b (2 c) d)"])
def test_labels_written_back_leave_the_rest_as_it_was(line):
    before = [label for _, label in parse(line).labels]
    assert labelled(line, before) == line
    assert re.sub("X", "", labelled(line, "X" * len(before))) == re.sub(r"\(\d", "(", line)


@pytest.mark.parametrize(
    ("line", "column", "word"),
    [
        ("(3 (2 It)", 1, "closed"),
        ("(3 (2 It", 4, "closed"),
        ("((", 2, "closed"),
        ("(3 a))", 6, "behind the end"),
        ("(3 a) b", 7, "behind the end"),
        ("(3 a) (2 b)", 7, "behind the end"),
        ("()", 1, "nothing"),
        ("(3 ())", 4, "nothing"),
        ("(3)", 1, "label"),
        ("(3 (2) x)", 4, "label"),
        ("hello", 1, "before any"),
        (") (", 1, "before any"),
        ("  \t", 1, "no tree"),
        ("  \u3000", 3, "before any"),
    ],
)
def test_a_broken_line(line, column, word):
    with pytest.raises(DataError, match=word) as error:
        parse(line, "trees.txt", 7)
    assert error.value.message.startswith(f"trees.txt:7:{column}: ")


@pytest.fixture(params=["recursive", "tree_lstm"])
def trained(rnnlm, tmp_path, request):
    """A tree network trained on a few formulas, in a folder with a test text; -> the function that runs rnnlm."""
    parts = logic.logic()
    for part, n in (("train", 400), ("valid", 50), ("test", 20)):
        (tmp_path / f"{part}.txt").write_text("\n".join(parts[part][:n]) + "\n\n")
    (tmp_path / "trees.yaml").write_text(CONFIG.replace("KIND", request.param))
    status, _, err = rnnlm("train", "trees.yaml", "-o", "run")
    assert status == 0, err
    assert re.search(r"\d+ of \d+ nodes right", err)
    return rnnlm


def test_the_commands(trained):
    status, out, _ = trained("eval", "run", "--json")
    figures = json.loads(out)
    assert (status, figures["sentences"], figures["roots"]) == (0, 20, 20)
    assert figures["accuracy"] > 0.7
    assert np.sum(figures["confusion"]) == sum(c["nodes"] for c in figures["classes"]) == figures["words"]
    status, out, _ = trained("eval", "run")
    assert (status, "accuracy at the root" in out) == (0, True)
    status, out, _ = trained("predict", "run", "(0 (1 p) and (0 q))")
    assert status == 0
    assert re.fullmatch(r"\([01] \([01] p\) and \([01] q\)\)\n", out)
    status, out, _ = trained("predict", "run", "-", "--json", stdin=b"((p2) not (q q))\n")
    assert (status, out) == (1, "")
    status, out, _ = trained("info", "run")
    assert (status, "compose.W_l" in out) == (0, True)
    for command in ("sample", "fill", "score"):
        status, _, err = trained(command, "run", *["a"] * (command != "sample"))
        assert (status, "rnnlm predict" in err) == (2, True)


def test_resumed_in_the_middle_it_ends_as_without_a_stop(rnnlm, tmp_path):
    parts = logic.logic()
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.txt").write_text("\n".join(parts[part][:60]))
    (tmp_path / "trees.yaml").write_text(CONFIG.replace("KIND", "recursive") + "dtype: float64\n")
    assert rnnlm("train", "trees.yaml", "-o", "whole", "-q")[0] == 0
    assert rnnlm("train", "trees.yaml", "-o", "parts", "-q", "--set", "training.epochs=1")[0] == 0
    assert rnnlm("train", "trees.yaml", "-o", "parts", "-q", "--resume")[0] == 0
    with np.load(tmp_path / "whole/last.npz") as whole, np.load(tmp_path / "parts/last.npz") as resumed:
        for name in whole.files:
            if name.startswith("weights/"):
                np.testing.assert_array_equal(whole[name], resumed[name])


def test_a_label_that_training_lacks_is_named(trained, tmp_path):
    (tmp_path / "new.txt").write_text("(1 (1 p) and (7 q))\n")
    status, _, err = trained("eval", "run", "new.txt")
    assert (status, "new.txt:1: " in err, "'7'" in err) == (1, True, True)


def test_formulas_have_the_values_of_their_parts():
    parts = logic.logic()
    assert not set(parts["train"]) & set(parts["valid"]) | set(parts["train"]) & set(parts["test"])
    for line in parts["train"][:200] + parts["test"][:20]:
        tree = parse(line)
        values = dict(tree.labels)
        for value, word in re.findall(r"\(([01]) (\w+)\)", line):
            assert logic.VALUES[word] == bool(int(value))
        python = re.sub(r"\([01] ", "(", line)
        assert bool(int(values[tree.root])) == eval(python, dict(logic.VALUES))
    depths = [max(parse(line).heights, default=0) for line in parts["train"]]
    assert max(depths) <= 2 * logic.DEPTH  # a formula of three parts is two nodes high
    assert min(max(parse(line).heights) for line in parts["test"][:50]) > max(depths) / 2
