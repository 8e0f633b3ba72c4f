"""What people do in a day, as a forearm feels it, and what follows what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Activity:
    """What somebody does, as a forearm feels it.

    Args:
        annotation: as somebody wrote it down.
        label: the simpler one.
        minutes: how long it lasts on the average.
        then: what follows, with its weight.
        pitch: of the forearm in degrees, −90 where the hand hangs down.
        spread: by how much postures differ, in degrees.
        posture_seconds: how long one is held on the average.
        fidget: degrees by which it wanders meanwhile.
        steps: a second; 0 for none.
        swing: degrees to which the arm swings, once in two steps.
        bounce: amplitude of a step in g.
        shake: what else shakes it, RMS in g.
        shake_hertz: band of that.
        active: share of the time in which one steps and shakes; otherwise hardly anything moves.
    """

    annotation: str
    label: str
    minutes: float
    then: Mapping[str, float] = field(repr=False)
    pitch: float
    spread: float
    posture_seconds: float
    fidget: float
    steps: float = 0.0
    swing: float = 0.0
    bounce: float = 0.0
    shake: float = 0.0
    shake_hertz: tuple[float, float] = (0.3, 3.0)
    active: float = 1.0


ACTIVITIES = {
    "sleeping": Activity(
        annotation="sleeping, lying in bed;MET 0.95",
        label="sleep",
        minutes=8,
        then={"sitting": 2, "standing": 1},
        pitch=0,
        spread=35,
        posture_seconds=150,
        fidget=0.7,
        shake=0.012,
        active=0.04,
    ),
    "sitting": Activity(
        annotation="sitting, at a desk or reading;MET 1.3",
        label="sit-stand",
        minutes=5,
        then={"standing": 3, "walking": 2, "sleeping": 3},
        pitch=5,
        spread=25,
        posture_seconds=60,
        fidget=2,
        shake=0.02,
        active=0.35,
    ),
    "standing": Activity(
        annotation="standing, in talk or in line;MET 1.8",
        label="sit-stand",
        minutes=3,
        then={"sitting": 2, "walking": 3, "chores": 3},
        pitch=-55,
        spread=28,
        posture_seconds=15,
        fidget=6,
        steps=1.5,
        bounce=0.04,
        shake=0.03,
        active=0.4,
    ),
    "walking": Activity(
        annotation="walking, on level ground;MET 3.5",
        label="walking",
        minutes=4,
        then={"sitting": 2, "standing": 1, "driving": 4, "cycling": 4, "stairs": 1},
        pitch=-75,
        spread=10,
        posture_seconds=60,
        fidget=5,
        steps=1.85,
        swing=18,
        bounce=0.2,
        shake=0.05,
        active=0.85,
    ),
    "stairs": Activity(
        annotation="walking, up and down stairs;MET 4.0",
        label="walking",
        minutes=1.5,
        then={"walking": 2, "sitting": 1, "chores": 1},
        pitch=-60,
        spread=20,
        posture_seconds=20,
        fidget=8,
        steps=1.5,
        swing=8,
        bounce=0.14,
        shake=0.06,
        active=0.8,
    ),
    "cycling": Activity(
        annotation="bicycling, to work or for leisure;MET 6.8",
        label="bicycling",
        minutes=6,
        then={"walking": 3, "standing": 1},
        pitch=-30,
        spread=10,
        posture_seconds=60,
        fidget=4,
        steps=1.25,
        bounce=0.03,
        shake=0.07,
        shake_hertz=(2.0, 20.0),
        active=0.8,
    ),
    "driving": Activity(
        annotation="driving or riding in a car or bus;MET 1.3",
        label="vehicle",
        minutes=7,
        then={"walking": 3, "sitting": 1},
        pitch=5,
        spread=25,
        posture_seconds=30,
        fidget=3,
        shake=0.018,
        shake_hertz=(1.0, 12.0),
        active=0.6,
    ),
    "chores": Activity(
        annotation="household chores, cooking and cleaning;MET 3.3",
        label="mixed",
        minutes=5,
        then={"sitting": 2, "standing": 1, "walking": 2},
        pitch=-20,
        spread=28,
        posture_seconds=12,
        fidget=8,
        steps=1.6,
        bounce=0.05,
        shake=0.045,
        shake_hertz=(0.4, 5.0),
        active=0.5,
    ),
}


def make_day(num_windows: int, window_seconds: float, rng: np.random.Generator) -> list[str]:
    """Draw what somebody does one after another, each for whole windows.

    Args:
        num_windows: how long it is observed.
        window_seconds: length of a window.
        rng: what is drawn.

    Returns:
        (num_windows,) names of `ACTIVITIES`.

    Example:
        >>> make_day(12, 30, np.random.default_rng(0))[-2:]
        ['driving', 'walking']
    """
    name = str(rng.choice(list(ACTIVITIES)))
    day: list[str] = []
    while len(day) < num_windows:
        minutes = ACTIVITIES[name].minutes * rng.gamma(2, 0.5)
        day += [name] * max(1, round(minutes * 60 / window_seconds))
        following = ACTIVITIES[name].then
        weights = np.array(list(following.values()))
        name = str(rng.choice(list(following), p=weights / weights.sum()))
    return day[:num_windows]
