import functools

import numpy as np
import pytest
import scipy.special
import scipy.stats
from families import others_slow

from tfspec import UserError
from tfspec.data.sources.simulate import (
    RADIO_CLASSES,
    radio_batches,
    radio_pictures,
    radio_signals,
    spectrogram_pictures,
)

ROWS, COLUMNS = 384, 512  # of the spectrogram, before it is averaged to 64 x 128
SIGNALS = RADIO_CLASSES[:3]
all_classes = pytest.mark.parametrize("label", RADIO_CLASSES)
all_signals = pytest.mark.parametrize("label", SIGNALS)


def seeds(num: int, first: int = 0) -> np.ndarray:
    return np.stack([np.full(num, 7), np.arange(first, first + num)], axis=1)


def complex_series(signals) -> np.ndarray:
    signals = np.asarray(signals, np.float64)
    return signals[..., 0] + 1j * signals[..., 1]


@functools.cache
def ridges(label: str, num: int = 12) -> np.ndarray:
    """Measure the phase step in radians at each row: (num, 384), the strongest of 512 frequencies.

    The signals stand far above the noise.
    """
    columns = []
    for seed in seeds(num):
        series = complex_series(radio_signals([label], seed[np.newaxis], snr=(2, 2)))
        columns.append(np.abs(np.fft.fft(series.reshape(ROWS, COLUMNS))).argmax(-1))
    return np.unwrap(np.array(columns) * 2 * np.pi / COLUMNS, axis=-1)


def fit(ridge: np.ndarray, degree: int) -> tuple[np.ndarray, float]:
    """Fit a polynomial over the sample number: coefficients, and the rms of what is left in columns."""
    centres = (np.arange(ROWS) + 0.5) * COLUMNS
    polynomial = np.polynomial.Polynomial.fit(centres, ridge, degree)
    left = (ridge - polynomial(centres)) / (2 * np.pi / COLUMNS)
    return polynomial.convert().coef, np.sqrt(np.mean(left**2))


# What a seed gives


def test_series_are_bytes_of_two_components():
    signals = radio_signals(RADIO_CLASSES, seeds(4)).numpy()
    assert signals.shape == (4, 196_608, 2)
    assert signals.dtype == np.int8


@all_classes
def test_same_seed_gives_the_same_signal_in_any_batch(label):
    alone = radio_signals([label], seeds(1, first=5)).numpy()[0]
    np.testing.assert_array_equal(radio_signals([label], seeds(1, first=5)).numpy()[0], alone)
    others = ["Noises", "Squiggle", label, "Narrowband", "Narrowbanddrd"]
    np.testing.assert_array_equal(radio_signals(others, seeds(5, first=3)).numpy()[2], alone)


@all_classes
def test_another_seed_gives_another_signal(label):
    first, *others = radio_signals([label] * 4, np.array([[1, 2], [1, 3], [2, 2], [2, 1]])).numpy()
    for other in others:
        assert np.mean(first == other) < 0.1
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.05


def test_unknown_label():
    with pytest.raises(ValueError, match=r"must be among .*Received: \['noise'\]"):
        radio_signals(["noise", "Noises"], seeds(2))


# Noise


def test_noise_has_sigma_13_in_each_component():
    signals = radio_signals(["Noises"] * 4, seeds(4)).numpy().astype(np.float64)
    np.testing.assert_allclose(signals.std(1), 13, rtol=0.01)
    np.testing.assert_allclose(signals.mean(1), 0, atol=0.15)
    assert scipy.stats.kurtosis(signals, axis=None) == pytest.approx(0, abs=0.03)


def test_noise_is_white_and_its_components_are_independent():
    signals = radio_signals(["Noises"] * 4, seeds(4)).numpy().astype(np.float64)
    for re, im in signals.transpose(0, 2, 1):
        assert abs(np.corrcoef(re, im)[0, 1]) < 0.012
        assert abs(np.corrcoef(re[1:], re[:-1])[0, 1]) < 0.012
    power = np.abs(np.fft.fft(complex_series(signals).reshape(-1, COLUMNS))) ** 2
    np.testing.assert_allclose(power.mean(0), 2 * 13**2 * COLUMNS, rtol=0.15)


# Signals


@all_signals
@pytest.mark.parametrize("snr", [0.5, 2])
def test_amplitude_is_the_snr_times_sigma(label, snr):
    """By total power: what is above that of the noise."""
    series = complex_series(radio_signals([label] * 6, seeds(6), snr=(snr, snr)))
    noise = complex_series(radio_signals(["Noises"] * 6, seeds(6, first=100)))
    above = np.mean(np.abs(series) ** 2) - np.mean(np.abs(noise) ** 2)
    assert np.sqrt(above) / 13 == pytest.approx(snr, rel=0.02)


@pytest.mark.parametrize(
    ("label", "low", "high"),
    others_slow(
        [("Squiggle", 0.1, 0.5), ("Narrowband", 0.05, 0.4), ("Narrowbanddrd", 0.05, 0.4)],
        ("Narrowband", 0.05, 0.4),
    ),
)
def test_published_snr_is_uniform_in_its_range(label, low, high):
    """The same series without its signal leaves the signal, and the rounding of both: 2 x 2 x 1/12."""
    num = 24
    series = complex_series(radio_signals([label] * num, seeds(num)))
    silent = complex_series(radio_signals([label] * num, seeds(num), snr=(0, 0)))
    snr = np.sqrt(np.mean(np.abs(series - silent) ** 2, axis=-1) - 1 / 3) / 13
    assert low - 0.005 < snr.min() < low + 0.1 * (high - low)
    assert high + 0.005 > snr.max() > high - 0.1 * (high - low)
    assert scipy.stats.kstest(snr, scipy.stats.uniform(low, high - low).cdf).pvalue > 0.01


def test_strong_signals_are_clipped_and_do_not_wrap_round():
    series = radio_signals(["Narrowband"], seeds(1), snr=(20, 20)).numpy()[0]
    assert (series.min(), series.max()) == (-128, 127)
    at_limit = np.mean((series == 127) | (series == -128))
    assert at_limit == pytest.approx(1 - 2 / np.pi * np.arcsin(127.5 / 260), abs=0.01)


def test_narrowband_is_a_line_with_a_drift_uniform_in_the_published_range():
    drifts = []
    for ridge in ridges("Narrowband", 60):
        (_, drift), left = fit(ridge, 1)
        assert left < 0.5
        assert fit(ridge, 2)[1] == pytest.approx(left, abs=0.1)
        drifts.append(drift)
    widest = 0.0075 / 1024
    assert 0.9 * widest < np.abs(drifts).max() < 1.005 * widest
    assert scipy.stats.kstest(drifts, scipy.stats.uniform(-widest, 2 * widest).cdf).pvalue > 0.01


def test_narrowbanddrd_is_a_parabola_with_a_drift_rate_in_the_published_range():
    rates = []
    for ridge in ridges("Narrowbanddrd"):
        (_, _, half_rate), left = fit(ridge, 2)
        assert left < 0.5
        assert fit(ridge, 1)[1] > 3 * left
        rates.append(2 * half_rate)
    low, high = 0.01e-6 / 1024, 0.08e-6 / 1024
    assert np.abs(rates).min() > 0.9 * low
    assert np.abs(rates).max() < 1.02 * high
    assert np.abs(rates).max() > 3 * np.abs(rates).min()
    assert np.min(rates) < 0 < np.max(rates)


def test_squiggle_wanders_as_a_random_walk_does():
    steps = []
    for ridge in ridges("Squiggle"):
        walk = ridge / (2 * np.pi / COLUMNS)
        # The spread of distances grows with the number of rows; along a bent line it would with its square
        near, far = (np.var(walk[rows:] - walk[:-rows]) for rows in (8, 32))
        assert 1.5 < far / near < 10
        steps.append(np.sqrt(near / 8))
        assert fit(ridge, 2)[1] > 0.5
    # A sample's step is uniform in ±w, w from 0.0001 to 0.005: a row's has a deviation of w √(512/3)
    in_columns = np.sqrt(COLUMNS / 3) / (2 * np.pi / COLUMNS)
    assert min(steps) > 0.6 * 0.0001 * in_columns
    assert max(steps) < 1.4 * 0.005 * in_columns
    assert max(steps) > 3 * min(steps)


def test_squiggles_drift_as_narrowband_does():
    """Over the whole series the drift is wider than the walk: 1.44 rad against at most 1.28 of deviation."""
    ends = [ridge[-1] - ridge[0] for ridge in ridges("Squiggle", 60)]
    walks = np.sqrt(np.mean(np.linspace(0.0001, 0.005, 100) ** 2) / 3 * 196_608)
    drifts = 0.0075 / 1024 / np.sqrt(3) * 196_608
    assert np.std(ends) == pytest.approx(np.hypot(walks, drifts), rel=0.25)


def test_noises_have_no_ridge():
    power = np.abs(np.fft.fft(complex_series(radio_signals(["Noises"], seeds(1))).reshape(ROWS, COLUMNS)))
    jumps = np.abs(np.diff(power.argmax(-1)))
    assert np.median(jumps) > 50


def test_start_frequencies_are_uniform_over_the_band():
    places = ridges("Narrowband", 60)[:, 0] / (2 * np.pi)
    assert scipy.stats.kstest(places, "uniform").pvalue > 0.01
    assert len(set(places)) > 40


# Pictures


@all_classes
def test_picture_equals_numpy_s(label):
    signals = radio_signals([label] * 2, seeds(2), snr=(0.3, 0.5))
    for signal, picture in zip(complex_series(signals), spectrogram_pictures(signals).numpy(), strict=True):
        power = np.abs(np.fft.fftshift(np.fft.fft(signal.reshape(ROWS, COLUMNS)), axes=1)) ** 2
        expected = np.log(power.reshape(64, 6, 128, 4).mean((1, 3)))
        expected = (expected - expected.min()) / (expected.max() - expected.min())
        np.testing.assert_allclose(picture, expected, atol=1e-4)


def test_picture_has_time_down_and_frequency_rising_to_the_right():
    """A tone at +1/4 of the sample rate, in the second half only."""
    noise = np.asarray(radio_signals(["Noises"], seeds(1))).astype(np.float64)
    tone = 20 * np.exp(2j * np.pi * 0.25 * np.arange(196_608)) * (np.arange(196_608) >= 98_304)
    noise[0, :, 0] += tone.real
    noise[0, :, 1] += tone.imag
    (picture,) = spectrogram_pictures(np.clip(noise, -128, 127).astype(np.int8)).numpy()
    assert (picture[32:].argmax(1) == 96).all()
    assert picture[:32, 96].max() < picture[32:, 96].min()


def test_pictures_fill_the_range_from_0_to_1_each_on_its_own():
    labels = [*RADIO_CLASSES] * 5  # more than are simulated at a time
    pictures = radio_pictures(labels, seeds(20))
    assert pictures.shape == (20, 64, 128)
    assert pictures.dtype == np.float32
    assert (pictures.min((1, 2)) == 0).all()
    np.testing.assert_allclose(pictures.max((1, 2)), 1, atol=1e-6)
    assert pictures.max() <= 1
    for i in (0, 17):
        alone = radio_pictures([labels[i]], seeds(20)[i : i + 1])[0]
        np.testing.assert_allclose(pictures[i], alone, atol=1e-6)


def test_batches_are_the_same_signals_whatever_their_number():
    (first, labels), (second, _) = radio_batches(20, seed=3)
    assert labels == [*RADIO_CLASSES] * 4
    assert (len(first), len(second)) == (16, 4)
    ((alone, _),) = radio_batches(3, seed=3)
    np.testing.assert_allclose(alone, first[:3], atol=1e-6)
    expected = radio_pictures(labels[:3], np.array([[3, 0], [3, 1], [3, 2]]))
    np.testing.assert_allclose(alone, expected, atol=1e-6)


@pytest.mark.parametrize("snr", [(0.5, 0.1), (-0.1, 1), (0, float("inf")), (float("nan"), 1)])
def test_a_range_that_is_none(snr):
    with pytest.raises(UserError, match=r"two numbers from low to high, not negative. Received: \("):
        radio_batches(1, snr=snr)
    with pytest.raises(UserError, match=r"num must be a whole number from 1 to 10,000,000\. Received: 0"):
        radio_batches(0)


def test_noise_of_a_picture_has_the_spread_of_the_mean_of_24_powers():
    """The logarithm of a gamma variable with 24 degrees: variance is the trigamma function there."""
    labels, index = ["Noises"] * 8, np.arange(8)
    signals = radio_signals(labels, np.stack([index, index], axis=1))
    pictures = spectrogram_pictures(signals).numpy()
    power = np.abs(np.fft.fft(complex_series(signals).reshape(8, ROWS, COLUMNS))) ** 2
    cells = np.log(power.reshape(8, 64, 6, 128, 4).mean((2, 4)))
    extent = cells.max((1, 2)) - cells.min((1, 2))
    spread = pictures.std((1, 2)) * extent
    np.testing.assert_allclose(spread, np.sqrt(scipy.special.polygamma(1, 24)), rtol=0.05)
