"""The lesson before the features: a clip as waveform, spectrogram and mel spectrogram, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tfspec.frontends import Decibel, FrontEnd, MelSpectrogram, Spectrogram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRAMES = {"frame_length": 400, "frame_step": 160, "fft_length": 512}
NUM_MEL_BINS, DYNAMIC_RANGE_DB = 80, 80.0


def clip_figure(samples: np.ndarray, sample_rate: int) -> Figure:
    """Draw a clip three times: what is recorded, what it holds at each frequency, and what in each mel band.

    Both spectrograms are of power, in decibels, in torchaudio's convention: frames of 400 samples every 160,
    transforms of 512. The mel bands are 80, raised to 80 dB below the loudest.

    Args:
        samples: (samples,), at least 257.
        sample_rate: samples per second.

    Returns:
        The figure; its axes are in seconds and hertz.

    Example:
        >>> [axes.get_title() for axes in clip_figure(np.ones(16000), 16000).axes[:3]]
        ['waveform', 'spectrogram', 'mel spectrogram']
    """
    import librosa.display
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3), layout="constrained", dpi=100)
    panels = dict(zip(("waveform", "spectrogram", "mel spectrogram"), figure.subplots(1, 3), strict=True))
    librosa.display.waveshow(np.asarray(samples), sr=sample_rate, axis="s", ax=panels["waveform"])
    for name, image, scale in (
        ("spectrogram", _decibels(Spectrogram.preset("torchaudio", power=2, **FRAMES), samples), "linear"),
        ("mel spectrogram", _decibels(_mel(sample_rate), samples, DYNAMIC_RANGE_DB), "mel"),
    ):
        drawn = librosa.display.specshow(
            image.T,
            sr=sample_rate,
            hop_length=FRAMES["frame_step"],
            n_fft=FRAMES["fft_length"],
            htk=True,
            x_axis="s",
            y_axis=scale,
            ax=panels[name],
        )
        figure.colorbar(drawn, label="dB")
    for name, axes in panels.items():
        unit = "amplitude" if name == "waveform" else "frequency in Hz"
        axes.set(title=name, xlabel="time in s", ylabel=unit)
    return figure


def _mel(sample_rate: int) -> MelSpectrogram:
    return MelSpectrogram.preset("torchaudio", sample_rate=sample_rate, num_mel_bins=NUM_MEL_BINS, **FRAMES)


def _decibels(layer: FrontEnd, samples: np.ndarray, dynamic_range_db: float | None = None) -> np.ndarray:
    """Compute (frames, bins) decibels of a clip."""
    signal = np.asarray(samples, np.float32)[np.newaxis]
    return Decibel(dynamic_range_db=dynamic_range_db)(layer(signal)).numpy()[0, ..., 0]
