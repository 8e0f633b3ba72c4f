"""The general task of pictures: spectrograms of one's own that some program has drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import keras

from tfspec.base.errors import UserError
from tfspec.base.model import FIRST_PICTURES
from tfspec.base.options import Count
from tfspec.base.progress import bar, say
from tfspec.data.sources.picture_files import PictureReader
from tfspec.data.sources.picture_folders import common_shape, inspect_pictures
from tfspec.frontends import MinMax
from tfspec.pipelines.small_data import SmallData
from tfspec.report.figures import Picture


@dataclass(kw_only=True)
class OwnPictures(SmallData):
    """Classify pictures of one's own: `tfspec train DATA`.

    DATA is a folder that holds a folder of PNG or JPEG files per class. What is not given is chosen from the
    data, and said.

    Example:
        >>> OwnPictures(data="spectra").front_end().compute_output_shape((None, 64, 128))
        (None, 64, 128, 1)
    """

    name: ClassVar[str] = "pictures"
    takes: ClassVar[Literal["picture"]] = "picture"

    augment: tuple[Literal["shift", "response", "masks"], ...] = ("masks",)

    data: Path = Path("data")
    """Folder that holds a folder of pictures per class."""
    picture_shape: tuple[Count, ...] | None = None
    """Rows and columns, and 3 for colours, that pictures are resized to; the commonest if not given."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        shape = self.picture_shape
        if shape is not None and (len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,))):
            raise UserError(
                f"picture_shape is rows and columns, and 3 for colours. Received: {' '.join(map(str, shape))}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a picture."""
        return self.picture_shape or FIRST_PICTURES

    def manifest(self):
        """List the pictures, and read every file."""
        if self.data.is_file():
            raise UserError(
                f"{self.data} is a table of pixels: `tfspec train radio_signals --data {self.data}`"
            )
        manifest = inspect_pictures(self.data, bar("Checking pictures"))
        return self.with_groups(self.of_classes(manifest))

    def settled(self, manifest):
        """Choose the size, and say how many pictures have another one."""
        shape = self.picture_shape or common_shape(manifest)
        others = int((manifest[["height", "width"]].to_numpy() != shape[:2]).any(axis=1).sum())
        say(f"Pictures of {' × '.join(map(str, shape))}; {others} of {len(manifest)} are resized")
        return replace(super().settled(manifest), picture_shape=shape)

    def reader(self):
        """Read and resize the pictures."""
        return PictureReader(self.data, self.shape)

    def front_end(self):
        """Scale each picture to 0…1, with an axis for channels."""
        channels = self.shape[2:] or (1,)
        layers = [keras.layers.Reshape((*self.shape[:2], *channels)), MinMax()]
        return keras.Sequential(layers, name="front_end")

    def picture(self, signal, features):
        """Draw the picture as it is."""
        return Picture(features[::-1, :, 0], "column", "row", keeps_shape=True)
