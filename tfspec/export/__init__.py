"""Files that take the raw signal: written from a Keras model, proved against it, and run.

Running a TFLite file needs no TensorFlow, so each name is imported when it is asked for.
"""

from typing import TYPE_CHECKING

from tfspec.base.lazy import lazy

if TYPE_CHECKING:
    from tfspec.export.exporting import export
    from tfspec.export.parity import ParityError
    from tfspec.export.streaming import StreamingClassifier
    from tfspec.export.streaming_runner import StreamingFile
    from tfspec.export.tflite import tflite_model
    from tfspec.export.tflite_file import TFLiteClassifier

__all__ = [
    "ParityError",
    "StreamingClassifier",
    "StreamingFile",
    "TFLiteClassifier",
    "export",
    "tflite_model",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "ParityError": "tfspec.export.parity:ParityError",
        "StreamingClassifier": "tfspec.export.streaming:StreamingClassifier",
        "StreamingFile": "tfspec.export.streaming_runner:StreamingFile",
        "TFLiteClassifier": "tfspec.export.tflite_file:TFLiteClassifier",
        "export": "tfspec.export.exporting:export",
        "tflite_model": "tfspec.export.tflite:tflite_model",
    },
)
