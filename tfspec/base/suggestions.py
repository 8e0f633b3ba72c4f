"""Which name was meant: by how it is spelt, or because another library calls the same thing so."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

ELSEWHERE = {
    "sample_rate": ("sr", "fs", "sampling_rate", "samplerate"),
    "num_mel_bins": ("n_mels", "num_mels", "n_bands"),
    "num_coefficients": ("n_mfcc", "num_mfcc", "num_ceps"),
    "frame_length": ("win_length", "window_length", "window_size", "sequence_length"),
    "frame_step": ("hop_length", "hop_size", "hop", "stride", "sequence_stride"),
    "fft_length": ("n_fft", "nfft", "fft_size", "nperseg"),
    "lower_hz": ("fmin", "f_min", "low_freq", "lower_edge_hertz"),
    "upper_hz": ("fmax", "f_max", "high_freq", "upper_edge_hertz"),
    "dynamic_range_db": ("top_db", "max_db"),
    "probability": ("p", "prob"),
    "max_width": ("freq_mask_param", "time_mask_param", "factor"),
    "num_masks": ("n_masks", "n_freq_masks", "n_time_masks"),
    "learning_rate": ("lr", "lr0"),
    "epochs": ("num_epochs", "n_epochs", "max_epochs"),
    "batch_size": ("batch", "bs"),
    "patience": ("early_stopping",),
    "folds": ("cv", "n_splits", "num_folds", "n_folds", "k_folds", "cross_validation"),
    "num_folds": ("cv", "n_splits", "folds", "n_folds", "k_folds", "cross_validation"),
    "cross_validation": ("cv", "n_splits", "folds", "num_folds", "n_folds", "k_folds"),
    "validation_fraction": ("validation_split", "val_split", "test_size", "validation"),
    "seed": ("random_state", "random_seed"),
    "processes": ("workers", "n_jobs", "num_workers", "jobs"),
    "clip_norm": ("clipnorm", "grad_clip", "gradient_clip_val"),
    "num_members": ("ensemble", "n_estimators"),
    "out": ("output", "o", "output_dir", "save_dir", "project"),
    "data": ("dataset", "data_dir", "input"),
    "network": ("model", "backbone", "arch", "architecture"),
    "model": ("network", "backbone", "arch", "architecture"),
    "clip_seconds": ("duration", "seconds"),
    "hop_seconds": ("hop", "step", "overlap"),
    "threshold": ("min_conf", "confidence", "conf"),
    "top": ("k", "top_k"),
    "label_column": ("target", "y_col"),
    "path_column": ("filename_column", "x_col"),
    "groups": ("group_pattern", "speaker_pattern", "speaker"),
    "speaker_pattern": ("group_pattern", "groups", "speaker"),
}
"""What librosa, torchaudio, audiomentations, Keras, scikit-learn and others call things."""


def meant(given: str, known: Iterable[str]) -> str | None:
    """Find the name that was probably meant.

    Args:
        given: a name that is not known, in the spelling of Python.
        known: the names that are.

    Returns:
        The one that is called so elsewhere, else the one that is spelt most alike; None where none is.

    Example:
        >>> meant("n_mels", ["sample_rate", "num_mel_bins"]), meant("sampel_rate", ["sample_rate"])
        ('num_mel_bins', 'sample_rate')
    """
    known = sorted(known)
    elsewhere = (name for name in known if given.lower() in ELSEWHERE.get(name, ()))
    alike = iter(difflib.get_close_matches(given.lower(), known, n=1))
    return next(elsewhere, None) or next(alike, None)


def remedy(given: str, known: Iterable[str]) -> str:
    """Say what to give in place of a name that is not known.

    Args:
        given: the name.
        known: those that are, in the order in which they are named.

    Example:
        >>> remedy("predct", ["train", "predict"]), remedy("x", ["train", "predict"])
        ("Did you mean 'predict'?", 'Give one of train, predict.')
    """
    right = meant(given, known := list(known))
    return f"Did you mean {right!r}?" if right else f"Give one of {', '.join(known)}."
