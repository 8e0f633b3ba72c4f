"""What sounds when: slices against sound-event heads, on soundscapes mixed from ESC-10.

    python tests/benchmarks/measure_events.py DATA OUT [MODEL …] [--seeds 0 1 2]

DATA/esc10 holds a folder a class with recordings named FOLD-SOURCE-LETTER.ogg. Rain and sea waves are the
background, the other eight classes the events. Folds 1 and 2 and half of fold 3's sources sound in training,
the other half of fold 3 in validation, and fold 4 in the test alone. Scenes last a minute and have ten events
each, which may overlap, of 0.3 to 4 s. An event's level is that of its power above the background's while it
lasts: drawn from −5 to 20 dB in training and validation; in the test all events of a scene have one of six.
Thresholds and filters are chosen on validation, for the slices as for the heads; nothing is on the test.
What is trained in OUT already is scored anew. The table has means over the seeds, of scores and of the ends
of their intervals over recordings.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from machine import give_table

from tfspec.audio.decoding import load_audio
from tfspec.base.files import written_beside
from tfspec.base.frames import EventRule
from tfspec.data.frame_targets import COLUMN
from tfspec.experiment.events import OPERATING_POINTS, hear
from tfspec.experiment.run import Run
from tfspec.frontends import PCEN, Decibel
from tfspec.inference import detect
from tfspec.pipelines import OwnRecordings
from tfspec.scores.event_rules import choose_event_rule
from tfspec.scores.events import event_scores, segment_scores
from tfspec.scores.frames import RecordingFrames, frame_events
from tfspec.scores.groups import intervals_of, sum_anew
from tfspec.scores.psds import CONFUSED, LOCATED, psds

RATE, SECONDS, EVENTS = 16000, 60, 10
SCENES = {"train": 120, "validation": 30, "test": 60}
LEVELS_DB = (20, 15, 10, 5, 0, -5)
BACKGROUNDS = ("rain", "sea_waves")
SHORTEST, LONGEST, GAP_SECONDS, QUIET_DB = 0.3, 4.0, 0.6, 30
BACKGROUND_RMS = 0.01
MODELS = {
    "slices": {"head": "clip", "labels": "several"},
    "attention": {"head": "events", "pooling": "attention"},
    "max": {"head": "events", "pooling": "max"},
    "linear": {"head": "events", "pooling": "linear"},
    "untimed": {"head": "events", "pooling": "max", "tells_when": False},
    "pcen": {"head": "events", "pooling": "max"},
}

PAGE = {
    "slices": "windows, one answer each",
    "attention": "frames, attention",
    "max": "frames, the loudest",
    "untimed": "the same, taught what, but not when",
}
"""The columns of docs/events.md, and how they are called there."""
PAGE_SCORES = {
    "F1 of events, 200 ms": "f1_200ms",
    "F1 of events, 1 s": "f1_1s",
    "the same at 20 dB, 1 s": "f1_1s_at_20dB",
    "at 10 dB, 200 ms": "f1_0.2s_at_10dB",
    "at 10 dB, 1 s": "f1_1s_at_10dB",
    "at 0 dB, 1 s": "f1_1s_at_0dB",
    "F1 of segments of a second": "segment_f1",
    "PSDS, scenario 1": "psds_located",
    "PSDS, scenario 2": "psds_confused",
    "LWLRAP of each second": "lwlrap",
}


@dataclass(kw_only=True)
class Soundscapes(OwnRecordings):
    """Annotated recordings whose folders name their parts."""

    tells_when: bool = True
    """Teach when events begin and end, and not only in which windows they are."""

    def manifest(self):
        rows = super().manifest()
        rows["part"] = rows["path"].str.split("/").str[-2]
        if not self.tells_when:
            rows.loc[rows["part"] == "train", COLUMN] = ""
        return rows


@dataclass(kw_only=True)
class Normalised(Soundscapes):
    """Annotated recordings, heard by a network that begins with a PCEN that learns."""

    def front_end(self):
        """Make decibels of any level, in the unit in which tfspec's augmentation changes them."""
        mel, *_, scaling = super().front_end().layers
        return keras.Sequential([mel, Decibel(dynamic_range_db=None), scaling])

    def backbone(self, feature_shape, num_classes):
        """Put PCEN before the network; the signals are taken as 32-bit integers, as PCEN's authors do."""
        mel, _, scaling = self.front_end().layers
        pcen = PCEN(RATE, mel.frame_step, scale=2.0**31, learnable=True)
        levels = keras.Input((None, *feature_shape[1:]))
        decibels = (levels - scaling.offset) / scaling.scale
        heard = super().backbone(feature_shape, num_classes)(pcen(10 ** (decibels / 10)))
        return keras.Model(levels, heard)


def sounding(sound, rng):
    """Cut the loudest stretch out of a clip: what is within 30 dB of its peak, with gaps up to 0.6 s."""
    step = RATE // 50
    level = np.sqrt(np.mean(np.resize(sound, (len(sound) // step, step)) ** 2, axis=1) + 1e-12)
    loud = np.flatnonzero(level > level.max() * 10 ** (-QUIET_DB / 20))
    pieces = np.split(loud, np.flatnonzero(np.diff(loud) > GAP_SECONDS * 50) + 1)
    piece = next(each for each in pieces if level.argmax() in each)
    first, last = piece[0], piece[-1] + 1
    longest = round(50 * rng.uniform(0.5, LONGEST))
    if last - first > longest:
        first = np.clip(level.argmax() - rng.integers(longest), first, last - longest)
        last = first + longest
    return sound[first * step : max(last, first + round(50 * SHORTEST)) * step]


def sources(folder, part):
    """List the clips of a class that sound in a part."""
    clips = sorted(folder.glob("*.ogg"))
    of_third = sorted({clip.name.split("-")[1] for clip in clips if clip.name[0] == "3"})
    held_out = of_third[len(of_third) // 2 :]

    def part_of(clip):
        fold, source = clip.name.split("-")[:2]
        return "test" if fold == "4" else "validation" if fold == "3" and source in held_out else "train"

    return [clip for clip in clips if part_of(clip) == part]


def write_scene(path, clips, backgrounds, levels_db, rng):
    """Mix a scene, and write its events as Audacity does."""
    import soundfile

    noise = np.resize(backgrounds[rng.integers(len(backgrounds))], SECONDS * RATE)
    scene = BACKGROUND_RMS * noise / np.sqrt(np.mean(noise**2))
    before, lines, taken = scene.copy(), [], {name: [] for name in clips}
    for place in range(EVENTS):
        name = str(rng.choice([*clips]))
        sound = sounding(clips[name][rng.integers(len(clips[name]))], rng)
        start = int((place + rng.uniform(-0.5, 0.5)) * len(scene) / EVENTS)
        start = int(np.clip(start, 0, len(scene) - len(sound)))
        if any(start < end and begin < start + len(sound) for begin, end in taken[name]):
            continue  # two of a class at once are one
        taken[name].append((start, start + len(sound)))
        below = before[start : start + len(sound)]
        gain = np.sqrt(np.mean(below**2) / np.mean(sound**2)) * 10 ** (rng.choice(levels_db) / 20)
        scene[start : start + len(sound)] += gain * sound
        lines.append(f"{start / RATE:.6f}\t{(start + len(sound)) / RATE:.6f}\t{name}\n")
    soundfile.write(path, np.clip(scene, -1, 1), RATE, subtype="PCM_16")
    path.with_suffix(".txt").write_text("".join(lines))


def write_soundscapes(data, folder):
    for number, (part, count) in enumerate(SCENES.items()):
        clips = {each.name: sources(each, part) for each in sorted((data / "esc10").iterdir())}
        write_scenes(folder / part, clips, number, count)


def write_scenes(folder, clips, number, count):
    """Mix scenes of each class's clips; those of the test have one level each, which their names tell."""
    read = {name: [load_audio(clip, RATE, 5 * RATE) for clip in own] for name, own in clips.items()}
    backgrounds = [clip for name in BACKGROUNDS for clip in read.pop(name)]
    folder.mkdir(parents=True)
    is_test = folder.name == "test"
    for scene in range(count):
        level = LEVELS_DB[scene % len(LEVELS_DB)]
        levels = [level] if is_test else np.linspace(LEVELS_DB[-1], LEVELS_DB[0], 26)
        name = f"{scene:03}_{level}dB" if is_test else f"{scene:03}"
        rng = np.random.default_rng([number, scene])
        write_scene(folder / f"{name}.flac", read, backgrounds, levels, rng)


def in_frames(steps, run, rows):
    """Return the probabilities of a part's frames; those of slices are of seconds."""
    if run.classifier.frames is not None:
        return hear(steps, run, [([""], rows)])
    found = RecordingFrames({}, {}, 1.0)
    for path, own in rows.groupby("path"):
        scores = detect(run.classifier, steps.folder / path)
        found.seconds[path] = float(own["seconds"].iloc[0])
        found.probabilities[path] = scores.filter(regex="^p_").to_numpy()
    return found


def lwlrap(found, truth, class_names):
    """Score how high, in each second, the classes stand that are heard in it; with its interval."""
    sums, counts = [], []
    for path, seconds in found.seconds.items():
        own = truth[truth["path"] == path]
        values = [
            found.probabilities[path][round(s / found.step) : max(round((s + 1) / found.step), 1)].mean(0)
            for s in range(int(seconds))
        ]
        total = count = 0.0
        for second, scores in enumerate(values):
            heard = {e.label for e in own.itertuples() if e.start < second + 0.5 < e.end}
            holds = np.array([name in heard for name in class_names])
            for place in np.flatnonzero(holds):
                above = scores >= scores[place]
                total, count = total + (above & holds).sum() / above.sum(), count + 1
        sums.append(total)
        counts.append(count)
    drawn = sum_anew(np.stack([sums, counts], axis=1))
    interval = intervals_of({"lwlrap": drawn[:, 0] / np.maximum(drawn[:, 1], 1)})["lwlrap"]
    return float(np.sum(sums) / np.sum(counts)), interval


def measure(folder, out, name, seed, **options):
    """Train a model, or take the one that is trained, and score it on the test."""
    run_folder = out / f"{name}-{seed}"
    pipeline = Normalised if name == "pcen" else Soundscapes
    steps = pipeline(
        data=folder,
        out=run_folder,
        seed=seed,
        folds=0,
        exported=False,
        sample_rate=RATE,
        **options,
    )
    run = Run(run_folder) if (run_folder / "metrics.json").exists() else steps.train()
    settled = pipeline(**run.config["options"])
    names = list(run.classifier.class_names)
    truth_of = {part: annotated(folder, run.part(part)) for part in ("validation", "test")}
    rule = choose_event_rule(in_frames(settled, run, run.part("validation")), truth_of["validation"], names)
    found, truth = in_frames(settled, run, run.part("test")), truth_of["test"]
    made = frame_events(found, names, rule)
    points = [
        frame_events(found, names, EventRule((p,) * len(names), rule.median_seconds))
        for p in OPERATING_POINTS
    ]
    recordings = [*found.seconds]
    result = {
        "model": name,
        "seed": seed,
        "rule": rule._asdict(),
        "f1_200ms": brief(event_scores(truth, made, recordings, names, 0.2)),
        "f1_1s": brief(event_scores(truth, made, recordings, names, 1.0)),
        "segment_f1": brief(segment_scores(truth, made, recordings, names)),
        "psds_located": psds(truth, points, found.seconds, names, LOCATED),
        "psds_confused": psds(truth, points, found.seconds, names, CONFUSED),
        "lwlrap": lwlrap(found, truth, names),
    }
    for level in LEVELS_DB:
        own = [each for each in recordings if f"_{level}dB" in each]
        for collar in (0.2, 1.0):
            result[f"f1_{collar:g}s_at_{level}dB"] = brief(event_scores(truth, made, own, names, collar))
    with written_beside(out / f"{name}-{seed}.json") as temporary:
        temporary.write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


def annotated(folder, rows):
    names = ["start", "end", "label"]
    tables = [
        pd.read_csv((folder / path).with_suffix(".txt"), sep="\t", names=names).assign(path=path)
        for path in sorted(rows["path"].unique())
    ]
    return pd.concat(tables, ignore_index=True)


def brief(scores):
    return scores["f1"], scores["intervals"].get("f1")


def main(data, out, names, seeds):
    folder = out / "soundscapes"
    if not folder.exists():
        write_soundscapes(data, folder)
    for name in names:
        for seed in seeds:
            measure(folder, out, name, seed, **MODELS[name])
    if set(PAGE) <= set(names):
        found = [[json.loads((out / f"{name}-{seed}.json").read_text()) for seed in seeds] for name in PAGE]
        rows = [
            [said, *(cell([each[key] for each in of_seeds]) for of_seeds in found)]
            for said, key in PAGE_SCORES.items()
        ]
        give_table("events_1", ["", *PAGE.values()], rows)


def cell(of_seeds):
    score, low, high = np.mean([[score, *interval] for score, interval in of_seeds], axis=0)
    return f"{score:.3f} ({low:.3f}–{high:.3f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="holds esc10")
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(MODELS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    main(given.data, given.out, given.models or tuple(MODELS), given.seeds)
