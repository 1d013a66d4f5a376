"""Text from a model: ancestral sampling, one token after the other, many samples side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnlm.models.base import Network
from rnnlm.vocab import BOS, EOS, OOV, UNK

BATCH = 100  # samples side by side
LOGITS = 1 << 22  # but so many scores at most, so that memory is bounded for any vocabulary
PROMPT = 64  # tokens of a prompt read at a time


@dataclass(frozen=True)
class Choosing:
    """How the next token is drawn from the model's distribution p.

    temperature: draw from p^(1/temperature), renormalised; top_k: only from the k likeliest tokens; top_p: only from
    the fewest that together have probability p (Holtzman et al. 2020); greedy: always the likeliest. The temperature
    comes first, then top_k, then top_p.
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
        log_p -= log_p.max(axis=1, keepdims=True)
        with np.errstate(over="ignore"):  # the likeliest stands at 0, whatever the temperature
            log_p /= self.temperature
        if self.top_k is not None and self.top_k < log_p.shape[1]:
            least = np.partition(log_p, -self.top_k, axis=1)[:, -self.top_k]
            log_p[log_p < least[:, None]] = -np.inf
        p = np.exp(log_p)
        if self.top_p is not None:
            order = np.argsort(-p, axis=1, kind="stable")
            ranked = np.take_along_axis(p, order, axis=1)
            enough = self.top_p * ranked.sum(axis=1, keepdims=True)
            ranked[ranked.cumsum(axis=1) - ranked >= enough] = 0  # what is likelier already has enough
            np.put_along_axis(p, order, ranked, axis=1)
        cumulative = p.cumsum(axis=1)
        point = rng.random(len(p)) * cumulative[:, -1]
        return (cumulative > point[:, None]).argmax(axis=1)


@dataclass
class Sample:
    """A generated text, without the prompt."""

    ids: list[int] = field(default_factory=list)
    log_p: float = 0.0  # natural log-probability under the model itself, however it was chosen; </s> included
    finished: bool = False  # ended with </s>, which `ids` does not show

    def text(self, network: Network) -> str:
        """The words; a sentence end within the text is a line end."""
        sentences: list[list[str]] = [[]]
        for i in self.ids:
            if i == EOS:
                sentences.append([])
            else:
                sentences[-1].append(network.vocab.words[i])
        return "\n".join(network.vocab.join(words) for words in sentences)


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
    """Draw `number` continuations of the prompt's ids, many side by side.

    stream: the network was trained on one continuous text, in which a sentence begins after `</s>`; otherwise it begins
    after `<s>`. sentences: a sample ends with `</s>`; otherwise every sample has max_tokens tokens. In the prompt, EOS
    ends a sentence, and OOV is read as `<unk>`.
    """
    choosing = choosing or Choosing()
    start = EOS if stream else BOS
    ids = np.array([EOS, *prompt], np.int32)
    ids[ids == OOV] = UNK
    log_p, after = _read(network, np.where(ids == EOS, start, ids))
    batch = max(1, min(BATCH, LOGITS // len(network.vocab)))
    for first in range(0, number, batch):
        samples = [Sample() for _ in range(min(batch, number - first))]
        p, state = np.repeat(log_p, len(samples), axis=0), _repeat(after, len(samples))
        for remaining in reversed(range(max_tokens)):
            ids = choosing.draw(p, rng)
            for n, one in enumerate(samples):
                if not one.finished:
                    one.log_p += float(p[n, ids[n]])
                    one.finished = bool(sentences and ids[n] == EOS)
                    if not one.finished:
                        one.ids.append(int(ids[n]))
            if not remaining or all(one.finished for one in samples):
                break
            inputs = np.where(ids == EOS, start, ids).astype(np.int32)
            (p,), state = network.log_probs(inputs[None], state)
        yield from samples


def _read(network: Network, ids: np.ndarray) -> tuple[np.ndarray, Any]:
    """Ids (n,) -> log p of what comes after the last, (1, K), and the state there."""
    state = network.initial_state(1)
    for first in range(0, len(ids), PROMPT):
        log_p, state = network.log_probs(ids[first : first + PROMPT, None], state)
    return log_p[-1], state


def _repeat(state: Any, n: int) -> Any:
    """The state of one sequence, for n sequences."""
    return tuple(_repeat(part, n) for part in state) if isinstance(state, tuple) else np.repeat(state, n, axis=0)
