"""Recordings of tones, for tests that train."""

from pathlib import Path

import numpy as np
import soundfile


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
