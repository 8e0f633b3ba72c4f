from pathlib import Path

import numpy as np
import pytest
from tones import write_tones


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def tone_folder(tmp_path) -> Path:
    """Two classes, three speakers."""
    return write_tones(tmp_path / "tones", {"high": 2000, "low": 300}, speakers=3)
