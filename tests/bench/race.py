"""Contenders that take turns, each in a process of its own.

So the threads, memory and environment of one do not touch those of another: rnnlm keeps the BLAS to one thread, PyTorch
gets all. The process that calls `race` imports no NumPy: the environment that it hands on is the user's.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import time
from typing import Any, NamedTuple

CORES = len(os.sched_getaffinity(0))
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
PAUSE = 0.05  # seconds between turns: idle threads of OpenMP and of a BLAS wait in busy loops before they sleep


class Work:
    """What a contender does, again and again. Subclasses get their data ready in `__init__`, outside the clock."""

    def __call__(self) -> int:
        """One unit of work; the number of items (tokens, products) that it was."""
        raise NotImplementedError

    def burst(self, seconds: float) -> Any:
        """Seconds per item, over as many units as fill `seconds`, and at least one; before them one to get warm."""
        self()
        items, start = 0, time.perf_counter()
        while True:
            items += self()
            elapsed = time.perf_counter() - start
            if elapsed >= seconds:
                return elapsed / items


class Contender(NamedTuple):
    """Who takes part."""

    work: str  # "module:name" of a `Work` in this package, imported only in the contender's process
    options: dict[str, Any] = {}  # what its constructor is called with
    blas_threads: int | None = None  # of NumPy's BLAS; None: as the environment says, or `rnnlm`


def race(contenders: dict[str, Contender], repeats: int, seconds: float) -> dict[str, list[Any]]:
    """What each contender's bursts of `seconds` returned, one per repeat: answer i of all is from one round of turns.

    Who begins changes from round to round; a first round is not counted. Raises RuntimeError when one fails.
    """
    spawn = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    try:
        for name, contender in contenders.items():
            pipes[name], end = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(end, contender), daemon=True)
            process.start()
            end.close()  # so that reading from a contender that has died fails
            processes.append(process)
        for name, pipe in pipes.items():
            _receive(name, pipe)
        answers: dict[str, list[Any]] = {name: [] for name in contenders}
        names = list(contenders)
        for turn in range(repeats + 1):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                time.sleep(PAUSE)
                pipes[name].send(seconds)
                answer = _receive(name, pipes[name])
                if turn:
                    answers[name].append(answer)
        return answers
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _receive(name, pipe):
    try:
        return pipe.recv()
    except (EOFError, ConnectionError):
        raise RuntimeError(f"{name}: its process ended; why should stand above") from None


def _serve(pipe, contender):
    """The contender's process: get ready, then a burst for every number of seconds received."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the first process, and that ends this one
    if contender.blas_threads:
        os.environ.update(dict.fromkeys(BLAS_THREADS, str(contender.blas_threads)))
    module, name = contender.work.split(":")
    work = getattr(importlib.import_module(f"tests.bench.{module}"), name)(**contender.options)
    pipe.send("ready")
    with contextlib.suppress(EOFError):
        while True:
            pipe.send(work.burst(pipe.recv()))
