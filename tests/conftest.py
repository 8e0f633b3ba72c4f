from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def tone_folder(tmp_path, rng) -> Path:
    """Two classes, three speakers, two half-second tones of each at 16 kHz; no two alike."""
    folder = tmp_path / "tones"
    seconds = np.arange(8000) / 16000
    for label, hertz in {"high": 2000, "low": 300}.items():
        (folder / label).mkdir(parents=True)
        for i in range(6):
            tone = 0.3 * np.sin(2 * np.pi * (hertz * rng.uniform(0.9, 1.1) * seconds + rng.uniform()))
            soundfile.write(folder / label / f"speaker{i // 2}_nohash_{i % 2}.wav", tone, 16000)
    return folder
