"""What one command comes to on signals of one's own: accuracy, interval and processor time.

    python tests/benchmarks/measure_own_signals.py DATA OUT

DATA holds esc10, spoken_digits and speech_commands, a folder a class in each, the arrays of
wrist_accelerometer, and in weights MobileNetV2's file of ImageNet weights without its top. Each command's run
goes to a folder of OUT; one that is finished is not made again. Beside it stands the better one of the two
peers of measure_forest.py on the same folds. An accuracy is one of examples each of which was scored by a
model that has not trained on its group, with a 95% interval over groups. Processor time is that of the whole
command.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import warnings
from pathlib import Path

from machine import give_table
from measure_forest import accuracies

from tfspec.experiment.run import Run

WEIGHTS = "mobilenet_v2_1.0_imagenet_notop.weights.h5"
WORDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")
COLUMNS = ("data", "command", "accuracy", "ten lines of scikit-learn", "CPU time")


def main(data: Path, out: Path) -> None:
    """Run the commands and print the table."""
    pretrained = ["--network", "mobilenet_v2", "--weights", str(data / "weights" / WEIGHTS), "--frozen"]
    esc10, mobilenet, digits, words, wrists = (
        trained(data / folder, out / name, options)
        for folder, name, options in (
            ("esc10", "esc10", []),
            ("esc10", "mobilenet", pretrained),
            ("spoken_digits", "digits", []),
            ("speech_commands", "words", ["--classes", *WORDS]),
            ("wrist_accelerometer", "wrists", ["--folds", "5"]),
        )
    )
    rows = [
        ("ESC-10, four of its folds: {} clips, {} recordings", "tfspec train esc10", esc10),
        ("the same, on what MobileNetV2 sees", "… --network mobilenet_v2 --weights FILE --frozen", mobilenet),
        ("spoken digits, {} clips of four speakers", "tfspec train spoken_digits", digits),
        (
            "eight words of Speech Commands, {} clips of {} speakers",
            "tfspec train ./speech_commands --classes …",
            words,
        ),
        (
            "wrist accelerometers, 18 activities: {} windows of 30 s, {} people",
            "tfspec train wrist_accelerometer --folds 5",
            wrists,
        ),
    ]
    give_table("own_signals_1", COLUMNS, [row(*each) for each in rows])


def trained(data: Path, folder: Path, options: list[str]) -> Path:
    """Run the command, unless it has been run; keep the minutes of processor time beside its folder."""
    minutes = folder.with_suffix(".minutes")
    if not minutes.exists():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [str(Path(sys.executable).with_name("tfspec")), "train", str(data.resolve())]
        subprocess.run([*command, "--out", str(folder), *options], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        minutes.write_text(f"{seconds / 60:.0f}")
    return folder


def row(said: str, command: str, folder: Path) -> list[str]:
    """Say what a run came to, with how many examples and groups."""
    run = Run(folder)
    scores, groups = run.metrics(), run.split["group"].nunique()
    low, high = scores["intervals"]["accuracy"]
    return [
        said.format(f"{len(run.split):,}", f"{groups:,}"),
        f"`{command}`",
        f"**{scores['accuracy']:.3f}** ({low:.3f}–{high:.3f})",
        f"{max(accuracies(folder).values()):.2f}",
        f"{folder.with_suffix('.minutes').read_text()} min",
    ]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
