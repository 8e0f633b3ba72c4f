"""What people look at: figures and tables of signals, training and results."""

from tfspec.report.figures import (
    Picture,
    calibration_figure,
    classes_figure,
    confusion_matrix_figure,
    examples_figure,
    history_figure,
    score_table,
    spectrogram_figure,
    view_figure,
    waveform_figure,
)

__all__ = [
    "Picture",
    "calibration_figure",
    "classes_figure",
    "confusion_matrix_figure",
    "examples_figure",
    "history_figure",
    "score_table",
    "spectrogram_figure",
    "view_figure",
    "waveform_figure",
]
