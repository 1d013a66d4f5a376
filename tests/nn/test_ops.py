import threading

import numpy as np
import pytest

from rnnlm.nn.dropout import Dropout, dropout_mask
from rnnlm.nn.ops import ACTIVATIONS, project, project_backward, rows
from rnnlm.nn.parallel import add_product, in_parallel, product, scatter_add
from tests.kinds import memory

T, B, D, H, K = 4, 3, 5, 2, 7


def test_rows_are_a_view():
    x = np.zeros((T, B, D))
    rows(x)[4] = 1
    assert x[1, 1].all()
    assert x.sum() == D


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


def test_ids_are_projected_as_one_hot_vectors():
    rng = np.random.default_rng(1)
    ids, U, da = rng.integers(0, K, (T, B)), rng.standard_normal((K, H)), rng.standard_normal((T, B, H))
    onehot = np.eye(K)[ids]
    by_ids, by_vectors = np.empty((T, B, H)), np.empty((T, B, H))
    project(ids, U, out=by_ids)
    project(onehot, U, out=by_vectors)
    np.testing.assert_allclose(by_ids, by_vectors, rtol=1e-15)

    start = rng.standard_normal((K, H))
    dU_ids, dU_vectors, dx = start.copy(), start.copy(), np.empty_like(onehot)
    project_backward(ids, da, U, dU_ids, None)
    project_backward(onehot, da, U, dU_vectors, dx)
    np.testing.assert_allclose(dU_ids, dU_vectors, rtol=1e-13)
    np.testing.assert_allclose(dU_ids, start + sum(np.outer(x, d) for x, d in zip(rows(onehot), rows(da))), rtol=1e-13)
    np.testing.assert_allclose(dx, da @ U.T, rtol=1e-14)


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


VALUES = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "identity": lambda a: a,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    f, e = ACTIVATIONS[name], 1e-6
    a = np.array([-3, -0.5, -0.01, 0.01, 0.5, 3])
    h, slope = np.empty_like(a), np.empty_like(a)
    f.apply(a, out=h)
    f.slope(h, out=slope)
    np.testing.assert_allclose(h, VALUES[name](a), rtol=1e-12)
    np.testing.assert_allclose(slope, (VALUES[name](a + e) - VALUES[name](a - e)) / (2 * e), atol=1e-9)
    f.apply(a, out=a)  # in place
    np.testing.assert_array_equal(a, h)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "relu"])
def test_saturation_is_quiet(name):
    a = np.array([-1e30, -1e4, 1e4, 1e30], np.float32)
    h = np.empty_like(a)
    ACTIVATIONS[name].apply(a, out=h)
    slope = np.empty_like(a)
    ACTIVATIONS[name].slope(h, out=slope)
    assert np.isfinite(h).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean(rate, dtype):
    mask = np.empty((300, 300), dtype)
    dropout_mask(rate, np.random.default_rng(1), out=mask)
    np.testing.assert_allclose(np.unique(mask), [0, 1 / (1 - rate)], rtol=1e-6)
    deviation = np.sqrt(rate / (1 - rate) / mask.size)  # of the mean of so many elements
    assert abs(mask.mean(dtype=float) - 1) < 4 * deviation


def test_nothing_is_dropped_without_a_generator():
    x, dropout = np.ones((3, 4)), Dropout(0.5, (3, 4), memory())
    assert dropout.forward(x, None, out=np.empty((3, 4))) is x
    dropout.backward(x)
    assert (x == 1).all()
