"""`rnnlm vocab`: build a vocabulary from text."""

from __future__ import annotations

import click

from rnnlm.cli.output import new_file, output_option, reading, send, tell
from rnnlm.errors import DataError
from rnnlm.text.lines import lines, text_name
from rnnlm.text.names import joined


@click.command(name="vocab")
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True)
@output_option("Vocabulary file to write.")
@click.option("--level", type=click.Choice(["word", "char"]), default="word", help="What a token is.")
@click.option("--max-size", type=click.IntRange(min=4), help="Most entries, the three special tokens included.")
@click.option("--min-count", type=click.IntRange(min=1), default=1, help="Leave out tokens that occur less often.")
@click.option("--lower", is_flag=True, help="Lowercase the text.")
@click.option("--keep", metavar="FILE", help="Text whose tokens are always in the vocabulary, such as a list of words.")
@click.option("--blank-lines", is_flag=True, help="At level char: count empty lines as sentences.")
@click.option("--check", metavar="FILE", multiple=True, help="Text to report the OOV rate of. May be repeated.")
@click.option("--force", is_flag=True, help="Overwrite an existing vocabulary file.")
def command(texts, output, level, max_size, min_count, lower, keep, blank_lines, check, force):
    """Build a vocabulary from TEXT: one sentence a line, `-` for standard input, gzipped or not.

    The file has lines of `word<TAB>count`: the special tokens <s>, </s> and <unk>, then the most frequent first, equal
    counts in code point order. Sizes and the rate of words out of the vocabulary (OOVs) are reported on standard error.
    """
    from rnnlm.text import white
    from rnnlm.text.vocab import build

    output = new_file(output, force)
    counts = _count(texts, level, lower, blank_lines)
    if set(counts.tokens.values()) == {1} and counts.total == counts.sentences > 1:
        tell(
            f"warning: {joined(texts)}: a list of words, each of which counts 1: "
            "give the list itself as data.vocab, and counts come from the training text"
        )
    kept = _count([keep], level, lower, blank_lines).tokens if keep else ()
    vocab = build(counts, max_size, min_count, kept)
    if level == "word":
        tell(*white.note(vocab.words))
    name = send(output, lambda file: file.write(vocab.to_bytes()))
    tell(f"{joined(texts)}: {_describe(counts)}")
    tell(f"{name}: {len(vocab)} entries, sha {vocab.fingerprint[:12]}; {_coverage(counts, vocab)}")
    for path in check:
        counts = _count([path], level, lower, blank_lines)
        tell(f"{text_name(path)}: {_describe(counts)}; {_coverage(counts, vocab)}")


def _count(paths, level, lower, blank_lines):
    """The counts of texts. Raises DataError without sentences."""
    from rnnlm.text.unknown import Markers
    from rnnlm.text.vocab import count

    markers = Markers(level, lower)
    with reading(paths) as seen:
        text = (line for path in paths for line in markers.watch(lines(path, seen), text_name(path)))
        counts = count(text, level, lower, blank_lines)
    tell(*markers.notes)
    if not counts.sentences:
        raise DataError(f"{joined(paths)}: no sentences", "a sentence is a line with at least one word")
    return counts


def _describe(counts):
    skipped = f", {counts.blank} empty lines skipped" if counts.blank else ""
    units = "words" if counts.level == "word" else "characters"
    return f"{counts.sentences} sentences, {counts.total} {units}, {len(counts.tokens)} types{skipped}"


def _coverage(counts, vocab):
    oovs, total = counts.oovs(vocab), max(counts.total, 1)
    return f"coverage {1 - oovs / total:.2%}, {oovs} OOVs ({oovs / total:.2%})"
