"""Each update rule against its formula, one parameter at a time; and clipping."""

import math

import numpy as np
import pytest

from rnnlm.nn import parallel
from rnnlm.nn.params import Parameters, Spec
from rnnlm.training.optim import SGD, Adam, Momentum, Optimizer, clip_norm, clip_value, gradient_norm
from tests.kinds import OPTIMIZERS

STEPS = 5


def sgd(o, theta, g, s, t, lr):
    return (1 - lr * o.weight_decay) * theta - lr * g


def momentum(o, theta, g, s, t, lr):
    s["v"] = o.momentum * s.get("v", 0) + g
    return theta - lr * (g + o.momentum * s["v"] if o.nesterov else s["v"])


def adagrad(o, theta, g, s, t, lr):
    s["sum"] = s.get("sum", 0) + g**2
    return theta - lr * g / (math.sqrt(s["sum"]) + o.eps)


def rmsprop(o, theta, g, s, t, lr):
    s["mean"] = o.decay * s.get("mean", 0) + (1 - o.decay) * g**2
    return theta - lr * g / (math.sqrt(s["mean"]) + o.eps)


def adam(o, theta, g, s, t, lr):
    s["m"] = o.beta1 * s.get("m", 0) + (1 - o.beta1) * g
    s["v"] = o.beta2 * s.get("v", 0) + (1 - o.beta2) * g**2
    m, v = s["m"] / (1 - o.beta1**t), s["v"] / (1 - o.beta2**t)
    return (1 - lr * o.weight_decay) * theta - lr * m / (math.sqrt(v) + o.eps)


FORMULAS = {"sgd": sgd, "momentum": momentum, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam}


BLOCK = 1 << 15


@pytest.fixture(autouse=True)
def _several_blocks(monkeypatch):
    monkeypatch.setattr(parallel, "BLOCK", 2 * BLOCK)


def quadratic(n):
    """The gradient of sum a (theta - m)^2 / 2, and a start."""
    rng = np.random.default_rng(1)
    a, m, start = rng.uniform(0.1, 3, n), rng.standard_normal(n), rng.standard_normal(n)
    return (lambda theta: a * (theta - m)), start


def follow(optimizer, dtype=np.float64, n=2 * BLOCK + 5):
    """Five steps down a quadratic of several blocks, at a rate that changes."""
    slope, start = quadratic(n)
    theta = start.astype(dtype)
    slots = {name: np.zeros_like(theta) for name in optimizer.slots}
    for t in range(1, STEPS + 1):
        optimizer.step(theta, slope(theta).astype(dtype), optimizer.lr / t, t, matrices=[slice(0, n)], **slots)
    return theta, slots


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rule_is_its_formula(name, threads):
    optimizer = OPTIMIZERS[name]
    theta, _ = follow(optimizer)
    slope, start = quadratic(len(theta))
    for i in (0, 1, BLOCK - 1, BLOCK, 2 * BLOCK, len(theta) - 1):
        one, slots = start[i], {}
        for t in range(1, STEPS + 1):
            g = slope(np.where(np.arange(len(theta)) == i, one, 0.0))[i]
            one = FORMULAS[optimizer.kind](optimizer, one, g, slots, t, optimizer.lr / t)
        assert theta[i] == pytest.approx(one, rel=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float32_stays_float32(name):
    theta, slots = follow(OPTIMIZERS[name], np.float32)
    assert {array.dtype for array in (theta, *slots.values())} == {np.dtype(np.float32)}
    np.testing.assert_allclose(theta, follow(OPTIMIZERS[name])[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_blocks_are_the_same_everywhere(name):
    """The rule works element by element: where an element stands makes no difference."""
    optimizer, rng = OPTIMIZERS[name], np.random.default_rng(1)
    n = 2 * BLOCK + 5
    theta, grad = np.full(n, rng.standard_normal()), np.full(n, rng.standard_normal())
    slots = {slot: np.zeros(n) for slot in optimizer.slots}
    optimizer.step(theta, grad, 0.1, 1, **slots)
    assert all((array == array[0]).all() for array in (theta, *slots.values()))


def test_a_vector_of_nothing():
    for optimizer in OPTIMIZERS.values():
        optimizer.step(np.zeros(0), np.zeros(0), 0.1, 1, **{name: np.zeros(0) for name in optimizer.slots})


def test_every_rule_has_a_formula_here():
    assert set(FORMULAS) == set(Optimizer.kinds())


def test_adam_starts_with_steps_of_the_learning_rate():
    theta = np.zeros(3)
    Adam().step(theta, np.array([1e-3, -5.0, 1e3]), 0.01, 1, m=np.zeros(3), v=np.zeros(3))
    np.testing.assert_allclose(theta, [-0.01, 0.01, -0.01], rtol=1e-4)


def test_momentum_zero_is_sgd():
    one, other = np.ones(3), np.ones(3)
    Momentum(momentum=0.0).step(one, np.array([1.0, 2, 3]), 0.1, 1, v=np.zeros(3))
    SGD().step(other, np.array([1.0, 2, 3]), 0.1, 1)
    np.testing.assert_allclose(one, other, rtol=1e-15)


# --- clipping


@pytest.mark.parametrize(("limit", "wanted"), [(10, [3, -4]), (5, [3, -4]), (1, [0.6, -0.8])])
def test_clip_norm(limit, wanted):
    """A step of SGD with learning rate 1 from zero shows what is left of the gradient."""
    theta, grad = np.zeros(2), np.array([3.0, -4.0])
    assert gradient_norm(grad) == 5
    factor = clip_norm(5.0, limit)
    assert (factor < 1) == (limit < 5)
    SGD().step(theta, grad, 1.0, 1, factor)
    np.testing.assert_allclose(-theta, wanted, rtol=1e-15)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_by_a_shortened_gradient_is_that_by_the_short_one(name):
    optimizer, grad = OPTIMIZERS[name], np.random.default_rng(1).standard_normal(7)
    ends = []
    for g, factor in ((grad.copy(), 0.25), (0.25 * grad, 1.0)):
        theta, slots = np.ones(7), {slot: np.zeros(7) for slot in optimizer.slots}
        optimizer.step(theta, g, 0.1, 1, factor, **slots)
        ends.append(theta)
    assert ends[0].tolist() == ends[1].tolist()


@pytest.mark.parametrize("n", [0, 1, 7, 300_001])
def test_the_norm_of_a_long_vector_is_that_of_its_parts(n):
    grad = np.random.default_rng(1).standard_normal(n)
    assert gradient_norm(grad) == pytest.approx(np.linalg.norm(grad), rel=1e-12)


@pytest.mark.parametrize(("limit", "wanted"), [(10, [3, -4, 0]), (4, [3, -4, 0]), (3.5, [3, -3.5, 0]), (1, [1, -1, 0])])
def test_clip_value(limit, wanted):
    grad = np.array([3.0, -4.0, 0.0])
    assert clip_value(grad, limit) == (limit < 4)
    assert grad.tolist() == wanted


def test_a_zero_gradient_is_not_clipped():
    grad = np.zeros(3)
    assert clip_norm(gradient_norm(grad), 1) == 1
    assert not clip_value(grad, 1)
    assert not grad.any()


@pytest.mark.parametrize("kind", ["sgd", "momentum", "adagrad", "rmsprop", "adam"])
def test_weight_decay_leaves_biases_alone(kind):
    """Decoupled: a gradient of zero moves what decays by its share, and nothing else."""
    p = Parameters(
        {"W": Spec((3, 4), np.ones), "b": Spec((4,), np.ones), "V": Spec((5, 4), np.ones), "c": Spec((5,), np.ones)}
    )
    p.flat[...] = 1
    optimizer = Optimizer.kinds()[kind](weight_decay=0.5)
    slots = {slot: np.zeros_like(p.flat) for slot in optimizer.slots}
    optimizer.step(p.trainable, np.zeros_like(p.flat), 0.2, 1, 1.0, p.matrices, **slots)
    for name, array in p.named.items():
        np.testing.assert_allclose(array, 0.9 if name in ("W", "V") else 1, rtol=1e-6)


def test_frozen_matrices_do_not_decay():
    p = Parameters({"E": Spec((3, 4), np.ones, trainable=False), "W": Spec((4, 4), np.ones)})
    assert p.matrices == [slice(0, 16)]
