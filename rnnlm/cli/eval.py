"""`rnnlm eval`: the perplexity of a model on text, in the lines that SRILM's scripts read."""

from __future__ import annotations

import itertools
import json
import math
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from rnnlm.cli.tables import visible
from rnnlm.errors import DataError, NumericalError, UsageError

if TYPE_CHECKING:
    from rnnlm.lm.perplexity import Evaluation

RANKS = (1, 5, 10)
ADAPTED = "# adapted to the text, not comparable with static figures: {}"
SUM_ERROR = 1e-4  # what rounding may add up to, in an ARPA file of six digits


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
@click.option(
    "--mix",
    metavar="MODEL",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Mix with this model. May be repeated.",
)
@click.option("--weights", metavar="W,W...", help="Weights of the mixture, MODEL's first.  [default: equal]")
@click.option("--dev", metavar="FILE", help="Find the weights under which this text is most probable (by EM).")
@click.option(
    "--oov",
    type=click.Choice(["both", "unk", "exclude", "spread"]),
    default="both",
    help="Words out of the vocabulary: left out in the listing and counted as <unk> below it; counted as <unk>; left "
    "out; or counted as one of many types that share the probability of <unk>.",
)
@click.option(
    "--oov-types",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many types share it, with --oov spread.  [default: those met in TEXT]",
)
@click.option("--ranks", is_flag=True, help="How often the right word is the likeliest, and among the first 5 and 10.")
@click.option("--check-sums", is_flag=True, help="Check that the probabilities of all words add up to one, every time.")
@click.option(
    "--dynamic", metavar="LR|tune", help="Dynamic evaluation: learn from TEXT, at this rate, once it is scored."
)
@click.option("--dynamic-rule", type=click.Choice(["sgd", "rms"]), help="How it learns.  [default: sgd]")
@click.option("--dynamic-decay", type=click.FloatRange(min=0), help="rms: pull towards the trained weights.")
@click.option("--dynamic-window", type=click.IntRange(min=1), help="Tokens between steps.  [default: 20]")
@click.option("--dynamic-gradients", metavar="FILE", help="rms: text to scale by.  [default: the training text]")
@click.option("--cache", metavar="N", type=click.IntRange(1, 100_000), help="Mix in a cache of the last N positions.")
@click.option("--cache-theta", type=click.FloatRange(min=0), help="How much it minds the hidden state.")
@click.option("--cache-lambda", type=click.FloatRange(min=0, max=1, max_open=True), help="Its share.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per text, on one line.")
def command(
    model, texts, verbosity, independent, mix, weights, dev, oov, oov_types, ranks, check_sums, as_json, **adapting
):
    """Perplexity of MODEL on each TEXT: a sentence a line, `-` for standard input.

    MODEL is a model file, a run directory or an ARPA file. Without TEXT, on the test text that the model's
    configuration names. Sentence ends are predicted and counted; empty lines are skipped. `ppl` leaves words out of the
    vocabulary (OOVs) out, and `ppl1` besides does not count sentence ends in its denominator, both as SRILM defines
    them; the line `# OOV as <unk>` counts everything, as training does. With --oov unk the listing counts everything,
    too; with --oov spread, every word that is read as <unk> has p(<unk>) / N, N the number of --oov-types.

    Of models that are no language models other figures are shown: of a classifier the accuracy, a table of the classes
    and the confusion matrix; of seq2seq and vec2seq models how many sentences match exactly, and the accuracy and
    perplexity of their tokens; of a blank model the pseudo-perplexity and the accuracy. The keys of --json are their
    names, besides model, kind, file, sentences, words, oovs.

    A model trained on a stream predicts a first word from `</s>`, one trained on sentences from `<s>`, whichever way it
    is made to read by --independent and --continuous. For n-gram models every sentence is independent.

    --mix: p = sum of weight * p of each model. Its vocabulary is the union of theirs; a model gives words that it
    lacks, and another has, probability zero. Each model's own ppl, on the same words, is shown with its weight.

    --dynamic LR: dynamic evaluation. Each window of TEXT is scored first, and then the network takes a step on it: by
    sgd, w - LR g, g the gradient summed over the window's tokens; or by rms (Krause et al. 2018), with g divided by s +
    mean s, s its root mean square on the training text, and every weight pulled back to the trained one by decay times
    s / mean s. Each TEXT begins with the trained weights. --cache N: p = (1 - lambda) p + lambda p_cache, p_cache the
    share of a word after the last N positions, each with weight exp(theta h.h'), h the hidden vectors (Grave et al.
    2017). Both apply to MODEL, not to those of --mix; figures are marked as adapted.

    --dev: on this text weights of the mixture, --dynamic tune, and what of --dynamic-decay, --cache-theta and
    --cache-lambda is not given, are tuned, in grids that are shown. Without it they are 0, 0.1 and 0.1.

    --ranks leaves OOVs out; of words with equal probability none is first. --check-sums exits with status 3 if a sum
    differs from 1 by more than 0.0001.

    Keys of --json: model, file, level (word or char), sentences, words, oovs, zeroprobs, characters, blank_lines,
    logprob (base 10, without OOVs), ppl, ppl1; with OOVs as <unk>: logprob_unk (base 10), ppl_unk, nats_per_token,
    bits_per_token, bits_per_character; vocab_size, vocab_sha256, state (continuous or independent), seconds; oov (the
    option; with spread, all of these figures are of that kind), oov_types; rank_1, rank_5, rank_10 (shares), sum_error
    (the largest |sum - 1|); models (of a mixture, a list of model, weight, zeroprobs, ppl, ppl_unk); adaptation
    (dynamic: rule, rate, window, decay, gradients; cache: positions, theta, lambda; tuned_on). A figure that is not
    finite, or was not asked for, is null.
    """
    if as_json and verbosity:
        raise UsageError("--json and --verbosity exclude each other", "--json has the figures of whole texts only")
    wanted = adaptation(dev, **adapting)
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
    from rnnlm.cli import family
    from rnnlm.lm.arpa import is_arpa
    from rnnlm.loading import changes, load_model, load_text_model
    from rnnlm.nn.models import Model

    loaded = None if is_arpa(model) else load_model(model, Model.kinds())
    paths = (texts or [loaded.config.data.test or ""]) if loaded else []
    for warning in dict.fromkeys(text for path in paths for text in changes(loaded, path)):
        click.echo(f"warning: {warning}", err=True)
    if not texts and (loaded is None or loaded.config.data.test is None):
        why = "its configuration names no data.test" if loaded else "an ARPA file names none"
        raise UsageError(f"{model}: no TEXT given, and {why}", "name a text file")
    if loaded and loaded.config.model.kind != "lm":
        if verbosity or independent is not None or mix or oov != "both" or ranks or check_sums or wanted:
            raise UsageError(f"{model}: {loaded.config.model.instead[0]}", "leave out all options but --json")
        family.evaluate(loaded, texts or [loaded.config.data.test], as_json)
        return
    carried = None if independent is None else not independent
    main = loaded.text_model(carried) if loaded else load_text_model(model)
    adapted = adapt_to_text(main, wanted) if wanted else None
    if adapted:
        main = main._replace(scorer=adapted.scorer)
    models = [main, *(load_text_model(path, carried) for path in mix)]
    scorer = mixture(models, weights, None if weights else dev) if mix else main.scorer
    if carried and not scorer.carried:
        raise UsageError(f"{model}: --continuous: for an n-gram model every sentence is independent", "leave it out")
    for path in texts or [main.data.test]:
        if adapted and verbosity:
            click.echo(ADAPTED.format(adapted))
        result = evaluate_text(main, scorer, path, verbosity, oov, oov_types, ranks or check_sums)
        if as_json:
            facts = record(models, scorer, path, result, ranks, check_sums)
            click.echo(json.dumps(facts | {"adaptation": adapted.facts if adapted else None}))
        else:
            report(models, scorer, path, result, ranks, check_sums)
            if adapted:
                click.echo(ADAPTED.format(adapted))
        if check_sums and not result.sum_error <= SUM_ERROR:
            raise NumericalError(
                f"{model}: probabilities of all words add up to 1 within {result.sum_error:.3g}, "
                f"expected within {SUM_ERROR:g}",
                "an n-gram model that is not normalized, or a damaged one?",
            )


def adaptation(dev, dynamic, cache, **options):
    """What is asked for, or None: the options --dynamic, --cache and those that go with them."""
    for name, value in options.items():
        what = name.split("_")[0]
        if value is not None and not (dynamic if what == "dynamic" else cache):
            number = "learning rate" if what == "dynamic" else "number of positions"
            raise UsageError(f"--{name.replace('_', '-')} without --{what}", f"give the {number} with --{what}")
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"--{name.replace('_', '-')} {value}: expected a finite number", "leave it out")
    if not dynamic and not cache:
        return None
    from rnnlm.lm.adaptive.adapt import Adaptation
    from rnnlm.lm.adaptive.dynamic import WINDOW

    rule = options["dynamic_rule"] or "sgd"
    for name in ("dynamic_decay", "dynamic_gradients"):
        if options[name] is not None and rule != "rms":
            raise UsageError(
                f"--{name.replace('_', '-')} with --dynamic-rule {rule}", "it goes with --dynamic-rule rms"
            )
    if dev == "-":
        raise UsageError("--dev -: the development text is read more than once", "name a file")
    rate = None
    if dynamic and dynamic != "tune":
        try:
            rate = float(dynamic)
        except ValueError:
            rate = math.nan
        if not 0 < rate < math.inf:
            raise UsageError(
                f"--dynamic {dynamic}: expected a learning rate above 0, or tune", "such as --dynamic 0.0003"
            )
    return Adaptation(
        dynamic=bool(dynamic), rate=rate, rule=rule, decay=options["dynamic_decay"],
        window=options["dynamic_window"] or WINDOW, gradients=options["dynamic_gradients"],
        cache=cache, theta=options["cache_theta"], lam=options["cache_lambda"], dev=dev,
    )  # fmt: skip


def adapt_to_text(main, wanted):
    """The model, made to follow its text."""
    from rnnlm.lm.adaptive.adapt import adapt

    if main.data is None:
        raise UsageError(
            f"{main.path}: an n-gram model has no weights or hidden vectors to adapt",
            "leave out --dynamic and --cache, or name a network first",
        )
    return adapt(main.scorer, main.data.train, main.data.blank_lines, wanted, lambda line: click.echo(line, err=True))


def mixture(models, weights, dev):
    """The mixture of models, with weights as given or found."""
    from rnnlm.lm.mixture import Mixture, fit

    try:
        given = [float(w) for w in weights.split(",")] if weights else None
    except ValueError:
        raise UsageError(f"--weights {weights}: expected numbers with commas between", "such as 0.7,0.3") from None
    scorer = Mixture([model.scorer for model in models], given)
    scorer.kind += models[0].scorer.kind.removeprefix("rnn") if models[0].data else ""  # as in mix+dynamic
    for model, missing in zip(models, scorer.differences):
        if missing:
            click.echo(
                f"{model.path}: lacks {missing} words that the others have, gives them probability zero", err=True
            )
    if dev:
        from rnnlm.text.lines import lines, text_name

        sentences = filter(None, map(scorer.vocab.split, lines(dev)))
        first = next(sentences, None)
        if first is None:
            raise DataError(f"{text_name(dev)}: no sentences", "a sentence is a line with at least one word")
        scorer.weights = fit(scorer, itertools.chain([first], sentences))
        click.echo(f"{text_name(dev)}: weights {' '.join(f'{w:.4f}' for w in scorer.weights)}", err=True)
    return scorer


@dataclass
class Result:
    """The figures of a text."""

    oov: str
    types: int | None  # that share p(<unk>)
    total: Evaluation
    parts: list[Evaluation]  # of the models of a mixture
    blank: int = 0  # empty lines that were skipped
    tokens: int = 0  # whose rank is known
    first: Counter[int] = field(default_factory=Counter)  # how many of them are among the first 1, 5, 10
    sum_error: float = 0.0
    seconds: float = 0.0


def evaluate_text(main, scorer, path, verbosity, oov, oov_types, whole):
    """The figures of a text. With `verbosity`, prints its sentences; `whole`: ranks and sums, too."""
    from rnnlm.lm.perplexity import Evaluation, examine
    from rnnlm.text.lines import lines, text_name
    from rnnlm.text.vocab import UNK

    started = time.perf_counter()
    vocab, name = scorer.vocab, text_name(path)
    keep_blank = main.data is not None and main.data.blank_lines and vocab.level == "char"
    number = len(getattr(scorer, "scorers", ()))
    result = Result(oov, oov_types, Evaluation(), [Evaluation()] * number)
    unknown = 0
    types = set()
    size = os.path.getsize(path) if os.path.isfile(path) else None

    def sentences(bar):
        for line in lines(path):
            bar.update(len(line.encode()) + 1)
            words = vocab.split(line)
            if words or keep_blank:
                yield words
            else:
                result.blank += 1

    quiet = True if verbosity else None  # None: no bar where there is no terminal
    with tqdm(total=size, unit="B", unit_scale=True, delay=1, leave=False, disable=quiet, file=sys.stderr) as bar:
        own, ahead = itertools.tee(sentences(bar))
        examined = examine(scorer, ahead) if whole else itertools.repeat(None)
        for (sentence, parts), seen in zip(judged(scorer, own, oov in ("unk", "spread")), examined):
            unknown += sum(word not in vocab.index for word in sentence.words)
            if oov == "spread" and oov_types is None:
                types.update(word for word in sentence.words if vocab.index.get(word, UNK) == UNK)
            if verbosity:
                show(sentence, vocab, scorer, verbosity, oov_types, first=not result.total.sentences)
            result.total += sentence.figures
            result.parts = [total + part for total, part in zip(result.parts, parts)]
            if seen:
                result.tokens += len(seen.ranks)
                result.first.update({n: int((seen.ranks <= n).sum()) for n in RANKS})
                result.sum_error = max(result.sum_error, seen.error)
    if not result.total.sentences:
        raise DataError(
            f"{name}: no sentences ({result.blank} empty lines)", "a sentence is a line with at least one word"
        )
    if oov == "spread":
        result.types = oov_types or len(types)
        result.total = result.total.spread(result.types)
        result.parts = [part.spread(result.types) for part in result.parts]
    share = unknown / max(result.total.words, 1)
    click.echo(f"{name}: OOV rate {share:.2%}, {result.blank} empty lines skipped", err=True)
    result.seconds = time.perf_counter() - started
    return result


def judged(scorer, sentences, as_unk):
    """Each sentence with its figures, and with those of the models of a mixture."""
    from rnnlm.lm.mixture import Mixture
    from rnnlm.lm.perplexity import evaluate, judge

    if not isinstance(scorer, Mixture):
        yield from ((sentence, []) for sentence in evaluate(scorer, scorer.vocab, sentences, as_unk))
        return
    own, ahead = itertools.tee(sentences)
    for words, parts in zip(own, scorer.parts(ahead)):
        figures = [judge(words, log_p, scorer.vocab, as_unk).figures for log_p in parts]
        yield judge(words, scorer.mix(parts), scorer.vocab, as_unk), figures


def show(sentence, vocab, scorer, verbosity, types, first):
    """A sentence as `ngram -debug 1` (or 2) shows it."""
    import numpy as np

    from rnnlm.text.vocab import UNK

    click.echo(vocab.join(sentence.words))
    if verbosity > 1:
        context = vocab.words[scorer.start]
        more = scorer.carried and not first  # whether anything before the context has been seen, too
        unks = [*(vocab.index.get(word, UNK) == UNK for word in sentence.words), False]
        log_ps = sentence.log_p - np.array(unks) * math.log(types or 1)
        for word, log_p, known in zip([*sentence.words, "</s>"], log_ps, sentence.known):
            p, log10 = (math.exp(log_p), log_p / math.log(10)) if known else (0, -math.inf)
            kind = scorer.kind if known else "OOV"
            event = f"{visible(word)} | {visible(context)} {'...' if more else ''}"
            click.echo(f"\tp( {event}) \t= [{kind}] {p:.6g} [ {log10:.6g} ]")
            context, more = word, True
    figures = sentence.figures.spread(types) if types else sentence.figures
    click.echo(listing(figures) + "\n")


def listing(figures):
    """The two lines of SRILM's listings."""
    e = figures
    ppl, ppl1 = ("undefined" if math.isnan(x) else f"{x:.6g}" for x in (e.ppl, e.ppl1))
    return (
        f"{e.sentences} sentences, {e.words} words, {e.oovs} OOVs\n"
        f"{e.zeroprobs} zeroprobs, logprob= {e.logprob:.9g} ppl= {ppl} ppl1= {ppl1}"
    )


def report(models, scorer, path, result, ranks, check_sums):
    """The listing of a text, and in comments what SRILM leaves unsaid."""
    from rnnlm.text.lines import text_name

    total, vocab = result.total, scorer.vocab
    if vocab.level == "char":
        unit, entropy = "char", f"{total.bits_per_token:.4f} bits/char   {total.nats_per_token:.4f} nats/char"
    else:
        unit, entropy = "word", f"{total.bits_per_token:.4f} bits/token   {total.bits_per_character:.4f} bits/char"
    click.echo(f"file {text_name(path)}: {listing(total)}")
    if result.oov != "exclude":
        how = f"as one of {result.types} types" if result.oov == "spread" else "as <unk>"
        click.echo(f"# OOV {how}: ppl = {total.ppl_unk:.6g}   entropy {entropy}")
    if ranks:
        shares = ", ".join(f"{result.first[n] / max(result.tokens, 1):.2%} among the first {n}" for n in RANKS)
        click.echo(f"# right word: {shares}".replace("among the first 1,", "first,"))
    if check_sums:
        click.echo(f"# sums of probabilities: 1 within {result.sum_error:.2g}")
    for model, weight, part in zip(models, getattr(scorer, "weights", ()), result.parts):
        zeroprobs = f"  ({part.zeroprobs} zeroprobs left out)" if part.zeroprobs else ""
        click.echo(f"# model {model.path}: weight {weight:.4f}  ppl = {part.ppl:.6g}{zeroprobs}")
    vocab = f"vocab {len(vocab)} (sha {vocab.fingerprint[:12]})"
    speed = f"{total.words / result.seconds / 1000:.1f} k{unit}s/s"
    click.echo(f"# {vocab}  state {state(scorer)}  </s> counted  log10  {speed}")


def record(models, scorer, path, result, ranks, check_sums):
    """The same as a dictionary; the keys are documented in the command's help."""
    from rnnlm.text.lines import text_name

    total, vocab = result.total, scorer.vocab
    figures = {
        "logprob": total.logprob, "ppl": total.ppl, "ppl1": total.ppl1,
        "logprob_unk": -total.nats / math.log(10), "ppl_unk": total.ppl_unk, "nats_per_token": total.nats_per_token,
        "bits_per_token": total.bits_per_token, "bits_per_character": total.bits_per_character,
    }  # fmt: skip
    return {
        "model": str(models[0].path), "file": text_name(path), "level": vocab.level,
        "sentences": total.sentences, "words": total.words, "oovs": total.oovs, "zeroprobs": total.zeroprobs,
        "characters": total.characters, "blank_lines": result.blank,
        **{key: finite(x) for key, x in figures.items()},
        "vocab_size": len(vocab), "vocab_sha256": vocab.fingerprint, "state": state(scorer),
        "seconds": round(result.seconds, 3), "oov": result.oov, "oov_types": result.types,
        **{f"rank_{n}": result.first[n] / max(result.tokens, 1) if ranks else None for n in RANKS},
        "sum_error": finite(result.sum_error) if check_sums else None,
        "models": [
            {"model": str(model.path), "weight": float(weight), "zeroprobs": part.zeroprobs,
             "ppl": finite(part.ppl), "ppl_unk": finite(part.ppl_unk)}
            for model, weight, part in zip(models, getattr(scorer, "weights", ()), result.parts)
        ],
    }  # fmt: skip


def finite(x):
    return x if math.isfinite(x) else None


def state(scorer):
    return "continuous" if scorer.carried else "independent"
