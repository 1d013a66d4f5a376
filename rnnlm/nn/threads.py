"""How many threads work, decided before NumPy is loaded, since its BLAS reads the environment once.

The threads are ours (`rnnlm.nn.ops.in_parallel`) and the BLAS gets one, unless the environment says otherwise or NumPy
was loaded first: then products are left to the BLAS and its threads, and ours is one.
"""

import os
import sys

BLAS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
OURS = "RNNLM_THREADS"

if "numpy" not in sys.modules and not any(os.environ.get(name) for name in BLAS):
    os.environ.update(dict.fromkeys(BLAS, "1"))


def set_threads(number: int) -> None:
    """Compute with this many threads; to be called before the first computation."""
    os.environ[OURS] = str(number)


def threads() -> int:
    """The number of threads to compute with: as told, or the cores at hand."""
    if os.environ.get(BLAS[0]) != "1":
        return 1
    told = os.environ.get(OURS, "")
    if told.isdigit() and int(told):
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
