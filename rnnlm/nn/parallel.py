"""Work shared out among threads: matrix products, sums into tables, passes over vectors, sequences through time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from rnnlm.nn.threads import threads

THREADS = threads()
BLOCK = 1 << 20  # numbers: few enough for the last cache, and so many that threads seldom meet at the lock
SMALL = 1 << 23  # multiply-adds, a quarter of a millisecond: for fewer, it does not pay to wake another thread
_thread = threading.local()  # .pooled: whether this thread is one of the pool's


def in_parallel(work: Callable[[slice], object], n: int, each: int = SMALL) -> None:
    """Run work(part) for slices that cover range(n), one per thread: NumPy releases the interpreter lock in its loops.

    each: multiply-adds of one of the n. Little work is left to one thread: waking up another takes longer (K = 65,
    H = 128, 20 x 35: a step of 4.8 ms with SMALL as it is, of 6.0 ms with an eighth of it). A part that calls
    in_parallel itself does all of that in its own thread. NumPy treats floating-point errors in all parts as in the
    caller (`np.errstate`). An exception in a part is raised here, when all other parts have come to their end.

    Matrix products are cut here too, and the BLAS is kept to one thread (see `rnnlm.nn.threads`): its own threads wait
    for each other in busy loops, and where anything else runs on the machine that made training up to 20 times slower.
    So a product and the element-wise passes over its result also stay on one core, in one cache.
    """
    if n == 0:
        return
    number = min(THREADS, n) if n * each >= SMALL and not getattr(_thread, "pooled", False) else 1
    if number == 1:
        work(slice(0, n))
        return
    # The BLAS computes rows by fours: 10 rows by (400, 1600) take it as long as 12.
    fours = 4 if n >= 4 * number else 1
    cuts = [0, *(-(-n * i // (number * fours)) * fours for i in range(1, number)), n]
    first, *rest = (slice(*cut) for cut in zip(cuts, cuts[1:]))
    errstate: Any = {"call": np.geterrcall(), **np.geterr()}  # belongs to a thread

    def with_errstate(part):
        with np.errstate(**errstate):
            work(part)

    others = [_pool().submit(with_errstate, part) for part in rest]
    try:
        work(first)
    finally:
        errors = [other.exception() for other in others]  # waits: nobody writes any more when this function is left
    for error in filter(None, errors):
        raise error


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, initializer=lambda: setattr(_thread, "pooled", True))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a process inherits no threads


def through_time(steps: Callable[[slice], object], B: int, W: np.ndarray) -> None:
    """Run steps(part) for slices of a batch of B sequences, each through all T steps of its own.

    W is what one step multiplies by. Threads wake up once for all steps, so a quarter of the work will do; but where a
    step is short they wait for each other's interpreter lock, and one does it all.
    """
    in_parallel(steps, B, each=4 * W.size)


def blocks(part: slice, width: int) -> Iterator[slice]:
    """Slices that cover `part`, of about BLOCK numbers each, where a row has `width` of them."""
    step = max(1, BLOCK // width)
    return (slice(i, min(i + step, part.stop)) for i in range(part.start, part.stop, step))


def product(A: np.ndarray, B: np.ndarray, out: np.ndarray) -> None:
    """Product A B, rows shared out among the threads. A (n, m), B (m, k), out (n, k)."""
    in_parallel(lambda part: np.dot(A[part], B, out=out[part]), len(A), each=B.size)


def add_product(A: np.ndarray, B: np.ndarray, out: np.ndarray) -> None:
    """Add the product A B to `out`, rows shared out among the threads. A (n, m), B (m, k), out (n, k)."""

    def add(part):
        out[part] += A[part] @ B

    in_parallel(add, len(A), each=B.size)


def scatter_add(table: np.ndarray, ids: np.ndarray, values: np.ndarray) -> None:
    """Add values (N, D) to the rows ids (N,) of a table (K, D): table[ids[n]] += values[n], equal ids adding up."""
    K, N = len(table), len(ids)
    if K <= 256:  # a small vocabulary: one product with the one-hot rows themselves; above, sorting is faster
        onehot = np.zeros((K, N), table.dtype)
        onehot[ids, np.arange(N)] = 1
        add_product(onehot, values, out=table)
    elif N:  # sum the runs of equal ids, then one addition per different id
        order = np.argsort(ids, kind="stable")
        run = ids[order]
        starts = np.flatnonzero(np.r_[True, run[1:] != run[:-1]])
        ends = np.r_[starts[1:], N]

        def add_runs(part):
            first, last = starts[part.start], ends[part.stop - 1]
            sums = np.add.reduceat(values[order[first:last]], starts[part] - first, axis=0)
            table[run[starts[part]]] += sums

        in_parallel(add_runs, len(starts))
