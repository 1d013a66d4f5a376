"""A moment of fuzzing; `make fuzz` does the same at length."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import READERS
from tests.fuzz.run import fuzz, readers


@pytest.fixture(scope="module")
def all_readers():
    with readers() as made:
        yield made


@pytest.mark.parametrize("name", READERS)
def test_every_input_is_read_or_refused(all_readers, name):
    @settings(max_examples=100, database=None)
    @given(st.integers(0, 1 << 32))
    def moment(seed):
        read, refused = fuzz(all_readers, name, [seed])
        assert read + refused == 1

    moment()
