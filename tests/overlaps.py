"""One-second mixtures of tones with their shares, for tests of soft labels."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import soundfile

HERTZ = {"low": 300, "middle": 1000, "high": 3000}


def write_overlaps(folder: Path, train: int, test: int, answered: bool = True) -> Path:
    """Write train/ and test/ with their answers, and submission.csv, whose ids have no suffix."""
    rng = np.random.default_rng(0)
    seconds = np.arange(16000) / 16000
    for part, count in (("train", train), ("test", test)):
        (folder / part).mkdir(parents=True)
        rows = []
        for i in range(count):
            first, second = rng.choice(len(HERTZ), size=2, replace=False)
            shares = np.zeros(len(HERTZ))
            shares[first] = round(rng.uniform(0.25, 1), 3)
            shares[second] = 1 - shares[first]
            tones = [np.sin(2 * np.pi * (hz * seconds + rng.uniform())) for hz in HERTZ.values()]
            sound = 0.3 * shares @ np.array(tones) + rng.normal(0, 1e-3, 16000)
            soundfile.write(folder / part / f"{part}_{i}.wav", sound, 16000)
            rows.append([f"{part}_{i}", *shares])
        table = pd.DataFrame(rows, columns=["id", *HERTZ])
        if part == "train" or answered:
            table.to_csv(folder / f"{part}_answer.csv", index=False)
    table.iloc[::-1].assign(**dict.fromkeys(HERTZ, 0)).to_csv(folder / "submission.csv", index=False)
    return folder


def small_network(feature_shape, num_classes, width, pooling) -> keras.Model:
    """Stand in for `mac`, which takes seconds to compile: random in training too, with either pooling."""
    pool = {"average": keras.layers.AveragePooling2D, "max": keras.layers.MaxPooling2D}[pooling](16)
    features = keras.Input(feature_shape)
    x = keras.layers.Dropout(0.25)(keras.layers.Flatten()(pool(features)))
    logits = keras.layers.Dense(num_classes, name="logits")(keras.layers.BatchNormalization()(x))
    return keras.Model(features, logits)
