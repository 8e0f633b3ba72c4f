import doctest
import importlib
import pkgutil

import numpy
import pytest
import tensorflow

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


def test_modules_and_their_examples_are_found():
    assert {"tfspec.dsp.spectral", "tfspec.data.splits", "tfspec.pipelines.speech_commands"} <= set(MODULES)
    examples = doctest.DocTestFinder().find(importlib.import_module("tfspec.dsp.spectral"))
    assert sum(len(example.examples) for example in examples) >= 5
