import numpy as np
import pytest

from rnnlm.nn.initializers import Uniform, Zeros
from rnnlm.nn.params import Parameters, Spec

SPECS = {
    "E": Spec((3, 2), Uniform(0.1)),
    "cell": {
        "W": Spec((2, 2), Uniform(0.1), trainable=False),
        "b": Spec((2,), Zeros()),
        "inner": {"a": Spec((1,), Zeros())},
    },
    "head": {"c": Spec((3,), Uniform(0.2))},
}


@pytest.fixture
def p():
    return Parameters(SPECS, np.float64, np.random.default_rng(1))


def test_names_stand_in_the_order_of_the_layers(p):
    assert list(p.named) == ["E", "cell.W", "cell.b", "cell.inner.a", "head.c"]
    assert {name: array.shape for name, array in p.named.items()} == {
        "E": (3, 2), "cell.W": (2, 2), "cell.b": (2,), "cell.inner.a": (1,), "head.c": (3,),
    }  # fmt: skip


def test_arrays_are_views_of_the_flat_vector(p):
    assert len(p.flat) == 6 + 4 + 2 + 1 + 3
    p.flat[...] = np.arange(16)
    assert sorted(np.concatenate([array.ravel() for array in p.named.values()])) == list(range(16))
    p["cell"]["W"][1, 0] = 99
    assert p.named["cell.W"][1, 0] == 99
    assert 99 in p.flat


def test_frozen_arrays_stand_last(p):
    assert len(p.trainable) == 12
    p.flat[...] = 0
    p.trainable[...] = 1
    assert not p["cell"]["W"].any()
    assert all(array.all() for name, array in p.named.items() if name != "cell.W")
    assert np.shares_memory(p.trainable, p.flat)


def test_views_are_read_as_dictionaries(p):
    assert list(p) == ["E", "cell", "head"]
    assert len(p["cell"]) == 3
    assert "b" in p["cell"]
    assert p["cell"].get("V") is None
    assert p["cell"]["inner"]["a"].shape == (1,)


def test_arrays_change_in_place(p):
    before = p["E"].copy()
    p["E"] += 1
    p["cell"]["b"] -= 2
    p["cell"]["W"][...] = 3
    np.testing.assert_array_equal(p.named["E"], before + 1)
    assert (p.named["cell.b"] == -2).all()
    assert (p.named["cell.W"] == 3).all()


@pytest.mark.parametrize("value", [np.zeros((2, 2)), 0])
def test_arrays_are_not_replaced(p, value):
    with pytest.raises(TypeError) as error:
        p["cell"]["W"] = value
    assert str(error.value) == "'W' is a view of the flat vector: write p['W'][...] = x, or use +="
    with pytest.raises(TypeError):
        p["cell"] = {"W": value}


def test_an_unknown_name_is_a_key_error(p):
    with pytest.raises(KeyError):
        p["cell"]["V"]
    with pytest.raises(KeyError):
        p["cell"]["V"] = np.zeros(2)


def test_started_by_their_rules(p):
    assert p["E"].any()
    assert abs(p["E"]).max() <= 0.1
    assert not p["cell"]["b"].any()
    np.testing.assert_array_equal(p.flat, Parameters(SPECS, np.float64, np.random.default_rng(1)).flat)
    assert (Parameters(SPECS, np.float64, np.random.default_rng(2))["E"] != p["E"]).any()


def test_zeros_without_a_generator():
    p = Parameters(SPECS, np.float32)
    assert p.flat.dtype == np.float32
    assert not p.flat.any()


def test_zeros_like(p):
    g = p.zeros_like()
    assert list(g.named) == list(p.named)
    assert g.flat.dtype == p.flat.dtype
    assert len(g.trainable) == len(p.trainable)
    assert not g.flat.any()
    assert not np.shares_memory(g.flat, p.flat)
