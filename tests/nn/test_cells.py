"""What holds for every cell, and the vanilla cell against a naive transcription of its definition."""

import numpy as np
import pytest

from rnnlm.errors import UsageError
from rnnlm.nn import parallel
from rnnlm.nn.cells import GRU, LSTM, Bidirectional, Jordan, Leaky, Reservoir, Stack, Vanilla
from rnnlm.nn.dropout import dropout_mask
from rnnlm.nn.gradcheck import synthetic_vocab
from rnnlm.nn.heads import Scores
from rnnlm.nn.models import LanguageModel
from rnnlm.nn.network import Network
from rnnlm.nn.params import Parameters
from rnnlm.nn.state import arrays
from rnnlm.text.corpus import Corpus
from rnnlm.text.windows import Stream
from rnnlm.training.optim import Adam
from rnnlm.training.schedule import Constant
from rnnlm.training.trainer import Trainer, Training
from tests.kinds import CELLS, K, memory, parameters, random_like

T, B, D = 5, 2, 3

every_cell = pytest.mark.parametrize("name", CELLS)
every_causal_cell = pytest.mark.parametrize("name", [name for name in CELLS if CELLS[name].causal])
every_input = pytest.mark.parametrize("ids", [True, False], ids=["ids", "vectors"])


class Run:
    """A cell with its parameters, inputs and state, ready to run windows of any length."""

    def __init__(self, cell, ids=False, dtype=np.float64, T=T, seed=1):
        rng = np.random.default_rng(seed)
        self.cell, self.dtype = cell, dtype
        self.x = rng.integers(0, K, (T, B), np.int32) if ids else rng.standard_normal((T, B, D)).astype(dtype)
        self.p = parameters(cell.specs(K if ids else D), dtype)
        self.state = random_like(cell.initial_state(B, dtype), rng)
        self.dy = rng.standard_normal((T, B, cell.n_out)).astype(dtype)
        self.dlast = random_like(self.state, rng)

    def forward(self, x=None, state=None, rng=None):
        x = self.x if x is None else x
        self.work = self.cell.workspace(len(x), B, memory(self.dtype))
        return self.cell.forward(self.p, x, self.state if state is None else state, self.work, rng)

    def backward(self, dlast=None):
        self.g = self.p.zeros_like()
        self.dx = None if self.x.dtype.kind == "i" else np.full_like(self.x, np.nan)
        return self.cell.backward(self.p, self.g, self.dy.copy(), dlast, self.work, self.dx)


def assert_close(a, b, rtol=1e-12):
    for one, other in zip(arrays(a), arrays(b), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


def sequences(state, part):
    """Those of the sequences of a state."""
    return tuple(sequences(h, part) for h in state) if isinstance(state, tuple) else state[part]


# --- every cell


@every_cell
def test_threads_take_their_own_sequences_through_time(name, threads, monkeypatch):
    """Together they compute what one does that is given all sequences."""
    run = Run(CELLS[name])
    found = [run.forward(rng=np.random.default_rng(2)), run.backward(run.dlast), run.g.flat, run.dx]
    monkeypatch.setattr(parallel, "THREADS", 1)
    expected = [run.forward(rng=np.random.default_rng(2)), run.backward(run.dlast), run.g.flat, run.dx]
    assert_close(tuple(found), tuple(expected))


@every_input
@every_causal_cell
def test_a_window_at_once_is_its_steps_one_by_one(name, ids):
    run = Run(CELLS[name], ids)
    y, last = run.forward()
    y, state = y.copy(), run.state
    for t in range(T):
        y_t, state = run.forward(run.x[t : t + 1], state)
        assert_close(y_t[0], y[t])
    assert_close(state, last)


@every_input
@every_causal_cell
def test_two_windows_with_carried_state_are_one(name, ids):
    run = Run(CELLS[name], ids, T=2 * T)
    y, last = run.forward()
    first, state = run.forward(run.x[:T])
    second, state = run.forward(run.x[T:], state)
    assert_close((y[:T], y[T:], last), (first, second, state))


@every_input
@every_causal_cell
def test_a_causal_cell_ignores_the_future(name, ids):
    run = Run(CELLS[name], ids)
    before = run.forward()[0].copy()
    run.x[3:] = run.x[3:] + 1 if not ids else (run.x[3:] + 1) % K
    after, _ = run.forward()
    np.testing.assert_array_equal(after[:3], before[:3])
    assert (after[3:] != before[3:]).any()


@every_input
@every_cell
def test_gradients_add_up(name, ids):
    run = Run(CELLS[name], ids)
    run.forward(rng=np.random.default_rng(2))
    run.backward(run.dlast)
    once = run.g.flat.copy()
    run.forward(rng=np.random.default_rng(2))
    run.cell.backward(run.p, run.g, run.dy.copy(), run.dlast, run.work, run.dx)
    assert once.any() == bool(run.g.trainable.size)
    np.testing.assert_allclose(run.g.flat, 2 * once, rtol=1e-14)


@every_cell
def test_no_gradient_from_behind_is_a_zero_gradient(name):
    run = Run(CELLS[name])
    run.forward()
    dstate, dx, g = run.backward(None), run.dx, run.g
    zero = random_like(run.state, np.random.default_rng(2))
    for array in arrays(zero):
        array[...] = 0
    run.forward()
    assert_close((run.backward(zero), run.dx, run.g.flat), (dstate, dx, g.flat), rtol=0)


@every_input
@every_cell
def test_float32_stays_float32(name, ids):
    run = Run(CELLS[name], ids, np.float32)
    y, last = run.forward(rng=np.random.default_rng(2))
    dstate = run.backward(run.dlast)
    initial = run.cell.initial_state(B, run.dtype)
    found = [y, run.g.flat, *arrays((initial, last, dstate)), *([] if ids else [run.dx])]
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    exact = Run(CELLS[name], ids)
    exact_y, _ = exact.forward(rng=None)
    np.testing.assert_allclose(run.forward()[0], exact_y, rtol=1e-4, atol=1e-5)


@every_cell
def test_states_and_inputs_are_not_touched(name):
    run = Run(CELLS[name])
    x, state = run.x.copy(), [h.copy() for h in arrays(run.state)]
    _, last = run.forward(rng=np.random.default_rng(2))
    dstate = run.backward(run.dlast)
    kept = [array.copy() for array in arrays((last, dstate))]
    run.cell.forward(run.p, run.x[::-1].copy(), last, run.work)  # the same memory, for another window
    run.cell.backward(run.p, run.g, run.dy.copy(), None, run.work, run.dx)
    assert_close(tuple(arrays((last, dstate))), tuple(kept), rtol=0)
    assert_close((run.x, *arrays(run.state)), (x, *state), rtol=0)


@every_cell
def test_shapes(name):
    run = Run(CELLS[name])
    y, last = run.forward()
    initial = run.cell.initial_state(B, run.dtype)
    assert y.shape == (T, B, run.cell.n_out)
    assert [h.shape for h in arrays(last)] == [h.shape for h in arrays(initial)]
    assert all(not h.any() for h in arrays(initial))


LENGTHS = [np.array([3, T]), np.array([1, 2]), np.array([T, T])]


@every_input
@every_cell
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_a_padded_sequence_is_itself_without_its_padding(lengths, name, ids):
    run = Run(CELLS[name], ids)
    run.work = run.cell.workspace(T, B, memory())
    y, last = run.cell.forward_padded(run.p, run.x, run.state, run.work, lengths)
    y, g = y.copy(), run.p.zeros_like()
    dx = None if ids else np.full_like(run.x, np.nan)
    dfirst = run.cell.backward_padded(run.p, g, run.dy.copy(), run.dlast, run.work, lengths, dx)
    alone = run.p.zeros_like()
    for n, length in enumerate(lengths):  # each on its own, at its own length
        one, part = slice(n, n + 1), (slice(length), slice(n, n + 1))
        work = run.cell.workspace(length, 1, memory())
        y_n, last_n = run.cell.forward(run.p, run.x[part], sequences(run.state, one), work)
        assert_close((y[part], sequences(last, one)), (y_n, last_n))
        dx_n = None if ids else np.full_like(run.x[part], np.nan)
        dlast = sequences(run.dlast, one)
        assert_close(
            sequences(dfirst, one), run.cell.backward(run.p, alone, run.dy[part].copy(), dlast, work, dx_n), 1e-11
        )
        if not ids:
            np.testing.assert_allclose(dx[part], dx_n, rtol=1e-11, atol=1e-11)
            assert not dx[length:, n].any()
    np.testing.assert_allclose(g.flat, alone.flat, rtol=1e-11, atol=1e-11)


@every_cell
def test_padded_to_the_full_length_or_without_lengths_is_forward(name):
    run = Run(CELLS[name])
    y, last = run.forward()
    expected = y.copy(), last, run.backward(run.dlast), run.g.flat.copy()
    for lengths in (None, np.array([T, T])):
        y, last = run.cell.forward_padded(run.p, run.x, run.state, run.work, lengths)
        g = run.p.zeros_like()
        dfirst = run.cell.backward_padded(run.p, g, run.dy.copy(), run.dlast, run.work, lengths, run.dx)
        assert_close((y, last, dfirst, g.flat), expected)


@every_cell
def test_what_lies_beyond_the_end_has_no_effect(name):
    run, lengths = Run(CELLS[name]), np.array([2, 4])
    run.forward()
    results = []
    for _ in range(2):
        y, last = run.cell.forward_padded(run.p, run.x, run.state, run.work, lengths)
        g, seen = run.p.zeros_like(), (y[:2].copy(), y[2:4, 1].copy())
        dfirst = run.cell.backward_padded(run.p, g, run.dy.copy(), run.dlast, run.work, lengths)
        results.append((seen, last, dfirst, g.flat))
        for n, length in enumerate(lengths):
            run.x[length:, n] += 1
            run.dy[length:, n] += 1
    assert_close(results[0], results[1], rtol=1e-14)


# --- both directions

PADDED = [None, np.array([3, T])]


@pytest.mark.parametrize("lengths", PADDED, ids=str)
@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_reversal_reverses(merge, lengths):
    run = Run(Bidirectional(LSTM(size=4), merge=merge))
    forwards, backwards = run.p["forwards"], run.p["backwards"]
    run.forward()
    y, last = run.cell.forward_padded(run.p, run.x, run.state, run.work, lengths)
    halves = np.split(y.copy(), 2, axis=2) if merge == "concat" else [y.copy()]

    def turned(x):
        return np.stack(
            [np.r_[x[:n, i][::-1], x[n:, i]] for i, n in enumerate([T] * B if lengths is None else lengths)], 1
        )

    for name, array in forwards.items():  # the other text with the other weights from the other side is the same
        array[...], backwards[name][...] = backwards[name].copy(), array.copy()
    again, last_again = run.cell.forward_padded(run.p, turned(run.x), run.state[::-1], run.work, lengths)
    halves_again = np.split(turned(again), 2, axis=2) if merge == "concat" else [turned(again)]
    real = np.ones((T, B), bool) if lengths is None else np.arange(T)[:, None] < lengths
    for one, other in zip(halves, halves_again[::-1]):
        np.testing.assert_allclose(one[real], other[real], rtol=1e-13)
    assert_close(last, last_again[::-1], rtol=1e-13)


def test_both_directions_are_their_cells_alone():
    run = Run(Bidirectional(GRU(size=4)))
    y, _ = run.forward()
    for half, name, order, state in ((y[..., :4], "forwards", 1, 0), (y[..., 4:], "backwards", -1, 1)):
        work = run.cell.cell.workspace(T, B, memory())
        alone, _ = run.cell.cell.forward(run.p[name], run.x[::order].copy(), run.state[state], work)
        np.testing.assert_array_equal(half, alone[::order])


def test_both_directions_see_the_future():
    run = Run(Bidirectional(Vanilla(size=4)))
    assert not run.cell.causal
    before = run.forward()[0].copy()
    run.x[3:] += 1
    after, _ = run.forward()
    np.testing.assert_array_equal(after[:3, :, :4], before[:3, :, :4])
    assert (after[:3, :, 4:] != before[:3, :, 4:]).all()


# --- leaky units and the reservoir


def test_leaky_units_forget_at_their_own_rates():
    cell = Leaky(size=4, alpha=0.1, spread=True)
    run = Run(cell)
    run.p.flat[...] = 0  # f(a_t) = 0: what is left is forgetting
    y, _ = run.forward()
    kept = 1 - 0.1 ** (np.arange(1, 5) / 4)
    np.testing.assert_allclose(y[-1], run.state[0] * kept**T, rtol=1e-12)


def test_leaky_units_without_a_leak_are_vanilla():
    leaky, vanilla = Run(Leaky(size=4, alpha=1)), Run(Vanilla(size=4))
    np.testing.assert_allclose(leaky.forward()[0], vanilla.forward()[0], rtol=1e-12)


def test_learned_rates_start_where_they_are_told():
    fixed, learned = (Leaky(size=4, alpha=0.1, spread=True, learned=learned) for learned in (False, True))
    p = Parameters(learned.specs(D), np.float64, np.random.default_rng(1))
    np.testing.assert_allclose(learned.rate(p), fixed.rate(p), rtol=1e-12)


def test_a_learned_rate_starts_below_one():
    with pytest.raises(ValueError, match=r"^alpha: expected a number below 1 to start learning from, found 1$"):
        Leaky(alpha=1, learned=True)


def test_the_reservoir_is_as_it_was_told():
    p = Parameters(
        Reservoir(size=60, density=0.2, spectral_radius=0.7, input_scale=0.3).specs(D), rng=np.random.default_rng(1)
    )
    assert np.abs(np.linalg.eigvals(p["W"])).max() == pytest.approx(0.7, rel=1e-5)
    assert np.mean(p["W"] != 0) == pytest.approx(0.2, abs=0.02)
    assert 0.25 < np.abs(p["U"]).max() <= 0.3
    assert p.frozen == {"U", "W", "b"}
    assert p.trainable.size == 0


def test_the_reservoir_is_never_trained():
    model = LanguageModel(cell=Reservoir(size=6, density=0.5), embedding=3)
    network = Network(model, synthetic_vocab(K), np.float32, np.random.default_rng(1))
    cell = {name: array.copy() for name, array in network.params["cell"].items()}
    V = network.params["head"]["V"].copy()
    corpus = Corpus(np.arange(60, dtype=np.int32) % K, np.array([[60, 60, 0]]), 60, 0, "made up", 0, "")
    trainer = Trainer(
        network, [Stream(corpus, 2, 5)], Adam(weight_decay=0.1), Constant(), Training(batch=2), None, seed=1
    )
    for _ in trainer.run():
        pass
    assert (network.params["head"]["V"] != V).any()
    for name, array in cell.items():
        np.testing.assert_array_equal(network.params["cell"][name], array)


def test_echoes_die_away_below_radius_one_only():
    left = {}
    for radius in (0.5, 1.5):
        run = Run(Reservoir(size=40, spectral_radius=radius), T=100)
        run.p = Parameters(run.cell.specs(D), np.float64, np.random.default_rng(1))
        run.x[...] = run.p["b"][...] = 0
        left[radius] = np.abs(run.forward(state=(1e-6 * run.state[0],))[0][-1]).max()
    assert left[0.5] < 1e-12 < 1e-3 < left[1.5]


def test_a_reservoir_without_a_cycle_is_refused():
    with pytest.raises(UsageError) as refusal:
        Parameters(Reservoir(size=2, density=0.001).specs(D), rng=np.random.default_rng(1))
    assert refusal.value.message == "reservoir: with 2 units at density 0.001, W has no cycle that could remember"
    assert refusal.value.hint == "raise model.cell.density or model.cell.size"


# --- the output that comes back


def test_teacher_forcing_is_the_loop_with_the_true_output_put_in():
    forced, free = (Run(Jordan(outputs=K, size=4, teacher_forcing=on), ids=True) for on in (True, False))
    parallel, state = forced.forward()
    assert state == ()
    parallel = parallel.copy()
    for t in range(T):
        o, _ = free.forward(free.x[t : t + 1], (np.eye(K)[free.x[t]],))
        np.testing.assert_allclose(o[0], parallel[t], rtol=1e-12)


def test_with_teacher_forcing_only_the_last_input_matters():
    forced, free = (Run(Jordan(outputs=4, size=4, teacher_forcing=on)) for on in (True, False))
    for run, remembers in ((forced, False), (free, True)):
        before = run.forward()[0][-1].copy()
        run.x[:-1] += 1
        assert (run.forward()[0][-1] != before).any() == remembers


def test_what_comes_back_is_the_distribution_of_the_model():
    model = LanguageModel(cell=Jordan(outputs=K, size=4), head=Scores())
    network = Network(model, synthetic_vocab(K), np.float64, np.random.default_rng(1))
    inputs = np.random.default_rng(2).integers(0, K, (T, B), np.int32)
    log_p, (y,) = network.log_probs(inputs, network.initial_state(B))
    np.testing.assert_allclose(y, np.exp(log_p[-1]), rtol=1e-12)


# --- dropout


@pytest.mark.parametrize(
    ("thinned", "whole"),
    [
        (Vanilla(size=4, dropconnect=0.5), Vanilla(size=4)),
        (Stack([Vanilla(size=4), Vanilla(size=3)], dropout=0.5), Stack([Vanilla(size=4), Vanilla(size=3)])),
    ],
    ids=["dropconnect", "stack"],
)
def test_nothing_is_dropped_in_evaluation(thinned, whole):
    np.testing.assert_array_equal(Run(thinned).forward()[0], Run(whole).forward()[0])
    assert (Run(thinned).forward(rng=np.random.default_rng(2))[0] != Run(whole).forward()[0]).any()


def test_dropconnect_is_one_mask_on_W_for_the_window():
    run = Run(Vanilla(size=4, dropconnect=0.5))
    y, _ = run.forward(rng=np.random.default_rng(2))
    mask = np.empty((4, 4))
    dropout_mask(0.5, np.random.default_rng(2), mask)
    assert set(mask.ravel()) == {0, 2}
    run.p["W"][...] *= mask
    np.testing.assert_array_equal(y, run.forward()[0])


def test_dropconnect_can_spare_the_weights_of_units_from_themselves():
    run = Run(Vanilla(size=40, dropconnect=0.5, dropconnect_self=False))
    y, _ = run.forward(rng=np.random.default_rng(2))
    mask = np.empty((40, 40))
    dropout_mask(0.5, np.random.default_rng(2), mask)
    assert 0 in mask.diagonal()
    np.fill_diagonal(mask, 1)
    run.p["W"][...] *= mask
    np.testing.assert_array_equal(y, run.forward()[0])


def test_dropout_between_layers_is_one_mask_per_sequence_for_the_window():
    # Without W and with the same input all the time, all steps are alike if and only if their masks are.
    layers = [Vanilla(size=20, activation="identity"), Vanilla(size=20, activation="identity")]
    run = Run(Stack(layers, dropout=0.5))
    for layer in ("layer0", "layer1"):
        run.p[layer]["W"][...] = 0
    run.x[...] = run.x[0, 0]
    y, _ = run.forward(rng=np.random.default_rng(2))
    np.testing.assert_allclose(y, y[:1].repeat(T, axis=0), rtol=1e-12)
    assert (y[:, 0] != y[:, 1]).any()
    again, _ = run.forward(rng=np.random.default_rng(3))
    assert (again != y).any()


# --- the vanilla cell against its definition, one step, one sequence and one output at a time

FORMULAS = {  # f(a) and f'(a)
    "tanh": (np.tanh, lambda a: 1 / np.cosh(a) ** 2),
    "relu": (lambda a: np.where(a > 0, a, 0), lambda a: np.where(a > 0, 1.0, 0.0)),
    "sigmoid": (lambda a: 1 / (1 + np.exp(-a)), lambda a: np.exp(-a) / (1 + np.exp(-a)) ** 2),
    "identity": (lambda a: a, lambda a: np.ones_like(a)),
}


def naive_forward(run, n):
    """The n-th sequence: lists of x_t, h_{t-1}, a_t and h_t, for each t."""
    f, _ = FORMULAS[run.cell.activation]
    W, U, b = run.p["W"], run.p["U"], run.p.get("b", 0)
    x = [np.eye(K)[x_t[n]] if x_t.dtype.kind == "i" else x_t[n] for x_t in run.x]
    past, a, h = [], [], []
    for t in range(len(x)):
        past.append(h[-1] if h else run.state[0][n])
        a.append(b + W.T @ past[t] + U.T @ x[t])
        h.append(f(a[t]))
    return x, past, a, h


def naive_backward(run, k, dlast=None):
    """Truncated BPTT as textbooks define it: for each output, follow its error back at most k steps."""
    _, slope = FORMULAS[run.cell.activation]
    W, U = run.p["W"], run.p["U"]
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros(len(W))
    dx, dh0 = np.zeros((*run.x.shape[:2], len(U))), np.zeros_like(run.state[0])
    for n in range(B):
        x, past, a, _ = naive_forward(run, n)
        for t in range(len(a)):
            dh = run.dy[t, n]
            if dlast is not None and t == len(a) - 1:
                dh = dh + dlast[0][n]
            for s in range(t, max(t - k, 0) - 1, -1):
                delta = dh * slope(a[s])
                dW += np.outer(past[s], delta)
                dU += np.outer(x[s], delta)
                db += delta
                dx[s, n] += U @ delta
                dh = W @ delta
            if t < k:
                dh0[n] += dh
    return {"W": dW, "U": dU, "b": db, "x": dx, "h0": dh0}


def gradients(run, dlast=None):
    """What the cell computes, under the same names."""
    run.forward()
    (dh0,) = run.backward(dlast)
    return {**run.g.named, "h0": dh0} | ({} if run.dx is None else {"x": run.dx})


def assert_equal_gradients(found, wanted):
    for name, array in found.items():
        np.testing.assert_allclose(array, wanted[name], rtol=1e-10, atol=1e-10, err_msg=name)


every_activation = pytest.mark.parametrize("activation", FORMULAS)


@every_input
@every_activation
@pytest.mark.parametrize("bias", [True, False])
def test_forward_is_the_definition(activation, bias, ids):
    run = Run(Vanilla(size=4, activation=activation, bias=bias), ids)
    y, (last,) = run.forward()
    for n in range(B):
        *_, h = naive_forward(run, n)
        np.testing.assert_allclose(y[:, n], h, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(last[n], h[-1], rtol=1e-12, atol=1e-12)


@every_input
@every_activation
def test_full_backpropagation_is_the_definition(activation, ids):
    run = Run(Vanilla(size=4, activation=activation), ids, T=7)
    assert_equal_gradients(gradients(run, run.dlast), naive_backward(run, 7, run.dlast))


@every_input
@every_activation
@pytest.mark.parametrize("k", [0, 1, 4, 7, 20])
def test_truncated_backpropagation_is_the_definition(k, activation, ids):
    run = Run(Vanilla(size=4, activation=activation, truncate=k), ids, T=7)
    assert_equal_gradients(gradients(run), naive_backward(run, k))
    assert_equal_gradients(gradients(run, run.dlast), naive_backward(run, k, run.dlast))


@every_input
@pytest.mark.parametrize("k", [7, 8, 100])
def test_truncation_beyond_the_window_is_none(k, ids):
    whole = Run(Vanilla(size=4), ids, T=7)
    cut = Run(Vanilla(size=4, truncate=k), ids, T=7)
    assert_equal_gradients(gradients(cut, cut.dlast), gradients(whole, whole.dlast))


def test_truncation_changes_the_gradient():
    whole, cut = Run(Vanilla(size=4), T=7), Run(Vanilla(size=4, truncate=4), T=7)
    assert not np.allclose(gradients(cut)["W"], gradients(whole)["W"], rtol=1e-6)


# --- mistakes


def test_a_stack_needs_a_cell():
    with pytest.raises(ValueError, match=r"^cells: expected at least one cell, found none$"):
        Stack([])


def test_a_stack_is_causal_only_if_its_cells_are():
    class Clairvoyant(Vanilla):
        causal = False

    assert not Stack([Vanilla(), Clairvoyant()]).causal


# --- zoneout


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_zoneout_is_its_definition(activation):
    """h_t = (1 - u_t) h_{t-1} + u_t f(a_t), with u_t the mask in training and its mean in evaluation."""
    cell = Vanilla(size=4, zoneout=0.3, activation=activation)
    p, (state,) = parameters(cell.specs(K)), random_like(cell.initial_state(B, np.float64), np.random.default_rng(1))
    x = np.random.default_rng(1).integers(0, K, (T, B))
    mask = np.empty((T, B, 4))
    dropout_mask(0.3, np.random.default_rng(2), mask)
    f = {"tanh": np.tanh, "relu": lambda a: np.maximum(a, 0)}[activation]
    for rng, u in ((np.random.default_rng(2), (mask > 0).astype(float)), (None, np.full_like(mask, 0.7))):
        found, (last,) = cell.forward(p, x, (state,), cell.workspace(T, B, memory()), rng)
        h = state
        for t in range(T):
            h = (1 - u[t]) * h + u[t] * f(p["b"] + h @ p["W"] + p["U"][x[t]])
            np.testing.assert_allclose(found[t], h, rtol=1e-12)
        np.testing.assert_array_equal(last, found[-1])


def test_zoneout_goes_through_the_whole_window():
    with pytest.raises(ValueError, match="zoneout: .*truncate"):
        Vanilla(size=4, zoneout=0.3, truncate=2)
