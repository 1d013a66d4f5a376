"""The same training as PyTorch's, from the same weights. Skipped where PyTorch is not installed."""

from typing import NamedTuple

import numpy as np
import pytest

from rnnlm.nn.cells import GRU, LSTM, Bidirectional, Cell, Vanilla
from rnnlm.nn.gradcheck import synthetic_vocab
from rnnlm.nn.heads import Softmax
from rnnlm.nn.models import LanguageModel
from rnnlm.nn.network import Network
from rnnlm.text.windows import Batch
from rnnlm.training.optim import SGD, Adagrad, Adam, Momentum, RMSProp, clip_norm, clip_value, gradient_norm
from tests.kinds import memory, parameters, random_like

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

K, D, H, T, B, STEPS, LR = 30, 8, 12, 7, 4, 10, 0.5
PRECISIONS = [(np.float32, 1e-5), (np.float64, 1e-10)]


class Twin(NamedTuple):
    """A cell, the class in PyTorch with its options, and where our columns of gates stand among its rows."""

    cell: Cell
    theirs: type[torch.nn.RNNBase]
    options: dict[str, str] = {}
    gates: tuple[int, ...] = (0,)

    @property
    def rows(self):
        """Their rows in the order of our columns."""
        return np.concatenate([np.arange(gate * H, (gate + 1) * H) for gate in self.gates])

    def rnn(self, n_in, dtype):
        """Theirs; of its second bias only what the cell has too, c, is not zero and is trained."""
        rnn = self.theirs(n_in, H, **self.options, dtype=getattr(torch, np.dtype(dtype).name))
        ours = torch.zeros_like(torch.nn.init.zeros_(rnn.bias_hh_l0))
        if "c" in self.cell.specs(n_in):
            ours[-H:] = 1
        rnn.bias_hh_l0.register_hook(lambda grad: grad * ours)
        return rnn

    def weights(self, rnn, of=lambda weight: weight):
        """Their weights, or what `of` tells of each, in our orientation and order."""
        U, W, b, c = (of(weight) for weight in rnn.parameters())
        weights = {"U": U[self.rows].T, "W": W[self.rows].T, "b": b[self.rows], "c": c[-H:]}
        return {name: weights[name] for name in self.cell.specs(1)}

    def copy(self, p, rnn):
        """Give theirs the weights of ours."""
        U, W, b, c = rnn.parameters()
        with torch.no_grad():
            for name, weight in (("U", U), ("W", W), ("b", b)):
                weight[self.rows] = torch.from_numpy(np.ascontiguousarray(p[name].T))
            if "c" in p:
                c[-H:] = torch.from_numpy(p["c"])


TWINS = {
    "tanh": Twin(Vanilla(size=H), torch.nn.RNN),
    "relu": Twin(Vanilla(size=H, activation="relu"), torch.nn.RNN, {"nonlinearity": "relu"}),
    "lstm": Twin(LSTM(size=H), torch.nn.LSTM, gates=(3, 0, 1, 2)),
    "gru": Twin(GRU(size=H), torch.nn.GRU, gates=(0, 1, 2)),
}
every_twin = pytest.mark.parametrize("name", TWINS)


def theirs_of(state):
    """A state of ours, (h,) or (h, c), in PyTorch's form, with a layer in front."""
    state = tuple(torch.from_numpy(h[None].copy()).requires_grad_() for h in state)
    return state if len(state) > 1 else state[0]


@every_twin
def test_outputs_and_gradients(name):
    twin, rng = TWINS[name], np.random.default_rng(1)
    cell, p = twin.cell, parameters(twin.cell.specs(D))
    x, dy = rng.standard_normal((T, B, D)), rng.standard_normal((T, B, H))
    state = random_like(cell.initial_state(B, np.float64), rng)
    dlast = random_like(state, rng)
    work, g, dx = cell.workspace(T, B, memory()), p.zeros_like(), np.empty_like(x)
    y, last = cell.forward(p, x, state, work)
    dstate = cell.backward(p, g, dy.copy(), dlast, work, dx)

    rnn = twin.rnn(D, np.float64)
    twin.copy(p, rnn)
    their_x, their_state = torch.from_numpy(x).requires_grad_(), theirs_of(state)
    their_y, their_last = rnn(their_x, their_state)
    their_states, their_lasts = (s if isinstance(s, tuple) else (s,) for s in (their_state, their_last))
    torch.autograd.backward([their_y, *their_lasts], [torch.from_numpy(d) for d in (dy, *(d[None] for d in dlast))])

    pairs = {"y": (y, their_y), "dx": (dx, their_x.grad)}
    pairs |= {f"last {i}": (h, theirs[0]) for i, (h, theirs) in enumerate(zip(last, their_lasts))}
    pairs |= {f"dstate {i}": (dh, theirs.grad[0]) for i, (dh, theirs) in enumerate(zip(dstate, their_states))}
    pairs |= {f"d{name}": (g[name], dw) for name, dw in twin.weights(rnn, lambda weight: weight.grad).items()}
    for quantity, (ours, theirs) in pairs.items():
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=0, atol=1e-10, err_msg=quantity)


class TorchModel(torch.nn.Module):
    """nn.Embedding, a twin and nn.Linear with the weights of a network."""

    def __init__(self, network, twin):
        super().__init__()
        p, dtype = network.params, network.params.flat.dtype
        self.twin, self.embedding = twin, torch.nn.Embedding(K, D, dtype=getattr(torch, dtype.name))
        self.rnn, self.linear = twin.rnn(D, dtype), torch.nn.Linear(H, K, dtype=self.embedding.weight.dtype)
        twin.copy(p["cell"], self.rnn)
        with torch.no_grad():
            for name, array in self.others().items():
                array.copy_(torch.from_numpy(p.named[name]))

    def others(self):
        return {"E": self.embedding.weight, "head.V": self.linear.weight, "head.c": self.linear.bias}

    def weights(self):
        """By our names."""
        return self.others() | {f"cell.{name}": weight for name, weight in self.twin.weights(self.rnn).items()}

    def forward(self, ids, state):
        y, state = self.rnn(self.embedding(ids), state)
        return self.linear(y), tuple(h.detach() for h in state) if isinstance(state, tuple) else state.detach()


@every_twin
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_ten_steps_of_training(dtype, tolerance, name):
    rng = np.random.default_rng(1)
    model = LanguageModel(cell=TWINS[name].cell, head=Softmax(bias="zeros"), embedding=D)
    network = Network(model, synthetic_vocab(K), dtype, rng)
    theirs = TorchModel(network, TWINS[name])
    sgd = torch.optim.SGD(theirs.parameters(), lr=LR)
    text = rng.integers(0, K, (STEPS * T + 1, B), np.int32)
    state = their_state = None
    for step in range(STEPS):
        inputs, targets = text[step * T : (step + 1) * T], text[step * T + 1 : (step + 1) * T + 1]
        loss, state = network.loss_and_grad(Batch(inputs, targets, fresh=step == 0), state)
        SGD().step(network.params.trainable, network.grads.trainable, LR, step + 1)

        scores, their_state = theirs(torch.from_numpy(inputs).long(), their_state)
        their_loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), torch.from_numpy(targets).long().flatten())
        sgd.zero_grad()
        their_loss.backward()
        sgd.step()
        assert loss.mean == pytest.approx(their_loss.item(), rel=tolerance)

    for h, theirs_h in zip(state, their_state if isinstance(their_state, tuple) else (their_state,)):
        np.testing.assert_allclose(h, theirs_h[0].numpy(), rtol=0, atol=tolerance)
    for name, array in theirs.weights().items():
        np.testing.assert_allclose(network.params.named[name], array.detach().numpy(), rtol=0, atol=tolerance)


KINDS = {"rnn": (Vanilla, torch.nn.RNN), "lstm": (LSTM, torch.nn.LSTM)}


@pytest.mark.parametrize("lengths", [None, [T, 2, 5, 1]], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_both_directions(kind, lengths):
    """Outputs, and gradients of inputs and weights; ten updates of ours and theirs."""
    ours, theirs = KINDS[kind]
    twin, rng = Twin(ours(size=H), theirs, gates=(3, 0, 1, 2) if kind == "lstm" else (0,)), np.random.default_rng(1)
    cell = Bidirectional(twin.cell)
    p, x, dy = parameters(cell.specs(D)), rng.standard_normal((T, B, D)), rng.standard_normal((T, B, 2 * H))
    own = None if lengths is None else np.array(lengths)
    real = np.ones((T, B), bool) if own is None else np.arange(T)[:, None] < own
    rnn = theirs(D, H, bidirectional=True, dtype=torch.float64)
    weights = {"forwards": [], "backwards": []}  # theirs: U, W, b, and the other bias, which we do not have
    for name, weight in rnn.named_parameters():
        weights["backwards" if name.endswith("reverse") else "forwards"].append(weight)
    for direction, (U, W, b, other) in weights.items():
        torch.nn.init.zeros_(other).requires_grad_(False)
        with torch.no_grad():
            for name, weight in (("U", U), ("W", W), ("b", b)):
                weight[twin.rows] = torch.from_numpy(np.ascontiguousarray(p[direction][name].T))
    their_x = torch.from_numpy(x).requires_grad_()
    sgd = torch.optim.SGD([weight for weight in rnn.parameters() if weight.requires_grad], lr=0.01)
    work, state, dx = cell.workspace(T, B, memory()), cell.initial_state(B, np.float64), np.empty_like(x)
    for _ in range(STEPS):
        y, last = cell.forward_padded(p, x, state, work, own)
        g = p.zeros_like()
        cell.backward_padded(p, g, dy.copy(), random_like(state, np.random.default_rng(2)), work, own, dx)
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            their_x, torch.tensor(lengths or [T] * B), enforce_sorted=False
        )
        their_y, their_last = rnn(packed)
        their_y, _ = torch.nn.utils.rnn.pad_packed_sequence(their_y, total_length=T)
        their_last = their_last if isinstance(their_last, tuple) else (their_last,)
        their_dlast = random_like(state, np.random.default_rng(2))
        sgd.zero_grad()
        their_x.grad = None
        torch.autograd.backward(
            [their_y, *their_last],
            [torch.from_numpy(dy), *(torch.from_numpy(np.stack(d)) for d in zip(*their_dlast))],
        )
        np.testing.assert_allclose(y[real], their_y.detach().numpy()[real], rtol=0, atol=1e-10)
        for h, their_h in zip(zip(*last), their_last):
            np.testing.assert_allclose(np.stack(h), their_h.detach().numpy(), rtol=0, atol=1e-10)
        np.testing.assert_allclose(dx, their_x.grad.numpy(), rtol=0, atol=1e-10)
        for direction, (U, W, b, _) in weights.items():
            for name, weight in (("U", U), ("W", W), ("b", b)):
                their_g = weight.grad.numpy()[twin.rows].T
                np.testing.assert_allclose(g[direction][name], their_g, rtol=0, atol=1e-10)
        SGD().step(p.trainable, g.trainable, 0.01, 1)
        sgd.step()


RULES = {
    "sgd": (SGD(), torch.optim.SGD, {}),
    "momentum": (Momentum(), torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (Momentum(nesterov=True), torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adagrad": (Adagrad(), torch.optim.Adagrad, {"eps": 1e-8}),
    "rmsprop": (RMSProp(), torch.optim.RMSprop, {"alpha": 0.99, "eps": 1e-8}),
    "adam": (Adam(), torch.optim.Adam, {}),
    "adam decay": (Adam(weight_decay=0.1), torch.optim.AdamW, {"weight_decay": 0.1}),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_ten_updates(name, dtype, tolerance):
    optimizer, theirs, options = RULES[name]
    rng = np.random.default_rng(1)
    theta = rng.standard_normal(50).astype(dtype)
    slots = {slot: np.zeros_like(theta) for slot in optimizer.slots}
    parameter = torch.from_numpy(theta.copy()).requires_grad_()
    rule = theirs([parameter], lr=optimizer.lr, **options)
    for t in range(1, STEPS + 1):
        grad = rng.standard_normal(50).astype(dtype)
        parameter.grad = torch.from_numpy(grad.copy())
        rule.step()
        optimizer.step(theta, grad, optimizer.lr, t, matrices=[slice(0, len(theta))], **slots)
        np.testing.assert_allclose(theta, parameter.detach().numpy(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("limit", [1.0, 100.0])
def test_clipping(limit):
    grad = np.random.default_rng(1).standard_normal(50) * 3

    def shorten(grad, limit):
        grad *= clip_norm(gradient_norm(grad), limit)

    for ours, theirs in (
        (shorten, torch.nn.utils.clip_grad_norm_),
        (clip_value, torch.nn.utils.clip_grad_value_),
    ):
        parameter, clipped = torch.zeros(50, dtype=torch.float64), grad.copy()
        parameter.grad = torch.from_numpy(grad.copy())
        theirs([parameter], limit)
        ours(clipped, limit)
        np.testing.assert_allclose(clipped, parameter.grad.numpy(), rtol=1e-6)  # PyTorch adds 1e-6 to the norm
