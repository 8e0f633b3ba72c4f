"""When two computations agree, and what the tests of numbers share."""

from pathlib import Path

import hypothesis
import numpy as np
from hypothesis import strategies as st

some_examples = hypothesis.settings(max_examples=40, deadline=None)
few_examples = hypothesis.settings(some_examples, max_examples=12)  # where each takes a tenth of a second
WINDOWS = ["hann", "hamming", "blackman", "rectangular"]


def assert_same(received, expected, rtol=1e-5):
    """Equal but for `rtol` of the value, and of the largest value."""
    np.testing.assert_allclose(received, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


def assert_same_spectrum(received, expected):
    """Equal but for 1e-4 of the value, and 2e-6 of the largest."""
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=2e-6 * np.abs(expected).max())


def assert_same_power(received, expected):
    """Equal but for 1e-4 of each value that is above 1e-6 of the largest."""
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-10 * np.abs(expected).max())


def golden() -> dict[str, np.ndarray]:
    """Return PyTorch's features; tests/golden/make_golden.py lists them."""
    return dict(np.load(Path(__file__).with_name("golden") / "torch.npz"))


def short(golden) -> np.ndarray:
    """Return the (1, 3200) samples that most of the golden features are made of."""
    return golden["signal"][np.newaxis, slice(*golden["short_range"])]


def loud_quiet_and_silent(samples: int, seed: int) -> np.ndarray:
    """Return (samples,) of noise and a chirp, a third of it 60 dB quieter, a stretch of it silent."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / samples
    signal = 0.1 * rng.standard_normal(samples) + 0.5 * np.sin(0.8 * samples * time**2)
    signal[samples // 3 : 2 * samples // 3] *= 1e-3
    signal[samples // 2 : samples // 2 + samples // 10] = 0
    return signal.astype(np.float32)


@st.composite
def transforms(draw, longest=520):
    """Draw the lengths of a transform, its window and its step."""
    fft_length = draw(st.one_of(st.sampled_from([64, 128, 512]), st.integers(4, longest)))
    return {
        "fft_length": fft_length,
        "frame_length": draw(st.one_of(st.just(fft_length), st.integers(3, fft_length))),
        "frame_step": draw(st.integers(1 + fft_length // 8, 2 * fft_length)),
        "window": draw(st.sampled_from(WINDOWS)),
    }


def as_librosa(transform: dict) -> dict:
    """Return librosa's names to a transform's parameters."""
    names = {"fft_length": "n_fft", "frame_length": "win_length", "frame_step": "hop_length"}
    return {names.get(name, name): value for name, value in transform.items()}
