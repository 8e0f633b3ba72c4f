"""Notebooks run from top to bottom on small data."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from overlaps import write_overlaps
from scenes import write_scenes
from tones import write_tones
from wrists import write_people

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def _run(name: str, parameters: str, folder: Path):
    """Run a notebook with the cell tagged `parameters` replaced."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    (cell,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    cell.source = parameters
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()
    return notebook


def _outputs(notebook, mime: str) -> list:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"][mime] for output in outputs if mime in output.get("data", {})]


@pytest.mark.parametrize("clip", ["made up", "recording"])
def test_front_ends(tmp_path, clip):
    path = None
    if clip == "recording":
        path = str(write_tones(tmp_path / "tones", {"high": 2000}, 1) / "high" / "speaker0_nohash_0.wav")
    notebook = _run("00_front_ends.ipynb", f"CLIP = {path!r}", tmp_path)
    assert len(_outputs(notebook, "image/png")) == 7
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output["text"] for output in outputs if output.get("name") == "stdout")
    changes = {name: float(change) for name, change in re.findall(r"(\w+): largest change (\S+) dB", printed)}
    assert changes["Keras"] > 20
    assert changes["tfspec"] < 0.001
    differences = re.findall(r"(.+): largest difference (\S+) dB", printed)
    assert [name for name, _ in differences] == ["tf.function", "Dataset.map", "TFLite file"]
    assert max(float(difference) for _, difference in differences) < 0.01


@pytest.mark.parametrize("clip", ["made up", "recording"])
def test_augmentation(tmp_path, clip):
    path = None
    if clip == "recording":
        path = str(write_tones(tmp_path / "tones", {"high": 2000}, 1) / "high" / "speaker0_nohash_0.wav")
    notebook = _run("06_augmentation.ipynb", f"CLIP = {path!r}", tmp_path)
    assert len(_outputs(notebook, "image/png")) == 7
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output["text"] for output in outputs if output.get("name") == "stdout")
    epochs, examples, model = map(float, re.findall(r"largest difference .*: (\S+)", printed))
    assert min(epochs, examples) > 0.1
    assert model < 1e-3


def test_speech_commands(tmp_path):
    data = write_tones(tmp_path / "tones", {"high": 2000, "low": 300}, speakers=5)
    parameters = f"DATA = {str(data)!r}\nEPOCHS = 1\nOUT = {str(tmp_path / 'run')!r}"
    notebook = _run("04_speech_commands.ipynb", parameters, tmp_path)
    assert len(_outputs(notebook, "image/png")) == 4  # waveform, spectrogram, history, confusion matrix
    assert any("<audio" in html for html in _outputs(notebook, "text/html"))
    assert (tmp_path / "run" / "export" / "model.tflite").exists()


def test_capture24(tmp_path):
    data = write_people(tmp_path / "wrists", people=10)
    parameters = (
        f"DATA, OUT = {str(data)!r}, {str(tmp_path / 'run')!r}\n"
        "LABEL_COLUMN, SAMPLE_RATE = 'label:simple', 20\n"
        "OPTIONS = {'test': 0.2, 'epochs': 1, 'cross_validation': 2}"
    )
    notebook = _run("02_capture24.ipynb", parameters, tmp_path)
    # three axes, spectrogram, ten of each class, history, confusion matrix, time line
    assert len(_outputs(notebook, "image/png")) == 8
    assert len(_outputs(notebook, "text/html")) == 4  # classes, scores, scores of each class, of each person
    assert (tmp_path / "run" / "export" / "model.tflite").exists()


@pytest.mark.slow
def test_overlapped_speech(tmp_path):
    data = write_overlaps(tmp_path / "overlaps", train=12, test=4)
    options = {"width": 1, "epochs": 1, "batch_size": 4}
    parameters = f"DATA, OUT = {str(data)!r}, {str(tmp_path / 'run')!r}\nOPTIONS = {options}"
    notebook = _run("03_overlapped_speech.ipynb", parameters, tmp_path)
    assert len(_outputs(notebook, "image/png")) == 4  # resolutions, augmentation, history, calibration
    assert any("weighted mean" in html for html in _outputs(notebook, "text/html"))
    assert (tmp_path / "run" / "PredictionFinal.csv").exists()
    assert (tmp_path / "run" / "export" / "model.tflite").exists()


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_committed_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")]


@pytest.mark.slow
def test_rainforest(tmp_path):
    write_scenes(tmp_path / "scenes", "train", 4)
    write_scenes(tmp_path / "scenes", "test", 1)
    options = {"sample_rate": 32000, "slice_seconds": 1.0, "num_folds": 2, "epochs": 1, "batch_size": 4}
    parameters = f"""DATA, OUT = {str(tmp_path / "scenes")!r}, {str(tmp_path / "run")!r}
WEIGHTS, OPTIONS = "none", {options}"""
    notebook = _run("05_rainforest.ipynb", parameters, tmp_path)
    assert len(_outputs(notebook, "image/png")) == 4
    assert "Begin Time (s)" in str(notebook.cells[-1]["outputs"])


def test_radio_signals(tmp_path):
    options = {"num_train": 24, "num_validation": 8, "epochs": 1}
    parameters = f"DATA, OPTIONS, OUT = None, {options}, {str(tmp_path / 'run')!r}"
    notebook = _run("01_radio_signals.ipynb", parameters, tmp_path)
    # signals, ways to draw them, history, confusion matrix, one picture beside its probabilities
    assert len(_outputs(notebook, "image/png")) == 5
    assert (tmp_path / "run" / "export" / "model.tflite").exists()
