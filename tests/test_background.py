import keras
import librosa
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from test_waveform import LEVELS

import tfspec.augment.background
from tfspec import UserError
from tfspec.augment import BackgroundNoise, Compose

RATE = 8000
SEED = tf.constant([2, 7])


def record(path, samples, rate=RATE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **options)


@pytest.fixture
def folder(tmp_path, rng):
    """Return a folder of three recordings, of tones that tell place and recording by their amplitude."""
    for i, samples in enumerate((9000, 12_000, 30_000)):
        ramp = np.arange(samples) / 100_000 + 0.3 * i + 0.01
        record(tmp_path / "noise" / f"{i}" / "ramp.wav", ramp, subtype="FLOAT")
    return tmp_path / "noise"


def recording_and_place(noise: np.ndarray) -> tuple[int, int]:
    """Read off a ramp from which recording it is and from where; the level is found from its slope."""
    ramp = noise * 1e-5 / np.diff(noise).mean()
    recording = int((ramp[0] - 0.005) // 0.3)
    return recording, round((ramp[0] - 0.3 * recording - 0.01) * 100_000)


def test_every_signal_gets_a_part_of_a_recording(folder):
    x = tf.ones([300, 8000])
    added = (BackgroundNoise(folder, RATE)(x, seed=SEED) - 1).numpy().astype(np.float64)
    # a part is one straight line, from the place that was drawn
    slopes = np.diff(added[:, ::100])
    np.testing.assert_allclose(slopes, np.mean(slopes, axis=1, keepdims=True) * np.ones(79), rtol=0.05)
    found = np.array([recording_and_place(noise) for noise in added])
    assert set(found[:, 0]) == {0, 1, 2}
    for i, length in enumerate((9000, 12_000, 30_000)):
        places = found[found[:, 0] == i, 1]
        assert len(places) > 60
        assert places.min() >= -20
        assert places.max() <= length - 8000 + 20
        assert np.ptp(places) > 0.8 * (length - 8000)


@pytest.mark.parametrize("measure", LEVELS)
def test_signal_to_noise_ratio_is_what_was_drawn(measure, folder, rng):
    layer = BackgroundNoise(folder, RATE, -5.0, 30.0, measure)
    for shape in ((10, 4000), (10, 4000, 2)):
        x = rng.uniform(-1, 1, shape).astype(np.float32)
        added = layer(x, seed=SEED).numpy() - x
        ratios = [LEVELS[measure](s) / LEVELS[measure](n) for s, n in zip(x, added, strict=True)]
        np.testing.assert_allclose(20 * np.log10(ratios), layer.sample(10, SEED)["snr_db"], atol=0.1)


def test_a_recording_shorter_than_the_signal_is_repeated(tmp_path, rng):
    cycle = rng.uniform(-1, 1, 700)
    record(tmp_path / "cycle.wav", cycle, subtype="FLOAT")
    added = (BackgroundNoise(tmp_path, RATE, 20, 20)(tf.ones([1, 3000]), seed=SEED) - 1).numpy()[0]
    np.testing.assert_allclose(added[700:], added[:-700], atol=1e-6)
    start = np.argmax([np.dot(np.roll(cycle, -i), added[:700]) for i in range(700)])
    assert np.corrcoef(np.roll(cycle, -start), added[:700])[0, 1] > 0.99999


def test_recordings_are_averaged_over_channels_and_resampled(tmp_path, rng):
    stereo = rng.uniform(-0.5, 0.5, (16_000, 2))
    record(tmp_path / "stereo.flac", stereo, 16_000)
    layer = BackgroundNoise(tmp_path, RATE)
    expected = librosa.resample(stereo.mean(1), orig_sr=16_000, target_sr=RATE, res_type="soxr_hq")
    np.testing.assert_allclose(layer._recordings[0], expected, atol=1e-4)


def test_of_a_large_folder_no_more_is_kept_than_asked(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(tfspec.augment.background, "LEAST_SHARE_SECONDS", 1.0)
    for i in range(20):
        record(tmp_path / f"{i}.wav", rng.uniform(-1, 1, 5 * RATE))
    few, many = (BackgroundNoise(tmp_path, RATE, max_seconds=s)._recordings for s in (10.5, 40))
    assert len(few[0]) == 10.5 * RATE
    assert few[2].numpy().tolist() == [RATE] * 10 + [RATE // 2]
    assert many[2].numpy().tolist() == [2 * RATE] * 20
    assert len(np.unique(many[0].numpy().reshape(20, -1)[:, 0])) > 10


def test_silent_recordings_change_nothing(tmp_path):
    record(tmp_path / "silent.wav", np.zeros(5000))
    np.testing.assert_array_equal(BackgroundNoise(tmp_path, RATE)(tf.ones([2, 300])), np.ones((2, 300)))


def test_nothing_is_read_before_a_signal_is_changed(tmp_path):
    layer = BackgroundNoise(tmp_path / "missing", RATE)
    again = BackgroundNoise.from_config(layer.get_config())
    signal = keras.Input((100,))
    model = keras.Model(signal, Compose([again])(signal))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = np.ones((2, 100), np.float32)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), x)
    assert layer.sample(3, SEED)["snr_db"].shape == (3,)
    with pytest.raises(UserError, match="missing"):
        loaded(x, training=True)


def test_recordings_are_decoded_once(folder, monkeypatch):
    layer, x = BackgroundNoise(folder, RATE), tf.ones([2, 100])
    graph = tf.function(lambda x: layer(x, seed=SEED))
    first = graph(x)
    monkeypatch.setattr(soundfile, "SoundFile", None)
    np.testing.assert_allclose(layer(x, seed=SEED), first, rtol=1e-6)
    data = tf.data.Dataset.from_tensors(x).map(lambda x: layer(x, seed=SEED))
    np.testing.assert_allclose(data.get_single_element(), first, rtol=1e-6)


@pytest.mark.parametrize("content", ["missing", "a file", "empty", "no audio", "broken", "no samples", "nan"])
def test_folders_that_cannot_be_used_are_refused(content, tmp_path):
    folder = tmp_path / "noise"
    if content == "a file":
        folder.touch()
    elif content != "missing":
        folder.mkdir()
    if content == "no audio":
        (folder / "readme.txt").write_text("no audio")
    elif content == "broken":
        (folder / "a.wav").write_bytes(b"RIFF no audio")
    elif content in ("no samples", "nan"):
        record(folder / "a.wav", np.full(100 * (content == "nan"), np.nan), subtype="FLOAT")
    message = {
        "missing": "must be a folder of recordings. Received: folder='.*noise'",
        "a file": "must be a folder of recordings. Received: folder='.*noise'",
        "empty": "must hold recordings. Received: folder='.*noise', which holds no recordings",
        "no audio": "must hold recordings. Received: folder='.*noise', which holds no recordings",
        "broken": "a.wav cannot be decoded: ",
        "no samples": "a.wav has no samples",
        "nan": "a.wav has .*NaN",
    }[content]
    layer = BackgroundNoise(folder, RATE)
    with pytest.raises(UserError, match=message):
        layer(tf.ones([1, 100]))
    with pytest.raises(Exception, match=message):  # AutoGraph's own, around the message
        tf.data.Dataset.from_tensors(tf.ones([1, 100])).map(lambda x: layer(x, seed=[0, 1]))
