"""The option of experiments whose recordings can be downloaded."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from tfspec.base.errors import UserError
from tfspec.base.options import Sha256
from tfspec.data.download import fetch_archive
from tfspec.pipelines.recordings import Recordings


@dataclass(kw_only=True)
class Downloads(Recordings):
    """Recordings in a folder, or in a public archive that is fetched into it."""

    archive_url: ClassVar[str]
    everyday: ClassVar[Sequence[str]] = ("data", "download", "out", "epochs", "num_members")

    download: bool = False
    """Fetch the public archive into the folder `data` first, and train on what it holds."""
    sha256: Sha256 | None = None
    """Checksum that the downloaded archive must have; the first download's is recorded if not given."""

    @functools.cached_property
    def folder(self) -> Path:
        """Where the recordings are; what is downloaded has a folder of its own in `data`."""
        if self.download:
            return fetch_archive(self.archive_url, self.data, self.sha256)
        if self.data == type(self).data and not self.data.exists():
            raise UserError(
                f"No such folder: {self.data}. Give yours, --data FOLDER, or --download to fetch some."
            )
        return self.data

    def on_data(self, data):
        """Take other recordings as they are."""
        return replace(super().on_data(data), download=False)
