import librosa
import numpy as np
import pandas as pd
import pytest
import scipy.signal
import soundfile

from tfspec import UserError
from tfspec.data.sources.annotations import list_annotations
from tfspec.data.sources.simulate import write_soundscapes
from tfspec.data.sources.simulate.backgrounds import filtered, hiss, insects, rain, wind
from tfspec.data.sources.simulate.calls import Species, call, from_afar, make_species
from tfspec.data.sources.simulate.repertoire import loudest, recorded

RATE = 48000


@pytest.fixture(scope="module")
def forest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulate") / "forest"
    write_soundscapes(folder, num_train=6, num_test=2, seconds=20, num_species=4)
    return folder


def boxes(folder, table: str) -> pd.DataFrame:
    return pd.read_csv(folder / table)


# The layout


@pytest.mark.slow
def test_the_tables_fit_the_recordings(forest):
    for part, recordings in (("train", 6), ("test", 2)):
        manifest = list_annotations(forest / f"{part}_tp.csv", forest / part, slice_seconds=10)
        assert manifest["problem"].isna().all()
        assert len(manifest) == 2 * recordings
    sound = soundfile.info(forest / "train" / "train_0000.flac")
    assert (sound.samplerate, sound.duration, sound.channels) == (RATE, 20, 1)
    assert len(boxes(forest, "species.csv")) == 4


def test_all_species_call_equally_often(forest):
    assert boxes(forest, "train_tp.csv")["species_id"].value_counts().tolist() == [3] * 4


def test_a_false_positive_names_a_species_that_does_not_call_within_a_slice(forest):
    true, false = boxes(forest, "train_tp.csv"), boxes(forest, "train_fp.csv")
    assert len(false) == len(true)
    pairs = false.merge(true, on="recording_id")
    near = pairs[(pairs["t_min_y"] < pairs["t_max_x"] + 5) & (pairs["t_max_y"] > pairs["t_min_x"] - 5)]
    assert len(near) >= len(false)
    assert (near["species_id_x"] != near["species_id_y"]).all()


def test_calls_stand_in_their_boxes(forest):
    """Against the same band in the rest of the recording."""
    above = []
    for row in boxes(forest, "train_tp.csv").itertuples():
        sound, _ = soundfile.read(forest / "train" / f"{row.recording_id}.flac")
        hertz, seconds, power = scipy.signal.spectrogram(sound, RATE, nperseg=2048)
        band = power[(row.f_min - 50 < hertz) & (hertz < row.f_max + 50)].sum(0)
        inside = (row.t_min < seconds) & (seconds < row.t_max)
        above.append(10 * np.log10(band[inside].mean() / np.median(band[~inside])))
    assert np.median(above) > 10
    assert np.mean(np.array(above) > 3) > 0.8


# Calls


def frequency(sound) -> np.ndarray:
    """Measure the instantaneous frequency of a tone in Hz."""
    return np.diff(np.unwrap(np.angle(scipy.signal.hilbert(sound)))) * RATE / (2 * np.pi)


def tone(**parameters) -> np.ndarray:
    species = Species(
        "test", **{"hertz": 3000, "num_notes": 1, "note_seconds": 1, "gap_seconds": 0.1, **parameters}
    )
    return call(species, RATE, np.random.default_rng(4))


def test_a_note_sweeps_by_its_octaves():
    hertz = frequency(tone(sweep=0.5))
    tenth = len(hertz) // 10
    assert np.log2(
        np.median(hertz[-2 * tenth : -tenth]) / np.median(hertz[tenth : 2 * tenth])
    ) == pytest.approx(0.5 * 0.7, abs=0.01)


def test_a_warble_swings_as_often_and_as_far_as_it_should():
    octaves = np.log2(frequency(tone(vibrato=0.2, vibrato_hertz=10))[2000:-2000])
    octaves -= octaves.mean()
    assert octaves.std() * np.sqrt(2) == pytest.approx(0.2, rel=0.05)
    spectrum = np.abs(np.fft.rfft(octaves))
    assert spectrum.argmax() * RATE / len(octaves) == pytest.approx(10, abs=1)


def test_roughness_is_the_deviation_of_the_spectrum():
    hertz, power = scipy.signal.welch(tone(roughness=400, note_seconds=3), RATE, nperseg=4096)
    middle = np.average(hertz, weights=power)
    assert np.sqrt(np.average((hertz - middle) ** 2, weights=power)) == pytest.approx(400, rel=0.2)


def test_overtones_are_half_as_loud_each():
    hertz, power = scipy.signal.welch(tone(overtones=2, hertz=1000), RATE, nperseg=8192)
    peaks = [power[np.abs(hertz - number * hertz[power.argmax()]) < 100].sum() for number in (1, 2, 3)]
    np.testing.assert_allclose(np.sqrt(np.divide(peaks[1:], peaks[:-1])), 0.5, rtol=0.05)


def test_calls_of_a_species_are_alike_and_never_the_same():
    trill = make_species(2, seed=0)[1]
    first, second = (call(trill, RATE, np.random.default_rng(seed)) for seed in (0, 1))
    assert len(first) != len(second)
    middles = [librosa.feature.spectral_centroid(y=sound, sr=RATE).mean() for sound in (first, second)]
    assert abs(np.log2(middles[0] / middles[1])) < 0.3


def test_species_of_one_kind_have_their_own_pitch():
    hertz = [species.hertz for species in make_species(24, seed=3) if species.kind == "whistle"]
    assert len(hertz) == 4
    assert np.diff(np.log2(hertz)).min() > 0.3


# What is round them


def test_hiss_has_the_colour_that_was_drawn():
    exponent = np.random.default_rng(3).uniform(0, 2)
    hertz, power = scipy.signal.welch(hiss(20 * RATE, RATE, np.random.default_rng(3)), RATE, nperseg=4096)
    inner = (hertz > 100) & (hertz < 20_000)
    slope = np.polyfit(np.log(hertz[inner]), np.log(power[inner]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.03)


def test_wind_is_low_rain_in_the_middle_and_insects_high():
    middles = []
    for make in (wind, rain, insects):
        hertz, power = scipy.signal.welch(make(5 * RATE, RATE, np.random.default_rng(0)), RATE, nperseg=4096)
        middles.append(np.average(hertz, weights=power))
    assert middles[0] < 300 < 2000 < middles[1] < 6000 < middles[2] < 12_500


def test_a_filter_has_its_gain_and_shifts_nothing():
    seconds = np.arange(RATE) / RATE
    tones = [np.sin(2 * np.pi * hertz * seconds) for hertz in (1000, 4000)]
    halved = filtered(tones[0] + tones[1], RATE, lambda hertz: np.where(hertz > 2000, 0.5, 1))
    np.testing.assert_allclose(halved, tones[0] + tones[1] / 2, atol=1e-6)


def test_distance_makes_calls_softer_and_duller():
    class Farthest:
        def uniform(self):
            return 1.0

    seconds = np.arange(RATE) / RATE
    sound = np.sin(2 * np.pi * 1000 * seconds) + np.sin(2 * np.pi * 10_000 * seconds)
    near, far = np.abs(np.fft.rfft(sound)), np.abs(np.fft.rfft(from_afar(sound, RATE, Farthest())))
    decibels = 20 * np.log10(far[[1000, 10_000]] / near[[1000, 10_000]])
    expected = 20 * np.log10(0.5 * 4 / 60 / np.abs(sound).max()) - 60 * 0.15 * np.array([0.01, 1])
    np.testing.assert_allclose(decibels, expected, atol=0.01)


# Real sounds


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Two classes of ten tones, each of a frequency of its own."""
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(20):
        label = ("high", "low")[number % 2]
        (folder / label).mkdir(exist_ok=True)
        tone = 0.5 * np.sin(2 * np.pi * (500 + 100 * number) * np.arange(8000) / 8000)
        soundfile.write(folder / label / f"source{number // 2}_{number}.wav", tone, 8000)
    return folder


def test_no_group_is_heard_in_both_parts(sounds):
    repertoire = recorded(sounds, "([^_]+)", 8000, (0.3, 0.6), seed=0)
    assert repertoire.names == ["high", "low"]
    rng, heard = np.random.default_rng(0), {"train": set(), "test": set()}
    for part, numbers in heard.items():
        for draw in range(80):
            sound = repertoire.draw(part, draw % 2, rng)
            assert 0.3 * 8000 <= len(sound) <= 0.6 * 8000
            hertz = np.abs(np.fft.rfft(sound, 8000)).argmax()
            numbers.add(round((hertz - 500) / 100))
    groups = {part: {number // 2 for number in numbers} for part, numbers in heard.items()}
    assert len(groups["test"]) == 2
    assert groups["train"] == set(range(10)) - groups["test"]


def test_real_sounds_become_the_species(sounds, tmp_path):
    write_soundscapes(tmp_path / "out", num_train=2, num_test=1, seconds=10, sounds=sounds)
    assert boxes(tmp_path / "out", "species.csv")["name"].tolist() == ["high", "low"]
    for row in boxes(tmp_path / "out", "train_tp.csv").itertuples():
        assert 490 < row.f_min <= row.f_max < 2500


def test_sounds_that_cannot_be_used(sounds, tmp_path):
    for number in range(5):
        for label in ("a", "b"):
            (tmp_path / label).mkdir(exist_ok=True)
            soundfile.write(tmp_path / label / f"{number}.wav", np.zeros(8000), 8000)
    with pytest.raises(UserError, match=r"is silent\. Leave it out\."):
        write_soundscapes(tmp_path / "out", num_train=1, num_test=0, sounds=tmp_path)
    with pytest.raises(UserError, match=r"must hold at least two classes\. Received: only"):
        (tmp_path / "one").mkdir()
        (tmp_path / "a").rename(tmp_path / "one" / "only")
        recorded(tmp_path / "one", "(.*)", 8000, (1, 1), seed=0)


@pytest.mark.parametrize("length", [1, 7, 50])
def test_the_loudest_stretch_is_the_one_of_most_energy(length):
    sound = np.random.default_rng(0).normal(0, 1, 50)
    energies = [np.sum(sound[start : start + length] ** 2) for start in range(51 - length)]
    np.testing.assert_array_equal(loudest(sound, length), sound[np.argmax(energies) :][:length])
