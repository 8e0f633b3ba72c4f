"""Exporting a run's model, proved on signals of the run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tfspec.base.files import check_place, clear_temporaries
from tfspec.base.options import Quantize
from tfspec.experiment.calibrated import calibrated_model
from tfspec.experiment.evaluate import fitted_scores
from tfspec.experiment.members import check_finished, members_of
from tfspec.experiment.predicting import read_signals, readable
from tfspec.experiment.run import Run
from tfspec.experiment.steps import Steps
from tfspec.export.exporting import export
from tfspec.export.micro.folder import write_micro
from tfspec.export.micro.micro_model import as_int16, micro_model_of
from tfspec.export.streaming import StreamingClassifier
from tfspec.export.streaming_file import FACTS_NAME, DetectorSettings, read_facts
from tfspec.export.streaming_tflite import int8_network, streaming_tflite
from tfspec.models import Classifier

CALIBRATION_SIGNALS = 1000
"""Fewer miss the activations' rare peaks: with 256 a probability was off by 0.46, with 1000 by 0.16."""


def export_run(
    steps: Steps,
    run: Run,
    quantize: Quantize = "none",
    calibrated: bool = False,
    streaming: bool = False,
) -> dict[str, Any]:
    """Write a SavedModel and a TFLite file, compared with the Keras model on the validation part.

    Args:
        steps: the pipeline of the run, which reads the signals.
        run: the run; the files go to its folder export/.
        quantize: what becomes of the TFLite file's backbone; "int8" is calibrated on the training part.
        calibrated: divide the logits by the temperature with which the validation part has the lowest
            cross-entropy, so that probabilities are worth what they say.
        streaming: also write a TFLite file that takes a stream hop by hop.

    Returns:
        As `tfspec.export.export`, also kept in export/parity.json.

    Raises:
        UserError: the run is not finished, neither its data nor kept signals can be read, or `calibrated` and
            there was no validation part.
        ParityError: a file does not give what the Keras model gives.
        ValueError: there is no such mode.
    """
    model = _model_of(steps, run, calibrated)
    shown, calibration = _signals(steps, run)
    return export(model, run.folder / "export", shown, quantize, calibration, streaming)


def export_micro(
    steps: Steps, run: Run, calibrated: bool = False, signal_ops: bool = False
) -> dict[str, Any]:
    """Write a run's model as C, and as a file for TensorFlow Lite for Microcontrollers.

    Args:
        steps: the pipeline of the run, which reads the signals.
        run: the run; the files go to its folder micro/. The detector is that of its streaming.json, where
            there is one.
        calibrated: as of `export_run`.
        signal_ops: also write model_signal.tflite, front end and network, for firmware that has TensorFlow
            Lite for Microcontrollers with its signal operators.

    Returns:
        As `tfspec.export.micro.folder.write_micro`, also kept in micro/micro.json.

    Raises:
        UserError: as `export_run`, or a layer cannot stream, or is not there on microcontrollers.
    """
    folder = run.folder / "micro"
    check_place(folder, "folder")
    streaming = StreamingClassifier(_model_of(steps, run, calibrated))
    shown, calibration = _signals(steps, run)
    network = int8_network(streaming, calibration)
    facts = run.folder / "export" / FACTS_NAME
    detector = read_facts(facts).detector if facts.exists() else DetectorSettings()
    samples = np.concatenate([signal for batch in itertools.islice(shown, 1) for signal in batch])
    whole = streaming_tflite(streaming, network) if signal_ops else None
    return write_micro(folder, micro_model_of(streaming, network, detector), as_int16(samples), whole)


def _model_of(steps: Steps, run: Run, calibrated: bool) -> Classifier:
    """Return the model of a finished run."""
    check_finished(run, members_of(steps, run.split))
    clear_temporaries(run.folder)
    return calibrated_model(run, fitted_scores(steps, run)) if calibrated else run.classifier


def _signals(steps: Steps, run: Run) -> tuple[Iterator[np.ndarray], Iterator[np.ndarray]]:
    """Return batches of signals to prove an export on, and others to calibrate it."""
    train, validation = run.part("train"), run.part("validation")
    if validation.empty:  # as in cross-validation, where every example is both
        validation = train
    some = train.sample(min(CALIBRATION_SIGNALS, len(train)), random_state=steps.seed)
    return _signals_of(steps, run, validation), _signals_of(steps, run, some)


def _signals_of(steps: Steps, run: Run, rows: pd.DataFrame) -> Iterator[np.ndarray]:
    read, there = readable(steps, run, rows)
    yield from read_signals(there, read, steps.validation_batch_size)
