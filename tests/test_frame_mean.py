"""The mean of each frame."""

import numpy as np
import scipy.signal
import tensorflow as tf

from tfspec.frontends import FrameMean, Spectrogram


def test_it_is_the_windowed_mean_of_numpy(rng):
    signal = rng.standard_normal((2, 300, 3)).astype(np.float32)
    window = scipy.signal.get_window("hamming", 40)
    frames = np.lib.stride_tricks.sliding_window_view(signal, 40, axis=1)[:, ::15]
    expected = np.average(frames, axis=-1, weights=window)
    received = FrameMean(40, 15, window="hamming")(signal)
    assert received.shape == (2, 18, 1, 3)
    np.testing.assert_allclose(received, expected[:, :, np.newaxis], atol=1e-6)


def test_its_size_is_the_spectrogram_s_at_zero_hertz_and_its_sign_the_signal_s(rng):
    signal = rng.standard_normal((2, 300)).astype(np.float32)
    mean = FrameMean(40, 15)(signal)
    at_zero = Spectrogram(40, 15)(signal)[:, :, :1] / scipy.signal.get_window("hann", 40).sum()
    np.testing.assert_allclose(tf.abs(mean), at_zero, atol=1e-6)
    np.testing.assert_allclose(FrameMean(40, 15)(-signal), -mean, atol=1e-7)
    assert (mean.numpy() > 0).any() and (mean.numpy() < 0).any()


def test_frames_are_the_spectrogram_s():
    for options in ({}, {"center": True}, {"pad_end": True}, {"fft_length": 64, "window_place": "center"}):
        shape = Spectrogram(40, 15, **options).compute_output_shape((None, 300, 3))
        mean = FrameMean(40, 15, **options)
        assert mean.compute_output_shape((None, 300, 3)) == (*shape[:2], 1, 3)
