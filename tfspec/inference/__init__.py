"""Using what a run left: models, files, recordings, streams, events. A TFLite file needs no TensorFlow."""

from tfspec.export.streaming_runner import load_streaming
from tfspec.inference.arrays import predict_windows
from tfspec.inference.detector import Detector
from tfspec.inference.embeddings import embed_files
from tfspec.inference.events import event_thresholds, find_events, write_audacity, write_csv, write_raven
from tfspec.inference.files import predict_files
from tfspec.inference.inputs import find_inputs
from tfspec.inference.listening import listen, load_listener
from tfspec.inference.loading import load_model
from tfspec.inference.long_recordings import detect, window_probabilities
from tfspec.inference.streams import predict_stream

__all__ = [
    "Detector",
    "detect",
    "embed_files",
    "event_thresholds",
    "find_events",
    "find_inputs",
    "listen",
    "load_listener",
    "load_model",
    "load_streaming",
    "predict_files",
    "predict_stream",
    "predict_windows",
    "window_probabilities",
    "write_audacity",
    "write_csv",
    "write_raven",
]
