"""Work among threads: every part once, floating-point errors as in the caller, no thread that waits for itself."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from rnnlm.nn import parallel
from rnnlm.nn.parallel import add_product, in_parallel, product, scatter_add

D = 5


@pytest.mark.parametrize(
    ("table_rows", "ids"),
    [
        (3, [0, 2, 2, 0, 2, 2, 1, 0]),  # few rows: a product with one-hot rows
        (3, [1, 1, 1]),
        (256, [4, 255, 4]),
        (3, []),
        (1000, [5, 999, 5, 0, 5, 999, 7]),  # many: sorted runs
        (1000, [999]),
        (1000, [4, 4, 4]),
        (257, [*range(257), *range(150), 0]),
        (1000, []),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scatter_add_adds_equal_ids_up(table_rows, ids, dtype):
    rng, ids = np.random.default_rng(1), np.array(ids, np.int32)
    table, values = (rng.standard_normal((n, D)).astype(dtype) for n in (table_rows, len(ids)))
    wanted = table.astype(float)
    np.add.at(wanted, ids, values)
    scatter_add(table, ids, values)
    assert table.dtype == dtype
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(table, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("n", [1, 2, 1000])
def test_products_in_parallel(n, threads):
    rng = np.random.default_rng(1)
    A, B, C = rng.standard_normal((n, 40)), rng.standard_normal((40, 60)), rng.standard_normal((n, 60))
    out = np.empty((n, 60))
    product(A, B, out=out)
    np.testing.assert_allclose(out, A @ B, rtol=1e-12, atol=1e-12)
    out[...] = C
    add_product(A, B, out=out)
    np.testing.assert_allclose(out, C + A @ B, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 5, 12, 13, 20, 1000])
def test_parallel_parts_cover_everything_once(n, threads):
    seen, starts, lock = np.zeros(n, int), [], threading.Lock()

    def work(part):
        with lock:
            seen[part] += 1
            starts.append(part.start)

    in_parallel(work, n)
    assert (seen == 1).all()
    assert len(starts) == min(n, threads)
    assert n < 4 * threads or all(start % 4 == 0 for start in starts)


def test_an_error_in_any_part_is_raised(threads):
    def work(part):
        if part.stop == 100:
            raise FloatingPointError("in the last part")

    with pytest.raises(FloatingPointError, match="in the last part"):
        in_parallel(work, 100)


def test_an_error_leaves_when_all_parts_have_ended(threads):
    """Whoever catches it may use the arrays again: nobody writes any more."""
    ended, caught = [], threading.Event()

    def work(part):
        if part.start == 0:
            raise FloatingPointError("in the first part")
        caught.wait(0.05)  # time enough for the error to leave, if it did not wait
        ended.append(part.start)

    with pytest.raises(FloatingPointError, match="in the first part"):
        in_parallel(work, 100)
    assert len(ended) == threads - 1
    caught.set()


def test_floating_point_errors_are_treated_as_in_the_caller(threads):
    seen, calls = [], []

    def work(part):
        seen.append(np.geterr())
        np.full(1, 1e300) * 1e300

    with np.errstate(all="ignore", over="call", call=lambda kind, flag: calls.append(kind)):
        in_parallel(work, 100)
        assert seen == [np.geterr()] * threads
    assert calls == ["overflow"] * threads
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        in_parallel(work, 100)


def test_parts_within_parts(monkeypatch):
    """Parts that share out work themselves, more than there are threads: none waits for one that is not free."""
    monkeypatch.setattr(parallel, "THREADS", 3)
    monkeypatch.setattr(parallel, "SMALL", 1)
    seen, lock = np.zeros((12, 12, 12), int), threading.Lock()

    def count(*parts):
        if len(parts) < 3:
            in_parallel(lambda part: count(*parts, part), 12)
        else:
            with lock:
                seen[parts] += 1

    parallel._pool.cache_clear()
    caller = threading.Thread(target=count, daemon=True)
    caller.start()
    caller.join(timeout=60)
    parallel._pool.cache_clear()
    assert not caller.is_alive()
    assert (seen == 1).all()


FORK = """
import os, sys
import numpy as np
from rnnlm.nn import parallel
parallel.THREADS, parallel.SMALL = 2, 1
A = np.ones((100, 100))
parallel.product(A, A, out=np.empty((100, 100)))
child = os.fork()
if not child:
    out = np.empty((100, 100))
    parallel.product(A, A, out=out)
    os._exit(int((out != 100).any()))
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_that_was_forked_has_threads_of_its_own():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], timeout=60)
    assert done.returncode == 0
