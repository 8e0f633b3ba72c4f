"""Data of one's own: one command from each kind to a scored and exported classifier."""

import contextlib
import json
import re
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from families import others_slow
from tones import write_tones

from tfspec.base.errors import UserError
from tfspec.cli import main as cli
from tfspec.data.label_targets import targets
from tfspec.data.sources import windows
from tfspec.experiment.registry import pipeline_for, pipeline_of
from tfspec.experiment.run import Run
from tfspec.experiment.splitting import checked_split, folds_of
from tfspec.inference import load_model, predict_files
from tfspec.models import linear, residual
from tfspec.pipelines import OwnPictures, OwnRecordings, OwnWindows, own_windows, small_data

QUICK = ["--epochs", "1", "--folds", "2"]
RATE = 8000


def tone(hertz, seconds=0.5):
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def write_class_folders(folder):
    return write_tones(folder, {"high": 2000, "low": 300}, speakers=3)


def write_table(folder):
    """Several labels at once, one of them unknown."""
    folder.mkdir()
    rows = []
    for i in range(16):
        holds = {"high": i % 2, "low": i // 2 % 2}
        sound = sum(
            (tone({"high": 2000, "low": 300}[name]) for name, on in holds.items() if on), np.zeros(4000)
        )
        soundfile.write(folder / f"{i}.wav", sound + 1e-3 * np.random.default_rng(i).normal(size=4000), RATE)
        rows.append({"file": f"{i}.wav", **holds, "site": f"s{i // 4}"})
    rows[5]["low"] = ""
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder / "labels.csv"


def write_raven(folder):
    folder.mkdir()
    columns = ("Selection", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)", "Species")
    for i in range(4):
        sound, rows = 1e-3 * np.random.default_rng(i).normal(size=10 * RATE), []
        for number, (start, hertz) in enumerate([(1, 300), (4, 2000), (7, 300)], 1):
            sound[start * RATE : start * RATE + 4000] += tone(hertz)
            rows.append([number, start, start + 0.5, 100, 3000, "low" if hertz < 1000 else "high"])
        soundfile.write(folder / f"dawn{i}.wav", sound, RATE)
        table = pd.DataFrame(rows, columns=columns)
        table.to_csv(folder / f"dawn{i}.Table.1.selections.txt", sep="\t", index=False)
    return folder


def write_arrays(folder):
    folder.mkdir()
    rng = np.random.default_rng(0)
    label = np.arange(24) % 2
    waves = np.sin(np.arange(100) * (0.2 + label[:, None]))[..., None] * rng.normal(size=3)
    np.savez(
        folder / "moves.npz",
        X=(waves + 0.1 * rng.normal(size=(24, 100, 3))).astype(np.float32),
        y=np.array(["sit", "walk"])[label],
        groups=np.arange(24) // 4,
    )
    return folder / "moves.npz"


def write_pictures(folder):
    import keras

    rng = np.random.default_rng(0)
    for i in range(24):
        picture = rng.random((40, 48, 1))
        picture[:, 10 * (i % 2 + 1)] = 1
        (folder / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(folder / "ab"[i % 2] / f"{i}.png", picture)
    return folder


KINDS = {
    "class folders": write_class_folders,
    "table": write_table,
    "annotated recordings": write_raven,
    "windows": write_arrays,
    "pictures": write_pictures,
}
TAKES = {"windows": "windows", "pictures": "picture"}


@pytest.mark.parametrize(
    ("kind", "network"),
    others_slow(
        [("class folders", linear), ("table", linear), *((each, residual) for each in KINDS)],
        ("class folders", linear),  # test_several.py trains on several labels at once
    ),
)
def test_one_command_leaves_a_scored_and_exported_model(kind, network, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(small_data, "residual", network)
    data = KINDS[kind](tmp_path / "data")
    cli.main(["train", str(data), *QUICK, "--out", str(tmp_path / "run")])
    said = capsys.readouterr().out
    assert "Exported, each file compared on" in said
    run = Run(tmp_path / "run")
    assert run.metrics()["examples"] == len(run.split)
    assert {path.name for path in (run.folder / "export").iterdir()} >= {"model.tflite", "saved_model"}
    assert sorted(run.split["fold"].unique()) == [0, 1]
    shutil.move(data, tmp_path / "elsewhere")
    options = pipeline_of(run).options()
    assert options["folds"] == 2 and options["labels"] == run.classifier.labels
    exported = load_model(run.folder / "export" / "model.tflite")
    assert run.classifier.takes == exported.takes == TAKES.get(kind, "recording")


def test_a_model_of_pictures_of_any_size_predicts_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(small_data, "residual", linear)
    folder = write_pictures(tmp_path / "data")
    run = OwnPictures(data=folder, out=tmp_path / "run", epochs=1, folds=0, exported=False).train()
    table = predict_files(load_model(run.folder), [folder / "a"])
    assert len(table) == 12 and table["predicted"].isin(["a", "b"]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_recognised_and_settled(kind, tmp_path):
    data = KINDS[kind](tmp_path / "data")
    made, settled = pipeline_for(str(data))
    steps, split, bad = checked_split(made(**settled))
    assert steps.takes == TAKES.get(kind, "recording")
    assert (steps.keep, steps.patience, bad.empty) == ("last", None, True)
    assert steps.settled(split.drop(columns=["part", "fold"])) == steps  # nothing is chosen twice
    for each in folds_of(split).values():
        sides = [set(each["group"][each["part"] == part]) - {""} for part in ("train", "validation")]
        assert not sides[0] & sides[1]


@pytest.mark.parametrize(("network", "weights"), [("residual", "none"), ("mobilenet_v2", "imagenet")])
def test_a_network_that_begins_with_nothing_is_not_said_to_have_weights(tmp_path, network, weights):
    steps, _, _ = checked_split(OwnRecordings(data=write_class_folders(tmp_path / "a"), network=network))
    assert steps.weights == weights


def test_groups_are_those_of_the_names_and_said(tmp_path, capsys):
    steps, split, _ = checked_split(OwnRecordings(data=write_class_folders(tmp_path / "a")))
    assert steps.split_by == "group" and steps.folds == split["group"].nunique() == 3
    assert (
        "Groups, each on one side of the split: 3, as the first part of the names" in capsys.readouterr().out
    )


def test_without_groups_copies_of_a_file_stay_together(tmp_path, capsys):
    for i in range(10):
        for name, hertz in {"high": 2000, "low": 300}.items():
            (tmp_path / name).mkdir(exist_ok=True)
            soundfile.write(tmp_path / name / f"{i}.wav", tone(hertz + 3 * (i // 2)), RATE)
    _, split, _ = checked_split(OwnRecordings(data=tmp_path))
    assert "No groups are known" in capsys.readouterr().out
    assert (split.groupby("digest")["fold"].nunique() == 1).all()
    assert split["digest"].nunique() == 10


def write_rows(folder, header, row):
    """Write tones of three classes from four sites, and a table with a row for each."""
    tones = write_tones(folder / "tones", {"high": 2000, "low": 300, "middle": 800}, speakers=4)
    paths = sorted(path.relative_to(folder).as_posix() for path in tones.rglob("*.wav"))
    lines = [row(path, Path(path).parent.name, number) for number, path in enumerate(paths)]
    (folder / "table.csv").write_text("\n".join([header, *lines]))
    return folder / "table.csv"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("file,label", lambda path, label, number: f"{path},{label if number else ''}"),
        (
            "file,high,low,middle",
            lambda path, label, _: ",".join(
                [path, *(str(int(label == n)) for n in ("high", "low", "middle"))]
            ),
        ),
    ],
    ids=["one row has no label", "columns of classes"],
)
def test_names_tell_groups_and_not_classes(tmp_path, header, row):
    data = write_rows(tmp_path, header, row)
    steps = OwnRecordings(data=data, on_bad_file="skip", folds=2)
    assert checked_split(steps)[1]["group"].nunique() == 4


def test_parts_of_a_table_stand_where_groups_are_but_guessed(tmp_path, capsys):
    part = {0: "train", 1: "val"}
    data = write_rows(tmp_path, "file,label,split", lambda path, label, n: f"{path},{label},{part[n % 2]}")
    _, split, _ = checked_split(OwnRecordings(data=data))
    assert split["part"].value_counts().to_dict() == {"train": len(split) // 2, "validation": len(split) // 2}
    assert "No groups are known" in capsys.readouterr().out
    table = pd.read_csv(data).assign(site="here")
    table.to_csv(data, index=False)
    with pytest.raises(UserError, match=r"1 group is on both sides of the split: here. .* --split-by file"):
        checked_split(OwnRecordings(data=data, group_column="site"))


def test_a_table_of_which_nothing_can_be_used(tmp_path, capsys):
    (tmp_path / "table.csv").write_text("file,label\nC:\\rec\\a.wav,owl\nC:\\rec\\b.wav,wren\n")
    with pytest.raises(SystemExit) as ended:
        cli.main(["check", str(tmp_path / "table.csv")])
    assert ended.value.code == 1 and "C:/rec/a.wav: row 1: no such file" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"2 of 2 examples cannot be used: C:/rec/a\.wav"):
        checked_split(OwnRecordings(data=tmp_path / "table.csv"))


def test_check_takes_the_columns_that_train_takes(tmp_path, capsys):
    data = write_rows(tmp_path, "Datei,Art", lambda path, label, n: f"{path},{label if n else 'High'}")
    with pytest.raises(SystemExit):
        cli.main(["check", str(data)])
    assert "give --path-column" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", str(data), "--help-all"])
    assert not ended.value.code and "--path-column" in capsys.readouterr().out
    with contextlib.suppress(SystemExit):
        cli.main(["check", str(data), "--path-column", "Datei", "--label-column", "Art"])
    said = capsys.readouterr().out
    assert "columns Datei → path, Art → label" in said
    assert "Classes that differ in case only are different classes: High, high." in said


def test_groups_that_share_a_file_stay_together(tmp_path, capsys):
    folder = write_tones(tmp_path / "a", {"high": 2000, "low": 300}, speakers=6)
    for name in ("high", "low"):
        files = sorted((folder / name).glob("*.wav"))
        speakers = sorted({file.name.split("_")[0] for file in files})
        first = next(file for file in files if file.name.startswith(speakers[0]))
        shutil.copy(first, first.with_name(first.name.replace(speakers[0], speakers[1])))
    _, split, _ = checked_split(OwnRecordings(data=folder, groups="^([^_]+)"))
    assert "copies of one file stay together: 5 are left" in capsys.readouterr().out
    folds = split.groupby("group")["fold"].first()
    assert folds[speakers[0]] == folds[speakers[1]]
    assert (split.groupby("digest")["fold"].nunique() == 1).all()


def test_copies_in_a_table_stay_together(tmp_path):
    for i in range(20):
        soundfile.write(tmp_path / f"{i}.wav", tone(300 + 100 * (i // 2)), RATE)
    rows = pd.DataFrame({"file": [f"{i}.wav" for i in range(20)], "label": [*"aabb"] * 5})
    rows.to_csv(tmp_path / "t.csv", index=False)
    _, split, _ = checked_split(OwnRecordings(data=tmp_path / "t.csv"))
    assert (split.groupby("digest")["fold"].nunique() == 1).all() and split["digest"].nunique() == 10


def test_long_recordings_are_cut_into_windows_and_scored_whole(tmp_path, capsys):
    for i in range(4):
        for name, hertz in {"high": 2000, "low": 300}.items():
            (tmp_path / name).mkdir(exist_ok=True)
            soundfile.write(tmp_path / name / f"{name}{i}.wav", tone(hertz + i, seconds=12), RATE)
    steps, split, _ = checked_split(OwnRecordings(data=tmp_path))
    assert (steps.clip_seconds, len(split)) == (5.0, 8 * 3)
    assert split.groupby("path")["fold"].nunique().max() == 1
    assert steps.recordings_of(split).tolist() == split["path"].tolist()


def test_a_file_that_is_missing_is_told_where_others_are_cut_into_windows(tmp_path):
    names = [f"{name}{i}.wav" for name in "ab" for i in range(3)]
    for i, name in enumerate(names):
        soundfile.write(tmp_path / name, tone(500 + i, seconds=12), RATE)
    rows = pd.DataFrame({"file": [*names, "missing.wav"], "label": [*"aaabbb", "a"]})
    rows.to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(UserError, match=r"missing.wav@0.00 \(row 7: no such file"):
        checked_split(OwnRecordings(data=tmp_path / "table.csv"))
    _, split, _ = checked_split(OwnRecordings(data=tmp_path / "table.csv", on_bad_file="skip"))
    assert len(split) == 6 * 3


def test_a_class_that_nothing_is_of_is_told(tmp_path):
    folder = write_class_folders(tmp_path / "a")
    with pytest.raises(UserError, match="No example is of a class that --classes names: hihg"):
        checked_split(OwnRecordings(data=folder, classes=("hihg", "high", "low")))
    with pytest.raises(UserError, match="There are: high, low"):
        checked_split(OwnRecordings(data=folder, classes=("hihg",)))
    with pytest.raises(UserError, match="with at least one of them or none"):
        OwnRecordings(data=folder, classes=())


def test_folds_are_as_many_as_groups_that_train(tmp_path):
    folder = write_class_folders(tmp_path / "a")
    files = sorted(folder.glob("*/*.wav"))
    rows = pd.DataFrame(
        {
            "file": [each.relative_to(folder).as_posix() for each in files],
            "label": [each.parent.name for each in files],
            "speaker": [each.name.split("_")[0] for each in files],
        }
    )
    last = sorted(rows["speaker"].unique())[-1]
    rows.assign(part=np.where(rows["speaker"] == last, "test", "train")).to_csv(folder / "t.csv", index=False)
    steps, split, _ = checked_split(OwnRecordings(data=folder / "t.csv"))
    assert steps.folds == 2 and set(split.loc[split["part"] == "train", "fold"]) == {0, 1}
    rows.assign(part=np.where(rows["speaker"] == last, "val", "train")).to_csv(folder / "t.csv", index=False)
    assert checked_split(OwnRecordings(data=folder / "t.csv"))[0].folds == 0
    with pytest.raises(UserError, match="say which examples validate: give no --folds"):
        checked_split(OwnRecordings(data=folder / "t.csv", folds=3))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_hz": 10.0}, "max_hz needs sample_rate"),
        ({"smoothing": True}, "smoothing needs sample_rate"),
        ({"smoothing": True, "sample_rate": 20}, "no array of times"),
    ],
)
def test_what_windows_cannot_do_without_rate_or_times_is_told(options, said, tmp_path):
    path = write_arrays(tmp_path / "a")
    with pytest.raises(UserError, match=said):
        checked_split(OwnWindows(data=path, **options))


def test_windows_of_nobody_known_cannot_be_smoothed(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones((24, 60)), y=np.arange(24) % 2, times=np.arange(24))
    with pytest.raises(UserError, match="whose a window is: the data have no array of groups"):
        checked_split(OwnWindows(data=tmp_path / "a.npz", smoothing=True, sample_rate=20))


def test_windows_with_their_channels_first_are_told(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones((24, 3, 60)), y=np.arange(24) % 2)
    with pytest.raises(UserError, match=r"at least 50 samples, their channels on the last .* \(3, 60\)"):
        OwnWindows(data=tmp_path / "a.npz").manifest()


def test_shares_of_windows_are_learnt(tmp_path):
    path, rng = tmp_path / "a.npz", np.random.default_rng(0)
    first = rng.uniform(size=24)
    np.savez(path, X=rng.normal(size=(24, 60)), y=np.stack([first, 1 - first], 1), groups=np.arange(24) // 4)
    steps, split, _ = checked_split(OwnWindows(data=path))
    truth = targets(split, ["0", "1"])
    loss = steps.training(split, ["0", "1"]).loss(truth, np.zeros((24, 2)))
    assert steps.labels == "one" and float(loss) == pytest.approx(np.log(2))


def test_rare_ones_of_several_labels_can_count_more(tmp_path):
    several = np.array([[1, 0], [1, 0], [1, 1], [np.nan, 1]] * 6)
    path = tmp_path / "a.npz"
    np.savez(path, X=np.random.default_rng(0).normal(size=(24, 60)), y=several, names=["a", "b"])
    steps, split, _ = checked_split(OwnWindows(data=path, balance=True))
    weights = steps.training(split, steps.class_names(split)).weights
    assert weights[3] > weights[2] > weights[0] and np.isfinite(weights).all()


def test_pictures_of_any_size_may_stand_or_lie(tmp_path):
    import keras

    for i, shape in enumerate([(64, 128), (64, 128), (128, 64)] * 2):
        (tmp_path / "ab"[i // 3]).mkdir(exist_ok=True)
        keras.utils.save_img(tmp_path / "ab"[i // 3] / f"{i}.png", np.zeros((*shape, 1)))
    steps, split, _ = checked_split(OwnPictures(data=tmp_path))
    assert steps.reader()(split).shape == (6, 64, 128)
    with pytest.raises(UserError, match=r"3 for colours. Received: 64 64 2"):
        OwnPictures(data=tmp_path, picture_shape=(64, 64, 2))


def test_what_is_cut_is_said(tmp_path, capsys):
    steps = OwnRecordings(data=write_class_folders(tmp_path / "a"), clip_seconds=0.4)
    checked_split(steps)
    assert "12 of 12 are cut by up to 0.10 s" in capsys.readouterr().out


def test_a_class_of_one_group_stops_and_says_what_works(tmp_path):
    folder = write_class_folders(tmp_path / "a")
    (folder / "only").mkdir()
    shutil.copy(next(folder.glob("low/*.wav")), folder / "only" / "speaker0_nohash_0.wav")
    with pytest.raises(UserError, match="Every example of only is in one fold"):
        checked_split(OwnRecordings(data=folder, groups="^([^_]+)"))


def embedding_file(folder, suffix):
    """A network of other people's: the mean loudness of four parts of 100 ms at 8 kHz."""
    import keras
    import tensorflow as tf

    signal = keras.Input((800,))
    parts = keras.ops.mean(keras.ops.square(keras.ops.reshape(signal, (-1, 4, 200))), axis=2)
    network = keras.Model(signal, keras.layers.Dense(3, name="embedding")(parts))
    network.save(folder / "loud.keras")
    (folder / "loud.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    (folder / "loud.json").write_text('{"sample_rate": 8000, "window_seconds": 0.1, "output": 0}')
    return folder / f"loud{suffix}"


@pytest.mark.parametrize("suffix", [".keras", ".tflite"])
def test_a_last_layer_learns_on_a_network_of_other_peoples(tmp_path, suffix):
    data = write_class_folders(tmp_path / "a")
    own = OwnRecordings(data=data, embedding=embedding_file(tmp_path, suffix))
    steps, split, _ = checked_split(own)
    assert steps.sample_rate == 8000 and steps.augmentation().layers == []
    features = steps.front_end()(steps.reader()(split[:2]))
    assert features.shape == (2, 5, 3, 1)  # half a second has five windows
    assert steps.backbone(features.shape[1:], 2)(features).shape == (2, 2)


def test_a_file_without_a_network_is_nothing_to_begin_with(monkeypatch):
    monkeypatch.setattr(small_data, "load_model", lambda path: f"the TFLite file {path}")
    steps = OwnRecordings(start_from=Path("model.tflite"))
    with pytest.raises(UserError, match="holds no network that could learn"):
        steps.backbone((10, 40, 1), 2)


def test_a_new_head_on_another_runs_network_trains_first():
    examples = pd.DataFrame({"label": ["a", "b"]})
    for weights in ("imagenet", "none"):
        steps = OwnRecordings(start_from=Path("run"), weights=weights, labels="one", epochs=3)
        assert len(steps.training(examples, ["a", "b"]).phases) == 2


def test_only_what_has_weights_can_begin_with_them_or_be_frozen():
    with pytest.raises(UserError, match="Only a network with weights"):
        OwnRecordings(frozen=True)
    with pytest.raises(UserError, match=r"has no weights to begin with.*Received: nosuch\.h5"):
        OwnRecordings(weights=Path("nosuch.h5"))


def test_noise_is_a_tenth_of_what_windows_have(tmp_path):
    steps, _, _ = checked_split(OwnWindows(data=write_arrays(tmp_path / "a")))
    with np.load(tmp_path / "a" / "moves.npz") as arrays:
        assert steps.log_offset == pytest.approx(0.1 * np.median(arrays["X"].std(axis=1)))


def test_long_windows_take_little_memory(tmp_path, monkeypatch):
    signals = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (100, 100_000))
    signals[:, :100] = np.arange(100)
    np.save(tmp_path / "y.npy", np.arange(100) % 2)
    monkeypatch.setattr(own_windows, "SAMPLED_BYTES", 2**21)
    monkeypatch.setattr(windows, "CHUNK_BYTES", 2**21)
    steps = OwnWindows(data=tmp_path)
    tracemalloc.start()
    steps.settled(steps.manifest())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < signals.nbytes / 4


def test_check_names_windows_as_such_and_the_first_bad_ones(tmp_path, capsys):
    signals = np.random.default_rng(0).normal(size=(1060, 60))
    signals[::2, 5] = np.nan
    np.savez(tmp_path / "a.npz", X=signals, y=np.eye(2)[np.arange(1060) // 2 % 2])
    with pytest.raises(SystemExit):
        cli.main(["check", str(tmp_path / "a.npz")])
    said = capsys.readouterr().out
    assert "1,060 windows of 60 samples in 2 classes\n1,060 windows, 0 groups\n" in said
    assert "unreadable: 530\n  0: holds NaN or infinity in float32\n" in said
    assert "\n  38: holds NaN or infinity in float32\n  and 510 more (--json names all)\n" in said
    with pytest.raises(SystemExit):
        cli.main(["check", str(tmp_path / "a.npz"), "--json"])
    assert len(json.loads(capsys.readouterr().out)["problems"]["unreadable"]) == 530


def test_windows_whose_squares_float32_has_not_are_told_in_their_own_numbers(tmp_path, capsys):
    signals = np.random.default_rng(0).normal(size=(40, 60))
    np.savez(tmp_path / "a.npz", X=np.float32(1e30) * signals.astype(np.float32), y=np.arange(40) // 2 % 2)
    with pytest.raises(SystemExit):
        cli.main(["check", str(tmp_path / "a.npz")])
    stop = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(
        r".* Windows deviate by (9\.\d+e\+29|1.*e\+30) from their mean, and 1e\+07 is the most\. .*", stop
    )


def test_show_prints_what_is_chosen_and_check_what_would_stop(tmp_path, capsys):
    folder = write_class_folders(tmp_path / "a")
    cli.main(["train", str(folder), "--show"])
    said = capsys.readouterr().out
    assert "sample_rate              16000  (default: None)" in said and not (tmp_path / "runs").exists()
    cli.main(["check", str(folder), "--json"])
    assert json.loads(capsys.readouterr().out)["training"]["stops"] is None
    shutil.rmtree(folder / "low")
    with pytest.raises(SystemExit) as stop:
        cli.main(["check", str(folder)])
    assert stop.value.code == 1
    assert "stop: There must be at least 2 classes. Received: 'high'" in capsys.readouterr().out


@pytest.mark.parametrize(("data", "folder"), [("gone/sounds.v2", "gone/sounds.v2"), ("gone/a.CSV", "gone")])
def test_data_that_is_no_longer_there_is_looked_for_where_it_was(data, folder):
    assert OwnRecordings(data=Path(data)).folder == Path(folder)


def test_a_label_column_of_any_name(tmp_path):
    table = write_table(tmp_path / "a")
    renamed = pd.read_csv(table)[["file", "site"]].rename(columns={"site": "where"})
    renamed.to_csv(table, index=False)
    with pytest.raises(SystemExit):
        cli.main(["train", str(table), "--show"])
    cli.main(["train", str(table), "--label-column", "where", "--show"])
