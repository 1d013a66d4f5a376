"""The same training as PyTorch's, from the same weights. Skipped where PyTorch is not installed."""

import numpy as np
import pytest

from rnnlm.cells import Vanilla
from rnnlm.corpus import Batch
from rnnlm.gradcheck import synthetic_vocab
from rnnlm.heads import Softmax
from rnnlm.models import LanguageModel, Network
from rnnlm.optim import SGD, Adagrad, Adam, Momentum, RMSProp, clip_norm, clip_value

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

K, D, H, T, B, STEPS, LR = 30, 8, 12, 7, 4, 10, 0.5
PRECISIONS = [(np.float32, 1e-5), (np.float64, 1e-10)]


class TorchModel(torch.nn.Module):
    """nn.Embedding, nn.RNN and nn.Linear with the weights of a network."""

    def __init__(self, network, activation):
        super().__init__()
        p, dtype = network.params, getattr(torch, network.params.flat.dtype.name)
        self.embedding = torch.nn.Embedding(K, D, dtype=dtype)
        self.rnn = torch.nn.RNN(D, H, nonlinearity=activation, dtype=dtype)
        self.linear = torch.nn.Linear(H, K, dtype=dtype)
        self.rnn.bias_hh_l0.requires_grad_(False)  # a second bias, which we do not have
        self.ours = {  # name -> their array in our orientation
            "E": self.embedding.weight, "cell.U": self.rnn.weight_ih_l0.T, "cell.W": self.rnn.weight_hh_l0.T,
            "cell.b": self.rnn.bias_ih_l0, "head.V": self.linear.weight, "head.c": self.linear.bias,
        }  # fmt: skip
        with torch.no_grad():
            self.rnn.bias_hh_l0.zero_()
            for name, array in self.ours.items():
                array.copy_(torch.from_numpy(p.named[name]))

    def forward(self, ids, state):
        y, state = self.rnn(self.embedding(ids), state)
        return self.linear(y), state.detach()


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_ten_steps_of_training(dtype, tolerance, activation):
    rng = np.random.default_rng(1)
    model = LanguageModel(cell=Vanilla(size=H, activation=activation), head=Softmax(bias="zeros"), embedding=D)
    network = Network(model, synthetic_vocab(K), dtype, rng)
    theirs = TorchModel(network, activation)
    sgd = torch.optim.SGD([p for p in theirs.parameters() if p.requires_grad], lr=LR)
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

    np.testing.assert_allclose(state[0], their_state[0].numpy(), rtol=0, atol=tolerance)
    for name, array in theirs.ours.items():
        np.testing.assert_allclose(network.params.named[name], array.detach().numpy(), rtol=0, atol=tolerance)


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
        optimizer.step(theta, grad, optimizer.lr, t, **slots)
        np.testing.assert_allclose(theta, parameter.detach().numpy(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("limit", [1.0, 100.0])
def test_clipping(limit):
    grad = np.random.default_rng(1).standard_normal(50) * 3
    for ours, theirs in (
        (clip_norm, torch.nn.utils.clip_grad_norm_),
        (clip_value, torch.nn.utils.clip_grad_value_),
    ):
        parameter, clipped = torch.zeros(50, dtype=torch.float64), grad.copy()
        parameter.grad = torch.from_numpy(grad.copy())
        theirs([parameter], limit)
        ours(clipped, limit)
        np.testing.assert_allclose(clipped, parameter.grad.numpy(), rtol=1e-6)  # PyTorch adds 1e-6 to the norm
