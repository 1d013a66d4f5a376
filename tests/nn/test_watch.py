"""Watching a network: outputs and gradients are its own, and the errors equal numerical derivatives."""

import numpy as np
import pytest

from rnnlm.nn.cells import LSTM, Bidirectional, Stack, Vanilla
from rnnlm.nn.compose import Recursive
from rnnlm.nn.models import LanguageModel, Tree
from rnnlm.nn.ops import ACTIVATIONS
from rnnlm.nn.state import arrays
from rnnlm.nn.watch import Watch, WatchedCell
from rnnlm.tasks.base import TASKS
from tests.kinds import CELLS, COMPOSITIONS, FAMILY, MODELS, TREES, memory, network_of, parameters

T = 5
EVERY = {**MODELS, **{f"{name} model": model for name, model in FAMILY.items()}}
EVERY |= {f"{name} tree": model for name, model in TREES.items()}
SINGLE = [name for name, cell in CELLS.items() if not isinstance(cell, (Stack, Bidirectional))]
single_cells = pytest.mark.parametrize("name", SINGLE)


def one_sequence(network):
    """A random batch of one sequence of a network's task."""
    return TASKS[network.model.readings[0]].synthetic_batch(network, T, 1, np.random.default_rng(3))


@pytest.mark.parametrize("name", EVERY)
def test_outputs_and_gradient_are_those_of_the_network(name):
    network = network_of(EVERY[name])
    batch = one_sequence(network)
    expected, _ = network.nats(batch, ())
    network.backward(batch)
    watch = Watch(network)
    nats, _, seen = watch.read(batch)
    watch.errors(batch)
    np.testing.assert_allclose(nats, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(watch.network.grads.flat, network.grads.flat, rtol=1e-8, atol=1e-10)
    assert seen
    assert all(one.dh.shape == one.h.shape for one in seen)


@single_cells
def test_errors_of_a_cell_equal_numerical_derivatives(name, monkeypatch):
    """dL/dh_t by a small change of h_t alone, as the step after t and the output both see it."""
    cell, rng = CELLS[name], np.random.default_rng(1)
    D, t = 3, 2
    seen = []
    watched = WatchedCell(cell, ("cell",), seen)
    p, x, dy = parameters(cell.specs(D)), rng.standard_normal((T, 1, D)), rng.standard_normal((T, 1, cell.n_out))
    work = watched.workspace_for(D, T, 1, memory())
    state = cell.initial_state(1, np.float64)
    watched.forward(p, x, state, work)
    watched.backward(p, parameters(cell.specs(D)), dy.copy(), None, work, np.empty_like(x))
    found = seen[0].dh[t]

    def loss(change):
        """L when the output of step t, and the first array of the state that is made of it, is changed."""
        y, state, total = None, cell.initial_state(1, np.float64), 0.0
        step = cell.workspace_for(D, 1, 1, memory())
        for s in range(T):
            y, state = cell.forward(p, x[s : s + 1], state, step)
            y = y[0].copy()
            if s == t:
                y += change
                state = cell_state(y, state)
            total += float((y * dy[s]).sum())
        return total

    def cell_state(y, state):
        first, *rest = state if state else (None,)
        if first is None:
            return state
        if cell.kind == "jordan":
            e = np.exp(y - y.max())
            return (e / e.sum(), *rest)
        return (y.copy(), *rest)

    for i in range(cell.n_out):
        change = np.zeros((1, cell.n_out))
        change[0, i] = 1e-6
        numerical = (loss(change) - loss(-change)) / 2e-6
        assert found[i] == pytest.approx(numerical, rel=1e-6, abs=1e-8)


@single_cells
def test_arrays_of_a_state_have_names(name):
    state = CELLS[name].initial_state(1, np.float64)
    assert len(CELLS[name].memory) == max(0, len(list(arrays(state))) - 1)


@pytest.mark.parametrize("name", [name for name, one in COMPOSITIONS.items() if isinstance(one, Recursive)])
def test_errors_of_the_nodes_of_a_tree_equal_numerical_derivatives(name):
    network = network_of(Tree(COMPOSITIONS[name], embedding=4))
    batch = one_sequence(network)
    watch = Watch(network)
    _, _, (seen,) = watch.read(batch)
    watch.errors(batch)
    p, head, L = network.p["compose"], network.p["head"], len(batch.words)
    f = ACTIVATIONS[network.model.compose.activation]

    def loss(changed, change):
        """L when the vector of one node is changed, and those above it follow."""
        h = np.concatenate([network.p["E"][batch.words], np.zeros((len(batch.trees.left), 4))])
        for node in range(len(h)):
            if node >= L:
                left, right = h[batch.trees.left[node - L]], h[batch.trees.right[node - L]]
                f.apply(p["b"] + left @ p["W_l"] + right @ p["W_r"], out=h[node])
            if node == changed:
                h[node] += change
        o = head["c"] + h[batch.labelled] @ head["V"].T
        return float(np.sum(np.log(np.exp(o).sum(axis=1)) - o[np.arange(len(o)), batch.targets]))

    for node, dh in enumerate(seen.dh):
        for i in range(4):
            change = 1e-6 * np.eye(4)[i]
            numerical = (loss(node, change) - loss(node, -change)) / 2e-6
            assert dh[i] == pytest.approx(numerical, rel=1e-6, abs=1e-8)


def test_a_network_in_float32_is_watched_in_float64():
    network = network_of(LanguageModel(cell=Stack([LSTM(size=3), Vanilla(size=2)])), np.float32)
    _, _, seen = Watch(network).read(one_sequence(network))
    found = [(one.path, list(one.memory)) for one in seen]
    assert found == [(("cell", "cells", "0"), ["c"]), (("cell", "cells", "1"), [])]
    assert all(one.h.dtype == np.float64 for one in seen)
