"""`rnnlm export`: word vectors, weights and hidden vectors of a model, as files for other programs."""

from __future__ import annotations

import click

from rnnlm.cli.options import independent_option, model_argument
from rnnlm.cli.output import new_file, output_option, send, tell
from rnnlm.errors import UsageError

WEIGHTS = ("npz", "safetensors")
FORMATS = ("word2vec", "word2vec-binary", "text", *WEIGHTS)


@click.command()
@model_argument
@output_option("File to write; `-` for standard output.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="See above.  [default: word2vec]")
@click.option(
    "--matrix", metavar="NAME", help="Matrix whose rows are the word vectors, such as head.V.  [default: the embedding]"
)
@click.option("--hidden", metavar="TEXT|-", help="Write the hidden vectors of a text instead, as .npy.")
@click.option(
    "--per",
    type=click.Choice(["word", "sentence"]),
    default="word",
    help="With --hidden: a row per word, or the one after the last word of each line.",
)
@independent_option(
    default=True, help="With --hidden: each line from the initial state, or the state carried on from line to line."
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(model, output, kind, matrix, hidden, per, carried, force):
    """Write word vectors, weights or hidden vectors of MODEL (a run directory or a model file) for other programs.

    \b
    word2vec         word vectors as text; the first line has their number and size
    word2vec-binary  word vectors in word2vec's binary format
    text             word vectors as text without that first line, as in GloVe's files
    npz              all weights by name, for numpy.load
    safetensors      all weights by name, for the library of that name

    docs/vectors.md: what each file holds, and how to train with word vectors from elsewhere.
    """
    if hidden is not None and (kind or matrix):
        raise UsageError("--hidden: hidden vectors are always written as .npy", "leave out --format and --matrix")
    if matrix and kind in WEIGHTS:
        raise UsageError(f"--matrix: a file of format {kind} has all weights", "leave it out, or choose word2vec")
    output = new_file(output, force)
    from rnnlm.loading import EVERY_MODEL, load_model

    if hidden is not None:
        export_hidden_vectors(load_model(model), hidden, per, carried, output)
    elif kind in WEIGHTS:
        export_weights(load_model(model, EVERY_MODEL), kind, output)
    else:
        export_word_vectors(load_model(model, EVERY_MODEL), kind or FORMATS[0], matrix, output)


def export_word_vectors(loaded, kind, matrix, output):
    """Write a file of word vectors."""
    from rnnlm.compat.export import word_vectors
    from rnnlm.text import vectors

    name, vocab, array = word_vectors(loaded, matrix)
    words = vocab.words
    fits = vectors.writable(words)
    left_out = [word for word, fit in zip(words, fits) if not fit]
    if left_out:
        few = ", ".join(map(repr, left_out[:5]))
        tell(f"note: {len(left_out)} words with white space are left out: {few}")
        words, array = [word for word, fit in zip(words, fits) if fit], array[fits]
    if kind == "word2vec-binary":
        file = send(output, lambda file: vectors.write_binary(file, words, array))
    else:
        file = send(output, lambda file: vectors.write(file, words, array, header=kind == "word2vec"))
    tell(f"{file}: {len(words):,} word vectors of {array.shape[1]} numbers ({name})")


def export_weights(loaded, kind, output):
    """Write a file of all weights."""
    from rnnlm.compat.export import write_npz, write_safetensors

    file = send(output, lambda file: (write_npz if kind == "npz" else write_safetensors)(file, loaded))
    named = loaded.network.params.named
    tell(f"{file}: " + ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in named.items()))


def export_hidden_vectors(loaded, text, per, carried, output):
    """Write a file of hidden vectors."""
    from rnnlm.compat.export import hidden_vectors, write_rows
    from rnnlm.text.lines import lines, text_name
    from rnnlm.text.unknown import UnknownWords

    unknown = UnknownWords(loaded.vocab, text_name(text))
    found = hidden_vectors(loaded, map(unknown.split, lines(text)), carried)
    rows = (each[1:] if per == "word" else each[-1:] for each in found)
    shape: list[int] = []
    file = send(output, lambda file: shape.extend(write_rows(file, rows)))
    tell(unknown.note, f"{file}: {shape[0]:,} hidden vectors of {shape[1]} numbers, one per {per}")
