"""The rainforest pipeline on a few made-up recordings."""

import numpy as np
import pandas as pd
import pytest
from scenes import HERTZ, RATE, write_scenes

from tfspec import UserError
from tfspec.experiment.members import members_of
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.splitting import usable
from tfspec.models import conv2d
from tfspec.pipelines import Rainforest, rainforest

SMALL = {"sample_rate": RATE, "slice_seconds": 0.5, "weights": "none", "epochs": 1, "num_folds": 2}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, "train", 4)
    return write_scenes(folder, "test", 1)


@pytest.fixture(scope="module")
def run(scenes, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # test_transfer.py trains the real networks
        patch.setattr(rainforest, "transfer", lambda _, shape, classes, *__: conv2d(shape, classes))
        folder = tmp_path_factory.mktemp("runs") / "run"
        return Rainforest(data=scenes, out=folder, **SMALL).train(verbose=0)


def test_every_annotation_is_predicted_by_the_fold_that_has_not_heard_its_recording(run):
    assert len(run.predictions) == 8
    for name, member in members_of(pipeline_of(run), run.split).items():
        assert member.split.groupby("part")["group"].nunique().to_dict() == {
            "test": 1,
            "train": 2,
            "validation": 2,
        }
        assert (run.folder / name / "best.keras").exists()
    assert run.metrics()["examples"] == 8
    assert run.metrics("test")["examples"] == 2
    assert run.classifier.class_names == ("3", "10")


def test_slices_hold_their_annotation(scenes):
    pipeline = Rainforest(data=scenes, **SMALL)
    manifest = pipeline.manifest()
    signals = pipeline.reader()(manifest)
    assert signals.shape == (10, RATE // 2)
    loudest = np.abs(np.fft.rfft(signals)).argmax(axis=1) * 2
    assert loudest.tolist() == [HERTZ[label] for label in manifest["label"]]


def test_features_are_the_published_ones(scenes, rng):
    """Mel power to decibels, to 0…1, to 563 × 128, by librosa and Pillow."""
    librosa, image = pytest.importorskip("librosa"), pytest.importorskip("PIL.Image")
    signal = rng.normal(0, 0.1, 480000).astype(np.float32)
    mel = librosa.feature.melspectrogram(
        y=signal, sr=48000, n_fft=2048, hop_length=512, n_mels=128, fmin=84, fmax=15056
    )
    levels = librosa.power_to_db(mel)
    picture = image.fromarray((levels - levels.min()) / np.ptp(levels))
    expected = np.asarray(picture.resize((563, 128), image.Resampling.BILINEAR))
    received = Rainforest(data=scenes).front_end()(signal[np.newaxis])[0, ..., 0]
    np.testing.assert_allclose(received.numpy().T, expected, atol=1e-4)


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
