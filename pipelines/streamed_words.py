"""The options of words that are listened for all day: what they learn from, and which networks can."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfspec.base.errors import UserError
from tfspec.data.sources.stream_words import MINED, with_cut_off_words, with_hard_negatives, with_noise
from tfspec.models.ds_tc_resnet import SHORT_KERNELS
from tfspec.pipelines.class_folders import ClassFolders

UNKNOWN_PER_WORD = 3
"""How many times as many examples as a word has are of other words, of which a stream is full."""
SURROUNDINGS = {"noise_db": (0.0, 30.0), "noisy": 0.8, "shift_seconds": 0.25}
"""Levels of the background in a stream, part of the examples that have one, and how far words are off."""
STREAMING: dict[str, dict[str, Any]] = {
    "ds_tc_resnet": {"blocks": SHORT_KERNELS, "padding": "valid"},
    "ds_cnn": {"padding": "valid"},
    "tc_resnet": {"padding": "causal"},
    "bc_resnet": {"padding": "causal"},
    "matchboxnet": {"padding": "causal"},
}
"""What makes a network one that can be exported as a stream; conv2d and lstm are such as they are."""


@dataclass(kw_only=True)
class StreamedWords(ClassFolders):
    """Words in clips, or in a stream that never ends."""

    streaming: bool = False
    """Learn to listen all day: a network that `tfspec export --streaming` takes, background at many levels,
    words that are only half in the clip as `_unknown_`, and the background alone as `_silence_`. Give
    --others, too, where there are other words."""
    background: Path | None = None
    """Folder of recordings, such as of rooms and streets, one of which is mixed into half of the clips, or
    with streaming into four of five."""
    hard_negatives: Path | None = None
    """Table of clips that a detector took for words: hard_negatives.csv of `tfspec evaluate-stream`. They
    train as `_unknown_`. Its streams should be of people who train."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if self.streaming and self.clip_seconds is None:
            raise UserError(
                "Words are cut off by parts of a clip: streaming needs clip_seconds. Received: None"
            )
        if self.hard_negatives is not None and not self.streaming:
            raise UserError("Hard negatives are clips of streams: give --streaming, too.")

    def on_data(self, data):
        """Leave out what was to be learnt."""
        return replace(super().on_data(data), hard_negatives=None)

    def listed(self):
        """List the words, and for a stream what else is in it."""
        manifest = super().listed()
        if not self.streaming:
            return manifest
        seconds = self.num_samples / self.sample_rate
        manifest = with_cut_off_words(manifest, self.folder, seconds, self.seed)
        if self.background is not None:
            manifest = with_noise(manifest, self.background, seconds, self.seed)
        return manifest if self.hard_negatives is None else with_hard_negatives(manifest, self.hard_negatives)

    @property
    def unknown_per_word(self):
        """Return more for a stream, most of whose words are others."""
        return UNKNOWN_PER_WORD if self.streaming else 1

    def split(self, manifest):
        """Split as without hard negatives, which train."""
        is_mined = manifest["group"].str.startswith(MINED)
        parts = super().split(manifest[~is_mined])["part"]
        return manifest.assign(part=parts.reindex(manifest.index, fill_value="train"))
