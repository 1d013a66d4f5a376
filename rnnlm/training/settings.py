"""The section `training` of a configuration."""

from __future__ import annotations

from dataclasses import dataclass

from rnnlm.config import Duration, option
from rnnlm.training.averaging import Average
from rnnlm.training.progress import MOST_RETRIES


@dataclass(frozen=True)
class Teacher:
    """Another language model, from whose predictions the network learns, too: see `rnnlm.nn.taught`."""

    model: str = option(doc="its model file or run directory; it has the same vocabulary")
    share: float = option(0.5, "share of the loss that its predictions have; the rest has the text", above=0, high=1)
    noisy: bool = option(True, "whether it predicts under dropout masks, as in its training")


@dataclass(frozen=True)
class Training:
    """How long to train, in which pieces, and how carefully."""

    epochs: int = option(10, "passes over the training text", low=1)
    batch: int = option(20, "B, sequences side by side", low=1)
    batches: list[int] = option(
        default_factory=list, doc="B in each of the first epochs, such as [16, 32]; `batch` in those after them", low=1
    )
    shares: int | None = option(
        None,
        "shares of a batch, so that any number of ranks computes the same numbers (null: one for each rank)",
        low=1,
    )
    window: int = option(35, "T, steps of a window of the stream, through which errors are followed back", low=1)
    jitter: int = option(0, "steps by which the end of a window is moved at random, at most", low=0)
    clip_norm: float | None = option(1.0, "longest gradient, by Euclidean norm (null: no limit)", above=0)
    clip_value: float | None = option(None, "largest element of a gradient (null: no limit)", above=0)
    average: Average | None = option(
        None, "mean of the weights, which is validated and saved in their place (null: the weights themselves)"
    )
    teacher: Teacher | None = option(
        None, "another model whose predictions are learnt, too; model.head: softmax, or cut as its own (null: none)"
    )
    dropout_warmup: float = option(0.0, "share of training in which dropout and noise grow from 0", low=0, high=1)
    validate_every: int | None = option(
        None, "updates between validations, of which the last in an epoch is at its end (null: that one alone)", low=1
    )
    patience: int | None = option(None, "stop after this many validations without a new best (null: never)", low=1)
    save_every: Duration = option(Duration(300.0), "time between checkpoints within an epoch", above=0)
    log_every: int | None = option(100, "updates between lines of log.jsonl about updates (null: none)", low=1)
    samples: int = option(2, "lines sampled after each validation", low=0)
    retries: int = option(
        3, "times that training, when it diverges, goes back to a checkpoint with half the learning rate",
        low=0, high=MOST_RETRIES,
    )  # fmt: skip

    def __post_init__(self):
        if 2 * self.jitter >= self.window:
            raise ValueError(f"jitter: expected less than half a window of {self.window} steps, found {self.jitter}")

    def batch_of(self, epoch: int) -> int:
        """B in an epoch, counted from 0."""
        return self.batches[epoch] if epoch < len(self.batches) else self.batch
