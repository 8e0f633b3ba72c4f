"""Keras layers from raw signals to features."""

from tfspec.frontends.scaling import Decibel, Standardize
from tfspec.frontends.spectrogram import MFCC, FrontEnd, Spectrogram

__all__ = ["MFCC", "Decibel", "FrontEnd", "Spectrogram", "Standardize"]
