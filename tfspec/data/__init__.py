"""From files to batches: manifests, decoding, datasets, downloads, simulation."""

from tfspec.data.dataset import make_dataset
from tfspec.data.sequence import SignalSequence

__all__ = ["SignalSequence", "make_dataset"]
