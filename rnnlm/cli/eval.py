"""`rnnlm eval`: the perplexity of a model on text, in the lines that SRILM's scripts read."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path

import click
from tqdm import tqdm

from rnnlm.cli.predict import visible
from rnnlm.errors import DataError, UsageError


@click.command(name="eval")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option(
    "-v",
    "--verbosity",
    type=click.IntRange(0, 2),
    default=0,
    help="1: each sentence with its figures; 2: each word with its probability, too.",
)
@click.option(
    "--independent/--continuous",
    default=None,
    help="Each sentence from the initial state, or the state carried on from one to the next.  "
    "[default: as the model was trained]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per text, on one line.")
def command(model, texts, verbosity, independent, as_json):
    """Perplexity of MODEL (a model file, or a run directory) on each TEXT: a sentence a line, `-` for standard input.

    Without TEXT, on the test text that the model's configuration names. Sentence ends are predicted and counted; empty
    lines are skipped. `ppl` leaves words out of the vocabulary (OOVs) out, and `ppl1` besides does not count sentence
    ends in its denominator, both as SRILM defines them; the line `# OOV as <unk>` counts everything, as training does.

    Of models that are no language models other figures are shown: of a classifier the accuracy, a table of the classes
    and the confusion matrix; of seq2seq and vec2seq models how many sentences match exactly, and the accuracy and
    perplexity of their tokens; of a blank model the pseudo-perplexity and the accuracy. The keys of --json are their
    names, besides model, kind, file, sentences, words, oovs.

    A model trained on a stream predicts a first word from `</s>`, one trained on sentences from `<s>`, whichever way it
    is made to read by --independent and --continuous.

    Keys of --json: model, file, level (word or char), sentences, words, oovs, zeroprobs, characters, blank_lines,
    logprob (base 10, without OOVs), ppl, ppl1; with OOVs as <unk>: logprob_unk (base 10), ppl_unk, nats_per_token,
    bits_per_token, bits_per_character; vocab_size, vocab_sha256, state (continuous or independent), seconds. A figure
    that is not finite is null.
    """
    if as_json and verbosity:
        raise UsageError("--json and --verbosity exclude each other", "--json has the figures of whole texts only")
    from rnnlm.cli import family
    from rnnlm.experiment import load_model
    from rnnlm.models import Model
    from rnnlm.scoring import NetworkScorer

    loaded = load_model(model, Model.kinds())
    if not texts and loaded.config.data.test is None:
        raise UsageError(f"{model}: no TEXT given, and its configuration names no data.test", "name a text file")
    if loaded.config.model.kind != "lm":
        if verbosity or independent is not None:
            raise UsageError(f"{model}: {loaded.config.model.instead[0]}", "leave out all options but --json")
        family.evaluate(loaded, texts or [loaded.config.data.test], as_json)
        return
    carried = loaded.stream if independent is None else not independent
    scorer = NetworkScorer(loaded.network, loaded.stream, carried)
    for path in texts or [loaded.config.data.test]:
        started = time.perf_counter()
        total, blank = evaluate_text(loaded, scorer, path, verbosity)
        seconds = time.perf_counter() - started
        if as_json:
            click.echo(json.dumps(record(loaded, scorer, path, total, blank, seconds)))
        else:
            report(loaded, scorer, path, total, seconds)


def evaluate_text(loaded, scorer, path, verbosity):
    """-> the figures of a text, and how many empty lines were skipped. With `verbosity`, prints its sentences."""
    from rnnlm.corpus import lines, text_name
    from rnnlm.evaluate import Evaluation, evaluate

    vocab, name = loaded.vocab, text_name(path)
    keep_blank = loaded.config.data.blank_lines and vocab.level == "char"
    blank = 0
    size = os.path.getsize(path) if os.path.isfile(path) else None

    def sentences(bar):
        nonlocal blank
        for line in lines(path):
            bar.update(len(line.encode()) + 1)
            words = vocab.split(line)
            if words or keep_blank:
                yield words
            else:
                blank += 1

    total = Evaluation()
    quiet = True if verbosity else None  # None: no bar where there is no terminal
    with tqdm(total=size, unit="B", unit_scale=True, delay=1, leave=False, disable=quiet, file=sys.stderr) as bar:
        for sentence in evaluate(scorer, vocab, sentences(bar)):
            if verbosity:
                show(sentence, vocab, scorer, verbosity, first=not total.sentences)
            total += sentence.figures
    if not total.sentences:
        raise DataError(f"{name}: no sentences ({blank} empty lines)", "a sentence is a line with at least one word")
    share = total.oovs / max(total.words, 1)
    click.echo(f"{name}: OOV rate {share:.2%}, {blank} empty lines skipped", err=True)
    return total, blank


def show(sentence, vocab, scorer, verbosity, first):
    """A sentence as `ngram -debug 1` (or 2) shows it."""
    click.echo(vocab.join(sentence.words))
    if verbosity > 1:
        context = vocab.words[scorer.start]
        more = scorer.carried and not first  # whether anything before the context has been seen, too
        for word, log_p, known in zip([*sentence.words, "</s>"], sentence.log_p, sentence.known):
            p, log10 = (math.exp(log_p), log_p / math.log(10)) if known else (0, -math.inf)
            kind = "rnn" if known else "OOV"
            event = f"{visible(word)} | {visible(context)} {'...' if more else ''}"
            click.echo(f"\tp( {event}) \t= [{kind}] {p:.6g} [ {log10:.6g} ]")
            context, more = word, True
    click.echo(listing(sentence.figures) + "\n")


def listing(figures):
    """The two lines of SRILM's listings."""
    e = figures
    ppl, ppl1 = ("undefined" if math.isnan(x) else f"{x:.6g}" for x in (e.ppl, e.ppl1))
    return (
        f"{e.sentences} sentences, {e.words} words, {e.oovs} OOVs\n"
        f"{e.zeroprobs} zeroprobs, logprob= {e.logprob:.9g} ppl= {ppl} ppl1= {ppl1}"
    )


def report(loaded, scorer, path, total, seconds):
    """The listing of a text, and in comments what SRILM leaves unsaid."""
    from rnnlm.corpus import text_name

    if loaded.vocab.level == "char":
        unit, entropy = "char", f"{total.bits_per_token:.4f} bits/char   {total.nats_per_token:.4f} nats/char"
    else:
        unit, entropy = "word", f"{total.bits_per_token:.4f} bits/token   {total.bits_per_character:.4f} bits/char"
    click.echo(f"file {text_name(path)}: {listing(total)}")
    click.echo(f"# OOV as <unk>: ppl = {total.ppl_unk:.6g}   entropy {entropy}")
    vocab = f"vocab {len(loaded.vocab)} (sha {loaded.vocab.fingerprint[:12]})"
    speed = f"{total.words / seconds / 1000:.1f} k{unit}s/s"
    click.echo(f"# {vocab}  state {state(scorer)}  </s> counted  log10  {speed}")


def record(loaded, scorer, path, total, blank, seconds):
    """The same as a dictionary; the keys are documented in the command's help."""
    from rnnlm.corpus import text_name

    figures = {
        "logprob": total.logprob, "ppl": total.ppl, "ppl1": total.ppl1,
        "logprob_unk": -total.nats / math.log(10), "ppl_unk": total.ppl_unk, "nats_per_token": total.nats_per_token,
        "bits_per_token": total.bits_per_token, "bits_per_character": total.bits_per_character,
    }  # fmt: skip
    return {
        "model": str(loaded.path), "file": text_name(path), "level": loaded.vocab.level,
        "sentences": total.sentences, "words": total.words, "oovs": total.oovs, "zeroprobs": total.zeroprobs,
        "characters": total.characters, "blank_lines": blank,
        **{key: x if math.isfinite(x) else None for key, x in figures.items()},
        "vocab_size": len(loaded.vocab), "vocab_sha256": loaded.vocab.fingerprint, "state": state(scorer),
        "seconds": round(seconds, 3),
    }  # fmt: skip


def state(scorer):
    return "continuous" if scorer.carried else "independent"
