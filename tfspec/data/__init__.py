"""From files to batches: manifests, splits, readers, datasets, features that are kept, downloads."""

from tfspec.augment.augmentation import Augmentation
from tfspec.data.balance import balanced_order, class_weights, sample_weights
from tfspec.data.batches import make_dataset, read_batches
from tfspec.data.epochs import Epochs, Order
from tfspec.data.precompute import precompute
from tfspec.data.readers import ArrayReader, AudioReader, Reader
from tfspec.data.sequence import SignalSequence
from tfspec.data.slices import BatchSlice
from tfspec.data.sources.class_folders import from_class_folders, inspect_class_folders, list_class_folders
from tfspec.data.splits import draw_groups, folds, shared_groups, split_by_file, split_by_group
from tfspec.data.store import FeatureStore
from tfspec.data.targets import label_indices, targets

__all__ = [
    "ArrayReader",
    "AudioReader",
    "Augmentation",
    "BatchSlice",
    "Epochs",
    "FeatureStore",
    "Order",
    "Reader",
    "SignalSequence",
    "balanced_order",
    "class_weights",
    "draw_groups",
    "folds",
    "from_class_folders",
    "inspect_class_folders",
    "label_indices",
    "list_class_folders",
    "make_dataset",
    "precompute",
    "read_batches",
    "sample_weights",
    "shared_groups",
    "split_by_file",
    "split_by_group",
    "targets",
]
