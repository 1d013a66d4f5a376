"""The unrolled network of each task: words, predictions, bits, and the errors that arrive at hidden vectors."""

import numpy as np
import pytest

from rnnlm.errors import DataError, UsageError
from rnnlm.experiment import prepare
from rnnlm.lm.network import NetworkScorer
from rnnlm.tasks.base import TASKS, Task
from rnnlm.tasks.labelled import log_probs
from tests.kinds import FAMILY, TREES, network_of

K = 3


def check(one, network):
    """What holds for every unrolled sentence."""
    for side in one.sides:
        n = len(side.words)
        assert len(side.known) == len(side.predictions) == n
        for chain in side.chains:
            assert chain.first >= 0
            assert chain.first + len(chain.h) <= n
            np.testing.assert_allclose(chain.norms, np.linalg.norm(chain.h, axis=1))
            assert np.isfinite(chain.errors).all()
            assert chain.errors.shape == chain.norms.shape
        for said in filter(None, side.predictions):
            ps = [likely.p for likely in said.likely]
            assert ps == sorted(ps, reverse=True)
            assert len(ps) <= K


@pytest.mark.parametrize(("reading", "start"), [("stream", "</s>"), ("sentences", "<s>")])
def test_language_model(tiny, reading, start):
    experiment = tiny(f"data.reading={reading}")
    network = experiment.trainer.network
    one = TASKS[reading].unroll(network, "the cat quagga a", K)
    check(one, network)
    (side,) = one.sides
    assert side.words == [start, "the", "cat", "quagga", "a"]
    assert side.known == [True, True, True, False, True]
    assert [said.came for said in side.predictions] == ["the", "cat", "quagga", "a", "</s>"]
    assert one.bits == pytest.approx(sum(said.bits for said in side.predictions))
    (log_p,) = NetworkScorer(network, reading == "stream").log_probs([["the", "cat", "quagga", "a"]])
    assert [said.bits for said in side.predictions] == pytest.approx((-log_p / np.log(2)).tolist(), rel=1e-4)
    assert "quagga" in one.note
    (chain,) = side.chains
    assert (chain.name, chain.first, chain.backwards, chain.h.shape) == ("h", 0, False, (5, 8))
    assert (chain.errors > 0).all()


def test_more_predictions_than_words_and_an_empty_line(tiny):
    network = tiny("data.reading=sentences").trainer.network
    one = TASKS["sentences"].unroll(network, "", 1000)
    assert one.sides[0].words == ["<s>"]
    assert len(one.sides[0].predictions[0].likely) == len(network.vocab) - 1


def test_characters(tiny):
    network = tiny("data.level=char").trainer.network
    one = TASKS["stream"].unroll(network, "the \u200f $x$ <b>", K)
    assert "".join(one.sides[0].words[1:]) == "the \u200f $x$ <b>"


def test_layers_and_memory(tiny):
    network = tiny("model.cell={kind: stack, cells: [{kind: lstm, size: 8}, {kind: gru, size: 8}]}").trainer.network
    one = TASKS["stream"].unroll(network, "the cat", K)
    assert [(chain.name, list(chain.memory)) for chain in one.sides[0].chains] == [("layer 1", ["c"]), ("layer 2", [])]


def test_blank(task):
    network = prepare(task("blanks")).trainer.network
    one = TASKS["blanks"].unroll(network, "the cat ____ quagga", K)
    (side,) = one.sides
    assert side.words == ["<s>", "the", "cat", "____", "quagga", "</s>"]
    assert [(chain.name, chain.first, chain.backwards) for chain in side.chains] == [
        ("forwards", 0, False), ("backwards", 2, True),
    ]  # fmt: skip
    assert side.predictions[0] is side.predictions[-1] is None
    came = [said.came for said in side.predictions[1:-1]]
    assert came == ["the", "cat", None, "quagga"]
    bits = [said.bits for said in side.predictions[1:-1]]
    assert one.bits == pytest.approx(sum(filter(None, bits)))
    forwards, backwards = side.chains
    # No error comes to f after the last word from what stands before it; each arrives at the end that has read less.
    assert (forwards.errors > 0).all()
    assert (backwards.errors > 0).all()
    with pytest.raises(UsageError):
        TASKS["blanks"].unroll(network, "", K)


def test_classifier(task):
    experiment = prepare(task("labelled"))
    network, words = experiment.trainer.network, experiment.vocab.inputs
    one = TASKS["labelled"].unroll(network, "dog\tthe cat sees", K)
    check(one, network)
    (side,) = one.sides
    assert side.words == ["<s>", "the", "cat", "sees"]
    assert {said.came for said in side.predictions} == {"dog"}
    for n, said in enumerate(side.predictions):
        log_p = log_probs(network, words.read(["the", "cat", "sees"][:n]))
        assert said.likely[0].p == pytest.approx(np.exp(log_p.max()), rel=1e-5)
        assert said.bits == pytest.approx(-log_p[network.vocab.outputs.index["dog"]] / np.log(2), rel=1e-5)
    assert one.bits == pytest.approx(side.predictions[-1].bits, rel=1e-4)
    likeliest = TASKS["labelled"].unroll(network, "the cat sees", K)
    assert likeliest.sides[0].predictions[-1].came == likeliest.sides[0].predictions[-1].likely[0].word
    with pytest.raises(DataError, match="wolf"):
        TASKS["labelled"].unroll(network, "wolf\tthe cat", K)


@pytest.mark.parametrize("name", [name for name, model in FAMILY.items() if model.kind == "classifier"])
def test_labels_as_words_come_in_long_sentences(name, monkeypatch):
    monkeypatch.setattr("rnnlm.tasks.labelled.PREFIXES", 10)  # one or two beginnings at once
    network = network_of(FAMILY[name])
    words = network.vocab.inputs.words[3:8]
    one = TASKS["labelled"].unroll(network, " ".join(words), K)
    assert len(one.sides[0].predictions) == 6
    last = log_probs(network, network.vocab.inputs.read(words))
    assert one.sides[0].predictions[-1].likely[0].p == pytest.approx(np.exp(last.max()), rel=1e-9)
    names = [chain.name for chain in one.sides[0].chains]
    assert names == {"classifier mean": ["layer 1", "layer 2"], "classifier both ways": ["forwards", "backwards"]}.get(
        name, ["h"]
    )


@pytest.mark.parametrize("name", [name for name, model in FAMILY.items() if model.kind == "seq2seq"])
def test_pairs(name):
    network = network_of(FAMILY[name])
    words, outputs = network.vocab.inputs.words[3:6], network.vocab.outputs.words[3:5]
    one = TASKS["pairs"].unroll(network, f"{' '.join(words)}\t{' '.join(outputs)}", K)
    check(one, network)
    encoder, decoder = one.sides
    assert encoder.words == (words[::-1] if network.model.reverse else words)
    assert decoder.words == ["<s>", *outputs]
    assert [said.came for said in decoder.predictions] == [*outputs, "</s>"]
    assert one.bits == pytest.approx(sum(said.bits for said in decoder.predictions))
    assert all(chain.errors[-1] > 0 or chain.backwards for chain in encoder.chains)
    answer = TASKS["pairs"].unroll(network, " ".join(words), K)
    assert answer.loss.endswith("answer")
    with pytest.raises(UsageError):
        TASKS["pairs"].unroll(network, "\tonly a target", K)


def test_vectors(task):
    network = prepare(task("vectors")).trainer.network
    examples = list(TASKS["vectors"].examples(network, "valid.npy"))
    assert len(examples) == 20
    one = TASKS["vectors"].unroll(network, examples[2], K)
    check(one, network)
    assert one.text == "valid.npy:3"
    assert one.sides[0].words[0] == "<s>"


@pytest.mark.parametrize("name", TREES)
def test_trees(name):
    network = network_of(TREES[name])
    a, b, c = network.vocab.inputs.words[3:6]
    x, y = network.vocab.outputs.words[:2]
    one = TASKS["trees"].unroll(network, f"({x} ({y} {a}) (({y} {b}) ({y} ({x} {c}))) {a})", K)
    check(one, network)
    (side,) = one.sides
    assert side.words == ["", "", a, "", b, c, a]  # the second is there to make three children two
    assert side.parents == [None, 0, 1, 1, 3, 3, 0]
    assert [said and said.came for said in side.predictions] == [x, None, y, None, y, f"{y} {x}", None]
    assert [said is None for said in side.predictions] == [False, True, False, False, False, False, True]
    assert one.bits == pytest.approx(sum(said.bits or 0 for said in side.predictions if said))
    assert (side.chains[0].errors > 0).all()
    predicted = next(TASKS["trees"].predict(network, f"({x} {a})", None, None)).facts["label"]
    assert TASKS["trees"].unroll(network, f"({x} {a})", K).sides[0].predictions[0].likely[0].word == predicted


def test_trees_without_labels_and_with_labels_that_training_lacks():
    network = network_of(TREES["embedding"])
    one = TASKS["trees"].unroll(network, "((w0 quagga) (w1 wombat))", K)  # w0 and w1 are labels
    assert "quagga" in one.note
    assert one.sides[0].known == [True, False, False]
    with pytest.raises(DataError, match="wolf"):
        TASKS["trees"].unroll(network, "(wolf w0)", K)
    deep = "(w0 w1 " * 3000 + "w0" + ")" * 3000
    side = TASKS["trees"].unroll(network, deep, K).sides[0]
    assert len(side.words) == len(side.parents) == 6001


def test_every_task_is_unrolled():
    for task in TASKS.values():
        assert type(task).unroll is not Task.unroll
