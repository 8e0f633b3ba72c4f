"""Keywords: a folder of short recordings per word (reference: the TensorFlow tutorial's eight words)."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import keras

from tfspec import augment
from tfspec.augment import Augmentation
from tfspec.base.errors import UserError
from tfspec.base.options import (
    SPEAKER_PATTERN,
    AnyCount,
    Count,
    Expression,
    Fraction,
    Hertz,
    Name,
    Range,
    Rate,
    Ratio,
    Seconds,
    Sha256,
)  # fmt: skip
from tfspec.base.progress import bar
from tfspec.data.download import MINI_SPEECH_COMMANDS_URL, fetch_archive
from tfspec.data.sources.class_folders import inspect_class_folders
from tfspec.data.splits import check_groups, split_by_file, split_by_group
from tfspec.frontends import MFCC, Decibel, Spectrogram, Standardize
from tfspec.models import conv2d, lstm
from tfspec.pipelines.recordings import Recordings

Change = Literal["noise", "pitch", "shift", "time_mask", "frequency_mask"]


@dataclass(kw_only=True)
class SpeechCommands(Recordings):
    """Classify short recordings, such as spoken words, from a folder of class folders.

    Example:
        >>> SpeechCommands(data="mini_speech_commands", features="mfcc", model="conv2d").num_samples
        17640
    """

    name: ClassVar[str] = "speech_commands"

    epochs: Count = 30
    patience: AnyCount = 30  # the best epochs are the cosine's last; the published 2 stops long before
    learning_rate: Rate = 2e-3
    learning_rate_end: Ratio = 0.01
    clip_norm: Annotated[float, Range(0, 10**12, without_low=True)] | None = 1.0

    download: bool = False
    """Fetch the public archive of eight words into the folder `data` first, and train on these."""
    sha256: Sha256 | None = None
    """Checksum that the downloaded archive must have; the first download's is recorded if not given."""
    classes: tuple[Name, ...] | None = None
    """The class folders to use; all if not given."""
    speaker_pattern: Expression = SPEAKER_PATTERN
    """Regular expression with a group for the speaker, matched at the start of the file name."""
    split_by: Literal["speaker", "file"] = "speaker"
    """Keep each speaker on one side of the split, or split file by file, which makes the score too good."""
    validation_fraction: Fraction = 0.2
    """Part of the recordings that validates; rounded to a fraction that the speakers or files allow."""
    sample_rate: Hertz = 22050
    """Samples per second that recordings are resampled to."""
    clip_seconds: Seconds = 0.8
    """Length that recordings are cut or padded to."""
    features: Literal["stft", "mfcc"] = "mfcc"
    """Front end: magnitude spectrogram 512/128, or 39 MFCCs."""
    scaling: Literal["centre", "none"] = "centre"
    """Decibels of every eight bins together (of stft), each bin's mean over the clip subtracted, for the lstm
    unit variance of the clip; none is the published recipe."""
    model: Literal["lstm", "conv2d"] = "lstm"
    """Backbone."""
    augment: tuple[Change, ...] | None = None
    """What changes the training examples at random: signals by noise, pitch, shift, features by masks. If not
    given, what did best on validation speakers: pitch and shift for the lstm, nothing for the conv2d."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        # conv2d sees 18 frames at a time, which are 128 samples apart; MFCC pads its first
        shortest = 1 if self.model == "lstm" else 17 * 128 + (512 if self.features == "stft" else 0)
        if self.num_samples < shortest:
            raise UserError(
                f"The model {self.model} needs a clip of at least {shortest} samples, "
                f"{shortest / self.sample_rate:.3f} s. Received: {self.clip_seconds} s"
            )

    @property
    def num_samples(self):
        """Length of a clip in samples."""
        return round(self.clip_seconds * self.sample_rate)

    @functools.cached_property
    def folder(self) -> Path:
        """Where the class folders are; what is downloaded has a folder of its own in `data`."""
        return fetch_archive(MINI_SPEECH_COMMANDS_URL, self.data, self.sha256) if self.download else self.data

    def on_data(self, data):
        """Take other recordings as they are."""
        return replace(super().on_data(data), download=False)

    def manifest(self):
        """List the recordings and decode each, after fetching them if asked to."""
        return inspect_class_folders(self.folder, self.classes, self.speaker_pattern, bar("Checking files"))

    @property
    def groups_may_overlap(self):
        """Whether file-wise splitting was asked for."""
        return self.split_by == "file"

    def split(self, manifest):
        """Split 80/20 by speaker, or by file on request."""
        if self.split_by == "file":
            return split_by_file(manifest, self.validation_fraction, self.seed)
        check_groups(manifest, self.speaker_pattern)
        return split_by_group(manifest, self.validation_fraction, self.seed)

    def augmentation(self):
        """Make what is asked for; what is masked becomes the features' mean."""
        noises = [augment.GaussianNoise(10.0, 40.0, "rms"), augment.PinkNoise(10.0, 40.0, "rms")]
        of_signals = {
            "noise": augment.OneOf(noises, probability=0.5),
            "pitch": augment.PitchShift(-2, 2, round(0.04 * self.sample_rate), probability=0.5),
            "shift": augment.TimeShift(0.1, self.sample_rate, wrap=False),
        }
        of_features = {
            "time_mask": augment.TimeMask(20, num_masks=2, fill="mean"),
            "frequency_mask": augment.FrequencyMask(5, num_masks=2, fill="mean"),
        }
        default = ("pitch", "shift") if self.model == "lstm" else ()
        asked = default if self.augment is None else self.augment
        chosen = [[each for name, each in of.items() if name in asked] for of in (of_signals, of_features)]
        return Augmentation(*(augment.Compose(layers) if layers else None for layers in chosen))

    def front_end(self):
        """Make the spectrogram or the MFCCs, scaled."""
        centred = self.scaling == "centre"
        if self.features == "mfcc":
            layers = [MFCC(39, self.sample_rate, frame_length=512, frame_step=128)]
        elif centred:
            # Bins of 43 Hz resolve single harmonics of a voice; eight together show what it says.
            eight_bins = keras.layers.AveragePooling2D((1, 8), dtype="float32")
            layers = [Spectrogram(512, 128, power=2), eight_bins, Decibel()]
        else:
            layers = [Spectrogram(512, 128)]
        # Each bin's mean over time is microphone, room and loudness. The bins keep their own deviations: to
        # give all the same one would raise those that hold nothing but noise.
        layers += [Standardize(axis=(1,), deviation=1.0)] * centred
        # The LSTM's gates saturate on decibels; the convolutions learn several times faster on them.
        layers += [Standardize()] * (centred and self.model == "lstm")
        return keras.Sequential(layers, name="front_end")

    def backbone(self, feature_shape, num_classes):
        """Make the LSTM or the small convolutional network."""
        build = lstm if self.model == "lstm" else conv2d
        return build((None, *feature_shape[1:]), num_classes)
