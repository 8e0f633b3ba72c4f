"""Keras layers that change signals and features at random, for training."""

from tfspec.augment.base import Compose, OneOf, RandomLayer
from tfspec.augment.waveform import Gain

__all__ = ["Compose", "Gain", "OneOf", "RandomLayer"]
