"""From files to batches: manifests, splits, readers, datasets, features that are kept, downloads.

Tables and arrays are read without TensorFlow, so each name is imported when it is asked for.
"""

from typing import TYPE_CHECKING

from tfspec.base.lazy import lazy

if TYPE_CHECKING:
    from tfspec.augment.augmentation import Augmentation
    from tfspec.data.balance import balanced_order, class_weights, sample_weights
    from tfspec.data.batches import make_dataset, read_batches
    from tfspec.data.epochs import Epochs, Order
    from tfspec.data.label_targets import label_indices, targets
    from tfspec.data.precomputed import precompute
    from tfspec.data.readers import ArrayReader, AudioReader, Reader
    from tfspec.data.sequence import SignalSequence
    from tfspec.data.slices import BatchSlice
    from tfspec.data.sources.class_folders import (
        from_class_folders,
        inspect_class_folders,
        list_class_folders,
    )
    from tfspec.data.splits import draw_groups, folds, shared_groups, split_by_file, split_by_group
    from tfspec.data.store import FeatureStore

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

__getattr__, __dir__ = lazy(
    __name__,
    {
        "ArrayReader": "tfspec.data.readers:ArrayReader",
        "AudioReader": "tfspec.data.readers:AudioReader",
        "Augmentation": "tfspec.augment.augmentation:Augmentation",
        "BatchSlice": "tfspec.data.slices:BatchSlice",
        "Epochs": "tfspec.data.epochs:Epochs",
        "FeatureStore": "tfspec.data.store:FeatureStore",
        "Order": "tfspec.data.epochs:Order",
        "Reader": "tfspec.data.readers:Reader",
        "SignalSequence": "tfspec.data.sequence:SignalSequence",
        "balanced_order": "tfspec.data.balance:balanced_order",
        "class_weights": "tfspec.data.balance:class_weights",
        "draw_groups": "tfspec.data.splits:draw_groups",
        "folds": "tfspec.data.splits:folds",
        "from_class_folders": "tfspec.data.sources.class_folders:from_class_folders",
        "inspect_class_folders": "tfspec.data.sources.class_folders:inspect_class_folders",
        "label_indices": "tfspec.data.label_targets:label_indices",
        "list_class_folders": "tfspec.data.sources.class_folders:list_class_folders",
        "make_dataset": "tfspec.data.batches:make_dataset",
        "precompute": "tfspec.data.precomputed:precompute",
        "read_batches": "tfspec.data.batches:read_batches",
        "sample_weights": "tfspec.data.balance:sample_weights",
        "shared_groups": "tfspec.data.splits:shared_groups",
        "split_by_file": "tfspec.data.splits:split_by_file",
        "split_by_group": "tfspec.data.splits:split_by_group",
        "targets": "tfspec.data.label_targets:targets",
    },
)
