"""One reader, many inputs: counts, or the first finding."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import tempfile
import warnings
from collections.abc import Iterable, Iterator

from rnnlm.errors import RnnlmError, TextWarning
from tests.fuzz.readers import Readers

SECONDS = 10  # of processor time: an input that takes more has hung
MINUTES = 10  # so has one that is waiting still, for a pipe perhaps


class Finding(Exception):
    """What a reader did to an input, and how to do it again."""


@contextlib.contextmanager
def readers() -> Iterator[Readers]:
    """The readers, in a folder that goes away."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Readers()
        finally:
            os.chdir(before)


def fuzz(all_readers: Readers, name: str, seeds: Iterable[int]) -> tuple[int, int]:
    """-> how many inputs were read, and how many were refused. Raises Finding at the first that did something else.

    Hanging is measured in the processor time of this process: on a machine that is busy with other things, the clock on
    the wall would call a process hung that nobody lets run. The clock is asked only about inputs that wait for minutes.
    """
    read = refused = 0

    def hang(*_):
        raise TimeoutError(f"no answer after {SECONDS} s of processor time, or {MINUTES} minutes of waiting")

    before = {number: signal.signal(number, hang) for number in (signal.SIGPROF, signal.SIGALRM)}
    try:
        for seed in seeds:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.setitimer(signal.ITIMER_REAL, 60 * MINUTES)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", TextWarning)  # an answer, as a refusal is
                    getattr(all_readers, name)(random.Random(seed))
                read += 1
            except RnnlmError as error:
                if not clear(error):
                    raise Finding(f"python -m tests.fuzz {name} --seed {seed} --inputs 1") from error
                refused += 1
            except Exception as error:
                raise Finding(f"python -m tests.fuzz {name} --seed {seed} --inputs 1") from error
    finally:
        for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
    return read, refused


def clear(error: RnnlmError) -> bool:
    """Whether a terminal shows a line for each mistake, and a hint."""
    lines = [*error.message.split("\n"), error.hint]
    return all(line.strip() and line.isprintable() for line in lines)
