import functools

import colorednoise
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import scipy.stats
import tensorflow as tf
from agreement import few_examples
from families import others_slow
from hypothesis import given
from hypothesis import strategies as st

from tfspec.dsp import noise

RATE = 48000
LONG = [12, 10 * RATE]


def octave_slope(signals: np.ndarray, lowest=50.0, highest=10_000.0) -> float:
    """Fit the dB per octave of (signals, samples), from the power in every sixth of an octave."""
    frequencies, power = scipy.signal.welch(signals, RATE, nperseg=2**14)
    edges = lowest * 2 ** np.arange(0, np.log2(highest / lowest), 1 / 6)
    sixth = np.digitize(frequencies, edges)
    levels = [10 * np.log10(power.mean(0)[sixth == i].mean()) for i in range(1, len(edges))]
    return np.polyfit(np.log2(edges[:-1]), levels, 1)[0]


@pytest.mark.parametrize("exponent", others_slow([0, 1, 2, -1, -2, 0.5], 1))
def test_slope_is_three_decibels_an_octave_for_each_unit(exponent):
    received = octave_slope(noise.colored([1, 2], LONG, exponent).numpy())
    assert received == pytest.approx(-3.01 * exponent, abs=0.15)
    expected = octave_slope(colorednoise.powerlaw_psd_gaussian(exponent, LONG, random_state=0))
    assert received == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("exponent", [0, 1])
def test_slope_is_measured_closely_enough(exponent):
    """Twelve draws of their own, each a tenth of the samples: their spread bounds the error of all."""
    slopes = [octave_slope(noise.colored([i, 0], [1, LONG[1]], exponent).numpy()) for i in range(12)]
    assert np.std(slopes) / np.sqrt(12) < 0.05


def test_white_noise_is_normal():
    samples = noise.colored([3, 4], [200_001], 0).numpy()
    assert scipy.stats.kstest(samples, "norm").pvalue > 0.01
    assert scipy.stats.kstest(samples[1:] + samples[:-1], "norm", (0, np.sqrt(2))).pvalue > 1e-4
    assert abs(np.corrcoef(samples[:100_000], samples[100_001:])[0, 1]) < 0.01  # the pairs of the transform


@pytest.mark.parametrize("exponent", [1, -1.5])
def test_spectrum_of_coloured_noise_is_normal_at_every_frequency(exponent):
    spectrum = np.fft.rfft(noise.colored([5, 6], [40, 4000], exponent).numpy())[:, 1:-1]
    flat = spectrum * np.arange(1, 2000) ** (exponent / 2)
    parts = np.concatenate([flat.real, flat.imag], axis=None)
    assert scipy.stats.kstest(parts / np.sqrt(np.mean(parts**2)), "norm").pvalue > 0.01
    loudness = np.mean(abs(flat) ** 2, axis=0)
    assert (
        scipy.stats.kstest(loudness / loudness.mean(), scipy.stats.gamma(40, scale=1 / 40).cdf).pvalue > 0.01
    )


@pytest.mark.parametrize("exponent", others_slow([0, 1, 2, -1, -2], 0, 1))
@pytest.mark.parametrize("samples", others_slow([4000, 4001], 4001))
def test_zero_mean_and_unit_variance(exponent, samples):
    drawn = noise.colored([7, 8], [3000, samples], exponent).numpy().astype(np.float64)
    power = np.mean(drawn**2, axis=1)
    mean = np.mean(drawn, axis=1)
    assert abs(power.mean() - 1) < 4 * power.std() / np.sqrt(3000) + 1e-4
    assert abs(mean.mean()) < 4 * mean.std() / np.sqrt(3000) + 1e-6


@pytest.mark.parametrize("exponent", [0, 1])
def test_rows_and_seeds_give_noise_of_their_own_and_the_same_seed_the_same(exponent):
    first = noise.colored([0, 1], [3, 20_000], exponent)
    second = noise.colored([1, 0], [3, 20_000], exponent)
    together = np.concatenate([first, second])
    assert abs(np.corrcoef(np.diff(together)) - np.eye(6)).max() < 0.05
    np.testing.assert_array_equal(noise.colored([0, 1], [3, 20_000], exponent), first)


@pytest.mark.parametrize("exponent", [0, 1])
def test_xla_gives_the_same_noise(exponent):
    def draw(seed):
        return noise.colored(seed, [2, 3001], exponent)

    expected = draw(tf.constant([2, 9]))
    np.testing.assert_allclose(tf.function(draw, jit_compile=True)([2, 9]), expected, atol=1e-4)


@functools.cache
def graph_of(exponent):
    return tf.function(
        lambda samples: noise.colored([1, 1], [2, samples], exponent),
        input_signature=[tf.TensorSpec([], tf.int32)],
    )


@few_examples
@given(samples=st.integers(1, 5000), exponent=st.sampled_from([0, 1, -2, 3.3]))
def test_any_length_in_a_graph_that_does_not_know_it(samples, exponent):
    received = graph_of(exponent)(samples)
    assert received.shape == (2, samples)
    assert np.isfinite(received).all()
    np.testing.assert_allclose(received, noise.colored([1, 1], [2, samples], exponent), atol=1e-4)


@pytest.mark.parametrize("samples", [1, 2, 3, 7, 480_001, 1_000_003, 2**30 + 1])
def test_lengths_of_the_transform_are_even_fast_and_hardly_longer(samples):
    length = int(noise._FFT_LENGTHS[np.searchsorted(noise._FFT_LENGTHS, samples)])
    assert length >= samples
    assert length % 2 == 0
    assert length == scipy.fft.next_fast_len(length, real=True)
    assert length <= max(1.1 * samples, samples + 8)


def test_levels_are_numpys(rng):
    x = rng.standard_normal((3, 50, 2)).astype(np.float32)
    np.testing.assert_allclose(noise.level(x, "peak"), abs(x).max((1, 2)))
    np.testing.assert_allclose(noise.level(x, "rms"), np.sqrt((x**2).mean((1, 2))), rtol=1e-6)


@pytest.mark.parametrize("measure", noise.MEASURES)
def test_what_is_added_is_so_many_decibels_below_the_signal(measure, rng):
    levels = {"peak": lambda x: abs(x).max(-1), "rms": lambda x: np.sqrt((x**2).mean(-1))}
    signal = rng.uniform(-1, 1, (4, 5000)).astype(np.float32) * [[1], [0.1], [3], [1e-3]]
    drawn = rng.laplace(0, 7, (4, 5000)).astype(np.float32)
    snr_db = np.array([-10.0, 0, 13.3, 30], np.float32)
    difference = noise.added(tf.constant(signal, tf.float32), drawn, snr_db, measure) - signal
    ratio = levels[measure](signal) / levels[measure](difference.numpy())
    np.testing.assert_allclose(20 * np.log10(ratio), snr_db, atol=0.1)
    assert np.corrcoef(difference[2], drawn[2])[0, 1] > 0.9999


@pytest.mark.parametrize("measure", noise.MEASURES)
def test_silence_stays_silent_and_silent_noise_changes_nothing(measure):
    signal, silence, snr_db = tf.ones([1, 9]), tf.zeros([1, 9]), tf.constant([5.0])
    np.testing.assert_array_equal(noise.added(silence, signal, snr_db, measure), silence)
    np.testing.assert_array_equal(noise.added(signal, silence, snr_db, measure), signal)
