"""Classification: sentences with a label each, `label<TAB>text`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rnnlm.errors import DataError, UsageError
from rnnlm.files import keep, shortened
from rnnlm.lm.network import likeliest
from rnnlm.nn.gradcheck import synthetic_batch
from rnnlm.nn.heads.loss import exp_mean
from rnnlm.nn.network import Network
from rnnlm.tasks.base import (
    DEFAULT_K,
    Answer,
    Examples,
    Task,
    chosen,
    lines_of,
    questions,
    sentence,
    targets_of,
    text_of,
    texts,
    verdict,
)
from rnnlm.tasks.unrolled import Prediction, Side, Unrolled, chains, known, run
from rnnlm.text.corpus import encode
from rnnlm.text.unknown import UnknownWords
from rnnlm.text.vocab import BOS, Labels, Vocabularies
from rnnlm.text.windows import LabelledBatch, shifted

MANY = 20  # labels from which on it is odd that most of them occur once
PREFIXES = 1 << 16  # tokens of the beginnings of a sentence that are read at once


class Labelled(Task, reading="labelled"):
    """Sentences with a label each, which is predicted."""

    doc = "lines of label<TAB>text"
    outputs, unit, outcomes = Labels, "sentence", "labels"

    def vocabulary(self, data, share):
        labels = Labels.count(filter(None, texts(data, share, 0)))
        return Vocabularies(chosen(self.counts(data, share, 1), data), labels)

    def encode(self, paths, words, data, model):
        """Sentences and labels. Raises DataError for a label that the training text lacks, too."""
        for path in paths:
            keep(path)
        text = encode(paths, words.inputs, column=1)
        labels = np.asarray(encode(paths, words.outputs, column=0).ids[::2])  # each a "sentence" of one token
        if unknown := int((labels < 0).sum()):
            line = int(text.table[np.argmin(labels), 2])
            label = next(itertools.islice(lines_of(paths, column=0), line - 1, None))
            raise DataError(
                f"{text.name}:{line}: a label that the training text lacks: {shortened(label)} "
                f"(the first of {unknown} such lines)",
                known_labels(words.outputs),
            )
        return Examples.of(text, labels)

    def notes(self, words):
        """Also a warning of labels that hardly ever come back, as where another column has the labels."""
        labels, notes = words.outputs, super().notes(words)
        once = int((labels.counts == 1).sum())
        if 2 * once <= len(labels) or len(labels) < MANY:
            return notes
        return [
            *notes,
            f"warning: {once:,} of {len(labels):,} labels occur once, such as {shortened(labels.words[0])}: "
            "are the columns in the order label<TAB>text?",
        ]

    def batch(self, corpus, sentences):
        targets, _, lengths = targets_of(corpus, sentences)
        return LabelledBatch(shifted(targets, BOS), lengths, corpus.other[sentences])

    def predictions(self, corpus):
        return corpus.sentences

    def evaluate(self, network, corpus, batch):
        """Accuracy, perplexity of the label, figures of each class, and the confusion matrix."""
        table, nats = confusion(network, self.batcher(corpus, batch, 0).batches())
        return class_figures(table, nats, network.vocab.outputs.words)

    def report(self, figures):
        return class_report(figures)

    def predict(self, network, text, k, beam):
        """The k likeliest labels of each line."""
        if beam is not None:
            raise UsageError("--beam: a classifier writes no sentences", "-k says how many labels are shown")
        words, labels = network.vocab.inputs, network.vocab.outputs.words
        for line in questions(text):
            unknown = UnknownWords(words)
            best = likeliest(log_probs(network, words.read(unknown.split(line))), labels, k or DEFAULT_K)
            yield Answer(
                {"text": line, "labels": [{"label": one.word, "p": one.p} for one in best]}, [[best]], unknown.note
            )

    def unroll(self, network, example, k):
        """A sentence: L = -log p of its label, which stands before a tab, or else is the likeliest.

        In each column there are the probabilities of the labels when no more than that has been read.
        """
        words, labels = network.vocab.inputs, network.vocab.outputs
        unknown = UnknownWords(words)
        before, tab, text = example.partition("\t")
        before, text = (before, text) if tab else ("", before)
        tokens = unknown.split(text)
        ids = words.read(tokens)
        log_p = np.concatenate(list(as_words_come(network, ids)))
        label = target_label(before, labels) if before else int(log_p[-1].argmax())
        bits, seen = run(network, whole(ids, label))
        name = labels.words[label]
        said = [Prediction(likeliest(row, labels.words, k), name, float(-row[label] / math.log(2))) for row in log_p]
        side = Side("", [words.words[BOS], *tokens], [True, *known(tokens, words)], chains(seen), said)
        return Unrolled(example, f"-log p of the label {name}", float(bits.sum()), [side], unknown.note)

    def sample(self, network, corpus, i, rng):
        ids, labels = sentence(corpus, i), network.vocab.outputs.words
        log_p = log_probs(network, ids)
        guess, true = labels[log_p.argmax()], labels[corpus.other[i]]
        text = text_of(network.vocab.inputs, ids)
        return f"{guess} {np.exp(log_p.max()):.2f} {verdict(guess, true)}   {text}"

    def synthetic_batch(self, network, T, B, rng):
        labels = synthetic_batch(len(network.vocab), T, B, rng).targets[0]
        words = rng.integers(0, len(network.vocab.inputs), (T, B), dtype=np.int32)
        return LabelledBatch(words, np.maximum(T - np.arange(B), 1), labels)


def whole(ids: np.ndarray, label: int = 0) -> LabelledBatch:
    """Batch of one sentence, ids (n,), and its label, if it is known."""
    inputs = np.concatenate([[BOS], ids]).astype(np.int32)[:, None]
    return LabelledBatch(inputs, np.array([len(inputs)]), np.array([label], np.int32))


def log_probs(network: Network, ids: np.ndarray) -> np.ndarray:
    """Log-probability of every label for the sentence ids (n,): (K,)."""
    return network.target_log_probs(whole(ids))[0]


def as_words_come(network: Network, ids: np.ndarray) -> Iterator[np.ndarray]:
    """Log-probability of every label after `<s>`, and after each of the ids (n,): blocks of rows, (n + 1, K) in all."""
    inputs = np.concatenate([[BOS], ids]).astype(np.int32)
    for lengths in np.array_split(np.arange(1, len(inputs) + 1), -(-(len(inputs) ** 2) // PREFIXES)):
        beginnings = np.repeat(inputs[: lengths[-1], None], len(lengths), axis=1)
        yield network.target_log_probs(LabelledBatch(beginnings, lengths, np.zeros(len(lengths), np.int32)))


def target_label(label: str, labels: Labels, where: str = "") -> int:
    """Number of a label, found in the place `where`. Raises DataError if the training text lacks it."""
    if label not in labels.index:
        raise DataError(f"{where}the label {shortened(label)}, which the training text lacks", known_labels(labels))
    return labels.index[label]


def known_labels(labels: Labels) -> str:
    """Hint that names the labels, or the first ones of many."""
    return f"known labels: {', '.join(map(repr, labels.words[:10]))}" + (", ..." if len(labels) > 10 else "")


def confusion(network: Network, batches: Iterator[LabelledBatch]) -> tuple[np.ndarray, float]:
    """Confusion matrix of a classifier, true labels in rows and predicted ones in columns, (K, K) int64; and the sum of
    -log p of the true labels."""
    K, nats = len(network.vocab), 0.0
    table = np.zeros((K, K), np.int64)
    for batch in batches:
        log_p = network.target_log_probs(batch)
        np.add.at(table, (batch.targets, log_p.argmax(axis=1)), 1)
        nats -= float(log_p[np.arange(len(log_p)), batch.targets].sum(dtype=float))
    return table, nats


def class_figures(table: np.ndarray, nats: float, names: Sequence[str], counted: str = "sentences") -> dict[str, Any]:
    """Figures of a confusion matrix (K, K), true labels in rows, by name; `counted` names the examples in it."""
    right, true, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    n = int(table.sum())
    classes = []
    for name, r, t, p in zip(names, right.tolist(), true.tolist(), predicted.tolist()):
        precision, recall, f1 = (part / of if of else None for part, of in ((r, p), (r, t), (2 * r, p + t)))
        classes.append({"label": name, "precision": precision, "recall": recall, "f1": f1, counted: t, "predicted": p})
    return {
        "accuracy": int(right.sum()) / n, "right": int(right.sum()), "ppl": exp_mean(nats, n), "nats": nats / n,
        "classes": classes, "confusion": table.tolist(),
    }  # fmt: skip


def class_report(figures: dict[str, Any], counted: str = "sentences") -> list[Any]:
    """Lines and tables for people from the figures of `class_figures`."""
    classes, confusion = figures["classes"], figures["confusion"]
    n = sum(c[counted] for c in classes)
    most = max(classes, key=lambda c: c[counted])
    rows = [
        [c["label"], *("-" if c[key] is None else f"{c[key]:.1%}" for key in ("precision", "recall", "f1")),
         str(c[counted]), str(c["predicted"])] for c in classes
    ]  # fmt: skip
    return [
        f"accuracy {figures['accuracy']:.2%} ({figures['right']} of {n})   ppl of the label {figures['ppl']:.4g}   "
        f"always {most['label']!r}: {most[counted] / n:.2%}",
        "",
        [["label", "precision", "recall", "F1", counted, "predicted"], *rows],
        "",
        "rows: the true label; columns: the predicted one, by number",
        [
            ["", "", *(str(i) for i in range(1, len(classes) + 1))],
            *([c["label"], str(i), *(str(x) if x else "." for x in row)]
              for i, (c, row) in enumerate(zip(classes, confusion), 1)),
        ],
    ]  # fmt: skip
