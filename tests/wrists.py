"""Made-up people with an accelerometer on their wrist."""

import numpy as np
import pandas as pd

from tfspec.data.sources.windows import DICTIONARY

RATE, SAMPLES = 20, 200
HERTZ = {"sitting": 0.0, "walking": 2.0, "running": 4.0}


def write_people(folder, people=8, windows=18, dtype=np.float16, seed=0):
    """Write people who do one thing and then another, each at a pace and an angle of their own."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    labels = np.tile(np.repeat([*HERTZ], windows // 3), people)
    person = np.repeat(np.arange(people), windows)
    hertz = np.array([HERTZ[label] for label in labels]) * rng.uniform(0.9, 1.1, people)[person]
    swing = 0.3 * np.sin(2 * np.pi * hertz[:, None] * np.arange(SAMPLES) / RATE)
    direction = rng.standard_normal((people, 1, 3))[person]
    signals = (1 + swing[..., None]) * direction / np.linalg.norm(direction, axis=2, keepdims=True)
    np.save(folder / "X.npy", (signals + rng.normal(0, 0.02, signals.shape)).astype(dtype))
    np.save(folder / "Y.npy", np.char.add(labels, ";MET"))
    seconds = 10_000 * np.arange(len(labels)) + 86_400_000 * person
    np.save(folder / "T.npy", np.datetime64("2016-11-13T02:18:00", "ms") + seconds)
    np.save(folder / "pid.npy", np.char.add("P", (person + 1).astype(str)))
    table = {"annotation": [f"{label};MET" for label in HERTZ], "label:simple": [*HERTZ]}
    pd.DataFrame(table).to_csv(folder / DICTIONARY, index=False)
    return folder
