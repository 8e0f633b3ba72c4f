"""What a teacher is sure of, and what is left out: the signals themselves say the probabilities."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from tfspec.base.errors import UserError
from tfspec.base.frames import EventRule, Frames
from tfspec.data.frame_targets import FrameTargets
from tfspec.experiment.splitting import checked_split
from tfspec.inference.pseudo_labels import sure_windows
from tfspec.pipelines import OwnRecordings

RATE = 1000


def model(labels, step=None, thresholds=(0.5, 0.5), length=2):
    """A model of the classes a and b: a's probability is the signal's mean, in frames or as a whole."""
    made = SimpleNamespace(
        class_names=("a", "b"), signal_shape=(length * RATE,), sample_rate=RATE, takes="recording",
        labels=labels, thresholds=thresholds if labels == "several" else None,
    )  # fmt: skip

    def both(mean):
        return np.stack([mean, 1 - mean], axis=-1)

    made.probabilities = lambda signal: both(np.asarray(signal).mean(1))
    if step:
        frames = round(length / step)
        made.frames, made.event_rule = Frames(step / 2, step, frames), EventRule(thresholds, (0.0, 0.0))
        made.frame_probabilities = lambda signal: both(np.reshape(signal, (len(signal), frames, -1)).mean(2))
    return made


def write(folder, levels, seconds=1):
    """A recording of stretches of so many seconds, each of one level."""
    path = folder / "a.wav"
    soundfile.write(path, np.repeat(levels, seconds * RATE), RATE, subtype="FLOAT")
    return path


def test_the_likeliest_class_where_it_is_likely_enough(tmp_path):
    path = write(tmp_path, [0.95, 0.95, 0.7, 0.7, 0.05, 0.05])
    sure = sure_windows(model("one"), path, ["a", "b"], 2.0, 0.9)
    assert sure.windows.values.tolist() == [[0.0, 2.0, "a"], [4.0, 6.0, "b"]]
    assert sure.unused == pytest.approx(2.0)
    only_b = sure_windows(model("one"), path, ["b", "other"], 2.0, 0.9)
    assert only_b.windows["label"].tolist() == ["b"] and only_b.unused == pytest.approx(4.0)


def test_of_several_each_is_heard_not_heard_or_unknown(tmp_path):
    """At 0.9: a is heard from 0.9 on, not up to 0.1, and its own threshold may ask for more."""
    path = write(tmp_path, [0.95, 0.95, 0.8, 0.8])
    windows = sure_windows(model("several"), path, ["a", "b", "c"], 2.0, 0.9).windows
    np.testing.assert_array_equal(windows[["a", "b", "c"]], [[1, 0, np.nan]])
    strict = sure_windows(model("several", thresholds=(0.97, 0.02)), path, ["a", "b"], 2.0, 0.9)
    assert strict.windows.empty and strict.unused == pytest.approx(4.0)


def test_frames_are_told_where_they_are_sure(tmp_path):
    """In stretches of a second at 1, 0.7 and 0, frames of a quarter say heard, unsure, and not heard."""
    path = write(tmp_path, [0, 0, 1, 0.7, 0, 0, 0.6, 0.6, 0.6, 0.6])
    sure = sure_windows(model("several", step=0.25), path, ["a", "c"], 4.0, 0.9)
    made = FrameTargets(sure.windows, ["a", "c"], Frames(0.125, 0.25, 16))[np.arange(len(sure.windows))]
    levels = np.repeat([0, 0, 1, np.nan, 0, 0, np.nan, np.nan, np.nan, np.nan], 4)
    assert sure.windows["start"].tolist() == [0.0, 2.0]
    for row, start in enumerate([0, 2]):
        np.testing.assert_array_equal(made[row, 1:, 0], levels[4 * start : 4 * start + 16])
    assert np.isnan(made[..., 1]).all()  # what the teacher does not know
    assert sure.unused == pytest.approx(4.0)


def test_windows_in_which_something_is_unsure_are_not_without_it(tmp_path):
    path = write(tmp_path, [0, 0.6, 0, 0])
    windows = sure_windows(model("several", step=0.25), path, ["a", "b"], 4.0, 0.9).windows
    assert np.isnan(windows["a"]).all() and (windows["b"] == 1).all()


def test_a_teacher_of_clips_of_another_length_is_refused(tmp_path):
    with pytest.raises(UserError, match="--clip-seconds 2"):
        sure_windows(model("one"), write(tmp_path, [0.5]), ["a"], 3.0, 0.9)


def test_class_folders_learn_clips_of_one_class(tmp_path, monkeypatch):
    """Long recordings give windows of the clips' length, whose groups are named as those of the data."""
    data, others = tmp_path / "data", tmp_path / "others"
    for label in ("a", "b"):
        (data / label).mkdir(parents=True)
        for who in ("ann", "ben", "eve"):
            for take in range(3):
                noise = np.random.default_rng(10 * ord(who[0]) + take).normal(0, 0.1, 2 * RATE)
                soundfile.write(data / label / f"{who}_{label}{take}.wav", noise, RATE)
    others.mkdir()
    write(others, [0.95, 0.95, 0.5, 0.5, 0.02, 0.02]).rename(others / "ben_x.wav")
    monkeypatch.setattr("tfspec.pipelines.self_taught._teacher", lambda *_: model("one"))
    steps = OwnRecordings(data=data, unlabelled=others, teacher=tmp_path, folds=3)
    split = checked_split(steps)[1]
    taught = split[split["only_trains"]]
    assert taught[["start", "label", "group"]].values.tolist() == [[0, "a", "ben"], [4, "b", "ben"]]
    assert {*taught["fold"]} == {*split["fold"][split["group"] == "ben"]}
    known = split[~split["only_trains"]]
    alone = checked_split(OwnRecordings(data=data, folds=3))[1]
    assert known[["path", "fold"]].values.tolist() == alone[["path", "fold"]].values.tolist()
    assert (split["digest"] != "").all() and split["start"].notna().all()
