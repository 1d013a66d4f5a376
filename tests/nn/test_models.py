"""The language model and the network around it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rnnlm.nn.cells import Bidirectional, Stack, Vanilla
from rnnlm.nn.dropout import Masks, add_noise, dropout_mask
from rnnlm.nn.gradcheck import synthetic_batch
from rnnlm.nn.heads import Softmax
from rnnlm.nn.initializers import Identity
from rnnlm.nn.models import Classifier, LanguageModel
from rnnlm.nn.network import Network
from rnnlm.nn.state import arrays
from rnnlm.tasks.gradcheck import synthetic_batch_for, synthetic_vocab_for
from rnnlm.text.windows import Batch
from tests.kinds import MODELS, VOCAB, K, memory

T, B = 6, 3

every_model = pytest.mark.parametrize("name", MODELS)


def network_of(model, dtype=np.float64, seed=1):
    """A network with noise on all parameters, so that those that start from zero matter too."""
    rng = np.random.default_rng(seed)
    network = Network(model, VOCAB, dtype, rng)
    network.params.flat += rng.uniform(-0.3, 0.3, network.params.flat.shape).astype(dtype)
    return network


def batch_of(T=T, B=B, padded=False, seed=1):
    batch = synthetic_batch(K, T, B, np.random.default_rng(seed))
    return batch if padded else replace(batch, weights=None)


# --- the loss


@every_model
def test_loss_is_that_of_the_probabilities(name):
    network, batch = network_of(MODELS[name]), batch_of()
    nats, last = network.nats(batch, None)
    log_p, state = network.log_probs(batch.inputs, network.initial_state(B))
    assert log_p.shape == (T, B, K)
    np.testing.assert_allclose(np.exp(log_p).sum(axis=2), 1, rtol=1e-13)
    np.testing.assert_allclose(nats, -np.take_along_axis(log_p, batch.targets[:, :, None], 2)[:, :, 0], rtol=1e-12)
    for one, other in zip(arrays(last), arrays(state), strict=True):
        np.testing.assert_array_equal(one, other)


@every_model
def test_two_windows_with_carried_state_are_one(name):
    network, batch = network_of(MODELS[name]), batch_of(2 * T)
    whole, _ = network.nats(batch, None)
    first, state = network.nats(Batch(batch.inputs[:T], batch.targets[:T]), None)
    second, _ = network.nats(Batch(batch.inputs[T:], batch.targets[T:], fresh=False), state)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-12)


@every_model
def test_word_by_word_is_all_at_once(name):
    network, batch = network_of(MODELS[name]), batch_of()
    at_once, _ = network.log_probs(batch.inputs, network.initial_state(B))
    state = network.initial_state(B)
    for t in range(T):
        log_p, state = network.log_probs(batch.inputs[t : t + 1], state)
        np.testing.assert_allclose(log_p[0], at_once[t], rtol=1e-12)


@every_model
def test_sequences_do_not_touch_each_other(name):
    network, batch = network_of(MODELS[name]), batch_of()
    together, _ = network.nats(batch, None)
    for b in range(B):
        alone, _ = network.nats(Batch(batch.inputs[:, b : b + 1], batch.targets[:, b : b + 1]), None)
        np.testing.assert_allclose(alone[:, 0], together[:, b], rtol=1e-12)


@every_model
def test_float32_stays_float32(name):
    network = network_of(MODELS[name], np.float32)
    batch = batch_of(padded=True)
    nats, state = network.nats(batch, None, np.random.default_rng(2))
    network.loss_and_grad(batch, None, np.random.default_rng(2))
    log_p, _ = network.log_probs(batch.inputs, network.initial_state(B))
    found = [nats, log_p, network.grads.flat, *arrays(state), *arrays(network.initial_state(B))]
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    exact, _ = network_of(MODELS[name]).nats(batch, None)
    np.testing.assert_allclose(network.nats(batch, None)[0], exact, rtol=1e-4, atol=1e-5)


def test_a_fresh_batch_starts_anew():
    network, batch = network_of(MODELS["embedding"]), batch_of()
    _, state = network.nats(batch, None)
    fresh, _ = network.nats(batch, None)
    np.testing.assert_array_equal(network.nats(batch, state)[0], fresh)
    assert (network.nats(replace(batch, fresh=False), state)[0] != fresh).any()


def test_training_starts_from_the_unigram_model():
    network = Network(LanguageModel(cell=Vanilla(size=4)), VOCAB, np.float64, np.random.default_rng(1))
    network.params["head"]["V"][...] = 0
    log_p, _ = network.log_probs(np.zeros((1, 1), np.int32), network.initial_state(1))
    np.testing.assert_allclose(np.exp(log_p[0, 0]), (VOCAB.counts + 1) / (VOCAB.counts + 1).sum(), rtol=1e-12)


def test_one_hot_input_is_an_embedding_that_is_the_identity():
    cell = Vanilla(size=4)
    onehot = network_of(LanguageModel(cell=cell))
    embedded = network_of(LanguageModel(cell=cell, embedding=K, init_E=Identity()))
    embedded.params["E"][...] = np.eye(K)
    for name, array in onehot.params.named.items():
        embedded.params.named[name][...] = array
    np.testing.assert_allclose(onehot.nats(batch_of(), None)[0], embedded.nats(batch_of(), None)[0], rtol=1e-13)


# --- gradients and padding


@every_model
def test_the_gradient_is_that_of_the_mean(name):
    network, batch = network_of(MODELS[name]), batch_of()
    loss, _ = network.loss_and_grad(batch, None)
    mean = network.grads.flat.copy()
    twice, _ = network.loss_and_grad(Batch(np.tile(batch.inputs, 2), np.tile(batch.targets, 2)), None)
    assert (loss.tokens, twice.tokens) == (T * B, 2 * T * B)
    assert twice.nats == pytest.approx(2 * loss.nats, rel=1e-12)
    np.testing.assert_allclose(network.grads.flat, mean, rtol=1e-9, atol=1e-12)


@every_model
def test_each_gradient_replaces_the_last(name):
    network, batch = network_of(MODELS[name]), batch_of()
    network.loss_and_grad(batch, None, np.random.default_rng(2))
    once = network.grads.flat.copy()
    network.loss_and_grad(batch, None, np.random.default_rng(2))
    np.testing.assert_array_equal(network.grads.flat, once)


@every_model
def test_padding_contributes_nothing(name):
    """The last sequence ends halfway: what stands after its end makes no difference."""
    network, batch = network_of(MODELS[name]), batch_of(padded=True)
    loss, _ = network.loss_and_grad(batch, None, np.random.default_rng(2))
    grads = network.grads.flat.copy()
    padding = batch.weights == 0
    assert loss.tokens == T * B - padding.sum()
    batch.inputs[padding] = (batch.inputs[padding] + 1) % K
    batch.targets[padding] = (batch.targets[padding] + 3) % K
    other, _ = network.loss_and_grad(batch, None, np.random.default_rng(2))
    assert other == loss
    np.testing.assert_allclose(network.grads.flat, grads, rtol=1e-10, atol=1e-13)


def test_padded_sequences_are_worth_the_sequences_alone():
    network, batch = network_of(MODELS["embedding"]), batch_of(padded=True)
    loss, _ = network.loss_and_grad(batch, None)
    grads, lengths = network.grads.flat * loss.tokens, batch.weights.sum(axis=0).astype(int)
    nats, total = 0.0, np.zeros_like(grads)
    for b, length in enumerate(lengths):
        one, _ = network.loss_and_grad(Batch(batch.inputs[:length, b : b + 1], batch.targets[:length, b : b + 1]), None)
        nats += one.nats
        total += network.grads.flat * one.tokens
    assert loss.nats == pytest.approx(nats, rel=1e-12)
    np.testing.assert_allclose(grads, total, rtol=1e-9, atol=1e-12)


# --- tying and dropout


def test_a_tied_table_is_one_array():
    network = network_of(MODELS["tied projection"])
    assert list(network.params.named) == ["E", "cell.U", "cell.W", "cell.b", "P", "head.c"]
    assert network.p["head"]["V"] is network.params["E"]


def test_no_projection_where_sizes_agree():
    assert "P" not in network_of(MODELS["tied"]).params
    assert "P" not in network_of(MODELS["embedding"]).params


DROPOUTS = {
    "input": LanguageModel(cell=Vanilla(size=20), embedding=20, dropout_input=0.5),
    "output": LanguageModel(cell=Vanilla(size=20), dropout_output=0.5),
    "between": LanguageModel(cell=Stack([Vanilla(size=20), Vanilla(size=20)], dropout=0.5)),
    "projected": LanguageModel(cell=Vanilla(size=20), embedding=15, head=Softmax(tied=True), dropout_output=0.5),
}


@pytest.mark.parametrize("name", DROPOUTS)
def test_masks_are_locked_for_the_window_and_differ_between_sequences(name):
    """Without W and with the same word all the time, all steps are alike if and only if their masks are."""
    network = network_of(DROPOUTS[name])
    for key, array in network.params.named.items():
        if key.endswith("W"):
            array[...] = 0
    batch = Batch(np.full((T, B), 4, np.int32), np.full((T, B), 5, np.int32))
    evaluated, _ = network.nats(batch, None)
    np.testing.assert_allclose(evaluated, evaluated[0, 0], rtol=1e-12)  # no dropout in evaluation
    nats, _ = network.nats(batch, None, np.random.default_rng(2))
    np.testing.assert_allclose(nats, nats[:1].repeat(T, axis=0), rtol=1e-12)
    assert len(np.unique(nats[0])) == B
    again, _ = network.nats(batch, None, np.random.default_rng(3))
    assert (again != nats).all()


@pytest.mark.parametrize("name", ["input", "output", "projected"])
def test_dropout_keeps_the_mean_of_the_logits(name):
    """With f the identity, logits are linear in each mask: their mean over many sequences is that without dropout."""
    model = DROPOUTS[name]
    n, bias = 4000, Softmax(tied=model.head.tied, bias="none")
    linear = LanguageModel(
        Vanilla(size=20, activation="identity"), bias, model.embedding,
        dropout_input=model.dropout_input, dropout_output=model.dropout_output,
    )  # fmt: skip
    network = network_of(linear)
    words = [Batch(np.full((1, n), 4, np.int32), np.full((1, n), target, np.int32)) for target in (5, 6)]

    def difference(rng):
        """Of two logits, so that the normalisation, which is not linear, cancels."""
        return np.subtract(*(network.nats(batch, None, rng and np.random.default_rng(rng))[0][0] for batch in words))

    dropped, whole = difference(rng=2), difference(rng=None)
    assert np.std(dropped) > 0
    assert abs(dropped.mean() - whole.mean()) < 4 * dropped.std() / math.sqrt(n)


# --- the network's memory


def test_windows_of_all_shapes_share_one_memory():
    network, fresh = network_of(MODELS["all dropouts"]), network_of(MODELS["all dropouts"])
    shapes = [(6, 3), (2, 3), (6, 3), (9, 4), (1, 1), (6, 3)]
    for seed, (steps, sequences) in enumerate(shapes):
        batch = batch_of(steps, sequences, seed=seed)
        loss, _ = network.loss_and_grad(batch, None, np.random.default_rng(seed))
        alone = network_of(MODELS["all dropouts"])
        assert alone.loss_and_grad(batch, None, np.random.default_rng(seed))[0] == loss
        np.testing.assert_array_equal(network.grads.flat, alone.grads.flat)
        network.log_probs(batch.inputs[:1], network.initial_state(sequences))
    np.testing.assert_array_equal(network.params.flat, fresh.params.flat)


def test_results_outlive_the_next_window():
    network = network_of(MODELS["all dropouts"])
    nats, state = network.nats(batch_of(), None)
    log_p, _ = network.log_probs(batch_of().inputs, network.initial_state(B))
    results = [nats, log_p, *arrays(state)]
    kept = [array.copy() for array in results]
    network.loss_and_grad(batch_of(seed=2), None, np.random.default_rng(2))
    for array, copy in zip(results, kept):
        np.testing.assert_array_equal(array, copy)


def test_memory_for_many_shapes_is_bounded():
    network, other = (network_of(MODELS["all dropouts"]) for _ in range(2))
    first, _ = network.loss_and_grad(batch_of(100, 1), None)
    for steps in range(1, 100):
        network.nats(batch_of(steps, 1), None)
    assert len(network._arena._works) == 64
    assert network.loss_and_grad(batch_of(1, 1), None)[0] == other.loss_and_grad(batch_of(1, 1), None)[0]
    np.testing.assert_array_equal(network.grads.flat, other.grads.flat)  # of a shape whose workspace was made anew
    assert network.loss(batch_of(100, 1), None)[0] == first


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_both_directions_of_all_shapes_share_one_memory(dropout):
    cell = Stack([Bidirectional(Vanilla(size=3)), Bidirectional(Vanilla(size=3))])
    model = Classifier(cell=cell, embedding=3, dropout_input=dropout)
    network = Network(model, synthetic_vocab_for(model), np.float64, np.random.default_rng(1))
    for steps in (9, 5, 7):
        batch = synthetic_batch_for(network, steps, np.random.default_rng(2))
        network.loss_and_grad(batch, (), np.random.default_rng(3))
    memory = network._arena._array
    for work in network._arena._works.values():
        below, above = work.embedded.cell.cells
        vectors = [above.x, above.dx, above.cells[1].x, *([below.x, below.dx, below.cells[1].x] if dropout else [])]
        assert all(np.shares_memory(array, memory) for array in vectors)
        assert dropout or below.x is None  # it reads ids


@pytest.mark.parametrize("name", [name for name in MODELS if "drop" in name])
def test_no_masks_are_made_in_evaluation(name):
    """Every mask would be drawn, or filled with ones, in memory that holds NaN here."""
    model = MODELS[name]
    network = network_of(model)
    work = model.workspace(network.p, T, B, memory())
    model.log_probs(network.p, batch_of().inputs, network.initial_state(B), work)
    cells = work.embedded.cell.cells if isinstance(model.cell, Stack) else [work.embedded.cell]
    masks = [work.embedded.words, work.embedded.components, work.output.dropout]
    masks += [cell.dropout for cell in cells] + getattr(work.embedded.cell, "dropouts", [])
    masks = [dropout.mask for dropout in masks if dropout.rate]
    assert masks
    assert all(np.isnan(mask).all() for mask in masks)


def test_the_gradient_after_evaluation_is_that_without_dropout():
    without = LanguageModel(cell=Stack([Vanilla(size=4), Vanilla(size=5)]), head=Softmax(tied=True), embedding=3)
    network, whole = network_of(MODELS["all dropouts"]), network_of(without)
    network.loss_and_grad(batch_of(), None, np.random.default_rng(2))
    network.loss_and_grad(batch_of(), None)
    whole.loss_and_grad(batch_of(), None)
    np.testing.assert_allclose(network.grads.flat, whole.grads.flat, rtol=1e-11, atol=1e-14)


# --- mistakes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": Softmax(tied=True)}, "head.tied: needs an embedding to share; set model.embedding to its size"),
        ({"dropout_input": 0.1}, "dropout_input: needs an embedding; set model.embedding to its size"),
    ],
)
def test_options_that_need_an_embedding(options, message):
    with pytest.raises(ValueError) as error:
        LanguageModel(**options)
    assert str(error.value) == message


def test_a_cell_that_sees_the_future_is_refused():
    class Clairvoyant(Vanilla):
        causal = False

    with pytest.raises(ValueError) as error:
        LanguageModel(cell=Clairvoyant())
    assert str(error.value) == "cell: a language model may not see the words that it predicts; use a causal cell"


# --- regularizers


def test_activation_regularization_is_its_formula():
    """Added to the loss that is differentiated, with equal weight per token, and not to the one that is reported."""
    model = LanguageModel(cell=Vanilla(size=4), embedding=3, ar=2.0, tar=3.0)
    network, plain, batch = network_of(model), network_of(replace(model, ar=0.0, tar=0.0)), batch_of(padded=True)
    reported, _ = network.loss(batch, None, np.random.default_rng(2))
    h, real = network.hidden(batch), batch.weights
    size, change = np.square(h).mean(axis=2), np.square(h[1:] - h[:-1]).mean(axis=2)
    expected = 2 * (real * size).sum() + 3 * (real[1:] * change).sum()
    assert network.penalties(batch) == pytest.approx(expected, rel=1e-12)
    assert reported == plain.loss(batch, None, np.random.default_rng(2))[0]
    assert plain.penalties(batch) == 0
    network.backward(batch)
    plain.backward(batch)
    assert (network.grads.flat != plain.grads.flat).any()


def test_regularization_is_off_in_evaluation():
    """So that dynamic evaluation learns from the text alone."""
    network, plain, batch = network_of(MODELS["ar"]), network_of(replace(MODELS["ar"], ar=0.0)), batch_of()
    network.loss_and_grad(batch, None, np.random.default_rng(2))
    network.loss_and_grad(batch, None)
    plain.loss_and_grad(batch, None)
    assert network.penalties(batch) == 0
    np.testing.assert_array_equal(network.grads.flat, plain.grads.flat)


def test_skipping_is_the_sum():
    """log p = head(h + x), with h from the same network without the skip."""
    network, plain = network_of(MODELS["skip"]), network_of(replace(MODELS["skip"], skip=False))
    inputs = batch_of().inputs
    plain.log_probs(inputs, plain.initial_state(B))
    h = plain.hidden(batch_of()).copy()
    V, c = network.params["head"]["V"], network.params["head"]["c"]
    o = (h + network.params["E"][inputs]) @ V.T + c
    expected = o - np.log(np.exp(o).sum(axis=2, keepdims=True))
    np.testing.assert_allclose(network.log_probs(inputs, network.initial_state(B))[0], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "options", [{"cell": Vanilla(size=4), "embedding": 3}, {"cell": Vanilla(size=4)}], ids=["sizes", "one-hot"]
)
def test_skipping_needs_vectors_of_one_size(options):
    with pytest.raises(ValueError, match="skip: "):
        LanguageModel(skip=True, **options)


def test_noise_has_its_deviation_and_is_new_for_every_token():
    x = np.zeros((50, 40, 30), np.float32)
    add_noise(0.5, np.random.default_rng(1), out=x)
    assert x.std() == pytest.approx(0.5, rel=0.02)
    assert abs(x.mean()) < 0.01
    assert len(np.unique(x)) > 0.99 * x.size


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_masks_at_a_part_of_their_rates(strength):
    rng, mask, x = Masks(np.random.PCG64(1)), np.empty((200, 200)), np.zeros((200, 200))
    rng.strength = strength
    dropout_mask(0.8, rng, out=mask)
    assert (mask == 0).mean() == pytest.approx(0.8 * strength, abs=0.01)
    assert mask.max() == pytest.approx(1 / (1 - 0.8 * strength))
    add_noise(2.0, rng, out=x)
    assert x.std() == pytest.approx(2 * strength, abs=0.02)
