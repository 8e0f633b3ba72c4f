import itertools

import numpy as np
import pytest
import scipy.signal
from sklearn.ensemble import RandomForestClassifier

from tfspec.data.sources.simulate import write_wrist
from tfspec.data.sources.simulate.activities import ACTIVITIES, make_day
from tfspec.data.sources.simulate.motion import Person, acceleration, make_person
from tfspec.data.sources.windows import list_windows
from tfspec.pipelines.capture24 import PUBLISHED_TEST

STILL = Person(pace=1.0, vigour=1.0, worn=np.eye(3), offset=np.zeros(3), noise=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulate") / "wrist"
    write_wrist(folder, num_people=30, minutes=20, sample_rate=20)
    return folder


def test_the_files_are_read_as_capture_24_is(folder):
    windows = list_windows(folder, "label:Willetts2018")
    assert len(windows) == 30 * 40
    assert set(windows["label"]) == {"sleep", "sit-stand", "walking", "vehicle", "bicycling", "mixed"}
    assert (windows.groupby("group")["time"].diff().dropna() == 30).all()
    signals = np.load(folder / "X.npy", mmap_mode="r")
    assert (signals.shape, signals.dtype) == ((1200, 600, 3), np.float16)
    assert np.isfinite(signals).all()


def test_people_of_both_published_parts_are_there(folder, tmp_path):
    people = np.unique(np.load(folder / "pid.npy"))
    assert (people[[0, 19, 20, 29]] == ["P001", "P020", "P101", "P110"]).all()
    write_wrist(tmp_path / "all", num_people=151, minutes=1, sample_rate=10)
    everybody = np.unique(np.load(tmp_path / "all" / "pid.npy"))
    assert set(PUBLISHED_TEST) < set(everybody)
    assert len(everybody) == 151


def test_activities_last_and_follow_as_they_may():
    day = make_day(5000, 30, np.random.default_rng(0))
    assert set(day) == set(ACTIVITIES)
    changes = [(now, then) for now, then in itertools.pairwise(day) if now != then]
    assert all(then in ACTIVITIES[now].then for now, then in changes)
    assert 5 < len(day) / len(changes) < 15


def test_who_lies_still_feels_gravity():
    felt = acceleration(ACTIVITIES["sleeping"], STILL, 3000, 100, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(felt, axis=1), 1, atol=0.05)


@pytest.mark.parametrize("rate", [20, 100])
def test_steps_are_felt_at_their_frequency_at_any_sample_rate(rate):
    person = Person(pace=1.1, vigour=1.0, worn=np.eye(3), offset=np.zeros(3), noise=0.0)
    felt = acceleration(ACTIVITIES["walking"], person, 120 * rate, rate, np.random.default_rng(2))
    hertz, power = scipy.signal.welch(np.linalg.norm(felt, axis=1), rate, nperseg=10 * rate)
    assert hertz[power.argmax()] == pytest.approx(1.85 * 1.1, rel=0.15)
    assert np.median(felt[:, 0]) < -0.6  # the hand hangs down


def test_a_bicycle_shakes_in_its_band():
    felt = acceleration(ACTIVITIES["cycling"], STILL, 12_000, 100, np.random.default_rng(0))
    hertz, power = scipy.signal.welch(felt, 100, axis=0, nperseg=1000)
    power = power.sum(1)
    assert power[(hertz > 3) & (hertz < 18)].mean() > 20 * power[hertz > 40].mean()


def test_people_wear_the_watch_in_all_four_ways_and_askew():
    worn = np.array([make_person(0, number).worn for number in range(40)])
    np.testing.assert_allclose(
        worn @ worn.transpose(0, 2, 1), np.broadcast_to(np.eye(3), worn.shape), atol=1e-12
    )
    assert len({tuple(np.sign(np.diag(each))) for each in worn}) == 4
    askew = np.degrees(np.arcsin(np.abs(worn[:, 0, 1])))
    assert 4 < askew.mean() < 13


def test_activities_are_told_in_other_people_though_not_all(folder):
    signals, windows = (
        np.load(folder / "X.npy").astype(np.float32),
        list_windows(folder, "label:Willetts2018"),
    )
    norm = np.linalg.norm(signals, axis=2)
    spectrum = np.abs(np.fft.rfft(norm - norm.mean(1, keepdims=True)))[:, 1:].reshape(len(norm), 30, 10)
    features = np.hstack([signals.mean(1), signals.std(1), np.log(spectrum.mean(2) + 1e-3)])
    tested = (windows["group"] > "P100").to_numpy()
    forest = RandomForestClassifier(50, random_state=0).fit(features[~tested], windows["label"][~tested])
    right = forest.predict(features[tested]) == windows["label"][tested]
    assert windows["label"][tested].value_counts(normalize=True).max() < 0.5
    assert 0.7 < right.mean() < 0.98
