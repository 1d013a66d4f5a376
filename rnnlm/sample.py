"""Text from a model: ancestral sampling, one word after the other, many samples side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rnnlm.models.base import Network
from rnnlm.vocab import BOS, EOS, UNK


@dataclass(frozen=True)
class Choosing:
    """How the next word is drawn from the model's distribution p.

    temperature: draw from p^(1/temperature), renormalised; top_k: only from the k likeliest words; top_p: only from the
    fewest words that together have probability p (Holtzman et al. 2020); greedy: always the likeliest.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    greedy: bool = False
    allow_unk: bool = False

    def draw(self, log_p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """log p (n, K) -> the ids drawn, (n,)."""
        log_p = log_p.astype(float)
        log_p[:, BOS] = -np.inf  # never predicted, so never trained
        if not self.allow_unk:
            log_p[:, UNK] = -np.inf
        if self.greedy:
            return log_p.argmax(axis=1)
        log_p /= self.temperature
        if self.top_k is not None and self.top_k < log_p.shape[1]:
            least = np.partition(log_p, -self.top_k, axis=1)[:, -self.top_k]
            log_p[log_p < least[:, None]] = -np.inf
        p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        if self.top_p is not None:
            order = np.argsort(-p, axis=1, kind="stable")
            ranked = np.take_along_axis(p, order, axis=1)
            ranked[ranked.cumsum(axis=1) - ranked >= self.top_p] = 0  # what is likelier already has enough
            np.put_along_axis(p, order, ranked, axis=1)
        cumulative = p.cumsum(axis=1)
        point = rng.random(len(p)) * cumulative[:, -1]
        return (cumulative > point[:, None]).argmax(axis=1)


@dataclass
class Sample:
    """A generated text, without the prompt."""

    ids: list[int] = field(default_factory=list)
    log_p: float = 0.0  # natural log-probability under the model itself, whatever the way of choosing
    finished: bool = False  # ended with </s>

    def text(self, network: Network) -> str:
        """The words; a sentence end within the text is a line end."""
        sentences, vocab = [[]], network.vocab
        for i in self.ids:
            if i == EOS:
                sentences.append([])
            else:
                sentences[-1].append(vocab.words[i])
        return "\n".join(vocab.join(words) for words in sentences)


def sample(
    network: Network,
    number: int,
    carried: bool,
    rng: np.random.Generator,
    choosing: Choosing | None = None,
    max_tokens: int = 200,
    prompt: Sequence[int] = (),
    sentences: bool = True,
) -> list[Sample]:
    """Draw `number` continuations of the prompt's ids as one batch.

    carried: whether the model was trained on a stream, in which a sentence starts after </s>, or on sentences, which
    start after <s>. sentences: stop a sample at </s>; otherwise every sample has max_tokens tokens.
    """
    choosing = choosing or Choosing()
    samples = [Sample() for _ in range(number)]
    inputs = np.array([EOS if carried else BOS, *prompt], np.int32)
    log_p, state = network.log_probs(np.repeat(inputs[:, None], number, axis=1), network.initial_state(number))
    for _ in range(max_tokens):
        ids = choosing.draw(log_p[-1], rng)
        for n, one in enumerate(samples):
            if not one.finished:
                one.log_p += float(log_p[-1, n, ids[n]])
                one.finished = sentences and ids[n] == EOS
                if not one.finished:
                    one.ids.append(int(ids[n]))
        if all(one.finished for one in samples):
            break
        log_p, state = network.log_probs(ids[None].astype(np.int32), state)
    return samples
