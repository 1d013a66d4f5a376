"""`rnnlm eval`: the perplexity of a model on text, in the lines that SRILM's scripts read."""

from __future__ import annotations

import itertools
import math
import time

import click

from rnnlm.cli.adaptation import adapt_to_text, adaptation, adaptation_options
from rnnlm.cli.launcher import among_ranks, in_order, refuse_stdin
from rnnlm.cli.options import independent_option, mix_options, mixture, model_argument, own_text
from rnnlm.cli.output import in_json, reading, show, tell
from rnnlm.cli.predict import lines_of
from rnnlm.cli.tables import visible
from rnnlm.errors import NumericalError, UsageError
from rnnlm.text.lines import lines, text_name

ADAPTED = "# adapted to the text, not comparable with static figures: {}"
RANKS = (1, 5, 10)
SUM_ERROR = 1e-4  # tolerance of --check-sums: what the six digits of an ARPA file may come to
COUNTS = ("sentences", "words", "oovs", "zeroprobs", "characters")
FIGURES = (
    "logprob", "ppl", "ppl1", "logprob_unk", "ppl_unk", "nats_per_token", "bits_per_token", "bits_per_character",
)  # fmt: skip


@click.command(name="eval")
@model_argument
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option(
    "-v", "--verbosity", type=click.IntRange(0, 2), default=0, help="1: figures of each sentence; 2: of each word, too."
)
@independent_option()
@mix_options
@click.option("--dev", metavar="FILE", help="Development text: tune on it what is not given.")
@click.option(
    "--oov",
    type=click.Choice(["both", "unk", "exclude", "spread"]),
    default="both",
    help="Words out of the vocabulary: shown both ways; counted as <unk>; left out; counted as one of many types that "
    "share the probability of <unk>.",
)
@click.option(
    "--oov-types",
    metavar="N",
    type=click.IntRange(min=1),
    help="Number of types with --oov spread.  [default: those in TEXT]",
)
@click.option("--ranks", is_flag=True, help="How often the right word is among the 1, 5 and 10 most likely.")
@click.option("--check-sums", is_flag=True, help="Check that all probabilities add up to one; exit status 3 if not.")
@adaptation_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object per text, on one line.")
@among_ranks
def command(
    model, texts, verbosity, carried, mix, mix_weights, dev, oov, oov_types, ranks, check_sums, as_json, processes,
    **adapting,
):  # fmt: skip
    """Perplexity of MODEL on each TEXT, a sentence a line, in SRILM's format.

    MODEL is a model file, a run directory or an ARPA file. TEXT is a file, or `-` for standard input; without it, the
    test text of the model's configuration is read. Sentence ends are counted; empty lines are skipped. `ppl` and `ppl1`
    leave words out of the vocabulary (OOVs) out, as SRILM does; the line `# OOV as <unk>` counts them, as training
    does. A mixture shows each model's ppl and weight, too.

    For blank, classifier, seq2seq and vec2seq models other figures are shown, such as accuracy.

    docs/text.md has the definitions, the keys of --json, and the equations of --dynamic and --cache.
    """
    if as_json and verbosity:
        raise UsageError("--json and --verbosity exclude each other", "--json has the figures of whole texts only")
    wanted = adaptation(dev, **adapting)
    check_options(mix, mix_weights, dev, wanted, oov, oov_types, verbosity)
    from rnnlm.loading import load_text_model

    loaded, texts = load_first(model, texts)
    refuse_stdin(processes, texts)
    if loaded and "score" not in loaded.task.commands:
        if verbosity or carried is not None or mix or oov != "both" or ranks or check_sums or wanted:
            raise UsageError(f"{model}: {loaded.config.model.instead[0]}", "leave out all options but --json")
        in_order(processes, texts, lambda path: evaluate_task(loaded, path, as_json))
        return
    main = loaded.text_model(carried) if loaded else load_text_model(model)
    adapted = adapt_to_text(main, wanted) if wanted else None
    if adapted:
        main = main._replace(scorer=adapted.scorer)
    models = [main, *(load_text_model(path, carried) for path in mix)]
    scorer = mixture(models, mix_weights, None if mix_weights else dev) if mix else main.scorer
    if carried and not scorer.carried:
        raise UsageError(f"{model}: --continuous: for an n-gram model every sentence is independent", "leave it out")

    def measured(path):
        if adapted and verbosity:
            click.echo(ADAPTED.format(adapted))
        found, seconds = measure(main, scorer, path, verbosity, oov, oov_types, ranks or check_sums)
        figures = models, scorer, path, found, oov, ranks, check_sums, seconds
        show(in_json(record(*figures, adapted)) if as_json else report(*figures, adapted))
        if check_sums and not found.sum_error <= SUM_ERROR:
            raise NumericalError(
                f"{model}: probabilities of all words add up to 1 within {found.sum_error:.3g}, "
                f"expected within {SUM_ERROR:g}",
                "an n-gram model that is not normalized, or a damaged one?",
            )

    in_order(processes, texts, measured)


def check_options(mix, weights, dev, wanted, oov, oov_types, verbosity):
    """Raise UsageError for options of a mixture, or of words out of the vocabulary, that do not go together."""
    if weights and not mix:
        raise UsageError("--weights without --mix", "name a model to mix MODEL with")
    if dev and not mix and not wanted:
        raise UsageError("--dev without --mix, --dynamic and --cache", "name what there is to find on it")
    if weights and dev and not wanted:
        raise UsageError("--weights and --dev exclude each other", "weights are given, or found on a text")
    if oov_types and oov != "spread":
        raise UsageError(f"--oov-types with --oov {oov}", "it goes with --oov spread")
    if oov == "spread" and verbosity and not oov_types:
        raise UsageError(
            "--oov spread and --verbosity need --oov-types",
            "the types of TEXT are not counted before its first sentence is shown",
        )


# --- models and texts ---


def load_first(path, texts):
    """The network at a path (None: an ARPA file is there), and the texts to evaluate it on."""
    from rnnlm.lm.arpa import is_arpa
    from rnnlm.loading import EVERY_MODEL, changes, load_model

    loaded = None if is_arpa(path) else load_model(path, EVERY_MODEL)
    texts = texts or [own_text(path, loaded.config.data if loaded else None)]
    if loaded:
        changed = dict.fromkeys(change for text in texts for change in changes(loaded, text))
        tell(*(f"warning: {change}" for change in changed))
    return loaded, texts


def measure(main, scorer, path, verbosity, oov, oov_types, ranks):
    """The evaluation of a text, and its seconds: with a progress bar, or with its sentences if `verbosity` asks."""
    from rnnlm.lm.perplexity import perplexity
    from rnnlm.text.unknown import warning

    number = itertools.count()

    def seen(sentence):
        show(shown(scorer, sentence, verbosity, oov_types, scorer.carried and next(number) > 0))

    name, each = text_name(path), seen if verbosity else None
    with reading([path], disable=True if verbosity else None) as read:
        text, kept, started = lines(path, read), main.blank_lines, time.perf_counter()
        found = perplexity(scorer, text, oov, oov_types, ranks, kept, name, each, main.documents)
        seconds = time.perf_counter() - started
    parted = f" part {found.documents} documents" if main.documents else " skipped"
    tell(f"{name}: OOV rate {found.oov_rate:.2%}, {found.blank_lines} empty lines{parted}")
    tell(*found.markers.notes, warning(found.unknown, found.total.words, name))
    return found, seconds


def evaluate_task(loaded, path, as_json):
    """Print the figures of a model that is no language model on a text."""
    from rnnlm.text.unknown import notes

    settings, task = loaded.config, loaded.task
    corpus = task.encode([path], loaded.vocab, settings.data, settings.model)
    tell(*notes(corpus))
    figures = task.evaluate(loaded.network, corpus, settings.training.batch)
    sizes = {"sentences": corpus.sentences, "words": corpus.words, "oovs": corpus.oovs}
    facts = {"model": str(loaded.path), "kind": settings.model.kind, "file": text_name(path)} | sizes | figures
    heading = f"file {corpus.name}: {corpus.sentences} sentences, {corpus.words} words, {corpus.oovs} OOVs"
    show(in_json(facts) if as_json else lines_of([heading, *task.report(figures)]))


# --- output ---


def shown(scorer, sentence, verbosity, oov_types, more):
    """Lines of a sentence, as `ngram -debug 1` and 2 of SRILM show it. more: sentences were read before it."""
    import numpy as np

    from rnnlm.text.vocab import UNK

    vocab = scorer.vocab
    yield vocab.join(sentence.words)
    context = vocab.words[scorer.start]
    unks = [*(vocab.index.get(word, UNK) == UNK for word in sentence.words), False]
    log_ps = sentence.log_p - np.array(unks) * math.log(oov_types or 1)
    for word, log_p, known in zip([*sentence.words, "</s>"] if verbosity > 1 else (), log_ps, sentence.known):
        p, log10 = (math.exp(log_p), log_p / math.log(10)) if known else (0, -math.inf)
        kind = scorer.kind if known else "OOV"
        event = f"{visible(word)} | {visible(context)} {'...' if more else ''}"
        yield f"\tp( {event}) \t= [{kind}] {p:.6g} [ {log10:.6g} ]"
        context, more = word, True
    yield listing(sentence.figures.spread(oov_types) if oov_types else sentence.figures) + "\n"


def listing(figures):
    """The two lines of SRILM's listings, which its scripts read."""
    e = figures
    ppl, ppl1 = ("undefined" if math.isnan(x) else f"{x:.6g}" for x in (e.ppl, e.ppl1))
    return (
        f"{e.sentences} sentences, {e.words} words, {e.oovs} OOVs\n"
        f"{e.zeroprobs} zeroprobs, logprob= {e.logprob:.9g} ppl= {ppl} ppl1= {ppl1}"
    )


def report(models, scorer, path, found, oov, ranks, check_sums, seconds, adapted):
    """Lines of the listing of a text, and in comments what SRILM leaves unsaid."""
    total, vocab = found.total, scorer.vocab
    if vocab.level == "char":
        entropy = f"{total.bits_per_token:.4f} bits/char   {total.nats_per_token:.4f} nats/char"
    else:
        entropy = f"{total.bits_per_token:.4f} bits/token   {total.bits_per_character:.4f} bits/char"
    yield f"file {text_name(path)}: {listing(total)}"
    if oov != "exclude":
        how = f"as one of {found.oov_types} types" if oov == "spread" else "as <unk>"
        yield f"# OOV {how}: ppl = {total.ppl_unk:.6g}   entropy {entropy}"
    if ranks:
        shares = (f"{found.among(n):.2%} {f'among the first {n}' if n > 1 else 'first'}" for n in RANKS)
        yield f"# right word: {', '.join(shares)}"
    if check_sums:
        yield f"# sums of probabilities: 1 within {found.sum_error:.2g}"
    for model, weight, part in zip(models, getattr(scorer, "weights", ()), found.models):
        zeroprobs = f"  ({part.zeroprobs} zeroprobs left out)" if part.zeroprobs else ""
        yield f"# model {model.path}: weight {weight:.4f}  ppl = {part.ppl:.6g}{zeroprobs}"
    speed = f"{total.words / seconds / 1000:.1f} k{vocab.level}s/s"
    yield f"# vocab {len(vocab)} (sha {vocab.fingerprint[:12]})  state {state(scorer)}  </s> counted  log10  {speed}"
    if adapted:
        yield ADAPTED.format(adapted)


def record(models, scorer, path, found, oov, ranks, check_sums, seconds, adapted):
    """The object of --json, whose keys docs/text.md explains."""
    total, vocab = found.total, scorer.vocab
    return {
        "model": str(models[0].path), "file": text_name(path), "level": vocab.level,
        **{key: getattr(total, key) for key in COUNTS}, "blank_lines": found.blank_lines,
        **{key: getattr(total, key) for key in FIGURES},
        "vocab_size": len(vocab), "vocab_sha256": vocab.fingerprint, "state": state(scorer),
        "seconds": round(seconds, 3), "oov": oov, "oov_types": found.oov_types,
        **{f"rank_{n}": found.among(n) if ranks else None for n in RANKS},
        "sum_error": found.sum_error if check_sums else None,
        "models": [
            {"model": str(model.path), "weight": float(weight), "zeroprobs": part.zeroprobs,
             "ppl": part.ppl, "ppl_unk": part.ppl_unk}
            for model, weight, part in zip(models, getattr(scorer, "weights", ()), found.models)
        ],
        "adaptation": adapted.facts if adapted else None,
    }  # fmt: skip


def state(scorer):
    return "continuous" if scorer.carried else "independent"
