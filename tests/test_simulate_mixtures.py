import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from tfspec.data.manifest import class_columns
from tfspec.data.sources.mixtures import list_mixtures
from tfspec.data.sources.simulate import write_mixtures
from tfspec.data.sources.simulate.mixtures import _Mixer
from tfspec.data.sources.simulate.repertoire import Repertoire
from tfspec.data.sources.simulate.speech import PHONES, WORDS, Voice, make_voice, say

RATE = 16000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulate") / "mixtures"
    write_mixtures(folder, num_train=30, num_test=5, num_words=4)
    return folder


def test_the_tables_fit_the_clips(folder):
    for part, count in (("train", 30), ("test", 5)):
        manifest = list_mixtures(folder / f"{part}_answer.csv", folder / part, RATE, RATE)
        assert manifest["problem"].isna().all()
        assert len(manifest) == count
        assert class_columns(manifest) == ["bed", "bird", "cat", "dog"]


def test_two_words_share_a_clip_and_the_table_to_fill_in_is_empty(folder):
    answer, empty = (pd.read_csv(folder / f"{name}.csv") for name in ("test_answer", "submission"))
    shares = answer.iloc[:, 1:].to_numpy()
    assert ((shares > 0).sum(1) == 2).all()
    assert shares[shares > 0].min() >= 0.25
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-12)
    assert empty["file_name"].equals(answer["file_name"])
    assert not empty.iloc[:, 1:].to_numpy().any()


def test_shares_are_those_of_the_amplitudes(tmp_path):
    """Of tones in the place of words."""
    (tmp_path / "train").mkdir()
    hertz = [500, 1000, 3000]

    def tone(part, number, rng):
        return rng.uniform(0.1, 1) * np.sin(2 * np.pi * hertz[number] * np.arange(RATE) / RATE)

    mixer = _Mixer(tmp_path, Repertoire(["a", "b", "c"], tone), seed=0)
    for number in range(3):
        shares = mixer.write_clip(("train", number))
        clip, _ = soundfile.read(tmp_path / "train" / f"train_{number:05}.wav")
        amplitudes = np.abs(np.fft.rfft(clip))[hertz]
        np.testing.assert_allclose(amplitudes / amplitudes.sum(), shares, atol=0.01)
        assert 0.2 <= np.abs(clip).max() <= 0.9


@pytest.mark.parametrize("vowel", ["i", "A", "u"])
def test_a_vowel_has_its_formants_and_a_voice_its_pitch(monkeypatch, vowel):
    monkeypatch.setitem(WORDS, "long", 6 * vowel)
    voice = Voice(hertz=100, tract=1.1, tempo=1.0, breath=0.01)
    sound = say("long", voice, np.random.default_rng(1))
    middle = sound[len(sound) // 2 :][:2048]
    alike = np.correlate(middle, middle, "full")[len(middle) :]  # from a lag of one sample
    pitch = RATE / (1 + 50 + alike[50:300].argmax())
    assert 100 * 2**-0.45 < pitch < 100 * 2**0.35
    power = np.mean(np.abs(librosa.stft(sound, n_fft=1024)) ** 2, axis=1)
    first, second, _ = 1.1 * np.array(PHONES[vowel].formants)

    def level(hertz):
        at = np.arange(513) * RATE / 1024
        return power[np.abs(at - hertz) < 100].mean()

    assert level(second) > 3 * level((second + 7000) / 2)
    assert level(first) > level(second)
    if vowel == "i":
        assert level(second) > 3 * level((first + second) / 2)


def test_hissing_sounds_have_no_pitch(monkeypatch):
    monkeypatch.setitem(WORDS, "hiss", "ssssss")
    sound = say("hiss", make_voice(0, 0, 0), np.random.default_rng(0))
    assert librosa.feature.spectral_centroid(y=sound, sr=RATE).mean() > 3000
    assert librosa.feature.spectral_flatness(y=sound).mean() > 0.1


def test_words_are_told_apart_in_voices_that_were_not_heard_before():
    """By a linear classifier, in a picture of 12 times by 20 frequencies."""
    rng, words = np.random.default_rng(0), list(WORDS)[:12]

    def pictures(part, voices):
        sounds = [say(word, make_voice(0, part, voice), rng) for word in words for voice in range(voices)]
        mels = [librosa.feature.melspectrogram(y=each, sr=RATE, n_mels=20, hop_length=80) for each in sounds]
        places = [np.linspace(0, mel.shape[1] - 1, 12).astype(int) for mel in mels]
        return [np.log(mel[:, place] + 1e-3).ravel() for mel, place in zip(mels, places, strict=True)]

    classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    classifier.fit(pictures(0, 6), np.repeat(np.arange(12), 6))
    assert np.mean(classifier.predict(pictures(1, 4)) == np.repeat(np.arange(12), 4)) > 0.8
