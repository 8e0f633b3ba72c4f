"""What is imported when: the command line answers at once, and importing tfspec changes nothing."""

import importlib
import json
import pkgutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import soundfile

import tfspec
from tfspec.data.sources import simulate
from tfspec.export import export
from tfspec.frontends import Spectrogram
from tfspec.models import Classifier, conv2d

HEAVY = ("tensorflow", "keras", "sklearn", "scipy", "matplotlib")
RUN = """
import sys
from tfspec.cli.main import main
for arguments in {commands}:
    try:
        main(arguments)
    except SystemExit:
        pass
print(*sorted({heavy} & set(sys.modules)), file=sys.stderr)
"""


def _python(program: str, *arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def _run(*commands, heavy=HEAVY) -> tuple[str, list[str], str]:
    """Run commands in one process: what they print, which heavy packages are imported then, and errors."""
    arguments = [list(map(str, command)) for command in commands]
    done = _python(RUN.format(commands=arguments, heavy=set(heavy)))
    *errors, imported = done.stderr.splitlines()
    return done.stdout, imported.split(), "\n".join(errors)


def test_help_and_mistakes_import_nothing_heavy():
    from tfspec.cli.commands import COMMANDS
    from tfspec.cli.commands.simulated import KINDS

    asked = [["--help"], ["--version"], ["train"], ["train", "--help"], ["prepare", "--help"]]
    wrong = [["predct"], ["predict", "x", "--hop", "3"]]
    helped = [[command, "--help"] for command in (*COMMANDS, "launch", "simulate")]
    helped += [["simulate", kind, "--help"] for kind in KINDS]
    out, imported, errors = _run(*asked, *helped, *wrong, heavy=(*HEAVY, "pandas", "numpy"))
    assert imported == []
    assert "speech_commands" in out
    assert "No command 'predct'" in errors
    assert "--hop-seconds" in errors


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    backbone = conv2d((None, 65, 1), 2)
    model = Classifier(Spectrogram(128, 128), backbone, ["no", "yes"], (8000,), 8000)
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 8000)).astype(np.float32)
    export(model, folder / "export", [noise])
    model.save(folder / "model.keras")
    soundfile.write(folder / "a.wav", noise.ravel(), 8000)
    return folder


def test_a_tflite_file_is_used_without_tensorflow(folder):
    files = [folder / "export" / "model.tflite", folder / "a.wav"]
    out, imported, errors = _run(["predict", *files], ["predict", *files, "--hop-seconds", "0.5", "--json"])
    assert imported == []
    assert errors == ""  # LiteRT, too, is quiet
    assert "a.wav: " in out
    assert '"start": 1.0' in out
    out, imported, _ = _run(["detect", *files, "--out", folder / "found", "--threshold", "0", "--json"])
    assert imported == []
    assert len(json.loads(out)[str(folder / "a.wav")]) == 2
    assert len(list((folder / "found").glob("a.*"))) == 4


def test_importing_tfspec_changes_nothing_in_the_process():
    state = "(dict(os.environ), os.fstat(2), list(sys.meta_path), logging.root.manager.loggerDict)"
    program = f"import logging, os, sys; before = {state}; import tfspec; assert {state} == before"
    heavy = "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    _python(f"{program}; {heavy}")


def test_every_public_name_is_there():
    assert set(tfspec.__all__) <= set(dir(tfspec))
    for name in tfspec.__all__:
        assert getattr(tfspec, name) is not None
    with pytest.raises(AttributeError, match="module 'tfspec' has no attribute 'nothing'"):
        _ = tfspec.nothing


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        "import keras, tfspec; model = keras.saving.load_model(sys.argv[1])",
        "import tfspec; model = tfspec.load_model(sys.argv[1])",
        "import tfspec.models, keras; model = keras.saving.load_model(sys.argv[1])",
    ],
)
def test_a_saved_model_loads_whichever_was_imported_first(folder, program):
    done = _python(f"import sys; {program}; print(*model.class_names)", folder / "model.keras")
    assert done.stdout.split() == ["no", "yes"]


def test_what_a_model_takes_is_saved_with_it(folder, tmp_path):
    assert tfspec.load_model(folder / "model.keras").takes == "recording"
    assert tfspec.load_model(folder / "export" / "model.tflite").takes == "recording"
    front_end = keras.layers.Reshape((64, 128, 1))
    pictures = Classifier(front_end, conv2d((64, 128, 1), 2), ["no", "yes"], (64, 128), takes="windows")
    pictures.save(tmp_path / "windows.keras")
    assert tfspec.load_model(tmp_path / "windows.keras").takes == "windows"
    config = pictures.get_config()
    del config["takes"]  # as of a model that was saved before
    assert Classifier.from_config(config).takes == "picture"


def test_many_front_ends_do_not_make_tensorflow_warn_of_traces(caplog):
    with caplog.at_level("WARNING"):
        for _ in range(12):
            Spectrogram(128, 128)(np.zeros((1, 1000), np.float32))
    assert "retracing" not in caplog.text


@pytest.mark.parametrize("package", [tfspec, tfspec.data, tfspec.export, simulate])
def test_no_module_hides_what_its_package_gives_under_the_same_name(package):
    """As Python puts an imported module into its package, over names that come when asked for."""
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)} & {*package.__all__}
    homes = {name: importlib.import_module(f"{package.__name__}.{name}") for name in modules}
    assert not [name for name, home in homes.items() if hasattr(home, name)]
