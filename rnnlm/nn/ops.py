"""Array operations that layers share, each beside its backward.

Letters: T time steps, B sequences, N = T B rows, D inputs, H outputs, K words. Arrays are time-major.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import NamedTuple

import numpy as np

from rnnlm.errors import NumericalError
from rnnlm.nn.threads import threads

THREADS = threads()
BLOCK = 1 << 20  # numbers: few enough for the last cache, and so many that threads seldom meet at the lock
SMALL = 1 << 23  # multiply-adds, a quarter of a millisecond: for fewer, it does not pay to wake another thread


def rows(x: np.ndarray) -> np.ndarray:
    """(T, B, D) -> (T B, D), without a copy: one row per token."""
    return x.reshape(-1, x.shape[-1])


def project(x: np.ndarray, U: np.ndarray, out: np.ndarray) -> None:
    """out = x U for every time step at once. x: ids (T, B), which stand for one-hot rows, or vectors (T, B, D)."""
    if x.dtype.kind == "i":
        np.take(U, x, axis=0, out=out, mode="clip")  # clip: with the default mode NumPy buffers the whole output
    else:
        product(rows(x), U, out=rows(out))


def project_backward(x: np.ndarray, da: np.ndarray, U: np.ndarray, dU: np.ndarray, dx: np.ndarray | None) -> None:
    """The backward of a = x U: adds x^T da into dU; writes da U^T into dx, which is None where x are ids."""
    if x.dtype.kind == "i":
        scatter_add(dU, x.ravel(), rows(da))
    else:
        add_product(rows(x).T, rows(da), out=dU)
    if dx is not None:
        product(rows(da), U.T, out=rows(dx))


def scatter_add(table: np.ndarray, ids: np.ndarray, values: np.ndarray) -> None:
    """table[ids[n]] += values[n] for every n, equal ids adding up. table (K, D), ids (N,), values (N, D)."""
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
            if part.start < part.stop:
                first, last = starts[part.start], ends[part.stop - 1]
                sums = np.add.reduceat(values[order[first:last]], starts[part] - first, axis=0)
                table[run[starts[part]]] += sums

        in_parallel(add_runs, len(starts))


def in_parallel(work: Callable[[slice], object], n: int, each: int = SMALL) -> None:
    """work(part) for slices that cover range(n), one per thread: NumPy lets go of the interpreter lock in its loops.

    each: multiply-adds of one of the n. Little work is left to one thread: waking up another takes longer (K = 65,
    H = 128, 20 x 35: a step of 4.8 ms with SMALL as it is, of 6.0 ms with an eighth of it).

    Matrix products are cut here too, and the BLAS is kept to one thread (see `rnnlm.nn.threads`): its own threads wait
    for each other in busy loops, and where anything else runs on the machine that made training up to 20 times slower.
    So a product and the element-wise passes over its result also stay on one core, in one cache.
    """
    if n == 0:
        return
    number = min(THREADS, n) if n * each >= SMALL else 1
    # The BLAS computes rows by fours: 10 rows by (400, 1600) take it as long as 12.
    fours = 4 if n >= 4 * number else 1
    cuts = [0, *(-(-n * i // (number * fours)) * fours for i in range(1, number)), n]
    parts = [slice(*cut) for cut in zip(cuts, cuts[1:])]
    others = [_pool().submit(work, part) for part in parts[1:]]
    work(parts[0])
    for other in others:
        other.result()


def blocks(part: slice, width: int) -> Iterator[slice]:
    """Slices that cover `part`, of about BLOCK numbers each, where a row has `width` of them."""
    step = max(1, BLOCK // width)
    return (slice(i, min(i + step, part.stop)) for i in range(part.start, part.stop, step))


def through_time(steps: Callable[[slice], object], B: int, W: np.ndarray) -> None:
    """steps(part) for slices of a batch of B sequences, which know nothing of each other: all T steps of their own.

    W is what one step multiplies by. Threads wake up once for all steps, so a quarter of the work will do; but where a
    step is short they wait for each other's interpreter lock, and one does it all.
    """
    in_parallel(steps, B, each=4 * W.size)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=THREADS)


def product(A: np.ndarray, B: np.ndarray, out: np.ndarray) -> None:
    """out = A B, rows shared out among the threads. A (n, m), B (m, k), out (n, k)."""
    in_parallel(lambda part: np.dot(A[part], B, out=out[part]), len(A), each=B.size)


def add_product(A: np.ndarray, B: np.ndarray, out: np.ndarray) -> None:
    """out += A B, likewise."""

    def add(part):
        out[part] += A[part] @ B

    in_parallel(add, len(A), each=B.size)


class Activation(NamedTuple):
    """An elementwise f and its slope f'(a), told by the output h = f(a). Both write into `out`."""

    apply: Callable[..., None]
    slope: Callable[..., None]


def _relu(a, out):
    np.maximum(a, 0, out=out)


def _relu_slope(h, out):
    np.greater(h, 0, out=out, casting="unsafe")


def _sigmoid(a, out):
    # tanh saturates quietly where exp(-a) would overflow
    np.multiply(a, 0.5, out=out)
    np.tanh(out, out=out)
    out += 1
    out *= 0.5


def _sigmoid_slope(h, out):
    np.subtract(1, h, out=out)
    out *= h


def _tanh_slope(h, out):
    np.multiply(h, h, out=out)
    np.subtract(1, out, out=out)


def _identity(a, out):
    if out is not a:
        out[...] = a


def _identity_slope(h, out):
    out[...] = 1


ACTIVATIONS = {
    "tanh": Activation(np.tanh, _tanh_slope),
    "relu": Activation(_relu, _relu_slope),
    "sigmoid": Activation(_sigmoid, _sigmoid_slope),
    "identity": Activation(_identity, _identity_slope),
}


def dropout_mask(rate: float, rng: np.random.Generator | None, out: np.ndarray) -> None:
    """Fill `out` with 0 (probability `rate`) and 1 / (1 - rate), which keeps the mean; without `rng`, with ones."""
    if rng is None:
        out[...] = 1
    else:
        np.greater_equal(rng.random(out.shape, dtype=out.dtype), rate, out=out, casting="unsafe")
        out /= 1 - rate


def check_numbers(log_p: np.ndarray) -> None:
    """Raises NumericalError if some are not numbers, which is what weights that are too large come to."""
    if np.isnan(log_p).any():
        raise NumericalError(
            "the model's probabilities: found some that are not numbers, expected that they add up to 1",
            "its weights are too large: train again, with a lower learning rate",
        )
