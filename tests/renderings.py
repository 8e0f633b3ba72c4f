"""Radio signals simulated once more, in NumPy from the original's description, and drawn in many ways.

It shares nothing with `tfspec.data.sources.simulate`: other random numbers, start frequencies within ±120° of
phase a sample, signals that leave the band are gone, bytes cut towards zero.
"""

import io
from collections.abc import Callable

import matplotlib
import numpy as np
import scipy.ndimage
from PIL import Image

CLASSES = ("Squiggle", "Narrowband", "Narrowbanddrd", "Noises")
SAMPLES, ROWS, COLUMNS = 196_608, 384, 512


def simulate(label: str, rng: np.random.Generator) -> np.ndarray:
    """Return a complex series."""
    noise = rng.normal(0, 13, (SAMPLES, 2))
    amplitude = 13 * rng.uniform(*{"Squiggle": (0.1, 0.5)}.get(label, (0.05, 0.4))) * (label != "Noises")
    drift = np.full(SAMPLES, rng.uniform(-0.0075, 0.0075) / 1024)
    if label == "Narrowbanddrd":
        drift += rng.choice([-1, 1]) * rng.uniform(0.01, 0.08) * 1e-6 / 1024 * np.arange(SAMPLES)
    if label == "Squiggle":
        jitter = rng.uniform(0.0001, 0.005)
        drift += np.arcsin(rng.uniform(-jitter, jitter, SAMPLES))
    frequency = np.radians(rng.uniform(-120, 120)) + np.cumsum(drift)
    phase = rng.uniform(0, 2 * np.pi) + np.cumsum(frequency)
    signal = amplitude * np.exp(1j * phase) * (np.abs(frequency) < np.pi)
    series = np.stack([signal.real, signal.imag], 1) + noise
    return np.trunc(np.clip(series, -127, 127)) @ [1, 1j]


def power(series: np.ndarray, window: np.ndarray | float = 1.0) -> np.ndarray:
    """Return (384, 512), time and frequency."""
    rows = series.reshape(ROWS, COLUMNS) * window
    return np.abs(np.fft.fftshift(np.fft.fft(rows), axes=1)) ** 2


def mean(fine: np.ndarray) -> np.ndarray:
    return fine.reshape(64, 6, 128, 4).mean((1, 3))


def min_max(picture: np.ndarray) -> np.ndarray:
    return (picture - picture.min()) / (picture.max() - picture.min())


def percentiles(picture: np.ndarray) -> np.ndarray:
    low, high = np.percentile(picture, [1, 99.5])
    return np.clip((picture - low) / (high - low), 0, 1)


def bytes_of(picture: np.ndarray) -> np.ndarray:
    return np.round(255 * picture).astype(np.uint8)


def grey(picture: np.ndarray, colours: str) -> np.ndarray:
    """Draw in false colours and keep the luminance."""
    rgb = matplotlib.colormaps[colours](picture)[..., :3]
    return rgb @ [0.299, 0.587, 0.114]


def resampled(picture: np.ndarray, method: Image.Resampling) -> np.ndarray:
    """Resize a picture in 0…1 to 64 × 128, as bytes."""
    return np.asarray(Image.fromarray(bytes_of(picture)).resize((128, 64), method)) / 255


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(bytes_of(picture)).save(file, "jpeg", quality=quality)
    return np.asarray(Image.open(file)) / 255


def axes_picture(fine: np.ndarray) -> np.ndarray:
    """Draw as matplotlib does by default, 640 × 480 with axes left out, then shrink."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.pcolormesh(np.log(fine[::2, ::2]), cmap="viridis")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    rgb = np.asarray(canvas.buffer_rgba())[..., :3]
    return np.asarray(Image.fromarray(rgb).convert("L").resize((128, 64), Image.Resampling.BOX)) / 255


# From (384, 512) power to a picture (64, 128) in 0…1
RENDERINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log power, min-max": lambda fine: min_max(np.log(mean(fine))),
    "power, min-max": lambda fine: min_max(mean(fine)),
    "magnitude, min-max, 8 bits": lambda fine: bytes_of(min_max(np.sqrt(mean(fine)))) / 255,
    "log power, percentiles": lambda fine: percentiles(np.log(mean(fine))),
    "power to the 4th root, inverted": lambda fine: 1 - min_max(mean(fine) ** 0.25),
    "viridis, grey": lambda fine: grey(min_max(np.log(mean(fine))), "viridis"),
    "hot, grey, time up": lambda fine: grey(min_max(np.sqrt(mean(fine))), "hot")[::-1],
    "jet, inverted, grey": lambda fine: 1 - grey(min_max(np.log(mean(fine))), "jet"),
    "log of each cell, then mean": lambda fine: min_max(mean(np.log(fine + 1))),
    "magnitude of each cell, 8 bits, bilinear": lambda fine: resampled(
        min_max(np.sqrt(fine)), Image.Resampling.BILINEAR
    ),
    "power of each cell, 8 bits, box": lambda fine: resampled(min_max(fine), Image.Resampling.BOX),
    "every second bin, scipy zoom order 3, 8 bits": lambda fine: (
        bytes_of(min_max(scipy.ndimage.zoom(np.log(mean(fine)[:, ::2]), (1, 2), order=3))) / 255
    ),
    "blurred, mirrored": lambda fine: min_max(scipy.ndimage.gaussian_filter(mean(fine), 0.7))[:, ::-1],
    "JPEG, quality 60": lambda fine: jpeg(min_max(np.log(mean(fine))), 60),
    "matplotlib figure of log power": axes_picture,
    "nearest cell of log power": lambda fine: min_max(np.log(fine[::6, ::4] + 1)),
}


def validation_set(
    names: tuple[str, ...], num: int, seed: int, window: np.ndarray | float = 1.0
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Simulate signals, the classes in turn, and draw each in these ways: (num, 64, 128) by name; labels."""
    rng = np.random.default_rng(seed)
    pictures = {name: np.empty((num, 64, 128), np.float32) for name in names}
    for i in range(num):
        fine = power(simulate(CLASSES[i % 4], rng), window)
        for name in names:
            pictures[name][i] = RENDERINGS[name](fine)
    return pictures, np.arange(num) % 4
