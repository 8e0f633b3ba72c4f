"""Made-up people with an accelerometer on their wrist: what it feels while their forearms move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.signal
import scipy.special

from tfspec.base.streams import Simulation, simulation_generator
from tfspec.data.sources.simulate.activities import Activity

HARMONICS = (1.0, 0.45, 0.2)
"""What a step does up and down, at its own frequency and its multiples."""
REST_SECONDS = 8.0
"""How long somebody rests, or does not."""
AT_REST = 0.1
"""What is left of all shaking then."""


@dataclass(frozen=True)
class Person:
    """Who wears the watch.

    Args:
        pace: by how much this person's steps are faster than others'.
        vigour: by how much all movements are larger.
        worn: (3, 3), from the forearm's axes (to the hand, across, out of its back) to the watch's.
        offset: (3,) what the sensor is off, in g.
        noise: of the sensor, RMS in g.
    """

    pace: float
    vigour: float
    worn: np.ndarray
    offset: np.ndarray
    noise: float


def make_person(seed: int, number: int) -> Person:
    """Make up somebody who wears the watch on either wrist, either way round, and a little askew.

    Args:
        seed: another seed, other people.
        number: of the person.

    Example:
        >>> person = make_person(seed=0, number=0)
        >>> bool(np.allclose(person.worn @ person.worn.T, np.eye(3)))
        True
    """
    rng = simulation_generator(seed, Simulation.PERSON, number)
    askew = np.radians(rng.normal(0, 10))
    turned = np.array([[np.cos(askew), -np.sin(askew), 0], [np.sin(askew), np.cos(askew), 0], [0, 0, 1]])
    around, wrist = rng.choice([-1, 1], 2)
    return Person(
        pace=np.exp(rng.normal(0, 0.07)),
        vigour=np.exp(rng.normal(0, 0.25)),
        worn=turned @ np.diag([around, around * wrist, 1]),
        offset=rng.normal(0, 0.02, 3),
        noise=rng.uniform(0.004, 0.012),
    )


def acceleration(
    activity: Activity, person: Person, num_samples: int, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Feel what a watch feels while somebody does something.

    Args:
        activity: what is done.
        person: who does it.
        num_samples: how long.
        sample_rate: samples per second.
        rng: what varies.

    Returns:
        (num_samples, 3) float64 in g: gravity, which the posture turns, and what moves the forearm.

    Example:
        >>> from tfspec.data.sources.simulate.activities import ACTIVITIES
        >>> sleep = acceleration(ACTIVITIES["sleeping"], make_person(0, 0), 600, 20, np.random.default_rng(0))
        >>> sleep.shape, bool(abs(np.linalg.norm(sleep, axis=1).mean() - 1) < 0.1)
        ((600, 3), True)
    """
    seconds = num_samples / sample_rate
    threshold = scipy.special.ndtri(activity.active) + rng.normal(0, 0.5)
    is_active = _wander(num_samples, seconds / REST_SECONDS, rng) < threshold
    vigour = person.vigour * np.exp(rng.normal(0, 0.5))
    tempo = activity.steps * person.pace * np.exp(rng.normal(0, 0.05))
    phase = 2 * np.pi * np.cumsum(tempo * (1 + 0.03 * _wander(num_samples, seconds / 3, rng))) / sample_rate
    up = _posture(activity, is_active * vigour * np.sin(phase / 2), seconds, rng)
    bounce = sum(
        height * np.cos(number * phase + rng.uniform(0, 2 * np.pi))
        for number, height in enumerate(HARMONICS, 1)
    )
    felt = up * (1 + activity.bounce * vigour * is_active * bounce)[:, np.newaxis]
    shaken = activity.shake * vigour * np.where(is_active, 1, AT_REST)
    felt += shaken[:, np.newaxis] * _shaking(activity.shake_hertz, num_samples, sample_rate, rng)
    return felt @ person.worn.T + person.offset + rng.normal(0, person.noise, felt.shape)


def _posture(activity: Activity, swing: np.ndarray, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Say where up is as the forearm lies and swings: (samples, 3); the swing is in −1…1."""
    wandering = activity.fidget * np.array([_wander(len(swing), seconds / 1.5, rng) for _ in range(2)])
    changes = np.sort(rng.uniform(0, len(swing), rng.poisson(seconds / activity.posture_seconds)))
    held = rng.normal([0, 0], [activity.spread, 1.5 * activity.spread], (len(changes) + 1, 2))
    pitch, roll = held[np.searchsorted(changes, np.arange(len(swing)))].T + wandering
    pitch = np.radians(pitch + activity.pitch + activity.swing * swing)
    roll = np.radians(roll)
    return np.stack([np.sin(pitch), np.cos(pitch) * np.sin(roll), np.cos(pitch) * np.cos(roll)], axis=1)


def _wander(num_samples: int, points: float, rng: np.random.Generator) -> np.ndarray:
    """Go from one random number to the next: (num_samples,)."""
    numbers = rng.standard_normal(2 + int(points))
    return np.interp(np.linspace(0, len(numbers) - 1, num_samples), np.arange(len(numbers)), numbers)


def _shaking(
    hertz: tuple[float, float], num_samples: int, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Shake in a band, as far as the sample rate reaches: (num_samples, 3) of RMS 1."""
    band = (hertz[0], min(hertz[1], 0.45 * sample_rate))
    sections = scipy.signal.butter(2, band, "bandpass", fs=sample_rate, output="sos")
    shaking = scipy.signal.sosfilt(sections, rng.standard_normal((num_samples, 3)), axis=0)
    return shaking / np.sqrt(np.mean(shaking**2))
