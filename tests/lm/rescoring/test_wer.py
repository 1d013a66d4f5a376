"""Word error rates: edit distances by their definition, and the table of errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlm.errors import DataError
from rnnlm.lm.rescoring.nbest import Hypothesis, NBest
from rnnlm.lm.rescoring.wer import Errors, ErrorTable, edit_distances


def levenshtein(a, b):
    """The definition, cell by cell."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


words = st.lists(st.sampled_from("abcd"), max_size=7)


@given(words, st.lists(words, min_size=1, max_size=5))
def test_edit_distances(reference, hypotheses):
    assert list(edit_distances(reference, hypotheses)) == [levenshtein(reference, words) for words in hypotheses]


def test_errors_add_up():
    total = Errors(1, 4, 1) + Errors(1, 6, 2)
    assert (total, total.wer) == (Errors(2, 10, 3), 0.3)
    assert np.isnan(Errors(1, 0, 2).wer)


def test_a_table_of_errors(tmp_path):
    (tmp_path / "ref").write_text("u1 a b c\nu2 a\nu3 b\n")
    table = ErrorTable(tmp_path / "ref")
    one, two = (NBest(id, [Hypothesis(id, list(words)) for words in ("ab", "abcc", "abc")]) for id in ("u1", "u2"))
    assert list(table.distances(one)) == [1, 1, 0]
    for nbest, chosen in ((one, 1), (two, 0)):
        table.add(nbest, chosen)
    table.add(one, 2, "rest")
    assert table.parts == {
        "": {"first-best": Errors(2, 4, 2), "rescored": Errors(2, 4, 2), "oracle": Errors(2, 4, 1)},
        "rest": {"first-best": Errors(1, 3, 1), "rescored": Errors(1, 3, 0), "oracle": Errors(1, 3, 0)},
    }
    assert table.unused == {"u3"}
    with pytest.raises(DataError, match=r"ref: no reference for .*'u4'"):
        table.distances(NBest("u4", []))


def table_of(tmp_path, rows):
    """A table of utterances with so many words in the reference, and errors first and rescored."""
    (tmp_path / "ref").write_text("".join(f"u{i}{' a' * words}\n" for i, (words, *_) in enumerate(rows)))
    table = ErrorTable(tmp_path / "ref")
    for i, (words, first, rescored) in enumerate(rows):
        hypotheses = [Hypothesis("", ["a"] * words + ["b"] * errors) for errors in (first, rescored)]
        assert table.add(NBest(f"u{i}", hypotheses), 1).errors == (first, rescored, min(first, rescored))
    return table


def test_errors_by_length(tmp_path):
    table = table_of(tmp_path, [(5, 1, 0), (41, 3, 2), (0, 1, 1), (6, 2, 1), (10, 0, 0), (100, 0, 4)])
    assert {length: [e[:] for e in row.values()] for length, row in table.lengths("").items()} == {
        "0-5": [(2, 5, 2), (2, 5, 1), (2, 5, 1)],
        "6-10": [(2, 16, 2), (2, 16, 1), (2, 16, 1)],
        "41-": [(2, 141, 3), (2, 141, 6), (2, 141, 2)],
    }


def test_the_difference_is_bootstrapped_over_utterances(tmp_path):
    rng = np.random.default_rng(1)
    rows = np.column_stack([rng.integers(1, 30, 200), rng.integers(0, 6, 200), rng.integers(0, 5, 200)])
    found = table_of(tmp_path, rows.tolist()).difference("", 2000, seed=3)
    picks = rng.integers(0, 200, (2000, 200))
    words, first, rescored = (rows[:, i][picks].sum(axis=1) for i in range(3))
    np.testing.assert_allclose(found.interval, np.percentile((rescored - first) / words, [2.5, 97.5]), rtol=0.1)
    assert found.wer == pytest.approx((rows[:, 2].sum() - rows[:, 1].sum()) / rows[:, 0].sum())
    assert found.better == pytest.approx((rescored < first).mean(), abs=0.03)
    same = table_of(tmp_path, [(3, 1, 1)] * 5).difference("")
    assert (same.wer, same.interval, same.better) == (0, (0, 0), 0)


@pytest.mark.parametrize(("reference", "id"), [("u-01", "U_1"), ("utt-2", "utt")])
def test_a_missing_reference_names_one_that_is_alike(tmp_path, reference, id):
    (tmp_path / "ref").write_text(f"{reference} a\nother b\n")
    with pytest.raises(DataError, match=f"'{id}'; there is one for '{reference}'"):
        ErrorTable(tmp_path / "ref").distances(NBest(id, [Hypothesis(id, ["a"])]))


def test_noise_does_not_count(tmp_path):
    (tmp_path / "ref").write_text("u the [laugh] cat\n")
    hypothesis = Hypothesis("u", ["the", "cat"], noisy=["uh", "the", "cat"])
    assert ErrorTable(tmp_path / "ref", {"[laugh]"}).distances(NBest("u", [hypothesis])).tolist() == [0]
