"""How many threads work, decided before NumPy is loaded, since its BLAS reads the environment once.

The threads are ours (`rnnlm.ops.in_parallel`) and the BLAS gets one, unless the environment says otherwise or NumPy was
loaded first: then products are left to the BLAS and its threads, and ours is one.
"""

import os
import sys

VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
CHOSEN = "RNNLM_THREADS"

if "numpy" not in sys.modules and not any(name in os.environ for name in VARIABLES):
    os.environ.update(dict.fromkeys(VARIABLES, "1"))

THREADS = 1
if os.environ.get(VARIABLES[0]) == "1":
    told = os.environ.get(CHOSEN, "")
    THREADS = int(told) if told.isdigit() and int(told) else len(os.sched_getaffinity(0))
