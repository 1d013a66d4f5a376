"""The models of other tasks than a running text: what they compute, and what they may not see."""

from dataclasses import replace

import numpy as np
import pytest

from rnnlm.nn.cells import GRU, LSTM, Jordan, Stack, Vanilla
from rnnlm.nn.gradcheck import synthetic_batch_for, synthetic_vocab_for
from rnnlm.nn.heads import Softmax
from rnnlm.nn.models import Blank, Classifier, Seq2Seq, Vec2Seq
from rnnlm.nn.models.embedded import widths
from rnnlm.nn.models.seq2seq import backwards
from rnnlm.nn.network import Network
from rnnlm.tasks import decode, examples, measures
from rnnlm.text.vocab import EOS
from rnnlm.text.windows import BlankBatch, LabelledBatch, PairBatch, VectorBatch
from tests.kinds import FAMILY, memory

T = 6
every_model = pytest.mark.parametrize("name", FAMILY)


def network_of(model, dtype=np.float64, seed=1):
    rng = np.random.default_rng(seed)
    network = Network(model, synthetic_vocab_for(model), dtype, rng)
    network.params.flat += rng.uniform(-0.5, 0.5, network.params.flat.shape).astype(dtype)
    return network


def one_of(batch, b):
    """The b-th example of a batch, without its padding."""
    n = batch.targets.ndim and int(np.count_nonzero(batch.weights[:, b])) if batch.weights is not None else None
    if isinstance(batch, LabelledBatch):
        n = batch.lengths[b]
        return LabelledBatch(batch.inputs[:n, b : b + 1], batch.lengths[b : b + 1], batch.targets[b : b + 1])
    if isinstance(batch, PairBatch):
        source = batch.source[: batch.lengths[b], b : b + 1]
        return PairBatch(source, None, batch.inputs[:n, b : b + 1], batch.targets[:n, b : b + 1])
    if isinstance(batch, VectorBatch):
        return VectorBatch(batch.vectors[b : b + 1], batch.inputs[:n, b : b + 1], batch.targets[:n, b : b + 1])
    return BlankBatch(batch.targets[:n, b : b + 1], batch.lengths[b : b + 1])


@every_model
def test_a_batch_is_its_examples(name):
    """Neither the padding nor the others beside it make a difference to an example, in loss and gradient."""
    network = network_of(FAMILY[name])
    batch = synthetic_batch_for(network, T, np.random.default_rng(3))
    loss, _ = network.loss(batch, ())
    network.loss_and_grad(batch, ())
    grads, alone, nats = network.grads.flat * loss.tokens, 0, 0
    for b in range(batch.shape[-1]):
        one, _ = network.loss_and_grad(one_of(batch, b), ())
        nats, alone = nats + one.nats, alone + network.grads.flat * one.tokens
    assert loss.nats == pytest.approx(nats, rel=1e-12)
    np.testing.assert_allclose(grads, alone, rtol=1e-9, atol=1e-12)


@every_model
def test_float32_stays_float32_and_dropout_is_for_training(name):
    network = network_of(FAMILY[name], np.float32)
    batch = synthetic_batch_for(network, T, np.random.default_rng(3))
    nats, state = network.nats(batch, (), np.random.default_rng(2))
    network.loss_and_grad(batch, (), np.random.default_rng(2))
    assert (nats.dtype, network.grads.flat.dtype, state) == (np.float32, np.float32, ())
    exact, _ = network_of(FAMILY[name]).nats(batch, ())
    np.testing.assert_allclose(network.nats(batch, ())[0], exact, rtol=1e-4, atol=1e-5)


@every_model
def test_all_shapes_share_one_memory(name):
    network = network_of(FAMILY[name])
    for steps in (3, 6, 1, 6):
        batch = synthetic_batch_for(network, steps, np.random.default_rng(steps))
        loss, _ = network.loss_and_grad(batch, (), np.random.default_rng(2))
        fresh = network_of(FAMILY[name])
        assert fresh.loss_and_grad(batch, (), np.random.default_rng(2))[0] == loss
        np.testing.assert_array_equal(network.grads.flat, fresh.grads.flat)


# --- blank ---------------------------------------------------------------------------------------------------------

BLANKS = [name for name in FAMILY if name.startswith("blank")]


@pytest.mark.parametrize("name", BLANKS)
def test_a_blank_does_not_see_its_own_word_and_sees_all_others(name):
    network, rng = network_of(FAMILY[name]), np.random.default_rng(1)
    batch = BlankBatch(rng.integers(3, 19, (T, 1), dtype=np.int32), np.array([T]))

    def predictions():
        return network.apply(network.model.blank_log_probs, batch.shape, batch)[:, 0].copy()

    before = predictions()
    for t in range(T):
        batch.targets[t] += 1
        moved = np.abs(predictions() - before).max(axis=1) > 0
        assert moved.tolist() == [place != t for place in range(T)]
        batch.targets[t] -= 1


@pytest.mark.parametrize("name", BLANKS)
def test_a_blank_in_a_padded_sentence_has_the_same_neighbours(name):
    network, rng = network_of(FAMILY[name]), np.random.default_rng(1)
    words = rng.integers(3, 19, (T, 2), dtype=np.int32)
    padded = BlankBatch(words, np.array([T, 3]))
    short = BlankBatch(words[:3, 1:], np.array([3]))
    together = network.apply(network.model.blank_log_probs, padded.shape, padded)[:3, 1].copy()
    alone = network.apply(network.model.blank_log_probs, short.shape, short)[:, 0]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    np.testing.assert_allclose(np.exp(alone).sum(axis=1), 1, rtol=1e-12)


def test_the_blank_of_a_mirrored_text_under_mirrored_weights_is_the_same():
    """The two directions are treated alike: exchanged, with the ends of the sentence, they see the text from behind."""
    network, mirror = network_of(Blank(cell=Vanilla(size=4))), network_of(Blank(cell=Vanilla(size=4)))
    p, q = network.params, mirror.params
    swap = [1, 0, *range(2, len(network.vocab))]  # <s> and </s>
    for one, other in (("forwards", "backwards"), ("backwards", "forwards")):
        for name in ("W", "b"):
            q[one]["cell"][name][...] = p[other]["cell"][name]
        q[one]["cell"]["U"][...] = p[other]["cell"]["U"][swap]
    q["head"]["V"][:, :4], q["head"]["V"][:, 4:] = p["head"]["V"][:, 4:], p["head"]["V"][:, :4]
    words = np.random.default_rng(1).integers(3, 19, (T, 1), dtype=np.int32)
    here, there = (BlankBatch(x, np.array([T])) for x in (words, words[::-1]))
    found = network.apply(network.model.blank_log_probs, here.shape, here)
    np.testing.assert_allclose(mirror.apply(mirror.model.blank_log_probs, there.shape, there)[::-1], found, rtol=1e-12)


def test_figures_of_blanks():
    network = network_of(FAMILY["blank"])
    batch = BlankBatch(np.array([[5, 3], [2, 4], [7, 1]], np.int32), np.array([3, 2]))  # 2 is <unk>; 1 is padding
    log_p = network.apply(network.model.blank_log_probs, batch.shape, batch).copy()
    places = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]
    true = np.array([log_p[t, b, batch.targets[t, b]] for t, b in places])
    log_p[:, :, :2] = -np.inf
    ranks = np.array([(log_p[t, b] > true[i]).sum() for i, (t, b) in enumerate(places)])
    known = [0, 2, 3, 4]
    found = measures.blanks(network, [batch])
    assert found.words == 5
    assert found[2:5] == ((ranks == 0).sum(), (ranks < 5).sum(), 4)
    assert found[6:] == ((ranks[known] == 0).sum(), (ranks[known] < 5).sum())
    assert found.pppl == pytest.approx(np.exp(-true[known].mean()))
    assert found.pppl_unk == pytest.approx(np.exp(-true.mean()))
    twice = measures.blanks(network, [batch, batch])
    assert (twice.words, twice.pppl) == (10, pytest.approx(found.pppl))


# --- classifier ----------------------------------------------------------------------------------------------------


def test_the_last_hidden_vector_is_that_of_each_sentences_own_end():
    network = network_of(Classifier(cell=Vanilla(size=4)))
    words = np.random.default_rng(1).integers(3, 19, (T, 2), dtype=np.int32)
    lengths = np.array([T, 3])
    cell, p = network.model.cell, network.params["cell"]
    y, _ = cell.forward(p, words, cell.initial_state(2, np.float64), cell.workspace(T, 2, memory()))
    expected = network.model.head.log_probs(network.params["head"], np.array([y[T - 1, 0], y[2, 1]]))
    found = network.apply(network.model.label_log_probs, words.shape, words, lengths)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-12)


def test_the_mean_hidden_vector_is_that_of_each_sentences_own_words():
    network = network_of(Classifier(cell=Vanilla(size=4), pool="mean"))
    words = np.random.default_rng(1).integers(3, 19, (T, 2), dtype=np.int32)
    cell, p = network.model.cell, network.params["cell"]
    y, _ = cell.forward(p, words, cell.initial_state(2, np.float64), cell.workspace(T, 2, memory()))
    means = np.array([y[:, 0].mean(axis=0), y[:3, 1].mean(axis=0)])
    found = network.apply(network.model.label_log_probs, words.shape, words, np.array([T, 3]))
    np.testing.assert_allclose(found, network.model.head.log_probs(network.params["head"], means), rtol=1e-12)


def test_confusion():
    network = network_of(FAMILY["classifier"])
    batch = synthetic_batch_for(network, T, np.random.default_rng(3))
    log_p = network.apply(network.model.label_log_probs, batch.shape, batch.inputs, batch.lengths)
    table, nats = measures.confusion(network, [batch, batch])
    assert table.sum() == 6
    for true, said in zip(batch.targets, log_p.argmax(axis=1)):
        assert table[true, said] >= 2
    assert nats == pytest.approx(2 * network.loss(batch, ())[0].nats)


# --- seq2seq -------------------------------------------------------------------------------------------------------


def test_backwards_really_reverses_and_leaves_the_padding_behind():
    ids = np.array([[3, 4, 5], [6, 7, 1], [8, 1, 1]])
    assert backwards(ids, np.array([3, 2, 1])).tolist() == [[8, 7, 5], [6, 4, 1], [3, 1, 1]]
    assert backwards(ids, None).tolist() == ids[::-1].tolist()


def test_a_reversed_encoder_reads_the_mirrored_source():
    plain, reverse = (network_of(Seq2Seq(encoder=GRU(size=4), decoder=GRU(size=4), reverse=r)) for r in (False, True))
    batch = synthetic_batch_for(plain, T, np.random.default_rng(3))
    mirrored = replace(batch, source=backwards(batch.source, batch.lengths))
    np.testing.assert_array_equal(plain.nats(mirrored, ())[0], reverse.nats(batch, ())[0])
    assert (plain.nats(batch, ())[0] != reverse.nats(batch, ())[0]).any()


@pytest.mark.parametrize("name", [name for name in FAMILY if "seq" in name])
def test_what_is_written_depends_on_what_is_given_and_on_the_true_words_before(name):
    network = network_of(FAMILY[name])
    batch = synthetic_batch_for(network, T, np.random.default_rng(3))

    def nats(batch):
        return network.nats(replace(batch, weights=None), ())[0][:, 0]

    before = nats(batch)
    other = batch.inputs.copy()
    other[3, 0] = (other[3, 0] + 1) % 20
    moved = nats(replace(batch, inputs=other)) != before
    assert moved.tolist() == [False] * 3 + [True] * 3
    given = {"source": (batch.source + 1) % 20} if isinstance(batch, PairBatch) else {"vectors": batch.vectors + 1}
    assert (nats(replace(batch, **given)) != before).all()


def test_with_no_teacher_the_decoder_reads_what_it_would_have_written():
    model = Seq2Seq(encoder=GRU(size=4), decoder=GRU(size=4), embedding=3, teacher_forcing=0.0)
    network = network_of(model)
    batch = synthetic_batch_for(network, T, np.random.default_rng(3))
    batch.inputs[0] = 0
    own, inputs = network.nats(batch, (), np.random.default_rng(1))[0], batch.inputs.copy()
    for t in range(1, T):
        log_p = network.apply(model.target_log_probs, batch.shape, replace(batch, inputs=inputs))
        inputs[t] = log_p[t - 1].argmax(axis=1)
    expected = network.nats(replace(batch, inputs=inputs), ())[0]
    np.testing.assert_allclose(own, expected, rtol=1e-12)
    assert (inputs != batch.inputs).any()


# --- decoding ------------------------------------------------------------------------------------------------------


def log_p_of(network, batch, ids):
    """log p of a whole sentence, </s> included, for the one example of a batch."""
    targets = np.array([*ids, EOS], np.int32)[:, None]
    inputs = np.concatenate([[[0]], targets[:-1]]).astype(np.int32)
    return -float(network.nats(replace(batch, inputs=inputs, targets=targets), ())[0].sum())


def question(network):
    if isinstance(network.model, Seq2Seq):
        return examples.sources([[5, 6, 7]])
    return examples.rows(np.array([[0.3, -0.2, 0.9, 0.1]]))


@pytest.mark.parametrize("name", [name for name in FAMILY if "seq" in name])
def test_written_sentences_have_the_probability_that_is_said(name):
    network = network_of(FAMILY[name])
    network.p["head"]["c"][EOS] += 2  # so that sentences come to an end
    batch = question(network)
    (one,) = decode.greedy(network, batch, 30)
    assert one.finished
    assert one.log_p == pytest.approx(log_p_of(network, batch, one.ids), rel=1e-10)
    (alike,) = decode.beam(network, batch, 1, 30)
    assert (alike.ids, alike.finished) == (one.ids, True)
    found = decode.beam(network, batch, 4, 30)
    for one in found:
        assert one.log_p == pytest.approx(log_p_of(network, batch, one.ids), rel=1e-10)
    assert [one.log_p for one in found] == sorted((one.log_p for one in found), reverse=True)
    assert len({tuple(one.ids) for one in found}) == 4


def test_a_wide_beam_finds_what_is_likeliest_of_all():
    network = network_of(Vec2Seq(vector=4, decoder=GRU(size=3)))
    network.p["head"]["c"][EOS] += 1
    batch, K = question(network), len(network.vocab)
    short = [[], *([i] for i in range(2, K)), *([i, j] for i in range(2, K) for j in range(2, K))]
    scores = {tuple(ids): log_p_of(network, batch, ids) for ids in short}
    found = [one for one in decode.beam(network, batch, K * K, 3) if one.finished]
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:5]
    assert [tuple(one.ids) for one in found if len(one.ids) < 3][:5] == best


def test_side_by_side_is_one_by_one():
    network = network_of(FAMILY["seq2seq every step"])
    network.p["head"]["c"][EOS] += 2
    sources = [[5, 6, 7], [4], [9, 9, 3, 8]]
    together = decode.greedy(network, examples.sources(sources), 20)
    alone = [decode.greedy(network, examples.sources([source]), 20)[0] for source in sources]
    assert [one.ids for one in together] == [one.ids for one in alone]


def test_figures_of_written_sentences():
    network = network_of(FAMILY["vec2seq"])
    network.p["head"]["c"][EOS] += 2
    vectors = np.random.default_rng(1).standard_normal((2, 4))
    right, wrong = (one.ids for one in decode.greedy(network, examples.rows(vectors), 20))
    wrong = [3 if wrong[:1] != [3] else 4]
    n, T = len(right) + 1, max(len(right) + 1, 2)
    targets, weights = np.full((T, 2), EOS, np.int32), np.ones((T, 2), np.float32)
    targets[: n - 1, 0], targets[0, 1] = right, wrong[0]
    weights[n:, 0] = weights[2:, 1] = 0
    inputs = np.concatenate([np.zeros((1, 2), np.int32), targets[:-1]])
    batch = VectorBatch(vectors, inputs, targets, weights)
    found = measures.written(network, [batch])
    assert (found.sentences, found.exact, found.tokens) == (2, 1, n + 2)
    assert n <= found.right <= n + 1
    assert found.nats == pytest.approx(network.loss(batch, ())[0].nats)


# --- mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Seq2Seq(encoder=LSTM(size=4), decoder=LSTM(size=5)),
         "decoder: its state (5, 5) cannot start from the encoder's (4, 4); use equal cells, or context: every_step"),
        (lambda: Seq2Seq(encoder=Jordan(outputs=3, teacher_forcing=True)),
         "encoder: it keeps no state, so nothing of the source would reach the decoder"),
        (lambda: Vec2Seq(vector=3, decoder=Jordan(outputs=3, teacher_forcing=True)),
         "decoder: it keeps no state that the vector could make; use context: every_step"),
        (lambda: Seq2Seq(context="every_step"),
         "context: every_step needs an embedding to stand beside; set model.embedding to its size"),
        (lambda: Seq2Seq(head=Softmax(tied=True), embedding=3),
         "head.tied: only a language model can share its table; set it to false"),
        (lambda: Vec2Seq(vector=3, dropout_input=0.1),
         "dropout_input: needs an embedding; set model.embedding to its size"),
        (lambda: Classifier(head=Softmax(tied=True), embedding=3),
         "head.tied: labels are no words, so there is no table to share"),
        (lambda: Classifier(dropout_input=0.1), "dropout_input: needs an embedding; set model.embedding to its size"),
        (lambda: Blank(head=Softmax(tied=True)),
         "head.tied: needs an embedding to share; set model.embedding to its size"),
        (lambda: Blank(dropout_input=0.1), "dropout_input: needs an embedding; set model.embedding to its size"),
    ],
)  # fmt: skip
def test_options_that_exclude_each_other(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == message


def test_cells_that_see_the_future_are_refused():
    class Clairvoyant(Vanilla):
        causal = False

    with pytest.raises(ValueError, match="^decoder: it may not see the words that it predicts; use a causal cell$"):
        Seq2Seq(encoder=Vanilla(), decoder=Clairvoyant())
    with pytest.raises(ValueError, match="^cell: it would see the word in question; use a causal one, which runs in"):
        Blank(cell=Clairvoyant())


def test_widths_of_states():
    assert widths(Vanilla(size=3)) == (3,)
    assert widths(Stack([LSTM(size=3), GRU(size=2)])) == ((3, 3), (2,))
