"""Options that several commands share, and what they make of them."""

from __future__ import annotations

import math
from pathlib import Path

import click

from rnnlm.cli.output import tell
from rnnlm.errors import UsageError
from rnnlm.lm.oov import CHOICES, FIXED, Oov

PATH = click.Path(path_type=Path)
model_argument = click.argument("model", type=PATH)


def several(*options):
    """One decorator of a command in place of several, which --help shows in this order."""

    def decorate(command):
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


mix_options = several(
    click.option(
        "--mix",
        metavar="MODEL",
        multiple=True,
        type=PATH,
        help="Another model, a network or an ARPA file, mixed with the first word by word. May be repeated.",
    ),
    click.option(
        "--weights",
        "--mix-weights",
        "mix_weights",
        metavar="W,W...",
        help="Weights of MODEL and of each --mix, in this order; their sum is 1.  [default: all equal]",
    ),
)
# Of words out of the vocabulary in scores of sentences.
oov_options = several(
    click.option(
        "--oov",
        type=click.Choice(CHOICES),
        default="unk",
        help="Words out of the vocabulary: count as <unk>, not at all, or the penalty alone.",
    ),
    click.option(
        "--oov-penalty",
        type=float,
        metavar="X",
        help="Taken from log10 of the probability of each word out of the vocabulary.  [default: 0; fixed: 5]",
    ),
)


def independent_option(
    default=None, help="Each sentence from the initial state, or the state carried on from one to the next."
):
    """Option --independent/--continuous, which a command gets as `carried`; None: as each model was trained."""

    def carried(context, parameter, independent):
        return None if independent is None else not independent

    shown = "  [default: as each model was trained]" if default is None else ""
    return click.option("--independent/--continuous", "carried", default=default, callback=carried, help=help + shown)


def oov_rule(oov, penalty):
    """The rule that the options --oov and --oov-penalty stand for. Raises UsageError."""
    if penalty is not None and oov == "exclude":
        raise UsageError(f"--oov-penalty with --oov {oov}", "leave one of them out")
    if penalty is not None and not 0 <= penalty < math.inf:
        raise UsageError(f"--oov-penalty {penalty:g}: expected a number, not negative", "4: 10,000 words share <unk>")
    default = FIXED if oov == "fixed" else 0.0
    return Oov(oov, default if penalty is None else penalty)


def load(models, weights, carried):
    """The scorer of a model file, or of the mixture of several."""
    from rnnlm.loading import load_text_model

    loaded = [load_text_model(path, carried) for path in models]
    return loaded[0].scorer if len(loaded) == 1 and weights is None else mixture(loaded, weights)


def mixture(models, weights=None, dev=None):
    """The mixture of text models, with weights as given, found on the text `dev`, or equal."""
    from rnnlm.lm.mixture import Mixture, fit

    try:
        given = [float(weight) for weight in weights.split(",")] if weights is not None else None
    except ValueError:
        raise UsageError(f"--weights {weights}: expected numbers and commas", "such as 0.7,0.3") from None
    scorer = Mixture([model.scorer for model in models], given)
    scorer.kind += models[0].scorer.kind.removeprefix("rnn") if models[0].data else ""  # such as mix+dynamic
    for model in models:
        capitals = [word for word in model.scorer.vocab.index if word != word.lower()] if scorer.vocab.lower else []
        if capitals:
            note = f"{len(capitals)} words with capitals, such as {capitals[0]!r}, which never occur: another model"
            tell(f"warning: {model.path}: {note} lowercases the text, and so the mixture does")
    for model, missing in zip(models, map(len, scorer.lacks)):
        if missing:
            tell(f"{model.path}: lacks {missing} words that the others have, gives them probability zero")
    if dev:
        from rnnlm.text.lines import lines, text_name
        from rnnlm.text.unknown import UnknownWords

        unknown = UnknownWords(scorer.vocab, text_name(dev))
        scorer.weights = fit(scorer, filter(None, map(unknown.split, lines(dev))), text_name(dev))
        tell(*unknown.markers.notes, unknown.warning)
        tell(f"{text_name(dev)}: weights {' '.join(f'{w:.4f}' for w in scorer.weights)}")
    return scorer


def own_text(path, data, validation=False):
    """The test text of the configuration of the model at a path, of which `data` is a part (None: an ARPA file).

    validation: without one, the validation text. Raises UsageError if it names none.
    """
    named = [data.test, *(data.valid_texts if validation else [])] if data else []
    text = next(filter(None, named), None)
    if text is None:
        why = "its configuration names no test text (data.test)" if data else "an ARPA file names none"
        raise UsageError(f"{path}: no TEXT given, and {why}", "name a text file")
    return text


def utf8(text):
    """The text of an argument. Raises UsageError for bytes that are not UTF-8, for which Python has lone surrogates."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError(f"{ascii(text)}: not UTF-8", "convert it, for example with: iconv -f ISO-8859-1 -t UTF-8")
    return text
