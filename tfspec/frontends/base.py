"""What all front ends share: framing, windowing, blocks, channels, shapes."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from tfspec.base import arguments
from tfspec.base.errors import UserError
from tfspec.base.float_layer import FloatLayer
from tfspec.base.reach import Reach, check_streams
from tfspec.borrowed import all_layers
from tfspec.dsp import spectral

PAD_MODES = ("constant", "reflect", "symmetric", "edge")
WINDOW_PLACES = ("start", "center")


def check_learns_nothing(front_end: keras.Layer) -> None:
    """Refuse a front end that a dataset would compute, where no gradient reaches what it has to learn.

    Args:
        front_end: layer from signals to features, or several in a row.

    Raises:
        UserError: a layer of it is `learnable`.

    Example:
        >>> check_learns_nothing(FrontEnd())
    """
    for layer in all_layers(front_end):
        if getattr(layer, "learnable", False):
            raise UserError(
                "Features are made before the model, where nothing is learnt. Received: a learnable "
                f"{type(layer).__name__} in the front end; begin the backbone with it."
            )


class FrontEnd(FloatLayer):
    """Base of the front ends: framing, windowing and the short-time power spectrum.

    A subclass says what becomes of each frame's power spectrum (`from_power`), what becomes of the whole
    (`from_frames`) and how many bins that leaves (`num_bins`). Whatever the precision policy, the arithmetic
    is float32, and the features of one example never depend on the others in its batch.

    Args:
        frame_length: window length in samples.
        frame_step: samples from one frame's start to the next one's.
        fft_length: transform length in samples; `frame_length` if None. Powers of two are fastest.
        window: name of the window, any of `scipy.signal.get_window`'s: "hann", "hamming", ("kaiser", 8.6) …
        periodic: periodic window, as spectra want it; False for a symmetric one.
        center: pad the signal by half a transform at both ends, so that frame t is centred on sample
            t · frame_step, as librosa and torch do by default; without it frames start at the first sample,
            as in tf.signal.
        pad_mode: what `center` pads with: "constant" (zeros, librosa), "reflect" (torch), "symmetric" or
            "edge" (torch's "replicate").
        pad_end: without `center`, append zeros so that the last frame starts in the signal's last step and
            signals shorter than a frame have one, as in `tf.signal.stft(…, pad_end=True)`.
        pad: zeros put on both sides before all else, as in torchaudio.
        window_place: where a window shorter than the transform lies in it: "start", zeros following
            (tf.signal), or "center", zeros on both sides (librosa, torch). It moves the frames.

    Input shape:
        (batch, samples) or (batch, samples, channels), in −1…1 for audio. Whole numbers are taken as
        they are, as a sensor's are: those of int16 sound want to be divided by 32768.

    Output shape:
        (batch, frames, bins, channels) float32.

    Raises:
        ValueError: an argument is out of its range, or a signal is shorter than one frame.
        InvalidArgumentError: the same of a signal whose length a graph does not know beforehand.
    """

    BLOCK_SAMPLES: ClassVar[int] = 2**19
    """Samples that are windowed at a time: 2 MB, so that they and their spectrum stay in the cache."""
    GPU_BLOCK_SAMPLES: ClassVar[int] = 2**26
    """The same where a GPU is seen, which wants large pieces."""
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "librosa": {"frame_length": 2048, "center": True, "window_place": "center"},
        "torchaudio": {
            "frame_length": 400,
            "center": True,
            "pad_mode": "reflect",
            "window_place": "center",
        },
        "tf": {"frame_length": 1024, "frame_step": 256, "center": False, "window_place": "start"},
    }

    def __init__(
        self,
        frame_length: int = 512,
        frame_step: int = 128,
        fft_length: int | None = None,
        window: str | tuple = "hann",
        periodic: bool = True,
        center: bool = False,
        pad_mode: str = "constant",
        pad_end: bool = False,
        pad: int = 0,
        window_place: str = "start",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.input_spec = keras.InputSpec(min_ndim=2, max_ndim=3)
        self.frame_length = arguments.integer("frame_length", frame_length)
        self.frame_step = arguments.integer("frame_step", frame_step)
        self.fft_length = arguments.integer("fft_length", frame_length if fft_length is None else fft_length)
        self.window = window
        self.periodic = periodic
        self.center = center
        self.pad_mode = arguments.one_of("pad_mode", pad_mode, PAD_MODES)
        self.pad_end = pad_end
        self.pad = arguments.integer("pad", pad, lowest=0)
        self.window_place = arguments.one_of("window_place", window_place, WINDOW_PLACES)
        if self.fft_length < frame_length:
            raise ValueError(
                "`fft_length` must be at least `frame_length`. "
                f"Received: fft_length={fft_length}, frame_length={frame_length}"
            )
        if pad_end and center:
            raise ValueError(
                "`pad_end` is for frames that start at the first sample. Received: pad_end=True, center=True"
            )
        self._window_samples = spectral.window(window, self.frame_length, periodic)
        # Zeros beside a window change no power: the frames are as long as the window, and begin where it does
        before = (self.fft_length - self.frame_length) // 2 if window_place == "center" else 0
        after = self.fft_length - self.frame_length - before if window_place == "center" else 0
        half = self.fft_length // 2 if center else 0
        self._margins = (half - before, half - after)

    @classmethod
    def preset(cls, name: str, **options) -> FrontEnd:
        """Make the layer in a library's convention and with its defaults, also those that follow from others.

        Args:
            name: "librosa", "torchaudio" or "tf" (tf.signal, with the parameters of its documentation's
                example).
            **options: arguments of the constructor that differ from the library's defaults.

        Returns:
            The layer.

        Raises:
            ValueError: the name is not known, or an argument is out of its range.

        Example:
            >>> from tfspec.frontends import MelSpectrogram
            >>> MelSpectrogram.preset("librosa", num_mel_bins=64)(np.zeros([1, 22050])).shape
            TensorShape([1, 44, 64, 1])
        """
        arguments.one_of("name", name, tuple(cls.PRESETS))
        options = {**cls.PRESETS[name], **options}
        length = options["frame_length"]
        if name == "tf":  # whose windows of odd length are symmetric
            options.setdefault("periodic", length % 2 == 0)
            options.setdefault("fft_length", 1 << (length - 1).bit_length())
        options.setdefault("frame_step", length // (2 if name == "torchaudio" else 4))
        return cls(**options)

    @property
    def num_bins(self) -> int:
        """Length of the features' frequency axis."""
        raise NotImplementedError

    @property
    def transform_bins(self) -> int:
        """Bins of the transform that are computed, from 0 Hz on."""
        return self.fft_length // 2 + 1

    def from_power(self, power: tf.Tensor) -> tf.Tensor:
        """Turn (rows, frames, transform_bins) power into (rows, frames, num_bins), frame by frame."""
        raise NotImplementedError

    def from_frames(self, features: tf.Tensor) -> tf.Tensor:
        """Turn what `from_power` returned of whole signals, (batch, frames, bins), into the features."""
        return features

    def call(self, signal):
        """Compute the features of (batch, samples[, channels]) signals."""
        signal = tf.cast(signal, tf.float32)
        shape = self.compute_output_shape(signal.shape)
        mono = self._mono_in_graph if tf.executing_eagerly() else self._mono
        if len(signal.shape) == 2:
            features = mono(signal)
        else:
            channels, samples = signal.shape[2], tf.shape(signal)[1]
            features = mono(tf.reshape(tf.transpose(signal, [0, 2, 1]), [-1, samples]))
            inner = [tf.shape(features)[1], self.num_bins, shape[3] // channels]
            features = tf.transpose(tf.reshape(features, [-1, channels, *inner]), [0, 2, 3, 1, 4])
            features = tf.reshape(features, [-1, *inner[:2], shape[3]])
        features.set_shape(shape)
        return features

    @functools.cached_property
    def _mono_in_graph(self):
        # A partial has no code by which TensorFlow would count all layers' traces together, and warn
        return tf.function(functools.partial(self._mono), reduce_retracing=True, autograph=False)

    def _mono(self, signal):
        """Compute (batch, frames, bins, views) features of (batch, samples)."""
        if signal.shape[1] is None:
            samples = tf.shape(signal)[1]
            long_enough = tf.debugging.assert_greater_equal(samples, self._shortest, self._too_short("fewer"))
            with tf.control_dependencies([long_enough]):  # or another operation may fail first
                signal = tf.identity(signal)
        block = self.GPU_BLOCK_SAMPLES if tf.config.list_physical_devices("GPU") else self.BLOCK_SAMPLES
        features = spectral.in_blocks(
            self._from_block,
            self._padded(signal),
            self.frame_length,
            self.frame_step,
            max(1, block // self.fft_length),
        )
        features = self.from_frames(features)
        return features if len(features.shape) == 4 else features[..., tf.newaxis]

    def _from_block(self, signal):
        """Compute (rows, frames, bins) of a few signals, or of a stretch of one."""
        lengths = self.frame_step, self.fft_length, self.transform_bins
        return self.from_power(spectral.power_spectrogram(signal, self._window_samples, *lengths))

    def _padded(self, signal):
        """Pad or cut (batch, samples) so that the first frame begins with the first sample."""
        before, after = self._margins
        if self.pad:
            signal = spectral.padded(signal, self.pad, self.pad, "constant")
        if self.pad_end:
            samples = tf.shape(signal)[1]
            last_frame = (samples - 1) // self.frame_step * self.frame_step - before
            missing = tf.maximum(last_frame + self.frame_length - samples, 0)
            signal = spectral.padded(signal, 0, missing, "constant")
            return spectral.padded(signal, before, 0, "constant")
        return spectral.padded(signal, before, after, self.pad_mode)

    @property
    def _shortest(self) -> int:
        """Length of the shortest signal that has a frame and can be padded."""
        if self.pad_end:
            return 1
        before, after = self._margins
        mirrored = {"reflect": max(before, after) + 1, "symmetric": max(before, after)}.get(self.pad_mode, 1)
        return max(1, max(mirrored, self.frame_length - before - after) - 2 * self.pad)

    def _too_short(self, received) -> str:
        remedy = "" if self.center or self.pad_end else ", or `pad_end=True`"
        return (
            f"{type(self).__name__} needs signals of at least {self._shortest} samples{remedy}. "
            f"Received: {received} samples"
        )

    def _num_frames(self, samples: int | None) -> int | None:
        """Count the frames of a signal, or say why it has no frame."""
        if samples is None:
            return None
        if samples < self._shortest:
            raise ValueError(self._too_short(samples))
        samples += 2 * self.pad
        if self.pad_end:
            return -(-samples // self.frame_step)
        return 1 + (samples + sum(self._margins) - self.frame_length) // self.frame_step

    @property
    def num_views(self) -> int:
        """Feature channels that one channel of the signal becomes."""
        return 1

    @property
    def reach(self) -> Reach:
        """Samples that a frame is made of, and from one frame to the next one.

        Raises:
            UserError: the signal is padded at its end, which a stream does not have.
        """
        padding = [name for name in ("center", "pad_end", "pad") if getattr(self, name)]
        remedy = "Train with center=False, pad_end=False and pad=0."
        check_streams(not padding, f"{type(self).__name__} with {', '.join(padding)}", remedy)
        return Reach(self.frame_length - sum(self._margins), self.frame_step)

    def compute_output_shape(self, input_shape):
        """Return (batch, frames, bins, channels) for (batch, samples[, channels])."""
        batch, samples, *channels = input_shape
        return (batch, self._num_frames(samples), self.num_bins, self.num_views * (channels or [1])[0])

    def frame_times(self, num_frames: int, sample_rate: float) -> np.ndarray:
        """Compute the time of the middle of each frame.

        Args:
            num_frames: how many frames.
            sample_rate: samples per second.

        Returns:
            (num_frames,) seconds from the start of the signal.
        """
        first = self.frame_length / 2 - self._margins[0] - self.pad
        return (np.arange(num_frames) * self.frame_step + first) / sample_rate

    def bin_frequencies(self, sample_rate: float) -> np.ndarray:
        """Compute the frequency of each bin of the transform.

        Args:
            sample_rate: samples per second.

        Returns:
            (transform_bins,) Hz.
        """
        return np.arange(self.transform_bins) * sample_rate / self.fft_length
