"""Exporting a run's model, proved on signals of the run."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfspec.base.errors import UserError
from tfspec.base.files import clear_temporaries
from tfspec.base.options import Quantize
from tfspec.experiment.evaluate import fitted_scores
from tfspec.experiment.members import check_finished, members_of
from tfspec.experiment.predicting import read_signals, readable
from tfspec.experiment.run import Run
from tfspec.experiment.steps import Steps
from tfspec.export.exporting import export
from tfspec.models import Classifier, at_temperature
from tfspec.scores.several import tempered_sigmoid

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
    check_finished(run, members_of(steps, run.split))
    clear_temporaries(run.folder)
    train, validation = run.part("train"), run.part("validation")
    if validation.empty:  # as in cross-validation, where every example is both
        validation = train
    some = train.sample(min(CALIBRATION_SIGNALS, len(train)), random_state=steps.seed)
    model = _tempered(steps, run) if calibrated else run.classifier

    def signals(rows):
        read, there = readable(steps, run, rows)
        yield from read_signals(there, read, steps.validation_batch_size)

    return export(model, run.folder / "export", signals(validation), quantize, signals(some), streaming)


def _tempered(steps: Steps, run: Run) -> Classifier:
    """Return the run's model with its logits divided by the temperature that suits the validation part."""
    if not (fitted := fitted_scores(steps, run)):
        raise UserError(f"{run.folder} has no validation part to find a temperature on: export it as it is.")
    model, temperature = run.classifier, fitted["tempered"]["temperature"]
    tempered = model.with_backbone(at_temperature(model.backbone, temperature))
    if model.thresholds is not None:  # so that the same classes hold
        tempered.thresholds = tuple(tempered_sigmoid(np.array(model.thresholds), temperature).tolist())
    return tempered
