"""Keras layers from raw signals to features."""

from tfspec.frontends.axes import feature_axes
from tfspec.frontends.base import FrontEnd
from tfspec.frontends.cepstral import MFCC, Deltas
from tfspec.frontends.compression import PCEN, Decibel, Log
from tfspec.frontends.embedding import Embedding
from tfspec.frontends.frame_mean import FrameMean
from tfspec.frontends.mel import MelSpectrogram, MultiResolutionMel
from tfspec.frontends.scaling import Equalize, FrequencyRamp, MinMax, Resize, Standardize
from tfspec.frontends.spectrogram import Spectrogram
from tfspec.frontends.vector_norm import VectorNorm

__all__ = [
    "MFCC",
    "PCEN",
    "Decibel",
    "Deltas",
    "Embedding",
    "Equalize",
    "FrameMean",
    "FrequencyRamp",
    "FrontEnd",
    "Log",
    "MelSpectrogram",
    "MinMax",
    "MultiResolutionMel",
    "Resize",
    "Spectrogram",
    "Standardize",
    "VectorNorm",
    "feature_axes",
]
