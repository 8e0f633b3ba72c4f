"""Keras layers that change signals and features at random, for training."""

from tfspec.augment.augmentation import Augmentation
from tfspec.augment.background import BackgroundNoise
from tfspec.augment.base import Compose, OneOf, RandomLayer
from tfspec.augment.faults import Clipping, GainDrift, PacketLoss, Polarity
from tfspec.augment.filters import BandPass, ImpulseResponse, Reverberation, Shelf
from tfspec.augment.mixing import MixUp
from tfspec.augment.pictures import Rendering
from tfspec.augment.response import FrequencyResponse
from tfspec.augment.rotation import Rotation
from tfspec.augment.spectrogram import FrequencyMask, RandomCrop, TimeMask
from tfspec.augment.warping import Warp
from tfspec.augment.waveform import (
    ColoredNoise,
    Gain,
    GaussianNoise,
    PinkNoise,
    PitchShift,
    TimeShift,
    TimeStretch,
    VolumeControl,
)

__all__ = [
    "Augmentation",
    "BackgroundNoise",
    "BandPass",
    "Clipping",
    "ColoredNoise",
    "Compose",
    "FrequencyMask",
    "FrequencyResponse",
    "Gain",
    "GainDrift",
    "GaussianNoise",
    "ImpulseResponse",
    "MixUp",
    "OneOf",
    "PacketLoss",
    "PinkNoise",
    "PitchShift",
    "Polarity",
    "RandomCrop",
    "RandomLayer",
    "Rendering",
    "Reverberation",
    "Rotation",
    "Shelf",
    "TimeMask",
    "TimeShift",
    "TimeStretch",
    "VolumeControl",
    "Warp",
]
