"""Bracketed trees: one in a line, as the Stanford Sentiment Treebank writes them.

    (3 (2 It) (4 (2 works) (2 well)))

An opening bracket begins a node; a label may follow it; then come the node's children, each a node or a bare word. A
label is what stands right behind the bracket, unless that is another bracket: then the node has none. `\\(` and `\\)`
are words. A node of one child is that child, with the labels of both; a node of more than two is made binary from the
left, ((a b) c), and the inner nodes that this needs have no label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from rnnlm.errors import DataError
from rnnlm.files import shortened

TOKEN = re.compile(r"[()]|(?:\\[()]|[^\s()])+", re.ASCII)


@dataclass
class BinaryTree:
    """A binary tree of L leaves and M inner nodes. Nodes 0 ... L-1 are the leaves, the inner ones follow, root last.

    words    the L words, from left to right
    left     the left child of each inner node, children before parents
    right    the right child
    heights  of the inner nodes: 1 + the larger height of the children, leaves having 0
    labels   (node, label) for each bracket that has one, in the order in which brackets open
    nodes    the node of each bracket, in that order
    """

    words: list[str]
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)
    labels: list[tuple[int, str]] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)

    @property
    def root(self) -> int:
        """The node that all others hang from."""
        return len(self.words) + len(self.left) - 1


@dataclass
class _Bracket:
    """A bracket of a line: its column, its label, its children's nodes and, once it is closed, its own."""

    column: int
    label: str | None = None
    children: list[int] = field(default_factory=list)
    node: int = -1


def parse(line: str, name: str = "tree", number: int = 1) -> BinaryTree:
    """The tree of a line. Neither its depth nor its width is limited: no function calls itself.

    Raises DataError, naming the text, the line and the column (from 1), for brackets that do not match, a node without
    children, text outside the brackets and a line that is no tree.
    """

    def broken(column: int, what: str) -> DataError:
        return DataError(f"{name}:{number}:{column}: {what}", "a tree looks like (3 (2 It) (4 (2 works) (2 well)))")

    matches = list(TOKEN.finditer(line))
    after_bracket = [False, *(match[0] == "(" for match in matches)]
    bare = [match[0] for match, label in zip(matches, after_bracket) if match[0] not in ("(", ")") and not label]
    tree, leaves, L = BinaryTree(list(map(unescaped, bare))), iter(range(len(bare))), len(bare)
    brackets, open_brackets = list[_Bracket](), list[_Bracket]()  # in the order in which they open
    for match, label in zip(matches, after_bracket):
        token, column = match[0], match.start() + 1
        if brackets and not open_brackets:
            raise broken(column, f"{shortened(token)} behind the end of the tree")
        if token == "(":
            brackets.append(_Bracket(column))
            open_brackets.append(brackets[-1])
        elif not open_brackets:
            raise broken(column, f"{shortened(token)} before any opening bracket")
        elif token == ")":
            bracket = open_brackets.pop()
            if not bracket.children:
                what = "nothing" if bracket.label is None else f"only the label {shortened(bracket.label)}"
                raise broken(bracket.column, f"a node with {what} in it, expected a word or a node")
            bracket.node, *rest = bracket.children
            for child in rest:
                tree.heights.append(1 + max(tree.heights[i - L] if i >= L else 0 for i in (bracket.node, child)))
                tree.left.append(bracket.node)
                tree.right.append(child)
                bracket.node = tree.root
            if open_brackets:
                open_brackets[-1].children.append(bracket.node)
        elif label:
            open_brackets[-1].label = unescaped(token)
        else:
            open_brackets[-1].children.append(next(leaves))
    if open_brackets:
        raise broken(open_brackets[-1].column, "the bracket that opens here is never closed")
    if not brackets:
        raise broken(1, "no tree in this line")
    tree.nodes = [bracket.node for bracket in brackets]
    tree.labels = [(bracket.node, bracket.label) for bracket in brackets if bracket.label is not None]
    return tree


def labelled(line: str, labels: Iterable[str]) -> str:
    """A line with other labels: one for each bracket, in the order in which they open."""
    written, after_bracket, new = [], False, iter(labels)
    for match in TOKEN.finditer(line):
        token = match[0]
        if token == "(":
            written.append(f" ({escaped(next(new))}")
        elif token == ")":
            written.append(")")
        elif not after_bracket:
            written.append(f" {token}")
        after_bracket = token == "("
    return "".join(written).lstrip()


def unescaped(token: str) -> str:
    """The word or label of a token: `\\(` is a bracket that is a word."""
    return token.replace("\\(", "(").replace("\\)", ")")


def escaped(word: str) -> str:
    """A word or label as it is written in a tree."""
    return word.replace("(", "\\(").replace(")", "\\)")
