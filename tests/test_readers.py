"""Readers in front of others: signals that are read once."""

import hypothesis
import numpy as np
import pandas as pd
from hypothesis import strategies as st

from tfspec.data.readers import ArrayReader, RememberingReader

INDEX = pd.Index([*"abcde"])


class Counting(ArrayReader):
    """Lists the rows that it reads."""

    def __call__(self, rows):
        asked.extend(rows.index)
        return super().__call__(rows)


asked: list = []


@hypothesis.given(st.lists(st.lists(st.sampled_from([*INDEX]), max_size=4, unique=True), max_size=6))
def test_what_is_remembered_is_what_is_read_and_each_row_is_read_once(batches):
    asked.clear()
    read = Counting(np.arange(15, dtype=np.float32).reshape(5, 3), 8, INDEX)
    remembered = RememberingReader(read, INDEX, most_bytes=60)
    assert (remembered.signal_shape, remembered.sample_rate) == ((3,), 8)
    for batch in batches:
        signals = remembered(pd.DataFrame(index=batch))
        np.testing.assert_array_equal(signals, read.signals[INDEX.get_indexer(batch)])
    assert sorted(asked) == sorted({name for batch in batches for name in batch})


def test_what_does_not_fit_into_memory_is_read_again():
    asked.clear()
    remembered = RememberingReader(Counting(np.eye(3, dtype=np.float32)), pd.RangeIndex(3), most_bytes=35)
    rows = pd.DataFrame(index=[1, 1, 2])
    assert [remembered(rows).tolist() for _ in range(2)] == [np.eye(3)[[1, 1, 2]].tolist()] * 2
    assert asked == [1, 1, 2] * 2
