"""One reader, many inputs: counts, or the first finding."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import tempfile
import warnings
from collections.abc import Iterable, Iterator

from rnnlm.errors import RnnlmError
from tests.fuzz.readers import Readers

SECONDS = 10  # an input that takes longer has hung


class Finding(Exception):
    """What a reader did to an input, and how to do it again."""


@contextlib.contextmanager
def readers() -> Iterator[Readers]:
    """The readers, in a folder that goes away."""
    before = os.getcwd()
    cache = os.environ.get("RNNLM_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["RNNLM_CACHE"] = os.path.join(folder, "cache")
        try:
            with warnings.catch_warnings():
                yield Readers()
        finally:
            os.chdir(before)
            os.environ.pop("RNNLM_CACHE")
            if cache is not None:
                os.environ["RNNLM_CACHE"] = cache


def fuzz(all_readers: Readers, name: str, seeds: Iterable[int]) -> tuple[int, int]:
    """-> how many inputs were read, and how many were refused. Raises Finding at the first that did something else."""
    read = refused = 0

    def hang(*_):
        raise TimeoutError(f"no answer after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hang)
    try:
        for seed in seeds:
            signal.alarm(SECONDS)
            try:
                getattr(all_readers, name)(random.Random(seed))
                read += 1
            except RnnlmError as error:
                if not error.message or "\0" in error.message:
                    raise Finding(f"python -m tests.fuzz {name} --seed {seed} --inputs 1") from error
                refused += 1
            except Exception as error:
                raise Finding(f"python -m tests.fuzz {name} --seed {seed} --inputs 1") from error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return read, refused
