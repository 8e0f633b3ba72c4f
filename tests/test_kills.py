"""A run that is killed before any change of any file, and resumed, ends as one that was not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("needs Linux and a C compiler")
    path = tmp_path_factory.mktemp("library") / "kill_at.so"
    source = PROGRAMS / "kill_at.c"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", path, source, "-ldl"], check=True)
    return path


def kill(library: Path, kind: str, folder: Path, every: int) -> dict:
    done = subprocess.run(
        [sys.executable, PROGRAMS / "kills.py", kind, folder, str(every)],
        env={**os.environ, "LD_PRELOAD": str(library)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_training_killed_at_some_changes(library, tmp_path):
    found = kill(library, "recordings", tmp_path, every=29)
    assert found["changes"] > 100 and found["kills"] >= 4
    assert found["wrong"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["recordings", "pictures", "windows", "mixtures", "prepare", "export", "evaluate"]
)
def test_killed_at_every_change(library, tmp_path, kind):
    found = kill(library, kind, tmp_path, every=1)
    assert found["kills"] == found["changes"] > 10
    assert found["wrong"] == []
