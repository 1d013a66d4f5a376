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
