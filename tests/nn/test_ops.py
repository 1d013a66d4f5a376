import numpy as np
import pytest

from rnnlm.nn.dropout import Dropout, dropout_mask
from rnnlm.nn.ops import ACTIVATIONS, project, project_backward, rows
from tests.kinds import memory

T, B, D, H, K = 4, 3, 5, 2, 7


def test_rows_are_a_view():
    x = np.zeros((T, B, D))
    rows(x)[4] = 1
    assert x[1, 1].all()
    assert x.sum() == D


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
