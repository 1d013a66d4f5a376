"""The adding problem and the copy problem."""

import numpy as np
import pytest

from rnnlm.nn.cells import Jordan, Vanilla
from rnnlm.nn.gradcheck import check_arrays
from rnnlm.show.memory import CELLS, TASKS, Learner, number_of_parameters, sized, updates_to_solve

every_task = pytest.mark.parametrize("name", TASKS)


def test_adding_asks_for_the_sum_of_what_is_marked():
    x, target = TASKS["adding"].draw(9, 50, np.random.default_rng(1))
    assert (x.shape, target.shape) == ((9, 50, 2), (1, 50))
    assert (x[:4, :, 1].sum(axis=0) == 1).all()  # one mark in each half
    assert (x[4:, :, 1].sum(axis=0) == 1).all()
    np.testing.assert_allclose(target[0], (x[..., 0] * x[..., 1]).sum(axis=0), rtol=1e-6)


def test_copy_asks_for_the_symbols_after_the_blanks():
    x, target = TASKS["copy"].draw(7, 50, np.random.default_rng(1))
    assert x.shape == (3 + 7 + 3, 50, 6)
    assert (x.sum(axis=2) == 1).all()
    ids = x.argmax(axis=2)
    np.testing.assert_array_equal(ids[:3], target)
    assert set(ids[:3].ravel()) == {0, 1, 2, 3}
    assert (ids[3:10] == 4).all()
    assert (ids[10:] == 5).all()


@every_task
def test_guessing_has_an_error_of_one(name):
    task = TASKS[name]
    _, target = task.draw(10, 20_000, np.random.default_rng(1))
    guess = np.full((task.answers, 20_000, task.n_out), 1.0)
    assert task.error(guess, target) == pytest.approx(1, abs=0.03)


@every_task
def test_gradient_of_the_learner(name):
    task, rng = TASKS[name], np.random.default_rng(1)
    learner = Learner(Vanilla(size=4), task, rng, np.float64)
    x, target = task.draw(5, 3, rng)
    x = x.astype(np.float64)

    def loss():
        o = learner.forward(x)
        if name == "adding":
            return np.mean((o[..., 0] - target) ** 2)
        log_p = o - np.log(np.exp(o).sum(axis=-1, keepdims=True))
        return -np.mean(np.take_along_axis(log_p, target[..., None], axis=-1))

    learner.backward(task.gradient(learner.forward(x), target))
    checks = check_arrays(loss, learner.p.named, learner.g.named)
    assert [check for check in checks if check.error > 1e-7] == []


@every_task
@pytest.mark.parametrize("kind", CELLS)
def test_cells_of_equal_size(kind, name):
    n_in = TASKS[name].n_in
    budget = number_of_parameters(Vanilla(size=24), n_in)
    assert 0.85 * budget <= number_of_parameters(sized(CELLS[kind], n_in, budget), n_in) <= budget


def test_what_remembers_solves_it_and_what_does_not_fails():
    assert updates_to_solve(Vanilla(size=24), TASKS["adding"], 2, 400, seed=1) is not None
    forgetful = Jordan(outputs=24, size=24, teacher_forcing=True)  # sees the last input only
    assert updates_to_solve(forgetful, TASKS["adding"], 2, 400, seed=1) is None
