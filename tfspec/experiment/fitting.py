"""Training the members of a run, or what is still to be trained of them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from tfspec.base.boundary import in_one_line
from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.base.frames import Frames
from tfspec.base.progress import say, volume
from tfspec.base.quiet import quiet_program
from tfspec.base.text import ending
from tfspec.data import Epochs, SignalSequence, make_dataset
from tfspec.data.readers import Reader, RememberingReader
from tfspec.distributed.devices import open_strategy
from tfspec.distributed.replicated import Data, distribute
from tfspec.distributed.service import Service, while_listened_on
from tfspec.experiment.features import BYTES_IN_MEMORY, kept_features
from tfspec.experiment.members import Member, members_of
from tfspec.experiment.reference import reference_to, source_of
from tfspec.experiment.run import Run
from tfspec.experiment.splitting import described
from tfspec.experiment.steps import Steps
from tfspec.inference.loading import load_keras
from tfspec.models import Classifier, ensemble
from tfspec.models.events import frames_of
from tfspec.training import Batches, Progress, Training, fit, in_float32, in_precision

POLL_SECONDS = 0.1


def fit_members(steps: Steps, run: Run, verbose: int | str) -> None:
    """Train all members, or what is still to be trained of them, and join them to `best.keras`.

    Args:
        steps: the pipeline of the run.
        run: the run.
        verbose: as of `Pipeline.train`.

    Raises:
        UserError: the data cannot be used, nobody listens at the data service's address, the disk is full, or
            a model cannot be trained.
    """
    members = members_of(steps, run.split)
    progress = {name: Progress.load(run.folder / name) for name in members}
    unfinished = [name for name in members if not progress[name].finished]
    for each in progress.values():
        each.clear()  # a kill may have come between the end of a training and that
    if unfinished:
        served = steps.data_service
        with contextlib.nullcontext() if served is None else while_listened_on(served):
            _fit_unfinished(steps, run, members, unfinished, verbose)
    if list(members) != [""] and (unfinished or not (run.folder / "best.keras").exists()):
        _join(run.folder, list(members))
    run.forget_classifier()


def _fit_unfinished(
    steps: Steps, run: Run, members: Mapping[str, Member], names: Sequence[str], verbose: int | str
) -> None:
    """Train those of the members that have these names."""
    features = kept_features(steps, run.split, run.folder)
    if steps.processes > 1 and len(names) > 1:
        del features  # each process reads them from the store
        _fit_side_by_side(steps, run.folder, names)
        return
    for name in names:
        if name:
            say(f"{name}: {described(members[name].split)}")
        fit_member(members[name], run.folder, name, features, verbose)


def _join(folder: Path, names: Sequence[str]) -> None:
    """Make one model of all members, which averages their probabilities."""
    first, *others = (load_keras(folder / name / "best.keras") for name in names)
    joined = ensemble([first.backbone, *(other.backbone for other in others)], first.labels)
    with written_beside(folder / "best.keras") as temporary:
        first.with_backbone(joined).save(temporary)


def _fit_side_by_side(steps: Steps, folder: Path, names: Sequence[str]) -> None:
    """Train members in processes of their own; when one fails, the others are trained all the same."""
    waiting = list(names)
    running: dict[str, subprocess.Popen] = {}
    codes: dict[str, int] = {}
    try:
        while waiting or running:
            while waiting and len(running) < steps.processes:
                name = waiting.pop(0)
                running[name] = _start(steps, folder, name)
            time.sleep(POLL_SECONDS)
            for name in [name for name, process in running.items() if process.poll() is not None]:
                codes[name] = running.pop(name).returncode
                say(f"{name}: {'failed' if codes[name] else 'trained'}")
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    if failed := [f"{name} {ending(code)}" for name, code in codes.items() if code]:
        raise UserError(
            f"{len(failed)} of {len(codes)} models failed, for the reasons above: {', '.join(failed)}. "
            f"The others are trained; `tfspec resume {folder}` goes on with the rest."
        )


def _start(steps: Steps, folder: Path, name: str) -> subprocess.Popen:
    """Start a process that trains one member; it ends when this one does."""
    order = {"pipeline": source_of(steps), "options": steps.options(), "folder": str(folder), "member": name}
    order["volume"] = "quiet" if volume() == "quiet" else "lines"  # bars of several would overlap
    command = quiet_program("tfspec.experiment.member")
    process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
    assert process.stdin
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    return process


def fit_member(
    member: Member, run_folder: Path, name: str, features: Reader | None, verbose: int | str = "auto"
) -> None:
    """Train one model on its part "train", or go on with it.

    Args:
        member: the model.
        run_folder: of the run.
        name: of the member, and of its folder in the run folder.
        features: of the run's training and validation parts, where they are computed once.
        verbose: as of `Pipeline.train`.
    """
    steps = member.steps
    verbose = 1 if verbose == "auto" and volume() == "verbose" else verbose
    progress = Progress.load(run_folder / name)
    progress.folder.mkdir(exist_ok=True)
    keras.utils.set_random_seed(member.seed)
    class_names, read, front_end = member.class_names, steps.reader(), steps.front_end()
    feature_shape = front_end.compute_output_shape((None, *read.signal_shape))[1:]
    strategy = open_strategy(steps.strategy)
    with strategy.scope(), in_precision(steps.precision):
        backbone = progress.backbone() or steps.backbone(feature_shape, len(class_names))
    if member.is_first:
        _say_network(backbone, verbose)
    recipe = steps.training(member.part("train"), class_names)
    whole = steps.batch_size if recipe.drop_remainder else 1
    epochs = Epochs(member.seed, order=recipe.order, multiple_of=whole)
    service = functools.partial(_service, steps.data_service, run_folder, name)
    frames = frames_of(front_end, backbone, read.signal_shape, read.sample_rate)
    make_training = _training_batches(member, frames, features, recipe, epochs, service("train"))
    make_validation = _validation_batches(member, frames, features, service("validation"))
    with strategy.scope():
        batches = Batches(
            distribute(strategy, make_training),
            make_validation and distribute(strategy, make_validation),
            epochs,
            epochs.num_batches(len(member.part("train")), steps.batch_size) if _is_endless(steps) else None,
        )
        classifier = _classifier(steps, front_end, in_float32(backbone), class_names, read)
        if not progress.history and reference_to(steps).keys() > {"pipeline"}:
            _check_loads_again(classifier)
        fit(backbone, classifier, batches, recipe, progress, verbose, steps.jit, name)


def _classifier(
    steps: Steps, front_end: keras.Layer, backbone: keras.Model, class_names: Sequence[str], read: Reader
) -> Classifier:
    """Join what the steps have made, and refuse what does not fit together."""
    try:
        return Classifier(
            front_end,
            backbone,
            class_names,
            read.signal_shape,
            read.sample_rate,
            takes=steps.takes,
            labels=steps.labels,
        )
    except ValueError as error:
        raise UserError(str(error)) from None


def _check_loads_again(classifier: Classifier) -> None:
    """Refuse a model with parts of the user's own that no file could give back, before hours go into it."""
    remedy = (
        "decorate layers and functions of your own with @keras.saving.register_keras_serializable(), let "
        "get_config return the arguments of their constructors, and use no Lambda of Python code"
    )
    with in_one_line("The model could not be loaded again once it is saved", remedy):
        config = keras.saving.serialize_keras_object(classifier)
        keras.saving.deserialize_keras_object(json.loads(json.dumps(config)), safe_mode=True)


def _say_network(backbone: keras.Model, verbose: int | str) -> None:
    """Say in a line what trains, or as Keras does."""
    if verbose == "auto":
        shape = " × ".join("any" if size is None else str(size) for size in backbone.input_shape[1:])
        say(f"Network: {backbone.name}, {backbone.count_params():,} weights, on features of {shape}")
    else:
        backbone.summary(print_fn=_say_lines)


def _say_lines(text: str) -> None:
    for line in text.splitlines():
        say(line)


def _training_batches(
    member: Member,
    frames: Frames | None,
    features: Reader | None,
    recipe: Training,
    epochs: Epochs,
    service: Service | None,
) -> Callable[..., Data]:
    """Return what makes the batches of the training part, once it is told whose share it is to make."""
    steps, rows = member.steps, member.part("train")
    augmentation = steps.augmentation()
    read, front_end = _source(steps, None if augmentation.signals else features)
    if augmentation.signals and service is None and "path" in rows:  # others lie in an array already
        read = RememberingReader(read, rows.index, BYTES_IN_MEMORY // steps.processes)
    return functools.partial(
        _maker(steps, frames, service, batches_per_read=recipe.batches_per_read, repeated=_is_endless(steps)),
        rows,
        read,
        member.class_names,
        steps.batch_size,
        front_end,
        epochs,
        augmentation=augmentation,
        sample_weight=recipe.weights,
    )


def _validation_batches(
    member: Member, frames: Frames | None, features: Reader | None, service: Service | None
) -> Callable[..., Data] | None:
    """Return what makes the batches of the validation part, None where it is empty."""
    if member.part("validation").empty:
        return None
    steps, rows = member.steps, member.part("validation")
    read, front_end = _source(steps, features)
    make, size = _maker(steps, frames, service), steps.validation_batch_size
    return functools.partial(make, rows, read, member.class_names, size, front_end)


def _is_endless(steps: Steps) -> bool:
    """Whether one iteration over the training batches has all epochs."""
    return steps.loader == "tf.data" and steps.data_service is None


def _maker(
    steps: Steps, frames: Frames | None, service: Service | None, **of_dataset: Any
) -> Callable[..., Data]:
    """Return what makes batches of a manifest: a dataset, or a Sequence, which reads one after another."""
    if steps.loader == "sequence":
        return functools.partial(SignalSequence, labels=steps.labels, frames=frames)
    return functools.partial(make_dataset, labels=steps.labels, frames=frames, service=service, **of_dataset)


def _source(steps: Steps, features: Reader | None) -> tuple[Reader, keras.Layer | None]:
    """Return what reads the features that are kept, or the signals and the layer that makes features."""
    return (steps.reader(), steps.front_end()) if features is None else (features, None)


def _service(address: str | None, run_folder: Path, name: str, part: str) -> Service | None:
    if address is None:
        return None
    files = b"".join((run_folder / file).read_bytes() for file in ("config.json", "split.csv"))
    digest = hashlib.sha256(files).hexdigest()  # a worker may have opened another run of this name
    return Service(address, json.dumps([str(run_folder.resolve()), name, part, digest]))
