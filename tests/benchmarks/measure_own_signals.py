"""What one command comes to on signals of one's own: accuracy, interval and processor time.

    python tests/benchmarks/measure_own_signals.py DATA OUT

DATA holds esc10, spoken_digits and speech_commands, a folder a class in each, the arrays of
wrist_accelerometer, and in weights MobileNetV2's file of ImageNet weights without its top. Each command's
run goes to a folder of OUT; one that is finished is not made again. Beside it stands the better one of the
two peers of measure_forest.py on the same folds. An accuracy, or a mean average precision where several
labels hold at once, is one of examples each of which was scored by a model that has not trained on its
group, with a 95% interval over groups. Processor time is that of the whole command. Clips of several
labels are mixed here, of one to three of ESC-10's classes, all of one fold. Soundscapes are those of
measure_events.py: two hours with Raven's tables train, and an hour of sounds of another fold tests.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from machine import give_table
from measure_events import write_soundscapes
from measure_forest import scores_of_peers, segments_of_peers

from tfspec.audio.decoding import load_audio
from tfspec.base.text import number_of
from tfspec.data.sources.selections import list_events
from tfspec.experiment.run import Run

WEIGHTS = "mobilenet_v2_1.0_imagenet_notop.weights.h5"
RAVEN = ".Table.1.selections.txt"
WORDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")
COLUMNS = ("data", "command", "accuracy", "ten lines of scikit-learn", "CPU time")
RATE, MIXED_OF_FOLD = 22050, 120
"""Samples per second of mixed clips, and how many there are of each fold."""


def main(data: Path, out: Path) -> None:
    """Run the commands and print the table."""
    pretrained = ["--network", "mobilenet_v2", "--weights", str(data / "weights" / WEIGHTS), "--frozen"]
    mixed = write_mixed(data / "esc10", out / "mixed")
    annotated = write_annotated(data, out / "soundscapes")
    esc10, mobilenet, digits, words, twelve, wrists, several = (
        trained(data / folder, out / name, options)
        for folder, name, options in (
            ("esc10", "esc10", []),
            ("esc10", "mobilenet", pretrained),
            ("spoken_digits", "digits", []),
            ("speech_commands", "words", ["--classes", *WORDS]),
            ("speech_commands", "twelve", ["--folds", "5"]),
            ("wrist_accelerometer", "wrists", ["--folds", "5"]),
            (mixed.resolve(), "several", []),
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
            "the same with *on*, *off*, unknown words and silence, {} clips, {} groups",
            "tfspec train ./speech_commands --folds 5",
            twelve,
        ),
        (
            "wrist accelerometers, 18 activities: {} windows of 30 s, {} people",
            "tfspec train wrist_accelerometer --folds 5",
            wrists,
        ),
        (
            "several labels: {} clips of one to three sounds of ESC-10 at once, {} folds",
            "tfspec train mixed/clips.csv",
            several,
        ),
    ]
    scenes = trained(annotated / "train", out / "scenes", ["--folds", "0"])
    made = [*(row(*each) for each in rows), row_of_scenes(scenes, annotated)]
    give_table("own_signals_1", COLUMNS, made)


def write_mixed(esc10: Path, out: Path) -> Path:
    """Mix one to three clips of different classes of a fold, up to 6 dB apart; return their table."""
    table, rng = out / "clips.csv", np.random.default_rng(0)
    if table.exists():
        return table
    out.mkdir(parents=True, exist_ok=True)
    recordings = pd.DataFrame({"path": sorted(esc10.glob("*/*.ogg"))})
    recordings = recordings.assign(
        label=[path.parent.name for path in recordings["path"]],
        fold=[path.name[0] for path in recordings["path"]],
    )
    classes, rows = sorted(recordings["label"].unique()), []
    for fold, of_fold in recordings.groupby("fold"):
        for number in range(MIXED_OF_FOLD):
            drawn = rng.choice(classes, rng.integers(1, 4), replace=False)
            mixed = np.zeros(5 * RATE)
            for name in drawn:
                path = rng.choice(of_fold["path"][of_fold["label"] == name].to_numpy())
                sound = load_audio(path, RATE)[: len(mixed)]
                gain = 10 ** (rng.uniform(-6, 0) / 20) * 0.1 / np.sqrt(np.mean(sound**2))
                mixed[: len(sound)] += gain * sound
            name = f"{fold}_{number:03}.wav"
            soundfile.write(out / name, mixed / max(1, np.abs(mixed).max()), RATE)
            rows.append({"path": name, "group": fold, **{each: int(each in drawn) for each in classes}})
    pd.DataFrame(rows).to_csv(table, index=False)
    return table


def write_annotated(data: Path, out: Path) -> Path:
    """Mix soundscapes, and write what is heard in them as Raven does."""
    if not out.exists():
        write_soundscapes(data, out)
    for labels in out.glob("*/*.txt"):
        if not labels.name.endswith(RAVEN):
            table = pd.read_csv(labels, sep="\t", names=["Begin Time (s)", "End Time (s)", "Annotation"])
            table.insert(0, "Selection", range(1, len(table) + 1))
            table.to_csv(labels.with_name(labels.stem + RAVEN), sep="\t", index=False)
            labels.unlink()
    return out


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
    is_several = scores["labels"] == "several"
    name, before = ("mean_average_precision", "mean average precision ") if is_several else ("accuracy", "")
    low, high = scores["intervals"][name]
    return [
        said.format(f"{len(run.split):,}", f"{groups:,}"),
        f"`{command}`",
        f"{before}**{scores[name]:.3f}** ({low:.3f}–{high:.3f})",
        f"{max(scores_of_peers(folder).values()):.2f}",
        f"{folder.with_suffix('.minutes').read_text()} min",
    ]


def row_of_scenes(folder: Path, annotated: Path) -> list[str]:
    """Say what a run comes to in the soundscapes of sounds that it has not heard."""
    test = annotated / "test"
    tfspec = [str(Path(sys.executable).with_name("tfspec")), "evaluate", str(folder), "--json"]
    told = subprocess.run([*tfspec, "--data", str(test.resolve())], check=True, stdout=subprocess.PIPE)
    scores = json.loads(told.stdout)["events"]["segment_based"]
    low, high = scores["intervals"]["f1"]
    events = list_events(annotated / "train")
    recordings = number_of(events["path"].nunique(), "recording")
    return [
        f"soundscapes of ESC-10 with Raven's tables: {recordings} of a minute, {len(events):,} events, "
        "scored on 60 others",
        "`tfspec train soundscapes --folds 0`",
        f"F1 of segments of a second **{scores['f1']:.3f}** ({low:.3f}–{high:.3f})",
        f"{max(segments_of_peers(annotated / 'train', test).values()):.2f}",
        f"{folder.with_suffix('.minutes').read_text()} min",
    ]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
