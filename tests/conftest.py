from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def write_tones(folder: Path, hertz: dict[str, float], speakers: int) -> Path:
    """A class folder a pitch, two half-second tones a speaker at 16 kHz; no two alike."""
    rng = np.random.default_rng(0)
    seconds = np.arange(8000) / 16000
    for label, pitch in hertz.items():
        (folder / label).mkdir(parents=True)
        for i in range(2 * speakers):
            tone = 0.3 * np.sin(2 * np.pi * (pitch * rng.uniform(0.9, 1.1) * seconds + rng.uniform()))
            soundfile.write(folder / label / f"speaker{i // 2}_nohash_{i % 2}.wav", tone, 16000)
    return folder


@pytest.fixture
def tone_folder(tmp_path) -> Path:
    """Two classes, three speakers."""
    return write_tones(tmp_path / "tones", {"high": 2000, "low": 300}, speakers=3)
