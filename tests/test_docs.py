import doctest
import importlib
import pkgutil
import types

import numpy
import pytest
import tensorflow
from conftest import pytest_collection_modifyitems

import tfspec
from tfspec import pipelines

MODULES = sorted(
    {"tfspec", "tfspec.pipelines"}
    | {module.name for module in pkgutil.walk_packages(tfspec.__path__, "tfspec.")}
    | {module.name for module in pkgutil.walk_packages(pipelines.__path__, "tfspec.pipelines.")}
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, _ = doctest.testmod(module, optionflags=flags, extraglobs={"np": numpy, "tf": tensorflow})
    assert failed == 0


def test_examples_are_collected_beside_tests():
    examples = [types.SimpleNamespace(path=path) for path in ("b.py", "a.py")]  # pytest's own kind is private
    pytest_collection_modifyitems(examples)
    assert [example.path for example in examples] == ["b.py", "a.py"]


def test_modules_and_their_examples_are_found():
    assert {"tfspec.dsp.spectral", "tfspec.data.splits", "tfspec.pipelines.speech_commands"} <= set(MODULES)
    examples = doctest.DocTestFinder().find(importlib.import_module("tfspec.dsp.spectral"))
    assert sum(len(example.examples) for example in examples) >= 5
