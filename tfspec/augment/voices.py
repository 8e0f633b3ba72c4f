"""What changes recordings of voices without changing what they say."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from tfspec.augment.augmentation import Augmentation
from tfspec.augment.base import Compose, OneOf
from tfspec.augment.spectrogram import FrequencyMask, TimeMask
from tfspec.augment.waveform import GaussianNoise, PinkNoise, PitchShift, TimeShift

VoiceChange = Literal["noise", "pitch", "shift", "time_mask", "frequency_mask"]


def voice_augmentation(changes: Collection[VoiceChange], sample_rate: int) -> Augmentation:
    """Make what changes voices at random: who speaks, when, where, and what of it is heard.

    Args:
        changes: of signals "noise" at 10…40 dB, "pitch" by up to two semitones, and "shift" by up to 0.1 s;
            of features "time_mask" and "frequency_mask", two of each, under which is the features' mean.
        sample_rate: samples per second.

    Example:
        >>> [type(layer).__name__ for layer in voice_augmentation(["noise"], 16000).signals.layers]
        ['OneOf']
    """
    noises = [GaussianNoise(10.0, 40.0, "rms"), PinkNoise(10.0, 40.0, "rms")]
    of_signals = {
        "noise": OneOf(noises, probability=0.5),
        "pitch": PitchShift(-2, 2, round(0.04 * sample_rate), probability=0.5),
        "shift": TimeShift(0.1, sample_rate, wrap=False),
    }
    of_features = {
        "time_mask": TimeMask(20, num_masks=2, fill="mean"),
        "frequency_mask": FrequencyMask(5, num_masks=2, fill="mean"),
    }
    chosen = [[layer for name, layer in of.items() if name in changes] for of in (of_signals, of_features)]
    return Augmentation(*(Compose(layers) if layers else None for layers in chosen))
