"""Sentences from a model with a decoder, found greedily or by beam search; what tasks with such models share.

Letters as in `rnnlm.nn.models.decoder`: B sentences side by side, N hypotheses of a beam, K words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnlm.errors import UsageError
from rnnlm.lm.network import likeliest
from rnnlm.lm.perplexity import rank
from rnnlm.nn.heads.loss import exp_mean
from rnnlm.nn.network import Network
from rnnlm.nn.state import taken
from rnnlm.nn.watch import Seen
from rnnlm.tasks.base import Answer, Task, text_of
from rnnlm.tasks.unrolled import Prediction, Side, chains, known
from rnnlm.text.vocab import BOS, EOS

MAX_TOKENS = 200  # of an answer


@dataclass
class Hypothesis:
    """A sentence from a decoder, or the beginning of one."""

    ids: list[int] = field(default_factory=list)  # without </s>
    log_p: float = 0.0  # natural log-probability, </s> included
    finished: bool = False  # ended with </s>


def greedy(network: Network, batch: Any, max_tokens: int) -> list[Hypothesis]:
    """A sentence for each example of a batch, always the likeliest word next. The batch's targets are not used."""
    state, c = network.apply(network.model.begin, batch.shape, batch)
    B = batch.shape[-1]
    ids, found = np.full(B, BOS, np.int32), [Hypothesis() for _ in range(B)]
    for _ in range(max_tokens):
        log_p, state = _next(network, batch, ids, state, c)
        ids = log_p.argmax(axis=1).astype(np.int32)
        for b, one in enumerate(found):
            if not one.finished:
                one.log_p += float(log_p[b, ids[b]])
                one.finished = bool(ids[b] == EOS)
                if not one.finished:
                    one.ids.append(int(ids[b]))
        if all(one.finished for one in found):
            break
    return found


def beam(network: Network, batch: Any, width: int, max_tokens: int) -> list[Hypothesis]:
    """The best `width` sentences for the one example of a batch, likeliest first; fewer if there are no more.

    At every step the `width` likeliest hypotheses are kept. The search ends when none of them is as likely as the last
    of `width` finished sentences, for it can only become less likely. Sentences of different lengths are compared by
    their probability as it is.
    """
    state, c = network.apply(network.model.begin, batch.shape, batch)
    ids, alive = np.array([BOS], np.int32), [Hypothesis()]
    done: list[Hypothesis] = []
    for _ in range(max_tokens):
        log_p, state = _next(network, batch, ids, state, c)
        total = log_p.astype(float) + np.array([[one.log_p] for one in alive])
        best = np.argsort(-total, axis=None, kind="stable")[: 2 * width]  # of which no more than `width` can end here
        kept: list[int] = []
        longer: list[Hypothesis] = []
        for n, word in zip(*np.unravel_index(best, total.shape)):
            score = float(total[n, word])
            if math.isinf(score):  # <s>, and what else cannot follow: a wide beam sees that, too
                break
            if word == EOS:
                done.append(Hypothesis(alive[n].ids, score, finished=True))
            elif len(longer) < width:
                longer.append(Hypothesis([*alive[n].ids, int(word)], score))
                kept.append(int(n))
        done = sorted(done, key=lambda one: -one.log_p)[:width]
        alive, ids = longer, np.array([one.ids[-1] for one in longer], np.int32)
        if not alive or (len(done) == width and alive[0].log_p <= done[-1].log_p):
            break
        state, c = taken(state, kept), None if c is None else c[kept]
    return sorted(done + alive, key=lambda one: (not one.finished, -one.log_p))[:width]


def _next(network: Network, batch: Any, ids: np.ndarray, state: Any, c: np.ndarray | None) -> Any:
    """One step of the decoder: log p (B, K) after ids (B,), where that of `<s>` is -inf, and the state."""
    shape = (*(1 for _ in batch.shape[:-1]), len(ids))
    log_p, state = network.apply(network.model.next, shape, ids, state, c)
    log_p[:, BOS] = -np.inf
    return log_p, state


# --- tasks ---------------------------------------------------------------------------------------------------------


def count(network: Network, batches: Iterable[Any]) -> Mapping[str, float]:
    """Counts for a model with a decoder, over all batches, by name.

    sentences; exact: those that greedy decoding (of at most twice as many tokens as the longest has) finds word for
    word; tokens, </s> included; right: those that are the likeliest after the true ones before them; nats: sum of their
    -log p.
    """
    total: Counter[str] = Counter()
    for batch in batches:
        targets = batch.targets
        valid = np.ones(targets.shape, bool) if batch.weights is None else batch.weights > 0
        log_p = network.target_log_probs(batch).reshape(targets.size, -1)
        true, real = targets.ravel(), valid.ravel()
        nats = -float(log_p[np.arange(len(true)), true][real].sum(dtype=float))
        right = int((rank(log_p, true, never=())[real] == 1).sum())
        sentences = [targets[:n, b].tolist() for b, n in enumerate(valid.sum(axis=0) - 1)]
        found = greedy(network, batch, 2 * len(targets))
        exact = sum(one.finished and one.ids == ids for one, ids in zip(found, sentences))
        total.update(sentences=len(found), exact=exact, tokens=batch.tokens, right=right, nats=nats)  # type: ignore
    return total


class Decoding(Task):
    """Base of the tasks whose models have a decoder."""

    def evaluate(self, network, corpus, batch):
        """Exact match of greedily decoded sentences; accuracy and perplexity of the true tokens."""
        e = count(network, self.batcher(corpus, batch, 0).batches())
        sentences, tokens = e["sentences"], e["tokens"]
        return {
            "exact": e["exact"], "exact_match": e["exact"] / sentences, "tokens": tokens,
            "token_accuracy": e["right"] / tokens, "ppl": exp_mean(e["nats"], tokens),
            "nats_per_token": e["nats"] / tokens, "sentences": sentences,
        }  # fmt: skip

    def report(self, figures):
        return [
            f"exact match {figures['exact_match']:.2%} ({figures['exact']} of {figures['sentences']})   "
            f"token accuracy {figures['token_accuracy']:.2%}   ppl {figures['ppl']:.6g}",
            "# exact match: written greedily; the others: each token after the true ones before it, </s> counted",
        ]

    def predict(self, network, text, k, beam):
        """One sentence for each question, or the best ones of a beam search."""
        if k is not None:
            raise UsageError(f"-k {k}: this model writes whole answers", "--beam N shows the N best")
        for question, batch, note in self.questions(network, text):
            found = Answer({}, [""]) if batch is None else answer(network, question, batch, beam)
            yield found._replace(note=note)

    def questions(self, network: Network, text: str) -> Iterator[tuple[dict[str, Any], Any, str]]:
        """Questions of a text, or of a file: for each a JSON object, a batch (None if there is none) and a note."""
        raise NotImplementedError


def decoder_side(network: Network, batch: Any, tokens: list[str], bits: np.ndarray, seen: list[Seen], k: int) -> Side:
    """The decoder, which reads `<s>` and a target: a batch of it, its words, and -log2 p of each and its end (T, 1)."""
    words = network.vocab.outputs
    log_p = network.target_log_probs(batch)[:, 0]
    log_p[:, BOS] = -np.inf
    came = [*tokens, words.words[EOS]]
    said = [
        Prediction(likeliest(row, words.words, k), word, float(cost))
        for row, word, cost in zip(log_p, came, bits[:, 0])
    ]
    own = [one for one in seen if one.path[0] == "decoder"]
    return Side("decoder", [words.words[BOS], *tokens], [True, *known(tokens, words)], chains(own), said, ahead=True)


def answer(network: Network, question: dict[str, Any], batch: Any, width: int | None) -> Answer:
    """Answer to the one example of a batch: the sentence found greedily, or the best `width` of a beam search."""
    found = greedy(network, batch, MAX_TOKENS) if width is None else beam(network, batch, width, MAX_TOKENS)
    rows = [(text_of(network.vocab.outputs, one.ids), one.log_p / math.log(10), one.finished) for one in found]
    answers = [{"text": text, "logprob": log10, "finished": finished} for text, log10, finished in rows]
    lines = [rows[0][0]] if width is None else [*(f"{log10:.6f}\t{text}" for text, log10, _ in rows), ""]
    return Answer({**question, "answers": answers}, lines)
