"""Pictures and tables of signals, training and results. Labels and file names are untrusted text here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tfspec.base.text import shown
from tfspec.scores.types import DistributionScores, LabelScores

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table


def track(items: Iterable, description: str, total: int) -> Iterable:
    """Draw a progress bar on standard error while iterating, with the time left and the rate.

    Args:
        items: what to iterate over.
        description: what is going on.
        total: how many items there are.

    Returns:
        The items.
    """
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Items a second."""

        def render(self, task):
            return Text(f"{task.speed:.3g}/s" if task.speed else "")

    console = Console(stderr=True, force_jupyter=False)
    hidden = not console.is_terminal  # where even an erased bar leaves an empty line
    columns = [*Progress.get_default_columns(), Rate()]
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        yield from progress.track(items, total, description=description)


def score_table(scores: LabelScores) -> Table:
    """Show precision, recall and F1 of every class.

    Args:
        scores: from `scores.classes.score_classes`, or all of a part.

    Returns:
        A table for rich to print.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table("class", *(["precision", "recall", "F1", "examples"]))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, row in scores["per_class"].items():
        values = [f"{row[key]:.3f}" for key in ("precision", "recall", "f1")]
        table.add_row(Text(shown(name)), *values, str(row["examples"]))
    return table


def confusion_matrix_figure(scores: LabelScores) -> Figure:
    """Draw the confusion matrix: counts written in, colour by share of the true class.

    Args:
        scores: from `scores.classes.score_classes`, or all of a part.

    Returns:
        The figure.
    """
    names = [_plain(name) for name in scores["per_class"]]
    counts = np.array(scores["confusion_matrix"])
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = 2.2 + 0.5 * len(names)
    figure = _figure(size + 1, size)
    axes = figure.add_subplot()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true", title=f"accuracy {scores['accuracy']:.3f}")
    figure.colorbar(image, label="share of the true class")
    return figure


def calibration_figure(scores: DistributionScores) -> Figure:
    """Draw how large the predicted class's share is, against the probability that was predicted.

    Args:
        scores: from `scores.calibration.score_distributions`, or all of a part.

    Returns:
        The figure; on the diagonal, predictions are worth what they say. Larger dots are more examples.
    """
    curve = pd.DataFrame(scores["calibration"])
    figure = _figure(4.5, 4.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.8", zorder=0)
    axes.plot(curve["confidence"], curve["share"], color="C0")
    axes.scatter(curve["confidence"], curve["share"], 10 + 190 * curve["examples"] / curve["examples"].sum())
    axes.set(xlabel="predicted probability", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    axes.set_title(f"calibration error {scores['calibration_error']:.3f}")
    return figure


def history_figure(history: pd.DataFrame) -> Figure:
    """Draw loss and metrics against the epoch.

    Args:
        history: columns `member`, `loss`, `val_loss`, and such pairs of all metrics; one row an epoch.

    Returns:
        The figure.
    """
    names = ["loss", *(name for name in history if f"val_{name}" in history and name != "loss")]
    figure = _figure(4.5 * len(names), 3.5)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False).flat, names, strict=True):
        for column, label, colour in ((name, "training", "C0"), (f"val_{name}", "validation", "C1")):
            for _, values in history.groupby("member")[column]:
                (line,) = axes.plot(np.arange(1, len(values) + 1), values, ".-", color=colour)
            line.set_label(label)
        axes.set(xlabel="epoch", title=name)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.legend()
    return figure


def waveform_figure(samples: np.ndarray, sample_rate: float, title: str = "") -> Figure:
    """Draw a signal against time.

    Args:
        samples: (samples,).
        sample_rate: samples per second.
        title: written above.

    Returns:
        The figure.
    """
    figure = _figure(8, 2.5)
    axes = figure.add_subplot()
    axes.plot(np.arange(len(samples)) / sample_rate, samples, linewidth=0.5)
    axes.set(xlabel="time in s", ylabel="amplitude", title=_plain(title))
    axes.margins(x=0)
    return figure


def spectrogram_figure(
    spectrogram: np.ndarray, times: np.ndarray, frequencies: np.ndarray, title: str = ""
) -> Figure:
    """Draw a spectrogram with its axes in seconds and hertz.

    Args:
        spectrogram: (frames, bins), in decibels.
        times: (frames,) seconds.
        frequencies: (bins,) hertz.
        title: written above.

    Returns:
        The figure.
    """
    figure = _figure(8, 3.5)
    axes = figure.add_subplot()
    mesh = axes.pcolormesh(times, frequencies, np.asarray(spectrogram).T, shading="nearest", rasterized=True)
    axes.set(xlabel="time in s", ylabel="frequency in Hz", title=_plain(title))
    figure.colorbar(mesh, label="dB")
    return figure


def examples_figure(
    pictures: Sequence[np.ndarray], titles: Sequence[str], xlabel: str, ylabel: str
) -> Figure:
    """Draw pictures side by side, the first row of each at the bottom.

    Args:
        pictures: each (rows, columns).
        titles: one a picture.
        xlabel: what the columns are.
        ylabel: what the rows are.

    Returns:
        The figure.
    """
    columns = min(4, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = _figure(3.2 * columns, 2.4 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, picture, title in zip(grid.flat, pictures, titles, strict=False):
        axes.imshow(picture, origin="lower", aspect="auto", interpolation="nearest")
        axes.set_title(_plain(title), fontsize=10)
        axes.set(xticks=[], yticks=[])
    for axes in grid.flat[len(pictures) :]:
        axes.axis("off")
    figure.supxlabel(xlabel)
    figure.supylabel(ylabel)
    return figure


def view_figure(
    picture: np.ndarray,
    title: str,
    xlabel: str,
    ylabel: str,
    class_names: Sequence[str],
    probabilities: np.ndarray,
    label: str | None = None,
) -> Figure:
    """Draw one example beside the probabilities of its classes.

    Args:
        picture: (rows, columns), the first row to be at the bottom.
        title: names the example.
        xlabel: what the columns are.
        ylabel: what the rows are.
        class_names: all classes.
        probabilities: (classes,).
        label: true class, in green where it was found and in orange where not; None if it is not known.

    Returns:
        The figure.
    """
    names = [_plain(name) for name in class_names]
    predicted = int(np.argmax(probabilities))
    colours = ["lightgrey"] * len(names)
    colours[predicted] = "C0" if label is None else "C1"
    if label is not None and label in class_names:
        colours[list(class_names).index(label)] = "C2"
    figure = _figure(9, max(3.2, 0.3 * len(names)))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    left.imshow(picture, origin="lower", aspect="auto", interpolation="nearest")
    left.set(xlabel=xlabel, ylabel=ylabel, xticks=[], yticks=[], title=_plain(title))
    bars = right.barh(names, probabilities, color=colours)
    right.bar_label(bars, [f"{value:.0%}" for value in probabilities], padding=3)
    right.set(xlim=(0, 1.15), xticks=[0, 0.5, 1], xlabel="probability")
    right.invert_yaxis()
    true = "" if label is None else f"true: {_plain(label)}\n"
    right.set_title(f"{true}predicted: {names[predicted]}", loc="left", fontsize=11)
    return figure


def grid_figure(
    pictures: dict[str, Sequence[np.ndarray]], xlabel: str, ylabel: str, columns: int = 10
) -> Figure:
    """Draw several small pictures of each class in a row, in one scale of colours.

    Args:
        pictures: of each class, by its name; each (rows, columns), the first row to be at the bottom.
        xlabel: what a picture's columns are.
        ylabel: what its rows are.
        columns: pictures in a row; those beyond are not drawn.

    Returns:
        The figure.
    """
    figure = _figure(1.1 * columns + 1, 1.1 * len(pictures) + 0.5)
    grid = figure.subplots(len(pictures), columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[], frame_on=False)
    low, high = np.percentile(
        np.concatenate([np.ravel(p) for row in pictures.values() for p in row]), [1, 99]
    )
    for row, (name, examples) in zip(grid, pictures.items(), strict=True):
        row[0].set_ylabel(_plain(name), rotation="horizontal", ha="right", va="center")
        for axes, picture in zip(row, examples, strict=False):
            axes.imshow(picture, vmin=low, vmax=high, origin="lower", aspect="auto", interpolation="nearest")
    figure.supxlabel(xlabel)
    figure.supylabel(ylabel)
    return figure


def _figure(width: float, height: float) -> Figure:
    """Make a figure that pyplot knows nothing of: nothing to close, no window, any thread."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=100)


def _plain(text: str) -> str:
    """Keep matplotlib from reading a label as a formula."""
    return shown(text).replace("$", r"\$")
