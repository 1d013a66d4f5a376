"""The flags of Mikolov's RNNLM toolkit: `rnnlm -rnnlm MODEL -test FILE ...` answers as that program does.

    -rnnlm FILE    model file, run directory or ARPA file
    -test FILE     text; `-`: standard input
    -independent   each sentence from the initial state; otherwise the state is carried on
    -nbest         the text is an n-best list of `ID words...`: prints a log-probability (base 10) per line. The state
                   is carried on from the first hypothesis of each ID.
    -oov, -oov-penalty
                   with -nbest, as in `rnnlm score`: what a word out of the vocabulary counts; `-oov fixed`: -5, as
                   in Mikolov's toolkit
    -debug N       0: nothing but the lines of -nbest; 1, the default: also the log-probability and the perplexity of
                   the text, which without -nbest leave words out of the vocabulary out; 2: also, without -nbest, every
                   word

Flags of training have no effect on a test, as in the original; -train, -gen, -dynamic and -lm-prob are refused. An
empty line is a sentence of `</s>` alone, also with -nbest, so that every line has its answer.
"""

from __future__ import annotations

import itertools
import math

import click

from rnnlm.cli.options import oov_rule
from rnnlm.cli.output import tell
from rnnlm.cli.tables import LARGE
from rnnlm.errors import DataError, UsageError
from rnnlm.lm.oov import CHOICES

SWITCHES = {"-nbest", "-independent", "-binary", "-old-classes", "-one-iter"}
VALUES = {
    "-rnnlm", "-test", "-debug", "-lambda", "-class", "-valid", "-alpha", "-beta", "-hidden", "-compression", "-direct",
    "-direct-order", "-bptt", "-bptt-block", "-rand-seed", "-anti-kasparek", "-min-improvement", "-gradient-cutoff",
    "-oov", "-oov-penalty",
}  # fmt: skip
INSTEAD = {
    "-train": "use 'rnnlm train'",
    "-gen": "use 'rnnlm sample'",
    "-dynamic": "use 'rnnlm eval --dynamic'",
    "-lm-prob": "use 'rnnlm eval --mix'",
}


def run(argv):
    """Answer a command line that begins with one of these flags."""
    flags = parse(argv)
    from rnnlm.loading import load_text_model
    from rnnlm.nn.heads.loss import exp_mean
    from rnnlm.text.lines import lines, text_name
    from rnnlm.text.unknown import UnknownWords

    scorer = load_text_model(flags["-rnnlm"], carried="-independent" not in flags).scorer
    debug, path = int(flags["-debug"]), flags["-test"]
    rule, unknown = rule_of(flags), UnknownWords(scorer.vocab, text_name(path))
    if "-nbest" in flags:
        logp, number = nbest(scorer, lines(path), rule, unknown)
    else:
        logp, number = text(scorer, lines(path), debug > 1, unknown)
    tell(*unknown.markers.notes, unknown.warning)
    if not number and "-nbest" not in flags:
        raise DataError(f"{path}: no words that the model knows, and no line", "a sentence a line is expected")
    if debug > 0:
        x = exp_mean(-logp * math.log(10), number)
        ppl = f"{x:.6f}" if not LARGE < x < math.inf else f"{x:.6g}"
        click.echo(f"\ntest log probability: {logp:.6f}\n\nPPL net: {ppl}")


def parse(argv):
    """Flags with their values."""
    flags, words = {"-debug": "1"}, iter(argv)
    for flag in words:
        if flag in INSTEAD:
            raise UsageError(f"{flag}: not among the old flags that are understood", INSTEAD[flag])
        if flag not in SWITCHES | VALUES:
            known = ", ".join(sorted(SWITCHES | VALUES))
            raise UsageError(f"{flag}: unknown old flag (known: {known})", "try 'rnnlm --help' for today's commands")
        value = next(words, None) if flag in VALUES else "yes"
        if value is None:
            raise UsageError(f"{flag}: expected a value behind it", "such as -rnnlm MODEL -test TEXT")
        flags[flag] = value
    for flag, hint in (("-rnnlm", "name a model"), ("-test", "name a text, or '-'")):
        if flag not in flags:
            raise UsageError(f"{flag} is missing", hint)
    if flags["-debug"] not in ("0", "1", "2"):
        raise UsageError(f"-debug {flags['-debug']}: expected 0, 1 or 2", "2 shows every word")
    return flags


def rule_of(flags):
    """Rule for words out of the vocabulary with -nbest. Raises UsageError."""
    oov, penalty = flags.get("-oov", "unk"), flags.get("-oov-penalty")
    if oov not in CHOICES:
        raise UsageError(f"-oov {oov}: expected one of {', '.join(CHOICES)}", "see 'rnnlm score --help'")
    try:
        return oov_rule(oov, None if penalty is None else float(penalty))
    except ValueError:
        raise UsageError(f"-oov-penalty {penalty}: expected a number", "0 is the default") from None


def nbest(scorer, lines, rule, unknown):
    """Print the score of each line. Returns their sum, and the number of words and sentence ends that count."""
    from rnnlm.lm.rescoring.rescore import LOG_ZERO

    total, number = 0.0, 0
    rows = (line.replace("\t", " ").strip().partition(" ")[::2] for line in lines)
    groups = itertools.groupby(rows, lambda row: row[0])
    lists, ahead = itertools.tee([unknown.split(words) for _, words in group] for _, group in groups)
    for sentences, log_probs in zip(lists, scorer.alternatives(ahead)):
        for words, log_p in zip(sentences, log_probs):
            counted = [x for x in rule.counted(words, log_p, scorer.vocab) if not math.isnan(x)]
            score = sum(max(x, LOG_ZERO) for x in counted) / math.log(10)
            click.echo(f"{score:.6f}")
            total, number = total + score, number + len(counted)
    return total, number


def text(scorer, lines, table, unknown):
    """Log-probability of the known words and sentence ends, and their number; `table` prints each word."""
    if table:
        click.echo("Index   P(NET)          Word\n" + "-" * 34)
    total, number = 0.0, 0
    sentences, ahead = itertools.tee(map(unknown.split, lines))
    for words, log_p in zip(sentences, scorer.log_probs(ahead)):
        known = [*(word in scorer.vocab.index for word in words), True]
        for word, nats, is_known in zip([*words, "</s>"], log_p, known):
            log10 = float(nats) / math.log(10)
            if table:
                index = 0 if word == "</s>" else scorer.vocab.index.get(word, 0) - 1  # theirs begin with </s>
                click.echo(f"{index}\t{10**log10:.10f}\t{word}" if is_known else "-1\t0\t\tOOV")
            if is_known:
                total, number = total + log10, number + 1
    return total, number
