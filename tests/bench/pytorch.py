"""The same work in PyTorch, as its users write it: nn.Embedding, nn.RNN (nn.LSTM, nn.GRU), nn.Linear, on all cores."""

import itertools
import re

import torch
from torch import nn

from tests.bench.inputs import windows, zipf_ids
from tests.bench.race import CORES, Work
from tests.bench.shapes import CLIP, WINDOWS, Shape

torch.set_num_threads(CORES)
RNNS = {"vanilla": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "Adam": lambda p: torch.optim.Adam(p, lr=1e-3),
    "Adam, fused": lambda p: torch.optim.Adam(p, lr=1e-3, fused=True),
}


class Model(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.embedding = nn.Embedding(shape.K, shape.D)
        self.rnn = RNNS[shape.cell](shape.D, shape.H, num_layers=shape.layers)
        self.projection = nn.Linear(shape.H, shape.D, bias=False) if shape.projected else nn.Identity()
        self.linear = nn.Linear(shape.D if shape.projected else shape.H, shape.K)
        if shape.tied:
            self.linear.weight = self.embedding.weight
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)

    def forward(self, ids, state):
        h, state = self.rnn(self.embedding(ids), state)
        return self.linear(self.projection(h)), state


class Step(Work):
    """Forward, backward, clip and update on windows of a stream."""

    def __init__(self, shape: Shape, optimizer: str):
        torch.manual_seed(1)
        self.model = Model(shape)
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        batches = windows(zipf_ids(shape.K, WINDOWS * shape.tokens), shape.B, shape.T)
        self.batches = itertools.cycle([[torch.from_numpy(ids).long() for ids in batch] for batch in batches])
        self.state = None

    def __call__(self):
        inputs, targets = next(self.batches)
        self.optimizer.zero_grad()
        scores, state = self.model(inputs, self.state)
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.state = tuple(h.detach() for h in state) if isinstance(state, tuple) else state.detach()
        return targets.numel()


class Product(Work):
    """C = A B of n x n float32 matrices."""

    def __init__(self, n: int):
        torch.manual_seed(1)
        self.A, self.B, self.C = torch.rand(3, n, n)

    def __call__(self):
        torch.mm(self.A, self.B, out=self.C)
        return 1


class Facts(Work):
    """Versions and threads."""

    def burst(self, seconds):
        mkl = re.search(r"Math Kernel Library Version [\d.]+", torch.__config__.show())
        return f"PyTorch {torch.__version__}: {torch.get_num_threads()} threads; {mkl[0] if mkl else 'not MKL'}"
