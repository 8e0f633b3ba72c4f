"""Pictures and tables of signals, training and results. Labels and file names are untrusted text here."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from tfspec.base.text import shown
from tfspec.report.fonts import with_fonts
from tfspec.report.labels import labels, plain, room_for, titled
from tfspec.scores.streams import StreamScores
from tfspec.scores.types import DistributionScores, LabelScores, SeveralScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.table import Table


BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
"""Of Okabe and Ito's colours, which the colour-blind tell apart too; those of the page."""
LINES = ("-", "--", ":", "-.")
"""Of members, where there are no more."""


@dataclass(frozen=True)
class Picture:
    """Features as an image, and what its axes are.

    Args:
        image: (rows, columns); the first row is drawn at the bottom.
        xlabel: what runs across.
        ylabel: what runs up.
        hertz: (rows,) frequency of each row, where the pipeline knows it.
        xticks: numbers below, and where in 0…1 they stand.
        yticks: numbers on the left, from the bottom.
        keeps_shape: its pixels are square, as those of a photograph.
    """

    image: np.ndarray
    xlabel: str = "time"
    ylabel: str = "bin"
    hertz: np.ndarray | None = None
    xticks: Sequence[tuple[float, str]] = ()
    yticks: Sequence[tuple[float, str]] = ()
    keeps_shape: bool = False


def score_table(scores: LabelScores | SeveralScores) -> Table:
    """Show precision, recall and F1 of every class; where several can hold, from which probability on too.

    Args:
        scores: from `scores.classes.score_classes`, or all of a part.

    Returns:
        A table for rich to print.
    """
    from rich.table import Table
    from rich.text import Text

    per_class: dict[str, dict[str, Any]] = cast(Any, scores["per_class"])
    columns = {"precision": "precision", "recall": "recall", "f1": "F1", "examples": "examples"}
    if scores.get("labels") == "several":
        columns = {"threshold": "threshold", "average_precision": "average precision", **columns}
    table = Table("class", *columns.values())
    for column in table.columns[1:]:
        column.justify = "right"
    for name, row in per_class.items():
        table.add_row(Text(shown(name)), *(_cell(row[key]) for key in columns))
    return table


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def confusion_matrix_figure(scores: LabelScores) -> Figure:
    """Draw the confusion matrix: counts written in, colour by share of the true class.

    Args:
        scores: from `scores.classes.score_classes`, or all of a part.

    Returns:
        The figure.
    """
    names = labels(scores["per_class"])
    counts = np.array(scores["confusion_matrix"])
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size, room = 1.6 + 0.5 * len(names), room_for(names)
    figure = _figure(size + room + 1, size + room)
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
    return with_fonts(figure)


def classes_figure(scores: SeveralScores) -> Figure:
    """Draw average precision and F1 of every class, where several can hold at once.

    Args:
        scores: of a part.

    Returns:
        The figure: two bars a class, none where it holds in no example, and how many it holds in.
    """
    names, rows = labels(scores["per_class"]), scores["per_class"].values()
    figure = _figure(5.4 + room_for(names), 1.4 + 0.4 * len(rows))
    axes = figure.add_subplot()
    places = np.arange(len(rows))
    bars = ((-0.2, "average_precision", "average precision", BLUE), (0.2, "f1", "F1", ORANGE))
    for shift, key, label, colour in bars:
        values = [row[key] or 0.0 for row in rows]  # type: ignore[literal-required]
        axes.barh(places + shift, values, 0.4, label=label, color=colour)
    axes.set_yticks(places, [f"{name} ({row['examples']})" for name, row in zip(names, rows, strict=True)])
    axes.set(xlim=(0, 1), xlabel="score", title=_means_title(scores))
    axes.invert_yaxis()
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return with_fonts(figure)


def _means_title(scores: SeveralScores) -> str:
    means = {"mean average precision": scores["mean_average_precision"], "macro F1": scores["macro_f1"]}
    return ", ".join(f"{name} {value:.3f}" for name, value in means.items() if value is not None)


def calibration_figure(scores: DistributionScores | SeveralScores) -> Figure:
    """Draw how large the predicted class's share is, against the probability that was predicted.

    Where several can hold, it is how often a class does to which that probability was given.

    Args:
        scores: from `scores.calibration.score_distributions`, or all of a part.

    Returns:
        The figure; on the diagonal, predictions are worth what they say. Larger dots are more examples.
    """
    curve = pd.DataFrame(scores["calibration"])
    figure = _figure(4.5, 4.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.8", zorder=0)
    axes.plot(curve["confidence"], curve["share"], color=BLUE)
    sizes = 10 + 190 * curve["examples"] / curve["examples"].sum()
    axes.scatter(curve["confidence"], curve["share"], sizes, color=BLUE)
    axes.set(xlabel="predicted probability", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    axes.set_title(f"calibration error {scores['calibration_error']:.3f}")
    return figure


def history_figure(history: pd.DataFrame) -> Figure:
    """Draw loss and metrics against the epoch.

    Args:
        history: columns `member`, `loss`, `val_loss`, and such pairs of all metrics; only `member` and `loss`
            where nothing validated; one row an epoch. A `recent_loss` is drawn beside the loss.

    Returns:
        The figure; up to four members have a line style each.
    """
    members = history["member"].unique()
    styles = dict(zip(members, LINES if len(members) <= len(LINES) else itertools.repeat("-"), strict=False))
    names = ["loss", *(name for name in history if f"val_{name}" in history and name != "loss")]
    figure = _figure(4.5 * len(names), 3.5)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False).flat, names, strict=True):
        lines = [(name, "training", BLUE), (f"val_{name}", "validation", ORANGE)]
        if name == "loss":
            lines.insert(1, ("recent_loss", "training, last batches above all", GREEN))
        for column, label, colour in (each for each in lines if each[0] in history):
            for member, values in history.groupby("member")[column]:
                drawn = {"color": colour, "marker": ".", "linestyle": styles[member]}
                said = label if member == members[0] else None
                axes.plot(np.arange(1, len(values) + 1), values, **drawn, label=said)
        for member in members if 1 < len(members) <= len(LINES) else ():
            axes.plot([], [], color="0.4", linestyle=styles[member], label=plain(member))
        axes.set(xlabel="epoch", title=name)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.legend()
    return figure


def threshold_figure(curve: pd.DataFrame, scores: StreamScores) -> Figure:
    """Draw how many events a detector misses against how often it is wrong, threshold by threshold.

    Args:
        curve: from `inference.threshold_curve`.
        scores: at the threshold that counts, which is marked.

    Returns:
        The figure; up to one false accept in all that was heard the axis is linear, so that 0 is there.
    """
    curve = curve.dropna(subset=["false_accepts_per_hour", "false_reject_rate"])
    figure = _figure(6, 4.2)
    axes = figure.add_subplot()
    accepts, rejects = curve["false_accepts_per_hour"], curve["false_reject_rate"]
    axes.errorbar(
        accepts,
        rejects,
        yerr=_reach(curve, rejects, "false_rejects"),
        xerr=_reach(curve, accepts, "false_accepts"),
        fmt=".-",
        color=BLUE,
        ecolor="0.85",
        elinewidth=0.8,
        label="one threshold for all classes",
    )
    point: dict[str, Any] = {**scores}
    if len(curve):
        axes.plot(
            point["false_accepts_per_hour"],
            point["false_reject_rate"],
            "o",
            color=ORANGE,
            label="the detector",
        )
        axes.legend()
    axes.set_xscale("symlog", linthresh=1 / scores["hours"])
    axes.set(xlabel="false accepts an hour", ylabel="share of the events that is missed", ylim=(-0.02, 1.02))
    axes.set_xlim(left=0)
    axes.set_title("with intervals of 95%", fontsize=10)
    return figure


def _reach(curve: pd.DataFrame, values: pd.Series, stem: str) -> Any:
    """Return how far the ends of intervals lie below and above the values."""
    return np.stack([values - curve[f"{stem}_low"], curve[f"{stem}_high"] - values]).clip(min=0)


def waveform_figure(
    samples: np.ndarray, sample_rate: float, title: str = "", ylabel: str = "amplitude"
) -> Figure:
    """Draw a signal against time.

    Args:
        samples: (samples,).
        sample_rate: samples per second.
        title: written above.
        ylabel: what was measured.

    Returns:
        The figure.
    """
    figure = _figure(8, 2.5)
    axes = figure.add_subplot()
    axes.plot(np.arange(len(samples)) / sample_rate, samples, color=BLUE, linewidth=0.5)
    axes.set(xlabel="time in s", ylabel=ylabel, title=titled(title, 90))
    axes.margins(x=0)
    return with_fonts(figure)


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
    axes.set(xlabel="time in s", ylabel="frequency in Hz", title=titled(title, 90))
    figure.colorbar(mesh, label="dB")
    return with_fonts(figure)


def examples_figure(pictures: dict[str, Sequence[Picture]]) -> Figure:
    """Draw pictures of each class: a row a class in one scale of colours, or single ones under their titles.

    Args:
        pictures: of each class, by its name; at most ten a class are drawn.

    Returns:
        The figure.
    """
    most = max(len(examples) for examples in pictures.values())
    figure = _rows_of_examples(pictures, min(10, most)) if most > 1 else _titled_examples(pictures)
    first = next(picture for examples in pictures.values() for picture in examples)
    figure.supxlabel(first.xlabel)
    figure.supylabel(first.ylabel)
    return with_fonts(figure)


def _titled_examples(pictures: dict[str, Sequence[Picture]]) -> Figure:
    columns = min(4, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = _figure(3.2 * columns, 2.4 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, (name, (picture,)) in zip(grid.flat, pictures.items(), strict=False):
        _draw(axes, picture)
        axes.set_title(titled(name, 34), fontsize=10)
    for axes in grid.flat[len(pictures) :]:
        axes.axis("off")
    return figure


def _rows_of_examples(pictures: dict[str, Sequence[Picture]], columns: int) -> Figure:
    values = [np.ravel(picture.image) for examples in pictures.values() for picture in examples]
    low, high = np.percentile(np.concatenate(values), [1, 99])
    names = labels(pictures)
    figure = _figure(1.1 * columns + 0.4 + room_for(names), 1.1 * len(pictures) + 0.5)
    grid = figure.subplots(len(pictures), columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[], frame_on=False)
    for row, name, examples in zip(grid, names, pictures.values(), strict=True):
        row[0].set_ylabel(name, rotation="horizontal", ha="right", va="center")
        for axes, picture in zip(row, examples, strict=False):
            _draw(axes, picture, vmin=low, vmax=high)
            axes.label_outer(remove_inner_ticks=True)
    return figure


def view_figure(
    picture: Picture,
    title: str,
    probabilities: dict[str, float],
    true: Collection[str] | None = None,
    predicted: Collection[str] | None = None,
) -> Figure:
    """Draw one example beside the probabilities of its classes.

    Args:
        picture: of the example.
        title: names the example.
        probabilities: of each class, by its name.
        true: the classes that hold, in green; None if that is not known.
        predicted: those that were found, in orange where they do not hold; the likeliest one if None.

    Returns:
        The figure.
    """
    names = labels(probabilities)
    figure = _figure(8.4 + room_for(names), max(3.2, 0.3 * len(names)))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw(left, picture)
    left.set(xlabel=picture.xlabel, ylabel=picture.ylabel, title=titled(title, 40))
    if predicted is None:
        predicted = [max(probabilities, key=lambda name: probabilities[name])]
    found = dict.fromkeys(predicted, BLUE if true is None else ORANGE)
    colours = {**found, **dict.fromkeys(true or (), GREEN)}
    bars = right.barh(
        names,
        list(probabilities.values()),
        color=[colours.get(name, "lightgrey") for name in probabilities],
    )
    right.bar_label(bars, [f"{value:.0%}" for value in probabilities.values()], padding=3)
    right.set(xlim=(0, 1.15), xticks=[0, 0.5, 1], xlabel="probability")
    right.invert_yaxis()
    answers = {"true": true, "predicted": predicted}
    said = [titled(f"{what}: {_listed(its)}", 32) for what, its in answers.items() if its is not None]
    right.set_title("\n".join(said), loc="left", fontsize=11)
    return with_fonts(figure)


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "none"


def _draw(axes: Axes, picture: Picture, vmin: float | None = None, vmax: float | None = None) -> None:
    image = picture.image
    axes.imshow(image, vmin=vmin, vmax=vmax, origin="lower", interpolation="nearest")
    axes.set_aspect("equal" if picture.keeps_shape else "auto")
    for axis, pixels, ticks in zip(
        (axes.yaxis, axes.xaxis), image.shape, (picture.yticks, picture.xticks), strict=True
    ):
        axis.set_ticks([place * pixels - 0.5 for place, _ in ticks], [text for _, text in ticks], fontsize=8)


def _figure(width: float, height: float) -> Figure:
    """Make a figure that pyplot knows nothing of: nothing to close, no window, any thread."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=100)
