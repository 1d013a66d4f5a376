"""Words into hidden vectors: looked up in one table, as a text allows it, or embedded and multiplied word by word."""

import numpy as np
import pytest

from rnnlm.nn.gradcheck import synthetic_vocab
from rnnlm.nn.initializers import Uniform
from rnnlm.nn.models.embedded import Embedded
from rnnlm.nn.models.folded import Folded, input_weights
from rnnlm.nn.state import arrays
from tests.kinds import CELLS, memory, parameters, random_like

D, B, K = 3, 4, 7
LENGTHS = [None, np.array([1, 3, 2, 3])]


def both_ways(cell, T, lengths, dropout=0.0, K=K):
    """y where it means something, the last state, the gradients and that of the first state; and the table used."""
    rng = np.random.default_rng(1)
    embedded = Embedded(cell, D, Uniform(0.5), dropout)
    p = parameters(embedded.specs(synthetic_vocab(K)))
    ids = rng.integers(0, K, (T, B), dtype=np.int32)
    real = np.arange(T)[:, None] < (T if lengths is None else lengths) + np.zeros(B)
    state = random_like(embedded.cell.initial_state(B, np.float64), rng)
    dy, dlast = rng.standard_normal((T, B, cell.n_out)), random_like(state, rng)
    work, g = embedded.workspace(p, T, B, memory()), p.zeros_like()
    y, last = embedded.forward(p, ids, state, work, lengths, rng=np.random.default_rng(2))
    dfirst, _ = embedded.backward(p, g, dy.copy(), dlast, work)
    return [y[real], *arrays(last), g.flat, *arrays(dfirst)], work.folded if work.looked_up else None


@pytest.mark.parametrize("lengths", LENGTHS, ids=["whole", "padded"])
@pytest.mark.parametrize("words", [K, 1000], ids=["fewer words than tokens", "more"])
@pytest.mark.parametrize("name", CELLS)
def test_looked_up_is_embedded_and_multiplied(name, words, lengths, monkeypatch):
    cell = CELLS[name]
    found, folded = both_ways(cell, 3, lengths, K=words)
    monkeypatch.setattr(Folded, "possible", lambda cell: False)
    expected, other = both_ways(cell, 3, lengths, K=words)
    assert other is None
    first = cell.cells[0] if name.startswith("stack") else cell
    assert (folded is None) == (type(first).__name__ == "Reservoir")
    assert folded is None or folded.words.tolist() == sorted(folded.words)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-11, atol=1e-13)


def test_masks_need_each_words_own_vector():
    assert both_ways(CELLS["vanilla"], 3, None)[1] is not None
    assert both_ways(CELLS["vanilla"], 3, None, dropout=0.5)[1] is None


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("vanilla", {"U"}),
        ("jordan", {"U"}),
        ("jordan forced", {"U", "W"}),
        ("bidirectional", {"forwards.U", "backwards.U"}),
        ("stack of kinds", {"layer0.U"}),
    ],
)
def test_weights_of_the_input(name, weights):
    assert set(input_weights(CELLS[name])) == weights
