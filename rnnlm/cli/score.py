"""`rnnlm score`: one log-probability per line, or per word."""

from __future__ import annotations

import itertools
import math

import click

from rnnlm.cli.launcher import among_ranks, refuse_stdin
from rnnlm.cli.options import independent_option, load, mix_options, model_argument, oov_options, oov_rule
from rnnlm.cli.output import show, tell
from rnnlm.text.lines import blocks, lines, text_name


@click.command()
@model_argument
@click.argument("text", default="-", metavar="[TEXT|-]")
@mix_options
@click.option("--words", is_flag=True, help="A number per word and for `</s>`, on one line, in place of their sum.")
@click.option("--base", type=click.Choice(["10", "e", "2"]), default="10", help="Base of the logarithms.")
@oov_options
@independent_option(default=True)
@among_ranks
def command(model, text, mix, mix_weights, words, base, oov, oov_penalty, carried, processes):
    """Log-probability of each line of TEXT under MODEL, `</s>` included.

    MODEL is a run directory, a model file or an ARPA file; TEXT is a file, or `-` for standard input. Prints exactly
    one line per line of input, as soon as it is known if lines are independent; an empty line has the log-probability
    of `</s>` alone. If no line is empty, the sum over lines is with --oov exclude the logprob of `rnnlm eval --json`,
    and with --oov unk its logprob_unk. How many words are out of the vocabulary is said on standard error.
    """
    from rnnlm.text.unknown import UnknownWords

    rule = oov_rule(oov, oov_penalty)
    scorer = load([model, *mix], mix_weights, carried)
    scale = {"10": math.log(10), "e": 1, "2": math.log(2)}[base]
    unknown = UnknownWords(scorer.vocab, text_name(text))
    # Independent lines: those there are so far, so that a program that waits for an answer gets it.
    refuse_stdin(processes, [text])
    shared = processes.size > 1

    def cut(some):  # of all lines, also those that other processes score: rank 0 counts their unknown words
        return [*map(unknown.split, some)] if shared and not carried else map(unknown.split, some)

    tokens = map(cut, [lines(text)] if carried else blocks(text))
    show(processes.shared_out(tokens, lambda sentences: scores(scorer, sentences, scale, rule, words)))
    tell(unknown.note)


def scores(scorer, sentences, scale, rule, words):
    """A line of numbers for each sentence."""
    own, ahead = itertools.tee(sentences)
    for tokens, log_p in zip(own, scorer.log_probs(ahead)):
        counted = [x / scale for x in rule.counted(tokens, log_p, scorer.vocab)]
        yield " ".join(f"{x:.8f}" for x in counted) if words else f"{sum(x for x in counted if not math.isnan(x)):.8f}"
