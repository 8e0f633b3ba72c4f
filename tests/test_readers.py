"""Stretches of recordings; readers in front of others: signals that are read once."""

import re
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import strategies as st

from tfspec.base.errors import UserError
from tfspec.data.readers import ArrayReader, AudioReader, RememberingReader, read_checked

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


def test_what_follows_a_stretch_is_not_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(4000, 0.5, np.float32), 1000, subtype="FLOAT")
    rows = pd.DataFrame({"path": "a.wav", "start": [1.0, -0.5, 1.0, 3.5], "end": [1.25, 0.25, np.nan, 9.0]})
    read = AudioReader(tmp_path, 1000, 1000, "silence")
    heard = [np.flatnonzero(signal)[[0, -1]].tolist() for signal in read(rows)]
    assert heard == [[0, 249], [500, 749], [0, 999], [0, 499]]
    whole, short = read.identities(rows.iloc[[2]]), read.identities(rows.iloc[[0]])
    assert whole == read.identities(rows.iloc[[2]].drop(columns="end")) and whole != short


def test_lists_do_for_an_array_and_text_for_a_path():
    assert ArrayReader([[1.0, 2.0], [3.0, 4.0]])(pd.DataFrame(index=[1])).tolist() == [[3, 4]]
    assert AudioReader("sounds", 1000, 1000) == AudioReader(Path("sounds"), 1000, 1000)


def test_a_row_that_an_array_does_not_have_is_named():
    """As where a page's pictures are taken from one of the two tables that a run was made of."""
    read = ArrayReader(np.zeros((8, 4), np.float32))
    with pytest.raises(UserError, match="The data hold 8 signals, and number 21 of them"):
        read(pd.DataFrame(index=[3, 21]))


class Returning:
    """A reader of anything."""

    sample_rate = None

    def __init__(self, signals, signal_shape=(5,)):
        self.signals, self.signal_shape = signals, signal_shape

    def __call__(self, rows):
        return self.signals


@pytest.mark.parametrize(
    ("reader", "said"),
    [
        (Returning(None), "Received: object of shape ()"),
        (
            Returning(np.zeros([1, 5])),
            "2 rows as float32 of shape (2, 5). Received: float64 of shape (1, 5)",
        ),
        (Returning(np.ones([2, 5], np.int16)), "Received: int16 of shape (2, 5)"),
        (Returning(np.zeros([2, 5]), 5), "Returning.signal_shape must be a tuple. Received: 5"),
    ],
)
def test_a_reader_that_does_not_do_as_it_says_is_refused(reader, said):
    with pytest.raises(UserError, match=re.escape(said)):
        read_checked(reader, pd.DataFrame(index=[0, 1]))


def test_signals_of_another_precision_are_taken():
    signals = read_checked(Returning([np.ones(5)] * 2), pd.DataFrame(index=[0, 1]))
    assert signals.dtype == np.float32 and signals.tolist() == [[1.0] * 5] * 2
