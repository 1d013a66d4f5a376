"""What rnnlm does: contenders on the package as it is."""

import tests.first  # noqa: F401, I001  (it decides about threads before NumPy is loaded)

import itertools
import os
import time
from collections import defaultdict

import numpy as np

import rnnlm.training.trainer
from rnnlm.lm import perplexity as evaluate
from rnnlm.nn import threads
from rnnlm.nn.cells import Cell, Stack, Vanilla
from rnnlm.text.windows import Sentences, Stream
from rnnlm.text.corpus import Corpus
from rnnlm.nn.gradcheck import synthetic_vocab
from rnnlm.nn.heads import Adaptive, Softmax
from rnnlm.nn.models import LanguageModel
from rnnlm.nn.network import Network
from rnnlm.nn.models.folded import Folded
from rnnlm.nn.parallel import product
from rnnlm.training.optim import SGD, Adam
from rnnlm.nn.params import Parameters
from rnnlm.training.run import environment
from rnnlm.lm.sample import sample
from rnnlm.training.schedule import Constant
from rnnlm.lm.network import NetworkScorer
from rnnlm.training.ranks import ALONE, Ranks
from rnnlm.training.trainer import Trainer, Training
from tests.bench.inputs import EOS, zipf_ids
from tests.bench.race import Work
from tests.bench.shapes import CLIP, WINDOWS, Shape

OPTIMIZERS = {"SGD": SGD(lr=0.1), "Adam": Adam(lr=1e-3)}


def model_of(shape: Shape) -> LanguageModel:
    cell = Cell.kinds()[shape.cell](size=shape.H)
    cell = cell if shape.layers == 1 else Stack([cell] * shape.layers)
    return LanguageModel(cell=cell, embedding=shape.D, head=head_of(shape))


def head_of(shape: Shape) -> Softmax | Adaptive:
    return Adaptive(cutoffs=list(shape.cutoffs), tied=shape.tied) if shape.cutoffs else Softmax(tied=shape.tied)


def corpus_of(ids: np.ndarray) -> Corpus:
    """A corpus in memory; it does not come from a text, so characters and lines are not those of one."""
    ends = np.flatnonzero(ids == EOS) + 1
    return Corpus(ids, np.stack([ends, ends, np.arange(len(ends))], axis=1), len(ids), 0, "made up", 0, "")


class Step(Work):
    """The trainer's step on windows of a stream."""

    def __init__(self, shape: Shape, optimizer: str = "SGD", ranks: Ranks = ALONE, shares: int | None = None):
        network = Network(model_of(shape), synthetic_vocab(shape.K), np.float32, np.random.default_rng(1))
        reading = Stream(corpus_of(zipf_ids(shape.K, WINDOWS * shape.tokens)), shape.B, shape.T)
        settings = Training(batch=shape.B, shares=shares, window=shape.T, clip_norm=CLIP)
        self.trainer = Trainer(network, [reading], OPTIMIZERS[optimizer], Constant(), settings, None, 1, ranks=ranks)
        self.batches = itertools.cycle(list(reading.batches()))

    def __call__(self):
        return int(self.trainer.step(next(self.batches)).loss.tokens)


class StepOnSentences(Work):
    """All the steps of an epoch over sentences, B to an update, of the network of the tutorials."""

    def __init__(self, K: int, H: int, truncate: int, B: int, N: int):
        model = LanguageModel(cell=Vanilla(size=H, bias=False, truncate=truncate), head=Softmax(bias="none"))
        network = Network(model, synthetic_vocab(K), np.float32, np.random.default_rng(1))
        reading = Sentences(corpus_of(zipf_ids(K, N)), B)
        self.trainer = Trainer(network, [reading], SGD(lr=0.005), Constant(), Training(batch=B), None, seed=1)
        self.batches = list(reading.batches(rng=np.random.default_rng(1)))

    def __call__(self):
        return sum(int(self.trainer.step(batch).loss.tokens) for batch in self.batches)


class Phases(Step):
    """The trainer's step with a clock around each of its parts."""

    def __init__(self, shape: Shape):
        super().__init__(shape)
        self.seconds: dict[str, float] = defaultdict(float)
        for owner, name, phase in (
            (Folded, "forward", "embedding times U, forward"),
            (Vanilla, "forward", "recurrence, forward"),
            (Softmax, "forward", "head, forward"),
            (Softmax, "backward", "head, backward"),
            (Vanilla, "backward", "recurrence, backward"),
            (Folded, "backward", "embedding times U, backward"),
            (rnnlm.training.trainer, "gradient_norm", "norm"),
            (SGD, "step", "clip and update"),
        ):
            setattr(owner, name, self._clocked(getattr(owner, name), phase))

    def _clocked(self, part, phase):
        def run(*args, **options):
            start = time.perf_counter()
            result = part(*args, **options)
            self.seconds[phase] += time.perf_counter() - start
            return result

        return run

    def burst(self, seconds):
        """{phase: seconds per step}, "step" being the whole."""
        self()
        self.seconds.clear()
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds or not steps:
            self()
            steps += 1
        self.seconds["step"] = time.perf_counter() - start
        return {phase: total / steps for phase, total in self.seconds.items()}


class HeadOnly(Work):
    """The head's forward and backward."""

    def __init__(self, shape: Shape):
        rng = np.random.default_rng(1)
        N = shape.tokens
        self.head, self.targets = head_of(shape), zipf_ids(shape.K, N)
        specs = self.head.specs(shape.D, synthetic_vocab(shape.K))
        if shape.tied:
            specs["V"] = Softmax().specs(shape.D, synthetic_vocab(shape.K))["V"]
        self.p = Parameters(specs, np.float32, rng)
        self.g = self.p.zeros_like()
        self.work = self.head.workspace(self.p, N, lambda *size: np.empty(size, np.float32))
        self.y = rng.uniform(-1, 1, (N, shape.D)).astype(np.float32)
        self.dy, self.scale = np.empty_like(self.y), np.full(N, 1 / N, np.float32)

    def __call__(self):
        self.head.forward(self.p, self.y, self.targets, self.work)
        self.head.backward(self.p, self.g, self.scale, self.work, self.dy)
        return len(self.targets)


class Evaluation(Work):
    """Perplexity of a text of N tokens.

    how: "validation", the state carried, as after each epoch; "sentences", each on its own; "words", the same from
    strings and with all the figures of `rnnlm eval`.
    """

    def __init__(self, shape: Shape, how: str, N: int = 8192):
        self.network = Network(model_of(shape), synthetic_vocab(shape.K), np.float32, np.random.default_rng(1))
        self.how, self.corpus = how, corpus_of(zipf_ids(shape.K, N))
        words = self.network.vocab.words
        ends = self.corpus.ends
        self.sentences = [
            [words[i] for i in self.corpus.ids[start : end - 1]] for start, end in zip([0, *ends[:-1]], ends)
        ]

    def __call__(self):
        if self.how == "words":
            scorer = NetworkScorer(self.network, stream=False)
            return sum(s.figures.tokens for s in evaluate.evaluate(scorer, self.sentences))
        return int(evaluate.loss(self.network, self.corpus, stream=self.how == "validation").tokens)


class Sampling(Work):
    """Texts of `length` tokens, so many side by side."""

    def __init__(self, shape: Shape, number: int, length: int = 50):
        self.network = Network(model_of(shape), synthetic_vocab(shape.K), np.float32, np.random.default_rng(1))
        self.number, self.length, self.rng = number, length, np.random.default_rng(1)

    def __call__(self):
        texts = sample(self.network, self.number, True, self.rng, max_tokens=self.length, sentences=False)
        return sum(len(text.ids) for text in texts)


class Product(Work):
    """C = A B of n x n float32 matrices, shared out among our threads as training does it."""

    def __init__(self, n: int):
        rng = np.random.default_rng(1)
        self.A, self.B = (rng.random((n, n), np.float32) for _ in range(2))
        self.C = np.empty_like(self.A)

    def __call__(self):
        product(self.A, self.B, out=self.C)
        return 1


class Facts(Work):
    """Versions and threads."""

    def burst(self, seconds):
        env = environment()
        return (
            f"rnnlm {env['rnnlm']}: {threads.threads()} threads; NumPy {env['numpy']}, {env['blas']}, "
            f"BLAS threads within rnnlm: {os.environ.get(threads.BLAS[0], 'default')}"
        )
