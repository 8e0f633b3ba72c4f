import gc
import os
import statistics
from collections import Counter, defaultdict
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # there are as many processes as cores
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import hypothesis
import numpy as np
import pytest
from quick import is_quick
from tones import write_tones

QUICK_PARAMETERS = 2
"""Of a test with many parameters, so many are quick."""

gc.set_threshold(50_000, 20, 20)  # graphs are many objects; looking through them took a twelfth of the time
# How long an example takes is not what is tested, and with other work beside it may take long
hypothesis.settings.register_profile("tfspec", deadline=None)
hypothesis.settings.load_profile("tfspec")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def tone_folder(tmp_path) -> Path:
    """Two classes, three speakers."""
    return write_tones(tmp_path / "tones", {"high": 2000, "low": 300}, speakers=3)


def pytest_collection_modifyitems(items):
    """Mark what is quick, and begin with the files of which least is: what is long shall not come last."""
    files, seen = defaultdict(list), Counter()
    for item in items:
        if not isinstance(item, pytest.Function):  # an example of a docstring, with --doctest-modules
            files[item.path].append(True)
            continue
        seen[item.function] += 1
        quick = is_quick(item)
        if quick and seen[item.function] <= QUICK_PARAMETERS:
            item.add_marker("quick")
        files[item.path].append(quick)
    quick_part = {path: statistics.fmean(quick) for path, quick in files.items()}
    items.sort(key=lambda item: quick_part[item.path])


def pytest_collection_finish():
    """Keep the collector from what the imports have made, which stays."""
    gc.collect()
    gc.freeze()
