"""Keywords: a folder of short recordings per word (reference: the TensorFlow tutorial's eight words)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

import keras

from tfspec import models
from tfspec.augment.voices import VOICE_CHANGES, VoiceChange, voice_augmentation
from tfspec.base.errors import UserError
from tfspec.base.options import AnyCount, Count, Dropout, Hertz, Range, Rate, Ratio, Seconds
from tfspec.data.download import MINI_SPEECH_COMMANDS_URL
from tfspec.frontends import MinMax
from tfspec.models.bc_resnet import check_bins
from tfspec.models.ds_tc_resnet import HALF_RATE
from tfspec.pipelines.downloads import Downloads
from tfspec.pipelines.pretrained import Pretrained
from tfspec.pipelines.regularised import Regularised
from tfspec.pipelines.streamed_words import STREAMING, SURROUNDINGS, StreamedWords
from tfspec.pipelines.taught import Taught
from tfspec.pipelines.word_features import WordFeatures

Small = Literal["lstm", "conv2d", "ds_cnn", "tc_resnet", "ds_tc_resnet", "matchboxnet", "bc_resnet"]
"""Networks of `tfspec.models` that begin with random weights."""
SMALL = get_args(Small)

RECURRENT: dict[str, Any] = {
    "sample_rate": 22050,
    "clip_seconds": 0.8,
    "features": "mfcc",
    "frame_length": 512,
    "frame_step": 128,
    "num_mel_bins": 128,
    "scaling": "centre",
    "model": "lstm",
    "epochs": 30,
    "keep": "best",
    "patience": 30,
    "learning_rate": 2e-3,
    "warm_up": 0.0,
    "label_smoothing": 0.0,
    "weight_decay": 0.0,
}
"""What was the default once, and stands for what the runs of then do not say."""


@dataclass(kw_only=True)
class SpeechCommands(Pretrained, Downloads, Regularised, WordFeatures, Taught, StreamedWords):
    """Classify short recordings, such as spoken words, from a folder of class folders.

    Example:
        >>> SpeechCommands(data="mini_speech_commands").front_end().compute_output_shape((1, 16000))
        (1, 97, 40, 1)
        >>> SpeechCommands.preset("published", model="conv2d").front_end().compute_output_shape((1, 17640))
        (1, 134, 257, 1)
    """

    name: ClassVar[str] = "speech_commands"
    archive_url: ClassVar[str] = MINI_SPEECH_COMMANDS_URL
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "recurrent": RECURRENT,
        "published": {
            **RECURRENT,
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
        },
    }
    earlier: ClassVar[Mapping[str, Any]] = RECURRENT

    epochs: Count = 100
    keep: Literal["best", "last"] = "last"
    patience: AnyCount | None = None
    learning_rate: Rate = 4e-3
    learning_rate_end: Ratio = 0.01
    clip_norm: Annotated[float, Range(0, 10**12, without_low=True)] | None = 1.0
    weight_decay: Dropout = 0.02
    sample_rate: Hertz = 16000
    clip_seconds: Seconds | None = 1.0

    model: Literal[Small, "mobilenet_v2", "efficientnet_b0", "resnet50"] = "ds_tc_resnet"
    """Backbone; the last three begin with `weights`, and see most in log_mel."""
    small: bool = False
    """Take a ds_tc_resnet of a third of the weights, without padding, for microcontrollers and streams. A
    `teacher` makes it nearly as good as the large one."""
    hidden_activation: Literal["relu", "linear"] = "relu"
    """Of the conv2d's last layer but one."""
    augment: tuple[VoiceChange, ...] | None = None
    """What changes the training examples at random: pitch, shift, noise and gain; of features, which must
    not be mfcc, the vocal tract, and masks. If not given, all but the pitch, or for mfcc all but the vocal
    tract; where the scaling is not fixed, pitch and shift for the lstm, nothing for others."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if self.num_bins < (least := self.smallest):
            raise UserError(
                f"The model {self.model} needs features of at least {least} bins. Received: {self.num_bins}"
            )
        if self.features == "mfcc" and "vocal_tract" in (self.augment or ()):
            raise UserError("Of cepstra no vocal tract can be changed: leave out vocal_tract, or give pitch.")
        if self.small and self.model != "ds_tc_resnet":
            raise UserError(f"Only ds_tc_resnet has a small form. Received: {self.model}")
        if self.model == "bc_resnet":
            check_bins(self.num_bins)
        if self.streaming and (self.model not in SMALL or self.scaling != "fixed"):
            raise UserError(
                f"A stream wants one of the models {', '.join(SMALL)} and scaling fixed. "
                f"Received: {self.model}, {self.scaling}"
            )

    @property
    def smallest(self) -> int:
        """Return how many frames and bins the model takes at least."""
        return {"conv2d": 18}.get(self.model, 1) if self.model in SMALL else 32

    def check_length(self):
        """Check that a clip has the frames that the model needs."""
        super().check_length()
        shortest = self.samples_of(self.smallest)
        if self.clip_seconds is not None and self.num_samples < shortest:
            raise UserError(
                f"The model {self.model} needs a clip of at least {shortest} samples, "
                f"{shortest / self.sample_rate:.3f} s. Received: {self.clip_seconds} s"
            )

    def augmentation(self):
        """Change voices as asked for."""
        changes = self._usual_changes if self.augment is None else self.augment
        surroundings = SURROUNDINGS if self.streaming else {}
        return voice_augmentation(changes, self.sample_rate, self.background, **surroundings)

    @property
    def _usual_changes(self) -> tuple[VoiceChange, ...]:
        if self.scaling == "fixed":
            other = "vocal_tract" if self.features == "mfcc" else "pitch"
            return tuple(change for change in VOICE_CHANGES if change != other)
        return ("pitch", "shift") if self.model == "lstm" else ()

    def front_end(self):
        """Make the features, scaled as the model likes them."""
        scales = self.scales(self.model == "lstm") if self.model in SMALL else [MinMax()]
        return keras.Sequential([*self.unscaled(self.sample_rate), *scales], name="front_end")

    def backbone(self, feature_shape, num_classes):
        """Make a small network, or one that knows ImageNet; time is free."""
        shape = (None, *feature_shape[1:])
        if self.model not in SMALL:
            return models.transfer(self.model, shape, num_classes, self.first_weights)
        options: dict[str, dict[str, Any]] = {
            "conv2d": {"hidden_activation": self.hidden_activation},
            "ds_tc_resnet": {"blocks": HALF_RATE, "dropout": 0.1},
        }
        streamable = STREAMING.get(self.model, {}) if self.streaming or self.small else {}
        chosen = options.get(self.model, {}) | streamable
        return getattr(models, self.model)(shape, num_classes, **chosen)

    def training(self, examples, class_names):
        """Learn; a network with weights trains its head first, then everything at a tenth of the rate."""
        training = self.regularised(super().training(examples, class_names), self.clip_norm, self.labels)
        if self.model in SMALL or self.first_weights is None:
            return training
        return self.head_first(training, self.learning_rate / 10)
