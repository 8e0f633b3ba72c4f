"""The oldest TensorFlow and Keras that setup.cfg allows, and the newest that there are, go the whole path."""

import configparser
import json
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = Path(__file__).with_name("programs") / "whole_path.py"


def oldest() -> dict[str, str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return dict(re.findall(r"^(tensorflow|keras)>=([\d.]+)$", config["options"]["install_requires"], re.M))


def environment(folder: Path, requirements: list[str]) -> Path:
    """Make one with tfspec and what it needs, but nothing for tests; skip where there is no network."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*install, *requirements, ROOT], stderr=subprocess.PIPE, text=True)
    if re.search("NewConnectionError|No matching distribution|Max retries", done.stderr):
        pytest.skip("needs packages from the network: " + done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return python


def went_the_whole_path(python: Path, folder: Path) -> dict[str, str]:
    done = subprocess.run([python, PROGRAM, folder], capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return json.loads(done.stdout.rpartition("VERSIONS ")[2])


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the oldest TensorFlow is for Python 3.12 and before")
def test_the_oldest_versions_go_the_whole_path(tmp_path):
    pinned = oldest()
    python = environment(tmp_path / "oldest", [f"{name}=={number}.*" for name, number in pinned.items()])
    versions = went_the_whole_path(python, tmp_path)
    for name, number in pinned.items():
        assert versions[name].startswith(number + ".")


@pytest.mark.slow
def test_the_newest_versions_go_the_whole_path(tmp_path):
    python = environment(tmp_path / "newest", ["--pre", "--upgrade", "tensorflow", "keras", "ai-edge-litert"])
    versions = went_the_whole_path(python, tmp_path)
    assert set(versions) == {"tensorflow", "keras", "ai-edge-litert", "numpy"}
