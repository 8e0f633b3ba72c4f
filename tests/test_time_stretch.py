"""Stretching: pitch and onsets where they must be, against librosa, and what any input gives."""

import hypothesis
import librosa
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from tfspec.dsp.timing import time_stretch

RATE = 48000
SECONDS = np.arange(2 * RATE) / RATE
RATES = [0.5, 0.8, 0.97, 1.1, 1.25, 2.0]
at_rates = pytest.mark.parametrize("rate", RATES)


def stretched(signal, rate, frame_length=1024):
    return time_stretch(signal[np.newaxis].astype(np.float32), [rate], frame_length)[0].numpy()


def hertz_of(signal):
    magnitude = np.log(abs(np.fft.rfft(signal * np.hanning(len(signal)), 8 * RATE)) + 1e-12)
    peak = magnitude.argmax()
    before, at, after = magnitude[peak - 1 : peak + 2]
    return (peak + (before - after) / (2 * (before - 2 * at + after))) / 8


@at_rates
@pytest.mark.parametrize("hertz", [220.5, 1000, 5000])
def test_pitch_and_level_of_a_tone_stay(hertz, rate):
    signal = 0.3 * np.sin(2 * np.pi * hertz * SECONDS)
    inside = slice(RATE // 5, int(2 * RATE / max(rate, 1)) - RATE // 5)
    received = stretched(signal, rate)
    assert abs(1200 * np.log2(hertz_of(received[inside]) / hertz)) < 0.1
    assert np.std(received[inside]) == pytest.approx(np.std(signal), rel=0.01)


@pytest.mark.parametrize("rate", RATES[1:-1])
def test_onsets_come_when_they_must_and_zeros_follow(rate):
    onsets = np.arange(0.1, 1.95, 0.15)
    signal = np.zeros(2 * RATE)
    signal[np.round(onsets * RATE).astype(int)] = 1
    received = stretched(signal, rate)
    expected = onsets / rate
    for onset in expected[expected < 1.95]:
        near = abs(SECONDS - onset) < 0.03
        heard = np.average(SECONDS[near], weights=np.square(received[near]))  # a click is as wide as a frame
        assert heard == pytest.approx(onset, abs=0.01)
    assert received.shape == signal.shape
    assert not received[round(2 / rate * RATE) + 1024 :].any()


@at_rates
def test_spectrum_is_about_librosas(rate):
    notes = sum(np.sin(2 * np.pi * 220 * n * SECONDS) / n for n in range(1, 20))
    signal = (0.1 * notes * np.exp(-8 * (SECONDS % 0.4))).astype(np.float32)
    both = [stretched(signal, rate), librosa.effects.time_stretch(signal, rate=rate)[: 2 * RATE]]
    length = min(map(len, both))
    mine, theirs = (librosa.feature.melspectrogram(y=x[:length], sr=RATE) for x in both)
    mine, theirs = (librosa.power_to_db(x, top_db=40) for x in (mine, theirs))
    assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.9


def test_each_has_its_own_rate_whatever_its_neighbours_are(rng):
    signal = rng.standard_normal((4, 5000)).astype(np.float32)
    rates = [0.6, 1.0, 1.3, 1.9]
    together = time_stretch(signal, rates, 512).numpy()
    alone = [stretched(*each, 512) for each in zip(signal, rates, strict=True)]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together[1], signal[1])


@pytest.mark.slow
@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(
    batch=st.integers(0, 3),
    samples=st.integers(0, 3000),
    rate=st.floats(0.5, 2, width=32),
    frame_length=st.sampled_from([32, 33, 100, 511, 1024, 2560]),
)
def test_any_length_and_rate_give_finite_signals_of_that_length(batch, samples, rate, frame_length):
    signal = np.random.default_rng(samples).uniform(-1, 1, (batch, samples)).astype(np.float32)
    received = time_stretch(signal, np.full(batch, rate, np.float32), frame_length)
    assert received.shape == signal.shape
    assert np.isfinite(received).all()
    assert tf.size(signal) == 0 or abs(received.numpy()).max() < 4


@pytest.mark.parametrize("rate", [0.49, 2.01, np.nan, np.inf])
def test_rates_out_of_range_are_refused(rate):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`rate` must be 0\.5…2"):
        time_stretch(np.zeros((2, 100), np.float32), [1, rate])


def test_tiny_frames_are_refused():
    with pytest.raises(ValueError, match=r"`frame_length` must be at least 32 .* Received: frame_length=31"):
        time_stretch(np.zeros((2, 100), np.float32), [1, 2], 31)
