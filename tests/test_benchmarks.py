"""The scripts that measure: that each still finds what it uses."""

import runpy
from pathlib import Path

import pytest

SCRIPTS = sorted(Path(__file__).with_name("benchmarks").glob("measure_*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_finds_what_it_imports(script, monkeypatch):
    monkeypatch.syspath_prepend(script.parent)  # as Python does that starts a script
    assert callable(runpy.run_path(str(script), run_name="imported")["main"])
