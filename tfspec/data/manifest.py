"""The columns of a manifest: those that have a meaning of their own, and those of classes."""

from __future__ import annotations

import pandas as pd

RESERVED = (
    *("path", "start", "end", "index", "label", "group", "time", "part", "fold", "problem", "predicted"),
    *("seconds", "sample_rate", "silent", "clipped", "digest", "events", "only_trains", "loss_weight"),
)
"""Columns that are no classes, and as which no class may be called."""


def class_columns(manifest: pd.DataFrame) -> list[str]:
    """Name the classes of a manifest with a column each: the columns that are none of a manifest's own.

    Args:
        manifest: without a column `label`.

    Returns:
        Their names, in the manifest's order.

    Example:
        >>> class_columns(pd.DataFrame(columns=["path", "group", "yes", "no", "problem", "part"]))
        ['yes', 'no']
    """
    return [name for name in manifest if name not in RESERVED]
