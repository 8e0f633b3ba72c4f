"""What recordings that nobody has annotated are good for, on soundscapes mixed from ESC-10.

    python tests/benchmarks/measure_pseudo_labels.py DATA OUT [--seeds 0 1 2]

The soundscapes, their scores and their test are those of measure_events.py. But only half an hour is
annotated, of sounds of fold 1. Another hour and a half, of the sounds of fold 2 and of the first half of fold
3, is not. A first model learns from the half hour alone; a second one also from what the first is sure of in
the others; and a third from both with all annotations, which is as far as a teacher could lead. What is
trained in OUT already is scored anew.
"""

import argparse
import json
from pathlib import Path

import measure_events as scenes
from machine import give_table

ANNOTATED, OTHERS = 30, 90
"""Scenes of a minute."""
PAGE = {"few": "half an hour", "taught": "and pseudo-labels of 1.5 hours", "all": "two hours, all annotated"}
"""The columns of docs/events.md, and how they are called there."""
SCORES = ("F1 of events, 200 ms", "F1 of events, 1 s", "F1 of segments of a second", "PSDS, scenario 1")


def main(data, out, seeds):
    folder = out / "scenes"
    if not folder.exists():
        write_folders(data / "esc10", folder)
    annotated = folder / "annotated"
    for seed in seeds:
        scenes.measure(annotated, out, "few", seed)
        taught = {"unlabelled": folder / "train", "teacher": out / f"few-{seed}"}
        scenes.measure(annotated, out, "taught", seed, **taught)
        scenes.measure(folder, out, "all", seed)
    found = [[json.loads((out / f"{name}-{seed}.json").read_text()) for seed in seeds] for name in PAGE]
    rows = [
        [said, *(scenes.cell([each[scenes.PAGE_SCORES[said]] for each in of_seeds]) for of_seeds in found)]
        for said in SCORES
    ]
    give_table("events_2", ["", *PAGE.values()], rows)


def write_folders(esc10, folder):
    """Write what is annotated, and beside it, in `train`, what nobody has."""
    classes = sorted(esc10.iterdir())
    annotated = folder / "annotated"
    for number, part in enumerate(("validation", "test"), 1):
        clips = {each.name: scenes.sources(each, part) for each in classes}
        scenes.write_scenes(annotated / part, clips, number, scenes.SCENES[part])
    for number, (into, is_first, count) in enumerate(
        [(annotated, True, ANNOTATED), (folder, False, OTHERS)], 10
    ):
        clips = {
            each.name: [clip for clip in scenes.sources(each, "train") if (clip.name[0] == "1") == is_first]
            for each in classes
        }
        scenes.write_scenes(into / "train", clips, number, count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="holds esc10")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    main(given.data, given.out, given.seeds)
