"""Sentences and texts with their figures, in the lines that SRILM's scripts read."""

from __future__ import annotations

import math

import click

from rnnlm.cli.tables import visible


class Listing:
    """Sentences one by one, as `ngram -debug 1` and 2 of SRILM show them."""

    def __init__(self, scorer, verbosity, oov_types):
        self.scorer, self.verbosity, self.oov_types = scorer, verbosity, oov_types
        self.first = True

    def show(self, sentence):
        """Print the next sentence."""
        click.echo(self.scorer.vocab.join(sentence.words))
        if self.verbosity > 1:
            for line in self.words(sentence):
                click.echo(line)
        figures = sentence.figures.spread(self.oov_types) if self.oov_types else sentence.figures
        click.echo(listing(figures) + "\n")
        self.first = False

    def words(self, sentence):
        """A line for each word, with its probability; `...` after a context before which more was read."""
        import numpy as np

        from rnnlm.text.vocab import UNK

        scorer, vocab = self.scorer, self.scorer.vocab
        context, more = vocab.words[scorer.start], scorer.carried and not self.first
        unks = [*(vocab.index.get(word, UNK) == UNK for word in sentence.words), False]
        log_ps = sentence.log_p - np.array(unks) * math.log(self.oov_types or 1)
        for word, log_p, known in zip([*sentence.words, "</s>"], log_ps, sentence.known):
            p, log10 = (math.exp(log_p), log_p / math.log(10)) if known else (0, -math.inf)
            kind = scorer.kind if known else "OOV"
            event = f"{visible(word)} | {visible(context)} {'...' if more else ''}"
            yield f"\tp( {event}) \t= [{kind}] {p:.6g} [ {log10:.6g} ]"
            context, more = word, True


def listing(figures):
    """The two lines of SRILM's listings."""
    e = figures
    ppl, ppl1 = ("undefined" if math.isnan(x) else f"{x:.6g}" for x in (e.ppl, e.ppl1))
    return (
        f"{e.sentences} sentences, {e.words} words, {e.oovs} OOVs\n"
        f"{e.zeroprobs} zeroprobs, logprob= {e.logprob:.9g} ppl= {ppl} ppl1= {ppl1}"
    )
