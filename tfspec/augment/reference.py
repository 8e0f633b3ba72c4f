"""The waveform augmentations on librosa and colorednoise, for work with NumPy.

They have the names and parameters of the layers, and are called with one signal, as audiomentations' are:
`transform(samples, sample_rate)`. `Compose` and `OneOf` take audiomentations' transforms too. The tests hold
the layers to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfspec.base import arguments

Parameters = dict[str, Any]
Seed = int | np.random.Generator | None
LEVELS: dict[str, Callable[[np.ndarray], float]] = {
    "peak": lambda x: np.max(np.abs(x)),
    "rms": lambda x: np.sqrt(np.mean(np.square(x))),
}
CURVES: dict[str, Callable[[int], np.ndarray]] = {
    "constant": np.ones,
    "fade": lambda samples: np.linspace(1, 0, samples),
    "cosine": lambda samples: np.cos(2 * np.pi * np.arange(samples) / samples),
    "sine": lambda samples: np.sin(2 * np.pi * np.arange(samples) / samples),
}


class Transform:
    """Base: draws parameters for a signal (`draw`), then applies them (`apply`).

    Args:
        probability: how likely a signal is changed.
        seed: an integer, a generator that may be shared, or None for other draws every time.

    Call arguments:
        samples: (samples,).
        sample_rate: samples per second.

    Example:
        >>> quieter = Gain(-20.0, -20.0)
        >>> quieter(np.ones(3), 16000)
        array([0.1, 0.1, 0.1], dtype=float32)
    """

    def __init__(self, probability: float = 1.0, seed: Seed = None):
        self.probability = arguments.between("probability", probability, 0, 1)
        self.rng = np.random.default_rng(seed)

    def draw(self) -> Parameters:
        """Draw what `apply` needs."""
        raise NotImplementedError

    def apply(self, samples: np.ndarray, sample_rate: float, params: Parameters) -> np.ndarray:
        """Change (samples,) as the parameters say."""
        raise NotImplementedError

    def __call__(self, samples: np.ndarray, sample_rate: float) -> np.ndarray:
        """Return (samples,) float32, changed or not."""
        samples = np.asarray(samples, np.float32)
        if samples.ndim != 1:
            raise ValueError(f"`samples` must be one signal, (samples,). Received: shape {samples.shape}")
        if self.rng.random() >= self.probability:
            return samples
        return self.apply(samples, sample_rate, self.draw()).astype(np.float32)


class ColoredNoise(Transform):
    """As `tfspec.augment.ColoredNoise`.

    Example:
        >>> ColoredNoise(2.0, seed=0)(np.ones(8000), 16000).shape
        (8000,)
    """

    def __init__(
        self,
        exponent: float,
        min_snr_db: float = 5.0,
        max_snr_db: float = 20.0,
        measure: str = "peak",
        probability: float = 1.0,
        seed: Seed = None,
    ):
        super().__init__(probability, seed)
        self.exponent = exponent
        self.snr_db = arguments.ends("min_snr_db", min_snr_db, "max_snr_db", max_snr_db)
        self.measure = arguments.one_of("measure", measure, list(LEVELS))

    def draw(self):
        """Draw `snr_db`, and a `noise_seed`."""
        return {"snr_db": self.rng.uniform(*self.snr_db), "noise_seed": self.rng.integers(2**32)}

    def apply(self, samples, sample_rate, params):
        """Add noise; silence stays silent."""
        import colorednoise

        rng = np.random.default_rng(params["noise_seed"])
        noise = colorednoise.powerlaw_psd_gaussian(self.exponent, len(samples), random_state=rng)
        level = LEVELS[self.measure]
        return samples + noise * level(samples) / level(noise) / 10 ** (params["snr_db"] / 20)


class GaussianNoise(ColoredNoise):
    """As `tfspec.augment.GaussianNoise`.

    Example:
        >>> GaussianNoise(measure="rms", seed=0)(np.ones(8000), 16000).shape
        (8000,)
    """

    def __init__(self, min_snr_db=5.0, max_snr_db=20.0, measure="peak", probability=1.0, seed: Seed = None):
        super().__init__(0, min_snr_db, max_snr_db, measure, probability, seed)


class PinkNoise(ColoredNoise):
    """As `tfspec.augment.PinkNoise`.

    Example:
        >>> PinkNoise(0.0, 10.0, seed=0)(np.ones(8000), 16000).shape
        (8000,)
    """

    def __init__(self, min_snr_db=5.0, max_snr_db=20.0, measure="peak", probability=1.0, seed: Seed = None):
        super().__init__(1, min_snr_db, max_snr_db, measure, probability, seed)


class PitchShift(Transform):
    """As `tfspec.augment.PitchShift`, by `librosa.effects.pitch_shift`.

    Example:
        >>> PitchShift(seed=0)(np.ones(8000), 16000).shape
        (8000,)
    """

    def __init__(
        self, min_semitones: int = -5, max_semitones: int = 4, probability: float = 1.0, seed: Seed = None
    ):
        super().__init__(probability, seed)
        self.semitones = arguments.ends("min_semitones", min_semitones, "max_semitones", max_semitones)

    def draw(self):
        """Draw `semitones`."""
        return {"semitones": self.rng.integers(*self.semitones, endpoint=True)}

    def apply(self, samples, sample_rate, params):
        """Move the pitch."""
        import librosa

        return librosa.effects.pitch_shift(samples, sr=sample_rate, n_steps=params["semitones"])


class TimeShift(Transform):
    """As `tfspec.augment.TimeShift`, the sample rate an argument of each call.

    Example:
        >>> TimeShift(0.5).apply(np.array([1.0, 2.0, 3.0]), 16000, {"shift_seconds": 1 / 16000})
        array([3., 1., 2.])
    """

    def __init__(
        self, max_shift_seconds: float, wrap: bool = True, probability: float = 1.0, seed: Seed = None
    ):
        super().__init__(probability, seed)
        self.max_shift_seconds = arguments.between("max_shift_seconds", max_shift_seconds, 0)
        self.wrap = wrap

    def draw(self):
        """Draw `shift_seconds`, positive for later."""
        return {"shift_seconds": self.rng.uniform(-self.max_shift_seconds, self.max_shift_seconds)}

    def apply(self, samples, sample_rate, params):
        """Move the signal by the nearest number of samples."""
        shift = round(params["shift_seconds"] * sample_rate)
        moved = np.roll(samples, shift)
        if not self.wrap and shift > 0:
            moved[:shift] = 0
        elif not self.wrap and shift < 0:
            moved[shift:] = 0
        return moved


class Gain(Transform):
    """As `tfspec.augment.Gain`.

    Example:
        >>> Gain(20.0, 20.0)(np.ones(3), 16000)
        array([10., 10., 10.], dtype=float32)
    """

    def __init__(
        self,
        min_gain_db: float = -10.0,
        max_gain_db: float = 10.0,
        probability: float = 1.0,
        seed: Seed = None,
    ):
        super().__init__(probability, seed)
        self.gain_db = arguments.ends("min_gain_db", min_gain_db, "max_gain_db", max_gain_db)

    def draw(self):
        """Draw `gain_db`."""
        return {"gain_db": self.rng.uniform(*self.gain_db), "curve": "constant"}

    def apply(self, samples, sample_rate, params):
        """Multiply by a curve."""
        return samples * 10 ** (params["gain_db"] * CURVES[params["curve"]](len(samples)) / 20)


class VolumeControl(Gain):
    """As `tfspec.augment.VolumeControl`.

    Example:
        >>> VolumeControl(20.0, 20.0, ["fade"])(np.ones(3), 16000).round(3)
        array([10.   ,  3.162,  1.   ], dtype=float32)
    """

    def __init__(
        self,
        min_gain_db: float = -10.0,
        max_gain_db: float = 10.0,
        curves: Sequence[str] = tuple(CURVES),
        probability: float = 1.0,
        seed: Seed = None,
    ):
        super().__init__(min_gain_db, max_gain_db, probability, seed)
        self.curves = [arguments.one_of("curves", curve, list(CURVES)) for curve in curves]

    def draw(self):
        """Draw `gain_db` and the name of a `curve`."""
        return {**super().draw(), "curve": str(self.rng.choice(self.curves))}


class Compose(Transform):
    """Applies transforms in order, each with its own probability.

    Args:
        transforms: of this module, of audiomentations, or any function of (samples, sample_rate).
        probability: how likely a signal goes through them at all.
        seed: for this choice.

    Example:
        >>> augment = Compose([GaussianNoise(), PitchShift(probability=0.5), TimeShift(0.1)])
        >>> augment(np.ones(8000), 16000).shape
        (8000,)
    """

    def __init__(self, transforms: Sequence[Callable], probability: float = 1.0, seed: Seed = None):
        super().__init__(probability, seed)
        self.transforms = list(transforms)

    def draw(self):
        """Draw nothing: each transform draws its own."""
        return {}

    def apply(self, samples, sample_rate, params):
        """Apply all."""
        for transform in self.transforms:
            samples = transform(samples, sample_rate)
        return samples


class OneOf(Compose):
    """Applies one of several transforms.

    Args:
        transforms: as in `Compose`.
        weights: how likely each is chosen, relative to the others; all alike if None.
        probability: how likely a signal is changed at all.
        seed: for both choices.

    Example:
        >>> OneOf([GaussianNoise(), PinkNoise()], weights=[2, 1])(np.ones(8000), 16000).shape
        (8000,)
    """

    def __init__(
        self,
        transforms: Sequence[Callable],
        weights: Sequence[float] | None = None,
        probability: float = 1.0,
        seed: Seed = None,
    ):
        super().__init__(transforms, probability, seed)
        chances = np.asarray(np.ones(len(self.transforms)) if weights is None else weights, float)
        self.chances = chances / chances.sum()

    def draw(self):
        """Draw the `choice` among the transforms."""
        return {"choice": self.rng.choice(len(self.transforms), p=self.chances)}

    def apply(self, samples, sample_rate, params):
        """Apply the chosen one."""
        return self.transforms[params["choice"]](samples, sample_rate)
