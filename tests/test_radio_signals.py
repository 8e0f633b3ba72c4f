"""The pipeline for radio signals: simulated ones, tables and image files."""

import json
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from renderings import RENDERINGS, validation_set

from tfspec import UserError
from tfspec.cli import main as cli
from tfspec.data.sources import pictures, simulate
from tfspec.data.sources.pictures import write_table
from tfspec.data.sources.simulate import RADIO_CLASSES, radio_pictures
from tfspec.experiment import pipeline as pipeline_module
from tfspec.experiment.drawing import in_training
from tfspec.experiment.members import members_of
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.run import Run
from tfspec.inference import predict_files
from tfspec.pipelines import RadioSignals

SMALL = {"epochs": 1, "batch_size": 8}
NUM = 40
LOSSY = (
    "jet, inverted, grey",
    "every second bin, scipy zoom order 3, 8 bits",
    "nearest cell of log power",
    "matplotlib figure of log power",
)
"""Renderings that leave out cells, or give two levels of power the same grey."""


@pytest.fixture(scope="module")
def drawn():
    """Return pictures of another simulator, and their labels."""
    found, labels = validation_set(("log power, min-max",), NUM, seed=0)
    return found["log power, min-max"], [RADIO_CLASSES[label] for label in labels]


@pytest.fixture(scope="module")
def table(drawn, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "some.csv"
    write_table(path, [drawn])
    return path


@pytest.fixture(scope="module")
def folder(drawn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "pictures"
    for i, (picture, label) in enumerate(zip(*drawn, strict=True)):
        (folder / label.lower()).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.uint8(255 * picture)).save(folder / label.lower() / f"{i:02}.png")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return RadioSignals(num_train=24, num_validation=8, out=out, **SMALL).train(verbose=0)


def test_simulated_signals_are_numbered_and_simulated_once(run, monkeypatch):
    assert run.split["part"].tolist() == ["train"] * 24 + ["validation"] * 8
    assert run.predictions["index"].tolist() == list(range(24, 32))
    assert not (run.folder / "groups.csv").exists()  # each is a group of its own
    rows = run.split.iloc[[3, 30]]
    expected = radio_pictures(list(rows["label"]), np.array([[0, 3], [0, 30]]))
    monkeypatch.setattr(simulate, "radio_pictures", None)
    np.testing.assert_allclose(pipeline_of(run).reader()(rows), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_all_members_train_on_the_data_that_split_csv_describes(tmp_path, processes):
    members = RadioSignals(
        num_train=8,
        num_validation=4,
        num_members=2,
        processes=processes,
        seed=5,
        out=tmp_path / "run",
        **SMALL,
    ).train(verbose=0)
    assert [member.seed for member in members_of(pipeline_of(members), members.split).values()] == [5, 6]
    rows = members.split
    expected = radio_pictures(list(rows["label"]), np.array([[5, index] for index in rows.index]))
    for member in members_of(pipeline_of(members), members.split).values():
        np.testing.assert_allclose(member.steps.reader()(rows), expected, atol=1e-6)
    assert len(list((tmp_path / ".tables").iterdir())) == 1
    assert {name.partition(",")[0] for name in rows["group"]} == {"simulated with seed 5"}


def test_the_seed_of_the_data_and_that_of_the_run_are_two_things(tmp_path):
    assert RadioSignals(seed=3, num_train=4).manifest()["group"][0] == "simulated with seed 3, 0"
    both = RadioSignals(seed=3, data_seed=7, num_train=4, num_validation=4, out=tmp_path / "run")
    rows = both.manifest().iloc[[2]]
    np.testing.assert_allclose(
        both.reader()(rows), radio_pictures(rows["label"], np.array([[7, 2]])), atol=1e-6
    )


@pytest.mark.slow
def test_other_tables_and_folders_are_scored(run, table, folder, drawn):
    of_table, of_folder = pipeline_of(run).evaluate(run, table), pipeline_of(run).evaluate(run, folder)
    assert of_table["examples"] == of_folder["examples"] == NUM
    assert of_table["groups_trained_on"] == of_folder["groups_trained_on"] == []
    by_table = pd.read_csv(run.evaluation_folder(table) / "predictions.csv")
    by_folder = pd.read_csv(run.evaluation_folder(folder) / "predictions.csv")
    assert by_table["label"].tolist() == drawn[1]
    by_folder = by_folder.assign(index=by_folder["file"].str.extract(r"(\d+)\.png")[0].astype(int))
    by_folder = by_folder.sort_values("index")
    columns = [f"p_{name}" for name in RADIO_CLASSES]
    np.testing.assert_allclose(by_table[columns], by_folder[columns], atol=0.05)


@pytest.mark.slow
def test_single_pictures_are_classified(run, folder):
    files = sorted(folder.rglob("*.png"))[:3]
    pipeline_of(run).evaluate(run, folder)
    found = predict_files(run.classifier, files)
    expected = pd.read_csv(run.evaluation_folder(folder) / "predictions.csv").head(3)
    columns = [f"p_{name}" for name in RADIO_CLASSES]
    np.testing.assert_allclose(found[columns], expected[columns], atol=1e-5)
    assert found["file"].tolist() == [str(file) for file in files]
    table = predict_files(run.classifier, [files[0], "nowhere.png"])
    assert table["problem"].tolist() == [None, "no such file"]
    alone, together = (each.loc[0, columns].astype(float) for each in (table, found))
    np.testing.assert_allclose(alone, together, atol=1e-6)
    with pytest.raises(UserError, match="not recordings"):
        predict_files(run.classifier, files, hop_seconds=1.0)


@pytest.mark.parametrize("validate_on", ["stratified", "last"])
def test_a_table_is_split_by_class_or_in_its_order(table, tmp_path, validate_on):
    pipeline = RadioSignals(data=table, out=tmp_path / "run", validate_on=validate_on)
    split = pipeline.split(pipeline.manifest())
    validation = split[split["part"] == "validation"]
    assert validation["label"].value_counts().to_dict() == dict.fromkeys(RADIO_CLASSES, NUM // 20)
    assert (validation.index.tolist() == list(range(32, 40))) == (validate_on == "last")


@pytest.mark.slow
def test_a_run_on_a_table_reads_it_once(table, tmp_path, monkeypatch):
    parsed, parse = [], pictures._parse
    monkeypatch.setattr(pictures, "_parse", lambda *args: parsed.append(1) or parse(*args))
    run = RadioSignals(data=table, out=tmp_path / "run", **SMALL).train(verbose=0)
    assert run.metrics()["examples"] == 8
    again = Run(run.folder)
    assert pipeline_of(again).evaluate(again) == run.metrics()
    RadioSignals(data=table, out=tmp_path / "other").manifest()
    assert len(parsed) == 1
    assert (tmp_path / ".tables").is_dir()


@pytest.mark.slow
def test_bad_pictures_are_listed_or_left_out(folder, tmp_path):
    (folder / "noises" / "broken.png").write_text("no picture")
    try:
        with pytest.raises(UserError, match=r"1 of 41 .* noises/broken.png \(no PNG or JPEG file"):
            RadioSignals(data=folder, out=tmp_path / "run").train()
        run = RadioSignals(data=folder, out=tmp_path / "run", on_bad_file="skip", **SMALL).train(verbose=0)
    finally:
        (folder / "noises" / "broken.png").unlink()
    assert pd.read_csv(run.folder / "bad_files.csv")["path"].tolist() == ["noises/broken.png"]
    assert len(run.split) == NUM


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"validation": 0.6}, "validation must be a number above 0, at most 0.5 or a path. Received: 0.6"),
        (
            {"validation": "valid.csv"},
            "only where another one trains, given as --data. Received: ",
        ),
        ({"data": "train.csv", "validation": "valid.csv"}, "train.csv cannot be read: no such file"),
        ({"num_train": 0}, "num_train must be a whole number from 1 to 1,000,000. Received: 0"),
        ({"snr": (0.5, 0.1)}, r"snr must be two numbers from low to high, not negative. Received: \(0.5"),
        ({"data": "nowhere.csv"}, "nowhere.csv cannot be read: no such file"),
    ],
)
def test_options_that_cannot_be(options, said, tmp_path):
    with pytest.raises(UserError, match=said):
        RadioSignals(out=tmp_path / "run", **options).train()
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_one_table_trains_and_another_validates(table, drawn, tmp_path):
    write_table(tmp_path / "valid.csv", [(drawn[0][:8], drawn[1][:8])])
    out = tmp_path / "run"
    run = RadioSignals(data=table, validation=tmp_path / "valid.csv", out=out, **SMALL).train(verbose=0)
    assert run.split["part"].tolist() == ["train"] * NUM + ["validation"] * 8
    assert run.predictions["label"].tolist() == drawn[1][:8]
    pipeline = pipeline_of(Run(out))
    received = pipeline.reader()(run.split.iloc[[3, NUM + 5]])
    np.testing.assert_allclose(received, drawn[0][[3, 5]], atol=1e-6)
    assert pipeline.evaluate(run, table)["examples"] == NUM


def test_an_example_is_drawn_as_training_sees_it_before_it_does(table, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline_module, "fit_members", lambda *_: sys.exit())
    with pytest.raises(SystemExit):
        RadioSignals(data=table, out=tmp_path / "run", augment=("masks",)).train(verbose=0)
    assert Image.open(tmp_path / "run" / "figures" / "in_training.png").width > 1000
    pipeline = RadioSignals(data=table, out=tmp_path / "run", augment=("masks",), equalize=False)
    split = pipeline.split(pipeline.manifest())
    plain, *masked = in_training(pipeline, split).axes
    last = split[split["part"] == "train"].iloc[-1]  # there are fewer than 80
    assert plain.get_title() == f"{last['label']}: {last.name}"
    picture = plain.images[0].get_array()
    np.testing.assert_array_equal(picture, pipeline.reader()(split.loc[[last.name]])[0])
    for axes in masked:
        same = axes.images[0].get_array() == picture
        assert 0.1 < same.mean() < 0.99


def test_published_pixels_go_in_as_they_are(drawn):
    front_end = RadioSignals.preset("published").front_end()
    np.testing.assert_array_equal(front_end(drawn[0][:3])[..., 0], np.float32(drawn[0][:3]))


def test_published_training_is_adam_at_one_rate_for_fifteen_epochs_whatever_the_loss_does():
    rows = pd.DataFrame({"label": ["Noises"] * 3200})
    recipe = RadioSignals.preset("published").training(rows, RADIO_CLASSES)
    (phase,) = recipe.phases
    rates = phase.rates(steps_per_epoch=25)
    assert [round(float(rates(step)), 9) for step in (0, 100, 15 * 25)] == [1e-3] * 3
    assert (phase.epochs, phase.prepare, recipe.keep, recipe.weights) == (15, None, "best", None)
    assert type(recipe.optimizer(rates)) is keras.optimizers.Adam
    assert recipe.patience is None
    assert RadioSignals.preset("published").batch_size == 128


def test_masks_are_the_published_ones():
    """Four strips up to 15 of 128 columns wide, three up to 15 of 64 rows high."""
    layer = RadioSignals.preset("published").augmentation().features
    x = np.random.default_rng(0).normal(size=(300, 64, 128, 1)).astype(np.float32)
    changed = layer(x, seed=[1, 2], training=True).numpy() != x
    columns, rows = changed.all(1).sum(1), changed.all(2).sum(1)
    assert 15 < columns.max() <= 60 and 15 < rows.max() <= 45
    assert columns.mean() == pytest.approx(4 * 7.5, rel=0.2)
    assert rows.mean() == pytest.approx(3 * 7.5, rel=0.25)
    assert not RadioSignals(augment=()).augmentation().layers


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Return Keras's network for three channels, and the published one with the weights of its file."""
    path = tmp_path_factory.mktemp("weights") / "some.weights.h5"
    coloured = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(64, 128, 3), pooling="avg"
    )
    coloured.save_weights(path)
    return coloured, RadioSignals.preset("published", weights=path).backbone((64, 128, 1), 4)


@pytest.fixture
def noise(rng):
    return rng.uniform(size=(2, 64, 128, 1)).astype(np.float32)


@pytest.mark.slow
def test_the_published_network_sees_one_channel_as_keras_sees_it_three_times(networks, noise):
    """With the weights of one file, and without the mean and deviation of ImageNet's pixels."""
    coloured, backbone = networks
    pooled = keras.Model(backbone.input, backbone.layers[-2].output)(noise)
    expected = coloured(255 * np.repeat(noise, 3, axis=-1))
    np.testing.assert_allclose(pooled, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_the_published_network_has_one_linear_layer_and_trains_as_a_whole(networks, noise):
    """timm's EfficientNet-B0 with four classes and one channel has 4,012,096 parameters, and no dropout."""
    _, backbone = networks
    assert sum(int(np.prod(weight.shape)) for weight in backbone.trainable_weights) == 4_012_096
    kinds = [type(layer).__name__ for layer in backbone.layers]
    assert kinds == ["InputLayer", "Rescaling", "Functional", "GlobalAveragePooling2D", "Dense"]
    np.testing.assert_allclose(*(in_training_with(seed, backbone, noise) for seed in (0, 1)), rtol=1e-4)
    with pytest.raises(UserError, match="There is no file"):
        RadioSignals(network="efficientnet_b0", weights="nowhere.h5").backbone((64, 128, 1), 4)


def in_training_with(seed, backbone, x):
    keras.utils.set_random_seed(seed)
    return backbone(x, training=True).numpy()


def test_equalised_pictures_come_to_efficientnet_in_0_to_1():
    pipeline = RadioSignals(network="efficientnet_b0", weights="none")
    features = pipeline.front_end()(np.random.default_rng(0).uniform(size=(2, 64, 128)))
    assert features.shape == (2, 64, 128, 1)
    assert (np.min(features), np.max(features)) == (0, 1)


@pytest.mark.slow
def test_the_published_system_trains_and_exports(table, tmp_path):
    options = {"data": table, "validation": table, "weights": "none", "epochs": 2, "out": tmp_path / "run"}
    run = RadioSignals.preset("published", **options).train(verbose=0)
    assert len(run.history) == 2
    for quantize in ("none", "float16"):
        assert pipeline_of(run).export(run, quantize)["tflite"]["same_top_class"] == 1


def test_export_takes_pictures(run):
    assert pipeline_of(run).export(run)["tflite"]["same_top_class"] == 1


def test_view_names_both_labels_and_every_probability(run):
    figure = pipeline_of(run).view(run, example=5)
    left, right = figure.axes
    row = run.predictions.iloc[5]
    assert right.get_title(loc="left") == f"true: {row['label']}\npredicted: {row['predicted']}"
    assert left.get_title() == str(row["index"])
    bars = [bar.get_width() for bar in right.patches]
    np.testing.assert_allclose(bars, [row[f"p_{name}"] for name in RADIO_CLASSES], atol=1e-5)
    assert left.images[0].get_array().shape == (64, 128)
    with pytest.raises(UserError, match=r"has 8 examples, numbered from 0\. Received: 8"):
        pipeline_of(run).view(run, 8)


def test_commands(run, tmp_path, capsys):
    cli.main(["simulate", "radio", str(tmp_path / "s.csv"), "--num", "5", "--seed", "2"])
    written = pd.read_csv(tmp_path / "s.csv")
    assert written["labels"].tolist() == [*RADIO_CLASSES, "Squiggle"]
    expected = radio_pictures(RADIO_CLASSES[:1], np.array([[2, 0]]))
    np.testing.assert_allclose(written.drop(columns="labels").to_numpy()[0], expected.ravel(), atol=1e-6)
    cli.main(["evaluate", str(run.folder), "--data", str(tmp_path / "s.csv"), "--json"])
    assert json.loads(capsys.readouterr().out.partition("\n")[2])["examples"] == 5
    cli.main(["view", str(run.folder), "--example", "1", "--out", str(tmp_path / "v.png")])
    width, height = Image.open(tmp_path / "v.png").size
    assert height == 320 and width > 900
    cli.main(["view", str(run.folder)])
    assert (run.folder / "figures" / "view_0.png").exists()
    for arguments, said in (
        (
            ["simulate", "radio", str(tmp_path / "t.csv"), "--num", "0"],
            "num must be a whole number from 1 to 10,000,000. Received: 0",
        ),
        (["simulate", "radio", str(tmp_path / "t.csv"), "--snr", "2", "1"], "from low to high"),
        (["view", str(run.folder), "--example", "99"], "has 8 examples"),
        (["view", str(run.folder), "--out", "v.txt"], "png, pdf or svg"),
        (["evaluate", str(run.folder), "--data", "nowhere.csv"], "nowhere.csv cannot be read: no such file"),
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments)
        assert stop.value.code == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.slow
def test_a_kill_while_simulating_leaves_no_table(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from tfspec.cli.main import main\n"
        "from tfspec.data.sources import simulate\n"
        "batches = simulate.radio_batches\n"
        "def kill(*args):\n"
        "    yield next(batches(*args))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "simulate.radio_batches = kill\n"
        "main(['simulate', 'radio', sys.argv[1]])\n"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "s.csv"]).returncode == -9
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.slow
def test_a_model_of_simulated_signals_knows_the_original_s_in_many_renderings(tmp_path):
    run = RadioSignals(out=tmp_path / "run").train(verbose=2)
    found, labels = validation_set(tuple(RENDERINGS), 400, seed=5)
    accuracy = {
        name: (run.classifier.probabilities(drawn).argmax(1) == labels).mean()
        for name, drawn in found.items()
    }
    print(pd.Series(accuracy))
    whole = [name for name in accuracy if name not in LOSSY]
    assert min(accuracy[name] for name in whole) > 0.85
