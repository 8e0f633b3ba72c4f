"""The columns of a manifest: those that have a meaning of their own, and those of classes."""

from __future__ import annotations

import pandas as pd

from tfspec.base.errors import UserError

RESERVED = (
    *("path", "start", "end", "index", "label", "group", "time", "part", "fold", "problem", "predicted"),
    *("seconds", "sample_rate", "silent", "clipped", "digest", "events", "only_trains", "loss_weight"),
)
"""Columns that are no classes, and as which no class may be called."""


def check_is_manifest(manifest: object) -> None:
    """Refuse what is no table, such as the labels alone.

    Args:
        manifest: what should be a manifest.

    Raises:
        UserError: it is none.

    Example:
        >>> check_is_manifest(["yes", "no"])
        Traceback (most recent call last):
        tfspec.base.errors.UserError: A manifest is a pandas DataFrame, a row an example. Received: list
    """
    if not isinstance(manifest, pd.DataFrame):
        raise UserError(
            f"A manifest is a pandas DataFrame, a row an example. Received: {type(manifest).__name__}"
        )


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
