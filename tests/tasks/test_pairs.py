"""Sequence-to-sequence models and pairs of sentences."""

from dataclasses import replace

import numpy as np

from rnnlm.experiment import prepare
from rnnlm.nn.cells import GRU
from rnnlm.nn.models import Seq2Seq
from rnnlm.nn.models.seq2seq import backwards
from rnnlm.tasks.gradcheck import synthetic_batch_for
from tests.kinds import network_of

T = 6


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


def test_with_no_teacher_the_decoder_reads_what_it_would_have_written():
    model = Seq2Seq(encoder=GRU(size=4), decoder=GRU(size=4), embedding=3, teacher_forcing=0.0)
    network = network_of(model)
    batch = synthetic_batch_for(network, T, np.random.default_rng(3))
    batch.inputs[0] = 0
    own, inputs = network.nats(batch, (), np.random.default_rng(1))[0], batch.inputs.copy()
    for t in range(1, T):
        log_p = network.target_log_probs(replace(batch, inputs=inputs))
        inputs[t] = log_p[t - 1].argmax(axis=1)
    expected = network.nats(replace(batch, inputs=inputs), ())[0]
    np.testing.assert_allclose(own, expected, rtol=1e-12)
    assert (inputs != batch.inputs).any()


def test_a_long_target_takes_no_more_memory_than_a_long_source(task, tmp_path):
    settings = task("pairs", valid=None)
    (tmp_path / "train.txt").write_text("a\tb\n" * 20 + "a\t" + "b " * 500 + "\n" + "a " * 500 + "\tb\n")
    batches = list(prepare(settings).trainer.reading.batches())
    assert max(max(S, T) * B for S, T, B in (batch.shape for batch in batches)) <= 2048
    assert sum(batch.shape[-1] for batch in batches) == 22
