"""The overlapped-speech pipeline on a few mixtures of tones."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from forked import run_code
from overlaps import HERTZ, small_network, write_overlaps
from scipy.special import rel_entr
from scipy.stats import entropy

from tfspec import UserError
from tfspec.cli.summaries import print_run
from tfspec.experiment.evaluate import _found
from tfspec.experiment.members import members_of
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.run import Run
from tfspec.experiment.splitting import checked_split
from tfspec.export import TFLiteClassifier, export
from tfspec.inference.loading import load_keras
from tfspec.models import Classifier, ensemble, mac
from tfspec.pipelines import OverlappedSpeech, overlapped_speech
from tfspec.training import Progress

SMALL = {"epochs": 2, "batch_size": 4, "width": 1, "validation_fraction": 0.25}
NAMES = list(HERTZ)
MEMBERS = ["average", "max"]


@pytest.fixture(scope="module")
def overlaps(tmp_path_factory):
    return write_overlaps(tmp_path_factory.mktemp("data") / "overlaps", train=12, test=5)


@pytest.fixture(scope="module", autouse=True)
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlapped_speech, "mac", small_network)
        yield


@pytest.fixture(scope="module")
def run(overlaps, tmp_path_factory):
    return OverlappedSpeech(data=overlaps, out=tmp_path_factory.mktemp("runs") / "run", **SMALL).train(
        verbose=0
    )


def test_a_network_with_each_pooling_is_trained_from_its_own_seed(run):
    assert list(members_of(pipeline_of(run), run.split)) == MEMBERS
    assert [member.seed for member in members_of(pipeline_of(run), run.split).values()] == [0, 1]
    assert run.split["part"].value_counts().to_dict() == {"train": 9, "validation": 3, "test": 5}
    poolings = [
        {layer.name.split("_")[0] for layer in load_keras(run.folder / name / "best.keras").backbone.layers}
        for name in MEMBERS
    ]
    assert poolings[0] ^ poolings[1] == {"average", "max"}


@pytest.mark.parametrize("part", ["validation", "test"])
def test_scores_are_those_of_the_predictions(run, part):
    table = pd.read_csv(run.evaluation_folder(part=part) / "predictions.csv")
    shares = table[[f"true_{name}" for name in NAMES]].to_numpy()
    probabilities = table[[f"p_{name}" for name in NAMES]].to_numpy()
    scores = run.metrics(part)
    assert scores["kl"] == pytest.approx(rel_entr(shares, probabilities).sum(1).mean(), rel=1e-4)
    assert scores["kl_uniform"] == pytest.approx(np.log(3) - entropy(shares, axis=1).mean(), rel=1e-4)
    prior = run.split.loc[run.split["part"] == "train", NAMES].to_numpy().mean(0)
    assert scores["kl_prior"] == pytest.approx(rel_entr(shares, prior).sum(1).mean(), rel=1e-4)
    assert scores["accuracy"] == (shares.argmax(1) == probabilities.argmax(1)).mean()
    assert table["label"].tolist() == np.take(NAMES, shares.argmax(1)).tolist()
    expected = run.split[run.split["part"] == part]
    assert table["file"].tolist() == expected["path"].tolist()
    np.testing.assert_allclose(shares, expected[NAMES])
    assert list(scores["members"]) == list(scores["weighted"]["weights"]) == MEMBERS
    for name in ("confusion_matrix", "calibration", "history", "examples"):
        assert (run.evaluation_folder(part=part) / "figures" / f"{name}.png").exists()


def test_what_was_fitted_to_the_validation_part_is_used_for_the_test_part(run):
    validation, test = run.metrics(), run.metrics("test")
    assert test["tempered"]["temperature"] == validation["tempered"]["temperature"]
    assert test["weighted"]["weights"] == validation["weighted"]["weights"]
    assert validation["tempered"]["kl"] <= validation["kl"]
    assert validation["weighted"]["kl"] <= min(
        validation["kl"], *(scores["kl"] for scores in validation["members"].values())
    )
    assert test["weighted"]["kl"] != validation["weighted"]["kl"]


def test_examples_of_several_classes_at_once_are_not_scored_as_shares(run):
    several = run.part("test").assign(**dict.fromkeys(NAMES, 1.0))
    with pytest.raises(UserError, match="one class an example, and of these examples several hold"):
        _found(pipeline_of(run), run, [(MEMBERS, several)], several, None)


def test_the_submission_is_filled_in_by_the_mean_of_all_models(run, overlaps):
    asked = pd.read_csv(overlaps / "submission.csv")
    final = pd.read_csv(run.folder / "PredictionFinal.csv")
    assert (run.folder / "PredictionFinal.csv").read_text().splitlines()[0] == "id,low,middle,high"
    assert final["id"].tolist() == asked["id"].tolist() == [f"test_{i}" for i in (4, 3, 2, 1, 0)]
    parts = [pd.read_csv(run.folder / "SubResult" / f"{name}.csv")[NAMES] for name in ("Avg1", "Max1")]
    assert not np.allclose(*parts)
    np.testing.assert_allclose(final[NAMES], np.mean(parts, axis=0), atol=1e-6)
    np.testing.assert_allclose(final[NAMES].sum(axis=1), 1, atol=1e-5)
    files = [overlaps / "test" / f"{name}.wav" for name in asked["id"]]
    np.testing.assert_allclose(final[NAMES], run.predict(files)[[f"p_{name}" for name in NAMES]], atol=1e-5)


def test_a_submission_that_asks_for_what_is_lost_is_refused_before_training(overlaps, tmp_path):
    data = tmp_path / "overlaps"
    shutil.copytree(overlaps, data)
    (data / "test" / "test_3.wav").unlink()
    with pytest.raises(UserError, match=r"asks for 1 recording that cannot be used: 'test_3'\. Mend"):
        checked_split(OverlappedSpeech(data=data, on_bad_file="skip"))


@pytest.mark.slow
def test_a_submission_without_answers_is_filled_in_and_not_scored(tmp_path):
    data = write_overlaps(tmp_path / "overlaps", train=8, test=3, answered=False)
    options = {**SMALL, "epochs": 1, "poolings": ["max"], "augment": []}
    run = OverlappedSpeech(data=data, out=tmp_path / "run", **options).train(verbose=0)
    assert not run.has_test_part
    assert run.metrics()["examples"] == 2
    assert (run.split["part"] == "unanswered").sum() == 3
    assert len(pd.read_csv(run.folder / "PredictionFinal.csv")) == 3
    assert [path.name for path in (run.folder / "SubResult").iterdir()] == ["Max1.csv"]
    assert pipeline_of(run).evaluate(run, data)["examples"] == 8


@pytest.fixture(scope="module")
def published(overlaps, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "published"
    smaller = {"epochs": 1, "batch_size": 5, "width": 1, "num_members": 1, "precision": "float32"}
    return OverlappedSpeech.preset("published", data=overlaps, out=out, **smaller).train(verbose=0)


def test_the_published_ensemble(overlaps):
    pipeline = OverlappedSpeech.preset("published", data=overlaps)
    assert (pipeline.width, pipeline.num_members, pipeline.poolings) == (24, 8, ("average", "max"))
    assert (pipeline.batch_size, pipeline.precision) == (128, "mixed_float16")
    recipe = pipeline.training(pipeline.manifest(), NAMES)
    (phase,) = recipe.phases
    assert (phase.epochs, phase.learning_rate, phase.learning_rate_end) == (200, 0.2, 1 / 40)
    assert (recipe.keep, recipe.drop_remainder) == ("last", True)
    optimizer = recipe.optimizer(0.2)
    assert (optimizer.momentum, pipeline.weight_decay) == (0.9, 1e-4)
    assert len(members_of(pipeline, checked_split(replace(pipeline, batch_size=12))[1])) == 16


@pytest.mark.slow
def test_all_clips_train_where_nothing_validates(published, capsys):
    assert published.split["part"].value_counts().to_dict() == {"train": 12, "test": 5}
    assert not [column for column in published.history if column.startswith("val_")]
    assert published.history.groupby("member").size().tolist() == [1] * 2
    for name in members_of(pipeline_of(published), published.split):
        kept, last = (
            load_keras(published.folder / name / f"{which}.keras").get_weights() for which in ("best", "last")
        )
        assert all(map(np.array_equal, kept, last))
    print_run(published, pipeline_of(published))
    assert "Nothing was held out to validate" in capsys.readouterr().out


@pytest.mark.slow
def test_nothing_is_fitted_where_nothing_was_held_out(published):
    assert not (published.folder / "metrics.json").exists()
    scores = published.metrics("test")
    assert scores["part"] == "test"
    assert "tempered" not in scores and "weighted" not in scores
    assert len(scores["members"]) == 2
    with pytest.raises(UserError, match="no validation part to find a temperature on"):
        pipeline_of(published).export(published, calibrated=True)
    with pytest.raises(UserError, match="has no validation part"):
        pipeline_of(published).evaluate(published)


@pytest.mark.slow
def test_every_single_models_predictions_are_kept(published):
    names = ["Avg1", "Max1"]
    folder = published.folder / "SubResult"
    assert sorted(path.stem for path in folder.iterdir()) == names
    single = [pd.read_csv(folder / f"{name}.csv")[NAMES] for name in names]
    final = pd.read_csv(published.folder / "PredictionFinal.csv")[NAMES]
    np.testing.assert_allclose(final, np.mean(single, axis=0), atol=1e-6)


KILLED_IN_THE_SECOND_MEMBER = """
import json, os, signal, sys
from overlaps import small_network
from tfspec.pipelines import OverlappedSpeech, overlapped_speech
from tfspec.training import fitting

class Kill(fitting.StopOnNaN):
    def on_train_batch_end(self, batch, logs=None):
        if os.path.exists(sys.argv[2] + "/max/state-1.keras"):
            os.kill(os.getpid(), signal.SIGKILL)

fitting.StopOnNaN = Kill
overlapped_speech.mac = small_network
OverlappedSpeech(data=sys.argv[1], out=sys.argv[2], **json.loads(sys.argv[3])).train(verbose=0)
"""


@pytest.mark.slow  # test_pipeline.py has quick ones of the kind
def test_a_killed_ensemble_resumed_ends_as_an_undisturbed_one(run, overlaps, tmp_path):
    folder = tmp_path / "killed"
    run_code(KILLED_IN_THE_SECOND_MEMBER, overlaps, folder, json.dumps(SMALL), status=-9)
    assert Progress.load(folder / "average").finished
    assert Progress.load(folder / "max").state == "state-1.keras"
    resumed = pipeline_of(opened := Run(folder)).resume(opened, verbose=0)
    columns = ["member", "epoch", "loss", "val_loss"]
    pd.testing.assert_frame_equal(resumed.history[columns], run.history[columns], check_exact=True)
    for name in MEMBERS:
        for received, expected in zip(
            load_keras(folder / name / "last.keras").get_weights(),
            load_keras(run.folder / name / "last.keras").get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(received, expected)
    final = (folder / "PredictionFinal.csv").read_text()
    assert final == (run.folder / "PredictionFinal.csv").read_text()
    assert resumed.metrics("test") == run.metrics("test")


@pytest.mark.slow  # test_pipeline.py exports a small ensemble
def test_an_ensemble_of_macs_is_exported_as_one_file_of_each_kind(overlaps, tmp_path):
    pipeline = OverlappedSpeech(data=overlaps)
    networks = [mac((160, 160, 4), 3, 1, pooling) for pooling in ("average", "max")]
    classifier = Classifier(pipeline.front_end(), ensemble(networks), NAMES, (16000,), 16000)
    rows = pipeline.manifest()
    signals = pipeline.reader()(rows)
    parity = export(classifier, tmp_path / "export", [signals])
    assert parity["saved_model"]["largest_difference"] < 1e-5
    assert parity["tflite"]["largest_difference"] < 1e-4
    received = TFLiteClassifier(tmp_path / "export" / "model.tflite").probabilities(signals)
    features = pipeline.front_end()(signals)
    expected = np.mean([tf.nn.softmax(network(features)) for network in networks], axis=0)
    np.testing.assert_allclose(received, expected, atol=1e-4)


def test_the_order_of_augmentation_and_what_it_leaves_out(overlaps):
    pipeline = OverlappedSpeech(data=overlaps)
    chain = pipeline.augmentation().features.layers
    assert [type(layer).__name__ for layer in chain] == ["FrequencyMask", "TimeMask", "RandomCrop"]
    assert [chain[0].max_width, chain[0].num_masks] == [31, 1]
    assert [chain[1].max_width, chain[1].num_masks, chain[2].padding] == [11, 2, 32]
    mix = pipeline.augmentation().mix_up
    assert (mix.min_weight, mix.max_weight, mix.probability) == (0.05, 0.25, 0.75)
    assert not OverlappedSpeech(data=overlaps, augment=()).augmentation().layers


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"poolings": ()}, "poolings"),
        ({"poolings": ("max", "max")}, "poolings"),
        ({"width": 0}, "width"),
        ({"validation_fraction": 0.0}, "only the last epoch can count: --keep last"),
        ({"drop_remainder": True, "batch_size": 10}, "batch_size=10 for 9 examples"),
        ({"momentum": 1.0}, "momentum"),
        ({"data": "nowhere"}, r"nowhere.train_answer\.csv"),
    ],
)
def test_options_that_cannot_be(overlaps, tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        OverlappedSpeech(**{"data": overlaps, "out": tmp_path / "run", **SMALL, **options}).train()
    assert not (tmp_path / "run").exists()


def test_tables_of_different_words_and_bad_clips_are_named(overlaps, tmp_path):
    data = shutil.copytree(overlaps, tmp_path / "data")
    (data / "train" / "train_0.wav").unlink()
    with pytest.raises(UserError, match=r"1 of 17 examples cannot be used: .*train_0"):
        OverlappedSpeech(data=data, out=tmp_path / "run", **SMALL).train()
    pd.read_csv(data / "test_answer.csv").rename(columns={"low": "lower"}).to_csv(
        data / "test_answer.csv", index=False
    )
    with pytest.raises(UserError, match=r"test_answer\.csv has not the classes"):
        OverlappedSpeech(data=data, out=tmp_path / "run", **SMALL).train()
