"""Features that stay the same in every epoch: computed once, in memory or on disk."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.modules import own_errors_told
from tfspec.base.progress import bar
from tfspec.data.precomputed import precompute
from tfspec.data.readers import Reader
from tfspec.data.store import FeatureStore, Source
from tfspec.experiment.members import members_of
from tfspec.experiment.splitting import checked_split
from tfspec.experiment.steps import Steps
from tfspec.frontends.base import check_learns_nothing

BYTES_IN_MEMORY = 2 << 30
"""Features beyond this are kept on disk and not in memory, signals not at all."""
NUM_AXES = 4
"""Of features: batch, frames, bins, channels."""
COMPUTING = bar("Computing features")


def kept_features(steps: Steps, split: pd.DataFrame, folder: Path) -> Reader | None:
    """Compute once what all epochs use, or find it computed.

    Args:
        steps: the pipeline.
        split: of the run.
        folder: the run folder.

    Returns:
        A reader of the features of the rows read as such; None where all are made batch by batch.

    Raises:
        UserError: the data cannot be used, or the disk is full.
    """
    if not steps.features_once or steps.data_service is not None:
        return None
    rows, read, front_end = _read_as_features(steps, split), steps.reader(), steps.front_end()
    shape = front_end.compute_output_shape((len(rows), *read.signal_shape))
    too_large = np.dtype(steps.feature_dtype).itemsize * math.prod(shape) > BYTES_IN_MEMORY
    shared = steps.processes > 1 and isinstance(read, Source)
    to_be_stored = too_large or shared or steps.feature_store is not None
    if to_be_stored or isinstance(read, Source):
        store = _store(steps, rows, folder.parent)
        if to_be_stored or not store.missing:
            store.fill(COMPUTING)
            return store
    return precompute(rows, read, front_end, steps.feature_dtype, COMPUTING)


def prepare(steps: Steps) -> FeatureStore:
    """Compute the features that a training uses, and keep them on disk; what is there already stays.

    Args:
        steps: the pipeline.

    Returns:
        The store, in the folder `feature_store`, or in `features` beside where the run folder goes.

    Raises:
        UserError: the data cannot be used, the disk is full, or nothing is computed beforehand.
    """
    if not steps.features_once:
        raise UserError(f"{steps.name} makes its features batch by batch: there is nothing to prepare.")
    check_front_end(steps)
    steps, split, _ = checked_split(steps)
    store = _store(steps, _read_as_features(steps, split), steps.runs_folder)
    store.fill(COMPUTING)
    return store


def check_front_end(steps: Steps) -> None:
    """Refuse options that do not go together, and a front end that would learn, before anything is read.

    Args:
        steps: the pipeline.

    Raises:
        UserError: its front end cannot be made, or would not train.
    """
    try:
        with own_errors_told():
            check_learns_nothing(steps.front_end())
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"The options do not go together: {error}") from None


def check_features(steps: Steps) -> None:
    """Refuse a front end whose features are no pictures of frames, bins and channels.

    Args:
        steps: the pipeline, settled.

    Raises:
        UserError: they have other axes.
    """
    shape = steps.front_end().compute_output_shape((None, *steps.reader().signal_shape))
    if len(shape) != NUM_AXES:
        raise UserError(
            f"The front end must return features of shape (batch, frames, bins, channels). Received: {shape}"
        )


def _read_as_features(steps: Steps, split: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose features stay the same: not those that are augmented in every epoch."""
    members = members_of(steps, split).values()
    if any(member.steps.augmentation().signals is None for member in members):
        return split[split["part"].isin(["train", "validation"])]
    return split[np.any([member.split["part"] == "validation" for member in members], axis=0)]


def _store(steps: Steps, rows: pd.DataFrame, runs_folder: Path) -> FeatureStore:
    root = steps.feature_store or runs_folder / "features"
    return FeatureStore(root, rows, steps.reader(), steps.front_end(), steps.feature_dtype)
