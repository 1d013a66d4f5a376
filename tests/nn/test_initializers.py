import numpy as np
import pytest

from rnnlm import config
from rnnlm.errors import DataError, UsageError
from rnnlm.nn.cells import Vanilla
from rnnlm.nn.initializers import Chain, Glorot, Identity, Init, Orthogonal, TimeScales, Uniform, Vectors, Zeros
from rnnlm.nn.models import LanguageModel
from rnnlm.nn.network import Network
from rnnlm.nn.params import Parameters
from tests.kinds import INITS, MODELS, VECTORS, VOCAB


@pytest.mark.parametrize("name", INITS)
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (1, 1)])
def test_shape_and_repeatability(name, shape):
    init = INITS[name]
    array = init(shape, np.random.default_rng(1))
    assert array.shape == shape
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, init(shape, np.random.default_rng(1)))


def test_zeros():
    assert not Zeros()((3, 4), np.random.default_rng(1)).any()


@pytest.mark.parametrize(
    ("init", "limit"),
    [(Uniform(0.3), 0.3), (Glorot(), np.sqrt(6 / 300)), (Glorot(2.0), 2 * np.sqrt(6 / 300))],
    ids=str,
)
def test_uniform_ranges(init, limit):
    array = init((100, 200), np.random.default_rng(1))
    assert 0.99 * limit < abs(array).max() <= limit
    assert abs(array.mean()) < 0.02 * limit
    assert array.var() == pytest.approx(limit**2 / 3, rel=0.02)


@pytest.mark.parametrize("shape", [(6, 6), (6, 4), (4, 6)])
def test_orthogonal(shape):
    Q = Orthogonal(0.7)(shape, np.random.default_rng(1))
    gram = Q.T @ Q if shape[0] >= shape[1] else Q @ Q.T
    np.testing.assert_allclose(gram, 0.49 * np.eye(min(shape)), atol=1e-14)


def test_orthogonal_prefers_no_direction():
    # In a QR decomposition alone, the signs of the diagonal of R are always the same.
    rng = np.random.default_rng(1)
    corners = [Orthogonal()((3, 3), rng)[0, 0] for _ in range(500)]
    assert abs(np.mean(corners)) < 4 * np.std(corners) / np.sqrt(500)


def test_identity():
    np.testing.assert_array_equal(Identity(0.5)((3, 3), np.random.default_rng(1)), 0.5 * np.eye(3))


def test_chain_feeds_the_next_unit():
    W = Chain(1.02, feedback=-0.1)((4, 4), np.random.default_rng(1))
    h = np.array([0, 1.0, 0, 0])
    np.testing.assert_array_equal(h @ W, [-0.1, 0, 1.02, 0])


def test_every_rule_says_how_to_start():
    assert all(kind.__call__ is not Init.__call__ for kind in Init.kinds().values())


def test_timescales():
    W = TimeScales(longest=100)((3, 3), np.random.default_rng(1))
    np.testing.assert_allclose(W, np.diag([0, 0.9, 0.99]), atol=1e-12)  # time constants 1, 10 and 100


# --- word vectors ---


@pytest.fixture
def start(tmp_path):
    """A function that starts the embedding (4, 2) of four words from a file with this text: the array and the note."""

    def started(text, **options):
        (tmp_path / "v.txt").write_text(text)
        rule = Vectors(str(tmp_path / "v.txt"), **options).for_words(["<unk>", "the", "The", "cat"])
        return rule((4, 2), np.random.default_rng(1)), rule.note

    return started


def test_word_vectors_are_those_of_the_file(start):
    E, note = start("the 1 2\nThe 3 4\ndog 5 6\n", scale=2.0)
    np.testing.assert_array_equal(E[1:3], [[2, 4], [6, 8]])
    assert abs(E[[0, 3]]).max() <= 0.05
    assert note.startswith("2 of 4 words found in ")
    assert "lower case" not in note


def test_a_word_is_looked_up_in_lower_case_too(start):
    E, note = start("the 1 2\n")
    np.testing.assert_array_equal(E[1:3], [[1, 2], [1, 2]])
    assert note.startswith("2 of 4 words found")
    assert "1 of them in lower case" in note


def test_words_that_the_file_lacks_start_as_told(start, tmp_path):
    E, _ = start("the 1 2\n", other=Zeros())
    np.testing.assert_array_equal(E[[0, 3]], np.zeros((2, 2)))
    (tmp_path / "second.txt").write_text("cat 7 8\nthe 9 9\n")
    E, _ = start("the 1 2\n", other=Vectors(str(tmp_path / "second.txt"), other=Zeros()))
    np.testing.assert_array_equal(E, [[0, 0], [1, 2], [1, 2], [7, 8]])


def test_vectors_of_another_size_are_refused(start):
    with pytest.raises(DataError, match="3 numbers, expected 2") as error:
        start("the 1 2 3\n")
    assert "3" in error.value.hint


def test_only_an_embedding_has_word_vectors():
    with pytest.raises(UsageError, match="vectors"):
        Parameters(Vanilla(size=3, init_W=Vectors("v.txt")).specs(3), rng=np.random.default_rng(1))
    with pytest.raises(UsageError, match="init_E"):
        config.build(LanguageModel, {"init_E": {"kind": "vectors", "file": "v.txt"}})


@pytest.mark.parametrize("name", ["vectors", "frozen vectors", "tied frozen vectors"])
def test_a_model_starts_with_word_vectors_and_trains_them_unless_frozen(name):
    network = Network(MODELS[name], VOCAB, np.float64, np.random.default_rng(1))
    frozen = "frozen" in name
    E = network.params.named["E"]
    np.testing.assert_array_equal(E[VOCAB.index["w0"]], np.array([0.25, -0.5, 0.125]) * (2 if frozen else 1))
    assert network.params.notes == [f"E: 4 of {len(VOCAB)} words found in {VECTORS}"]
    assert ("E" in network.params.frozen) == frozen
    assert np.shares_memory(network.params.trainable, E) != frozen


def test_a_model_with_word_vectors_is_allocated_without_the_file():
    model = LanguageModel(embedding=3, init_E=Vectors("gone.txt"))
    assert Parameters.shapes(model.specs(VOCAB))["E"] == (len(VOCAB), 3)
    assert Network(model, VOCAB).params.notes == []
    with pytest.raises(DataError, match="gone.txt"):
        Network(model, VOCAB, rng=np.random.default_rng(1))
