"""Notebooks run from top to bottom on small data, and show what they did when they were last run."""

import base64
import importlib
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient
from overlaps import write_overlaps
from scenes import write_scenes
from tones import write_tones
from wrists import write_people

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
ALL = sorted(NOTEBOOKS.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)


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


@pytest.mark.slow
def test_front_ends_of_a_recording(tmp_path):
    path = write_tones(tmp_path / "tones", {"high": 2000}, 1) / "high" / "speaker0_nohash_0.wav"
    notebook = _run("00_front_ends.ipynb", f"CLIP = {str(path)!r}", tmp_path)
    assert len(_outputs(notebook, "image/png")) == 7
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output["text"] for output in outputs if output.get("name") == "stdout")
    changes = {name: float(change) for name, change in re.findall(r"(\w+): largest change (\S+) dB", printed)}
    assert changes["Keras"] > 20
    assert changes["tfspec"] < 0.001
    differences = re.findall(r"(.+): largest difference (\S+) dB", printed)
    assert [name for name, _ in differences] == ["tf.function", "Dataset.map", "TFLite file"]
    assert max(float(difference) for _, difference in differences) < 0.01


@pytest.mark.slow
def test_augmentation_of_a_clip_that_is_made_up(tmp_path):
    notebook = _run("06_augmentation.ipynb", "CLIP = None", tmp_path)
    assert len(_outputs(notebook, "image/png")) == 7
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output["text"] for output in outputs if output.get("name") == "stdout")
    epochs, examples, model = map(float, re.findall(r"largest difference .*: (\S+)", printed))
    assert min(epochs, examples) > 0.1
    assert model < 1e-3


@pytest.mark.slow
def test_speech_commands(tmp_path):
    data = write_tones(tmp_path / "tones", {"high": 2000, "low": 300}, speakers=5)
    parameters = f"DATA = {str(data)!r}\nEPOCHS = 1\nOUT = {str(tmp_path / 'run')!r}"
    notebook = _run("04_speech_commands.ipynb", parameters, tmp_path)
    assert len(_outputs(notebook, "image/png")) == 4  # waveform, spectrogram, history, confusion matrix
    assert any("<audio" in html for html in _outputs(notebook, "text/html"))
    assert (tmp_path / "run" / "export" / "model.tflite").exists()


@pytest.mark.slow
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
    tables = [html for html in _outputs(notebook, "text/html") if "dataframe" in html]
    assert len(tables) == 4  # classes, scores, scores of each class, of each person
    assert (tmp_path / "run" / "export" / "model.tflite").exists()


@pytest.mark.slow
def test_overlapped_speech(tmp_path):
    data = write_overlaps(tmp_path / "overlaps", train=12, test=4)
    options = {"width": 1, "epochs": 1, "batch_size": 4}
    parameters = f"DATA, OUT = {str(data)!r}, {str(tmp_path / 'run')!r}\nOPTIONS = {options}"
    notebook = _run("03_overlapped_speech.ipynb", parameters, tmp_path)
    assert len(_outputs(notebook, "image/png")) == 5  # clip, resolutions, augmentation, history, calibration
    assert any("weighted mean" in html for html in _outputs(notebook, "text/html"))
    assert (tmp_path / "run" / "PredictionFinal.csv").exists()
    assert (tmp_path / "run" / "export" / "model.tflite").exists()


@pytest.mark.slow
def test_rainforest(tmp_path):
    write_scenes(tmp_path / "scenes", "train", 4)
    write_scenes(tmp_path / "scenes", "test", 1)
    options = {"sample_rate": 32000, "slice_seconds": 1.0, "num_folds": 2, "epochs": 1, "batch_size": 4}
    parameters = f"""DATA, OUT = {str(tmp_path / "scenes")!r}, {str(tmp_path / "run")!r}
WEIGHTS, OPTIONS, EVENT_OPTIONS = "none", {options}, {{"folds": 2, "epochs": 1}}"""
    notebook = _run("05_rainforest.ipynb", parameters, tmp_path)
    assert len(_outputs(notebook, "image/png")) == 4
    assert "Begin Time (s)" in str(notebook.cells)


@pytest.mark.slow
def test_radio_signals(tmp_path):
    options = {"num_train": 24, "num_validation": 8, "epochs": 1}
    parameters = f"DATA, OPTIONS, OUT = None, {options}, {str(tmp_path / 'run')!r}"
    notebook = _run("01_radio_signals.ipynb", parameters, tmp_path)
    # signals, ways to draw them, history, confusion matrix, one picture beside its probabilities
    assert len(_outputs(notebook, "image/png")) == 5
    assert (tmp_path / "run" / "export" / "model.tflite").exists()


@pytest.mark.slow
def test_edge(tmp_path):
    parameters = 'DATA, NOISES, LISTENED, EPOCHS, MINUTES, OUT = None, None, ("no", "yes"), 1, 0.5, None'
    notebook = _run("07_edge.ipynb", parameters, tmp_path)
    assert len(_outputs(notebook, "image/png")) == 4  # history, confusion matrix, probabilities, thresholds
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "export" / "streaming.tflite").exists() and (run / "micro" / "micro.json").exists()


# As they are kept


@each_notebook
def test_each_shows_small_pictures_and_nothing_of_the_machine_that_ran_it(path):
    notebook = nbformat.read(path, as_version=4)
    pictures = [base64.b64decode(picture) for picture in _outputs(notebook, "image/png")]
    assert len(pictures) >= 4 and max(map(len, pictures)) < 100_000
    shown = [cell.get("outputs", []) for cell in notebook.cells]
    assert not re.search(r"/(root|home|tmp|work|content)\b|stderr|Traceback", str(shown))


@each_notebook
def test_each_fits_a_model_in_plain_keras(path):
    assert ".fit(" in path.read_text()


@pytest.fixture
def first_cell(monkeypatch, capsys):
    """Run the cell that all notebooks begin with, where tfspec is missing; return what it has pip install."""
    cells = {nbformat.read(path, as_version=4).cells[1].source for path in ALL}
    assert len(cells) == 1

    def run(folder: Path) -> str:
        def magic(name, line):
            told.append((name, line.format(**names)))  # as IPython does

        told, names = [], {"get_ipython": lambda: SimpleNamespace(run_line_magic=magic)}
        monkeypatch.chdir(folder)
        exec(TransformerManager().transform_cell(*cells), names)
        installed = dict(told).get("pip", "").partition('--quiet "')[2].rstrip('"')
        assert (installed or "is installed") in capsys.readouterr().out
        return installed

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return run


def test_a_clone_around_a_notebook_is_installed(first_cell):
    assert first_cell(NOTEBOOKS) == str(ROOT)


def test_the_newest_wheel_beside_a_notebook_is_installed(first_cell, tmp_path):
    for version in ("0.1.0", "0.2.0"):
        (tmp_path / f"tfspec-{version}-py3-none-any.whl").touch()
    assert Path(first_cell(tmp_path)).name == "tfspec-0.2.0-py3-none-any.whl"


def test_without_either_tfspec_comes_from_pypi(first_cell, tmp_path):
    assert first_cell(tmp_path) == "tfspec"


def test_what_is_installed_stays(first_cell, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert first_cell(NOTEBOOKS) == ""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A new environment that has what tfspec needs, and a folder with its wheel and all notebooks."""
    folder = tmp_path_factory.mktemp("fresh")
    source, python = folder / "source", folder / "venv" / "bin" / "python"
    left_out = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "tests")
    shutil.copytree(ROOT, source, ignore=left_out)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder / "colab"]
    done = subprocess.run([*pip, source], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("needs setuptools from the network: " + done.stderr.strip().splitlines()[-1])
    venv.create(folder / "venv", with_pip=True)
    here = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    for package in (each for path in sys.path if "site-packages" in path for each in Path(path).iterdir()):
        if not package.name.startswith(("tfspec", "__editable__")) and not (here / package.name).exists():
            (here / package.name).symlink_to(package)
    for path in ALL:
        text = path.read_text().replace('WEIGHTS = \\"imagenet\\"', 'WEIGHTS = \\"none\\"')  # no download
        (folder / "colab" / path.name).write_text(text)
    return folder / "colab", python


@pytest.mark.slow
@each_notebook
def test_in_a_fresh_environment_beside_a_wheel(fresh, path):
    folder, python = fresh
    program = ROOT / "tests" / "programs" / "run_notebooks.py"
    subprocess.run([python, program, folder, folder / path.name], check=True)
    assert _outputs(nbformat.read(folder / path.name, as_version=4), "image/png")


@pytest.mark.slow
def test_the_wheel_holds_the_pipelines(fresh):
    folder, python = fresh
    subprocess.run([python, "-m", "pip", "install", "--quiet", *folder.glob("*.whl")], check=True)
    help_text = subprocess.run(
        [python.with_name("tfspec"), "train", "capture24", "--help-all"],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    assert b"--loader" in help_text.stdout
