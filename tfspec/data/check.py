"""What is wrong with a data set, before a run finds out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tfspec.audio.inspection import Inspection, inspect_all
from tfspec.base.progress import Tracker, untracked
from tfspec.base.text import shown
from tfspec.data.manifest import class_columns
from tfspec.data.problems import with_problems
from tfspec.data.splits import group_names

FATAL = ("unreadable",)
"""Problems that keep examples from training; the others are but worth a look."""


def check_examples(
    manifest: pd.DataFrame, sample_rate: int | None = None, min_seconds: float = 0.1
) -> dict[str, Any]:
    """Say what is in a data set, and what is wrong with it.

    Args:
        manifest: as `check_manifest` takes it; as far as it is from `with_inspections`, each recording's
            sound is judged too, once.
        sample_rate: as in `check_recordings`.
        min_seconds: as in `check_recordings`.

    Returns:
        What `check_manifest` and `check_recordings` return, ready for JSON.

    Example:
        >>> manifest = pd.DataFrame({"path": ["yes/1.wav"], "label": ["yes"], "group": [""]})
        >>> check_examples(with_inspections(manifest, "nowhere"))["problems"]["unreadable"]
        ['yes/1.wav: no such file']
    """
    found = check_manifest(manifest)
    if "digest" not in manifest:
        return found
    of_sound = check_recordings(manifest.drop_duplicates("path"), sample_rate, min_seconds)
    return {**found, **of_sound, "problems": {**found["problems"], **of_sound["problems"]}}


def with_inspections(
    manifest: pd.DataFrame,
    folder: str | os.PathLike,
    progress: Tracker = untracked,
) -> pd.DataFrame:
    """Decode the recordings of a manifest, and add what they are like.

    Args:
        manifest: column `path`, a recording a row.
        folder: what the paths are relative to.
        progress: wraps the iteration over so many recordings, to draw a bar.

    Returns:
        The manifest with the columns `problem`, `sample_rate`, `seconds`, `silent`, `clipped` and `digest`,
        as `Inspection` has them.

    Example:
        >>> with_inspections(pd.DataFrame({"path": ["missing.wav"]}), ".")["problem"].tolist()
        ['no such file']
    """
    inspections: dict[Any, Inspection] = {}

    def problems(rows: pd.DataFrame) -> list[str | None]:
        paths = [Path(folder, path) for path in rows["path"]]
        found = inspect_all(paths, progress)
        inspections.update(zip(rows.index, found, strict=True))
        return [inspection.problem for inspection in found]

    manifest = with_problems(manifest, problems)
    each = [inspections.get(row, Inspection("")) for row in manifest.index]
    return manifest.assign(
        sample_rate=[inspection.sample_rate for inspection in each],
        seconds=[inspection.seconds for inspection in each],
        **sound_columns(each),
    )


def sound_columns(inspections: Sequence[Inspection]) -> dict[str, list]:
    """Gather what recordings sound like, as columns of a manifest.

    Args:
        inspections: of the recordings, in the manifest's order; `Inspection("")` of what was not decoded.

    Returns:
        `silent`, `clipped` and `digest`, as `Inspection` has them.

    Example:
        >>> sound_columns([Inspection("")])
        {'silent': [True], 'clipped': [False], 'digest': ['']}
    """
    return {
        "silent": [each.is_silent for each in inspections],
        "clipped": [each.is_clipped for each in inspections],
        "digest": [each.digest for each in inspections],
    }


def check_manifest(manifest: pd.DataFrame) -> dict[str, Any]:
    """Count what is in any manifest, and name what cannot be used.

    Args:
        manifest: column `problem`, as every source adds it; `group`; `label`, or a column of shares a class.

    Returns:
        `examples` (rows), `recordings` (files, or rows where there are none), `speakers` (groups),
        `without_speaker` (rows without a group), `classes` (name to count, or to the sum of its shares), and
        `problems`: `unreadable`, with the reason, which may be a row's name.

    Example:
        >>> rows = {"label": ["a", "b"], "group": ["x", ""], "problem": [None, "holds NaN or infinity"]}
        >>> check_manifest(pd.DataFrame(rows))["problems"]
        {'unreadable': ['1: holds NaN or infinity']}
    """
    if "label" in manifest:
        labels = manifest["label"]
        classes = labels[labels != ""].map(shown).value_counts()
    else:
        classes = manifest[class_columns(manifest)].sum().round(3).rename(shown)
    bad = manifest["problem"].dropna()
    return {
        "examples": len(manifest),
        "recordings": manifest["path"].nunique() if "path" in manifest else len(manifest),
        "speakers": len(group_names(manifest)),
        "without_speaker": int((manifest["group"] == "").sum()),
        "classes": dict(sorted(classes.to_dict().items())),
        "problems": {
            "unreadable": [
                f"{n}: {shown(why)}" for n, why in zip(_names(manifest.loc[bad.index]), bad, strict=True)
            ]
        },
    }


def check_recordings(
    manifest: pd.DataFrame, sample_rate: int | None = None, min_seconds: float = 0.1
) -> dict[str, Any]:
    """Say what is odd about recordings that can be decoded.

    Args:
        manifest: from `with_inspections`.
        sample_rate: the sample rate in Hz that all should have; the commonest one if None.
        min_seconds: recordings below this length are too short.

    Returns:
        `seconds` (of all), `sample_rate`, and `problems`: `silent` (nothing over −80 dB of full scale),
        `clipped` (over a thousandth at full scale), `wrong_rate`, `too_short`, and `duplicates` (groups of
        files that decode to the same samples, silent ones aside, and whether their labels differ).
    """
    good = manifest[manifest["problem"].isna()]
    good = good.assign(path=_names(good))
    if sample_rate is None and len(good):
        sample_rate = int(good["sample_rate"].mode()[0])
    wrong_rate = good[good["sample_rate"] != sample_rate]
    too_short = good[good["seconds"] < min_seconds]
    sounding = good[~good["silent"]]
    copies = sounding[sounding["digest"].duplicated(keep=False)].groupby("digest")
    return {
        "seconds": float(good["seconds"].sum()),
        "sample_rate": sample_rate,
        "problems": {
            "silent": good["path"][good["silent"]].tolist(),
            "clipped": good["path"][good["clipped"]].tolist(),
            "wrong_rate": [f"{row.path}: {row.sample_rate} Hz" for row in wrong_rate.itertuples()],
            "too_short": [f"{row.path}: {row.seconds:.3f} s" for row in too_short.itertuples()],
            "duplicates": sorted(_told_copies(rows) for _, rows in copies),
        },
    }


def _told_copies(rows: pd.DataFrame) -> str:
    classes = sorted({*rows["label"]}) if "label" in rows else []
    differ = f" (of different classes: {', '.join(map(shown, classes))})" if len(classes) > 1 else ""
    return " = ".join(rows["path"]) + differ


def _names(manifest: pd.DataFrame) -> list[str]:
    """Name rows by their files, or by their index where they have none."""
    return [shown(name) for name in manifest.get("path", manifest.index)]
