"""Frames and bins in seconds and hertz, by librosa."""

import keras
import librosa
import numpy as np

from tfspec.frontends import MFCC, Decibel, MelSpectrogram, Resize, Spectrogram, feature_axes


def test_bands_and_frames_are_librosas():
    mel = MelSpectrogram.preset("librosa", num_mel_bins=40)
    seconds, hertz = feature_axes(keras.Sequential([mel, Decibel()]), (22050,), 22050)
    np.testing.assert_allclose(hertz, librosa.mel_frequencies(42, fmin=0, fmax=11025)[1:-1], rtol=1e-5)
    np.testing.assert_allclose(seconds, librosa.times_like(44, sr=22050), rtol=1e-5)


def test_frames_of_several_lengths_go_together_and_their_bins_do_not():
    signal = keras.Input((1000,))
    several = [Spectrogram(length, 50, center=True)(signal) for length in (64, 128)]
    both = keras.Model(signal, keras.layers.Concatenate(axis=2)(several))
    seconds, hertz = feature_axes(both, (1000,), 100)
    np.testing.assert_allclose(seconds, np.arange(21) / 2)
    assert hertz is None


def test_what_is_no_time_or_frequency_is_left_unsaid():
    assert feature_axes(MFCC(num_coefficients=20), (22050,), 22050)[1] is None
    assert feature_axes(keras.Sequential([Spectrogram(256), Resize(10, 12)]), (8000,), 8000) == (None, None)
    assert feature_axes(keras.layers.Reshape((10, 10, 1)), (100,), 8000) == (None, None)
