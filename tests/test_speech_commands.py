"""The keyword experiment: its published preset against librosa, and what its options reach."""

import json

import keras
import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from tones import write_tones

from tfspec import UserError
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.run import Run
from tfspec.pipelines import SpeechCommands

CLIP = np.random.default_rng(0).normal(0, 0.1, 17640).astype(np.float32)
FRAMES = {"n_fft": 512, "hop_length": 128}


def published(**options):
    return SpeechCommands.preset("published", **options)


def features(pipeline):
    return pipeline.front_end()(CLIP[np.newaxis]).numpy()[0, ..., 0].T


def test_the_published_recipe():
    pipeline = published()
    learnt = pipeline.training(pd.DataFrame({"label": []}), ["no", "yes"])
    (phase,) = learnt.phases
    assert (phase.epochs, phase.learning_rate, phase.learning_rate_end) == (20, 1e-3, 1.0)
    assert (learnt.patience, learnt.keep) == (2, "last")
    optimizer = learnt.optimizer(1e-3)
    assert type(optimizer) is keras.optimizers.Adam and optimizer.clipnorm is None
    assert (pipeline.batch_size, pipeline.validation_batch_size) == (32, 64)
    assert (pipeline.split_by, pipeline.validation_fraction, pipeline.num_samples) == ("file", 0.2, 17640)
    assert not pipeline.augmentation().layers


def test_the_published_features_are_librosas():
    stft = np.abs(librosa.stft(CLIP, center=False, **FRAMES))
    assert stft.shape == (257, 134)
    np.testing.assert_allclose(features(published()), stft, atol=1e-4)
    mfcc = librosa.feature.mfcc(y=CLIP, sr=22050, n_mfcc=39, **FRAMES)
    np.testing.assert_allclose(features(published(features="mfcc")), mfcc, atol=5e-3)
    log_mel = librosa.power_to_db(librosa.feature.melspectrogram(y=CLIP, sr=22050, **FRAMES), top_db=80)
    np.testing.assert_allclose(features(published(features="log_mel")), log_mel, atol=5e-3)


def test_frames_and_coefficients_are_options():
    chosen = {"frame_length": 1024, "frame_step": 256, "num_mel_bins": 64}
    received = features(published(features="mfcc", num_coefficients=20, **chosen))
    expected = librosa.feature.mfcc(y=CLIP, sr=22050, n_mfcc=20, n_fft=1024, hop_length=256, n_mels=64)
    np.testing.assert_allclose(received, expected, atol=5e-3)
    received = features(published(features="stft", **chosen))
    np.testing.assert_allclose(
        received, np.abs(librosa.stft(CLIP, n_fft=1024, hop_length=256, center=False)), atol=1e-4
    )


@pytest.mark.parametrize(("preset", "is_linear"), [("published", True), ("default", False)])
def test_the_published_conv2d_has_a_linear_layer_before_the_logits(preset, is_linear):
    pipeline = SpeechCommands.preset(preset, model="conv2d", features="stft")
    backbone = pipeline.backbone((134, 257, 1), 8)
    assert backbone.count_params() == 58_088
    assert backbone.input_shape == (None, None, 257, 1)
    hidden = keras.Model(backbone.input, backbone.layers[-2].output)(np.ones((1, 134, 257, 1)))
    assert hidden.shape == (1, 32)
    assert (np.min(hidden) < 0) == is_linear


def test_networks_see_mel_pictures_from_0_to_1_and_train_their_head_first():
    pipeline = published(features="log_mel", model="mobilenet_v2", weights="none")
    picture = features(pipeline)
    assert picture.shape == (128, 138)
    assert (picture.min(), picture.max()) == (0, 1)
    assert pipeline.backbone((138, 128, 1), 8).name == "mobilenet_v2"
    assert len(pipeline.training(pd.DataFrame({"label": []}), []).phases) == 1
    head, whole = published(model="mobilenet_v2").training(pd.DataFrame({"label": []}), []).phases
    assert (head.learning_rate, whole.learning_rate, whole.epochs) == (1e-3, 1e-4, 20)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "conv2d", "num_coefficients": 17}, "conv2d needs .* at least 18 bins. Received: 17"),
        (
            {"model": "resnet50", "features": "log_mel", "num_mel_bins": 31},
            "resnet50 needs .* at least 32 bins",
        ),
        ({"features": "stft", "frame_length": 13}, "lstm needs .* at least 1 bins. Received: 0"),
        (
            {"model": "bc_resnet", "features": "log_mel"},
            r"its 5 bands. Received: 128 bins, then \[64, 32, 16\]",
        ),
        ({"model": "conv2d", "clip_seconds": 0.09}, "a clip of at least 2176 samples, 0.099 s"),
        ({"features": "stft", "clip_seconds": 0.02}, "a clip of at least 512 samples"),
    ],
)
def test_features_that_are_too_small_for_the_model(options, said):
    with pytest.raises(UserError, match=said):
        SpeechCommands.preset("recurrent", **options)


@pytest.mark.slow
def test_whole_files_are_padded_to_the_longest_of_them(tmp_path):
    data = write_tones(tmp_path / "tones", {"high": 2000, "low": 300}, speakers=3)
    soundfile.write(data / "low" / "speaker3_nohash_0.wav", np.full(9000, 0.1), 16000)
    options = {"model": "conv2d", "clip_seconds": None, "sample_rate": 16000, "epochs": 1}
    run = published(data=data, out=tmp_path / "run", **options).train(verbose=0)
    assert run.classifier.signal_shape == (9000,)
    pipeline = pipeline_of(run)
    assert pipeline.num_samples == 9000
    (signal,) = pipeline.reader()(run.split[run.split["path"] == "high/speaker0_nohash_0.wav"])
    assert signal.shape == (9000,)
    assert (signal[8000:] == signal[7999]).all()
    assert json.loads((run.folder / "config.json").read_text())["options"]["clip_seconds"] == 9000 / 16000


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        ("ds_cnn", 24_648),
        ("tc_resnet", 65_584),
        ("ds_tc_resnet", 91_835),
        ("matchboxnet", 72_437),
        ("bc_resnet", 11_516),
    ],
)
def test_small_networks_take_cepstra_of_any_number_of_frames(model, weights):
    """The published ones but for 39 coefficients, 11 taps and 8 classes; ds_tc_resnet is at half the rate."""
    backbone = SpeechCommands(model=model).backbone((138, 39, 1), 8)
    assert backbone.name == model
    assert backbone.input_shape == (None, None, 39, 1)
    assert backbone.count_params() == weights


def test_default_features_are_librosas_logarithms_and_do_not_depend_on_what_comes_later():
    """40 mel bands of frames of 30 ms every 10 ms that lie in the clip: what a stream can have."""
    pipeline = SpeechCommands()
    clip = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    found = pipeline.front_end()(clip[np.newaxis]).numpy()[0, ..., 0]
    power = librosa.feature.melspectrogram(
        y=clip, sr=16000, n_fft=512, win_length=480, hop_length=160, n_mels=40, center=False
    )
    assert found.shape == (97, 40)
    np.testing.assert_allclose(found, np.log(power.T + 1e-6) / 4 + 2, atol=1e-4)
    later = clip.copy()
    later[8000:] *= 20
    changed = pipeline.front_end()(later[np.newaxis]).numpy()[0, ..., 0]
    frames = (8000 - 512) // 160 + 1
    np.testing.assert_array_equal(changed[:frames], found[:frames])
    assert (changed[frames + 3 :] > found[frames + 3 :] + 1).all()


def test_a_run_of_an_earlier_version_keeps_what_was_the_default_then(tmp_path):
    options = {"data": "words", "epochs": 7, "augment": None}
    Run.create(tmp_path / "run", {"pipeline": "speech_commands", "options": options})
    earlier = pipeline_of(Run(tmp_path / "run"))
    assert (earlier.model, earlier.features) == ("lstm", "mfcc")
    assert (earlier.num_samples, earlier.epochs) == (17640, 7)
    changes = earlier.augmentation().signals.layers
    assert [type(layer).__name__ for layer in changes] == ["PitchShift", "TimeShift"]
    learnt = earlier.training(pd.DataFrame({"label": []}), ["no", "yes"])
    assert type(learnt.optimizer(1e-3)) is keras.optimizers.Adam
    assert learnt.phases[0].warm_up == 0
