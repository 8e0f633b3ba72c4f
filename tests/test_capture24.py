"""The pipeline for wrist accelerometers on a few made-up people."""

import dataclasses
import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.signal
import tyro
from families import others_slow
from wrists import HERTZ, write_people

from tfspec import UserError
from tfspec.cli.main import main
from tfspec.data.sources.windows import DICTIONARY
from tfspec.experiment.drawing import examples_of
from tfspec.experiment.members import members_of
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.run import Run
from tfspec.experiment.splitting import usable
from tfspec.inference import arrays, load_model, predict_files
from tfspec.pipelines import Capture24
from tfspec.pipelines.capture24 import PUBLISHED_TEST

SMALL = {
    "sample_rate": 20,
    "frame_length": 24,
    "frame_step": 10,
    "label_column": "label:simple",
    "epochs": 2,
    "batch_size": 8,
    "learning_rate_end": 1.0,
    "cross_validation": 0,
}
RUN = {"test": 2, "validation": 0.3, "channels": "both"}


@pytest.fixture(autouse=True, scope="module")
def few_examples():
    """Draw one example of each class, as each takes long; return how many there are otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        number = Capture24.examples_per_class
        patch.setattr(Capture24, "examples_per_class", 1)
        yield number


@pytest.fixture(scope="module")
def wrists(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("data") / "wrists")


@pytest.fixture(scope="module")
def run(wrists, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return Capture24(data=wrists, out=out, **RUN, **SMALL).train(verbose=0)


def test_what_a_run_leaves(run):
    assert set(run.split["part"]) == {"train", "validation", "test"}
    assert {"kappa", "val_kappa", "loss", "val_loss", "recent_loss"} <= set(run.history)
    assert "val_recent_loss" not in run.history
    for part, people in (("validation", 2), ("test", 2)):
        folder, scores = run.evaluation_folder(part=part), run.metrics(part)
        groups = pd.read_csv(folder / "groups.csv", index_col="group")
        assert len(groups) == people
        assert groups["examples"].sum() == scores["examples"] == 18 * people
        for name in ("accuracy", "balanced_accuracy", "macro_f1", "kappa"):
            low, high = scores["intervals"][name]
            assert low <= scores[name] <= high
        assert scores["smoothed"]["kappa"] <= 1
        assert set(pd.read_csv(folder / "predictions.csv")["smoothed"]) <= set(HERTZ)
        assert (folder / "figures" / "examples.png").exists()
    assert (
        run.metrics()["smoothed"]["accuracy"]
        == (run.predictions["smoothed"] == run.predictions["label"]).mean()
    )


@pytest.mark.slow
def test_a_run_is_what_its_folder_holds(run):
    again = Run(run.folder)
    assert pipeline_of(again).test == 2
    assert pipeline_of(again).evaluate(again, part="test") == json.loads(
        (run.evaluation_folder(part="test") / "metrics.json").read_text()
    )


@pytest.mark.slow
def test_same_seed_same_losses(run, wrists, tmp_path):
    again = Capture24(data=wrists, out=tmp_path / "run", **{**SMALL, "epochs": 1}, **RUN).train(verbose=0)
    columns = [name for name in run.history if name not in ("member", "seconds")]
    first = run.history[columns].head(1)
    pd.testing.assert_frame_equal(again.history[columns], first, check_exact=True)


@pytest.mark.slow
def test_cross_validation_scores_everybody(wrists, tmp_path):
    options = {**SMALL, "epochs": 1, "test": 2, "cross_validation": 2}
    run = Capture24(data=wrists, out=tmp_path / "run", **options).train(verbose=0)
    validated = pd.read_csv(run.folder / "groups.csv")["group"]
    tested = pd.read_csv(run.evaluation_folder(part="test") / "groups.csv")["group"]
    assert len(validated) == run.metrics()["groups"] == 6
    assert sorted([*validated, *tested]) == [f"P{number}" for number in range(1, 9)]
    assert "smoothed" in run.metrics() and "smoothed" in run.metrics("test")


@pytest.fixture(scope="module")
def exported(run):
    parity = pipeline_of(run).export(run)
    assert parity["tflite"]["same_top_class"] == 1
    return run.folder / "export"


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    """Two other people of whom nobody noted what they did; one window is no number."""
    folder = write_people(tmp_path_factory.mktemp("unlabelled") / "others", people=2, seed=1)
    (folder / "Y.npy").unlink()
    signals = np.load(folder / "X.npy")
    signals[20, 3, 1] = np.nan
    np.save(folder / "X.npy", signals)
    return folder / "X.npy"


@pytest.mark.slow
@pytest.mark.parametrize("model", ["", "export/model.tflite", "export/saved_model"])
def test_windows_without_labels_are_predicted(run, exported, unlabelled, monkeypatch, model):
    monkeypatch.setattr(arrays, "BATCH", 16)
    table = predict_files(load_model(run.folder / model), [unlabelled])
    probabilities = [f"p_{name}" for name in sorted(HERTZ)]
    assert [*table] == ["file", "window", "group", "time", "predicted", *probabilities, "problem"]
    assert table["window"].tolist() == [*range(36)]
    assert table["group"].tolist() == ["P1"] * 18 + ["P2"] * 18
    assert (table["time"].to_numpy() == np.load(unlabelled.with_name("T.npy"))).all()
    bad = table.iloc[20]
    assert (bad["predicted"], bad["problem"]) == (None, "holds NaN or infinity in float32")
    good = table.drop(index=20)
    expected = run.classifier.probabilities(np.load(unlabelled).astype(np.float32)[good.index])
    np.testing.assert_allclose(good[probabilities], expected, atol=1e-4)
    assert good["predicted"].tolist() == np.array(sorted(HERTZ))[expected.argmax(axis=1)].tolist()


def test_the_command_line_predicts_windows(run, unlabelled, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(run.folder), str(unlabelled), "--out", str(tmp_path / "table.csv")])
    out, err = capsys.readouterr()
    assert stop.value.code == 1
    assert f"36 predictions: {tmp_path / 'table.csv'}" in out
    assert f"{unlabelled}, window 20, cannot be used: holds NaN or infinity in float32" in err
    table = pd.read_csv(tmp_path / "table.csv", parse_dates=["time"])
    assert table["predicted"].notna().sum() == 35 and table["time"].is_monotonic_increasing
    with pytest.raises(SystemExit):
        main(["predict", str(run.folder), str(unlabelled), "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["window"] for row in rows] == [*range(36)]
    assert (rows[20]["probabilities"], rows[19]["group"], rows[0]["time"][:10]) == (None, "P2", "2016-11-13")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"X": np.zeros((9, 600, 3))}, r"windows of shape \(200, 3\) at 20 Hz, and those of .* \(600, 3\)"),
        ({"X": np.zeros((36, 200))}, r"windows of shape \(200, 3\) at 20 Hz, and those of .* \(200,\)"),
        (
            {"X": np.zeros(36)},
            r"X.npy must hold .* shape \(windows, samples\) or \(windows, samples, channels\)",
        ),
        ({"pid": np.array(["P1"] * 35)}, r"pid.npy must have one entry for each of 36 windows.* \(35,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(run, unlabelled, tmp_path, change, said):
    folder = shutil.copytree(unlabelled.parent, tmp_path / "others")
    for name, array in change.items():
        np.save(folder / f"{name}.npy", array)
        if len(array) == 9:
            (folder / "pid.npy").unlink(), (folder / "T.npy").unlink()
    with pytest.raises(UserError, match=said):
        predict_files(run.classifier, [folder / "X.npy"])


def test_windows_are_no_recordings(run):
    with pytest.raises(UserError, match=r"signals of shape \(200, 3\), not recordings"):
        predict_files(run.classifier, ["some.wav"])


@pytest.mark.slow
def test_other_people_can_be_scored(run, tmp_path):
    scores = pipeline_of(run).evaluate(run, write_people(tmp_path / "others", people=2, seed=1))
    assert scores["examples"] == 36
    assert "smoothed" in scores


@pytest.mark.parametrize(
    ("options", "people"),
    [
        ({"test": ("P1", "P7"), "validation": ("P2",)}, {"test": 2, "validation": 1, "train": 5}),
        ({"test": 3, "validation": 2}, {"test": 3, "validation": 2, "train": 3}),
        ({"test": 0.25, "validation": 0.5}, {"test": 2, "validation": 3, "train": 3}),
        ({"test": 0, "validation": 1}, {"validation": 1, "train": 7}),
        ({}, {"test": 2, "validation": 1, "train": 5}),
    ],
)
def test_people_are_parted_by_name_number_or_fraction(wrists, options, people):
    pipeline = Capture24(data=wrists, **options, **SMALL)
    split = pipeline.split(pipeline.manifest())
    assert len(split) == 8 * 18
    assert split.groupby("part")["group"].nunique().to_dict() == people
    assert split.groupby("group")["part"].nunique().max() == 1
    if "test" in options and isinstance(options["test"], tuple):
        assert set(split.loc[split["part"] == "test", "group"]) == {"P1", "P7"}


@pytest.mark.parametrize(("folds", "models"), [(3, 3), ("leave_one_out", 6)])
def test_cross_validation_holds_every_person_out_once(wrists, folds, models):
    pipeline = Capture24(data=wrists, test=2, **{**SMALL, "cross_validation": folds})
    members = members_of(pipeline, pipeline.split(pipeline.manifest()))
    assert len(members) == models
    held_out = []
    for _, _, split, _ in members.values():
        assert split.groupby("group")["part"].nunique().max() == 1
        assert split.loc[split["part"] == "test", "group"].nunique() == 2
        held_out += split.loc[split["part"] == "validation", "group"].unique().tolist()
    assert len(held_out) == len(set(held_out)) == 6


def test_in_cross_validation_nobody_is_kept_for_the_end_unless_told(wrists):
    pipeline = Capture24(data=wrists, sample_rate=20, label_column="label:simple")
    split = pipeline.split(pipeline.manifest())
    assert set(split["part"]) == {"train"}
    assert split["fold"].nunique() == 5


def test_a_split_that_parts_a_person_is_refused(wrists, tmp_path):
    class Careless(Capture24):
        def split(self, manifest):
            return manifest.assign(part=np.resize(["train", "validation"], len(manifest)))

    with pytest.raises(UserError, match="8 groups are on both sides of the split: P1, P2"):
        Careless(data=wrists, out=tmp_path / "run", **SMALL).train()


def test_the_published_people_test_where_they_are():
    everybody = pd.DataFrame({"group": [f"P{n:03}" for n in range(1, 152)] * 2, "label": "sleep"})
    split = Capture24().split(everybody)
    assert tuple(split.loc[split["part"] == "test", "group"].drop_duplicates()) == PUBLISHED_TEST
    published = Capture24.preset("published").split(everybody)
    assert published.groupby("part")["group"].nunique().to_dict() == {"train": 100, "validation": 51}


def test_the_published_features_and_recipe(rng, wrists):
    pipeline = Capture24.preset("published")
    signals = rng.normal(0, 0.3, (2, 3000, 3)).astype(np.float32)
    settings = {"nperseg": 120, "noverlap": 72, "window": "hann", "boundary": None, "padded": False}
    # As the original draws them; those that it trains on are not divided by the window's sum, 60
    _, _, spectra = scipy.signal.stft(signals, axis=1, **settings)
    expected = np.log(60 * abs(spectra) + 1e-16).transpose(0, 3, 1, 2)
    features = pipeline.front_end()(signals)
    assert features.shape == (2, 61, 61, 3)
    np.testing.assert_allclose(features, expected, atol=2e-3)
    model = pipeline.backbone((61, 61, 3), 5)
    assert sum(np.size(weights) for weights in model.trainable_weights) == 2_776_357
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)
    assert not pipeline.augmentation().layers
    rows = pd.DataFrame({"label": ["a", "b"]})
    (phase,) = dataclasses.replace(pipeline, data=wrists).training(rows, ["a", "b"]).phases
    assert (phase.learning_rate, phase.learning_rate_end, phase.epochs) == (3e-4, 1, 5)
    assert (pipeline.batch_size, pipeline.validation_batch_size, pipeline.keep) == (32, 1024, "last")
    assert (pipeline.clip_norm, pipeline.training(rows, ["a", "b"]).order) == (None, None)


@pytest.mark.parametrize(("channels", "number"), [("axes", 3), ("norm", 1), ("both", 4)])
def test_the_norm_is_one_channel_more_or_the_only_one(channels, number):
    front_end = Capture24.preset("published", channels=channels).front_end()
    assert front_end(np.zeros((1, 3000, 3))).shape == (1, 61, 61, number)


@pytest.mark.parametrize("channels", ["axes", "norm", "both"])
def test_gravity_stands_before_the_spectra(channels, rng):
    pipeline = Capture24(channels=channels)
    window = rng.normal(0, 0.3, (1, 3000, 3)).astype(np.float32)
    features = pipeline.front_end()(window).numpy()
    spectra = dataclasses.replace(pipeline, gravity=False).front_end()(window).numpy()
    np.testing.assert_array_equal(features[:, :, 1:], spectra)
    norm = np.linalg.norm(window, axis=2, keepdims=True)
    vectors = {"axes": window, "norm": norm, "both": np.concatenate([window, norm], axis=2)}[channels]
    expected = np.average(vectors[0, 1000 - 60 : 1000 + 60], axis=0, weights=np.hanning(121)[:-1])
    np.testing.assert_allclose(features[0, 10, 0], expected, atol=1e-5)


def test_spectra_of_several_lengths_share_their_middles():
    click = np.zeros((1, 3000, 3), np.float32)
    click[0, 1500] = 1
    features = Capture24(gravity=False).front_end()(click).numpy()[0, :, :, 0]
    short, long = features[:, :19], features[:, 19:]
    assert short.sum(axis=1).argmax() == long.sum(axis=1).argmax() == 15
    for bins, half in ((short, 60), (long, 320)):
        heard = np.flatnonzero((bins > np.log(0.031)).any(axis=1)) * 100
        assert 0 <= half - abs(heard - 1500).max() <= 100


@pytest.mark.parametrize(
    ("sample_rate", "samples", "max_hz", "bins"),
    [(100, 3000, 15.0, 1 + 19 + 97), (20, 600, 15.0, 1 + 13 + 65), (100, 3000, None, 1 + 61 + 321)],
)
def test_frames_last_as_long_and_reach_as_high_at_any_rate(sample_rate, samples, max_hz, bins):
    pipeline = Capture24(sample_rate=sample_rate, max_hz=max_hz)
    assert [length / sample_rate for length in pipeline.frame_lengths] == [1.2, 6.4]
    assert pipeline.front_end().compute_output_shape((None, samples, 3)) == (None, 31, bins, 4)


@pytest.mark.parametrize(("model", "layers"), [("bin_statistics", 2), ("pyramid", 3)])
def test_augmentation_turns_and_scales_and_may_shift(wrists, model, layers):
    pipeline = Capture24(data=wrists, model=model, **SMALL)
    chain = pipeline.augmentation().signals
    assert len(chain.layers) == layers
    windows = pipeline.reader()(pd.DataFrame(index=range(40)))
    changed = chain(windows, seed=[0, 1]).numpy()
    before, after = (np.sort(np.linalg.norm(x, axis=2), axis=1) for x in (windows, changed))
    gain = (after / before).mean(axis=1)
    np.testing.assert_allclose(after, before * gain[:, np.newaxis], rtol=1e-4)
    assert 10 ** (-1.3 / 20) <= gain.min() < 0.95 and 1.05 < gain.max() <= 10 ** (1.3 / 20)
    assert not Capture24(augment=False).augmentation().layers


def test_all_bad_windows_are_listed_or_left_out(tmp_path):
    data = write_people(tmp_path / "wrists")
    signals = np.load(data / "X.npy")
    signals[[5, 77], 3, 1] = np.nan
    np.save(data / "X.npy", signals)
    with pytest.raises(
        UserError, match=r"2 of 144 examples cannot be used: 5 \(holds NaN .*; 77 \(holds NaN"
    ):
        Capture24(data=data, out=tmp_path / "run", **SMALL).train()
    np.save(data / "X.npy", np.full_like(signals, np.nan))
    with pytest.raises(UserError, match=r"144 of 144 .* 99 \(holds NaN or infinity in float32\) and 44 more"):
        Capture24(data=data, on_bad_file="skip", **SMALL).train()
    np.save(data / "X.npy", signals)
    pipeline = Capture24(data=data, on_bad_file="skip", **SMALL)
    manifest, bad = usable(pipeline)
    assert (len(manifest), list(bad.index)) == (142, [5, 77])
    assert np.isfinite(pipeline.reader()(manifest)).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"frame_length": 201}, "frame_length must be at most a window's 200. Received: 201"),
        ({"frame_length": (24, -1)}, r"frame_length must be a whole number from 1 .*Received: \(24, -1\)"),
        ({"frame_length": ()}, "frame_length must be at least one"),
        ({"frame_step": 0}, "frame_step must be a whole number from 1 "),
        ({"log_offset": float("nan")}, "log_offset must be a number above 0, .*nan"),
        ({"cross_validation": 1}, "at least 2 folds"),
        ({"max_hz": 0}, "max_hz must be a number above 0, "),
        ({"dropout": 1}, "dropout must be a number from 0, below 1. Received: 1"),
        ({"label_column": "label:none"}, "no column label:none. It has: annotation, label:simple"),
        ({"test": ("P1", "P99")}, "nobody called P99"),
        ({"test": 8}, "from 0 to 7"),
        ({"validation": 0, "keep": "best"}, "nothing in the part validation"),
    ],
)
def test_options_that_cannot_be(wrists, tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        Capture24(data=wrists, out=tmp_path / "run", **{**SMALL, **options}).train(verbose=0)


@pytest.mark.parametrize("examples", others_slow(["first", "random"], "first"))
def test_ten_spectrograms_of_the_norm_are_drawn_of_each_class(wrists, examples, few_examples, monkeypatch):
    monkeypatch.setattr(Capture24, "examples_per_class", few_examples)
    pipeline = Capture24(data=wrists, examples=examples, **SMALL)
    manifest = pipeline.manifest()
    grid = np.reshape(examples_of(pipeline, manifest, pipeline.front_end()).axes, (3, 10))
    assert [row[0].get_ylabel() for row in grid] == ["running", "sitting", "walking"]
    drawn = np.array(grid[2, 0].images[0].get_array())
    assert drawn.shape == (13, 18)
    first = manifest[manifest["label"] == "walking"].iloc[[0]]
    norm = np.linalg.norm(pipeline.reader()(first)[0], axis=1)
    frame = np.abs(np.fft.rfft(norm[:24] * np.hanning(25)[:24]))
    assert np.allclose(drawn[:, 0], np.log(frame + 0.03), atol=1e-2) == (examples == "first")


def test_rare_activities_weigh_more_on_request(wrists):
    rows = pd.DataFrame({"label": ["a"] * 3 + ["b"]})
    assert Capture24(data=wrists).training(rows, ["a", "b"]).weights is None
    weights = Capture24(data=wrists, balance=True).training(rows, ["a", "b"]).weights
    np.testing.assert_allclose(weights, [2 / 3] * 3 + [2])


@pytest.mark.parametrize(
    ("words", "test"), [(["3"], 3), (["0.2"], 0.2), (["P1", "P2"], ("P1", "P2")), (["007"], 7)]
)
def test_command_line_takes_names_numbers_and_parts(words, test):
    pipeline = tyro.cli(Capture24, args=["--test", *words, "--cross-validation", "leave_one_out"])
    assert pipeline.test == test
    assert pipeline.cross_validation == "leave_one_out"


PEAK = """
import resource, sys
from tfspec.pipelines import Capture24
options = {"label_column": "label:simple", "epochs": 1, "validation_batch_size": 128}
Capture24(data=sys.argv[1], out=sys.argv[1] + "/run", **options).train(verbose=0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_training_on_ten_times_as_much_takes_no_more_memory(tmp_path):
    """Of what takes no place on the disk; the batches that are read ahead are full from 1,300 windows on."""
    peaks = []
    for windows in (2_000, 20_000):
        data = tmp_path / str(windows)
        data.mkdir()
        np.lib.format.open_memmap(data / "X.npy", "w+", np.float32, (windows, 3000, 3)).flush()
        np.save(data / "Y.npy", np.resize(["a", "b"], windows))
        np.save(data / "T.npy", 30 * np.arange(windows))
        np.save(data / "pid.npy", np.sort(np.resize(np.arange(50), windows)))
        (data / DICTIONARY).write_text("annotation,label:simple\na,a\nb,b\n")
        done = subprocess.run([sys.executable, "-c", PEAK, data], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < 1.15 * peaks[0]


@pytest.mark.parametrize("samples", [20, 100, 201])
def test_windows_of_another_length_are_refused_and_both_lengths_named(run, wrists, tmp_path, samples):
    shutil.copytree(wrists, tmp_path / "other")
    np.save(tmp_path / "other" / "X.npy", np.zeros((144, samples, 3), np.float32))
    with pytest.raises(UserError, match=rf"takes signals of shape \(200, 3\).*have \({samples}, 3\)"):
        pipeline_of(run).evaluate(run, tmp_path / "other")
