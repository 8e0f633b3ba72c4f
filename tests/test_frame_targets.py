"""What is to be learnt of frames, and that augmentation leaves it true."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfspec.augment import Compose, FrequencyMask, MixUp, RandomCrop, TimeMask, TimeShift, Warp
from tfspec.augment.augmentation import Augmentation
from tfspec.base.errors import UserError
from tfspec.base.frames import Frames
from tfspec.data import Epochs, make_dataset
from tfspec.data.frame_targets import FrameTargets
from tfspec.data.readers import ArrayReader
from tfspec.data.sequence import SignalSequence

NAMES = ["cat", "owl"]
GRID = Frames(first=0.05, step=0.1, num_frames=20)
statements = st.lists(
    st.tuples(
        st.floats(-1, 3).map(lambda x: round(x, 3)),
        st.floats(0, 2).map(lambda x: round(x, 3)),
        st.sampled_from([*NAMES, None, "cow"]),
        st.sampled_from([0, 1, None]),
    ),
    max_size=6,
)


def by_loops(told, clip):
    """Do what FrameTargets does, one frame and one statement after another."""
    made = np.full((GRID.num_frames, 2), np.nan)
    for start, end, name, value in told:
        places = range(2) if name is None else [NAMES.index(name)] if name in NAMES else []
        inside = [f for f in range(20) if start <= 0.1 * f + 0.05 + 1e-9 and 0.1 * f + 0.05 < end - 1e-9]
        middle = (start + end) / 2
        if not inside and 0 <= middle < 2:
            inside = [int(np.floor(middle / 0.1 + 1e-12))]
        for frame in inside:
            for place in places:
                made[frame, place] = np.nan if value is None else value
    whole = np.array(clip, float)
    for place in range(2):
        known = made[:, place]
        if (known == 1).any():
            whole[place] = 1
        elif not np.isnan(known).any():
            whole[place] = 0
    return np.concatenate([whole[np.newaxis], made])


def manifest_of(rows, clips):
    cells = [json.dumps([[s, s + d, name, value] for s, d, name, value in told]) for told in rows]
    return pd.DataFrame(clips, columns=NAMES).assign(events=cells)


@given(st.lists(statements, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_targets_are_what_is_told_frame_by_frame(rows, random):
    clips = [[random.choice([0, 1, np.nan]) for _ in NAMES] for _ in rows]
    made = FrameTargets(manifest_of(rows, clips), NAMES, GRID)
    order = np.array([random.randrange(len(rows)) for _ in range(5)])
    received = made[order]
    assert received.dtype == np.float32 and received.shape == (5, 21, 2)
    told = [[(s, s + d, n, v) for s, d, n, v in each] for each in rows]
    edge = [
        abs((t * 10) % 1 - 0.5) < 1e-6 or abs((t * 10) % 1) < 1e-6
        for each in told
        for s, e, *_ in each
        for t in (s, e, (s + e) / 2)
    ]
    if not any(edge):  # what lies on the edge of a frame may go either way
        np.testing.assert_array_equal(received, [by_loops(told[i], clips[i]) for i in order])


def test_weak_rows_and_strong_ones_in_one_set():
    rows = pd.DataFrame(
        {"cat": [1, 0], "owl": [0, 0], "events": ["", '[[0, 2, null, 0], [1, 1.5, "owl", 1]]']}
    )
    weak, strong = FrameTargets(rows, NAMES, GRID)[np.arange(2)]
    assert weak[0].tolist() == [1, 0] and np.isnan(weak[1:]).all()
    assert strong[0].tolist() == [0, 1] and strong[1:, 1].nonzero()[0].tolist() == [10, 11, 12, 13, 14]


@pytest.mark.parametrize(
    "cell",
    [
        *["{", "[1]", "[[0, 1, null]]", "7", "[" * 9999],
        *('[["a", 1, null, 0]]', '[[0, 1, "owl", 7]]', "[[0, 1, NaN, 1]]", "[[0, 1, [1], 1]]"),
        f"[[0, {'9' * 400}, null, 0]]",
    ],
)
def test_what_is_no_list_of_statements_is_refused(cell):
    with pytest.raises(UserError, match="must hold lists"):
        FrameTargets(pd.DataFrame({"cat": [0], "owl": [0], "events": [cell]}), NAMES, GRID)


@pytest.mark.parametrize(
    "layers",
    [
        {"signals": TimeShift(1.0, 1000)},
        {"features": Compose([TimeMask(3)])},
        {"features": Warp()},
        {"features": RandomCrop(5)},
    ],
)
def test_what_moves_sounds_in_time_is_refused(layers):
    rows = pd.DataFrame({"cat": [0], "owl": [1]})
    reader = ArrayReader(np.zeros((1, 8)))
    for make in (make_dataset, SignalSequence):
        with pytest.raises(UserError, match="annotated"):
            make(
                rows,
                reader,
                NAMES,
                1,
                epochs=Epochs(0),
                augmentation=Augmentation(**layers),
                labels="several",
                frames=GRID,
            )


def test_what_leaves_time_alone_may_be_used():
    layer = Compose([FrequencyMask(4), Warp(time_factor=1.0, time_shift=0.0)])
    assert layer.keeps_time and not Compose([layer, Warp()]).keeps_time


@pytest.mark.parametrize("join_labels, heard", [(False, 0.5), (True, 1)])
def test_mixing_joins_the_frames_of_both(join_labels, heard):
    """Example 0 has an owl at its beginning, 1 a cat at its end, and half of each, or all, is in both."""
    told = ['[[0, 2, null, 0], [0, 0.5, "owl", 1]]', '[[0, 2, null, 0], [1.5, 2, "cat", 1]]']
    rows = pd.DataFrame({"cat": [0, 1], "owl": [1, 0], "events": told})
    mix_up = MixUp(0.5, 0.5, probability=1, join_labels=join_labels)
    make = (make_dataset, SignalSequence)
    batches = [
        next(
            iter(
                each(
                    rows,
                    ArrayReader(np.eye(2)),
                    NAMES,
                    2,
                    epochs=Epochs(0),
                    augmentation=Augmentation(mix_up=mix_up),
                    labels="several",
                    frames=GRID,
                )
            )
        )
        for each in make
    ]
    for signals, targets in batches:
        np.testing.assert_allclose(signals, 0.5)
        targets = np.array(targets)
        np.testing.assert_allclose(targets[:, 1:, 1].mean(0), [heard] * 5 + [0] * 15)
        np.testing.assert_allclose(targets[:, 1:, 0].mean(0), [0] * 15 + [heard] * 5)
        np.testing.assert_allclose(targets[:, 0], heard)


def test_memory_does_not_grow_with_frames():
    rows = pd.DataFrame({"cat": [0.0] * 1000, "owl": 0.0, "events": "[[0, 2, null, 0]]"})
    huge = FrameTargets(rows, NAMES, Frames(1e-6, 2e-6, 10**6))
    held = sum(each.nbytes for each in vars(huge).values() if isinstance(each, np.ndarray))
    assert held < 100_000 and huge.shape == (1000, 1 + 10**6, 2)
