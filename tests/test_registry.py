"""Pipelines in users' files: found by path, under names of their own, in every process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import tensorflow as tf

from tfspec.base.errors import UserError
from tfspec.base.modules import PREFIX, load_file, own_errors_told, refuse_while_loading
from tfspec.cli import main as cli
from tfspec.experiment.members import members_of
from tfspec.experiment.reference import reference_to, source_of
from tfspec.experiment.registry import find_pipeline, pipeline_of
from tfspec.experiment.run import Run

MINE = """
from __future__ import annotations
import dataclasses
import keras
from tfspec.pipelines import SpeechCommands

@keras.saving.register_keras_serializable("mine")
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x

    def compute_output_shape(self, input_shape):
        return input_shape

@dataclasses.dataclass(kw_only=True)
class Mine(SpeechCommands):
    name = "mine"
    extra: tuple[int, ...] = (1, 2)
"""


PRESET = """
    presets = {"published": {"epochs": 7, "augment": ("noise",), "clip_norm": None}}
"""


def test_a_preset_is_a_set_of_options_that_others_go_before(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(MINE + PRESET)
    mine = find_pipeline(str(tmp_path / "mine.py"))
    published = mine.preset("published", epochs=3)
    assert (published.epochs, published.augment, published.clip_norm) == (3, ("noise",), None)
    assert mine.preset("default") == mine()
    with pytest.raises(UserError, match=r"the presets default, published\. Received: 'publish'"):
        mine.preset("publish")
    command = ["train", str(tmp_path / "mine.py"), "--show", "--preset", "published", "--epochs", "3"]
    cli.main(command)
    shown = capsys.readouterr().out.splitlines()
    assert "epochs                   3  (default: 100)" in shown
    assert "clip_norm                None  (default: 1.0)" in shown
    assert [line.split()[0] for line in shown] == list(published.options())
    with pytest.raises(SystemExit):
        cli.main([*command[:-2], "--help-all"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--preset {default,published}" in shown
    assert "(default: noise)" in shown
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [(["--preset"], "--preset: expected one argument"), (["--preset", "x"], "presets default, published.")],
)
def test_an_unknown_preset_is_one_line(tmp_path, capsys, given, said):
    (tmp_path / "mine.py").write_text(MINE + PRESET)
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", str(tmp_path / "mine.py"), *given])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", ["json.py", "tensorflow.py", "a b-c.py", "ü.py", "__init__.py"])
def test_a_file_replaces_no_module(tmp_path, name):
    (tmp_path / name).write_text(MINE)
    before = dict(sys.modules)
    pipeline = find_pipeline(str(tmp_path / name))
    assert pipeline.name == "mine"
    assert {key for key in sys.modules if sys.modules[key] is not before.get(key)} == {pipeline.__module__}
    assert pipeline.__module__.startswith(PREFIX)
    assert source_of(pipeline()) == str(tmp_path / name)
    assert find_pipeline(str(tmp_path / name)) is pipeline
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_files_of_one_name_are_two_modules_and_a_changed_file_is_read_again(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(MINE.replace("(1, 2)", f"({len(folder)},)"))
    one, two = (find_pipeline(str(tmp_path / folder / "mine.py")) for folder in ("one", "two"))
    assert one is not two
    (tmp_path / "one" / "mine.py").write_text(MINE.replace("(1, 2)", "(9,)"))
    assert find_pipeline(str(tmp_path / "one" / "mine.py"))().extra == (9,)


LIGHT = (
    MINE
    + """
    def front_end(self):
        return keras.Sequential([keras.layers.Reshape((-1, 16, 1)), Twice()])

    def backbone(self, feature_shape, num_classes):
        layers = [keras.layers.Flatten(), keras.layers.Dense(num_classes)]
        return keras.Sequential([keras.Input(feature_shape), *layers])
"""
)
SCRIPT = """
small = {"epochs": 1, "validation_fraction": 1 / 3, "num_members": 2, "processes": 2}
Mine(data=DATA, out=OUT, **small).train(verbose=0)
"""


@pytest.mark.slow
def test_members_of_a_file_called_as_a_module_train_side_by_side(tone_folder, tmp_path):
    (tmp_path / "json.py").write_text(LIGHT)
    command = ["train", str(tmp_path / "json.py"), "--num-members", "2", "--processes", "2", "--epochs", "1"]
    data = ["--data", str(tone_folder), "--validation-fraction", "0.34", "--out", str(tmp_path / "run")]
    cli.main([*command, *data])
    run = Run(tmp_path / "run")
    assert list(members_of(pipeline_of(run), run.split)) == ["seed_0", "seed_1"]
    assert json.loads((run.folder / "metrics.json").read_text())["examples"] == 4
    assert run.classifier.front_end.layers[-1].__class__.__module__.startswith(PREFIX)


@pytest.mark.slow
def test_a_script_without_a_main_guard_leaves_no_stray_folder(tone_folder, tmp_path):
    places = f"DATA, OUT = {str(tone_folder)!r}, {str(tmp_path / 'runs' / 'run')!r}"
    (tmp_path / "mine.py").write_text(f"{LIGHT}\n{places}{SCRIPT}")
    done = subprocess.run(
        [sys.executable, tmp_path / "mine.py"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "trains while it is loaded: put that under" in line]
    assert [line.split(":")[1].strip() for line in sorted(lines)] == ["seed_0", "seed_1"]
    assert {path.name for path in (tmp_path / "runs").iterdir()} <= {"run", "features"}


def test_a_pipeline_of_a_notebook_has_no_file_for_another_process():
    names: dict = {}
    exec(
        "from tfspec.pipelines import SpeechCommands\nclass Own(SpeechCommands): pass",
        {"__name__": "none"},
        names,
    )
    with pytest.raises(UserError, match="Put it into a Python file of its own, or give processes=1"):
        source_of(names["Own"]())


GOOD_HEAD = "from tfspec.pipelines import SpeechCommands\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x = 1\ndef f(:\n", "mine.py, line 2: SyntaxError: invalid syntax"),
        (b"x = 1\n\nx.y\n", "mine.py, line 3: AttributeError: 'int' object"),
        (b"import nowhere_to_be_found\n", "mine.py, line 1: ModuleNotFoundError"),
        (b"import sys\nsys.exit(3)\n", "mine.py, line 2: SystemExit: 3"),
        (b"def f():\n    f()\nf()\n", "mine.py, line 2: RecursionError"),
        (b"x = '\xff'\n", "mine.py.*SyntaxError: .*utf-8"),
        (b"x = 1\0\n", "mine.py.*null bytes"),
        (b"(" * 100_000, "mine.py"),
        (b"raise ValueError('a\\nb\\x1b[2J')", r"line 1: ValueError: a.*b"),
        (b"", "empty file"),
        (b"x = 1", "must define exactly one Pipeline. It defines 0: none"),
        (GOOD_HEAD.encode() + b"Mine = SpeechCommands\n", "It defines 0: none"),
        (
            f"{GOOD_HEAD}class A(SpeechCommands): name = 'a'\nclass B(A): name = 'b'".encode(),
            "It defines 2: A, B",
        ),
        (f"{GOOD_HEAD}class A(SpeechCommands): name = '../a'".encode(), "`name` of A must .* '../a'"),
        (
            b"from tfspec.experiment.pipeline import Pipeline\nclass A(Pipeline): pass",
            "`name` of A must .* None",
        ),
        (
            f"{GOOD_HEAD}class A(SpeechCommands):\n    name = 'a'\n    b: 'nobody' = 1".encode(),
            "annotation of A: .*nobody",
        ),
        (
            b"from tfspec import Pipeline\nclass A(Pipeline):\n    name = 'a'\n    def spilt(self): pass",
            r"A must define backbone, front_end, manifest, reader, split\. Received: spilt",
        ),
        (
            f"{GOOD_HEAD}class A(SpeechCommands):\n    name = 'a'\n    b: int = 1".encode(),
            "for b to be an option",
        ),
        (f"{GOOD_HEAD}class A(SpeechCommands):\n    name = 'a'\n    seed = 7".encode(), "seed: Seed = 7"),
        (
            f"{GOOD_HEAD}SpeechCommands().train()".encode(),
            "mine.py trains while it is loaded: put that under",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path, monkeypatch, capsys, content, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_bytes(content)
    with pytest.raises(UserError, match=f"(?s){said}"):
        find_pipeline("mine.py")
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "mine.py"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("tfspec: ") and error.count("\n") == 1 and "\x1b" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
    refuse_while_loading()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused(tmp_path, make):
    make(tmp_path / "mine.py")
    with pytest.raises(UserError, match="Not a Python file"):
        find_pipeline(str(tmp_path / "mine.py"))


def test_a_main_guard_lets_a_file_be_loaded(tmp_path):
    (tmp_path / "mine.py").write_text(MINE + 'if __name__ == "__main__":\n    Mine().train()\n')
    assert find_pipeline(str(tmp_path / "mine.py")).name == "mine"


def test_an_error_while_loading_leaves_no_module(tmp_path):
    (tmp_path / "mine.py").write_text("1 / 0")
    with pytest.raises(UserError, match="line 1: ZeroDivisionError"):
        load_file(tmp_path / "mine.py")
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    assert str(tmp_path / "mine.py") not in files


def test_the_pipeline_of_the_page_is_one(tmp_path):
    page = Path(__file__).parents[1] / "docs" / "own_pipeline.md"
    (code,) = re.findall(r"```python\n(from dataclasses import .*?)```", page.read_text("utf-8"), re.DOTALL)
    (tmp_path / "loud_words.py").write_text(code)
    pipeline = find_pipeline(str(tmp_path / "loud_words.py"))(num_mel_bins=32)
    features = pipeline.front_end().compute_output_shape((None, pipeline.num_samples))
    assert features[2] == 32
    assert pipeline.backbone(features[1:], 3).output_shape == (None, 3)
    assert pipeline.training(pd.DataFrame({"label": []}), ["a", "b", "c"]).patience == 5
    assert reference_to(pipeline)["file"] == str(tmp_path / "loud_words.py")


def test_an_older_run_that_keeps_the_last_epoch_goes_on_to_it(tmp_path):
    options = {**find_pipeline("capture24")().options(), "patience": 2}
    for number, (loader, patience) in enumerate([({}, 2), ({"loader": None}, None)]):
        kept = {name: value for name, value in options.items() if name not in loader}
        run = Run.create(tmp_path / f"run{number}", {"pipeline": "capture24", "options": kept})
        assert pipeline_of(run).patience == patience


RAISING = """
import keras
from tfspec.pipelines import SpeechCommands

class Broken(keras.layers.Layer):
    def call(self, x):
        return {}["y"]

def broken(x):
    return float("no number")

class Mine(SpeechCommands):
    name = "mine"

    def {step}(self):
        {code}
"""


@pytest.mark.parametrize(
    ("step", "code", "said"),
    [
        ("manifest", 'open("nowhere.csv")', "FileNotFoundError: "),
        ("front_end", 'raise ValueError("as it says")', "ValueError: as it says\n"),
    ],
)
def test_what_a_step_of_ones_own_raises_is_told_with_its_line(tmp_path, capsys, step, code, said):
    (tmp_path / "mine.py").write_text(RAISING.replace("{step}", step).replace("{code}", code))
    command = ["train", str(tmp_path / "mine.py"), "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as stop:
        cli.main(command)
    assert stop.value.code == 2
    where = f"{tmp_path / 'mine.py'}, line 16, in {step}"
    assert capsys.readouterr().err.startswith(f"tfspec: {where}: {said}")
    with pytest.raises(SystemExit):
        cli.main([*command, "--verbose"])
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):\n")


def test_the_line_is_found_behind_keras_and_tensorflow_too(tmp_path):
    (tmp_path / "mine.py").write_text(RAISING.replace("{step}", "manifest").replace("{code}", "pass"))
    mine = load_file(tmp_path / "mine.py")
    with pytest.raises(UserError, match=r"mine\.py, line 7, in call: KeyError: y$"), own_errors_told():
        mine.Broken()(tf.zeros([1]))
    data = tf.data.Dataset.range(1).map(lambda x: tf.numpy_function(mine.broken, [x], tf.float32))
    said = r"mine\.py, line 10, in broken: ValueError: could not convert string to float: 'no number'$"
    with pytest.raises(UserError, match=said), own_errors_told():
        next(iter(data))
    with pytest.raises(KeyError), own_errors_told():
        raise KeyError("not of that file")


UNSAVED = {
    "front_end": "Unregistered(), keras.layers.Reshape((-1, 16, 1))",
    "backbone": "keras.Input(args[0]), keras.layers.Flatten(), keras.layers.Lambda(lambda x: x[:, :2])",
}
UNREGISTERED = """
class Unregistered(keras.layers.Layer):
    def call(self, x):
        return x

    def compute_output_shape(self, input_shape):
        return input_shape
"""


@pytest.mark.parametrize("step", UNSAVED)
def test_a_model_that_no_file_could_give_back_is_refused_before_it_trains(tone_folder, tmp_path, step):
    own_step = f"\n    def {step}(self, *args):\n        return keras.Sequential([{UNSAVED[step]}])\n"
    code = LIGHT.replace("@dataclasses", f"{UNREGISTERED}\n@dataclasses") + own_step
    (tmp_path / "mine.py").write_text(code)
    own = find_pipeline(str(tmp_path / "mine.py"))(
        data=tone_folder, epochs=1, validation_fraction=1 / 3, out=tmp_path / "run"
    )
    with pytest.raises(UserError, match=r"could not be loaded again once it is saved: .*decorate layers"):
        own.train(verbose=0)
    assert not (tmp_path / "run" / "best.keras").exists()


def test_a_module_beside_the_file_is_told_how_it_is_found(tmp_path):
    (tmp_path / "helpers_of_mine.py").write_text("")
    (tmp_path / "mine.py").write_text("import helpers_of_mine")
    with pytest.raises(UserError, match=re.escape(f"It stands beside: set PYTHONPATH={tmp_path}")):
        load_file(tmp_path / "mine.py")
