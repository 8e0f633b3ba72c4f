"""What the models of a run make of rows of a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec.audio.inspection import inspect_all
from tfspec.base.errors import UserError, user_error_in
from tfspec.base.progress import say
from tfspec.base.text import excerpt, number_of
from tfspec.data.batches import read_batches
from tfspec.data.readers import AudioReader, Reader
from tfspec.experiment.members import Member
from tfspec.experiment.run import Run, Scored
from tfspec.experiment.steps import Steps
from tfspec.inference.loading import load_keras
from tfspec.models import Classifier
from tfspec.models.events import of_signal

Asked = Sequence[tuple[Sequence[str], pd.DataFrame]]
"""Names of members, and the rows that they are to predict, several times."""


def asked_of(members: Mapping[str, Member], part: Scored) -> Asked:
    """Say which members predict the rows of a part: those that were not trained on them.

    Args:
        members: of `members_of`.
        part: "validation" or "test".

    Returns:
        All members and the test part; or each fold's members and its own validation part.
    """
    if part == "test":
        return [(list(members), next(iter(members.values())).part("test"))]
    folds: dict[int | None, tuple[list[str], pd.DataFrame]] = {}
    for name, member in members.items():
        folds.setdefault(member.fold, ([], member.part("validation")))[0].append(name)
    return list(folds.values())


def rows_of(asked: Asked) -> pd.DataFrame:
    """Join the rows of all that are asked.

    Args:
        asked: members, and the rows that they predict.
    """
    return pd.concat([rows for _, rows in asked])


def predict_rows(steps: Steps, run: Run, asked: Asked) -> dict[str, np.ndarray]:
    """Predict rows by members.

    Args:
        steps: the pipeline whose reader reads the rows.
        run: the run whose members predict.
        asked: members and rows.

    Returns:
        (rows, classes) probabilities by the name of each member, of all rows one after another; NaN where it
        is not asked.

    Raises:
        UserError: a signal cannot be read.
    """
    names = list(dict.fromkeys(name for members, _ in asked for name in members))
    pieces: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for members, rows in asked:
        models = load_members(run, members)
        received = probabilities(models, read_signals(rows, steps.reader(), steps.validation_batch_size))
        for name in names:
            known = received[members.index(name)] if name in members else np.full_like(received[0], np.nan)
            pieces[name].append(known)
    return {name: np.concatenate(of_member) for name, of_member in pieces.items()}


def load_members(run: Run, names: Sequence[str]) -> list[Classifier]:
    """Load the best models of some members.

    Args:
        run: the run.
        names: of the members' folders; "" is a run's only member, whose model is the run's.
    """
    return [load_keras(run.folder / name / "best.keras") if name else run.classifier for name in names]


def probabilities(models: Sequence[Classifier], signals: Iterable[np.ndarray]) -> np.ndarray:
    """Classify signals by several models; the features, which are the same for all, are made once.

    Args:
        models: of one run.
        signals: batches (batch, *signal_shape).

    Returns:
        (models, rows, classes).
    """
    batches = []
    for batch in signals:
        features = models[0].front_end(batch)
        logits = [of_signal(model.backbone(features, training=False)) for model in models]
        batches.append([model.activation(each) for model, each in zip(models, logits, strict=True)])
    return np.concatenate(batches, axis=1)


def read_signals(rows: pd.DataFrame, read: Reader, batch_size: int) -> Iterator[np.ndarray]:
    """Read the signals of rows, batch by batch, once they are asked for.

    Args:
        rows: of a manifest.
        read: reads their signals.
        batch_size: rows at a time.

    Raises:
        UserError: a signal cannot be read.
    """
    try:
        yield from read_batches(rows, read, batch_size).as_numpy_iterator()
    except tf.errors.OpError as error:
        raise user_error_in(error.message) or error from None


def say_changed(read: Reader, run: Run, rows: pd.DataFrame) -> None:
    """Say which recordings are no longer what they were when the run was split.

    Only those that were written later are decoded, and compared by the digest that split.csv has of each.

    Args:
        read: what reads the rows.
        run: the run.
        rows: of its split.
    """
    if not isinstance(read, AudioReader) or not {"path", "digest"} <= {*rows}:
        return
    known = rows.drop_duplicates("path").set_index("path")["digest"].dropna()
    split = (run.folder / "split.csv").stat().st_mtime
    known = known[known != ""]
    files = {path: read.folder / path for path in known.index}
    later = [path for path, file in files.items() if file.exists() and file.stat().st_mtime > split]
    found = zip(later, inspect_all(files[path] for path in later), strict=True)
    if changed := [path for path, each in found if each.digest != known[path]]:
        say(
            f"{number_of(len(changed), 'recording')} of {len(known)} changed after the run was split, "
            f"such as {excerpt(changed[0])}: the scores are of what they are now."
        )


def readable(steps: Steps, run: Run, rows: pd.DataFrame) -> tuple[Reader, pd.DataFrame]:
    """Return what reads the signals of rows; where the data is gone, of the rows whose signals were kept.

    Args:
        steps: the pipeline of the run.
        run: the run.
        rows: of its split.

    Raises:
        UserError: the data is gone, and nothing was kept.
    """
    try:
        read = steps.reader()
        read(rows.iloc[:1])
        return read, rows
    except (UserError, OSError) as error:
        kept = run.kept_signals()
        there = rows[rows.index.isin(kept.index)]
        if there.empty:
            raise UserError(f"{error} The run has kept no signal of it either.") from None
        say(f"The data cannot be read ({error}): {len(there)} kept signals stand for it.")
        return kept, there
