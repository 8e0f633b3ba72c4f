"""Keywords: a folder of short recordings per word (reference: the TensorFlow tutorial's eight words)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

import keras

from tfspec import models
from tfspec.augment.voices import VoiceChange, voice_augmentation
from tfspec.base.errors import UserError
from tfspec.base.options import AnyCount, Count, Range, Rate, Ratio, Seconds
from tfspec.data.download import MINI_SPEECH_COMMANDS_URL
from tfspec.frontends import MFCC, Decibel, MelSpectrogram, MinMax, Spectrogram, Standardize
from tfspec.models.bc_resnet import check_bins
from tfspec.pipelines.class_folders import ClassFolders
from tfspec.pipelines.downloads import Downloads
from tfspec.pipelines.pretrained import Pretrained

Small = Literal["lstm", "conv2d", "ds_cnn", "tc_resnet", "ds_tc_resnet", "matchboxnet", "bc_resnet"]
"""Networks of `tfspec.models` that begin with random weights."""
SMALL = get_args(Small)
HEAD_EPOCHS = 5
"""Epochs in which only the head of a network with weights trains."""
Length = Annotated[int, Range(1, 65_536)]


@dataclass(kw_only=True)
class SpeechCommands(Pretrained, Downloads, ClassFolders):
    """Classify short recordings, such as spoken words, from a folder of class folders.

    Example:
        >>> SpeechCommands(data="mini_speech_commands", features="mfcc", model="conv2d").num_samples
        17640
        >>> SpeechCommands.preset("published", model="conv2d").front_end().compute_output_shape((1, 17640))
        (1, 134, 257, 1)
    """

    name: ClassVar[str] = "speech_commands"
    archive_url: ClassVar[str] = MINI_SPEECH_COMMANDS_URL
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "features": "stft",
            "scaling": "none",
            "hidden_activation": "linear",
            "augment": (),
            "split_by": "file",
            "epochs": 20,
            "patience": 2,
            "keep": "last",
            "learning_rate": 1e-3,
            "learning_rate_end": 1.0,
            "clip_norm": None,
        }
    }

    epochs: Count = 30
    patience: AnyCount | None = 30  # the best epochs are the cosine's last; the published 2 stops long before
    learning_rate: Rate = 2e-3
    learning_rate_end: Ratio = 0.01
    clip_norm: Annotated[float, Range(0, 10**12, without_low=True)] | None = 1.0
    clip_seconds: Seconds | None = 0.8

    features: Literal["stft", "mfcc", "log_mel"] = "mfcc"
    """Front end: magnitude spectrogram, mel-frequency cepstral coefficients, or mel bands in decibels."""
    frame_length: Length = 512
    """Samples of a frame."""
    frame_step: Length = 128
    """Samples from one frame's start to the next one's."""
    num_coefficients: Length = 39
    """Cepstral coefficients of mfcc."""
    num_mel_bins: Length = 128
    """Bands of log_mel, and those that mfcc is made of."""
    scaling: Literal["centre", "none"] = "centre"
    """Decibels of every eight bins together (of stft), each bin's mean over the clip subtracted, for the lstm
    unit variance of the clip; none is the published recipe. Networks of keras.applications get 0 to 1."""
    model: Literal[Small, "mobilenet_v2", "efficientnet_b0", "resnet50"] = "lstm"
    """Backbone; the last three begin with `weights`, and see most in log_mel."""
    hidden_activation: Literal["relu", "linear"] = "relu"
    """Of the conv2d's last layer but one."""
    augment: tuple[VoiceChange, ...] | None = None
    """What changes the training examples at random: signals by noise, pitch, shift, features by masks. If not
    given, what did best on validation speakers: pitch and shift for the lstm, nothing for the others."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        bins = {
            "stft": (self.frame_length // 2 + 1) // (8 if self.scaling == "centre" else 1),
            "mfcc": self.num_coefficients,
            "log_mel": self.num_mel_bins,
        }[self.features]
        if bins < self.smallest:
            raise UserError(
                f"The model {self.model} needs features of at least {self.smallest} bins. Received: {bins}"
            )
        if self.model == "bc_resnet":
            check_bins(bins)

    @property
    def smallest(self) -> int:
        """Return how many frames and bins the model takes at least."""
        return {"conv2d": 18}.get(self.model, 1) if self.model in SMALL else 32

    def check_length(self):
        """Check that a clip has the frames that the model needs; those of stft begin and end in the clip."""
        super().check_length()
        others = (self.smallest - 1) * self.frame_step
        shortest = others + self.frame_length if self.features == "stft" else max(1, others)
        if self.clip_seconds is not None and self.num_samples < shortest:
            raise UserError(
                f"The model {self.model} needs a clip of at least {shortest} samples, "
                f"{shortest / self.sample_rate:.3f} s. Received: {self.clip_seconds} s"
            )

    def augmentation(self):
        """Change voices as asked for."""
        default: tuple[VoiceChange, ...] = ("pitch", "shift") if self.model == "lstm" else ()
        return voice_augmentation(default if self.augment is None else self.augment, self.sample_rate)

    def front_end(self):
        """Make the features, scaled as the model likes them."""
        layers = self._unscaled()
        if self.model not in SMALL:
            layers.append(MinMax())
        elif self.scaling == "centre":
            # Each bin's mean over time is microphone, room and loudness. The bins keep their own deviations:
            # to give all the same one would raise those that hold nothing but noise.
            layers.append(Standardize(axis=(1,), deviation=1.0))
            # The LSTM's gates saturate on decibels; the convolutions learn several times faster on them.
            layers += [Standardize()] * (self.model == "lstm")
        return keras.Sequential(layers, name="front_end")

    def _unscaled(self) -> list[keras.Layer]:
        frames: dict[str, Any] = {"frame_length": self.frame_length, "frame_step": self.frame_step}
        if self.features == "mfcc":
            return [MFCC(self.num_coefficients, self.sample_rate, self.num_mel_bins, **frames)]
        if self.features == "log_mel":
            return [MelSpectrogram(self.sample_rate, self.num_mel_bins, **frames), Decibel()]
        if self.scaling == "none":
            return [Spectrogram(**frames)]
        # Bins of 43 Hz resolve single harmonics of a voice; eight together show what it says.
        eight_bins = keras.layers.AveragePooling2D((1, 8), dtype="float32")
        return [Spectrogram(power=2, **frames), eight_bins, Decibel()]

    def backbone(self, feature_shape, num_classes):
        """Make a small network, or one that knows ImageNet; time is free."""
        shape = (None, *feature_shape[1:])
        if self.model not in SMALL:
            return models.transfer(self.model, shape, num_classes, self.first_weights)
        options = {"hidden_activation": self.hidden_activation} if self.model == "conv2d" else {}
        return getattr(models, self.model)(shape, num_classes, **options)

    def training(self, examples, class_names):
        """Learn; a network with weights trains its head first, then everything at a tenth of the rate."""
        training = super().training(examples, class_names)
        if self.model in SMALL:
            return training
        return self.head_first(training, HEAD_EPOCHS, self.learning_rate / 10)
