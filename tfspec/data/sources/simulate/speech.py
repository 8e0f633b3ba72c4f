"""Made-up speech: words said by many voices, as a source of pulses and noise that formants colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
import scipy.signal

from tfspec.base.streams import Simulation, simulation_generator

SAMPLE_RATE = 16000
STEP = 64
"""Samples from one frame of the filter to the next."""
FRAME = 4 * STEP


@dataclass(frozen=True)
class Phone:
    """A sound of speech.

    Args:
        formants: the three resonances in Hz, of an average man.
        voiced: amplitude of the pulses.
        breathed: amplitude of the noise.
        seconds: how long it lasts.
    """

    formants: tuple[float, float, float]
    voiced: float = 0.0
    breathed: float = 0.0
    seconds: float = 0.1


PHONES = {
    "i": Phone((270, 2290, 3010), 0.8, seconds=0.13),
    "I": Phone((390, 1990, 2550), 0.8),
    "e": Phone((530, 1840, 2480), 1.0, seconds=0.12),
    "a": Phone((660, 1720, 2410), 1.0, seconds=0.14),
    "V": Phone((640, 1190, 2390), 1.0),
    "A": Phone((730, 1090, 2440), 1.0, seconds=0.13),
    "o": Phone((570, 840, 2410), 1.0, seconds=0.13),
    "U": Phone((440, 1020, 2240), 0.9),
    "u": Phone((300, 870, 2240), 0.8, seconds=0.14),
    "R": Phone((490, 1350, 1690), 0.9, seconds=0.15),
    "m": Phone((250, 1050, 2200), 0.4, seconds=0.08),
    "n": Phone((250, 1500, 2500), 0.4, seconds=0.08),
    "l": Phone((360, 1050, 2700), 0.6, seconds=0.08),
    "r": Phone((330, 1150, 1600), 0.6, seconds=0.08),
    "w": Phone((300, 650, 2200), 0.6, seconds=0.08),
    "j": Phone((280, 2200, 3000), 0.6, seconds=0.07),
    "v": Phone((280, 1200, 4000), 0.35, 0.1, 0.07),
    "z": Phone((280, 4800, 6500), 0.3, 0.25, 0.1),
    "s": Phone((4300, 5500, 6800), 0.0, 0.6, 0.13),
    "S": Phone((2300, 3200, 5000), 0.0, 0.6, 0.12),
    "f": Phone((1400, 4500, 7200), 0.0, 0.25, 0.11),
    "T": Phone((1600, 5200, 7500), 0.0, 0.2, 0.1),
    "h": Phone((600, 1500, 2500), 0.0, 0.3, 0.07),
    ".": Phone((400, 1500, 2500), seconds=0.06),  # the mouth is closed
    "b": Phone((300, 900, 2200), 0.4, 0.2, 0.02),
    "d": Phone((300, 1800, 2700), 0.4, 0.3, 0.02),
    "g": Phone((300, 2000, 2400), 0.4, 0.3, 0.025),
    "p": Phone((600, 1200, 2500), 0.0, 0.5, 0.03),
    "t": Phone((3300, 4200, 5500), 0.0, 0.8, 0.03),
    "k": Phone((1700, 2300, 4000), 0.0, 0.7, 0.035),
}
"""Vowels have the formants that Peterson and Barney (1952) measured."""
WORDS = {
    "bed": ".be.d",
    "bird": ".bR.d",
    "cat": ".ka.t",
    "dog": ".do.g",
    "down": ".dAUn",
    "eight": "eI.t",
    "five": "fAIv",
    "four": "for",
    "go": ".goU",
    "happy": "ha.pi",
    "house": "hAUs",
    "left": "lef.t",
    "marvin": "mArvIn",
    "nine": "nAIn",
    "no": "noU",
    "off": "of",
    "on": "on",
    "one": "wVn",
    "right": "rAI.t",
    "seven": "sevVn",
    "sheila": "SilV",
    "six": "sI.ks",
    "stop": "s.to.p",
    "three": "Tri",
    "tree": ".tri",
    "two": ".tu",
    "up": "V.p",
    "wow": "wAU",
    "yes": "jes",
    "zero": "zIroU",
}
"""The thirty words of the first Speech Commands, and how they are said, in `PHONES`."""


@dataclass(frozen=True)
class Voice:
    """Who speaks.

    Args:
        hertz: of the vocal folds.
        tract: by how much all formants are higher than an average man's.
        tempo: by how much this voice is faster than others.
        breath: noise among its pulses.
    """

    hertz: float
    tract: float
    tempo: float
    breath: float


def make_voice(seed: int, part: int, number: int) -> Voice:
    """Make up a speaker: those with short vocal tracts tend to have high voices.

    Args:
        seed: another seed, other speakers.
        part: number of the part; other parts have other speakers.
        number: of the speaker.

    Example:
        >>> voice = make_voice(seed=0, part=0, number=3)
        >>> 80 < voice.hertz < 300, 0.9 < voice.tract < 1.25
        (True, True)
    """
    rng = simulation_generator(seed, Simulation.VOICE, part, number)
    tract = rng.uniform(0.92, 1.22)
    hertz = 110 * (tract / 0.95) ** 2.5 * 2 ** rng.uniform(-0.3, 0.3)
    return Voice(hertz, tract, rng.uniform(0.85, 1.2), rng.uniform(0.01, 0.15))


def say(word: str, voice: Voice, rng: np.random.Generator) -> np.ndarray:
    """Say a word; pitch, tempo and formants vary from time to time.

    Args:
        word: one of `WORDS`.
        voice: who speaks.
        rng: what varies.

    Returns:
        (samples,) float64 at 16 kHz, well below a second, of RMS 1.

    Example:
        >>> sound = say("yes", make_voice(0, 0, 0), np.random.default_rng(0))
        >>> 0.2 < len(sound) / SAMPLE_RATE < 0.6
        True
    """
    phones = [PHONES[phone] for phone in WORDS[word]]
    tempo = voice.tempo * np.exp(rng.normal(0, 0.08))
    seconds = np.array([phone.seconds for phone in phones]) * np.exp(rng.normal(0, 0.1, len(phones))) / tempo
    frames = np.ceil(seconds * SAMPLE_RATE / STEP).astype(int)
    formants = np.array([phone.formants for phone in phones]) * voice.tract
    formants *= np.exp(rng.normal(0, 0.03, formants.shape))
    amplitudes = [(phone.voiced, phone.breathed + voice.breath * phone.voiced) for phone in phones]
    sound = _filtered(
        _source(np.repeat(amplitudes, frames, axis=0), voice.hertz, rng), _glide(formants, frames)
    )
    return sound / np.sqrt(np.mean(sound**2))


def _source(amplitudes: np.ndarray, hertz: float, rng: np.random.Generator) -> np.ndarray:
    """Make pulses that fall in pitch, and noise: (frames × STEP,) for the amplitudes of both a frame."""
    frames = np.arange(len(amplitudes))
    moments = np.arange(len(amplitudes) * STEP) / STEP
    voiced, breathed = (np.interp(moments, frames, amplitude) for amplitude in amplitudes.T)
    octaves = np.linspace(rng.uniform(0, 0.3), rng.uniform(-0.4, 0), len(frames))
    octaves += 0.05 * scipy.ndimage.gaussian_filter1d(rng.standard_normal(len(frames)), 2)
    pitch = np.interp(moments, frames, hertz * 2**octaves)
    pulses = 2 * (np.cumsum(pitch) / SAMPLE_RATE % 1) - 1
    return voiced * pulses + breathed * rng.normal(0, 0.3, len(moments))


def _glide(formants: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Move from the middle of one phone to that of the next: (frames, 3) in Hz."""
    middles = np.cumsum(frames) - frames / 2
    moments = np.arange(frames.sum())
    return np.stack([np.interp(moments, middles, formant) for formant in formants.T], axis=1)


def _filtered(source: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """Let the source sound through resonances that move: (samples,)."""
    hertz, _, spectrum = scipy.signal.stft(source, SAMPLE_RATE, nperseg=FRAME, noverlap=FRAME - STEP)
    formants = np.pad(formants, ((0, spectrum.shape[1] - len(formants)), (0, 0)), mode="edge")[
        ..., np.newaxis
    ]
    widths = 60 + 0.06 * formants
    gain = (1 / np.hypot(1, (hertz - formants) / (widths / 2))).sum(1)
    _, sound = scipy.signal.istft(spectrum * gain.T, SAMPLE_RATE, nperseg=FRAME, noverlap=FRAME - STEP)
    return sound[: len(source)]
