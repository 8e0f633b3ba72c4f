"""Classifying many files and streams: what names stand for, tables, embeddings, samples from elsewhere."""

import io
import json
import os
import signal
import sys
import threading
import tracemalloc

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile
from endless import Silence

from tfspec.base.errors import UserError
from tfspec.cli.commands.recordings import _predictions
from tfspec.cli.main import main
from tfspec.export.saved_model import write_saved_model
from tfspec.frontends import Spectrogram
from tfspec.inference import (
    detect,
    embed_files,
    find_inputs,
    load_model,
    predict_files,
    predict_stream,
    predict_windows,
    window_probabilities,
)
from tfspec.inference.outputs import table_writer
from tfspec.models import Classifier, at_temperature, conv2d, ensemble

RATE, LENGTH = 1000, 500
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 3000).astype(np.float32)


class MeanModel:
    """Says what the mean of a signal is, and its least value."""

    class_names, signal_shape, sample_rate, takes = ("mean", "least"), (LENGTH,), RATE, "recording"
    labels, thresholds = "one", None

    def probabilities(self, signal):
        return np.stack([signal.mean(1), signal.min(1)], 1)


class WindowModel(MeanModel):
    signal_shape, takes = (10, 3), "windows"

    def probabilities(self, signal):
        return np.stack([signal.mean((1, 2)), signal.min((1, 2))], 1)


def classifier(names=("no", "yes", "[b]"), seed=0):
    keras.utils.set_random_seed(seed)
    return Classifier(Spectrogram(64, 32), conv2d((None, 33, 1), len(names)), names, (LENGTH * 2,), RATE)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A network that has learnt nothing, in a file."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    classifier().save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Recordings, one of them damaged, among what is none."""
    for number, name in enumerate(["b.wav", "sub/a.flac", "sub/c[1].wav", ".hidden/d.wav"]):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "in" / name, NOISE[number * 10 :][:1500], RATE)
    (tmp_path / "in" / "bad.wav").write_bytes(b"no sound")
    for name in ("notes.txt", "sub/more.txt", "list.csv"):
        (tmp_path / "in" / name).write_text("a,b")
    (tmp_path / "empty").mkdir()
    return tmp_path / "in"


def _exits(code, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert stop.value.code == code


# Names


def test_folders_and_patterns_stand_for_each_file_once(folder):
    whole = [str(folder / name) for name in ("b.wav", "bad.wav", "sub/a.flac", "sub/c[1].wav")]
    assert [*find_inputs([folder], "recording").files] == whole
    assert (
        [*find_inputs(folder, "recording").files] == [*find_inputs(str(folder), "recording").files] == whole
    )
    assert [*find_inputs([folder, whole[0], folder / "sub"], "recording").files] == whole
    assert [*find_inputs([f"{folder}/*.wav"], "recording").files] == whole[:2]
    assert [*find_inputs([f"{folder}/**/*.wav"], "recording").files] == [*whole[:2], whole[3]]
    assert {*find_inputs([f"{folder}/*"], "recording").files} == {
        *whole,
        str(folder / "notes.txt"),
        str(folder / "list.csv"),
    }
    assert [*find_inputs([whole[3]], "recording").files] == [whole[3]]  # a name, and no pattern


def test_folders_of_windows_and_pictures(tmp_path):
    for name in ("X.npy", "Y.npy", "groups.npy", "Time.npy", "other/Y.npy", "a.png", "b.PNG", "c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [*map(str, find_inputs([tmp_path], "windows").files.values())] == ["X.npy", "other/Y.npy"]
    assert [*map(str, find_inputs([tmp_path], "picture").files.values())] == ["a.png", "b.PNG"]


def test_a_folder_that_links_to_itself_is_walked_once(folder):
    (folder / "sub" / "round").symlink_to(folder)
    assert len(find_inputs([folder], "recording").files) == 4


def test_what_stands_for_nothing_is_a_row_like_any_bad_file(folder, capsys):
    names = [folder.with_name("empty"), folder / "*.mp3", folder / "none.wav", folder]
    table = predict_files(MeanModel(), names)
    assert capsys.readouterr().err == "Passed over: 2 .txt, 1 .csv\n"
    problems = dict(zip(table["file"], table["problem"], strict=True))
    assert problems[str(names[0])] == "a folder without recordings"
    assert problems[str(names[1])] == "no file has such a name"
    assert problems[str(names[2])] == "no such file"
    assert table["problem"].isna().sum() == 3
    found = table.set_index("file").loc[str(folder / "sub" / "a.flac"), "p_mean"]
    assert found == pytest.approx(NOISE[10:][:LENGTH].mean(), abs=1e-4)
    with pytest.raises(UserError, match=r"2 of 2 files cannot be used: .*empty \(a folder without rec.*mp3"):
        predict_files(MeanModel(), names[:2])


def test_an_array_that_cannot_be_used_does_not_end_the_others(tmp_path):
    np.save(tmp_path / "a.npy", NOISE[:60].reshape(2, 10, 3))
    np.save(tmp_path / "b.npy", np.zeros((2, 5, 3)))
    table = predict_files(WindowModel(), [tmp_path / "b.npy", tmp_path, tmp_path / "none.npy"])
    assert table["file"].str[-5:].tolist() == ["b.npy", "a.npy", "a.npy", "e.npy"]
    assert table["window"].tolist() == [None, 0, 1, None]
    assert [type(number) for number in table["window"][1:3]] == [int, int]
    assert table["problem"].notna().tolist() == [True, False, False, True]
    assert [*table] == ["file", "window", "predicted", "p_mean", "p_least", "problem"]


def test_windows_of_an_array_are_good_or_say_why(tmp_path, capsys):
    windows = NOISE[:90].reshape(3, 10, 3).copy()
    windows[1, 0, 0] = np.nan
    np.save(tmp_path / "a.npy", windows)
    table = predict_files(WindowModel(), [tmp_path / "a.npy"])
    assert table["problem"].tolist() == [None, "holds NaN or infinity in float32", None]
    rows = _predictions(table, WindowModel.class_names)
    assert [row["probabilities"] is None for row in rows] == [False, True, False]


def test_times_of_several_arrays_are_written_as_text(tmp_path):
    for name, times in (("a", np.array(["2020-01-01T10"] * 2, "datetime64[s]")), ("b", np.arange(2))):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "X.npy", NOISE[:60].reshape(2, 10, 3))
        np.save(tmp_path / name / "times.npy", times)
    table = predict_files(WindowModel(), [tmp_path])
    rows = json.loads(json.dumps(_predictions(table, WindowModel.class_names)))
    assert [row["time"] for row in rows] == [*["2020-01-01 10:00:00"] * 2, "0", "1"]


def test_memory_stays_flat_however_many_the_files(tmp_path):
    def peak(count):
        for number in range(count):
            (tmp_path / f"{number}.wav").unlink(missing_ok=True)
            soundfile.write(tmp_path / f"{number}.wav", np.tile(NOISE, 30), RATE)
        tracemalloc.start()
        predict_files(MeanModel(), [tmp_path])
        return tracemalloc.get_traced_memory()[1], tracemalloc.stop()

    peak(1)
    assert peak(60)[0] < peak(5)[0] + 2 * NOISE.nbytes * 30  # a signal has 30 times NOISE's bytes


# Tables


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".json"])
def test_a_table_is_read_back_as_it_was(folder, saved, tmp_path, capsys, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"out{suffix}"
    _exits(1, "predict", saved, folder, "--out", out, "--top", 2)
    assert "bad.wav cannot be used" in capsys.readouterr().err
    read = {
        ".csv": pd.read_csv,
        ".tsv": lambda path: pd.read_csv(path, sep="\t"),
        ".json": pd.read_json,
        ".parquet": pd.read_parquet,
    }
    table, expected = read[suffix](out), predict_files(load_model(saved), [folder])
    scores = ["p_no", "p_yes", "p_[b]"]
    assert [*table] == [*expected, "top_1", "p_top_1", "top_2", "p_top_2"]
    assert table["file"].tolist() == expected["file"].tolist()
    np.testing.assert_allclose(table[scores], expected[scores], rtol=1e-5)
    good = table[table["problem"].isna()]
    assert len(good) == 3 and table["top_1"].isna().sum() == 1
    assert good["top_1"].tolist() == good["predicted"].tolist()
    ordered = -np.sort(-good[scores].to_numpy(), axis=1)
    np.testing.assert_allclose(good[["p_top_1", "p_top_2"]], ordered[:, :2])


def test_a_class_called_as_a_column_of_the_most_probable_ones_keeps_its_own(folder, tmp_path, capsys):
    path = tmp_path / "model.keras"
    classifier(("no", "yes", "top_2")).save(path)
    _exits(2, "predict", path, folder / "b.wav", "--top", 2)
    assert "column p_top_2 would be that of another one: leave out --top" in capsys.readouterr().err
    main(["predict", str(path), str(folder / "b.wav"), "--top", "1", "--json"])
    (row,) = json.loads(capsys.readouterr().out)
    expected = predict_files(load_model(path), [folder / "b.wav"])
    assert row["probabilities"]["top_2"] == pytest.approx(expected["p_top_2"].item())


def test_a_format_that_cannot_be_written_is_refused_before_anything_is_loaded(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for command in ("predict", "embed"):
        for name, said in {
            "a.xlsx": "must end in",
            "a": "must end in",
            "a.parquet": "pip install pyarrow",
        }.items():
            _exits(2, command, "nowhere", "a.wav", "--out", tmp_path / name)
            assert said in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *([("predict", "a.csv"), ("embed", "a.npz"), ("listen", "a.txt")]),
        *([("compare", "a.html"), ("view", "a.png")]),
    ],
)
def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_loaded(command, name, tmp_path, capsys):
    (tmp_path / name).mkdir()
    given = ["--example", "0"] if command == "view" else ["b.wav"]
    _exits(2, command, "nowhere", *given, "--out", tmp_path / name)
    assert f"{name} is a folder, where a file is to be written" in capsys.readouterr().err


def test_the_most_probable_classes_are_printed_in_their_order(folder, saved, capsys):
    main(["predict", str(saved), str(folder / "b.wav"), "--top", "5"])
    said = capsys.readouterr().out
    scores = predict_files(load_model(saved), [folder / "b.wav"])[["p_no", "p_yes", "p_[b]"]].iloc[0]
    order = [f"{name[2:]} ({score:.1%})" for name, score in scores.sort_values(ascending=False).items()]
    assert said == f"{folder / 'b.wav'}: {', '.join(order)}\n"


def test_detect_names_what_it_writes_as_recordings_are_named_in_a_folder(folder, saved, tmp_path):
    soundfile.write(folder / "sub" / "b.wav", NOISE, RATE)
    _exits(1, "detect", saved, folder, "--out", tmp_path / "out")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.seconds.csv")}
    assert found == {f"{name}.seconds.csv" for name in ("b", "sub/a", "sub/b", "sub/c[1]")}


# Streams


class Trickle(io.RawIOBase):
    """A pipe through which a few bytes come at a time, an odd number of them."""

    def __init__(self, content, step=777):
        self.content, self.step, self.place = content, step, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        size = min(self.step, len(buffer), len(self.content) - self.place)
        buffer[:size] = self.content[self.place :][:size]
        self.place += size
        return size


def stream(content):
    return io.BufferedReader(Trickle(content), 64)


@pytest.mark.parametrize("sample_format", ["s16le", "f32le"])
@pytest.mark.parametrize("hop", [None, 0.1, 0.5, 0.7])
def test_windows_of_a_stream_are_those_of_a_file(tmp_path, sample_format, hop):
    subtype = {"s16le": "PCM_16", "f32le": "FLOAT"}[sample_format]
    soundfile.write(tmp_path / "a.wav", NOISE[:2990], RATE, subtype)
    soundfile.write(tmp_path / "a.raw", NOISE[:2990], RATE, subtype, endian="LITTLE", format="RAW")
    content = (tmp_path / "a.raw").read_bytes() + b"\1"  # half a sample
    rows = pd.concat(predict_stream(MeanModel(), stream(content), hop, sample_format), ignore_index=True)
    expected = predict_files(MeanModel(), [tmp_path / "a.wav"], hop or LENGTH / RATE / 2)
    whole = expected["start"] + LENGTH / RATE <= 2.99
    whole &= np.isclose(expected["start"] % (hop or 0.25), 0) | np.isclose(
        expected["start"] % (hop or 0.25), hop or 0.25
    )
    assert (rows["file"] == "-").all() and [*rows] == [*expected]
    pd.testing.assert_frame_equal(
        rows.drop(columns="file"), expected[whole].drop(columns="file").reset_index(drop=True), atol=1e-6
    )


def test_a_short_stream_is_filled_up_and_an_empty_one_is_told():
    (row,) = predict_stream(MeanModel(), stream(np.full(100, 2**14, "<i2").tobytes()))
    assert row["p_mean"].item() == 0.5
    with pytest.raises(UserError, match="No samples came"):
        next(predict_stream(MeanModel(), stream(b"")))


def test_a_window_with_nan_has_a_problem_and_the_stream_goes_on():
    samples = np.zeros(1500, "<f4")
    samples[600] = np.nan
    rows = pd.concat(predict_stream(MeanModel(), stream(samples.tobytes()), 0.5, "f32le"))
    assert rows["problem"].notna().tolist() == [False, True, False]
    assert rows["predicted"].isna().tolist() == [False, True, False]


def test_memory_stays_flat_however_long_the_stream():
    def windows(count):
        for _, number in zip(rows, range(count), strict=False):
            yield number

    rows = predict_stream(MeanModel(), io.BufferedReader(Silence()), hop_seconds=10.0)
    tracemalloc.start()
    assert len([*windows(20)]) == 20
    before = tracemalloc.get_traced_memory()[0]
    assert len([*windows(60)]) == 60  # ten minutes
    assert tracemalloc.get_traced_memory()[0] < before + 60_000  # half of what the windows take
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-", "a.wav"], "for itself"),
        (["-", "--out", "a.csv"], "for itself"),
        (["-", "--input-format", "u8"], "u8"),
    ],
)
def test_what_does_not_go_with_standard_input(saved, capsys, arguments, said):
    _exits(2, "predict", saved, *arguments)
    assert said in capsys.readouterr().err


def test_a_line_comes_as_soon_as_its_window_is_there_until_interrupted(saved, monkeypatch, capsys):
    (samples, into), (lines, out) = os.pipe(), os.pipe()
    monkeypatch.setattr(sys, "stdin", open(samples))  # noqa: PTH123, SIM115
    monkeypatch.setattr(sys, "stdout", open(out, "w"))  # noqa: PTH123, SIM115
    rows, before = [], signal.signal(signal.SIGINT, signal.default_int_handler)  # which xdist ignores

    def speak():
        """Give what completes a window only where the line of the one before has come."""
        with open(lines) as told:  # noqa: PTH123
            for window in range(3):
                os.write(into, bytes(2 * LENGTH * (2 if window == 0 else 1)))
                rows.append(json.loads(told.readline()))
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    try:
        _exits(130, "predict", saved, "-", "--json")
    finally:
        signal.signal(signal.SIGINT, before)
    speaker.join(10)
    assert capsys.readouterr().err == "tfspec: Interrupted.\n"
    assert [row["start"] for row in rows] == [0.0, 0.5, 1.0]
    assert [sum(row["probabilities"].values()) for row in rows] == pytest.approx([1.0] * 3, abs=1e-5)


# In Python


@pytest.mark.parametrize("use", [predict_files, embed_files, predict_windows, detect, window_probabilities])
def test_what_is_no_model_is_told(use):
    options = {"hop_seconds": 0.5} if use is window_probabilities else {}
    with pytest.raises(UserError, match=r"load_model\(PATH\) makes one .* Received: 'run'"):
        use("run", "a.wav", **options)


# Embeddings


def by_hand(model, signal):
    """Compute the embedding layer by layer."""
    x = model.front_end(signal)
    for layer in model.backbone.layers[1:-1]:
        x = layer(x)
    return np.asarray(x)


def test_an_embedding_is_what_the_last_layer_takes(folder, saved):
    table = embed_files(load_model(saved), [folder])
    columns = [f"e_{number}" for number in range(32)]
    assert [*table] == ["file", "start", *columns, "problem"]
    assert table["problem"].notna().tolist() == [False, True, False, False]
    good = table[table["problem"].isna()]
    signals = np.stack([soundfile.read(file, dtype="float32")[0][: LENGTH * 2] for file in good["file"]])
    np.testing.assert_allclose(good[columns], by_hand(load_model(saved), signals), atol=1e-5)
    hopped = embed_files(load_model(saved), [folder / "b.wav"], hop_seconds=0.5)
    assert hopped["start"].tolist() == [0.0, 0.5]
    np.testing.assert_allclose(hopped[columns].iloc[0], good[columns].iloc[0], atol=1e-5)


def test_embeddings_of_an_ensemble_stand_side_by_side(folder):
    one, other = classifier(seed=1), classifier(seed=2)
    both = one.with_backbone(
        ensemble([at_temperature(one.backbone, 2.0), keras.models.clone_model(other.backbone)])
    )
    both.backbone.layers[-2].set_weights(other.backbone.get_weights())
    files = [folder / "b.wav"]
    found = embed_files(both, files).filter(like="e_").to_numpy()
    apart = [embed_files(each, files).filter(like="e_").to_numpy() for each in (one, other)]
    assert found.shape == (1, 64)
    assert sorted(found.ravel()) == pytest.approx(sorted(np.concatenate(apart, 1).ravel()), abs=1e-5)


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet"])
def test_embeddings_are_written_as_their_file_is_called(folder, saved, tmp_path, capsys, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"out{suffix}"
    _exits(1, "embed", saved, folder, "--out", out)
    assert "4 embeddings of 32 numbers" in capsys.readouterr().out
    expected = embed_files(load_model(saved), [folder])
    numbers = expected.filter(like="e_").to_numpy()
    if suffix == ".npz":
        with np.load(out) as arrays:
            assert sorted(arrays) == ["embeddings", "files", "problems", "starts"]
            assert arrays["files"].tolist() == expected["file"].tolist()
            assert [bool(problem) for problem in arrays["problems"]] == [False, True, False, False]
            np.testing.assert_array_equal(arrays["embeddings"], numbers)
    else:
        table = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
        np.testing.assert_allclose(table.filter(like="e_"), numbers, rtol=1e-5)


def test_a_saved_model_knows_what_it_takes(folder, saved, tmp_path):
    write_saved_model(load_model(saved), tmp_path / "saved [1]")
    loaded = load_model(tmp_path / "saved [1]")
    assert (loaded.sample_rate, loaded.takes) == (RATE, "recording")
    tables = [predict_files(model, [folder], 0.5) for model in (loaded, load_model(saved))]
    pd.testing.assert_frame_equal(*tables, atol=1e-5)
    (tmp_path / "saved [1]" / "assets.extra" / "signal.json").unlink()  # as of an earlier version
    assert load_model(tmp_path / "saved [1]").sample_rate is None
    with pytest.raises(UserError, match=r"Give the run or its \.keras file"):
        embed_files(loaded, [folder])


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json"])
def test_what_names_hold_that_cannot_be_written_is_spelt_out(suffix, tmp_path):
    table_writer(tmp_path / f"a{suffix}")(pd.DataFrame({"file": [os.fsdecode(b"bad\xff.wav"), "gut\n.wav"]}))
    text = (tmp_path / f"a{suffix}").read_text("utf-8")
    assert "bad\\" in text and "udcff.wav" in text
    assert "gut\\" in text and "gut\n" not in text


@pytest.mark.parametrize(
    "command", [("predict",), ("embed",), ("detect", "--hop-seconds", "0.5")], ids=lambda each: each[0]
)
def test_a_name_that_cannot_be_written_is_told_and_other_files_are_done(
    command, folder, saved, tmp_path, capsys
):
    (folder / "bad.wav").unlink()
    for name in (b"caf\xe9.wav", b"new\nline.wav"):
        (folder / os.fsdecode(name)).write_bytes((folder / "b.wav").read_bytes())
    name, *options = command
    _exits(1, name, saved, folder, *options, "--out", tmp_path / "out.csv")
    said = capsys.readouterr().err
    assert "caf\\udce9.wav cannot be used: the name is not UTF-8; rename it" in said
    assert "new\\nline.wav cannot be used: the name holds the character \\n; rename it" in said
    table = pd.read_csv(tmp_path / "out.csv")
    good = table[table["problem"].isna()] if "problem" in table else table
    assert {*good["file"]} <= {str(folder / name) for name in ("b.wav", "sub/a.flac", "sub/c[1].wav")}
    assert len(good) or name == "detect"
