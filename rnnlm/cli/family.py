"""What `rnnlm eval` and `rnnlm predict` do for the models that are no language models, by their kind."""

from __future__ import annotations

import json
import math

import click

from rnnlm.errors import UsageError

# --- eval ----------------------------------------------------------------------------------------------------------


def evaluate(loaded, paths, as_json):
    """Figures of a model on texts of its kind, each read from the start."""
    from rnnlm.tasks.tasks import TASKS
    from rnnlm.text.lines import STDIN, text_name

    settings, model = loaded.config, loaded.network.model
    task = TASKS[settings.data.reading]
    for path in paths:
        if path == STDIN and settings.data.reading != "blanks":
            raise UsageError("<stdin>: the text is read more than once, which standard input cannot be", "name a file")
        corpus = task.encode([path], loaded.vocab, settings.data, model)
        batches = task.reading(corpus, settings.training.batch, 0).batches()
        figures, lines = FIGURES[model.kind](loaded.network, corpus, batches)
        if as_json:
            sizes = {"sentences": corpus.sentences, "words": corpus.words, "oovs": corpus.oovs}
            plain = {key: None if isinstance(x, float) and not math.isfinite(x) else x for key, x in figures.items()}
            row = {"model": str(loaded.path), "kind": model.kind, "file": text_name(path), **sizes, **plain}
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo(f"file {corpus.name}: {corpus.sentences} sentences, {corpus.words} words, {corpus.oovs} OOVs")
            for line in lines:
                click.echo(line)


def blanks(network, corpus, batches):
    """Pseudo-perplexity, and how often the likeliest word is the right one."""
    from rnnlm.tasks.measures import TOP
    from rnnlm.tasks.measures import blanks as measure

    e = measure(network, batches)
    known, words = max(e.known, 1), max(e.words, 1)
    figures = {
        "pppl": e.pppl, "accuracy": e.right_known / known, f"top{TOP}": e.top_known / known,
        "accuracy_with_ends": (e.right_known + corpus.sentences) / (e.known + corpus.sentences),
        "pppl_unk": e.pppl_unk, "accuracy_unk": e.right / words, f"top{TOP}_unk": e.top / words,
    }  # fmt: skip
    lines = [
        f"{name}pseudo-perplexity {figures['pppl' + unk]:.6g}   accuracy {figures['accuracy' + unk]:.2%}   "
        f"among {TOP} likeliest {figures[f'top{TOP}' + unk]:.2%}"
        for name, unk in (("", ""), ("# OOV as <unk>: ", "_unk"))
    ]
    return figures, [
        *lines,
        f"# accuracy as `eval --ranks` has it, counting sentence ends, too: {figures['accuracy_with_ends']:.2%}",
        "# each word from all others of its sentence, which tell where it ends; no perplexity",
    ]


def labels(network, corpus, batches):
    """Accuracy, a table of the classes, and which is taken for which."""
    import numpy as np

    from rnnlm.tasks.measures import confusion, exp_mean

    table, nats = confusion(network, batches)
    names, right, true, said = network.vocab.outputs.words, np.diag(table), table.sum(axis=1), table.sum(axis=0)
    n = int(table.sum())
    classes = []
    for name, r, t, s in zip(names, right.tolist(), true.tolist(), said.tolist()):
        precision, recall = r / s if s else None, r / t if t else None
        f1 = 2 * r / (s + t) if s + t else None
        classes.append(
            {"label": name, "precision": precision, "recall": recall, "f1": f1, "sentences": t, "predicted": s}
        )
    figures = {
        "accuracy": int(right.sum()) / n, "right": int(right.sum()), "ppl": exp_mean(nats, n), "nats": nats / n,
        "classes": classes, "confusion": table.tolist(),
    }  # fmt: skip
    most = int(true.argmax())
    return figures, [
        f"accuracy {figures['accuracy']:.2%} ({figures['right']} of {n})   ppl of the label {figures['ppl']:.4g}   "
        f"always {names[most]!r}: {true[most] / n:.2%}",
        "",
        *columns([["label", "precision", "recall", "F1", "sentences", "predicted"]]
                 + [[c["label"], *(percent(c[key]) for key in ("precision", "recall", "f1")), str(c["sentences"]),
                     str(c["predicted"])] for c in classes]),
        "",
        "rows: the true label; columns: the predicted one, by number",
        *columns([["", "", *(str(i) for i in range(1, len(names) + 1))]]
                 + [[name, str(i), *(str(x) if x else "." for x in row)]
                    for i, (name, row) in enumerate(zip(names, table.tolist()), 1)]),
    ]  # fmt: skip


def sentences(network, corpus, batches):
    """Exact match of what is written greedily, accuracy and perplexity of the true tokens."""
    from rnnlm.tasks.measures import written

    e = written(network, batches)
    figures = {
        "exact": e.exact, "exact_match": e.exact / e.sentences, "tokens": e.tokens,
        "token_accuracy": e.right / e.tokens, "ppl": e.ppl, "nats_per_token": e.nats / e.tokens,
    }  # fmt: skip
    return figures, [
        f"exact match {figures['exact_match']:.2%} ({e.exact} of {e.sentences})   "
        f"token accuracy {figures['token_accuracy']:.2%}   ppl {e.ppl:.6g}",
        "# exact match: written greedily; the others: each token after the true ones before it, </s> counted",
    ]


FIGURES = {"blank": blanks, "classifier": labels, "seq2seq": sentences, "vec2seq": sentences}

# --- predict -------------------------------------------------------------------------------------------------------

MAX_TOKENS = 200


def predict(loaded, text, k, beam, as_json):
    """The answers of a model to each line of a text, or to each row of a matrix."""
    kind = loaded.network.model.kind
    if beam is not None and kind == "classifier":
        raise UsageError("--beam: a classifier writes no sentences", "-k says how many labels are shown")
    if kind == "vec2seq":
        from rnnlm.tasks.examples import matrix_from, rows

        if text == "-":
            raise UsageError("vectors are read from a file, not from standard input", "name a matrix (.npy)")
        matrix = matrix_from(text, loaded.network.model.vector)
        for i in range(len(matrix)):
            answer(loaded.network, {"row": i + 1}, rows(matrix[i : i + 1]), beam, as_json)
        return
    from rnnlm.tasks import examples
    from rnnlm.text.lines import lines
    from rnnlm.text.vocab import OOV, UNK

    vocab = loaded.vocab.inputs
    for line in lines("-") if text == "-" else text.split("\n"):
        ids = [UNK if i == OOV else i for i in vocab.ids(vocab.split(line))]
        if kind == "classifier":
            classify(loaded, line, examples.sentences([ids]), k, as_json)
        elif ids:
            answer(loaded.network, {"source": line}, examples.sources([ids]), beam, as_json)
        else:
            click.echo("{}" if as_json else "")  # a line for every line


def classify(loaded, line, batch, k, as_json):
    """The likeliest labels of a sentence."""
    import numpy as np

    network = loaded.network
    p = np.exp(network.apply(network.model.label_log_probs, batch.shape, batch.inputs, batch.lengths)[0])
    best = [(network.vocab.outputs.words[i], float(p[i])) for i in np.argsort(-p, kind="stable")[:k]]
    if as_json:
        row = {"text": line, "labels": [{"label": label, "p": p} for label, p in best]}
        click.echo(json.dumps(row, ensure_ascii=False))
    else:
        click.echo("   ".join(f"{p:.4f} {label}" for label, p in best))


def answer(network, given, batch, beam, as_json):
    """The sentence that a model writes for the one thing that a batch gives; with a beam, the likeliest ones."""
    from rnnlm.tasks import decode

    if beam is None:
        found = decode.greedy(network, batch, MAX_TOKENS)
    else:
        found = decode.beam(network, batch, beam, MAX_TOKENS)
    rows = [(decode.words(network, one), one.log_p / math.log(10), one.finished) for one in found]
    if as_json:
        answers = [{"text": text, "logprob": log10, "finished": finished} for text, log10, finished in rows]
        click.echo(json.dumps(given | {"answers": answers}, ensure_ascii=False))
    elif beam is None:
        click.echo(rows[0][0])
    else:
        for text, log10, _ in rows:
            click.echo(f"{log10:.6f}\t{text}")
        click.echo()


# --- tables --------------------------------------------------------------------------------------------------------


def percent(x):
    return "-" if x is None else f"{x:.1%}"


def columns(rows):
    """Lines of a table, names to the left and numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:]))]
        yield "  ".join(cells).rstrip()
