"""One training, phase after phase."""

from __future__ import annotations

import functools
import shutil
from typing import Any

import keras
import tensorflow as tf

from tfspec import borrowed
from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.distributed.devices import Jit
from tfspec.distributed.replicated import Data, replicated
from tfspec.models import Classifier
from tfspec.training.distilling import TaughtModel
from tfspec.training.keeping import ForgetRecent, Keep, StopOnNaN
from tfspec.training.progress import Progress
from tfspec.training.recipe import Batches, Training
from tfspec.training.telling import TellEpochs


def fit(
    backbone: keras.Model,
    classifier: Classifier,
    batches: Batches,
    recipe: Training,
    progress: Progress,
    verbose: int | str = "auto",
    jit: Jit = "auto",
    name: str = "",
) -> None:
    """Train the backbone until the validation loss stops falling, phase after phase.

    Leaves `best.keras`, `last.keras`, `history.csv`, `progress.json` and TensorBoard's `logs/`. An unfinished
    training goes on after the last whole epoch, and ends with the weights that it would have had undisturbed.

    Args:
        backbone: what is trained, in place: that of the classifier, or, in another precision, of which the
            classifier has the twin; `progress.backbone()` if there is one.
        classifier: what is kept.
        batches: of the strategy in whose scope this is called.
        recipe: how to train.
        progress: of this training, with a folder of its own.
        verbose: "auto" prints a line an epoch, and draws a bar in a terminal; 1 and 2 are Keras's own bar and
            lines; nothing is printed with 0.
        jit: whether XLA compiles what trains; "auto" leaves it to Keras, which does so on one GPU.
        name: of what trains, where several do: what is printed begins with it.

    Raises:
        UserError: the loss was never finite, or there is a teacher and several devices.
        ValueError: nothing validates, and it is not the last epoch that counts.
    """
    if batches.validation is None and recipe.keep != "last":
        raise ValueError(f'Without validation `keep` must be "last". Received: {recipe.keep!r}')
    if not progress.history:
        progress.save()  # so that nobody takes the first epoch's `best.keras` for the end
    for number in range(progress.phase, len(recipe.phases)):
        phase = recipe.phases[number]
        if number > progress.phase or not progress.history:
            progress.phase, progress.first_epoch = number, len(progress.history)
            steps_per_epoch = batches.steps_per_epoch or _length(batches.train)
            if phase.prepare:
                phase.prepare(backbone)
            _compile(backbone, recipe.optimizer(phase.rates(steps_per_epoch)), recipe, jit)
        is_over = functools.partial(progress.is_over, phase, recipe.patience)
        if not is_over():
            trained = _trained(backbone, recipe, jit)
            if isinstance(batches.train, tf.data.Dataset):  # else Keras does, under a strategy
                borrowed.build_for(trained, batches.train)
            last = progress.first_epoch + sum(phase.epochs for phase in recipe.phases[number:])
            with TellEpochs(progress, last, name) as telling:
                trained.fit(
                    batches.train,
                    steps_per_epoch=batches.steps_per_epoch,
                    validation_data=batches.validation,
                    initial_epoch=len(progress.history),
                    epochs=progress.first_epoch + phase.epochs,
                    shuffle=False,  # the batches are
                    verbose=0 if verbose == "auto" else verbose,
                    callbacks=[
                        StopOnNaN(),
                        ForgetRecent(),
                        Keep(classifier, backbone, batches.epochs, progress, recipe.keep, is_over),
                        keras.callbacks.TensorBoard(progress.folder / "logs", write_graph=False),
                        *([telling] if verbose == "auto" else []),
                    ],
                )
    _finish(recipe, progress)


def _trained(backbone: keras.Model, recipe: Training, jit: Jit) -> keras.Model:
    """Return what trains the compiled backbone."""
    if recipe.teacher is None:
        return replicated(backbone, recipe.loss, recipe.metrics, jit)
    if (replicas := tf.distribute.get_strategy().num_replicas_in_sync) > 1:
        raise UserError(f"A teacher teaches on one device: give --strategy none. There are {replicas}.")
    taught = TaughtModel(backbone, recipe.teacher)
    _compile(taught, backbone.optimizer, recipe, jit)
    return taught


def _compile(model: keras.Model, optimizer: keras.optimizers.Optimizer, recipe: Training, jit: Jit) -> None:
    jit_compile: Any = {"on": True, "off": False}.get(jit, "auto")
    model.compile(optimizer, recipe.loss, metrics=list(recipe.metrics), jit_compile=jit_compile)


def _length(data: Data) -> int:
    if isinstance(data, keras.utils.PyDataset):
        return len(data)
    cardinality = data.cardinality  # a method, or a property where several replicas share the batches
    return int(cardinality() if callable(cardinality) else cardinality)


def _finish(recipe: Training, progress: Progress) -> None:
    if progress.lowest() is None or (recipe.keep == "last" and not progress.ends_finite):
        rates = ", ".join(f"{phase.learning_rate:g}" for phase in recipe.phases)
        when = "any epoch" if progress.lowest() is None else "the last epoch, which counts"
        raise UserError(f"The loss was not finite in {when}. Lower the learning rate. Received: {rates}")
    if recipe.keep == "last":
        with written_beside(progress.folder / "best.keras") as temporary:
            shutil.copyfile(progress.folder / "last.keras", temporary)
    progress.save(finished=True)
