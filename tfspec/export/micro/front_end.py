"""C code of a front end: from a frame's samples to its features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np

from tfspec.base.errors import UserError
from tfspec.dsp import cepstral, spectral
from tfspec.export.micro.source_text import Source, number
from tfspec.frontends import MFCC, PCEN, Decibel, Log, MelSpectrogram, Spectrogram
from tfspec.frontends.base import FrontEnd

FULL_SCALE = 2**15
"""What a sample of 16 bits is counted in. As it is a power of two, it may be part of the window."""
MOST_SAMPLES = 2**15
"""Of a transform, whose bins are counted in 16 bits."""
LARGEST_EXPONENT = 80
"""Up to which there is the exponential in single precision."""


class Frames(NamedTuple):
    """How a front end cuts a signal into frames, and what it makes of one.

    Args:
        frame_length: samples of a frame.
        frame_step: samples from one frame's start to the next one's.
        fft_length: length of the transform in samples.
        skipped: samples before a frame, where Keras puts it into the middle of a longer transform.
        seen: samples of which a frame is made, with those on both sides of it.
        bins: features of a frame.
        function: C that computes them, and begins anew, to follow its constants.
    """

    frame_length: int
    frame_step: int
    fft_length: int
    skipped: int
    seen: int
    bins: int
    function: str


class _Step(NamedTuple):
    """A call; `{x}` is where values are, and `{y}` where they go if that is another place.

    What makes of them another number of values puts these in another place.
    `{memory}` is where as many numbers as are `remembered` stay from frame to frame; they are 1 at first.
    """

    call: str
    values: int
    remembered: int = 0

    @property
    def moves(self) -> bool:
        return "{y}" in self.call


def frame_function(front_end: keras.Layer, source: Source) -> Frames:
    """Write the function that computes a frame's features.

    Args:
        front_end: a layer from signals to features, or a `keras.Sequential` of some.
        source: where its constants go.

    Returns:
        The function, and what else of the front end the library must know.

    Raises:
        UserError: it has a layer or an option that is not there on microcontrollers.

    Example:
        >>> layers = [MelSpectrogram(16000, 40, frame_length=512, frame_step=160, center=False), Log()]
        >>> frame_function(keras.Sequential(layers), Source()).bins
        40
    """
    first, *others = _layers_in(front_end)
    _check_frames(first)
    steps = list(_spectrum_steps(first, source))
    for layer in others:
        steps.append(_step(layer, steps[-1].values))
    seen = first.reach.length
    return Frames(
        first.frame_length,
        first.frame_step,
        first.fft_length,
        (seen - first.frame_length) // 2,
        seen,
        steps[-1].values,
        _function(steps),
    )


def _layers_in(front_end: keras.Layer) -> list[keras.Layer]:
    if isinstance(front_end, keras.Sequential):
        return [inner for layer in front_end.layers for inner in _layers_in(layer)]
    return [front_end]


def _check_frames(layer: FrontEnd) -> None:
    if type(layer) not in (Spectrogram, MelSpectrogram, MFCC):
        raise _missing(type(layer).__name__, "begin with Spectrogram, MelSpectrogram or MFCC")
    for option, needed in (("center", False), ("pad_end", False), ("pad", 0)):
        if getattr(layer, option) != needed:
            named = f"{type(layer).__name__}({option}={getattr(layer, option)})"
            raise _missing(named, f"a stream has no ends; train with {option}={needed}")
    if not 4 <= layer.fft_length <= MOST_SAMPLES or layer.fft_length & (layer.fft_length - 1):
        named = f"{type(layer).__name__}(fft_length={layer.fft_length})"
        raise _missing(named, f"train with a power of two from 4 to {MOST_SAMPLES}")


def _spectrum_steps(layer: FrontEnd, source: Source) -> Iterator[_Step]:
    """Say what the first layer computes."""
    samples = spectral.window(layer.window, layer.frame_length, layer.periodic)
    window = source.table("float", samples / FULL_SCALE)
    quarter = np.arange(layer.fft_length // 4 + 1)
    sines = source.table("float", np.sin(2 * np.pi * quarter / layer.fft_length))
    bins = layer.transform_bins
    yield _Step(f"tfspec_power_spectrum(samples, {window}, {sines}, scratch)", bins)
    if layer.power != 2:
        yield _Step(f"tfspec_raise({{x}}, {bins}, {number(layer.power / 2)})", bins)
    if isinstance(layer, MelSpectrogram):
        bands = [np.flatnonzero(band) for band in layer.filter_bank.T]
        firsts = source.table("uint16_t", [band[0] if len(band) else 0 for band in bands])
        counts = source.table("uint16_t", [len(band) for band in bands])
        weights = source.table("float", layer.filter_bank.T[layer.filter_bank.T > 0])
        call = f"tfspec_gather({{x}}, {{y}}, {len(bands)}, {firsts}, {counts}, {weights})"
        yield _Step(call, len(bands))
    if isinstance(layer, MFCC):
        yield _levels(layer, layer.num_mel_bins)
        sizes = (layer.num_mel_bins, layer.num_coefficients)
        matrix = cepstral.dct_matrix(*sizes, layer.dct_type, layer.dct_norm, layer.lifter)
        table = source.table("float", matrix.T)
        call = f"tfspec_multiply({{x}}, {layer.num_mel_bins}, {{y}}, {layer.num_bins}, {table})"
        yield _Step(call, layer.num_bins)


def _levels(layer: MFCC, values: int) -> _Step:
    if layer.compression == "log":
        return _level(values, offset=1e-6)
    _check_range(layer)
    return _level(values, floor=1e-10, factor=10 / np.log(10))


def _step(layer: keras.Layer, values: int) -> _Step:
    """Say what another layer computes of so many values a frame."""
    name = type(layer).__name__
    if type(layer) is Log:
        return _level(values, layer.offset, layer.floor)
    if type(layer) is Decibel:
        _check_range(layer)
        if layer.reference == "max":
            raise _missing(
                f'{name}(reference="max")', "a stream has no loudest frame; train with reference=1.0"
            )
        factor = 20 / layer.power / np.log(10)
        return _level(values, 0, layer.floor, factor, -factor * np.log(max(layer.reference, layer.floor)))
    if type(layer) is PCEN:
        return _normalised(layer, values)
    if type(layer) is keras.layers.Rescaling:
        if np.ndim(layer.scale) or np.ndim(layer.offset):
            raise _missing(f"{name} by several numbers", "train with one scale and one offset")
        return _Step(
            f"tfspec_rescale({{x}}, {values}, {number(layer.scale)}, {number(layer.offset)})", values
        )
    if type(layer) is keras.layers.AveragePooling2D:
        (frames, together) = layer.pool_size
        if frames != 1 or tuple(layer.strides) != (1, together) or layer.padding != "valid":
            raise _missing(
                f"{name}{tuple(layer.pool_size)}", "train with neighbouring bins together, without padding"
            )
        means = values // together
        return _Step(f"tfspec_mean_together({{x}}, {{y}}, {means}, {together})", means)
    raise _missing(name, "train with Log, Decibel, PCEN, Rescaling or none after the spectrum")


def _level(values: int, offset: float = 0, floor: float = 0, factor: float = 1, addend: float = 0) -> _Step:
    constants = ", ".join(map(number, (offset, floor, factor, addend)))
    return _Step(f"tfspec_level({{x}}, {values}, {constants})", values)


def _normalised(layer: PCEN, values: int) -> _Step:
    if layer.learnable:
        raise _missing("PCEN(learnable=True)", "train with fixed parameters")
    if -layer.gain * np.log(layer.floor) > LARGEST_EXPONENT:
        named = f"PCEN(gain={layer.gain}, floor={layer.floor})"
        raise _missing(named, "single precision cannot divide by so little; train with a larger floor")
    gain, bias, power, coefficient = layer.parameters.values()
    constants = (layer.scale, coefficient, layer.floor, gain, bias, power, bias**power)
    call = f"tfspec_normalise({{x}}, {{memory}}, {values}, {', '.join(map(number, constants))})"
    return _Step(call, values, remembered=values)


def _check_range(layer: MFCC | Decibel) -> None:
    if layer.dynamic_range_db is not None:
        named = f"{type(layer).__name__}(dynamic_range_db={layer.dynamic_range_db})"
        raise _missing(named, "a stream has no loudest frame; train with dynamic_range_db=None")


def _missing(what: str, remedy: str) -> UserError:
    return UserError(f"{what} is not there on microcontrollers: {remedy}")


def _function(steps: list[_Step]) -> str:
    """Let the last values that move go to the features, and those before behind what they are made of."""
    moving = [i for i, step in enumerate(steps) if step.moves]
    size, place, calls, memories = steps[0].values, "scratch", [], []
    for i, step in enumerate(steps):
        target = "features" if moving and i == moving[-1] else f"scratch + {size}"
        memory = f"remembered_{i}"
        calls.append(step.call.format(x=place, y=target, memory=memory))
        memories += [(memory, step.remembered)] if step.remembered else []
        if step.moves:
            size += step.values if target != "features" else 0
            place = target
    if not moving:
        calls.append(f"memcpy(features, scratch, {steps[-1].values} * sizeof *features)")
    return "\n".join(
        [
            *(f"static float {memory}[{count}];" for memory, count in memories),
            "void tfspec_reset_frames(void) {",
            *(f"    tfspec_fill({memory}, {count}, 1.0f);" for memory, count in memories),
            "}",
            "void tfspec_frame(const int16_t *samples, float *features) {",
            f"    static float scratch[TFSPEC_FFT_LENGTH > {size} ? TFSPEC_FFT_LENGTH : {size}];",
            *(f"    {call};" for call in calls),
            "}",
        ]
    )
