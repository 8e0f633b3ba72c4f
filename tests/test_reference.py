"""The layers against their NumPy counterparts, on librosa and colorednoise, with the same parameters."""

import inspect
import itertools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from families import others_slow
from test_noise import octave_slope

from tfspec import augment
from tfspec.augment import reference
from tfspec.frontends import reference as features
from tfspec.pipelines import Rainforest, SpeechCommands

RATE = 16_000
NAMES = [
    "Gain",
    "ColoredNoise",
    "GaussianNoise",
    "PinkNoise",
    "PitchShift",
    "TimeShift",
    "VolumeControl",
    "Compose",
    "OneOf",
]


@pytest.fixture
def clip(rng):
    """Return two seconds of a tone in noise, not of full scale."""
    return (0.2 * np.sin(np.arange(2 * RATE)) + 0.05 * rng.standard_normal(2 * RATE)).astype(np.float32)


def by_layer(layer, clip, **params):
    params = {name: tf.constant([value]) for name, value in params.items()}
    return layer.apply(tf.constant(clip[np.newaxis]), {"applied": tf.constant([True]), **params})[0].numpy()


@pytest.mark.parametrize("name", NAMES)
def test_names_and_parameters_are_those_of_the_layers(name):
    signatures = [inspect.signature(getattr(module, name)).parameters for module in (augment, reference)]
    layer, transform = ({n: p.default for n, p in signature.items()} for signature in signatures)
    for own in ("seed", "kwargs", "sample_rate", "frame_length", "layers", "transforms"):
        layer.pop(own, None), transform.pop(own, None)
    assert layer == transform


@pytest.mark.parametrize("wrap", [True, False])
@pytest.mark.parametrize("shift", [0, 1, -1, 700, -12_345])
def test_shift(shift, wrap, clip):
    expected = reference.TimeShift(1.0, wrap).apply(clip, RATE, {"shift_seconds": shift / RATE})
    np.testing.assert_array_equal(by_layer(augment.TimeShift(1.0, RATE, wrap), clip, shift=shift), expected)


@pytest.mark.parametrize("curve", reference.CURVES)
@pytest.mark.parametrize("gain_db", [-10.0, 0.5, 9.0])
def test_volume(curve, gain_db, clip):
    number = augment.waveform.CURVES.index(curve)
    received = by_layer(augment.VolumeControl(), clip, gain_db=gain_db, curve=number)
    expected = reference.VolumeControl().apply(clip, RATE, {"gain_db": gain_db, "curve": curve})
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-7)


NOISES = list(itertools.product(["GaussianNoise", "PinkNoise"], reference.LEVELS))


@pytest.mark.parametrize(("name", "measure"), others_slow(NOISES, ("PinkNoise", "rms")))
def test_noise(name, measure, clip):
    options = {"min_snr_db": 7.0, "max_snr_db": 7.0, "measure": measure}
    received = np.stack(
        [getattr(augment, name)(**options)(clip[np.newaxis], seed=[i, 0])[0] for i in range(60)]
    )
    transform = getattr(reference, name)(**options, seed=0)
    expected = np.stack([transform(clip, RATE) for _ in range(60)])
    ours, theirs = received - clip, expected - clip
    levels = [reference.LEVELS[measure](noise) for noise in (*ours, *theirs)]
    np.testing.assert_allclose(levels, reference.LEVELS[measure](clip) / 10 ** (7 / 20), rtol=0.01)
    slopes = [octave_slope(noise, 150, 10_000) for noise in (ours, theirs)]
    assert slopes[0] == pytest.approx(slopes[1], abs=0.1)
    crests = [np.abs(noise).max(1) / noise.std(1) for noise in (ours, theirs)]
    assert scipy.stats.ks_2samp(*crests).pvalue > 0.01


@pytest.mark.parametrize("semitones", [-5, 2, 4])
def test_pitch(semitones):
    clip = np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE).astype(np.float32)
    both = [
        by_layer(augment.PitchShift(frame_length=1024), clip, semitones=semitones),
        reference.PitchShift().apply(clip, RATE, {"semitones": semitones}),
    ]
    spectra = [np.abs(np.fft.rfft(shifted[4000:-4000] * np.hanning(2.5 * RATE), 2**18)) for shifted in both]
    peaks = [np.argmax(spectrum) * RATE / 2**18 for spectrum in spectra]
    np.testing.assert_allclose(peaks, 440 * 2 ** (semitones / 12), rtol=1e-3)


def test_silence_stays_silent():
    for name in ("GaussianNoise", "PinkNoise"):
        np.testing.assert_array_equal(getattr(reference, name)()(np.zeros(100), RATE), np.zeros(100))


@pytest.mark.parametrize("name", ["GaussianNoise", "PitchShift", "VolumeControl"])
def test_the_same_seed_gives_the_same_sequence(name, clip):
    make = getattr(reference, name)
    for seed in (3, np.random.SeedSequence(3)):
        one, other = make(seed=3), make(seed=np.random.default_rng(seed))
        first = one(clip, RATE)
        np.testing.assert_array_equal(first, other(clip, RATE))
        second = one(clip, RATE)
        np.testing.assert_array_equal(second, other(clip, RATE))
        assert (first != second).any()
        assert first.dtype == np.float32


def test_compose_and_one_of_take_any_transform_of_samples_and_rate(clip):
    """Such as audiomentations'."""

    def doubled(samples, sample_rate):
        assert sample_rate == RATE
        return 2 * samples

    twice = reference.Compose([doubled, reference.Gain(0, 0), doubled])
    np.testing.assert_allclose(twice(clip, RATE), 4 * clip, rtol=1e-6)
    one_of = reference.OneOf([doubled, twice], weights=[1, 3], seed=0)
    factors = [round(float(np.max(one_of(clip, RATE)) / np.max(clip))) for _ in range(400)]
    assert scipy.stats.binomtest(factors.count(4), 400, 0.75).pvalue > 0.01
    rarely = reference.Compose([doubled], probability=0.2, seed=0)
    changed = sum((rarely(clip, RATE) != clip).any() for _ in range(400))
    assert scipy.stats.binomtest(changed, 400, 0.2).pvalue > 0.01


def test_draws_are_within_their_ends():
    shifts = [reference.TimeShift(4.0, seed=i).draw()["shift_seconds"] for i in range(2000)]
    semitones = [reference.PitchShift(seed=i).draw()["semitones"] for i in range(2000)]
    assert scipy.stats.kstest(shifts, scipy.stats.uniform(-4, 8).cdf).pvalue > 0.01
    assert scipy.stats.chisquare(np.bincount(np.add(semitones, 5), minlength=10)).pvalue > 0.01


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"`probability` must be from 0 to 1. Received: probability=2"):
        reference.Gain(probability=2)
    with pytest.raises(ValueError, match="`curves` must be one of"):
        reference.VolumeControl(curves=["tangent"])
    with pytest.raises(ValueError, match=r"one signal, \(samples,\). Received: shape \(2, 5\)"):
        reference.Gain()(np.zeros((2, 5)), RATE)


@pytest.mark.parametrize(
    ("feature", "preset", "options"),
    [
        (features.stft, SpeechCommands, {"features": "stft"}),
        (features.mfcc, SpeechCommands, {"features": "mfcc"}),
        (features.mel_picture, Rainforest, {"sample_rate": 32_000}),
    ],
)
def test_features_are_those_of_the_published_front_ends(feature, preset, options, clip):
    pipeline = preset.preset("published", data="data", **options)
    signal = np.tile(clip, 10)  # as long as a slice of rainforest's
    received = feature(signal, pipeline.sample_rate)
    assert received.dtype == np.float32
    expected = pipeline.front_end()(signal[np.newaxis])[0]
    np.testing.assert_allclose(received, expected, atol=0.01, rtol=1e-3)


def test_the_picture_of_silence_is_zeros():
    np.testing.assert_array_equal(features.mel_picture(np.zeros(48_000), 48_000), np.zeros((563, 128, 1)))
