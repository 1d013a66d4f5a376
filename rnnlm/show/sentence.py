"""A network unrolled over a sentence: figures of each step, for the commands that show them."""

from __future__ import annotations

from collections.abc import Iterator

from rnnlm.errors import UsageError
from rnnlm.loading import Loaded
from rnnlm.tasks.unrolled import Unrolled


def unrolled(loaded: Loaded, text: str, k: int = 5, line: int | None = None) -> Iterator[Unrolled]:
    """The network of a model unrolled over each line of a text ("-": standard input), or over one line, from 1.

    k: predictions in each place. Raises UsageError for a line that does not exist, and as `Task.unroll` does.
    """
    number = 0
    for number, example in enumerate(loaded.task.examples(loaded.network, text), 1):
        if line in (None, number):
            yield loaded.task.unroll(loaded.network, example, k)
        if line == number:
            return
    if line is not None:
        raise UsageError(f"--line {line}: the text has {number} lines", "the first line has number 1")
