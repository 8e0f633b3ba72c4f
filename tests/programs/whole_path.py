"""Trains, evaluates, exports and predicts in the Python that runs it, by the command line alone.

python whole_path.py FOLDER; started by test_versions.py, in environments that have no test packages.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tones import write_tones

from tfspec.cli.main import main

SMALL = (
    "--validation-fraction 0.34 --clip-seconds 0.3 --batch-size 4 --epochs 2 --model conv2d --augment shift"
)


def tfspec(*words) -> None:
    print("tfspec", *words, flush=True)
    main([str(word) for word in words])


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    data = write_tones(folder / "data", {"high": 2000, "low": 300}, speakers=3)
    run, sound = folder / "run", next((data / "high").glob("*.wav"))
    tfspec("train", "speech_commands", "--data", data, "--out", run, *SMALL.split())
    tfspec("evaluate", run)
    tfspec("export", run)
    for model in (run, *sorted((run / "export").glob("*.tflite"))):
        tfspec("predict", model, sound)
    versions = {name: version(name) for name in ("tensorflow", "keras", "ai-edge-litert", "numpy")}
    print("VERSIONS " + json.dumps(versions))
