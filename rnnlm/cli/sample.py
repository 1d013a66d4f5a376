"""`rnnlm sample`: text drawn from a model."""

from __future__ import annotations

import math
import secrets

import click

from rnnlm.cli.options import model_argument, utf8
from rnnlm.cli.output import in_json, show, tell
from rnnlm.errors import UsageError
from rnnlm.text.lines import lines


@click.command()
@model_argument
@click.option("-n", "number", type=click.IntRange(min=1), help="Number of samples.  [default: 10; with --greedy 1]")
@click.option(
    "--unit",
    type=click.Choice(["sentences", "tokens"]),
    help="A sample ends with its sentence, or after --max-tokens.  [default: sentences; of a character model tokens]",
)
@click.option("--max-tokens", type=click.IntRange(min=1), default=200, help="Longest sample, without the prompt.")
@click.option(
    "--prompt",
    metavar="TEXT|@FILE|-",
    type=utf8,
    default="",
    show_default=False,
    help="Text that every sample continues.",
)
@click.option("--temperature", type=float, default=1.0, help="Below 1: more predictable; above 1: more surprising.")
@click.option("--top-k", type=click.IntRange(min=1), metavar="K", help="Draw from the K most likely words only.")
@click.option("--top-p", type=float, metavar="P", help="Draw from the fewest words with probability P together.")
@click.option("--greedy", is_flag=True, help="Always take the most likely word.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the draws.  [default: a new one, which is shown]")
@click.option("--allow-unk", is_flag=True, help="Draw <unk>, too.")
@click.option("--logprob", is_flag=True, help="The log-probability (base 10) and a tab before each sample.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per sample, on one line.")
def command(
    model, number, unit, max_tokens, prompt, temperature, top_k, top_p, greedy, seed, allow_unk, logprob, as_json
):
    """Sample text from MODEL, a model file or a run directory.

    A sample is a line; if samples can have several lines, a line `---` stands between them. The prompt is printed as
    part of its samples. It is cut into words as the training text was; words out of the vocabulary are read as <unk>,
    with a note.

    --logprob shows the log-probability of the words drawn, without the prompt, under the model itself whatever the
    temperature.

    Keys of --json: text, prompt, tokens (drawn, </s> included), logprob (base 10), finished (ended with </s>), seed.
    """
    if greedy:
        given = {"--temperature": temperature != 1, "--top-k": top_k, "--top-p": top_p}
        for option in [name for name, value in given.items() if value]:
            raise UsageError(f"--greedy and {option} exclude each other", "--greedy always takes the most likely word")
    if not 0 < temperature < math.inf:
        hint = "--greedy always takes the most likely word"
        raise UsageError(f"--temperature {temperature:g}: expected a number above 0", hint)
    if top_p is not None and not 0 < top_p <= 1:
        raise UsageError(f"--top-p {top_p:g}: expected a probability above 0 and at most 1", "0.9 is usual")
    import numpy as np

    from rnnlm.lm.sample import Choosing, sample
    from rnnlm.loading import load_model

    loaded = load_model(model)
    vocab = loaded.vocab
    number = number or (1 if greedy else 10)
    sentences = unit == "sentences" if unit else vocab.level == "word"
    prompt = read_prompt(prompt, vocab)
    if seed is None and not greedy:
        seed = secrets.randbits(32)
        tell(f"seed {seed} (--seed {seed} draws the same text again)")
    choosing = Choosing(temperature, top_k, top_p, greedy, allow_unk)
    rng, ids = np.random.default_rng(seed), prompt_ids(prompt, vocab)
    samples = sample(loaded.network, number, loaded.stream, rng, choosing, max_tokens, ids, sentences)
    separate = not sentences or "\n" in prompt
    for i, one in enumerate(samples):
        text = joined(prompt, one.text(loaded.network), vocab)
        log10 = one.log_p / math.log(10)
        facts = {
            "text": text, "prompt": prompt, "tokens": len(one.ids) + one.finished, "logprob": log10,
            "finished": one.finished, "seed": seed,
        }  # fmt: skip
        rule = ["---"] if i and separate else []
        show(in_json(facts) if as_json else [*rule, f"{log10:.6f}\t{text}" if logprob else text])


def read_prompt(prompt, vocab):
    """The text of a prompt, with case and white space as the vocabulary has them."""
    in_file = prompt == "-" or prompt.startswith("@")
    text = lines(prompt.removeprefix("@")) if in_file else prompt.split("\n")
    return "\n".join(vocab.join(vocab.split(line)) for line in text)


def prompt_ids(prompt, vocab):
    """Token ids of a prompt, EOS for each line end in it. Prints a note of words out of the vocabulary."""
    from rnnlm.text.unknown import UnknownWords
    from rnnlm.text.vocab import EOS

    unknown = UnknownWords(vocab, "prompt")
    ids = [i for line in prompt.split("\n") for i in (EOS, *vocab.ids(unknown.split(line)))]
    tell(unknown.note)
    return ids[1:]


def joined(prompt, text, vocab):
    """The prompt and the sampled text after it, with a blank between words."""
    between = prompt and text and not prompt.endswith("\n") and not text.startswith("\n")
    return prompt + (vocab.join(["", ""]) if between else "") + text
