"""The general task of recordings: sounds of one's own, from class folders, a table or annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import keras
import pandas as pd

from tfspec.audio.decoding import ClipPadding
from tfspec.augment import Augmentation, Compose, Warp
from tfspec.base.errors import UserError
from tfspec.base.options import Hertz, Name, Seconds
from tfspec.base.progress import bar, say
from tfspec.data.choices import described_fit, in_windows, usual_length, usual_rate
from tfspec.data.frame_targets import COLUMN
from tfspec.data.sources.columns import Columns
from tfspec.data.sources.own_recordings import inspect_own_recordings
from tfspec.data.tables import TABLES
from tfspec.frontends import Decibel, MelSpectrogram
from tfspec.models import event_head, residual, transfer
from tfspec.models.events import Pooling
from tfspec.pipelines.own_signals import scored
from tfspec.pipelines.recordings import Recordings
from tfspec.pipelines.self_taught import SelfTaught
from tfspec.training.losses import EventLoss

RATE = 16000
"""What stands for the sample rate before it is chosen."""
WIDE_RATE = 16000
"""Sample rate above which there are more bands."""
LOWEST_HZ = 20.0
FRAME_SECONDS = 0.032
SHORT_SECONDS, SHORT_STEP, LONG_STEP = 2.0, 0.016, 0.04
"""Clips up to this length have frames this far apart, in seconds; longer ones are seen coarser."""
FINE_STEP = 0.02
SHORTEST_FFT = 512
EVENT_FRAME, EVENT_STEP, EVENT_BANDS = 0.04, 0.02, 64
"""Frames, in seconds, and bands of features in which events are found."""
EVENT_HALVINGS = 2
"""How often `residual` halves their frames: what it gives are 80 ms apart."""
EVENT_UNITS = 64
"""Recurrent units each way that tell these frames of one another; `residual` alone sees a second at once."""
BIN_FACTOR, BIN_SHIFT = 1.1, 2.0
"""Mel bands are stretched by up to this factor and moved by up to so many, as if other voices were heard."""
EVENT_LAYERS = {
    "mobilenet_v2": "block_13_expand_relu",
    "efficientnet_b0": "block6a_expand_activation",
    "resnet50": "conv4_block6_out",
}
"""Layers of larger networks, for which frames are 10 ms apart, that give every 16th frame."""


@dataclass(kw_only=True)
class OwnRecordings(SelfTaught, Recordings):
    """Classify recordings of one's own: `tfspec train DATA`.

    DATA is a folder of class folders, a table of files and labels, or a folder of recordings with Raven's or
    Audacity's annotations beside them. What is not given is chosen from the data, and said.

    Example:
        >>> OwnRecordings(data="sounds", sample_rate=16000, clip_seconds=1.0).num_samples
        16000
    """

    name: ClassVar[str] = "recordings"
    padding: ClassVar[ClipPadding] = "silence"
    earlier: ClassVar[Mapping[str, Any]] = {"head": "clip"}

    sample_rate: Hertz | None = None
    """Samples per second that recordings are resampled to; the commonest, at most 32 kHz, if not given."""
    clip_seconds: Seconds | None = None
    """Length of a clip. If not given, that of nearly all recordings; windows of 5 s of long ones, and of
    annotated ones windows that nine of ten sounds fit into."""
    path_column: Name | None = None
    """Column of the table that names the recordings; found by its usual names if not given."""
    label_column: Name | None = None
    """Column of the table, or of Raven's tables, that has the labels."""
    class_columns: tuple[Name, ...] = ()
    """Columns of the table, one a class, in place of labels."""
    group_column: Name | None = None
    """Column of the table that names the groups."""

    head: Literal["clip", "events"] | None = None
    """Say of each clip what is in it, or of each frame of it what is heard when; if not given, "events" of
    annotated recordings."""
    review: Path | None = None
    """Table of `tfspec detect --review`, with answers, that trains too: of its recordings, which may lie
    anywhere, what was accepted is heard, what was rejected is not, and nothing else is known."""
    pooling: Pooling = "max"
    """How, with events, what is in a clip comes from what is heard in its frames."""

    def check_length(self):
        """Check the length once all that it is made of is chosen."""
        if self.clip_seconds is not None and self.sample_rate is not None:
            super().check_length()

    @property
    def num_samples(self):
        """Length of a clip in samples."""
        if self.clip_seconds is None or self.sample_rate is None:
            raise UserError("sample_rate and clip_seconds are not chosen yet: `settled` chooses them.")
        return round(self.clip_seconds * self.sample_rate)

    @property
    def folder(self):
        """What the manifest's paths are relative to: where the table is, or was, if the data is one."""
        is_table = self.data.is_file() or self.data.suffix.lower() in (*TABLES, ".txt")
        return self.data.parent if is_table and not self.data.is_dir() else self.data

    def manifest(self):
        """List the examples, and cut long recordings into windows that follow one another."""
        columns = Columns(self.path_column, self.label_column, self.class_columns, self.group_column)
        manifest = inspect_own_recordings(
            self.data, columns, self.clip_seconds, bar("Checking files"), self._finds_events, self.review
        )
        manifest = self.with_groups(self.of_classes(manifest))
        length = self._clip_seconds(manifest)
        if "start" not in manifest and (manifest["seconds"] > 1.5 * length).any():
            manifest = in_windows(manifest, length)
        return self.with_pseudo_labels(manifest, self.folder, length)

    def on_data(self, data):
        """Take other recordings, without the review of some."""
        return replace(super().on_data(data), review=None)

    @property
    def _finds_events(self) -> bool:
        """Whether frames are learnt where they are annotated."""
        return self.head == "events" or (
            self.head is None and not self.is_embedded and self.start_from is None
        )

    def _clip_seconds(self, manifest: pd.DataFrame) -> float:
        if self.clip_seconds is not None:
            return self.clip_seconds
        if "end" in manifest:
            return usual_length((manifest["end"] - manifest["start"]).dropna())
        return usual_length(manifest["seconds"].dropna())

    def recordings_of(self, rows):
        """Name the files of which several windows have the same class."""
        if "label" not in rows or "start" not in rows or not rows["path"].duplicated().any():
            return None
        return rows["path"] if (rows.groupby("path")["label"].nunique() == 1).all() else None

    def settled(self, manifest):
        """Choose rate and length, and say how many recordings are cut or padded."""
        head = self.head or ("events" if COLUMN in manifest else "clip")
        if head == "events" and (self.is_embedded or self.start_from is not None):
            raise UserError("Events are found by a network that trains as a whole: give --head clip.")
        if head == "events" and self.labels == "one":
            raise UserError("Several events may sound at once: --labels one goes with --head clip.")
        labels = "several" if head == "events" else self.labels
        chosen = replace(self, head=head, labels=labels)  # type: ignore[call-arg]
        chosen = super(OwnRecordings, chosen).settled(manifest)
        if head == "events":
            say("Head: events, what is heard in each frame (--head clip for what is in each window)")
        manifest = scored(manifest)
        seconds = self._clip_seconds(manifest)
        rate = chosen.sample_rate or usual_rate(manifest["sample_rate"])
        lengths = manifest["end"] - manifest["start"] if "end" in manifest else manifest["seconds"]
        say(f"Clips of {seconds:g} s at {rate:,} Hz: {described_fit(lengths, seconds)}")
        return replace(chosen, sample_rate=rate, clip_seconds=seconds)

    def front_end(self):
        """Make pictures of mel bands, or what a large network makes of them or of the signals."""
        pictures = self._pictures()
        if not self.is_embedded:
            return pictures
        is_settled = self.sample_rate is not None and self.clip_seconds is not None
        return self.embedding_front_end(pictures, self.num_samples if is_settled else RATE)

    def _pictures(self) -> keras.Sequential:
        """Make mel bands in decibels below the clip's own peak, whose padding and room are cut off."""
        rate, seconds = self.sample_rate or RATE, self.clip_seconds or 1.0
        is_short, finds_events = seconds <= SHORT_SECONDS, self.head == "events"
        step = round((SHORT_STEP if is_short else LONG_STEP) * rate)
        frame = round(FRAME_SECONDS * rate) if is_short else step
        bands, range_db = (64 if rate > WIDE_RATE else 40), 40.0
        if finds_events:
            step, frame, bands = round(EVENT_STEP * rate), round(EVENT_FRAME * rate), EVENT_BANDS
        if self.network != "residual":  # networks of keras.applications take pictures in 0…1 of many pixels
            fine = FINE_STEP / 2 if finds_events else FINE_STEP
            step, bands, range_db = round(fine * rate), 128, 80.0
        mel = MelSpectrogram(
            rate,
            bands,
            LOWEST_HZ,
            frame_length=frame,
            frame_step=step,
            fft_length=max(SHORTEST_FFT, 1 << (frame - 1).bit_length()),
        )
        scale = (1 / 20, 2.0) if self.network == "residual" else (1 / 80, 1.0)
        decibels = Decibel(dynamic_range_db=range_db, reference="max")
        layers = [decibels, keras.layers.Rescaling(*scale, dtype="float32")]
        return keras.Sequential([mel, *layers], name="front_end")

    def augmentation(self):
        """Change the features; with events, leave them where they are in time."""
        whole = super().augmentation()
        if self.head != "events" or not isinstance(whole.features, Compose):
            return whole
        kept = [layer for layer in whole.features.layers if layer.keeps_time]
        return Augmentation(features=Compose(kept) if kept else None)

    def shift(self, frames):
        """Make what moves an example: in pitch, and where no times of events are known, in time."""
        time_shift = 0.0 if self.head == "events" else super().shift(frames).time_shift
        return Warp(1.0, time_shift, BIN_FACTOR, BIN_SHIFT)

    def backbone(self, feature_shape, num_classes):
        """Make the network that was asked for, with the head that was."""
        if self.head != "events":
            return super().backbone(feature_shape, num_classes)
        shape = (None, *feature_shape[1:])
        if self.network == "residual":
            network = residual(shape, num_classes, time_halvings=EVENT_HALVINGS)
            return event_head(network, self.pooling, recurrent_units=EVENT_UNITS)
        layer = EVENT_LAYERS[self.network]
        network = transfer(self.network, shape, num_classes, self.first_weights, last_layer=layer)
        return event_head(network, self.pooling)

    def training(self, examples, class_names):
        """Learn; with events, what frames and clips are known to hold."""
        training = super().training(examples, class_names)
        return replace(training, loss=EventLoss()) if self.head == "events" else training
