"""Tree networks: gradients, the chain that is a vanilla network, and forests that are their trees."""

import numpy as np
import pytest

from rnnlm.nn.cells import Vanilla
from rnnlm.nn.compose import Recursive, TreeLSTM
from rnnlm.nn.gradcheck import check_batch
from rnnlm.nn.heads import Softmax
from rnnlm.nn.models import Tree
from rnnlm.nn.network import Network
from rnnlm.tasks.trees import Encoded, forest
from rnnlm.text.trees import parse
from rnnlm.text.vocab import Labels, Vocabularies, Vocabulary
from tests.kinds import COMPOSITIONS, TREES, memory

WORDS = ["<s>", "</s>", "<unk>", "it", "works", "well", "not", "so"]
VOCAB = Vocabularies(Vocabulary(WORDS, [1] * len(WORDS)), Labels(["0", "1", "2"], [1, 2, 3]))
FOREST = [
    "(0 (1 it) (2 (1 works) (0 well)))",
    "(2 well)",
    "(1 not (0 (2 it) works) so (1 (0 well)))",
    "((2 so) (((1 it) works) (0 not quagga)))",
    "(0 it works well)",
]


def batch_of(lines=FOREST):
    return forest([Encoded.of(parse(line), VOCAB) for line in lines])


def network(model, seed=1):
    net = Network(model, VOCAB, np.float64, np.random.default_rng(seed))
    net.params.flat += np.random.default_rng(seed + 1).uniform(-0.3, 0.3, net.params.flat.shape)
    net._arena._array = np.full(10_000, np.nan)  # whoever reads what nobody wrote is found out
    return net


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("chosen", [[0, 1, 2, 3, 4], [1], [3]])
def test_gradient(name, chosen):
    net = network(TREES[name])
    for check in check_batch(net, batch_of([FOREST[i] for i in chosen]), (), elements=100):
        assert check.error < 1e-6, check


@pytest.mark.parametrize("compose", COMPOSITIONS)
def test_a_forest_is_its_trees(compose):
    net = network(Tree(COMPOSITIONS[compose], embedding=4))
    together, _ = net.loss_and_grad(batch_of(), ())
    gradient = net.grads.flat * together.tokens
    nats, one_by_one = 0.0, np.zeros_like(gradient)
    for line in FOREST:
        loss, _ = net.loss_and_grad(batch_of([line]), ())
        nats += loss.nats
        one_by_one += net.grads.flat * loss.tokens
    assert together.nats == pytest.approx(nats, rel=1e-12)
    np.testing.assert_allclose(gradient, one_by_one, rtol=1e-10, atol=1e-12)


def naive(p, tree, activation=np.tanh):
    """The vectors of all nodes of a tree, one node at a time."""
    h = [p["E"][i] for i in VOCAB.inputs.read(tree.words)]
    for left, right in zip(tree.left, tree.right):
        h.append(activation(p["compose"]["b"] + h[left] @ p["compose"]["W_l"] + h[right] @ p["compose"]["W_r"]))
    return h


def test_node_by_node():
    net = network(Tree(Recursive(size=4), embedding=4))
    nats = 0.0
    for line in FOREST:
        tree = parse(line)
        h = naive(net.params, tree)
        for node, label in tree.labels:
            o = net.params["head"]["c"] + net.params["head"]["V"] @ h[node]
            nats += np.log(np.exp(o).sum()) - o[int(label)]
    assert net.loss(batch_of(), ())[0].nats == pytest.approx(nats, rel=1e-12)


def test_a_chain_is_the_vanilla_network():
    """A tree of which every left child is a leaf, against the cell that reads the words from the last to the first."""
    words, H = ["so", "it", "works", "not", "so", "well"], 4
    net = network(Tree(Recursive(size=H), embedding=H))
    line = " ".join(f"({i % 3} {word}" for i, word in enumerate(words[:-1])) + f" {words[-1]}" + ")" * (len(words) - 1)
    batch = batch_of([line])
    loss, _ = net.loss_and_grad(batch, ())
    g, p = net.grads, net.params

    cell, head, T = Vanilla(size=H), Softmax(), len(words) - 1
    E = p["E"][VOCAB.inputs.read(words)]
    q = {"U": p["compose"]["W_l"], "W": p["compose"]["W_r"], "b": p["compose"]["b"]}
    dq = {name: np.zeros_like(array) for name, array in q.items()}
    dhead = {name: np.zeros_like(array) for name, array in p["head"].items()}
    empty = memory()
    work, top = cell.workspace(T, 1, empty), head.workspace(p["head"], T, empty)
    x = E[:-1][::-1][:, None]  # (T, 1, H): the words but for the last, which is the first state
    y, _ = cell.forward(q, x, (E[-1:],), work)
    targets = np.arange(T)[::-1] % 3
    nats = head.forward(p["head"], y[:, 0].copy(), targets, top)
    dy, dx = np.empty((T, H)), np.empty((T, 1, H))
    head.backward(p["head"], dhead, np.ones(T), top, dy)
    (dfirst,) = cell.backward(q, dq, dy[:, None], None, work, dx)

    assert loss.nats == pytest.approx(nats.sum(), rel=1e-10)
    for name, other in (("U", "W_l"), ("W", "W_r"), ("b", "b")):
        np.testing.assert_allclose(T * g["compose"][other], dq[name], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(T * g["head"]["V"], dhead["V"], rtol=1e-10, atol=1e-10)
    dE = np.zeros_like(p["E"])
    np.add.at(dE, VOCAB.inputs.read(words), np.concatenate([dx[::-1, 0], dfirst]))
    np.testing.assert_allclose(T * g["E"], dE, rtol=1e-10, atol=1e-10)


def test_a_chain_of_ten_thousand_nodes():
    line = "(0 it " * 10_000 + "well" + ")" * 10_000
    net = network(Tree(TreeLSTM(size=3), embedding=2))
    loss, _ = net.loss_and_grad(batch_of([line]), ())
    assert loss.tokens == 10_000
    assert np.isfinite(net.grads.flat).all()
