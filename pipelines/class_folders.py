"""The general task of class folders: a folder of recordings per class, split by who speaks in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from tfspec.audio.inspection import recording_lengths
from tfspec.base.errors import UserError
from tfspec.base.options import SPEAKER_PATTERN, Expression, Fraction, Hertz, Names, Seconds
from tfspec.base.progress import bar
from tfspec.data.sources.class_folders import inspect_listed
from tfspec.data.sources.speech_archive import list_words, with_listed_parts, with_others
from tfspec.data.splits import check_groups, split_by_file, split_by_group
from tfspec.pipelines.recordings import Recordings


@dataclass(kw_only=True)
class ClassFolders(Recordings):
    """Base of the experiments on a folder of class folders, such as spoken words."""

    classes: Names | None = None
    """The class folders to use; all if not given, but for `_background_noise_`."""
    others: bool = False
    """Two further classes: `_unknown_`, drawn from the other words' folders, and `_silence_`, cut from the
    recordings in `_background_noise_`, each with as many examples as a word has. Folders of these names are
    taken as they are, and what they lack is drawn."""
    speaker_pattern: Expression = SPEAKER_PATTERN
    """Regular expression with a group for the speaker, matched at the start of the file name."""
    split_by: Literal["speaker", "file"] | None = None
    """Keep each speaker on one side of the split, or split file by file, which makes the score too good.
    If not given, as the folder's validation_list.txt and testing_list.txt say; by speaker without these."""
    validation_fraction: Fraction = 0.2
    """Part of the recordings that validates; rounded to a fraction that the speakers or files allow."""
    sample_rate: Hertz = 22050
    """Samples per second that recordings are resampled to."""
    clip_seconds: Seconds | None = None
    """Length that recordings are cut or padded to; none takes whole files, padded to the longest one."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if self.others and self.clip_seconds is None:
            raise UserError("Silence is cut to a length: others needs clip_seconds. Received: None")

    def check_length(self):
        """Check the length where it is given: that of whole files is not known before they are listed."""
        if self.clip_seconds is not None:
            super().check_length()

    @property
    def num_samples(self):
        """Length of a clip in samples."""
        if self.clip_seconds is None:
            raise UserError("Whole files have no length yet: `settled` finds that of the longest.")
        return round(self.clip_seconds * self.sample_rate)

    def manifest(self):
        """List the examples, and decode each recording."""
        return inspect_listed(self.listed(), self.folder, bar("Checking files"))

    def listed(self) -> pd.DataFrame:
        """List the words, on request silence and other words too."""
        manifest = list_words(self.folder, self.classes, self.speaker_pattern)
        if self.split_by is None:
            manifest = with_listed_parts(manifest, self.folder)
        if self.others:
            seconds = self.num_samples / self.sample_rate
            pattern, times = self.speaker_pattern, self.unknown_per_word
            manifest = with_others(manifest, self.folder, pattern, seconds, self.seed, times)
        return manifest

    @property
    def unknown_per_word(self) -> int:
        """How many times as many examples as a word `_unknown_` has."""
        return 1

    def settled(self, manifest):
        """Take the length of the longest recording where none is given."""
        if self.clip_seconds is not None:
            return self
        lengths = recording_lengths(self.folder / path for path in manifest["path"])
        return replace(self, clip_seconds=max(seconds for seconds, _ in lengths))

    @property
    def groups_may_overlap(self):
        """Whether file-wise splitting was asked for."""
        return self.split_by == "file"

    def split(self, manifest):
        """Split as the archive's lists do, by speaker, or by file."""
        if "part" in manifest:
            return manifest
        if self.split_by == "file":
            return split_by_file(manifest, self.validation_fraction, self.seed)
        check_groups(manifest, self.speaker_pattern)
        return split_by_group(manifest, self.validation_fraction, self.seed)
