"""What changes recordings of voices without changing what they say."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Literal, get_args

from tfspec.augment.augmentation import Augmentation
from tfspec.augment.background import BackgroundNoise
from tfspec.augment.base import Compose, OneOf
from tfspec.augment.spectrogram import FrequencyMask, TimeMask
from tfspec.augment.warping import Warp
from tfspec.augment.waveform import Gain, GaussianNoise, PinkNoise, PitchShift, TimeShift

VoiceChange = Literal["noise", "pitch", "shift", "gain", "vocal_tract", "time_mask", "frequency_mask"]
VOICE_CHANGES: tuple[VoiceChange, ...] = get_args(VoiceChange)
NOISE_DB = (5.0, 40.0)


def voice_augmentation(
    changes: Collection[VoiceChange],
    sample_rate: int,
    background: str | os.PathLike | None = None,
    noise_db: tuple[float, float] = NOISE_DB,
    noisy: float = 0.5,
    shift_seconds: float = 0.1,
) -> Augmentation:
    """Make what changes voices at random: who speaks, when, where, and what of it is heard.

    Args:
        changes: of signals "noise" in some of them, "pitch" of half of them by up to two
            semitones, "shift", and "gain" from −10 to 6 dB; of features, whose bins must be frequencies,
            "vocal_tract" stretches these by up to a tenth and moves them by up to one, and "time_mask" and
            "frequency_mask" are one of each, under which is the features' mean.
        sample_rate: samples per second.
        background: folder of recordings, one of which is mixed in, at the same levels, into as many signals.
        noise_db: least and greatest level of the signal above the noise.
        noisy: part of the signals that noise is added to.
        shift_seconds: by how much signals begin earlier or later at most.

    Example:
        >>> [type(layer).__name__ for layer in voice_augmentation(["noise"], 16000).signals.layers]
        ['OneOf']
    """
    noises = [GaussianNoise(*noise_db, "rms"), PinkNoise(*noise_db, "rms")]
    of_signals = {
        "pitch": PitchShift(-2, 2, round(0.04 * sample_rate), probability=0.5),
        "shift": TimeShift(shift_seconds, sample_rate, wrap=False),
        "noise": OneOf(noises, probability=noisy),
        "gain": Gain(-10, 6),
    }
    of_features = {
        "vocal_tract": Warp(time_factor=1.0, time_shift=0.0, bin_factor=1.1, bin_shift=1.0),
        "time_mask": TimeMask(10, fill="mean"),
        "frequency_mask": FrequencyMask(4, fill="mean"),
    }
    chosen = [[layer for name, layer in of.items() if name in changes] for of in (of_signals, of_features)]
    if background is not None:
        chosen[0].append(BackgroundNoise(background, sample_rate, *noise_db, "rms", probability=noisy))
    return Augmentation(*(Compose(layers) if layers else None for layers in chosen))
