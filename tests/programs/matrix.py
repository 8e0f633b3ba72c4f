"""Try a wheel in empty environments: each Python found, with the oldest and the newest TensorFlow.

    python tests/programs/matrix.py dist/tfspec-0.2.0-py3-none-any.whl [3.10-oldest 3.13-newest …]

Prints a line for each environment and exits with 1 if one of them failed. An environment is
deleted before the next is made.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
ENDS = ["oldest", "newest"]
VERSIONS = "import tensorflow, keras; print('TensorFlow', tensorflow.__version__, 'Keras', keras.__version__)"


def main(wheel: Path, chosen: list[str]) -> int:
    """Try the chosen environments, or all."""
    failed = 0
    for name in chosen or [f"{python}-{end}" for python in PYTHONS for end in ENDS]:
        version, end = name.split("-")
        if (python := find_python(version)) is None:
            print(f"{name}: not tried, this machine has no Python {version}", flush=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                print(f"{name}: {try_out(python, wheel, end, Path(folder))}", flush=True)
            except subprocess.CalledProcessError as error:
                said = error.stderr.strip()
                absent = "No matching distribution found for tensorflow" in said
                failed += not absent
                print(f"{name}: {'no such TensorFlow' if absent else f'FAILED: {said[-1500:]}'}", flush=True)
    return int(failed > 0)


def find_python(version: str) -> str | None:
    """Find an interpreter on the path, or among those of pyenv."""
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    return str(kept[-1]) if kept else shutil.which(f"python{version}")


def try_out(python: str, wheel: Path, end: str, folder: Path) -> str:
    """Install the wheel and walk from sounds to the exported file's answers; return the versions used."""
    run(folder, python, "-m", "venv", "venv")
    binaries = folder / "venv" / "bin"
    pins = oldest_of(wheel) if end == "oldest" else []
    run(folder, binaries / "python", "-m", "pip", "install", "--quiet", wheel.resolve(), *pins)
    run(folder, binaries / "tfspec", "--help")
    run(folder, binaries / "tfspec", "demo", "--out", "run")
    sound = min((folder / "run").parent.rglob("*.wav"))
    run(folder, binaries / "tfspec", "predict", "run", sound)
    (model,) = (folder / "run" / "export").glob("model.tflite")
    run(folder, binaries / "tfspec", "predict", model, sound)
    return run(folder, binaries / "python", "-c", VERSIONS).splitlines()[-1]


def oldest_of(wheel: Path) -> list[str]:
    """Read the lower bounds of TensorFlow and Keras from the wheel's metadata."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    bounds = re.findall(r"^Requires-Dist: (tensorflow|keras)\b.*?>=([\d.]+)", metadata, re.MULTILINE)
    return [f"{package}=={version}.*" for package, version in bounds]


def run(folder: Path, *command: object) -> str:
    """Run a command in a folder and return what it printed."""
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
