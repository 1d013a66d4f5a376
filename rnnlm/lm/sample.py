"""Sampling text from a language model: one token after the other, many samples side by side.

Dimension letters: n samples side by side, K words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from rnnlm.nn.network import Network
from rnnlm.nn.ops import check_numbers
from rnnlm.nn.parallel import blocks, in_parallel
from rnnlm.nn.state import taken
from rnnlm.text.vocab import BOS, EOS, UNK, listed, readable

BATCH = 256  # samples side by side
LOGITS = 1 << 22  # the most logits at once, so that memory is bounded for any vocabulary
GROUP = 128  # words whose probabilities are added up before one of them is picked
PROMPT = 64  # tokens of a prompt read at a time


@dataclass(frozen=True)
class Choosing:
    """Sampling options: how the next token is drawn from the model's distribution p.

    temperature: draw from p^(1/temperature), renormalised; top_k: only from the k most likely tokens; top_p: only from
    the fewest that together have probability top_p (nucleus sampling, Holtzman et al. 2020). The temperature is applied
    first, then top_k, then top_p. greedy: always the most likely token. allow_unk: `<unk>` may be drawn.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    greedy: bool = False
    allow_unk: bool = False

    def draw(self, log_p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Token ids (n,) drawn from log-probabilities (n, K). Raises NumericalError if these are not numbers."""
        check_numbers(log_p[:, -1])  # if one of a row is none, none is
        ids, points = np.empty(len(log_p), int), rng.random(len(log_p))

        def rows_of(part):
            for b in blocks(part, log_p.shape[1]):  # so that each pass finds its numbers in the processor's cache
                ids[b] = self._draw(log_p[b].copy(), points[b])

        in_parallel(rows_of, len(log_p), each=16 * log_p.shape[1])  # an exponential costs as much as some products
        return ids

    def _draw(self, log_p: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Token ids (n,) from random points (n,) of [0, 1); log_p (n, K) is overwritten."""
        log_p[:, BOS] = -np.inf  # never predicted, so never trained
        if not self.allow_unk:
            log_p[:, UNK] = -np.inf
        if self.greedy:
            return log_p.argmax(axis=1)
        log_p -= log_p.max(axis=1, keepdims=True)
        if self.temperature != 1:
            with np.errstate(over="ignore"):  # the most likely has 0, whatever the temperature
                log_p = np.divide(log_p, self.temperature, dtype=float)
        if self.top_k is not None and self.top_k < log_p.shape[1]:
            least = np.partition(log_p, -self.top_k, axis=1)[:, -self.top_k]
            log_p[log_p < least[:, None]] = -np.inf
        p = np.exp(log_p, out=log_p)
        if self.top_p is not None:
            order = np.argsort(-p, axis=1, kind="stable")
            ranked = np.take_along_axis(p, order, axis=1).astype(float)
            enough = self.top_p * ranked.sum(axis=1, keepdims=True)
            ranked[ranked.cumsum(axis=1) - ranked >= enough] = 0  # more likely tokens have enough already
            np.put_along_axis(p, order, ranked, axis=1)
        return pick(p, points)


def pick(p: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The first k of each row with p_0 + ... + p_k > point * sum(p). p (n, K), not normalised; points (n,) of [0, 1).

    Sums over groups of words find the group, and only its words are added up one by one: running sums over all words
    would take longer than their exponentials.
    """
    starts, each = np.arange(0, p.shape[1], GROUP), np.arange(len(p))
    sums = np.add.reduceat(p, starts, axis=1, dtype=float)
    group, points = _first_above(sums, points * sums.sum(axis=1))
    words = starts[group][:, None] + np.arange(GROUP)
    inside = np.where(words < p.shape[1], np.take_along_axis(p, np.minimum(words, p.shape[1] - 1), axis=1), 0)
    return words[each, _first_above(inside, points)[0]]


def _first_above(p: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first k of each row with p_0 + ... + p_k > point, and point - (p_0 + ... + p_{k-1}). p (n, K)."""
    reach = p.cumsum(axis=1, dtype=float)
    points = np.minimum(points, np.nextafter(reach[:, -1], 0))  # rounding must not lead past the last word
    k = np.count_nonzero(reach <= points[:, None], axis=1)
    before = np.where(k > 0, np.take_along_axis(reach, np.maximum(k - 1, 0)[:, None], axis=1)[:, 0], 0)
    return k, points - before


@dataclass
class Sample:
    """A sampled text, without its prompt."""

    ids: list[int] = field(default_factory=list)
    log_p: float = 0.0  # natural log-probability under the model itself, whatever the options; </s> included
    finished: bool = False  # ended with </s>, which `ids` does not show

    def text(self, network: Network) -> str:
        """The sampled words as text; a sentence end within it is a line end."""
        vocab, ids = network.vocab, np.array([EOS, *self.ids])
        sentences = np.split(ids, np.flatnonzero(ids == EOS)[1:])
        return "\n".join(vocab.join(vocab.words[i] for i in sentence[1:]) for sentence in sentences)


def sample(
    network: Network,
    number: int,
    stream: bool,
    rng: np.random.Generator,
    choosing: Choosing | None = None,
    max_tokens: int = 200,
    prompt: Sequence[int] = (),
    sentences: bool = True,
) -> Iterator[Sample]:
    """Sample `number` continuations of a prompt of token ids, many side by side.

    stream: the network was trained on one continuous text, in which a sentence begins after `</s>`; otherwise it begins
    after `<s>`. sentences: a sample ends with `</s>`; otherwise every sample has max_tokens tokens. In the prompt, EOS
    ends a sentence, and OOV is read as `<unk>`. Raises NumericalError if probabilities are not numbers.
    """
    choosing = choosing or Choosing()
    start = EOS if stream else BOS
    ids = readable(np.array([EOS, *listed(prompt, "token ids")]))
    ids, after = np.where(ids == EOS, np.int32(start), ids), network.initial_state(1)
    for first in range(0, len(ids), PROMPT):
        log_p, after = network.log_probs(ids[first : first + PROMPT, None], after)
    batch = max(1, min(BATCH, LOGITS // len(network.vocab)))
    for first in range(0, number, batch):
        n = min(batch, number - first)
        p, state = np.repeat(log_p[-1], n, axis=0), taken(after, np.zeros(n, int))
        drawn, total = np.empty((max_tokens, n), int), np.zeros(n)  # ids, and their log p
        lengths = np.full(n, max_tokens)  # where </s> was drawn, if that ends a sample
        for t in range(max_tokens):
            ids = drawn[t] = choosing.draw(p, rng)
            total += np.where(t <= lengths, p[np.arange(n), ids], 0)
            if sentences:
                lengths[(ids == EOS) & (t < lengths)] = t
            if t + 1 == max_tokens or (lengths <= t).all():
                break
            inputs = np.where(ids == EOS, start, ids).astype(np.int32)
            (p,), state = network.log_probs(inputs[None], state)
        for i in range(n):
            yield Sample(drawn[: lengths[i], i].tolist(), float(total[i]), bool(lengths[i] < max_tokens))
