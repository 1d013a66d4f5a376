"""A network that learns from a teacher: its gradient by definition, and the two extremes of the teacher's share."""

import numpy as np
import pytest

from rnnlm.nn.cells import LSTM, Jordan, Vanilla
from rnnlm.nn.dropout import Masks
from rnnlm.nn.gradcheck import check_arrays, synthetic_vocab
from rnnlm.nn.heads import Adaptive, Scores, Softmax
from rnnlm.nn.models import LanguageModel
from rnnlm.nn.network import Network
from rnnlm.nn.taught import Taught
from rnnlm.tasks.gradcheck import synthetic_batch_for
from tests.kinds import random_like

STUDENTS = {
    "vanilla": LanguageModel(cell=Vanilla(size=4)),
    "tied, all dropouts, penalties": LanguageModel(
        cell=Vanilla(size=3, dropconnect=0.2), embedding=3, head=Softmax(tied=True), dropout_words=0.2,
        dropout_input=0.2, dropout_output=0.3, ar=0.5, tar=0.5,
    ),
    "projected, no bias": LanguageModel(cell=LSTM(size=5), embedding=3, head=Softmax(tied=True, bias="none")),
    "adaptive, not tied": LanguageModel(cell=Vanilla(size=4), head=Adaptive(cutoffs=[5, 7]), dropout_output=0.2),
}  # fmt: skip
TEACHERS = {
    "vanilla": LanguageModel(cell=Vanilla(size=5), embedding=4),
    "lstm, adaptive": LanguageModel(
        cell=LSTM(size=4, dropconnect=0.3), embedding=4, head=Adaptive(cutoffs=[5, 7], tied=True), dropout_input=0.3,
        dropout_output=0.3, dropout_words=0.2,
    ),
    "jordan, scores": LanguageModel(cell=Jordan(outputs=12, size=4), head=Scores()),
}  # fmt: skip


PAIRS = [
    (student, teacher) for student in STUDENTS for teacher in TEACHERS
    if student != "adaptive, not tied" or teacher == "lstm, adaptive"  # others: refused by `rnnlm.experiment.taught`
]  # fmt: skip


def network_of(model, seed):
    """A network with noise on all of its parameters; all have the same vocabulary."""
    rng = np.random.default_rng(seed)
    network = Network(model, synthetic_vocab(12), np.float64, rng)
    network.params.flat += rng.uniform(-0.5, 0.5, network.params.flat.shape)
    return network


def softly(network, batch, q):
    """-sum_k q_k log p_k of each prediction for a teacher's q (N, K); with an adaptive softmax its definition."""
    head, work = network.model.head, network.softmaxes(batch)
    if not isinstance(head, Adaptive):
        return -(q * np.log(work[0].e / work[0].Z)).sum(axis=1)
    cuts = [*head.cutoffs, q.shape[1]]
    clusters = [q[:, a:b] for a, b in zip(cuts, cuts[1:])]
    of_clusters = np.hstack([q[:, : cuts[0]], *(part.sum(axis=1, keepdims=True) for part in clusters)])
    nats = -(of_clusters * np.log(work[0].e / work[0].Z)).sum(axis=1)
    for i, (part, one) in enumerate(zip(clusters, work[1:])):
        opened = np.flatnonzero((batch.targets.ravel() >= cuts[i]) & (batch.targets.ravel() < cuts[i + 1]))
        within = part[opened] / part[opened].sum(axis=1, keepdims=True)
        nats[opened] -= (within * np.log(one.e / one.Z)).sum(axis=1)
    return nats


def pair(student, teacher, share=0.6, noisy=True):
    """A taught network, a batch, and the state before it."""
    taught = Taught(network_of(STUDENTS[student], 1), network_of(TEACHERS[teacher], 2), share, noisy)
    batch = synthetic_batch_for(taught.network, 5, np.random.default_rng(3))
    return taught, batch, random_like(taught.initial_state(batch.sequences), np.random.default_rng(4))


def masks():
    return Masks(np.random.PCG64(5))


@pytest.mark.parametrize("noisy", [True, False])
@pytest.mark.parametrize(("student", "teacher"), PAIRS)
def test_gradient(student, teacher, noisy, threads):
    """Of (1 - s) (-log p[target]) + s (-sum_k q_k log p_k), with the teacher's q."""
    taught, batch, state = pair(student, teacher, 0.6, noisy)
    network, drawn = taught.network, masks()
    network.loss(batch, state[0], drawn)  # the masks of the teacher are drawn after those of the network
    taught.teacher.loss(batch, state[1], drawn if noisy else None)
    y = taught.teacher.hidden(batch)
    q = np.exp(taught.teacher.model.head.log_probs(taught.teacher.p["head"], y.reshape(-1, y.shape[-1])))
    np.testing.assert_allclose(q.sum(axis=1), 1)
    counted = np.ones(len(q)) if batch.weights is None else batch.weights.ravel()  # padding does not

    def loss():
        nats = network.loss(batch, state[0], masks())[0].nats
        return 0.4 * nats + 0.6 * (counted @ softly(network, batch, q)) + network.penalties(batch)

    found, _ = taught.loss(batch, state, masks())
    assert found.nats == network.loss(batch, state[0], masks())[0].nats
    taught.loss(batch, state, masks())
    taught.backward(batch)
    grads = {name: array.copy() for name, array in taught.grads.named.items()}
    for check in check_arrays(loss, network.params.named, grads):
        assert check.error < 1e-7, check


def test_the_teacher_reads_on():
    """Its state is carried from window to window, and begins anew where that of the network does."""
    taught, batch, state = pair("vanilla", "lstm, adaptive", noisy=False)
    _, (own, other) = taught.loss(batch, state)
    np.testing.assert_array_equal(own, taught.network.loss(batch, state[0])[1])
    for found, expected in zip(other, taught.teacher.loss(batch, state[1])[1]):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("factor", [1.0, 0.01])
def test_the_smallest_and_the_largest_share(factor):
    """With next to no share the gradient is that of the text; with all of it the targets make no difference."""
    taught, batch, state = pair("vanilla", "vanilla", 1e-13)
    taught.network.loss(batch, state[0], masks())
    taught.network.backward(batch, factor)
    alone = taught.grads.flat.copy()
    taught.loss(batch, state, masks())
    taught.backward(batch, factor)
    np.testing.assert_allclose(taught.grads.flat, alone, atol=1e-11)
    taught.share, found = 1.0, []
    for targets in (batch.targets, np.roll(batch.targets, 1, axis=0)):
        batch.targets[...] = targets
        taught.loss(batch, state, masks())
        taught.backward(batch, factor)
        found.append(taught.grads.flat.copy())
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)
    assert abs(found[0] - alone).max() > 1e-3 * factor


def test_its_own_teacher():
    """A network that has learnt what its teacher says has nothing left to learn from it."""
    network = network_of(STUDENTS["vanilla"], 1)
    taught = Taught(network, network_of(STUDENTS["vanilla"], 1), 1.0, noisy=False)
    batch = synthetic_batch_for(network, 5, np.random.default_rng(3))
    taught.loss(batch, taught.initial_state(batch.sequences))
    taught.backward(batch)
    np.testing.assert_allclose(taught.grads.flat, 0, atol=1e-12)
