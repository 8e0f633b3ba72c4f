"""A run folder gives back what was written into it."""

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.cli.parsing import parse
from tfspec.data.kept import keep_signals, open_signals
from tfspec.data.readers import ArrayReader
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.repeating import repeating_command
from tfspec.experiment.run import Run
from tfspec.export import StreamingClassifier, export, tflite_model
from tfspec.inference import event_thresholds, listen
from tfspec.pipelines import OwnRecordings


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path, {"pipeline": "recordings", "options": {}})


@pytest.mark.parametrize("name", [None, "id", "example", "label"])
@pytest.mark.parametrize("columns", [["label"], ["example", "window"]])
def test_rows_keep_their_index_whatever_it_and_the_columns_are_called(run, name, columns):
    index = pd.Index([5, 0, 3], name=name)
    split = pd.DataFrame({"part": "train", "group": "", **dict.fromkeys(columns, "1")}, index=index)
    run.write_split(split, split[:0])
    pd.testing.assert_frame_equal(run.split.astype(str), split.astype(str), check_names=False)


def test_a_run_stands_for_its_folder_where_a_path_is_asked_for(run):
    assert Run(run).folder == run.folder == Path(run)


@pytest.mark.parametrize("use", ["resume", "evaluate", "export", "export_micro", "view", "report"])
def test_a_path_where_a_run_is_asked_for_is_told(run, use):
    for called in (pipeline_of, getattr(OwnRecordings(data="sounds"), use)):
        with pytest.raises(UserError, match=r"No run is given: Run\(PATH\) makes one"):
            called(str(run.folder))


@pytest.mark.parametrize("of", [str, Run])
def test_a_path_or_run_where_a_model_is_asked_for_is_told(run, of):
    with pytest.raises(UserError, match=r"No model is given: load_model\(PATH\) makes one"):
        event_thresholds(of(run.folder))
    with pytest.raises(UserError, match=r"No model is given: load_listener\(PATH\) makes one"):
        next(listen(of(run.folder), []))
    for use in (tflite_model, StreamingClassifier, lambda model: export(model, run.folder / "export", [])):
        with pytest.raises(UserError, match="A Classifier is needed, such as"):
            use(of(run.folder))


def test_a_loss_that_was_not_finite_leaves_numbers(run):
    table = pd.DataFrame({"epoch": [0, 1, 2], "loss": [9.5, np.nan, np.inf], "accuracy": [0.1, 0.2, 0.3]})
    table.to_csv(run.folder / "history.csv", index=False)
    assert run.history["loss"].dtype == float
    np.testing.assert_array_equal(run.history["loss"], table["loss"])


def test_signals_are_kept_under_names_too(tmp_path):
    rows = pd.DataFrame(index=["one", "two"])
    keep_signals(tmp_path / "signals.npz", [rows], ArrayReader(np.eye(2), index=rows.index), seed=0)
    assert open_signals(tmp_path / "signals.npz", rows.index)(rows.loc[["two"]]).tolist() == [[0, 1]]


@pytest.mark.parametrize("value", ["runs/a", None])
def test_a_run_that_began_with_another_one_says_so_in_its_command(tmp_path, value):
    options = {"data": "sounds", "start_from": value}
    run = Run.create(tmp_path, {"pipeline": "recordings", "options": options})
    command, name, *arguments = shlex.split(repeating_command(run, None))[1:]
    assert (command, name) == ("train", "recordings")
    steps = parse(OwnRecordings, arguments, "tfspec train recordings", {})
    assert steps.start_from == (value and Path(value))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda table: table.write_text("file,predicted\na.wav,yes\n"), "it has 1 of 2 examples"),
        (lambda table: table.write_text(""), "No columns"),
        (lambda table: table.unlink(), "has no predictions.csv"),
    ],
)
def test_what_an_evaluation_wrote_and_is_damaged_says_what_writes_it_anew(run, damage, said):
    table = pd.DataFrame({"file": ["a.wav", "b.wav"], "predicted": "yes"})
    run.write_evaluation(run.folder, {"examples": 2}, {"predictions": table}, {})
    assert len(run.predictions) == 2
    damage(run.folder / "predictions.csv")
    with pytest.raises(UserError, match=f"{said}.* `tfspec evaluate .* --part validation` writes it anew"):
        _ = run.predictions
    (run.folder / "metrics.json").write_text("{")
    with pytest.raises(UserError, match=r"`tfspec evaluate .* --part validation` writes it anew"):
        run.metrics()


def test_a_folder_in_the_way_of_a_file_is_named(run):
    (run.folder / "metrics.json").mkdir()
    with pytest.raises(IsADirectoryError) as error, written_beside(run.folder / "metrics.json") as temporary:
        temporary.write_text("{}")
    assert error.value.filename == str(run.folder / "metrics.json")
