"""data.reading: trees. A bracketed tree in a line, with a label at each node that has one; every label is predicted.

Dimension letters: L leaves, M inner nodes and n labels of a batch of B trees.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from rnnlm.errors import DataError, UsageError
from rnnlm.files import keep
from rnnlm.lm.network import likeliest
from rnnlm.nn.compose.base import Structure
from rnnlm.nn.network import Network
from rnnlm.tasks.base import Answer, chosen, head, questions, verdict
from rnnlm.tasks.labelled import Labelled, class_figures, class_report, target_label
from rnnlm.tasks.unrolled import Prediction, Side, Unrolled, chains, run
from rnnlm.text import trees as bracketed
from rnnlm.text import white
from rnnlm.text.corpus import digest_of
from rnnlm.text.lines import TextPath, lines, text_name
from rnnlm.text.names import joined
from rnnlm.text.trees import BinaryTree, parse
from rnnlm.text.unknown import Markers, UnknownWords
from rnnlm.text.vocab import OOV, Counts, Labels, Vocabularies, readable
from rnnlm.text.windows import Predictions, Rows


@dataclass(frozen=True, eq=False)
class TreeBatch(Predictions):
    """B trees as one forest: leaves first, then inner nodes by rising height."""

    words: np.ndarray  # (L,) int32
    trees: Structure
    labelled: np.ndarray  # (n,) the nodes that are predicted
    targets: np.ndarray  # (n,) int32, their labels
    roots: np.ndarray  # (B,) the root of each tree
    ends: np.ndarray  # (2, B) the ends of each tree's words and labels in `words` and `targets`
    part: Callable[[slice], TreeBatch]  # the batch of some of these trees

    @property
    def shape(self) -> tuple[int, int, int]:
        """L, M, n."""
        return len(self.words), len(self.trees.left), len(self.targets)

    @property
    def sequences(self) -> int:
        """B."""
        return len(self.roots)

    def share(self, part: slice) -> TreeBatch:
        """Batch of some neighbouring trees alone."""
        return self.part(part)

    def rows(self, part: slice) -> Rows:
        """Rows of masks that belong to some neighbouring trees: each word and each label has one."""
        words, labels = (
            (int(ends[-1]), slice(*np.r_[0, ends][[part.start, part.stop]].tolist())) for ends in self.ends
        )
        return {"inputs": words, "targets": labels}


class Encoded(NamedTuple):
    """A tree in numbers, arrays of int32. Nodes are numbered as in `rnnlm.text.trees.BinaryTree`."""

    leaves: np.ndarray  # (L,) ids of words, -1 for those outside the vocabulary
    left: np.ndarray  # (M,) of the inner nodes
    right: np.ndarray
    heights: np.ndarray
    nodes: np.ndarray  # (n,) that have a label
    labels: np.ndarray  # (n,) their labels

    @classmethod
    def of(cls, tree: BinaryTree, vocab: Vocabularies) -> Encoded:
        """A tree whose labels are in the vocabulary."""
        nodes, labels = [node for node, _ in tree.labels], [vocab.outputs.index[label] for _, label in tree.labels]
        fields = (vocab.inputs.ids(tree.words), tree.left, tree.right, tree.heights, nodes, labels)
        return cls(*(np.array(field, np.int32) for field in fields))


@dataclass(frozen=True, eq=False)
class Trees:
    """The encoded trees of a text."""

    name: str
    sha256: str
    blank: int  # empty lines that were skipped
    trees: list[Encoded]
    starts, markers = None, Markers()  # no documents, and no markers of sentences

    @property
    def sentences(self) -> int:
        """Trees."""
        return len(self.trees)

    @property
    def words(self) -> int:
        """Leaves."""
        return sum(len(tree.leaves) for tree in self.trees)

    @property
    def oovs(self) -> int:
        """Leaves outside the vocabulary."""
        return sum(int((tree.leaves == OOV).sum()) for tree in self.trees)

    def cut(self, n: int) -> tuple[Trees, Trees]:
        """The first n trees, and the others."""
        return replace(self, trees=self.trees[:n]), replace(self, trees=self.trees[n:], blank=0)


def forest(trees: Sequence[Encoded]) -> TreeBatch:
    """Trees as one batch, their inner nodes sorted by height."""
    columns = list(zip(*trees))
    words, left, right, heights, nodes, labels = map(np.concatenate, columns)
    l, m, n = (np.array(list(map(len, columns[i]))) for i in (0, 1, 4))
    first_leaf, first_inner, L = np.cumsum(l) - l, np.cumsum(m) - m, len(words)
    order = np.argsort(heights, kind="stable")
    rank = np.empty(len(order) + 1, np.int64)  # one more, so that there is something to look up where M = 0
    rank[order] = np.arange(len(order))

    def places(numbers, tree):
        """The places in the forest of nodes that are numbered within their tree."""
        inner = np.where(numbers < l[tree], len(order), numbers - l[tree] + first_inner[tree])
        return np.where(numbers < l[tree], numbers + first_leaf[tree], L + rank[inner])

    all_trees = np.arange(len(trees))
    owner, ends = np.repeat(all_trees, m), np.cumsum(np.bincount(heights, minlength=1))
    structure = Structure(
        places(left, owner)[order], places(right, owner)[order], [slice(int(a), int(b)) for a, b in pairwise(ends)]
    )
    labelled = places(nodes, np.repeat(all_trees, n))
    return TreeBatch(
        readable(words), structure, labelled, labels, places(l + m - 1, all_trees), np.cumsum([l, n], axis=1),
        part=lambda part: forest(trees[part]),
    )  # fmt: skip


class Forests:
    """Batches of B trees: in random order in training, so that trees of all sizes meet; nothing is padded."""

    def __init__(self, corpus: Trees, batch: int):
        self.corpus, self.batch = corpus, min(batch, corpus.sentences)
        self.note = "" if self.batch == batch else f"{corpus.name}: only {corpus.sentences} trees: batch {self.batch}"

    def __len__(self) -> int:
        return -(-self.corpus.sentences // self.batch)

    def batches(self, start: int = 0, rng: np.random.Generator | None = None) -> Iterator[TreeBatch]:
        """The batches from number `start` on; with `rng` in an order that is drawn at once, before the first."""
        S = self.corpus.sentences
        order = np.arange(S) if rng is None else rng.permutation(S)
        for i in range(start * self.batch, S, self.batch):
            yield forest([self.corpus.trees[j] for j in order[i : i + self.batch]])


class TreeLabels(Labelled, reading="trees"):
    """Trees with labels at their nodes, each of which is predicted from what is below it."""

    doc = "bracketed trees, (label word) or (label tree tree)"
    unit, next = "label", ("predict {} TREE",)

    def check(self, data):
        super().check(data)
        if data.level != "word":
            raise ValueError(f"level: the leaves of a tree are words, found {data.level}")

    def vocabulary(self, data, share):
        trees = list(chain.from_iterable(read(path, data.lower)[0] for path in data.train))
        if share is not None:
            trees = trees[: head(joined(data.train), len(trees), share)]
        labels = Labels.count(label for tree in trees for _, label in tree.labels)
        if not len(labels):
            raise DataError(f"{data.train[0]}: no tree has a label", "a tree looks like (3 (2 It) (2 works))")
        counts = Counts(Counter(word for tree in trees for word in tree.words), len(trees), 0, "word", data.lower)
        return Vocabularies(chosen(counts, data), labels)

    def encode(self, paths, words, data, model):
        for path in paths:
            keep(path)
        trees, blank = [], 0
        for path in paths:
            found, skipped = read(path, words.inputs.lower, known=words.outputs)
            trees += found
            blank += skipped
        return Trees(joined(paths), digest_of(paths), blank, [Encoded.of(tree, words) for tree in trees])

    def batcher(self, corpus, batch, window, jitter=0):
        return Forests(corpus, batch)

    def predictions(self, corpus):
        return sum(len(tree.labels) for tree in corpus.trees)

    def evaluate(self, network, corpus, batch):
        """Accuracy at the roots, and at all nodes; perplexity of a label, figures of each class, confusion matrix."""
        K, nats, at_root, roots = len(network.vocab), 0.0, 0, 0
        table = np.zeros((K, K), np.int64)
        for one in self.batcher(corpus, batch, 0).batches():
            log_p = network.target_log_probs(one)
            guesses = log_p.argmax(axis=1)
            np.add.at(table, (one.targets, guesses), 1)
            nats -= float(log_p[np.arange(len(log_p)), one.targets].sum(dtype=float))
            is_root = np.isin(one.labelled, one.roots)
            at_root += int((guesses == one.targets)[is_root].sum())
            roots += int(is_root.sum())
        return {
            "root_accuracy": at_root / roots if roots else None, "roots": roots, "roots_right": at_root,
            **class_figures(table, nats, network.vocab.outputs.words, counted="nodes"),
        }  # fmt: skip

    def report(self, figures):
        roots = f"accuracy at the root {figures['root_accuracy']:.2%} ({figures['roots_right']} of {figures['roots']})"
        return [roots if figures["roots"] else "no root has a label", *class_report(figures, "nodes")]

    def predict(self, network, text, k, beam):
        """Each tree with the likeliest label at every node."""
        if beam is not None or k is not None:
            raise UsageError("-k, --beam: every node of a tree gets its likeliest label", "leave them out")
        for number, line in enumerate(questions(text), 1):
            if not white.strip(line):
                continue
            tree = parse(line, "text", number)
            log_p = every_node(network, tree)[0][tree.nodes]  # of every bracket, in the order in which they open
            names = [network.vocab.outputs.words[i] for i in log_p.argmax(axis=1)]
            written = bracketed.labelled(line, names)
            facts = {"text": line, "tree": written, "label": names[0], "p": float(np.exp(log_p[0].max()))}
            yield Answer(facts, [written])

    def unroll(self, network, example, k):
        """A tree: L = -log p of its labels. A column for each node, the root first, each left child right behind."""
        tree, labels = parse(example, "text"), network.vocab.outputs
        unknown = UnknownWords(network.vocab.inputs)
        tree.words = unknown.count([word.lower() for word in tree.words] if unknown.vocab.lower else tree.words)
        for _, label in tree.labels:
            target_label(label, labels)
        log_p, places = every_node(network, tree)
        costs, (seen,) = run(network, forest([Encoded.of(tree, network.vocab)]))
        order, parents = preorder(tree)
        given, bits, brackets = [list[str]() for _ in order], np.zeros(len(order)), set(tree.nodes)
        for (node, label), one in zip(tree.labels, costs):
            given[node].append(label)
            bits[node] += one

        def said_of(node):
            likely = likeliest(log_p[node], labels.words, k)
            return Prediction(likely, " ".join(given[node]), float(bits[node])) if given[node] else Prediction(likely)

        said = [said_of(node) if node in brackets else None for node in order]
        (batch,) = chains([seen])  # in the order of the batch
        h, norms, errors = (array[places[order]] for array in (batch.h, batch.norms, batch.errors))
        words = [tree.words[node] if node < len(tree.words) else "" for node in order]
        known = [not word or word in unknown.vocab.index for word in words]
        side = Side("", words, known, [replace(batch, h=h, norms=norms, errors=errors)], said, parents=parents)
        return Unrolled(example, "-log p of its labels", float(costs.sum()), [side], unknown.note)

    def read_through(self, network, path):
        raise UsageError("the nodes of a tree have no order in time", "show sentence draws a tree")

    def sample(self, network, corpus, i, rng):
        batch = forest([corpus.trees[i]])
        log_p = network.target_log_probs(batch)
        guesses, names = log_p.argmax(axis=1), network.vocab.outputs.words
        right, n = int((guesses == batch.targets).sum()), len(batch.targets)
        words = " ".join(network.vocab.inputs.words[word] for word in batch.words)
        at_root = np.flatnonzero(batch.labelled == batch.roots[0])
        root = ""
        if len(at_root):
            guess, true = names[guesses[at_root[0]]], names[batch.targets[at_root[0]]]
            root = f"{guess} {np.exp(log_p[at_root[0]].max()):.2f} {verdict(guess, true)}   "
        return f"{root}{right} of {n} nodes right   {words}"

    def synthetic_batch(self, network, T, B, rng):
        """B trees of T, T - 1, ... leaves and of random shapes, a label at every node."""
        trees = []
        for i in range(B):
            parts = [f"({rng.choice(network.vocab.outputs.words)} {word})"
                     for word in rng.choice(network.vocab.inputs.words[3:], max(T - i, 1))]  # fmt: skip
            while len(parts) > 1:
                j = int(rng.integers(len(parts) - 1))
                parts[j : j + 2] = [f"({rng.choice(network.vocab.outputs.words)} {parts[j]} {parts[j + 1]})"]
            trees.append(Encoded.of(parse(parts[0]), network.vocab))
        return forest(trees)


def read(path: TextPath, lower: bool, known: Labels | None = None) -> tuple[list[BinaryTree], int]:
    """The trees of a text, and the number of its empty lines.

    Raises DataError for a line that is no tree, for a text without trees and, where `known` are the labels of the
    training text, for a label that is not among them.
    """
    name, trees, blank = text_name(path), [], 0
    for number, line in enumerate(lines(path), 1):
        if not white.strip(line):
            blank += 1
            continue
        tree = parse(line, name, number)
        if lower:
            tree.words = [word.lower() for word in tree.words]
        for _, label in tree.labels:
            if known:
                target_label(label, known, f"{name}:{number}: ")
        trees.append(tree)
    if not trees:
        raise DataError(f"{name}: no trees ({blank} empty lines)", "a tree is a line like (3 (2 It) (2 works))")
    return trees, blank


def every_node(network: Network, tree: BinaryTree) -> tuple[np.ndarray, np.ndarray]:
    """Log-probability of every label at each node of a tree, (L + M, labels), and their places in a batch of it."""
    labels = [(node, network.vocab.outputs.words[0]) for node in range(tree.root + 1)]  # any: only the nodes count
    batch = forest([Encoded.of(replace(tree, labels=labels), network.vocab)])
    return network.target_log_probs(batch), batch.labelled


def preorder(tree: BinaryTree) -> tuple[list[int], list[int | None]]:
    """The nodes of a tree, each before those below it and left before right; and for each where its parent is."""
    order, parents, waiting = list[int](), list[int | None](), list[tuple[int, int | None]]([(tree.root, None)])
    L = len(tree.words)
    while waiting:
        node, parent = waiting.pop()
        order.append(node)
        parents.append(parent)
        if node >= L:
            waiting += [(child, len(order) - 1) for child in (tree.right[node - L], tree.left[node - L])]
    return order, parents
