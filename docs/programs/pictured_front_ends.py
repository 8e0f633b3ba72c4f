"""What each front end shows of one clip: pictures for docs/front_ends.md."""

from __future__ import annotations

import numpy as np
from pictures import (
    MEL,
    RANGE_DB,
    RATE,
    Panel,
    Pictures,
    make_clip,
    show_features,
    show_lines,
    show_waveform,
)

from tfspec.frontends import (
    MFCC,
    PCEN,
    Decibel,
    Deltas,
    Equalize,
    FrameMean,
    FrequencyRamp,
    MelSpectrogram,
    MinMax,
    MultiResolutionMel,
    Resize,
    Spectrogram,
    Standardize,
    VectorNorm,
)

SIGNED = "PuOr_r"
"""A scale of colours for numbers of both signs, which the colour-blind can tell apart."""


def show_clip() -> list[Panel]:
    """Show the clip as a waveform, and with windows of two lengths."""
    panels = [show_waveform("the clip", make_clip())]
    for length in (256, 2048):
        layer = Spectrogram(frame_length=length, frame_step=64, power=2)
        levels = Decibel(reference="max")(layer(make_clip()[np.newaxis]))[0, ..., 0].numpy()
        times, hertz = layer.frame_times(len(levels), RATE), layer.bin_frequencies(RATE)
        caption = f"Spectrogram: windows of {1000 * length // RATE} ms"
        panels.append(show_features(caption, levels, times, hertz, "level in dB, peak = 0"))
    return panels


def _relative(caption: str, layer: MelSpectrogram | MultiResolutionMel, levels: np.ndarray) -> Panel:
    times = layer.frame_times(len(levels), RATE)
    return show_features(
        caption,
        levels,
        times,
        layer.band_frequencies,
        "level in dB, peak = 0",
        is_mel=True,
        vmin=-RANGE_DB,
        vmax=0,
    )


def show_mel() -> list[Panel]:
    """Show the mel spectrogram of three libraries."""
    captions = {
        "librosa": "librosa: windows of 128 ms, 128 bands of equal area",
        "torchaudio": "torchaudio: 25 ms, 128 bands of equal height, some of the lowest empty",
        "tf": "tf: 64 ms, 80 bands of equal height from 80 to 7600 Hz",
    }
    panels = []
    for name, caption in captions.items():
        layer = MelSpectrogram.preset(name, sample_rate=RATE)
        features = layer(make_clip()[np.newaxis])
        levels = Decibel(reference="max", power=layer.power)(features)[0, ..., 0].numpy()
        panels.append(_relative(caption, layer, levels))
    return panels


def show_resolutions() -> list[Panel]:
    """Show the channels of several window lengths."""
    layer = MultiResolutionMel(sample_rate=RATE)
    levels = Decibel(reference="max")(layer(make_clip()[np.newaxis]))[0].numpy()
    return [
        _relative(
            f"MultiResolutionMel: channel {place}, {1000 * length / RATE:.3g} ms", layer, levels[..., place]
        )
        for place, length in enumerate(layer.window_lengths)
    ]


def show_cepstra() -> list[Panel]:
    """Show coefficients and how they change."""
    layer = MFCC(num_coefficients=13, sample_rate=RATE, num_mel_bins=64)
    features = Deltas(orders=1)(layer(make_clip()[np.newaxis]))[0, ..., 0].numpy()
    times = layer.frame_times(len(features), RATE)
    captions = {"MFCC: coefficients 1 to 12": "value in dB", "Deltas: their change": "dB per frame"}
    panels = []
    for (caption, unit), values in zip(captions.items(), np.split(features, 2, axis=1), strict=True):
        most = np.quantile(np.abs(values[:, 1:]), 0.95)
        colours = {"cmap": SIGNED, "vmin": -most, "vmax": most}
        panels.append(
            show_features(caption, values[:, 1:], times, range(1, 13), unit, "coefficient", **colours)
        )
    return panels


def show_pcen() -> list[Panel]:
    """Show the clip from far to near over a hum, in decibels and after PCEN."""
    clip = make_clip()
    nearer = np.concatenate([clip * 10 ** (level / 20) for level in (-20, -10, 0)])
    hum = 0.03 * np.sin(2 * np.pi * 400 * np.arange(len(nearer)) / RATE)
    layer = MelSpectrogram(sample_rate=RATE, num_mel_bins=64, center=False)
    sound = (nearer + hum).astype("float32")
    energy = layer(sound[np.newaxis])
    times, hertz = layer.frame_times(energy.shape[1], RATE), layer.band_frequencies
    normalised = PCEN(RATE, layer.frame_step, scale=2**31)(energy)[0, ..., 0].numpy()
    levels = Decibel()(energy)[0, ..., 0].numpy()
    return [
        show_features("Decibel", levels, times, hertz, is_mel=True, sound=sound),
        show_features(
            "PCEN", normalised, times, hertz, "no unit", is_mel=True, vmax=np.quantile(normalised, 0.995)
        ),
    ]


def show_scalings() -> list[Panel]:
    """Show features that were scaled for a network."""
    levels = Decibel()(MEL(make_clip()[np.newaxis]))
    times, hertz = MEL.frame_times(levels.shape[1], RATE), MEL.band_frequencies
    scaled = {
        "Standardize(axis=(1,)): each band by itself": (Standardize(axis=(1,))(levels), "deviations"),
        "Equalize: the order of the values": (Equalize()(levels), "deviations"),
        "Standardize, then FrequencyRamp(-2, 2)": (
            FrequencyRamp(-2.0, 2.0)(Standardize()(levels)),
            "no unit",
        ),
    }
    panels = [
        show_features(caption, values[0, ..., 0].numpy(), times, hertz, unit, is_mel=True)
        for caption, (values, unit) in scaled.items()
    ]
    image = MinMax()(Resize(32, 32)(levels))[0, ..., 0].numpy()
    width = 2 / 32
    middles = width * (np.arange(32) + 0.5)
    panels.append(
        show_features(
            "Resize(32, 32), then MinMax", image, middles, np.arange(32), "no unit", "bin of the picture"
        )
    )
    return panels


def show_sensor() -> list[Panel]:
    """Show an accelerometer on a wrist that turns over, and what two layers say of it."""
    rate = 50
    times = np.arange(4 * rate) / rate
    angle = np.pi / 2 * np.clip(times - 1.5, 0, 1)
    swing = 0.3 * np.sin(2 * np.pi * 2 * times) * (times > 2.5)
    size = 1 + swing
    signal = np.stack([size * np.sin(angle), 0 * size, size * np.cos(angle)], axis=1).astype("float32")
    norm = VectorNorm()(signal[np.newaxis])[0].numpy()
    layer = FrameMean(frame_length=rate, frame_step=10)
    mean = layer(signal[np.newaxis])[0, :, 0].numpy()
    names, limits = ("x", "y", "z"), {"ylim": (-0.5, 1.6), "xlim": (0, 4)}
    ylabel = "acceleration in g"
    return [
        show_lines("an acceleration", signal, times, ylabel, names, **limits),
        show_lines("VectorNorm", norm, times, ylabel, **limits),
        show_lines("FrameMean", mean, layer.frame_times(len(mean), rate), ylabel, names, **limits),
    ]


PICTURES: Pictures = {
    "clip": show_clip,
    "mel": show_mel,
    "resolutions": show_resolutions,
    "cepstra": show_cepstra,
    "pcen": show_pcen,
    "scalings": show_scalings,
    "sensor": show_sensor,
}
