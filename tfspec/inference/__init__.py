"""Using what a run left: models, files, long recordings, events. A TFLite file needs no TensorFlow."""

from tfspec.inference.arrays import predict_windows
from tfspec.inference.events import event_thresholds, find_events, write_audacity, write_csv, write_raven
from tfspec.inference.files import predict_files
from tfspec.inference.loading import load_model
from tfspec.inference.long_recordings import detect, window_probabilities

__all__ = [
    "detect",
    "event_thresholds",
    "find_events",
    "load_model",
    "predict_files",
    "predict_windows",
    "window_probabilities",
    "write_audacity",
    "write_csv",
    "write_raven",
]
