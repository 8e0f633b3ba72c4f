"""Draw signals and features for the pages of the site, and write them with their sounds beside the pages.

Everything comes from one clip that is made up here, so nothing has to be fetched and nobody's recording is
passed on: a humming voice, a bird's whistle and three clicks in a little noise.
"""

from __future__ import annotations

import functools
import hashlib
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from matplotlib.figure import Figure

from tfspec.dsp.mel import hz_to_mel, mel_to_hz
from tfspec.frontends import Decibel, MelSpectrogram

RATE = 16000
MEL = MelSpectrogram(sample_rate=RATE, num_mel_bins=64)
RANGE_DB = 80.0
HERTZ = (250, 500, 1000, 2000, 4000, 8000)


@dataclass(frozen=True)
class Panel:
    """A picture, what is written over it, and what can be heard.

    Args:
        caption: what it shows.
        axes: what runs across and up, for who cannot see it.
        png: the picture.
        mp3: the sound, empty for none.
    """

    caption: str
    axes: str
    png: bytes
    mp3: bytes = b""


@functools.cache
def make_clip() -> np.ndarray:
    """Make up two seconds of sound, (32000,) float32 with a peak of 0.5."""
    rng = np.random.default_rng(0)
    seconds = np.arange(2 * RATE) / RATE
    pitch = 2 * np.pi * np.cumsum(120 + 40 * np.sin(9 * seconds)) / RATE
    voice = sum(np.sin(k * pitch) / k for k in range(1, 25))
    glide = 2 * np.pi * np.cumsum(2500 + 2500 * (seconds - 1)) / RATE
    clip = 0.2 * voice * np.sin(np.pi * np.clip((seconds - 0.1) / 0.7, 0, 1))
    clip += 0.3 * np.sin(glide) * np.sin(np.pi * np.clip((seconds - 0.9) / 0.5, 0, 1))
    clip[[int(t * RATE) for t in (1.6, 1.7, 1.8)]] = 0.6
    clip += rng.normal(0, 1e-3, len(clip))
    return (0.5 * clip / np.abs(clip).max()).astype("float32")


def show_features(
    caption: str,
    values: np.ndarray,
    times: np.ndarray,
    bins: Sequence[float] | np.ndarray,
    unit: str = "level in dB",
    ylabel: str = "frequency in Hz",
    is_mel: bool = False,
    sound: np.ndarray | None = None,
    **colours,
) -> Panel:
    """Draw (frames, bins) against time, with a scale of colours.

    Args:
        caption: what is shown.
        values: (frames, bins).
        times: (frames,) seconds.
        bins: (bins,) what stands on the vertical axis.
        unit: of the values.
        ylabel: of the vertical axis.
        is_mel: the bins are in hertz and are spaced as the mel scale spaces them.
        sound: (samples,) to be heard.
        **colours: such as `vmin`, `vmax` and `cmap`.
    """
    figure = _figure()
    axes = figure.add_subplot()
    mesh = axes.pcolormesh(times, bins, values.T, shading="nearest", rasterized=True, **colours)
    if is_mel:
        scales = tuple(functools.partial(each, scale="htk") for each in (hz_to_mel, mel_to_hz))
        axes.set_yscale("function", functions=scales)
        axes.set_yticks([hertz for hertz in HERTZ if bins[0] <= hertz <= bins[-1]])
    axes.set(xlabel="time in s", ylabel=ylabel)
    figure.colorbar(mesh, label=unit)
    return _panel(caption, figure, sound)


def show_lines(
    caption: str, values: np.ndarray, times: np.ndarray, ylabel: str, names: Sequence[str] = ("",), **limits
) -> Panel:
    """Draw (samples, lines) against time.

    Args:
        caption: what is shown.
        values: (samples, lines).
        times: (samples,) seconds.
        ylabel: of the values, with their unit.
        names: of the lines.
        **limits: such as `ylim`.
    """
    figure = _figure()
    axes = figure.add_subplot()
    for line, name, style in zip(values.T, names, ("-", "--", ":", "-."), strict=False):
        axes.plot(times, line, style, label=name)
    if any(names):
        axes.legend(loc="upper right")
    axes.set(xlabel="time in s", ylabel=ylabel, **limits)
    axes.margins(x=0)
    return _panel(caption, figure)


def show_waveform(
    caption: str, signal: np.ndarray, first: float = 0.0, last: float | None = None, is_heard: bool = True
) -> Panel:
    """Draw a signal in −1…1 from one second to another.

    Args:
        caption: what is shown.
        signal: (samples,) at `RATE`.
        first: seconds at the left.
        last: seconds at the right, None for the end.
        is_heard: it gets a player.
    """
    figure = _figure()
    axes = figure.add_subplot()
    axes.plot(np.arange(len(signal)) / RATE, signal, linewidth=0.5 if last is None else 1)
    axes.set(
        xlabel="time in s", ylabel="amplitude", xlim=(first, last or len(signal) / RATE), ylim=(-0.8, 0.8)
    )
    return _panel(caption, figure, signal if is_heard else None)


def mel_levels(signal: np.ndarray) -> np.ndarray:
    """Compute (frames, bins) levels in decibels of a signal's mel bands."""
    return Decibel(dynamic_range_db=None)(MEL(signal[np.newaxis]))[0, ..., 0].numpy()


@functools.cache
def loudest() -> float:
    """Return the clip's highest level in decibels, from which all pictures of levels are coloured."""
    return float(mel_levels(make_clip()).max())


def show_levels(caption: str, levels: np.ndarray, sound: np.ndarray | None = None) -> Panel:
    """Draw (frames, bins) levels of mel bands, in the same colours in all pictures.

    Args:
        caption: what is shown.
        levels: as `mel_levels` gives them.
        sound: (samples,) to be heard.
    """
    return show_features(
        caption,
        levels,
        MEL.frame_times(len(levels), RATE),
        MEL.band_frequencies,
        is_mel=True,
        sound=sound,
        vmin=loudest() - RANGE_DB,
        vmax=loudest(),
    )


def show_sound(caption: str, signal: np.ndarray) -> Panel:
    """Draw the mel bands of a signal that can be heard.

    Args:
        caption: what is shown.
        signal: (samples,) at `RATE`.
    """
    return show_levels(caption, mel_levels(signal), signal)


def write(panels: Sequence[Panel], folder: Path) -> str:
    """Write pictures and sounds into a folder beside the pages.

    Args:
        panels: side by side.
        folder: is made; files are named by what is in them, so that the same picture is there once.

    Returns:
        HTML in one block, without an empty line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return f'<div class="pictures">\n{"".join(_written(panel, folder) for panel in panels)}</div>\n'


def _written(panel: Panel, folder: Path) -> str:
    alt = html.escape(f"{panel.caption}: {panel.axes}")
    lines = [f"<figcaption>{html.escape(panel.caption)}</figcaption>"]
    lines.append(f'<img src="{_file(panel.png, ".png", folder)}" alt="{alt}" loading="lazy">')
    if panel.mp3:
        source, label = _file(panel.mp3, ".mp3", folder), html.escape(panel.caption)
        lines.append(f'<audio controls preload="none" src="{source}" aria-label="{label}"></audio>')
    return "<figure>\n" + "\n".join(lines) + "\n</figure>\n"


def _file(content: bytes, suffix: str, folder: Path) -> str:
    file = folder / f"{hashlib.sha256(content).hexdigest()[:16]}{suffix}"
    file.write_bytes(content)
    return f"{folder.name}/{file.name}"


def _figure() -> Figure:
    return Figure(figsize=(4.4, 2.7), layout="constrained", dpi=150)


def _panel(caption: str, figure: Figure, sound: np.ndarray | None = None) -> Panel:
    axes, *scale = figure.axes
    said = f"across is {axes.get_xlabel()}, up is {axes.get_ylabel()}"
    said += "".join(f", colour is {each.get_ylabel()}" for each in scale)
    picture, heard = io.BytesIO(), io.BytesIO()
    figure.savefig(picture, format="png")
    if sound is not None:
        soundfile.write(heard, np.clip(sound, -1, 1), RATE, format="MP3")
    return Panel(caption, said, picture.getvalue(), heard.getvalue())


Pictures = dict[str, Callable[[], list[Panel]]]
"""What can stand in a page, by its name."""
