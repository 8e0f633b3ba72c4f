"""Filters against scipy's recursions, rooms by Schroeder's integration, faults by what they leave."""

import hypothesis
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf
from hypothesis import strategies as st

from tfspec.augment import BandPass, Clipping, GainDrift, PacketLoss, Polarity, Reverberation, Shelf
from tfspec.dsp import filtering

RATE = 16000
SEED = [1, 2]
NOISE = np.random.default_rng(0).standard_normal((4, RATE)).astype(np.float32)


def response_db(before, after, hertz) -> np.ndarray:
    """Measure the gain of one signal at some frequencies, by the cross spectrum."""
    frequencies, cross = scipy.signal.csd(before, after, RATE, nperseg=2048)
    _, power = scipy.signal.welch(before, RATE, nperseg=2048)
    return np.interp(hertz, frequencies, 20 * np.log10(np.abs(cross / power)))


def test_a_band_is_that_of_scipy_s_recursion_to_the_sample():
    layer = BandPass(RATE, 60.0, 500.0, 2000.0, 7000.0)
    params = layer.sample(4, SEED)
    after = layer.apply(NOISE, params).numpy()
    for x, y, low, high in zip(NOISE, after, params["low_hz"], params["high_hz"], strict=True):
        sections = [
            scipy.signal.butter(2, float(low), "highpass", fs=RATE, output="sos"),
            scipy.signal.butter(2, float(high), "lowpass", fs=RATE, output="sos"),
        ]
        expected = scipy.signal.sosfilt(np.concatenate(sections), x.astype(np.float64))
        np.testing.assert_allclose(y, expected, atol=2e-4)


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("gain_db", [-12.0, 9.0])
def test_a_shelf_has_its_gain_on_its_side_and_half_of_it_at_its_frequency(kind, gain_db):
    layer = Shelf(RATE)
    x = np.random.default_rng(1).standard_normal((1, 20 * RATE)).astype(np.float32)
    params = {"gain_db": tf.constant([gain_db]), "hz": tf.constant([1500.0]), "kind": tf.constant([kind])}
    y = layer.apply(x, {"applied": [True], **params}).numpy()
    low, middle, high = response_db(x[0], y[0], [100, 1500, 7500])
    far, near = (high, low) if kind else (low, high)
    assert far == pytest.approx(gain_db, abs=0.1)
    assert near == pytest.approx(0, abs=0.1)
    assert middle == pytest.approx(gain_db / 2, abs=0.1)
    section = filtering.shelf(params["hz"], params["gain_db"], params["kind"] == 1, RATE).numpy()
    expected = scipy.signal.sosfilt(section / section[:, 3:4], x[0])
    np.testing.assert_allclose(y[0], expected, atol=2e-4)


@pytest.mark.parametrize("seconds", [0.2, 0.5, 0.9])
def test_a_room_dies_away_in_its_reverberation_time_by_schroeder_s_integration(seconds):
    layer = Reverberation(RATE, seconds, seconds, 5.0, 5.0)
    click = np.zeros((8, 2 * RATE), np.float32)
    click[:, 0] = 1
    response = layer(click, seed=SEED).numpy()
    for each in response:
        left = 10 * np.log10(np.cumsum(each[::-1] ** 2)[::-1][1:] + 1e-20)
        left -= left[0]
        fit = (left < -5) & (left > -35)  # T30
        slope = np.polyfit(np.flatnonzero(fit) / RATE, left[fit], 1)[0]
        assert -60 / slope == pytest.approx(seconds, rel=0.06)
        assert each[0] == pytest.approx(1, abs=1e-4)
        assert -10 * np.log10((each[1:] ** 2).sum()) == pytest.approx(5, abs=0.1)
    assert np.abs(np.corrcoef(response[:, 1 : RATE // 10])[0, 1:]).max() < 0.2  # rooms of their own


def test_convolution_is_that_of_numpy():
    impulse = np.random.default_rng(2).standard_normal((4, 333)).astype(np.float32)
    received = filtering.convolved(NOISE[:, :5000], impulse)
    expected = [np.convolve(x, h)[:5000] for x, h in zip(NOISE[:, :5000], impulse, strict=True)]
    np.testing.assert_allclose(received, expected, atol=1e-3)


def test_gain_drifts_along_half_cosines_between_its_points():
    layer = GainDrift(9.0, points=3)
    params = layer.sample(4, SEED)
    gain_db = 20 * np.log10(layer.apply(tf.ones([4, 401]), params).numpy())
    gains = params["gains_db"].numpy()
    np.testing.assert_allclose(gain_db[:, [0, 200, 400]], gains, atol=1e-3)
    np.testing.assert_allclose(gain_db[:, 100], (gains[:, 0] + gains[:, 1]) / 2, atol=1e-3)
    assert np.abs(gains).max() <= 9 and np.abs(np.diff(gain_db)).max() < 18 * np.pi / 400


def test_clipping_leaves_a_share_of_each_signal_s_own_peak():
    layer = Clipping(0.3, 0.8)
    params = layer.sample(4, SEED)
    x = NOISE * np.array([[0.1], [1], [10], [0]], np.float32)
    y = layer.apply(x, params).numpy()
    limit = np.abs(x).max(1) * params["share"].numpy()
    np.testing.assert_allclose(np.abs(y).max(1), limit, rtol=1e-6)
    np.testing.assert_allclose(y, np.clip(x, -limit[:, None], limit[:, None]), rtol=1e-6)


@pytest.mark.parametrize("fill", ["zeros", "repeat"])
def test_packets_are_lost_whole_and_filled(fill):
    layer = PacketLoss(160, 0.3, 0.3, fill)
    packets = np.arange(1, 101, dtype=np.float32)
    x = np.tile(np.repeat(packets, 160), (40, 1))[:, :-7]
    heard = layer(x, seed=SEED).numpy()
    first = heard[:, ::160]
    np.testing.assert_array_equal(heard, np.repeat(first, 160, axis=1)[:, :-7])  # whole packets
    lost = first != packets
    assert lost.mean() == pytest.approx(0.3, abs=0.03)
    assert len({*map(bytes, lost)}) == 40  # each signal its own
    if fill == "zeros":
        assert (first[lost] == 0).all()
    else:
        came = np.where(lost, 0, packets)
        np.testing.assert_array_equal(first, np.maximum.accumulate(came, axis=1))


def test_polarity_turns_half_of_the_signals():
    x = np.ones((400, 3), np.float32)
    turned = Polarity()(x, seed=SEED).numpy()[:, 0]
    assert {*turned} == {-1, 1} and abs(turned.mean()) < 0.15


@hypothesis.given(
    st.sampled_from([BandPass, Shelf, Reverberation, GainDrift, Clipping, PacketLoss]),
    st.integers(0, 3),
    st.integers(1, 700),
    st.sampled_from([None, 1, 2]),
)
@hypothesis.settings(max_examples=25, deadline=None)
def test_any_shape_and_silence_stay_finite(kind, batch, samples, channels):
    layer = kind() if kind in (GainDrift, Clipping) else kind(160 if kind is PacketLoss else RATE)
    shape = (batch, samples) if channels is None else (batch, samples, channels)
    silence = layer(np.zeros(shape, np.float32), seed=SEED).numpy()
    assert silence.shape == shape and (silence == 0).all()
    assert np.isfinite(layer(np.ones(shape, np.float32), seed=SEED)).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: BandPass(8000, 50, 100, 200, 4000),
        lambda: BandPass(8000, 200, 100),
        lambda: Shelf(8000, min_hz=0),
        lambda: Reverberation(8000, 0, 1),
        lambda: GainDrift(points=1),
        lambda: Clipping(0.5, 1.5),
        lambda: PacketLoss(0),
        lambda: PacketLoss(160, fill="noise"),
    ],
)
def test_what_cannot_be_is_refused(make):
    with pytest.raises(ValueError, match="Received"):
        make()
