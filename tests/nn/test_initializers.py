import numpy as np
import pytest

from rnnlm.nn.initializers import Chain, Glorot, Identity, Init, Orthogonal, TimeScales, Uniform, Zeros
from tests.kinds import INITS


@pytest.mark.parametrize("name", INITS)
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (1, 1)])
def test_shape_and_repeatability(name, shape):
    init = INITS[name]
    array = init(shape, np.random.default_rng(1))
    assert array.shape == shape
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, init(shape, np.random.default_rng(1)))


def test_zeros():
    assert not Zeros()((3, 4), np.random.default_rng(1)).any()


@pytest.mark.parametrize(
    ("init", "limit"),
    [(Uniform(0.3), 0.3), (Glorot(), np.sqrt(6 / 300)), (Glorot(2.0), 2 * np.sqrt(6 / 300))],
    ids=str,
)
def test_uniform_ranges(init, limit):
    array = init((100, 200), np.random.default_rng(1))
    assert 0.99 * limit < abs(array).max() <= limit
    assert abs(array.mean()) < 0.02 * limit
    assert array.var() == pytest.approx(limit**2 / 3, rel=0.02)


@pytest.mark.parametrize("shape", [(6, 6), (6, 4), (4, 6)])
def test_orthogonal(shape):
    Q = Orthogonal(0.7)(shape, np.random.default_rng(1))
    gram = Q.T @ Q if shape[0] >= shape[1] else Q @ Q.T
    np.testing.assert_allclose(gram, 0.49 * np.eye(min(shape)), atol=1e-14)


def test_orthogonal_prefers_no_direction():
    # In a QR decomposition alone, the signs of the diagonal of R are always the same.
    rng = np.random.default_rng(1)
    corners = [Orthogonal()((3, 3), rng)[0, 0] for _ in range(500)]
    assert abs(np.mean(corners)) < 4 * np.std(corners) / np.sqrt(500)


def test_identity():
    np.testing.assert_array_equal(Identity(0.5)((3, 3), np.random.default_rng(1)), 0.5 * np.eye(3))


def test_chain_feeds_the_next_unit():
    W = Chain(1.02, feedback=-0.1)((4, 4), np.random.default_rng(1))
    h = np.array([0, 1.0, 0, 0])
    np.testing.assert_array_equal(h @ W, [-0.1, 0, 1.02, 0])


def test_every_rule_says_how_to_start():
    assert all(kind.__call__ is not Init.__call__ for kind in Init.kinds().values())


def test_timescales():
    W = TimeScales(longest=100)((3, 3), np.random.default_rng(1))
    np.testing.assert_allclose(W, np.diag([0, 0.9, 0.99]), atol=1e-12)  # time constants 1, 10 and 100
