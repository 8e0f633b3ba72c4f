"""Filters against scipy's recursions, rooms by Schroeder's integration, faults by what they leave."""

import hypothesis
import keras
import librosa
import numpy as np
import pytest
import scipy.signal
import soundfile
import tensorflow as tf
from hypothesis import strategies as st

from tfspec import UserError
from tfspec.augment import (
    BandPass,
    Clipping,
    GainDrift,
    ImpulseResponse,
    PacketLoss,
    Polarity,
    Reverberation,
    Shelf,
)
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


def made_up_room(samples: int, direct: int, gain: float, seed: int) -> np.ndarray:
    """Make what is recorded in a room: noise that dies away behind a direct sound, and a little before."""
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, samples)
    room = gain * noise * np.exp(-np.abs(np.arange(samples) - direct) / 500)
    room[direct] = gain
    return room.astype(np.float32)


def test_measured_rooms_are_convolved_as_by_scipy_from_the_direct_sound_on(tmp_path):
    """Of either sign and any level; the direct sound comes at once, and with a gain of 1."""
    rooms = [made_up_room(3000, 700, 0.3, 0), made_up_room(2000, 0, -0.9, 1), made_up_room(5000, 10, 1e-3, 2)]
    for i, room in enumerate(rooms):
        soundfile.write(tmp_path / f"{i}.wav", room, RATE, subtype="FLOAT")
    cut = [rooms[0][700:] / 0.3, rooms[1] / -0.9, rooms[2][10:4010] / 1e-3]
    layer = ImpulseResponse(tmp_path, RATE, max_seconds=0.25)
    x = np.random.default_rng(3).standard_normal((60, 6000)).astype(np.float32)
    after = layer(x, seed=SEED).numpy()
    expected = [[scipy.signal.fftconvolve(each, room)[:6000] for room in cut] for each in x.astype(float)]
    errors = np.abs(np.array(expected) - after[:, np.newaxis]).max(2)
    assert (errors.min(1) < 1e-4).all() and (np.sort(errors)[:, 1] > 0.1).all()
    drawn = errors.argmin(1)
    assert np.bincount(drawn).min() > 10  # each of the three
    np.testing.assert_array_equal(layer(x[7:9], training=False), x[7:9])
    stereo = layer(np.stack([x, x[::-1]], 2), seed=SEED).numpy()
    np.testing.assert_allclose(stereo[..., 0], after, atol=1e-4)
    both = scipy.signal.fftconvolve(x[-1], cut[drawn[0]])[:6000]  # the other channel has the same room
    np.testing.assert_allclose(stereo[0, :, 1], both, atol=1e-4)


def test_measured_rooms_are_resampled_and_their_channels_averaged(tmp_path):
    room = np.stack([made_up_room(6000, 300, gain, seed) for seed, gain in enumerate((0.5, 0.4))], axis=1)
    soundfile.write(tmp_path / "room.flac", room, 3 * RATE, subtype="PCM_24")
    click = np.zeros((1, 2500), np.float32)
    click[0, 0] = 1
    received = ImpulseResponse(tmp_path, RATE)(click).numpy()[0]
    expected = librosa.resample(room.mean(1), orig_sr=3 * RATE, target_sr=RATE, res_type="soxr_hq")[100:]
    assert received[0] == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(received[: len(expected)], expected / expected[0], atol=1e-4)
    np.testing.assert_allclose(received[len(expected) :], 0, atol=1e-5)


def test_of_many_measured_rooms_so_many_are_kept_and_the_same_ones(tmp_path):
    for i in range(30):
        soundfile.write(tmp_path / f"{i}.wav", [0.5, 0.01 * i], RATE, subtype="FLOAT")
    echoes = [ImpulseResponse(tmp_path, RATE, max_responses=9)._responses.numpy()[:, 1] for _ in range(2)]
    np.testing.assert_array_equal(*echoes)
    assert len(np.unique(echoes[0])) == 9 and np.ptp(echoes[0]) > 0.2


def test_measured_rooms_are_read_when_a_signal_is_changed_and_once(tmp_path, monkeypatch):
    layer = ImpulseResponse(tmp_path / "rooms", RATE)
    signal = keras.Input((100,))
    model = keras.Model(signal, ImpulseResponse.from_config(layer.get_config())(signal))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = NOISE[:2, :100]
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), x)
    with pytest.raises(UserError, match=r"rooms.*no folder"):
        loaded(x, training=True)
    (tmp_path / "rooms").mkdir()
    soundfile.write(tmp_path / "rooms" / "room.wav", made_up_room(50, 5, 0.5, 0), RATE)
    # first of all inside a graph
    data = tf.data.Dataset.from_tensors(x).map(lambda x: layer(x, seed=SEED)).get_single_element()
    monkeypatch.setattr(soundfile, "SoundFile", None)
    np.testing.assert_allclose(layer(x, seed=SEED), data, atol=1e-5)


@pytest.mark.parametrize(
    "samples, message", [([0, 0], "is no impulse response: it is silent"), ([], "no samples")]
)
def test_a_recording_that_is_no_impulse_response_is_named(tmp_path, samples, message):
    soundfile.write(tmp_path / "room.wav", np.array(samples, np.float32), RATE)
    with pytest.raises(UserError, match=f"room.wav.*{message}"):
        ImpulseResponse(tmp_path, RATE)(NOISE)


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


@pytest.mark.slow
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
