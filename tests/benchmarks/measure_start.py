"""Print how long the command line takes to answer: medians of seconds, by the clock and of processor time.

    python tests/benchmarks/measure_start.py [RUNS]

The commands are `tfspec --help`, a mistyped command and a mistyped option, help of a command; `predict` and
`detect` on a TFLite file and one recording, up to the end, in which the answer is printed; and, for
comparison, `python -c pass` and what importing TensorFlow takes.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
from machine import described

TFSPEC = str(Path(sys.executable).with_name("tfspec"))
RATE = 16000


def write_model(folder: Path) -> None:
    from tfspec.export import tflite_model
    from tfspec.frontends import MFCC
    from tfspec.models import Classifier, conv2d

    model = Classifier(
        MFCC(20, RATE, num_mel_bins=32), conv2d((None, 20, 1), 2), ["no", "yes"], (RATE,), RATE
    )
    (folder / "model.tflite").write_bytes(tflite_model(model))
    soundfile.write(folder / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 10 * RATE), RATE)


def seconds(command: list[str], folder: Path) -> tuple[float, float]:
    """Return the time by the clock, and the processor time, of one run."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, capture_output=True)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(runs: str = "7") -> None:
    arguments = ["--help", "predct", "predict --hop", "predict --help", "train --help"]
    arguments += ["predict model.tflite a.wav", "detect model.tflite a.wav"]
    commands = [[TFSPEC, *each.split()] for each in arguments]
    commands += [[sys.executable, "-c", program] for program in ("pass", "import tensorflow")]
    print(f"{described()}\n")
    print("| command | s | s of processor time |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder))
        for command in commands:
            seconds(command, Path(folder))
            clock, cpu = zip(*(seconds(command, Path(folder)) for _ in range(int(runs))), strict=True)
            name = " ".join([Path(command[0]).name, *command[1:]])
            print(f"| `{name}` | {median(clock):.2f} | {median(cpu):.2f} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
