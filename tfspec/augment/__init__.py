"""Keras layers that change signals and features at random, for training."""

from tfspec.augment.background import BackgroundNoise
from tfspec.augment.base import Compose, OneOf, RandomLayer
from tfspec.augment.waveform import ColoredNoise, Gain, GaussianNoise, PinkNoise, VolumeControl

__all__ = [
    "BackgroundNoise",
    "ColoredNoise",
    "Compose",
    "Gain",
    "GaussianNoise",
    "OneOf",
    "PinkNoise",
    "RandomLayer",
    "VolumeControl",
]
