"""From files to batches: manifests, decoding, datasets, downloads, simulation."""

from tfspec.data.dataset import make_dataset

__all__ = ["make_dataset"]
