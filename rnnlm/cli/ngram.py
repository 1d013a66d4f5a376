"""`rnnlm ngram`: estimate an n-gram model from text."""

from __future__ import annotations

import sys
import time

import click

from rnnlm.cli.options import PATH
from rnnlm.cli.output import new_file, output_option, tell
from rnnlm.errors import UsageError


@click.command()
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True)
@output_option("ARPA file to write, gzipped if its name ends in .gz; `-` for standard output.")
@click.option("--order", type=click.IntRange(min=1, max=20), default=5, help="Length of the longest n-grams.")
@click.option(
    "--vocab",
    metavar="FILE|MODEL",
    type=PATH,
    help="Use the words of a vocabulary file, run directory, model file or ARPA file, and read others as <unk>.  "
    "[default: every word of TEXT]",
)
@click.option(
    "--prune",
    metavar="N,N...",
    default="0",
    help="Drop n-grams of order 1, 2, ... that occur at most so many times; the last number holds for longer ones.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(texts, output, order, vocab, prune, force):
    """Estimate an n-gram model from TEXT: interpolated modified Kneser-Ney (Chen & Goodman 1998), as an ARPA file.

    TEXT has a sentence a line, gzipped or not; `-` is standard input; several texts are read as one. SRILM, KenLM and
    every command here that only scores (eval, score, ...) read the file. To mix it with a network, give it the
    network's vocabulary with --vocab. A literal <unk> in TEXT is the word <unk>.
    """
    from rnnlm.lm import arpa
    from rnnlm.lm.kneser_ney import estimate, read
    from rnnlm.text.names import joined
    from rnnlm.text.vocab import EOS

    output = new_file(output, force)
    try:
        thresholds = [int(n) for n in prune.split(",")]
    except ValueError:
        raise UsageError(f"--prune {prune}: expected whole numbers with commas between", "such as 0,0,1") from None
    words = None if vocab is None else vocabulary(vocab)
    if words and words.level == "char":
        raise UsageError(
            f"{vocab}: a vocabulary of characters", "an ARPA file has words between blanks: give one of words"
        )
    started = time.perf_counter()
    notes: list[str] = []
    ids, words = read(texts, words, notes)
    model = estimate(ids, words, order, thresholds)
    if output == "-":
        arpa.write(model, sys.stdout.buffer)
        sys.stdout.buffer.flush()  # fails before it is said to be written
    else:
        arpa.save(model, output)
    tell(*notes)
    sentences = int((ids == EOS).sum())
    tell(f"{joined(texts)}: {sentences} sentences, {len(ids) - sentences} words")
    for n, (listed, (discounts, own)) in enumerate(zip(model.orders, model.discounts), 1):
        note = "" if own else "  (the text is too small or too even to have its own)"
        shown = " ".join(f"{d:.3f}" for d in discounts)
        tell(f"  {len(listed.keys)} {n}-grams, discounts {shown}{note}")
    name = "<stdout>" if output == "-" else output
    tell(f"{name}: written after {time.perf_counter() - started:.1f} s")


def vocabulary(path):
    """Vocabulary from a vocabulary file, run directory, model file or ARPA file."""
    from rnnlm.lm import arpa
    from rnnlm.loading import model_file
    from rnnlm.text.vocab import Vocabulary
    from rnnlm.training import checkpoint

    if arpa.is_arpa(path):
        return arpa.load(path).vocab
    file = model_file(path)
    arpa.refuse(file)
    if file.suffix == ".npz":
        return Vocabulary.from_bytes(checkpoint.load(file).vocab, f"{file}: vocabulary")
    return Vocabulary.load(file)
