"""Tree networks: a batch of trees, height by height, beside one node at a time in plain NumPy."""

from __future__ import annotations

import numpy as np

from tests.bench.race import Contender, Work, race
from tests.bench.table import Settings, Table, ratio, spread

LABELS = 5


def run(settings: Settings) -> None:
    table = Table(
        "trees: forward, backward and SGD over 640 random trees of 20 words, batches of 64, a label at every node",
        "plain: the same network, one node at a time. Nodes are leaves and inner nodes.",
        {"composition": 22, "nodes/s": 22, "plain, nodes/s": 22, "plain/this": 14},
    )
    for H in (30,) if settings.quick else (30, 100, 200):
        contenders = {
            name: Contender(f"trees:{work}", {"H": H})
            for name, work in (("this", "Ours"), ("lstm", "TreeLstm"), ("plain", "Plain"))
        }
        seconds = race(contenders, settings.repeats, settings.seconds)
        rate = {name: [1 / s for s in per_node] for name, per_node in seconds.items()}
        for name, label in (("this", f"recursive, H = {H}"), ("lstm", f"tree_lstm, H = {H}")):
            plain = [spread(rate["plain"]), ratio(seconds["plain"], seconds["this"])] if name == "this" else ["", ""]
            table.row(label, spread(rate[name]), *plain)


def random_trees(number: int, words: int) -> list[str]:
    """Random binary trees with a label at every node."""
    rng, trees = np.random.default_rng(1), []
    for _ in range(number):
        parts = [f"({rng.integers(LABELS)} w{rng.integers(1000)})" for _ in range(words)]
        while len(parts) > 1:
            i = int(rng.integers(len(parts) - 1))
            parts[i : i + 2] = [f"({rng.integers(LABELS)} {parts[i]} {parts[i + 1]})"]
        trees.append(parts[0])
    return trees


class Ours(Work):
    """A step of SGD after each batch of 64 trees."""

    kind = "recursive"

    def __init__(self, H: int):
        from rnnlm.config import build
        from rnnlm.nn.models import Model
        from rnnlm.nn.network import Network
        from rnnlm.tasks.trees import Encoded
        from rnnlm.text.trees import parse
        from rnnlm.text.vocab import SPECIALS, Labels, Vocabularies, Vocabulary

        words = [*SPECIALS, *(f"w{i}" for i in range(1000))]
        labels = Labels([str(i) for i in range(LABELS)], [1] * LABELS)
        self.vocab = Vocabularies(Vocabulary(words, [1] * len(words)), labels)
        self.parsed = [parse(line) for line in random_trees(640, 20)]
        self.trees = [Encoded.of(tree, self.vocab) for tree in self.parsed]
        model = build(Model, {"kind": "tree", "embedding": H, "compose": {"kind": self.kind, "size": H}})
        self.network = Network(model, self.vocab, np.float32, np.random.default_rng(1))

    def __call__(self):
        from rnnlm.tasks.trees import forest

        nodes = 0
        for first in range(0, 640, 64):
            batch = forest(self.trees[first : first + 64])
            self.network.loss_and_grad(batch, ())
            self.network.params.flat -= 0.01 * self.network.grads.flat
            nodes += len(batch.words) + len(batch.trees.left)
        return nodes


class TreeLstm(Ours):
    """Trees under the tree LSTM."""

    kind = "tree_lstm"


class Plain(Ours):
    """The recursive network, one node at a time, with a step of SGD after each batch of 64 trees."""

    def __call__(self):
        p, nodes = self.network.params, 0
        E, V, c = p["E"], p["head"]["V"], p["head"]["c"]
        W_l, W_r, b = (p["compose"][name] for name in ("W_l", "W_r", "b"))
        for first in range(0, 640, 64):
            dE, dV, dc, dW_l, dW_r, db = (np.zeros_like(array) for array in (E, V, c, W_l, W_r, b))
            for tree in self.parsed[first : first + 64]:
                ids, L = self.vocab.inputs.read(tree.words), len(tree.words)
                h = [E[i] for i in ids]
                for left, right in zip(tree.left, tree.right):
                    h.append(np.tanh(b + h[left] @ W_l + h[right] @ W_r))
                dh = [np.zeros_like(b) for _ in h]
                for node, label in tree.labels:
                    o = c + V @ h[node]
                    e = np.exp(o - o.max())
                    do = e / e.sum()
                    do[int(label)] -= 1
                    dV += np.outer(do, h[node])
                    dc += do
                    dh[node] += V.T @ do
                for i in reversed(range(len(tree.left))):
                    left, right = tree.left[i], tree.right[i]
                    da = dh[L + i] * (1 - h[L + i] ** 2)
                    dW_l += np.outer(h[left], da)
                    dW_r += np.outer(h[right], da)
                    db += da
                    dh[left] += W_l @ da
                    dh[right] += W_r @ da
                for i, id in enumerate(ids):
                    dE[id] += dh[i]
                nodes += len(h)
            for array, gradient in ((E, dE), (V, dV), (c, dc), (W_l, dW_l), (W_r, dW_r), (b, db)):
                array -= 0.01 / 64 * gradient
        return nodes
