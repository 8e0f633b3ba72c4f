"""Using what a run left: models, files, long recordings, events. A TFLite file needs no TensorFlow."""

from tfspec.inference.arrays import predict_windows
from tfspec.inference.embeddings import embed_files
from tfspec.inference.events import event_thresholds, find_events, write_audacity, write_csv, write_raven
from tfspec.inference.files import predict_files
from tfspec.inference.inputs import find_inputs
from tfspec.inference.loading import load_model
from tfspec.inference.long_recordings import detect, window_probabilities
from tfspec.inference.streams import predict_stream

__all__ = [
    "detect",
    "embed_files",
    "event_thresholds",
    "find_events",
    "find_inputs",
    "load_model",
    "predict_files",
    "predict_stream",
    "predict_windows",
    "window_probabilities",
    "write_audacity",
    "write_csv",
    "write_raven",
]
