"""Every backward against numerical derivatives of its forward; and the check itself, which must find what is wrong."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnnlm import config
from rnnlm.config import Choice
from rnnlm.experiment import Config
from rnnlm.nn.cells import GRU, Jordan, Stack, Vanilla
from rnnlm.nn.gradcheck import check_arrays, check_batch, synthetic_batch
from rnnlm.nn.heads import Adaptive, Scores
from rnnlm.nn.models import Blank, Classifier, LanguageModel, Seq2Seq, Vec2Seq
from rnnlm.nn.network import Network
from rnnlm.nn.state import arrays
from rnnlm.tasks.data import Data
from rnnlm.tasks.gradcheck import (
    check_network,
    enough_words,
    exact_window,
    synthetic_batch_for,
    synthetic_vocab_for,
)
from rnnlm.training import checkpoint
from tests.kinds import ALL, CELLS, FAMILY, HEADS, MODELS, VOCAB, WIDTH, K, memory, parameters, random_like

LIMIT = 1e-7
EVERY = 10**6  # elements of each array
CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def assert_right(checks):
    assert checks
    assert [check for check in checks if check.error > LIMIT] == []


def test_every_kind_has_an_example():
    families = [family for family in Choice.__subclasses__() if family.__module__.startswith("rnnlm.")]
    kinds = {kind for family in families for kind in family.kinds().values() if kind.__module__.startswith("rnnlm.")}
    assert {kind.__name__ for kind in kinds} == {type(one).__name__ for family in ALL for one in family.values()}


@pytest.mark.parametrize("T", [1, 2, 5])
@pytest.mark.parametrize("width", [None, 3], ids=["ids", "vectors"])
@pytest.mark.parametrize("name", CELLS)
def test_cell(name, width, T):
    cell, B, rng = CELLS[name], 2, np.random.default_rng(1)
    x = rng.integers(0, K, (T, B)) if width is None else rng.standard_normal((T, B, width))
    p = parameters(cell.specs(width or K))
    state = random_like(cell.initial_state(B, np.float64), rng)
    dlast, dy = random_like(state, rng), rng.standard_normal((T, B, cell.n_out))
    work = cell.workspace(T, B, memory())

    def loss():
        y, last = cell.forward(p, x, state, work, np.random.default_rng(2))
        return np.sum(dy * y) + sum(np.sum(d * h) for d, h in zip(arrays(dlast), arrays(last)))

    loss()
    g, dx = p.zeros_like(), None if width is None else np.full_like(x, np.nan)
    dstate = cell.backward(p, g, dy.copy(), dlast, work, dx)
    checked, grads = ({n: a for n, a in of.named.items() if n not in p.frozen} for of in (p, g))
    assert not any(g.named[frozen].any() for frozen in p.frozen)
    for i, (h, dh) in enumerate(zip(arrays(state), arrays(dstate))):
        checked[f"state {i}"], grads[f"state {i}"] = h, dh
    if dx is not None:
        checked["x"], grads["x"] = x, dx
    assert_right(check_arrays(loss, checked, grads, elements=EVERY))


@pytest.mark.parametrize("lengths", [[1, 2], [5, 3]], ids=str)
@pytest.mark.parametrize("name", CELLS)
def test_cell_with_padding(name, lengths):
    """The last state is that of each sequence's own end, and what stands beyond the ends has no part in the loss."""
    cell, lengths, rng = CELLS[name], np.array(lengths), np.random.default_rng(1)
    x = rng.standard_normal((lengths.max(), 2, 3))
    real = np.arange(len(x))[:, None] < lengths
    p = parameters(cell.specs(3))
    state = random_like(cell.initial_state(2, np.float64), rng)
    dlast, dy = random_like(state, rng), rng.standard_normal((*real.shape, cell.n_out))
    work = cell.workspace(*real.shape, memory())

    def loss():
        y, last = cell.forward_padded(p, x, state, work, lengths, np.random.default_rng(2))
        return np.sum((dy * y)[real]) + sum(np.sum(d * h) for d, h in zip(arrays(dlast), arrays(last)))

    loss()
    g, dx = p.zeros_like(), np.full_like(x, np.nan)
    dstate = cell.backward_padded(p, g, dy.copy(), dlast, work, lengths, dx)
    checked, grads = ({n: a for n, a in of.named.items() if n not in p.frozen} for of in (p, g))
    for i, (h, dh) in enumerate(zip(arrays(state), arrays(dstate))):
        checked[f"state {i}"], grads[f"state {i}"] = h, dh
    assert_right(check_arrays(loss, checked | {"x": x}, grads | {"x": dx}, elements=5))


@pytest.mark.parametrize("name", HEADS)
def test_head(name):
    head, N, D, rng = HEADS[name], 12, WIDTH[name], np.random.default_rng(1)
    y, targets, scale = rng.standard_normal((N, D)), rng.integers(0, K, N), rng.uniform(0, 2, N)
    scale[3] = 0  # padding
    p = parameters(head.specs(D, VOCAB))
    work = head.workspace(p, N, memory())

    def loss():
        return np.sum(scale * head.forward(p, y, targets, work))

    loss()
    g, dy = p.zeros_like(), np.full_like(y, np.nan)
    head.backward(p, g, scale, work, dy)
    assert_right(check_arrays(loss, {**p.named, "y": y}, {**g.named, "y": dy}, elements=EVERY))


def small_network(name, T, seed=1):
    """A float64 network with a window of text, padded, and the state that another window left."""
    rng = np.random.default_rng(seed)
    network = Network(MODELS[name], VOCAB, np.float64, rng)
    network.params.flat += rng.uniform(-0.3, 0.3, network.params.flat.shape)
    batch = synthetic_batch(K, T, 3, rng)
    _, state = network.loss(batch, None)
    return network, replace(batch, fresh=False), state


@pytest.mark.parametrize("T", [1, 2, 5])
@pytest.mark.parametrize("name", MODELS)
def test_model(name, T):
    assert_right(check_batch(*small_network(name, T), seed=2, elements=EVERY))


@pytest.mark.parametrize("T", [1, 2, 5])
@pytest.mark.parametrize("name", FAMILY)
def test_model_of_the_family(name, T):
    """With padding: the sentences of the batch have different lengths."""
    model, rng = FAMILY[name], np.random.default_rng(1)
    network = Network(model, synthetic_vocab_for(model), np.float64, rng)
    network.params.flat += rng.uniform(-0.3, 0.3, network.params.flat.shape)
    assert_right(check_batch(network, synthetic_batch_for(network, T, rng), (), seed=2, elements=20))


PLACES = {  # where a model has a cell
    "lm": lambda cell: LanguageModel(cell=cell, embedding=3),
    "blank": lambda cell: Blank(cell=cell, embedding=3),
    "classifier": lambda cell: Classifier(cell=cell, embedding=3),
    "encoder": lambda cell: Seq2Seq(encoder=cell, decoder=GRU(size=2), context="every_step", embedding=3),
    "decoder": lambda cell: Seq2Seq(encoder=GRU(size=2), decoder=cell, context="every_step", embedding=3),
    "both": lambda cell: Seq2Seq(encoder=cell, decoder=cell, embedding=3),
    "vec2seq": lambda cell: Vec2Seq(vector=4, decoder=cell, embedding=3),
}
FUTURE = "; use a causal (cell|one)"
REFUSED = {
    **{("bidirectional", place): FUTURE for place in ("lm", "blank", "decoder", "both", "vec2seq")},
    **{("jordan forced", place): ": it keeps no state" for place in ("encoder", "both", "vec2seq")},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "name",
    ["dropconnect", "lstm dropconnect", "gru", "jordan", "jordan forced", "leaky spread learned", "reservoir leak",
     "bidirectional", "stack of others"],
)  # fmt: skip
def test_every_cell_in_every_model(name, place):
    if (name, place) in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name, place]):
            PLACES[place](CELLS[name])
        return
    model, rng = PLACES[place](CELLS[name]), np.random.default_rng(1)
    network = Network(model, synthetic_vocab_for(model), np.float64, rng)
    network.params.flat += rng.uniform(-0.3, 0.3, network.params.flat.shape)
    assert_right(check_network(network, seed=2, elements=1))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_network_of_every_configuration(path):
    settings, _ = config.load(path, Config)
    vocab = synthetic_vocab_for(settings.model)
    network = Network(settings.model, vocab, np.float64, np.random.default_rng(settings.seed))
    assert_right(check_network(network, settings.seed, elements=3))


# --- the check itself


@pytest.mark.parametrize("elements", [EVERY, 0], ids=["elementwise", "direction"])
@pytest.mark.parametrize("mistake", ["0.1 % off", "one element", "zero", "not finite"])
def test_a_wrong_gradient_is_found(mistake, elements):
    network, batch, state = small_network("tied projection", T=5)
    loss, _ = network.loss_and_grad(batch, state)
    right = {name: loss.tokens * mean for name, mean in network.grads.named.items()}
    for name in right:
        wrong = right[name].copy()
        if mistake == "0.1 % off":
            wrong *= 1.001
        elif mistake == "one element":
            wrong.flat[wrong.size // 2] += 1e-3
        elif mistake == "zero":
            wrong[...] = 0
        else:
            wrong.flat[-1] = np.nan
        checks = check_arrays(
            lambda: network.loss(batch, state)[0].nats, network.params.named, right | {name: wrong}, elements=elements
        )
        assert [check.name for check in checks if check.error > LIMIT] == [name]


def test_the_element_is_named():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    (check,) = check_arrays(lambda: np.sum(x**3), {"x": x}, {"x": 3 * x**2 + [[0, 0], [1, 0]]})
    assert (check.name, check.shape, check.checked, check.where) == ("x", (2, 2), 5, "[1, 0]")
    assert check.analytic == 28
    assert check.numeric == pytest.approx(27, abs=1e-8)
    assert check.error == pytest.approx(1 / np.sqrt((3**2 + 12**2 + 28**2 + 48**2) / 4), rel=1e-6)


def test_arrays_are_left_as_they_were():
    x = np.array([0.1, 0.2, 0.3])
    check_arrays(lambda: np.sum(np.sin(x)), {"x": x}, {"x": np.cos(x)})
    assert x.tolist() == [0.1, 0.2, 0.3]


def test_elements_are_those_of_words_that_occur_too():
    table, ids = np.zeros((10_000, 2)), [5, 777]
    wrong = np.zeros_like(table)
    wrong[ids] = [[1, 1], [1, 1.001]]
    (check,) = check_arrays(lambda: table[ids].sum(), {"table": table}, {"table": wrong})
    assert (check.checked, check.where) == (25, "[777, 1]")


def test_windows_in_which_truncation_is_exact():
    assert exact_window(LanguageModel()) == 5
    assert exact_window(LanguageModel(cell=Vanilla(truncate=0))) == 1
    assert exact_window(LanguageModel(cell=Vanilla(truncate=9))) == 5
    assert exact_window(LanguageModel(cell=Stack([Vanilla(truncate=3), Vanilla(truncate=2)]))) == 3


def test_vocabularies_that_are_large_enough():
    assert enough_words(LanguageModel()) == 20
    assert enough_words(LanguageModel(head=Adaptive(cutoffs=[50, 100]))) == 120
    assert enough_words(LanguageModel(cell=Jordan(outputs=7), head=Scores())) == 7


# --- the command

CONFIG = """
data: {train: [nowhere.txt]}
model:
  embedding: 6
  cell: {kind: vanilla, size: 5, dropconnect: 0.2}
  dropout_output: 0.5
"""


def rnnlm(*arguments, code=None):
    """Run the command in a process of its own; `code` replaces `-m rnnlm`."""
    start = ["-m", "rnnlm"] if code is None else ["-c", code]
    return subprocess.run([sys.executable, *start, "gradcheck", *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def test_command_shows_a_table_and_passes(settings):
    done = rnnlm(settings)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert lines[0] == f"{settings}: 300 parameters, K 20, T 5, B 3, float64, seed 1"
    assert lines[1].split() == ["parameter", "shape", "checked", "error", "where", "analytic", "numeric"]
    assert [line.split()[:2] for line in lines[2:-1]] == [
        ["E", "20x6"], ["cell.U", "6x5"], ["cell.W", "5x5"], ["cell.b", "5"], ["head.V", "20x5"], ["head.c", "20"],
    ]  # fmt: skip
    assert lines[-1].startswith("passed: largest relative error ")
    assert lines[-1].endswith("; limit 1e-06")


def test_command_fits_the_window_to_truncated_errors(settings):
    done = rnnlm(settings, "--set", "model.cell.truncate=2")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "override model.cell.truncate: null -> 2\n")
    assert lines[0].endswith("K 20, T 3, B 3, float64, seed 1")
    assert lines[1] == "note: errors are truncated; in a window of 3 steps or fewer they reach every step"


def test_command_fails_on_a_wrong_backward(settings):
    wrong = """
import sys
from rnnlm.nn.cells import Vanilla
from rnnlm.cli import main
class Wrong(Vanilla, kind="wrong"):
    def backward(self, p, g, *rest, **more):
        before = super().backward(p, g, *rest, **more)
        g["W"][...] *= 1.001
        return before
main()
"""
    done = rnnlm(settings, "--set", "model.cell.kind=wrong", "--set", "model.cell.dropconnect=0", code=wrong)
    assert done.returncode == 3
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith(f"rnnlm: error: {settings}: the gradient of cell.W is wrong: relative error 1.0e-03 at [")
    assert error.endswith(", limit 1e-06")
    assert hint == "  hint: a mistake in a backward pass, or weights too extreme for numerical derivatives"


def save_model(path, weights):
    """A model file with the weights that weights(network) puts into a small network."""
    settings = Config(Data(train=["nowhere.txt"]), model=MODELS["embedding"])
    network = Network(settings.model, VOCAB, rng=np.random.default_rng(1))
    weights(network)
    hashes = {"train_sha256": 64 * "0", "valid_sha256": None, "vocab_sha256": VOCAB.fingerprint}
    figures = {"rnnlm": "0.1.0", "step": 0, "epoch": 0, "valid_nats": [], **hashes}
    model = checkpoint.Checkpoint(config.plain(settings), VOCAB.to_bytes(), network.params.named, figures)
    checkpoint.save(path, model)


def test_command_takes_a_model(tmp_path):
    save_model(tmp_path / "best.npz", lambda network: None)
    done = rnnlm(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{tmp_path}: 104 parameters, K 9, T 5, B 3, float64, seed 1\n")


def test_command_refuses_weights_that_are_not_finite(tmp_path):
    def spoil(network):
        network.params["head"]["V"][2, 1] = np.nan

    save_model(tmp_path / "best.npz", spoil)
    done = rnnlm(tmp_path / "best.npz")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"rnnlm: error: {tmp_path}/best.npz: some of its weights are not finite",
        "  hint: train again, with a lower learning rate",
    ]


def test_command_refuses_overrides_of_a_model(tmp_path):
    done = rnnlm(tmp_path, "--set", "model.cell.truncate=2")
    error = f"rnnlm: error: {tmp_path}: --set changes a configuration, and this is a model\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", error + "  hint: give its config.yaml\n")
