"""Simulated windows of acceleration at the wrist, as Capture-24 has them."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfspec.base.options import PeopleCount, Seed, WristMinutes, WristRate, check_options
from tfspec.base.progress import Tracker, untracked
from tfspec.base.streams import Simulation, simulation_generator
from tfspec.base.threads import ahead
from tfspec.data.sources.simulate.activities import ACTIVITIES, make_day
from tfspec.data.sources.simulate.folders import new_folder
from tfspec.data.sources.simulate.motion import acceleration, make_person
from tfspec.data.sources.windows import DICTIONARY

WINDOW_SECONDS = 30
TRAINING_PEOPLE, ALL_PEOPLE = 100, 151
NOTED_SECONDS = 15
"""By how much it is noted too early or late that somebody does something else."""
FIRST_WINDOW = np.datetime64("2016-01-04T08:00:00", "ms")


def write_wrist(
    out: str | os.PathLike,
    num_people: PeopleCount = ALL_PEOPLE,
    minutes: WristMinutes = 30.0,
    sample_rate: WristRate = 100,
    seed: Seed = 0,
    progress: Tracker = untracked,
) -> None:
    """Simulate people who do one thing after another, each in their own way, with a watch on their wrist.

    The folder gets X.npy, (windows, samples, 3) float16 in g, in windows of 30 s; Y.npy, the annotation of a
    window; T.npy, when it begins; pid.npy, whose it is; and annotation-label-dictionary.csv, with the column
    label:Willetts2018. Two thirds of the people are called P001 and on, the others P101 and on, as those who
    test in Capture-24 are. X.npy is written as it is made, so any number of windows takes the same memory.

    Args:
        out: folder to write; nothing is there yet, or an empty folder.
        num_people: number of people; all 151 are needed for the published test part.
        minutes: how long each is observed.
        sample_rate: samples per second; 100 were published.
        seed: same seed, same bytes; the same people whatever their number, apart from their names.
        progress: wraps the iteration over so many people, to draw a bar.

    Raises:
        UserError: an option is out of its range, or something is there already.
        OSError: the files cannot be written.

    Example:
        >>> write_wrist("wrist", num_people=3, minutes=1, sample_rate=20)
        >>> np.load("wrist/X.npy").shape, np.load("wrist/pid.npy").tolist()
        ((6, 600, 3), ['P001', 'P001', 'P002', 'P002', 'P101', 'P101'])
    """
    given = {"num_people": num_people, "minutes": minutes, "sample_rate": sample_rate, "seed": seed}
    check_options(write_wrist, given)
    windows = round(minutes * 60 / WINDOW_SECONDS)
    watch = _Watch(windows, sample_rate, seed)
    with new_folder(out) as folder:
        shape = (num_people * windows, WINDOW_SECONDS * sample_rate, 3)
        signals = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float16, shape)
        annotations: list[str] = []
        people = progress(ahead(watch.observe, range(num_people)), num_people)
        for number, (day, observed) in enumerate(people):
            signals[number * windows :][:windows] = observed
            annotations += [ACTIVITIES[name].annotation for name in day]
        signals.flush()
        np.save(folder / "Y.npy", annotations)
        np.save(
            folder / "T.npy", np.tile(FIRST_WINDOW + np.arange(windows) * 1000 * WINDOW_SECONDS, num_people)
        )
        np.save(folder / "pid.npy", np.repeat(_people(num_people), windows))
        table = [(each.annotation, each.label) for each in ACTIVITIES.values()]
        columns = ["annotation", "label:Willetts2018"]
        pd.DataFrame(table, columns=columns).to_csv(folder / DICTIONARY, index=False)


def _people(count: int) -> list[str]:
    """Call the first two thirds P001 and on, the others P101 and on."""
    training = max(1, round(count * TRAINING_PEOPLE / ALL_PEOPLE))
    numbers = [*range(training), *range(TRAINING_PEOPLE, TRAINING_PEOPLE + count - training)]
    return [f"P{number + 1:03}" for number in numbers]


@dataclass(frozen=True)
class _Watch:
    """Observes one person after another."""

    windows: int
    sample_rate: int
    seed: int

    def observe(self, number: int) -> tuple[list[str], np.ndarray]:
        """Return what somebody does in each window, and (windows, samples, 3) float16."""
        rng = simulation_generator(self.seed, Simulation.DAY, number)
        person, samples = make_person(self.seed, number), WINDOW_SECONDS * self.sample_rate
        day = make_day(self.windows, WINDOW_SECONDS, rng)
        names, counts = zip(*((name, len([*same])) for name, same in itertools.groupby(day)), strict=True)
        ends = np.cumsum(counts) * samples
        late = rng.normal(0, NOTED_SECONDS * self.sample_rate, len(ends) - 1).astype(int)
        ends[:-1] = np.clip(np.maximum.accumulate(ends[:-1] + late), 0, ends[-1])
        bouts = [
            acceleration(ACTIVITIES[name], person, lasting, self.sample_rate, rng).astype(np.float16)
            for name, lasting in zip(names, np.diff(ends, prepend=0), strict=True)
            if lasting
        ]
        return day, np.concatenate(bouts).reshape(self.windows, samples, 3)
