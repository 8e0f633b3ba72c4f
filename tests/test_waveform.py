import librosa
import numpy as np
import pytest
import tensorflow as tf
from agreement import assert_same
from families import others_slow
from test_noise import octave_slope

from tfspec.augment import ColoredNoise, Gain, GaussianNoise, PinkNoise, PitchShift, TimeShift, VolumeControl

LEVELS = {"peak": lambda x: np.abs(x).max(), "rms": lambda x: np.sqrt(np.mean(x**2))}
SEED = tf.constant([1, 6])


@pytest.fixture
def signals(rng):
    """Return (12, 6000) of noise and tones, as loud as speech or as little as its background."""
    tones = np.sin(np.arange(6000) * rng.uniform(0.01, 2, (12, 1)))
    levels = 10 ** (rng.uniform(-60, 0, (12, 1)) / 20)
    return tf.constant(levels * (tones + 0.1 * rng.standard_normal((12, 6000))), tf.float32)


def applied_to(layer, x, **params):
    """Apply with the parameters given instead of drawn ones."""
    params = {name: tf.constant(values) for name, values in params.items()}
    return layer.apply(tf.constant(x), {"applied": tf.ones(len(x), tf.bool), **params})


# ---------------------------------------------------------------- noise


@pytest.mark.parametrize("measure", LEVELS)
@pytest.mark.parametrize("make", [GaussianNoise, PinkNoise, lambda *args: ColoredNoise(2.0, *args)])
def test_signal_to_noise_ratio_is_what_was_drawn(make, measure, signals):
    layer = make(-5.0, 35.0, measure)
    snr_db = layer.sample(12, SEED)["snr_db"]
    assert np.ptp(snr_db) > 20
    for x in (signals, tf.stack([signals, tf.reverse(0.1 * signals, [0])], axis=-1)):
        added = layer(x, seed=SEED) - x
        ratios = [
            LEVELS[measure](s) / LEVELS[measure](n) for s, n in zip(x.numpy(), added.numpy(), strict=True)
        ]
        np.testing.assert_allclose(20 * np.log10(ratios), snr_db, atol=0.1)


@pytest.mark.parametrize(
    ("layer", "slope"),
    [
        (PinkNoise(0.0, 0.0), -3.01),
        pytest.param(GaussianNoise(0.0, 0.0), 0.0, marks=pytest.mark.slow),
        pytest.param(ColoredNoise(-2), 6.02, marks=pytest.mark.slow),
    ],
)
def test_what_a_layer_adds_has_its_colour(layer, slope):
    added = layer(tf.ones([12, 480_000]), seed=SEED) - 1
    assert octave_slope(added.numpy()) == pytest.approx(slope, abs=0.15)


@pytest.mark.parametrize("layer", [GaussianNoise(), PinkNoise()])
def test_every_channel_and_every_signal_gets_noise_of_its_own(layer):
    added = layer(tf.ones([3, 20_000, 2]), seed=SEED) - 1
    series = np.diff(np.transpose(added, [0, 2, 1]).reshape(6, -1))
    assert abs(np.corrcoef(series) - np.eye(6)).max() < 0.05


# ---------------------------------------------------------------- time and pitch


@pytest.mark.parametrize("wrap", [True, False])
def test_shift_is_exact_to_the_sample(wrap, rng):
    x = rng.standard_normal((8, 1000, 2)).astype(np.float32)
    shift = [0, 1, -1, 17, -400, 999, -999, 400]
    expected = np.stack([np.roll(signal, n, axis=0) for signal, n in zip(x, shift, strict=True)])
    if not wrap:
        for signal, n in zip(expected, shift, strict=True):
            signal[:n] = 0 if n > 0 else signal[:n]
            signal[n:] = 0 if n < 0 else signal[n:]
    layer = TimeShift(1.0, 1000, wrap)
    np.testing.assert_array_equal(applied_to(layer, x, shift=shift), expected)
    np.testing.assert_array_equal(applied_to(layer, x[..., 0], shift=shift), expected[..., 0])


def test_shift_is_drawn_in_seconds():
    shift = TimeShift(4.0, 48_000).sample(2000, SEED)["shift"].numpy()
    assert 3.99 * 48_000 < shift.max() <= 4 * 48_000
    assert -4 * 48_000 <= shift.min() < -3.99 * 48_000


def test_pitch_moves_by_what_was_drawn():
    time = np.arange(24_000) / 48_000
    x = np.stack([np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 1234 * time)], -1).astype(np.float32)
    semitones = np.arange(-5, 5)
    shifted = applied_to(PitchShift(), np.repeat(x[np.newaxis], 10, axis=0), semitones=semitones).numpy()
    for signal, n in zip(shifted, semitones, strict=True):
        for channel, hertz in enumerate((440, 1234)):
            spectrum = np.abs(np.fft.rfft(signal[4000:20_000, channel] * np.hanning(16_000), 2**18))
            received = np.argmax(spectrum) * 48_000 / 2**18
            assert abs(12 * np.log2(received / hertz) - n) < 0.02
    np.testing.assert_array_equal(shifted[5], x)


def test_pitch_of_signals_that_were_not_chosen_is_untouched(signals):
    layer = PitchShift(3, 3, probability=0.5)
    applied = layer.sample(12, SEED)["applied"].numpy()
    assert 0 < applied.sum() < 12
    same = (layer(signals, seed=SEED).numpy() == signals.numpy()).all(1)
    np.testing.assert_array_equal(same, ~applied)


# ---------------------------------------------------------------- volume


def test_gain_is_in_decibels(signals):
    gain_db = np.linspace(-20, 20, 12).astype(np.float32)
    received = applied_to(Gain(), signals, gain_db=gain_db)
    np.testing.assert_allclose(received, librosa.db_to_amplitude(gain_db)[:, np.newaxis] * signals, rtol=1e-5)


@pytest.mark.parametrize("channels", [(), (2,)])
@pytest.mark.parametrize("samples", others_slow([2, 3, 999, 480_000], 2, 3, 999))
def test_volume_follows_the_curve(samples, channels):
    n = np.arange(samples)
    curves = {
        "constant": np.ones(samples),
        "fade": np.linspace(1, 0, samples),
        "cosine": np.cos(2 * np.pi * n / samples),
        "sine": np.sin(2 * np.pi * n / samples),
    }
    expected = np.stack([10 ** (-7.5 * curve / 20) for curve in curves.values()])
    x = np.full((4, samples, *channels), 0.5, np.float32)
    layer = VolumeControl(-7.5, -7.5)
    received = applied_to(layer, x, gain_db=[-7.5] * 4, curve=[0, 1, 2, 3])
    assert_same(received, 0.5 * expected.reshape(4, samples, *[1] * len(channels)) * np.ones(channels), 2e-6)
    for i, name in enumerate(curves):
        alone = VolumeControl(-7.5, -7.5, [name])(x[:1], seed=SEED)
        assert_same(alone[0], received[i], 1e-6)
