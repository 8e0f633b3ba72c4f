"""What is wrong with a folder of recordings, before a run finds out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from tfspec.audio.inspection import Inspection, inspect_all
from tfspec.base.options import SPEAKER_PATTERN
from tfspec.base.text import shown
from tfspec.data.problems import name_problems
from tfspec.data.sources.class_folders import list_class_folders
from tfspec.data.splits import group_names


def check_folder(
    folder: str | os.PathLike,
    sample_rate: int | None = None,
    min_seconds: float = 0.1,
    speaker_pattern: str = SPEAKER_PATTERN,
    progress: Callable[[Iterable, int], Iterable] = lambda items, total: items,
) -> dict[str, Any]:
    """Inspect every recording of a folder of class folders.

    Args:
        folder: holds a folder of recordings per class.
        sample_rate: the sample rate in Hz that all should have; the commonest one if None.
        min_seconds: recordings below this length are too short.
        speaker_pattern: as `group_pattern` in `from_class_folders`.
        progress: wraps the iteration and is told its length, to draw a bar.

    Returns:
        `recordings`, `speakers`, `without_speaker` (files in whose names the pattern finds none), `seconds`,
        `sample_rate`, `classes` (name to count, 0 for an empty folder), `passed_over` (suffix to number of
        files that are no recordings), and `problems`: `unreadable` (with the reason, which may be the file's
        name), `silent` (nothing over −80 dB of full scale), `clipped` (over a
        thousandth at full scale), `wrong_rate`, `too_short`, and `duplicates` (groups of files that decode
        to the same samples, silent ones aside). Ready for JSON.

    Raises:
        UserError: the folder holds no recordings.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "yes", "0ab_nohash_0.wav")
        ...     path.parent.mkdir()
        ...     _ = path.write_bytes(b"")
        ...     check_folder(folder)["problems"]["unreadable"]
        ['yes/0ab_nohash_0.wav: empty file']
    """
    listing = list_class_folders(folder, group_pattern=speaker_pattern)
    manifest = listing.manifest
    named_badly = name_problems(manifest)
    paths = [Path(folder, path) for path in manifest["path"][named_badly.isna()]]
    inspections = iter(inspect_all(paths, lambda results: progress(results, len(paths))))
    found = pd.DataFrame(
        [
            vars(i) | {"path": shown(path), "silent": i.is_silent, "clipped": i.is_clipped}
            for path, problem in zip(manifest["path"], named_badly, strict=True)
            for i in [Inspection(path, problem) if problem else next(inspections)]
        ]
    )
    unreadable = found[found["problem"].notna()]
    good = found[found["problem"].isna()]
    if sample_rate is None and len(good):
        sample_rate = int(good["sample_rate"].mode()[0])
    wrong_rate = good[good["sample_rate"] != sample_rate]
    too_short = good[good["seconds"] < min_seconds]
    same = good[~good["silent"]].groupby("digest")["path"].agg(list)
    empty = dict.fromkeys(listing.empty, 0)
    return {
        "recordings": len(manifest),
        "speakers": len(group_names(manifest)),
        "without_speaker": int((manifest["group"] == "").sum()),
        "seconds": float(good["seconds"].sum()),
        "sample_rate": sample_rate,
        "classes": dict(sorted((manifest["label"].map(shown).value_counts().to_dict() | empty).items())),
        "passed_over": listing.passed_over,
        "problems": {
            "unreadable": [f"{row.path}: {row.problem}" for row in unreadable.itertuples()],
            "silent": good["path"][good["silent"]].tolist(),
            "clipped": good["path"][good["clipped"]].tolist(),
            "wrong_rate": [f"{row.path}: {row.sample_rate} Hz" for row in wrong_rate.itertuples()],
            "too_short": [f"{row.path}: {row.seconds:.3f} s" for row in too_short.itertuples()],
            "duplicates": sorted(" = ".join(paths) for paths in same[same.map(len) > 1]),
        },
    }
