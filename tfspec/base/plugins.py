"""Pipelines that installed packages make known, listed without importing them."""

from __future__ import annotations

from importlib import metadata

GROUP = "tfspec.pipelines"
"""Group of the entry points by which packages, tfspec among them, make pipelines known."""


def known_pipelines() -> dict[str, metadata.EntryPoint]:
    """Find the pipelines that are known by name.

    Returns:
        Where each is, by its name, in the order of the names. Of packages that are there twice, as where a
        source tree holds an older `egg-info`, the installed one counts.

    Example:
        >>> known_pipelines()["capture24"].value
        'tfspec.pipelines.capture24:Capture24'
    """
    entries = (entry for package in metadata.distributions() for entry in package.entry_points)
    return dict(sorted((entry.name, entry) for entry in entries if entry.group == GROUP))
