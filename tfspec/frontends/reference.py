"""The published features on librosa and scikit-image, for work with NumPy.

They are called with one signal, as the transforms of `tfspec.augment.reference` are, so that a
`SignalSequence` can make its batches of features without TensorFlow. The tests hold the layers to them.
"""

from __future__ import annotations

import numpy as np


def stft(
    samples: np.ndarray, sample_rate: float, frame_length: int = 512, frame_step: int = 128
) -> np.ndarray:
    """Compute the magnitudes of `speech_commands --preset published`, by `librosa.stft`.

    Args:
        samples: (samples,), at least a frame.
        sample_rate: samples per second, by which nothing changes.
        frame_length: samples a frame, and of each transform.
        frame_step: samples from frame to frame.

    Returns:
        (frames, 1 + frame_length / 2, 1) float32.

    Example:
        >>> stft(np.ones(17640), 22050).shape
        (134, 257, 1)
    """
    import librosa

    spectrum = librosa.stft(samples, n_fft=frame_length, hop_length=frame_step, center=False)
    return _as_features(np.abs(spectrum))


def mfcc(
    samples: np.ndarray,
    sample_rate: float,
    num_coefficients: int = 39,
    frame_length: int = 512,
    frame_step: int = 128,
) -> np.ndarray:
    """Compute the cepstra of `speech_commands --preset published --features mfcc`, by `librosa.feature.mfcc`.

    Args:
        samples: (samples,).
        sample_rate: samples per second.
        num_coefficients: of each frame.
        frame_length: samples a frame, and of each transform.
        frame_step: samples from frame to frame.

    Returns:
        (frames, num_coefficients, 1) float32.

    Example:
        >>> mfcc(np.ones(17640), 22050).shape
        (138, 39, 1)
    """
    import librosa

    return _as_features(
        librosa.feature.mfcc(
            y=samples, sr=sample_rate, n_mfcc=num_coefficients, n_fft=frame_length, hop_length=frame_step
        )
    )


def mel_picture(samples: np.ndarray, sample_rate: float) -> np.ndarray:
    """Compute the picture of `rainforest --preset published`, by librosa and `skimage.transform.resize`.

    As there, mel powers are taken for amplitudes, so its 80 decibels are 40 of power. Silence gives zeros.

    Args:
        samples: (samples,).
        sample_rate: samples per second, at least 30,112.

    Returns:
        (563, 128, 1) float32 in 0…1: time before mel bands.

    Example:
        >>> mel_picture(np.ones(48000), 48000).shape
        (563, 128, 1)
    """
    import librosa
    from skimage.transform import resize

    mel = librosa.feature.melspectrogram(
        y=samples, sr=sample_rate, n_fft=2048, hop_length=512, n_mels=128, fmin=84, fmax=15056
    )
    levels = librosa.amplitude_to_db(mel)
    span = np.ptp(levels)
    return _as_features(resize((levels - levels.min()) / (span if span > 0 else 1), (128, 563)))


def _as_features(rows: np.ndarray) -> np.ndarray:
    """Turn librosa's (bins, frames) into (frames, bins, 1)."""
    return rows.T[..., np.newaxis].astype(np.float32)
