"""Documents of a text, parted by empty lines: where they begin, and how they are batched."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlm.nn.models import LanguageModel
from rnnlm.nn.network import Network
from rnnlm.nn.state import arrays
from rnnlm.text.corpus import encode
from rnnlm.text.vocab import EOS, Vocabulary
from rnnlm.text.windows import Documents, Stream
from tests.kinds import CELLS, VOCAB
from tests.text.examples import made, real

WORDS = VOCAB.words[3:]
LINES = ["", f"{WORDS[0]} {WORDS[1]}", WORDS[2], "", "", WORDS[3], "  ", f"{WORDS[4]} {WORDS[5]} {WORDS[0]}"]


def test_empty_lines_and_the_beginnings_of_files_part_documents(write, blocks_of):
    blocks_of(1)
    paths = [write("\n".join(LINES), "a.txt"), write("\n".join(LINES[1:3]), "b.txt"), write("\n", "c.txt")]
    found = encode(paths, VOCAB, documents=True)
    assert found.starts.tolist() == [0, 2, 3, 4]
    assert [[ids.tolist()[:-1] for ids in one] for one in found.documents] == [
        [[3, 4], [5]], [[6]], [[7, 8, 3]], [[3, 4], [5]],
    ]  # fmt: skip
    plain = encode(paths, VOCAB)
    assert plain.starts is None
    assert len(list(plain.documents)) == 1
    np.testing.assert_array_equal(plain.ids, found.ids)


@pytest.mark.parametrize(("n", "head", "tail"), [(1, [0], [0, 1, 2, 3]), (2, [0], [0, 1, 2]), (4, [0, 2, 3], [0])])
def test_a_part_of_a_text_begins_a_document(write, n, head, tail):
    paths = [write("\n".join(LINES), "a.txt"), write("\n".join(LINES[1:3]), "b.txt")]
    first, rest = encode(paths, VOCAB, documents=True).cut(n)
    assert (first.starts.tolist(), rest.starts.tolist()) == (head, tail)


@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=12),
    st.integers(1, 5),
    st.integers(1, 12),
    st.integers(0, 3),
)
def test_every_token_is_predicted_once_from_its_own_document(documents, B, T, seed):
    lengths = [n for document in documents for n in document]
    starts = np.cumsum([0, *map(len, documents)])[:-1]
    corpus = dataclasses.replace(made(lengths), starts=starts)
    ends = corpus.ends[np.append(starts[1:], len(lengths)) - 1]
    first = {int(corpus.ids[end]) for end in [0, *ends[:-1]]}
    reading = Documents(corpus, B, T)
    batches = list(reading.batches(0, np.random.default_rng(seed)))
    assert len(batches) == len(reading)
    found, columns = [], []
    for batch in batches:
        assert batch.shape[0] <= T
        assert batch.shape[1] <= B
        if batch.fresh:
            columns = [[] for _ in range(batch.shape[1])]
            found.append(columns)
        for b, column in enumerate(columns):
            kept = real(batch)[:, b]
            column += zip(batch.inputs[kept, b].tolist(), batch.targets[kept, b].tolist())
    texts = [column for columns in found for column in columns]
    assert sorted(target for text in texts for _, target in text) == corpus.ids.tolist()
    for text in texts:  # a document each, from its beginning to its end
        inputs, targets = zip(*text)
        assert targets[0] in first
        assert inputs == (EOS, *targets[:-1])
    assert {len(text) for text in texts} == {int(n) for n in np.diff(ends, prepend=0)}
    again = list(reading.batches(len(reading) // 2, np.random.default_rng(seed)))
    assert all(np.array_equal(a.targets, b.targets) for a, b in zip(again, batches[len(reading) // 2 :]))


@pytest.mark.parametrize("kind", ["vanilla", "lstm", "stack"])
def test_the_state_after_a_boundary_is_that_of_a_fresh_start(write, kind):
    network = Network(LanguageModel(cell=CELLS[kind]), VOCAB, np.float64, np.random.default_rng(1))
    first, second = " ".join(WORDS[:6]), " ".join(WORDS[2:5])
    both, alone = (
        encode([write(text, "text.txt")], VOCAB, documents=True) for text in (f"{first}\n\n{second}\n", second)
    )

    def states(corpus):
        """The state after the last window of each document, read one by one."""
        state, found = None, []
        for batch in Documents(corpus, 1, 2).batches():
            if batch.fresh and state is not None:
                found.append(state)
            _, state = network.loss(batch, state)
        return [*found, state]

    def flat(state):
        return np.concatenate([np.ravel(part) for part in arrays(state)])

    np.testing.assert_allclose(flat(states(both)[1]), flat(states(alone)[0]), rtol=1e-12)
    carried = None
    for batch in Stream(dataclasses.replace(both, starts=None), 1, 2).batches():
        _, carried = network.loss(batch, carried)
    assert not np.allclose(flat(carried), flat(states(alone)[0]))


def test_few_documents_are_few_columns():
    corpus = dataclasses.replace(made([3, 2, 4]), starts=np.array([0, 2]))
    reading = Documents(corpus, 20, 10)
    assert reading.batch == 2
    assert "batch 20 -> 2" in reading.note
    (batch,) = reading.batches()
    assert batch.tokens == 9


def test_long_documents_do_not_wait_for_short_ones():
    corpus = dataclasses.replace(made([100, 90, 10, 9, 8]), starts=np.arange(5))
    assert [batch.shape for batch in Documents(corpus, 5, 60).batches()] == [(60, 2), (40, 2), (10, 3)]


def test_a_vocabulary_of_characters(write):
    characters = Vocabulary(["<s>", "</s>", "<unk>", "a", " "], [0] * 5, "char")
    found = encode([write("a\n a\n\n\na\n")], characters, documents=True)
    assert found.starts.tolist() == [0, 2]
