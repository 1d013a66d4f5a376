"""Cross-entropy, and its exponential, the perplexity."""

from __future__ import annotations

import math
from typing import NamedTuple


class Loss(NamedTuple):
    """Cross-entropy of some tokens. Losses add up, so that averages are never averaged."""

    nats: float = 0.0  # sum of -log p over the tokens
    tokens: float = 0.0
    oov_nats: float = 0.0  # the part of it of words out of the vocabulary, where these are told apart
    oovs: float = 0.0  # how many of the tokens they are

    def __add__(self, other):  # type: ignore[override]
        return Loss(*(a + b for a, b in zip(self, other)))

    @property
    def mean(self) -> float:
        """Cross-entropy in nats per token."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def bits(self) -> float:
        """Cross-entropy in bits per token."""
        return self.mean / math.log(2)

    @property
    def perplexity(self) -> float:
        """Perplexity: exp(nats per token)."""
        return exp_mean(self.nats, self.tokens)

    @property
    def known(self) -> Loss:
        """Cross-entropy of the tokens without those out of the vocabulary."""
        return Loss(self.nats - self.oov_nats, self.tokens - self.oovs)


def exp_mean(nats: float, tokens: float) -> float:
    """Perplexity exp(nats / tokens): nan without tokens, inf where it is too large for a float."""
    mean = nats / tokens if tokens > 0 else math.nan
    return math.exp(mean) if not mean > 700 else math.inf  # nan stays nan


def finite(x: float) -> float | None:
    """`x`, or None where it is not finite: JSON has no name for infinity."""
    return x if math.isfinite(x) else None


def figure(ppl: float, digits: int = 2) -> str:
    """A perplexity, for people, in at most ten characters: 84.15, 3.2e+211, inf."""
    return f"{ppl:.{digits}f}" if ppl < 1e7 else f"{ppl:.3g}"
