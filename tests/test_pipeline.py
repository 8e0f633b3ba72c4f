"""Runs from start to finish on a few tones: what they leave, refuse and give again."""

import contextlib
import dataclasses
import errno
import io
import json
import os
import shutil
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import soundfile
from families import others_slow
from forked import run_code
from keywords import Keywords
from tones import write_tones

from tfspec import UserError
from tfspec.audio.decoding import load_audio
from tfspec.audio.inspection import inspect_audio
from tfspec.cli import main as cli
from tfspec.data.kept import keep_signals, open_signals
from tfspec.data.readers import AudioReader
from tfspec.data.store import FeatureStore
from tfspec.experiment import export as experiment_export
from tfspec.experiment import features, fitting
from tfspec.experiment import pipeline as pipeline_module
from tfspec.experiment.members import members_of
from tfspec.experiment.predicting import say_changed
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.reporting import page_of
from tfspec.experiment.run import Run
from tfspec.experiment.splitting import checked_split, described
from tfspec.inference import predict_files
from tfspec.inference.loading import load_keras, load_model
from tfspec.pipelines import RadioSignals, SpeechCommands

OPTIONS = {
    **SpeechCommands.presets["recurrent"],
    "epochs": 3,
    "validation_fraction": 1 / 3,
    "clip_seconds": 0.3,
    "batch_size": 4,
    "model": "conv2d",
}


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("data") / "tones", {"high": 2000, "low": 300}, speakers=3)


@pytest.fixture(scope="module")
def trained(tones, tmp_path_factory):
    """A run and what its training prints."""
    out = tmp_path_factory.mktemp("runs") / "run"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        return Keywords(data=tones, out=out, **OPTIONS).train(verbose=0), said.getvalue()


@pytest.fixture(scope="module")
def run(trained):
    return trained[0]


@pytest.mark.slow
def test_nothing_is_said_where_nothing_is_to_be_said(trained):
    assert trained[1] == ""


def test_run_folder_holds_all_that_is_promised(run):
    left = {p.relative_to(run.folder).as_posix() for p in run.folder.rglob("*")}
    assert left >= {
        "config.json", "split.csv", "history.csv", "metrics.json", "predictions.csv", "best.keras",
        "last.keras", "figures/confusion_matrix.png", "figures/history.png", "figures/examples.png",
        "report.html",
    }  # fmt: skip
    assert any(name.startswith("logs/validation/events") for name in left)
    assert not [name for name in left if "cache" in name or ".part" in name]


def test_the_page_shows_what_was_trained_and_lets_it_be_heard(run, tones):
    page = page_of(run, pipeline_of(run))
    assert page.facts["Data"] == str(tones) and page.facts["Signals"].startswith("0.3 s at 22,050 Hz")
    assert page.environment["numpy"] == np.__version__ and page.command.endswith("--model=conv2d")
    clips = [*page.mistakes, *page.doubtful]
    assert {clip.name for clip in clips} == set(run.predictions["file"])
    assert all(clip.sound.startswith("data:audio/") for clip in clips)
    assert {(clip.xlabel, clip.ylabel) for clip in clips} == {("time in s", "frequency")}  # of cepstra


def test_predictions_hold_every_validation_file_and_probability(run):
    split, predictions = run.split, run.predictions
    assert list(predictions["file"]) == list(split["path"][split["part"] == "validation"])
    assert list(predictions.columns) == ["file", "label", "predicted", "p_high", "p_low"]
    np.testing.assert_allclose(predictions[["p_high", "p_low"]].sum(axis=1), 1, rtol=1e-5)
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["accuracy"] == (predictions["label"] == predictions["predicted"]).mean()


def test_speakers_are_on_one_side(run):
    sides = run.split.groupby("group")["part"].unique()
    assert all(len(side) == 1 for side in sides)
    assert set(run.split["part"]) == {"train", "validation"}


def test_a_run_is_what_its_folder_holds(run):
    again = Run(run.folder)
    assert pipeline_of(again).clip_seconds == 0.3
    assert pipeline_of(again).evaluate(again) == json.loads((run.folder / "metrics.json").read_text())


@pytest.mark.slow
def test_another_seed_gives_other_losses(tones, run, tmp_path):
    other = Keywords(data=tones, out=tmp_path / "other", seed=1, **OPTIONS).train(verbose=0)
    assert (other.history["loss"] != run.history["loss"]).all()


LEFT = [".config.1234.part.json", ".config.0a1b2c3d-99.part.json"]
"""What a training leaves that was killed before its run was one."""
KILLED_IN_EPOCH_3 = """
import json, os, signal, sys
import tfspec.pipelines
from keywords import Keywords
from tfspec.training import fitting

class Kill(fitting.StopOnNaN):
    def on_train_batch_end(self, batch, logs=None):
        if os.path.exists(sys.argv[2] + "/state-2.keras") and self.params["epochs"] and len(
            open(sys.argv[2] + "/history.csv").readlines()) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

fitting.StopOnNaN = Kill
pipeline = {"keywords": Keywords, "speech_commands": tfspec.pipelines.SpeechCommands}[sys.argv[3]]
pipeline(data=sys.argv[1], out=sys.argv[2], **json.loads(sys.argv[4])).train(verbose=0)
"""


@pytest.mark.parametrize(
    ("pipeline", "changes"),
    [
        (Keywords, {}),
        pytest.param(SpeechCommands, {"model": "lstm", "augment": ("shift",)}, marks=pytest.mark.slow),
        pytest.param(SpeechCommands, {"precision": "mixed_float16"}, marks=pytest.mark.slow),
        pytest.param(Keywords, {"teacher": "run"}, marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_resumed_ends_as_an_undisturbed_one(tones, run, tmp_path, pipeline, changes):
    """Also where one before it was killed that was no run yet."""
    if "teacher" in changes:
        changes = {"teacher": str(run.folder)}
    options, undisturbed, folder = {**OPTIONS, **changes}, run, tmp_path / "killed"
    if changes:
        undisturbed = pipeline(data=tones, out=tmp_path / "undisturbed", **options).train(verbose=0)
    folder.mkdir()
    for name in LEFT:
        (folder / name).write_text("{")
    run_code(KILLED_IN_EPOCH_3, tones, folder, pipeline.name, json.dumps(options), status=-9)
    assert not set(LEFT) & {path.name for path in folder.iterdir()}
    assert json.loads((folder / "progress.json").read_text())["state"] == "state-2.keras"
    assert not (folder / "metrics.json").exists()
    with pytest.raises(UserError, match="exists and is not empty"):
        pipeline(data=tones, out=folder, **options).train()
    with pytest.raises(UserError, match="Another training has begun"):  # where both have begun at once
        Run.create(folder, {})
    stale = (opened := Run(folder)).classifier if (folder / "best.keras").exists() else None
    resumed = pipeline_of(opened).resume(opened, verbose=0)
    assert resumed.classifier is not stale
    columns = [name for name in undisturbed.history if name not in ("member", "seconds")]
    pd.testing.assert_frame_equal(resumed.history[columns], undisturbed.history[columns], check_exact=True)
    for received, expected in zip(
        load_keras(folder / "last.keras").get_weights(),
        load_keras(undisturbed.folder / "last.keras").get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(received, expected)
    assert resumed.metrics() == undisturbed.metrics()
    assert json.loads((folder / "progress.json").read_text())["finished"]
    assert not list(folder.glob("state-*"))
    assert not list(folder.glob("cache-*"))


def test_resuming_a_finished_run_removes_what_a_kill_has_left_and_changes_nothing_else(run):
    before = (run.folder / "last.keras").stat().st_mtime_ns
    (run.folder / "state-3.keras").touch()
    assert pipeline_of(opened := Run(run.folder)).resume(opened, verbose=0).metrics() == run.metrics()
    assert (run.folder / "last.keras").stat().st_mtime_ns == before
    assert not list(run.folder.glob("state-*"))


@pytest.fixture(scope="module")
def folds_pipeline(tones, tmp_path_factory):
    @dataclass(kw_only=True)
    class Folds(Keywords):
        def split(self, manifest):
            fold = pd.factorize(manifest["group"])[0] - 1  # the first speaker tests
            return manifest.assign(fold=fold, part=np.where(fold < 0, "test", "train"))

    return Folds(data=tones, out=tmp_path_factory.mktemp("runs") / "folds", **OPTIONS)


@pytest.fixture(scope="module")
def folds(folds_pipeline):
    return folds_pipeline.train(verbose=0)


@pytest.mark.slow  # test_rainforest.py has a quick one of the kind
def test_cross_validation_trains_a_model_a_fold_and_predicts_with_the_others(folds, folds_pipeline):
    for name, others in (("fold_0", "speaker1"), ("fold_1", "speaker2")):
        assert (folds.folder / name / "best.keras").exists()
        validation = members_of(folds_pipeline, folds.split)[name].split.query("part == 'validation'")
        assert set(validation["group"]) == {others}
    assert set(folds.history["member"]) == {"fold_0", "fold_1"}
    assert len(folds.predictions) == 8
    model = load_keras(folds.folder / "fold_1" / "best.keras")
    row = folds.predictions.iloc[-1]
    signal = load_audio(folds_pipeline.data / row["file"], 22050, model.signal_shape[0])
    expected = row[["p_high", "p_low"]].astype(float)
    np.testing.assert_allclose(model.probabilities(signal[np.newaxis])[0], expected, rtol=1e-4)


@pytest.mark.slow
def test_the_test_part_and_new_files_are_predicted_by_the_mean_of_all_folds(folds, folds_pipeline):
    assert folds.metrics("test")["examples"] == 4
    files = [folds_pipeline.data / path for path in folds.split.query("part == 'test'")["path"]]
    received = folds.predict(files)[["p_high", "p_low"]]
    members = [load_keras(folds.folder / name / "best.keras") for name in ("fold_0", "fold_1")]
    expected = np.mean([predict_files(m, files)[["p_high", "p_low"]] for m in members], axis=0)
    np.testing.assert_allclose(received, expected, rtol=1e-5)
    tested = pd.read_csv(folds.evaluation_folder(part="test") / "predictions.csv")
    np.testing.assert_allclose(tested[["p_high", "p_low"]], expected, rtol=1e-4)


@pytest.mark.slow
def test_folds_are_finished_one_by_one(folds, folds_pipeline, tmp_path):
    folder = tmp_path / "folds"
    shutil.copytree(folds.folder, folder)
    shutil.rmtree(folder / "fold_1")
    (folder / "best.keras").unlink()
    before = (folder / "fold_0" / "best.keras").stat().st_mtime_ns
    resumed = folds_pipeline.resume(Run(folder), verbose=0)
    assert (folder / "fold_0" / "best.keras").stat().st_mtime_ns == before
    assert resumed.metrics() == folds.metrics()


@pytest.fixture(scope="module")
def ensemble(tones, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "ensemble"
    return Keywords(data=tones, out=folder, num_members=2, **OPTIONS).train(verbose=0)


@pytest.mark.slow
def test_an_ensemble_is_the_mean_of_models_from_different_seeds(ensemble, run, tones):
    columns = ["loss", "val_loss"]
    first, second = (rows[columns].to_numpy() for _, rows in ensemble.history.groupby("member"))
    np.testing.assert_array_equal(first, run.history[columns])
    assert (first != second).all()
    members = [load_keras(ensemble.folder / name / "best.keras") for name in ("seed_0", "seed_1")]
    files = [tones / file for file in ensemble.predictions["file"]]
    assert [tones / file for file in run.predictions["file"]] == files
    columns = ["p_high", "p_low"]
    expected = np.mean([predict_files(m, files)[columns] for m in members], axis=0)
    for received in (ensemble.predictions, ensemble.predict(files)):
        np.testing.assert_allclose(received[columns], expected, rtol=1e-4)


@pytest.mark.slow
def test_members_train_side_by_side_and_one_that_fails_stops_none(ensemble, tmp_path, capfd):
    folder = tmp_path / "ensemble"
    shutil.copytree(ensemble.folder, folder)
    for name in ("seed_0", "seed_1"):
        shutil.rmtree(folder / name)
    (folder / "best.keras").unlink()
    (folder / "seed_1").write_text("in the way")
    run, pipeline = Run(folder), dataclasses.replace(pipeline_of(ensemble), processes=2)
    with pytest.raises(UserError, match=r"1 of 2 models failed.*: seed_1 ended with exit code 1"):
        pipeline.resume(run, verbose=0)
    assert "FileExistsError" in capfd.readouterr().err
    assert (folder / "seed_0" / "best.keras").exists()
    (folder / "seed_1").unlink()
    assert pipeline.resume(run, verbose=0).metrics() == ensemble.metrics()
    columns = ["member", "loss", "val_loss"]
    pd.testing.assert_frame_equal(run.history[columns], ensemble.history[columns], check_exact=True)


def test_members_are_named_by_fold_and_seed(folds_pipeline):
    pipeline = dataclasses.replace(folds_pipeline, num_members=2, seed=5)
    members = members_of(pipeline, checked_split(pipeline)[1])
    assert [(name, m.seed, m.fold) for name, m in members.items()] == [
        ("fold_0_seed_5", 5, 0), ("fold_0_seed_6", 6, 0), ("fold_1_seed_5", 5, 1), ("fold_1_seed_6", 6, 1),
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"num_members must be a whole number from 1 to 1,000. Received: 0"):
        dataclasses.replace(folds_pipeline, num_members=0)


@pytest.mark.slow
def test_features_on_disk_give_the_same_run_and_serve_the_next(tones, run, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "BYTES_IN_MEMORY", 0)
    again = Keywords(data=tones, out=tmp_path / "again", **OPTIONS).train(verbose=0)
    assert list(again.history["loss"]) == list(run.history["loss"])
    (shard,) = (tmp_path / "features").glob("*/*.tfrecord")
    written = shard.stat().st_mtime_ns
    monkeypatch.undo()
    monkeypatch.setattr(features, "precompute", None)
    Keywords(data=tones, out=tmp_path / "next", **{**OPTIONS, "learning_rate": 1e-4}).train(verbose=0)
    assert shard.stat().st_mtime_ns == written
    assert len(list((tmp_path / "features").iterdir())) == 1


def test_features_that_fit_into_memory_leave_nothing_on_disk(run):
    assert not (run.folder.parent / "features").exists()


@pytest.mark.slow
def test_prepared_features_are_those_that_training_uses(tones, tmp_path, monkeypatch):
    options = {**OPTIONS, "data": tones, "feature_store": tmp_path / "kept"}
    store = SpeechCommands(**options).prepare()
    assert store.folder.parent == tmp_path / "kept"
    assert not store.missing
    monkeypatch.setattr(FeatureStore, "_records", None)
    monkeypatch.setattr(fitting, "fit", lambda *_: sys.exit())
    with pytest.raises(SystemExit):  # with all that it trains on
        SpeechCommands(out=tmp_path / "run", **options).train(verbose=0)
    with pytest.raises(TypeError):  # other features would have to be computed
        SpeechCommands(out=tmp_path / "other", **{**options, "scaling": "none"}).train(verbose=0)


def test_what_is_made_batch_by_batch_cannot_be_prepared(tones):
    class Batchwise(SpeechCommands):
        features_once = False

    with pytest.raises(UserError, match="batch by batch: there is nothing to prepare"):
        Batchwise(data=tones).prepare()


def test_split_by_file_says_so_and_warns(tones):
    _, split, _ = checked_split(SpeechCommands(data=tones, split_by="file", **OPTIONS))
    assert "3 groups are on both sides" in described(split)
    assert "too good" in described(split)


def test_split_by_speaker_counts_both_sides(tones):
    _, split, _ = checked_split(SpeechCommands(data=tones, **OPTIONS))
    assert described(split) == "8 examples of 2 groups in train, 4 examples of 1 group in validation"


def test_an_overlap_of_speakers_is_refused(tones, tmp_path):
    @dataclass(kw_only=True)
    class Careless(SpeechCommands):
        def split(self, manifest):
            return manifest.assign(part=["train", "validation"] * 6)

    with pytest.raises(UserError, match="both sides of the split: speaker0, speaker1, speaker2"):
        Careless(data=tones, out=tmp_path / "run", **OPTIONS).train()
    assert not (tmp_path / "run").exists()


def test_a_pattern_that_finds_classes_instead_of_speakers_is_noticed(tmp_path):
    for label in range(5):
        (tmp_path / "digits" / str(label)).mkdir(parents=True)
        for i in range(5):
            tone = np.sin(np.arange(4000) * (label + 1) / 10)
            soundfile.write(tmp_path / "digits" / str(label) / f"{label}_george_{i}.wav", tone, 8000)
    digits = SpeechCommands(data=tmp_path / "digits", out=tmp_path / "run", epochs=1)
    with pytest.raises(UserError, match="none is left to train on"):
        digits.train()


@pytest.fixture
def folder_with_bad_files(tones, tmp_path):
    folder = tmp_path / "bad"
    for path in tones.rglob("*.wav"):
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        (folder / path.parent.name / path.name).write_bytes(path.read_bytes())
    (folder / "low" / "speaker0_nohash_7.wav").write_bytes(b"")
    (folder / "low" / "speaker1_nohash_7.wav").write_bytes(b"no audio at all")
    soundfile.write(folder / "high" / "speaker1_nohash_7.wav", np.full(8000, np.nan), 16000, "FLOAT")
    return folder


def test_bad_files_stop_the_run_with_the_whole_list(folder_with_bad_files, tmp_path):
    with pytest.raises(UserError) as error:
        SpeechCommands(data=folder_with_bad_files, out=tmp_path / "run", **OPTIONS).train()
    for text in ("3 of 15", "speaker0_nohash_7.wav (empty file)", "low/speaker1", "high/speaker1", "skip"):
        assert text in str(error.value)
    assert not (tmp_path / "run").exists()


def test_bad_files_are_left_out_on_request(folder_with_bad_files, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline_module, "fit_members", lambda *_: sys.exit())
    with pytest.raises(SystemExit):
        SpeechCommands(data=folder_with_bad_files, out=tmp_path / "run", on_bad_file="skip", **OPTIONS).train(
            verbose=0
        )
    run = Run(tmp_path / "run")
    bad = pd.read_csv(run.folder / "bad_files.csv")
    assert sorted(bad["path"]) == [
        "high/speaker1_nohash_7.wav", "low/speaker0_nohash_7.wav", "low/speaker1_nohash_7.wav",
    ]  # fmt: skip
    assert bad["problem"].notna().all()
    assert not set(bad["path"]) & set(run.split["path"])


def test_an_existing_run_is_not_overwritten(tones, run):
    with pytest.raises(UserError, match="not empty"):
        SpeechCommands(data=tones, out=run.folder, **OPTIONS).train()


def test_other_data_is_scored_whole_and_known_speakers_are_named(run, tones):
    scores = pipeline_of(run).evaluate(run, tones)
    assert scores["examples"] == 12
    assert len(scores["groups_trained_on"]) == 2
    assert scores["data"] == str(tones)
    assert (run.evaluation_folder(tones) / "predictions.csv").exists()


def test_a_run_not_yet_scored_is_scored_on_its_own_data_before_others(run, tmp_path):
    copied = Run(shutil.copytree(run.folder, tmp_path / "run"))
    (copied.folder / "metrics.json").unlink()
    others = write_tones(tmp_path / "others", {"high": 300, "low": 2000}, speakers=3)
    pipeline_of(copied).evaluate(copied, others)
    assert copied.metrics() == run.metrics()


@pytest.mark.slow
def test_each_evaluation_has_a_folder_of_its_own(folds, folds_pipeline, tones, tmp_path):
    before = folds.metrics(), folds.metrics("test")
    for site in ("a", "b"):
        shutil.copytree(tones, tmp_path / site / "test")
    shutil.rmtree(tmp_path / "b" / "test" / "high")
    first = folds_pipeline.evaluate(folds, tmp_path / "a" / "test")
    second = folds_pipeline.evaluate(folds, tmp_path / "b" / "test")
    assert (first["examples"], second["examples"]) == (12, 6)
    assert (folds.metrics(), folds.metrics("test")) == before
    folders = [folds.evaluation_folder(tmp_path / site / "test") for site in ("a", "b")]
    assert [json.loads((f / "metrics.json").read_text())["examples"] for f in folders] == [12, 6]
    assert folds_pipeline.evaluate(folds, tmp_path / "a" / "test") == first
    assert sorted((folds.folder / "evaluations").iterdir()) == sorted(
        [*folders, folds.evaluation_folder(part="test")]
    )


def test_other_data_with_unknown_labels_is_refused(run, tones, tmp_path):
    (tmp_path / "middle").mkdir()
    soundfile.write(tmp_path / "middle" / "x_nohash_0.wav", np.zeros(8000), 16000)
    with pytest.raises(UserError, match=r"Unknown labels: middle.*high, low"):
        pipeline_of(run).evaluate(run, tmp_path)


@pytest.mark.parametrize(("rate", "channels", "seconds"), [(8000, 1, 0.05), (44100, 2, 0.5), (16000, 1, 3.0)])
def test_files_of_any_rate_and_length_are_predicted(run, tmp_path, rate, channels, seconds):
    path = tmp_path / "some.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, (int(rate * seconds), channels)), rate)
    table = run.predict([path])
    assert table["file"].tolist() == [str(path)]
    assert np.isclose(table[["p_high", "p_low"]].to_numpy().sum(), 1)


def test_prediction_agrees_with_the_evaluation(run, tones):
    predictions = run.predictions
    table = run.predict([tones / file for file in predictions["file"]])
    columns = ["p_high", "p_low"]
    np.testing.assert_allclose(table[columns], predictions[columns], atol=1e-5)


def test_a_hop_classifies_a_long_recording_window_by_window(run, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.random.default_rng(0).uniform(-1, 1, 16000), 16000)
    table = run.predict([tmp_path / "long.wav"], hop_seconds=0.2)
    np.testing.assert_allclose(table["start"], [0, 0.2, 0.4, 0.6, 0.7], atol=1e-3)
    with pytest.raises(UserError, match="longer than 0"):
        run.predict([tmp_path / "long.wav"], hop_seconds=0)


def test_export_and_every_kind_of_model_predicts_the_same(run, tones):
    parity = pipeline_of(run).export(run)
    assert parity["tflite"]["signals"] == 4
    assert json.loads((run.folder / "export" / "parity.json").read_text()) == parity
    file = next(tones.rglob("*.wav"))
    rows = [
        predict_files(load_model(path), [file])[["p_high", "p_low"]].to_numpy()
        for path in (run.folder, run.folder / "last.keras", run.folder / "export" / "model.tflite")
    ]
    np.testing.assert_allclose(rows[0], rows[2], atol=1e-4)
    assert rows[1].shape == (1, 2)


def test_a_run_calibrates_on_its_training_part(run, monkeypatch):
    monkeypatch.setattr(experiment_export, "export", lambda *arguments: arguments)
    _, _, signals, quantize, calibration, streaming = pipeline_of(run).export(run, "int8")
    assert quantize == "int8" and not streaming
    signals, calibration = np.concatenate(list(signals)), np.concatenate(list(calibration))
    assert (len(signals), len(calibration)) == (4, 8)
    assert not (signals[:, np.newaxis] == calibration).all(axis=-1).any()


@pytest.mark.parametrize("which", others_slow(["run", "ensemble"], "run"))
def test_a_calibrated_export_divides_the_logits_by_the_temperature(which, request):
    run = request.getfixturevalue(which)
    signals = pipeline_of(run).reader()(run.split[run.split["part"] == "validation"])
    pipeline_of(run).export(run, calibrated=True)
    received = load_model(run.folder / "export" / "model.tflite").probabilities(signals)
    temperature = run.metrics()["tempered"]["temperature"]
    logits = np.log(run.predictions[["p_high", "p_low"]].to_numpy()) / temperature
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(received, expected, atol=1e-3)
    assert abs(temperature - 1) > 0.01


def test_keras_file_loads_in_a_process_that_only_imports_tfspec(run):
    script = """
import sys, keras, tfspec
assert keras.saving.load_model(sys.argv[1]).class_names == ("high", "low")
"""
    run_code(script, run.folder / "best.keras")


def test_a_model_that_hides_code_is_not_loaded(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: x)])
    model.save(tmp_path / "evil.keras")
    with pytest.raises(UserError, match="cannot be loaded"):
        load_model(tmp_path / "evil.keras")


@pytest.mark.parametrize("content", [b"", b"not a model"])
@pytest.mark.parametrize("name", ["x.keras", "x.tflite"])
def test_damaged_models_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError):
        load_model(tmp_path / name)


@pytest.mark.slow
def test_radio_signals_run_and_come_back(tmp_path):
    run = RadioSignals(out=tmp_path / "run", num_train=16, num_validation=8, snr=(0.5, 0.8), epochs=1).train(
        0
    )
    assert run.classifier.class_names == ("Squiggle", "Narrowband", "Narrowbanddrd", "Noises")
    assert pipeline_of(opened := Run(run.folder)).evaluate(opened) == json.loads(
        (run.folder / "metrics.json").read_text()
    )
    with pytest.raises(UserError, match=r"x.wav \(no such file\)"):
        run.predict(["x.wav"])
    with pytest.raises(UserError, match="no known class: run"):
        pipeline_of(run).evaluate(run, tmp_path)


def test_keywords_are_augmented_as_asked_or_as_suits_their_scaling():
    def layers(**options):
        found = SpeechCommands(data=".", **options).augmentation()
        return [type(layer).__name__ for chain in found.layers for layer in chain.layers]

    masks = ["TimeMask", "FrequencyMask"]
    assert layers() == ["TimeShift", "OneOf", "Gain", "Warp", *masks]
    assert layers(features="mfcc") == ["PitchShift", "TimeShift", "OneOf", "Gain", *masks]
    with pytest.raises(UserError, match="leave out vocal_tract"):
        SpeechCommands(data=".", features="mfcc", augment=("vocal_tract",))
    assert layers(augment=("frequency_mask", "noise")) == ["OneOf", "FrequencyMask"]
    assert layers(augment=("shift",), background=".") == ["TimeShift", "BackgroundNoise"]
    assert layers(scaling="centre", model="lstm") == ["PitchShift", "TimeShift"]
    assert layers(scaling="centre", model="conv2d") == layers(augment=()) == []


@pytest.mark.slow
def test_features_that_nobody_reads_are_not_computed(tones, tmp_path, monkeypatch):
    computed = []
    make = features.precompute
    monkeypatch.setattr(
        features, "precompute", lambda rows, *rest: computed.append(list(rows["part"])) or make(rows, *rest)
    )
    for name, augment in (("augmented", ("shift",)), ("plain", ())):
        SpeechCommands(data=tones, out=tmp_path / name, augment=augment, **OPTIONS).train(verbose=0)
    assert [sorted(parts) for parts in computed] == [["validation"] * 4, ["train"] * 8 + ["validation"] * 4]


def test_a_worker_copies_a_run_that_the_chief_puts_in_order_meanwhile(tmp_path):
    folder = Run.create(tmp_path / "run", {"pipeline": "", "options": {}}).folder
    (folder / ".best.0123abcd-12.part.keras").mkdir()
    (folder / "state-1.keras").symlink_to(
        tmp_path / "gone"
    )  # there when it is listed, and not when it is read
    copied = pipeline_module._copied(Run(folder))
    assert [path.name for path in copied.folder.iterdir()] == ["config.json"]


def test_an_evaluation_takes_the_place_of_an_earlier_one_or_there_is_none(tmp_path):
    run, table = Run.create(tmp_path, {"pipeline": "", "options": {}}), pd.DataFrame({"a": [1]})

    class Full(pd.DataFrame):
        def to_csv(self, *_, **__):
            raise OSError

    run.write_evaluation(tmp_path, {"accuracy": 1.0}, {"predictions": table, "groups": table}, {})
    run.write_evaluation(tmp_path, {"accuracy": 0.5}, {"predictions": table}, {})
    assert run.metrics()["accuracy"] == 0.5 and not (tmp_path / "groups.csv").exists()
    with pytest.raises(OSError):
        run.write_evaluation(tmp_path, {"accuracy": 0.0}, {"predictions": Full(table)}, {})
    with pytest.raises(UserError, match="was not scored: `tfspec evaluate"):
        run.check_scored("validation")


def test_a_full_disk_is_told_with_how_the_run_goes_on(run, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = shutil.copytree(run.folder, tmp_path / "run")
    monkeypatch.setattr("pandas.DataFrame.to_csv", full)
    with pytest.raises(UserError) as error:
        pipeline_of(opened := Run(folder)).resume(opened, verbose=0)
    file = folder / "predictions.csv"
    remedy = f"Make room, and `tfspec resume {folder}` goes on."
    assert str(error.value) == f"{file}: No space left on device. {remedy}"


def test_what_is_not_finished_says_so(tones, run, tmp_path):
    folder = tmp_path / "unfinished"
    shutil.copytree(run.folder, folder)
    progress = json.loads((folder / "progress.json").read_text())
    (folder / "progress.json").write_text(json.dumps({**progress, "finished": False}))
    unfinished = Run(folder)
    pipeline = pipeline_of(unfinished)
    for ask in (pipeline.evaluate, pipeline.export, pipeline.view, lambda run: load_model(run.folder)):
        with pytest.raises(UserError, match="is not finished: `tfspec resume"):
            ask(unfinished)


@pytest.mark.slow
def test_a_run_killed_before_its_split_was_written_is_resumed(tones, run, tmp_path):
    (tmp_path / "run").mkdir()
    shutil.copy(run.folder / "config.json", tmp_path / "run")
    resumed = pipeline_of(opened := Run(tmp_path / "run")).resume(opened, verbose=0)
    assert (resumed.folder / "split.csv").read_text() == (run.folder / "split.csv").read_text()
    assert resumed.metrics() == run.metrics()


def test_a_run_of_an_earlier_version_is_finished_or_goes_on(run, tmp_path):
    finished, unfinished = tmp_path / "finished", tmp_path / "unfinished"
    for folder in (finished, unfinished):
        shutil.copytree(run.folder, folder)
        (folder / "progress.json").unlink()
        (folder / "signals.npz").unlink()
    assert pipeline_of(opened := Run(finished)).evaluate(opened) == run.metrics()
    history = json.loads((run.folder / "progress.json").read_text())["history"]
    backbone = load_keras(run.folder / "last.keras").backbone
    backbone.compile("adam", "sparse_categorical_crossentropy")
    (unfinished / ".state.4321.old").mkdir()  # killed between two renames
    backbone.save(unfinished / ".state.4321.old" / "backbone.keras")
    progress = {"phase": 0, "first_epoch": 0, "history": history[:1]}
    (unfinished / ".state.4321.old" / "progress.json").write_text(json.dumps(progress))
    resumed = pipeline_of(opened := Run(unfinished)).resume(opened, verbose=0)
    assert len(resumed.history) == 3
    assert not list(unfinished.glob("*state*")) and not list(unfinished.glob(".*"))


def test_export_view_and_page_where_the_data_no_longer_is(run, tones, tmp_path, capsys):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    config["options"]["data"] = str(tmp_path / "nowhere")
    (folder / "config.json").write_text(json.dumps(config))
    gone = Run(folder)
    assert pipeline_of(gone).export(gone, "dynamic")["saved_model"]["signals"] == 4
    assert "4 kept signals stand for it" in capsys.readouterr().out
    assert "<td>dynamic</td>" in (folder / "report.html").read_text()
    assert pipeline_of(gone).view(gone, 1).axes
    page = page_of(gone, pipeline_of(gone))
    assert len(page.mistakes) + len(page.doubtful) == 4 and not page.clips_note
    with pytest.raises(UserError, match="no such file"):
        pipeline_of(gone).evaluate(gone)
    (gone.folder / "signals.npz").unlink()
    with pytest.raises(UserError, match=r"signals\.npz is missing"):
        pipeline_of(gone).export(gone)
    assert page_of(gone, pipeline_of(gone)).clips_note.startswith("No example is shown: ")
    elsewhere = page_of(gone, pipeline_of(gone), data=tones)
    assert len(elsewhere.mistakes) + len(elsewhere.doubtful) == 4 and not elsewhere.clips_note


def test_what_is_kept_of_large_signals_is_bounded(tmp_path):
    class Large:
        signal_shape, sample_rate = (100_000,), None

        def __call__(self, rows):
            return np.full((len(rows), 100_000), 3e5, np.float32)

    keep_signals(tmp_path / "signals.npz", [pd.DataFrame(index=range(1000))] * 2, Large(), seed=0)
    assert (tmp_path / "signals.npz").stat().st_size < 4 * 2**23 + 10_000
    kept = open_signals(tmp_path / "signals.npz", pd.RangeIndex(1000))
    assert kept.signals.max() == 3e5  # which half precision does not hold
    for content in (b"", b"PK\x03\x04 no zip", b"\x93NUMPY"):
        (tmp_path / "signals.npz").write_bytes(content)
        with pytest.raises(UserError, match="is damaged"):
            open_signals(tmp_path / "signals.npz", pd.RangeIndex(1000))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", b"[]"),
        ("config.json", b"\xff\xfe"),
        ("config.json", b'{"pipeline": 3, "options": {}}'),
        ("config.json", b'{"pipeline": "speech_commands", "options": {"epochs": "many"}}'),
        ("config.json", b'{"pipeline": "speech_commands", "options": {"classes": [1, null]}}'),
        ("config.json", b'{"pipeline": "speech_commands", "options": {"nothing_known": 1}}'),
        ("split.csv", b""),
        ("split.csv", b"\x00\xff\xfe" * 99),
        ("split.csv", b"path,label\na,b\n"),
        ("split.csv", b"path,label,group,part\na,b,c,somewhere\n"),
        ("progress.json", b"{"),
        ("progress.json", b'{"history": [{}], "finished": true}'),
        ("progress.json", b'{"history": 3}'),
        ("progress.json", b'{"phase": "one"}'),
        ("history.csv", b"\xff"),
    ],
)
def test_a_damaged_run_folder_is_one_line(run, tmp_path, file, content):
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    (folder / file).write_bytes(content)
    with pytest.raises(UserError) as error:
        pipeline_of(opened := Run(folder)).evaluate(opened)
    assert str(folder) in str(error.value)


@pytest.mark.slow
def test_data_that_names_no_speakers_is_scored_without_groups(run, tones, tmp_path, capsys):
    for number, path in enumerate(sorted(tones.rglob("*.wav"))):
        (tmp_path / "data" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "data" / path.parent.name / f"_{number}.wav")
    scores = pipeline_of(run).evaluate(run, tmp_path / "data")
    assert scores["examples"] == 12
    assert (scores["groups"], scores["intervals"], scores["groups_trained_on"]) == (0, {}, [])
    assert scores["accuracy"] == pipeline_of(run).evaluate(run, tones)["accuracy"]
    cli.main(["evaluate", str(run.folder), "--data", str(tmp_path / "data")])
    assert "no scores of groups, no intervals" in capsys.readouterr().out
    with pytest.raises(UserError, match="finds no group in the file name"):
        SpeechCommands(data=tmp_path / "data", out=tmp_path / "run", **OPTIONS).train()


def test_recordings_that_changed_after_the_split_are_told(tmp_path, capsys):
    """What is only written anew, with what was in it, has not changed."""
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", np.full(800, 0.1 * (name == "b")), 8000)
    rows = pd.DataFrame({"path": ["a.wav", "b.wav", "c.wav", "b.wav", "gone.wav"]})
    rows["digest"] = [inspect_audio(tmp_path / path).digest for path in rows["path"]]
    run, read = (
        Run.create(tmp_path / "run", {"pipeline": "any", "options": {}}),
        AudioReader(tmp_path, 8000, 800),
    )
    (run.folder / "split.csv").touch()
    later = (run.folder / "split.csv").stat().st_mtime + 10
    os.utime(tmp_path / "a.wav", (later, later))
    say_changed(read, run, rows)
    assert capsys.readouterr().out == ""
    soundfile.write(tmp_path / "b.wav", np.full(800, 0.2), 8000)
    os.utime(tmp_path / "b.wav", (later, later))
    say_changed(read, run, rows)
    assert "1 recording of 3 changed after the run was split, such as b.wav: " in capsys.readouterr().out
