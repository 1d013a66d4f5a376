"""How many threads compute. This module loads no NumPy: a BLAS reads its environment once, when it is loaded.

Work is shared out among threads in `rnnlm.nn.parallel`. Then the BLAS has to keep to one thread, or the two numbers
multiply. The command line arranges that (`own_threads`). A program that imports rnnlm decides for itself: rnnlm leaves
its environment alone, computes with one thread, and leaves products to those of the BLAS. To have the threads of rnnlm
instead, call `own_threads` before NumPy is loaded, or set RNNLM_THREADS=4 and OPENBLAS_NUM_THREADS=1 (with MKL:
MKL_NUM_THREADS=1) in the environment.
"""

import os
import sys

BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
OURS = "RNNLM_THREADS"


def own_threads() -> None:
    """Share out work among the threads of rnnlm, and keep the BLAS to one: has no effect once NumPy is loaded.

    Their number is RNNLM_THREADS, otherwise the number that the environment gives to the BLAS, otherwise that of the
    cores that this process may use.
    """
    if "numpy" not in sys.modules:
        given = [os.environ.get(name, "") for name in (OURS, *BLAS)]
        numbers = [int(number) for number in given if number.isdecimal() and int(number)]
        set_threads(numbers[0] if numbers else _cores())
        os.environ.update(dict.fromkeys(BLAS, "1"))


def set_threads(number: int) -> None:
    """Compute with this many threads of rnnlm: to be called before the first import of `rnnlm.nn.parallel`."""
    os.environ[OURS] = str(number)


def threads() -> int:
    """Number of threads among which rnnlm shares out work: RNNLM_THREADS, or 1."""
    number = os.environ.get(OURS, "")
    return int(number) if number.isdecimal() and int(number) else 1


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
