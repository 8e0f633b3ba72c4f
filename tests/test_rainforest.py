"""The rainforest pipeline on a few made-up recordings."""

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from overlaps import small_network
from PIL import Image
from scenes import HERTZ, RATE, write_scenes
from skimage.transform import resize

from tfspec import UserError, load_model
from tfspec.data.label_targets import targets
from tfspec.experiment.members import members_of
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.splitting import checked_split, described, folds_of, usable
from tfspec.pipelines import Rainforest, rainforest

SMALL = {"sample_rate": RATE, "slice_seconds": 0.5, "weights": "none", "epochs": 1, "num_folds": 2}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Four recordings to train on, one to test; in no box of train_fp.csv is the species that it names."""
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, "train", 4)
    boxes = pd.read_csv(folder / "train_tp.csv", dtype=str)
    boxes["species_id"] = boxes["species_id"].map({"3": "10", "10": "3"})
    boxes.to_csv(folder / "train_fp.csv", index=False)
    return write_scenes(folder, "test", 1)


@pytest.fixture(scope="module")
def run(scenes, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # test_transfer.py trains the real networks
        patch.setattr(
            rainforest, "transfer", lambda _, shape, classes, *__: small_network(shape, classes, 1, "max")
        )
        folder = tmp_path_factory.mktemp("runs") / "run"
        return Rainforest(data=scenes, out=folder, negatives=True, augment=False, **SMALL).train(verbose=0)


def test_every_annotation_is_predicted_by_the_fold_that_has_not_heard_its_recording(run):
    assert len(run.predictions) == 8
    for name, member in members_of(pipeline_of(run), run.split).items():
        groups = {part: set(rows["group"]) for part, rows in member.split.groupby("part")}
        assert [len(groups[part]) for part in ("train", "validation", "test")] == [2, 2, 1]
        assert not groups["train"] & (groups["validation"] | groups["unanswered"])
        assert (run.folder / name / "best.keras").exists()
    assert run.metrics()["examples"] == 8
    assert run.metrics("test")["examples"] == 2
    assert run.classifier.class_names == ("3", "10")


def test_slices_hold_their_annotation(scenes):
    pipeline = Rainforest(data=scenes, **SMALL)
    manifest = pipeline.manifest()
    manifest = manifest[manifest["part"] != "unanswered"]
    signals = pipeline.reader()(manifest)
    assert signals.shape == (10, RATE // 2)
    loudest = np.abs(np.fft.rfft(signals)).argmax(axis=1) * 2
    assert loudest.tolist() == [HERTZ[label] for label in manifest["label"]]


@pytest.fixture
def call(rng):
    """Return ten seconds at 48 kHz: a warble that comes and goes in noise 40 dB below it."""
    seconds = np.arange(480_000) / 48_000
    warble = np.sin(2 * np.pi * 3000 * seconds + 40 * np.sin(2 * np.pi * 5 * seconds))
    return (0.3 * warble * np.sin(np.pi * seconds) ** 2 + rng.normal(0, 3e-3, 480_000)).astype(np.float32)


def mel_of(signal):
    """Return the source's mel spectrogram, (bands, frames), by librosa."""
    return librosa.feature.melspectrogram(
        y=signal, sr=48000, n_fft=2048, hop_length=512, n_mels=128, fmin=84, fmax=15056
    )


def in_0_to_1(levels):
    return (levels - levels.min()) / np.ptp(levels)


def test_features_are_mel_power_in_decibels_in_0_to_1_of_a_fixed_size(call):
    picture = Image.fromarray(in_0_to_1(librosa.power_to_db(mel_of(call))))
    expected = np.asarray(picture.resize((563, 128), Image.Resampling.BILINEAR))
    received = Rainforest(data="scenes").front_end()(call[np.newaxis])[0, ..., 0]
    np.testing.assert_allclose(received.numpy().T, expected, atol=1e-4)


def test_published_features_take_powers_for_amplitudes(call):
    """As librosa and scikit-image have it by default, whose smoothing before it shrinks reaches one pixel."""
    expected = resize(in_0_to_1(librosa.amplitude_to_db(mel_of(call))), (128, 563))
    front_end = Rainforest.preset("published", data="scenes").front_end()
    received = front_end(call[np.newaxis])[0, ..., 0].numpy().T
    np.testing.assert_allclose(received, expected, atol=0.01)
    assert np.abs(received - expected).mean() < 5e-4
    ours = Rainforest(data="scenes").front_end()(call[np.newaxis])[0, ..., 0].numpy().T
    assert np.abs(ours - expected).mean() > 0.1
    np.testing.assert_array_equal(front_end(np.zeros_like(call)[np.newaxis]), 0)  # the source divides by it


def test_all_bad_annotations_are_listed_at_once(scenes, tmp_path):
    (tmp_path / "train").symlink_to(scenes / "train")
    rows = pd.read_csv(scenes / "train_tp.csv")
    rows.loc[0, "recording_id"] = "../train0"
    rows.loc[1, "t_min"] = 99
    rows.to_csv(tmp_path / "train_tp.csv", index=False)
    with pytest.raises(UserError, match=r"2 of 8 examples cannot be used: .*train0.*; .*99") as error:
        Rainforest(data=tmp_path, out=tmp_path / "run", **SMALL).train()
    assert "--on-bad-file skip" in str(error.value)
    manifest, bad = usable(Rainforest(data=tmp_path, on_bad_file="skip", **SMALL))
    assert (len(manifest), len(bad)) == (6, 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"slice_seconds": 0}, "slice_seconds must be a number above 0, at most 3,600. Received: 0"),
        ({"sample_rate": 16000}, "sample_rate must be a whole number from 30,112 "),
        ({"head_epochs": -1}, "head_epochs must be a whole number from 0 "),
        ({"weights": "nowhere.h5"}, "no file at .*nowhere.h5"),
        ({"num_folds": 9}, "at least 9"),
    ],
)
def test_options_that_cannot_be(scenes, tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        Rainforest(data=scenes, out=tmp_path / "run", **{**SMALL, **options}).train(verbose=0)


def test_augmentation_changes_training_signals_alone_and_can_be_left_out(scenes, rng):
    signals = rng.normal(0, 0.1, (4, RATE)).astype(np.float32)
    chain = Rainforest(data=scenes, **SMALL).augmentation().signals
    assert (chain(signals, seed=[0, 1]).numpy() != signals).any(axis=1).all()
    assert not Rainforest(data=scenes, augment=False, **SMALL).augmentation().layers


def test_published_chain_applies_noise_pitch_shift_and_a_sine_of_volume_every_time():
    chain = Rainforest.preset("published", data="scenes").augmentation().signals
    noise, pitch, shift, volume = chain.layers
    assert [layer.exponent for layer in noise.layers] == [0, 1]
    assert (pitch.min_semitones, pitch.max_semitones, shift.max_shift_seconds) == (-5, 4, 4.0)
    for layer in chain.layers:
        assert layer.sample(500, [0, 1])["applied"].numpy().all()
    clip = np.ones((1, 1000), np.float32)
    drawn = volume.sample(1, [0, 2])
    curve = np.sin(2 * np.pi * np.arange(1000) / 1000)
    expected = 10 ** (drawn["gain_db"].numpy()[0] * curve / 20)
    np.testing.assert_allclose(volume.apply(clip, drawn)[0], expected, rtol=1e-5)
    assert -10 <= volume.sample(500, [0, 3])["gain_db"].numpy().min() < -9


def test_published_folds_are_stratified_over_rows_and_share_recordings(scenes):
    published = Rainforest.preset("published", data=scenes, num_folds=2, drop_remainder=False)
    _, split, _ = checked_split(published)
    for fold in folds_of(split).values():
        of_part = dict(iter(fold.groupby("part")))
        for part in ("train", "validation"):
            assert of_part[part]["label"].value_counts().to_dict() == {"3": 2, "10": 2}
        assert set(of_part["train"]["group"]) & set(of_part["validation"]["group"])
        assert "the score will be too good" in described(fold)
    assert (published.network, published.batch_size) == ("resnet50", 32)
    assert published.training(split[split["part"] == "train"], ["3", "10"]).weights is None


def test_submission_has_each_recording_s_highest_probability_by_the_mean_of_the_folds(run, scenes):
    scene, _ = soundfile.read(scenes / "test" / "test0.flac", dtype="float32")
    slices = np.stack([scene[at : at + RATE // 2] for at in range(0, len(scene) - RATE // 2 + 1, RATE // 4)])
    models = [load_model(run.folder / f"fold_{fold}" / "best.keras") for fold in (0, 1)]
    expected = np.mean([model.probabilities(slices).max(axis=0) for model in models], axis=0)
    table = pd.read_csv(run.folder / "submission.csv")
    assert table.columns.tolist() == ["recording_id", "s3", "s10"]
    assert table["recording_id"].tolist() == ["test0"]
    np.testing.assert_allclose(table[["s3", "s10"]].to_numpy()[0], expected, atol=1e-5)


def test_test_recordings_need_no_table(scenes, tmp_path):
    for name in ("train", "test", "train_tp.csv"):
        (tmp_path / name).symlink_to(scenes / name)
    _, split, _ = checked_split(Rainforest(data=tmp_path, **SMALL))
    asked = split[split["part"] == "unanswered"]
    assert asked["start"].tolist() == np.arange(0, 2.51, 0.25).tolist()
    assert set(split["part"]) == {"train", "unanswered"}


def test_negatives_train_where_their_recording_does_and_are_never_scored(run, scenes):
    pipeline = pipeline_of(run)
    for member in members_of(pipeline, run.split).values():
        train = member.part("train")
        labels = targets(train, ["3", "10"])
        assert sorted(labels) == [~1, ~1, ~0, ~0, 0, 0, 1, 1]
        assert not member.part("validation")["is_absent"].any()
        assert pipeline.training(train, ["3", "10"]).weights.tolist() == [1.0] * 8
    assert run.history[["accuracy", "val_accuracy"]].notna().all(axis=None)
    with pytest.raises(UserError, match="negatives cannot be drawn"):
        Rainforest(data=scenes, negatives=True, balance="sampling", **SMALL)


def test_negatives_of_a_species_without_any_box_are_told(scenes, tmp_path):
    for name in ("train", "train_tp.csv"):
        (tmp_path / name).symlink_to(scenes / name)
    boxes = pd.read_csv(scenes / "train_fp.csv", dtype=str)
    boxes.loc[3, "species_id"] = "7"
    boxes.to_csv(tmp_path / "train_fp.csv", index=False)
    with pytest.raises(UserError, match=r"1 of 16 .*train_tp\.csv has no box of this species"):
        Rainforest(data=tmp_path, negatives=True, **SMALL).train()


def test_rare_species_count_as_much_as_common_ones(scenes):
    rows = pd.DataFrame({"label": ["3"] * 9 + ["10"]})
    weighted, sampled, plain = (
        Rainforest(data=scenes, balance=balance, **SMALL).training(rows, ["3", "10"])
        for balance in ("weights", "sampling", "none")
    )
    assert weighted.weights[:9].sum() == pytest.approx(weighted.weights[9])
    assert sampled.weights is plain.weights is weighted.order is plain.order is None
    drawn = np.concatenate([sampled.order((0, number)) for number in range(100)])
    assert 400 < np.sum(drawn == 9) < 600


def test_other_recordings_are_scored_whole_and_cannot_be_trained_on_without_a_train_part(run, tmp_path):
    write_scenes(tmp_path / "other", "test", 2)
    assert pipeline_of(run).evaluate(run, tmp_path / "other")["examples"] == 4
    with pytest.raises(UserError, match=r"no train_tp\.csv"):
        Rainforest(data=tmp_path / "other", out=tmp_path / "run", **SMALL).train()


@pytest.mark.slow
def test_the_published_system_trains_submits_and_exports(scenes, tmp_path):
    options = {**SMALL, "batch_size": 2, "out": tmp_path / "run"}
    run = Rainforest.preset("published", data=scenes, **options).train(verbose=0)
    assert len(pd.read_csv(run.folder / "submission.csv")) == 1
    assert pipeline_of(run).export(run, "float16")["tflite"]["same_top_class"] == 1
