"""What a training reports: its updates, its validations, and why it is over."""

from __future__ import annotations

from typing import NamedTuple

from rnnlm.nn.heads import Loss


class Update(NamedTuple):
    """One step of training."""

    loss: Loss
    norm: float  # of the gradient before clipping
    clipped: bool
    lr: float


class Validation(NamedTuple):
    """A measurement on the validation text."""

    epoch: float  # passes made, with a fraction within an epoch
    step: int
    train: Loss  # mean over the steps since the last validation, dropout included
    valid: Loss
    lr: float  # of the last step
    clipped: float  # share of clipped steps since the last validation
    best: bool
    rolled_back: bool
    seconds: float
    samples: tuple[str, ...] = ()  # lines drawn from the model, where a run directory is kept


class End(NamedTuple):
    """Why training is over."""

    reason: str
    option: str | None  # a larger value of it lets training go on; None: --resume cannot change the rule
