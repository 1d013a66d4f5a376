"""How errors fade: equal to the numerical derivative for every cell, and as the tutorials say."""

import numpy as np
import pytest

from rnnlm.errors import DataError
from rnnlm.nn.cells import LSTM, Vanilla
from rnnlm.nn.initializers import Orthogonal
from rnnlm.nn.params import Parameters
from rnnlm.nn.state import arrays
from rnnlm.show.gradients import fading, of_network, sent_back
from tests.kinds import CELLS, MODELS, TRUNCATE, network_of, parameters, random_like

RNG = np.random.default_rng(3)
H, LAGS = 20, 12


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("ids", [True, False])
def test_equals_the_numerical_derivative(name, ids):
    cell, rng = CELLS[name], np.random.default_rng(1)
    k, B, D = 4, 2, 3
    p = parameters(cell.specs(D))
    x = rng.integers(0, D, (k, B), dtype=np.int32) if ids else rng.standard_normal((k, B, D))
    state = random_like(cell.initial_state(B, np.float64), rng)
    dy = rng.standard_normal((B, cell.n_out))

    def loss():
        work = cell.workspace_for(None if ids else D, k, B, lambda *shape: np.empty(shape))
        return float((cell.forward(p, x, state, work)[0][-1] * dy).sum())

    found = list(arrays(sent_back(cell, p, p.zeros_like(), x, state, dy)))
    assert len(found) == len(list(arrays(state)))
    for array, gradient in zip(arrays(state), found):
        for index in np.ndindex(array.shape):
            here, step = array[index], 1e-5
            array[index] = here + step
            above = loss()
            array[index] = here - step
            below = loss()
            array[index] = here
            assert gradient[index] == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-6)


def faded(cell, lags=LAGS, scale=0.5):
    """Fading in a cell as it starts, over random inputs and random errors."""
    rng = np.random.default_rng(4)
    p = Parameters(cell.specs(5), np.float64, rng)
    x, dy = scale * rng.standard_normal((60, 5)), rng.standard_normal((60, cell.n_out))
    return fading(cell, p, p.zeros_like(), x, dy, lags)


@pytest.mark.parametrize("q", [0.5, 1.0, 1.3])
def test_linear_network_fades_by_the_scale_of_its_orthogonal_matrix(q):
    found = faded(Vanilla(size=H, activation="identity", init_W=Orthogonal(q)), lags=20)
    for k, norms in enumerate(found.whole):
        assert norms / found.whole[0] == pytest.approx(np.full(len(norms), q**k), rel=1e-9)
    assert found.bound == pytest.approx(q ** np.arange(21), rel=1e-9)
    assert np.abs(found.eigenvalues) == pytest.approx(np.full(H, q), rel=1e-9)
    assert found.singular == pytest.approx(np.full(H, q), rel=1e-9)


def test_what_the_tutorials_say():
    tanh = faded(Vanilla(size=H, init_W=Orthogonal(0.5)))
    linear = faded(Vanilla(size=H, activation="identity"))
    lstm = faded(LSTM(size=H))
    assert tanh.quartiles[LAGS].max() < 1e-3
    assert linear.quartiles[LAGS] == pytest.approx(1, rel=1e-9)
    assert lstm.quartiles[LAGS, 1] > 10 * tanh.quartiles[LAGS, 1]
    assert (tanh.whole <= tanh.bound[:, None] * tanh.whole[0] * (1 + 1e-9)).all()
    assert lstm.bound is None
    assert (lstm.hidden[1:] < lstm.whole[1:]).all()


def test_truncated_errors_end():
    found = faded(Vanilla(size=H, truncate=TRUNCATE))
    assert (found.whole[: TRUNCATE + 1] > 0).all()
    assert (found.whole[TRUNCATE + 1 :] == 0).all()


def test_text_that_is_too_short():
    with pytest.raises(DataError) as error:
        faded(Vanilla(size=3), lags=60)
    assert "60" in error.value.message


@pytest.mark.parametrize("name", MODELS)
def test_network_against_numerical_derivatives(name):
    """The error of the last word by the state k steps before, by the probability that the network gives it."""
    network, k = network_of(MODELS[name]), 2
    ids = np.random.default_rng(5).integers(3, len(network.vocab), 6)
    found = of_network(network, ids, 1, k, positions=1000)
    state = network.initial_state(1)
    inputs = np.array([1, *ids[:-1]], np.int32)[:, None]
    before = network.log_probs(inputs[: 6 - k], state)[1] if k < 6 else state
    gradient = []
    for array in arrays(before):
        for index in np.ndindex(array.shape):
            here, step, sides = array[index], 1e-5, []
            for change in (step, -step):
                array[index] = here + change
                sides.append(-network.log_probs(inputs[6 - k :], before)[0][-1, 0, ids[-1]])
            array[index] = here
            gradient.append((sides[0] - sides[1]) / (2 * step))
    assert found.whole[k, -1] == pytest.approx(np.linalg.norm(gradient), rel=1e-6, abs=1e-8)
