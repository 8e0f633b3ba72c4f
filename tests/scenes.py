"""Annotated recordings, for tests of detection and transfer."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

RATE = 32000
HERTZ = {"3": 1000, "10": 4000}


def write_scenes(folder: Path, part: str, recordings: int) -> Path:
    """Recordings of 3 s with a tone of each species in noise, and their annotations as PART_tp.csv."""
    rng = np.random.default_rng(recordings)
    (folder / part).mkdir(parents=True)
    rows = []
    for i in range(recordings):
        scene = rng.normal(0, 0.01, 3 * RATE)
        for k, (species, hertz) in enumerate(HERTZ.items()):
            begin = 1.5 * k + rng.uniform(0, 1)
            at = int(begin * RATE)
            scene[at : at + RATE // 2] += 0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE // 2) / RATE)
            rows.append([f"{part}{i}", species, 1, begin, hertz - 100, begin + 0.5, hertz + 100])
        soundfile.write(folder / part / f"{part}{i}.flac", scene, RATE)
    columns = ["recording_id", "species_id", "songtype_id", "t_min", "f_min", "t_max", "f_max"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / f"{part}_tp.csv", index=False)
    return folder
