"""From files to batches: manifests, decoding, datasets, downloads, simulation."""

from tfspec.data.dataset import ArrayReader, Epochs, make_dataset
from tfspec.data.readers import AudioReader
from tfspec.data.sequence import SignalSequence

__all__ = ["ArrayReader", "AudioReader", "Epochs", "SignalSequence", "make_dataset"]
