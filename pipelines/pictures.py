"""The general task of pictures: spectrograms that some program has drawn, in a table or in files."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.options import Range
from tfspec.base.progress import bar
from tfspec.base.text import excerpt
from tfspec.data import ArrayReader
from tfspec.data.sources.picture_files import PictureReader
from tfspec.data.sources.picture_folders import inspect_picture_folders
from tfspec.data.sources.pictures import read_tables
from tfspec.data.splits import split_by_file
from tfspec.experiment.pipeline import Pipeline
from tfspec.report.figures import Picture


@dataclass(kw_only=True)
class Pictures(Pipeline):
    """Base of the experiments on pictures of 64 times × 128 frequencies."""

    takes: ClassVar[Literal["picture"]] = "picture"
    classes: ClassVar[Sequence[str]]
    """In the order of the logits."""

    data: Path | None = None
    """CSV table (columns 0 to 8191, pixels from 0 to 1, and labels), or folder that holds a folder of PNG
    files per class."""
    validation: Annotated[float, Range(0, 0.5, without_low=True)] | Path = 0.2
    """Part of the data's pictures that validates, or a CSV table of those that do."""
    validate_on: Literal["stratified", "last"] = "stratified"
    """Which pictures of the data: drawn from every class, or the last ones, as published."""

    @property
    def _folder(self) -> Path | None:
        """The data where they are files."""
        return self.data if self.data is not None and self.data.is_dir() else None

    def __post_init__(self):
        """Check what can be checked before anything is read."""
        super().__post_init__()
        if isinstance(self.validation, Path) and (self.data is None or self._folder):
            raise UserError(
                "A table validates only where another one trains, given as --data. "
                f"Received: --data {excerpt(self.data)}, --validation {excerpt(self.validation)}"
            )

    @functools.cached_property
    def _table(self) -> tuple[np.ndarray, pd.DataFrame]:
        """The pictures of the CSV tables and their manifest; parsed once, and kept beside the run folder."""
        paths = [path for path in (self.data, self.validation) if isinstance(path, Path)]
        return read_tables(paths, self.classes, self.kept, bar("Reading the table"))

    @property
    def kept(self) -> Path:
        """Folder of the pictures that several runs can use."""
        return self.runs_folder / ".tables"

    def manifest(self):
        """List the pictures, and read every file."""
        if self._folder:
            return inspect_picture_folders(self._folder, self.classes, bar("Checking pictures"))
        return self._table[1]

    def class_names(self, manifest):
        """Return the published order."""
        return list(self.classes)

    def split(self, manifest):
        """Validate on the other table, on a part of each class, or on the last pictures."""
        if isinstance(self.validation, Path):
            return manifest
        if self.validate_on == "stratified":
            return split_by_file(manifest, self.validation, self.seed)
        return last_validate(manifest, round(self.validation * len(manifest)))

    def reader(self):
        """Read the pictures."""
        if not self._folder:
            return ArrayReader(self._table[0])
        return PictureReader(self._folder, frequency_across=True)

    def on_data(self, data):
        """Take other pictures, all of them."""
        return replace(self, data=data, validation=type(self).validation)

    def picture(self, signal, features):
        """Draw the picture as radio astronomers do, time upwards."""
        return Picture(features[..., 0], "frequency", "time")


def last_validate(manifest, num_validation: int):
    """Split off the last rows of a manifest for validation."""
    is_train = np.arange(len(manifest)) < len(manifest) - num_validation
    return manifest.assign(part=np.where(is_train, "train", "validation"))
