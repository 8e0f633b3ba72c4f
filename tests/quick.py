"""Which tests are quick, told from their code, so that nobody keeps a list."""

import functools
import inspect
from collections.abc import Callable, Iterator
from types import CodeType

import pytest

SLOW = {
    *("subprocess", "launch", "multiprocessing", "run_code", "NotebookClient", "Chrome"),  # starts a process
    *("train", "resume", "fit", "train_on_batch", "main"),  # trains, or may
    *("transfer", "mac"),  # makes a large network
    *("pitch_shift", "PitchShift", "time_stretch", "TimeStretch"),  # works through seconds of sound
    *("function", "jit_compile", "Dataset", "Model", "Sequential", "make_dataset"),  # traces a graph
    *("export", "save", "load_model", "TFLiteConverter", "tflite_model", "testmod"),
    *("compiled_network", "compiled_front_end", "compiled_library"),  # compiles C
}
"""Names of what takes seconds."""


def is_quick(item: pytest.Function) -> bool:
    """Whether a test does without hypothesis, and it, its fixtures and what these call name nothing slow."""
    if hasattr(item.function, "hypothesis"):
        return False
    fixtures = (getattr(item.module, name, None) for name in item.fixturenames)
    return not any(_names_slow(each) for each in (item.function, *fixtures))


@functools.cache
def _names_slow(function: Callable | None) -> bool:
    return _is_slow(function, set())


def _is_slow(function: Callable | None, seen: set) -> bool:
    function = inspect.unwrap(function)
    if not inspect.isfunction(function) or function in seen:
        return False
    seen.add(function)
    names = set(_names(function.__code__))
    called = (function.__globals__.get(name) for name in names)
    return bool(names & SLOW) or any(
        _is_slow(each, seen) for each in called if getattr(each, "__module__", None) == function.__module__
    )


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
        elif isinstance(constant, tuple):  # the names of keyword arguments
            yield from (each for each in constant if isinstance(each, str))
