"""Scores in words, in tables and in curves: what a page says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from tfspec.base.text import excerpt, number_of
from tfspec.report.answers import short
from tfspec.report.charts import Chart, line_chart
from tfspec.report.page import Table
from tfspec.scores.groups import caution
from tfspec.scores.types import AnyScores

ONE = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "kappa": "kappa",
}
SEVERAL = {
    "mean_average_precision": "mean average precision",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "exact": "all labels right",
}
OTHERWISE = {"smoothed": "smoothed over time", "recordings": "whole recordings"}
MOST_GROUPS = 200
MOST_MEMBERS = 200
SURE = 1e-6
"""Mean entropy of labels that are one class each, at most."""
FEWEST_GROUPS = 2
"""Of what an interval can be drawn."""
FEWEST_POINTS = 5
"""Of a chart of groups."""

AnyMapping = Mapping[str, Any]


def score_sentences(scores: AnyScores, part: str) -> list[str]:
    """Say in words how good a model is, and how far that is to be trusted.

    Args:
        scores: of a part.
        part: its name.

    Returns:
        Sentences, the result first.

    Example:
        >>> scores = {"labels": "one", "accuracy": 0.5, "examples": 4, "groups": 1, "intervals": {}}
        >>> scores |= {"per_class": {"a": {"examples": 3}}, "calibration_error": 0.25}
        >>> score_sentences(scores, "validation")[0]
        '2 of 4 examples of the validation part are right: 50.0%.'
    """
    return [*_results(cast(AnyMapping, scores), part), _trust(cast(AnyMapping, scores))]


def _results(scores: AnyMapping, part: str) -> list[str]:
    examples, error = scores["examples"], scores.get("calibration_error")
    calibrated = "" if error is None else f" Its probabilities are off by {error:.1%} on average."
    if scores["labels"] == "several":
        mean = scores["mean_average_precision"]
        result = (
            "cannot be ranked" if mean is None else f"are found with a mean average precision of {mean:.3f}"
        )
        return [
            f"The classes of {examples} examples of the {part} part {result}.",
            f"All labels are right in {scores['exact']:.1%} of the examples; macro F1 is "
            f"{scores['macro_f1']:.3f}.{calibrated}",
        ]
    right = round(scores["accuracy"] * examples)
    most = max((row.get("examples", 0) for row in scores["per_class"].values()), default=0)
    return [
        f"{right} of {examples} examples of the {part} part are right: {scores['accuracy']:.1%}.",
        f"Naming the commonest class each time: {most / max(examples, 1):.1%}.{calibrated}",
        *_divergence(scores),
    ]


def _divergence(scores: AnyMapping) -> list[str]:
    """Say how far predicted shares are from the true ones, where the truth is shares."""
    if scores.get("entropy", 0) < SURE:
        return []
    return [
        "An example is right where the class of its largest share is the likeliest. "
        f"Kullback-Leibler divergence from the true shares: {scores['kl']:.3f} nats; that of how often each "
        f"class occurs is {scores['kl_prior']:.3f}."
    ]


def _trust(scores: AnyMapping) -> str:
    """Say between what another set of groups would lie, or why nobody can."""
    name = "mean_average_precision" if scores["labels"] == "several" else "accuracy"
    groups = scores.get("groups", 0)
    if not groups:
        return (
            "Not every example tells its group (speaker, person, recording), so nobody knows what others "
            "would score: there is no interval."
        )
    if groups < FEWEST_GROUPS:
        return (
            "All examples that are scored are of one group (speaker, person, recording): that tells nothing "
            "about others, and there is no interval."
        )
    if not _has_interval(scores, name):
        return "No interval was computed."
    low, high = scores["intervals"][name]
    if name == "accuracy":
        between = f"an accuracy between {low:.1%} and {high:.1%}"
    else:
        between = f"a mean average precision between {low:.3f} and {high:.3f}"
    drawn = "examples" if groups == scores["examples"] else "groups"
    return (
        f"Another set of {groups} {drawn} would bring {between} "
        f"(95% of what is drawn anew from these {drawn}). {caution(groups)}"
    ).rstrip()


def _has_interval(scores: AnyMapping, name: str) -> bool:
    return scores.get("groups", 0) >= FEWEST_GROUPS and name in scores.get("intervals", {})


def score_table(parts: Mapping[str, AnyScores]) -> Table | None:
    """Put the scores of each part, and of each way to predict it, in a row, with their intervals.

    Args:
        parts: scores by what they are of.

    Example:
        >>> numbers = dict.fromkeys(["accuracy", "balanced_accuracy", "macro_f1", "kappa"], 0.5)
        >>> score_table({"test part": {"labels": "one", "groups": 0, "examples": 2, **numbers}}).rows
        [['test part', '0.500', '0.500', '0.500', '0.500', '2', 'unknown']]
    """
    rows, names = [], ONE
    for part, found in parts.items():
        scores = cast(AnyMapping, found)
        names = SEVERAL if scores["labels"] == "several" else ONE
        groups = scores.get("groups", 0)
        others = {f"{part}, {spoken}": scores.get(other) for other, spoken in OTHERWISE.items()}
        for said, its in {part: scores, **others}.items():
            if its:
                cells = _with_intervals({**its, "groups": groups}, names)
                rows.append([said, *cells, str(its["examples"]), str(groups or "unknown")])
    return Table(["part", *names.values(), "examples", "groups"], rows) if rows else None


def _with_intervals(scores: AnyMapping, names: AnyMapping) -> list[str]:
    cells = []
    for name in names:
        ends = scores["intervals"][name] if _has_interval(scores, name) else None
        cells.append(number(scores.get(name)) + (f" ({ends[0]:.3f}–{ends[1]:.3f})" if ends else ""))
    return cells


def class_table(scores: AnyScores | None, counts: Mapping[str, Mapping[str, float]]) -> Table:
    """Put each class in a row: its examples in each part, and how well it is found.

    Args:
        scores: of a part; None where nothing was held out.
        counts: examples of each class by the part's name, by the class's name.
    """
    measured = {"precision": "precision", "recall": "recall", "f1": "F1"}
    if scores and scores["labels"] == "several":
        measured = {"threshold": "threshold", "average_precision": "average precision", **measured}
    per_class = cast(dict[str, AnyMapping], scores["per_class"] if scores else {})
    names = list(per_class) or list(dict.fromkeys(name for part in counts.values() for name in part))
    digits = 0 if all(float(count).is_integer() for part in counts.values() for count in part.values()) else 1
    rows = [
        [
            short(name),
            *(f"{part.get(name, 0):,.{digits}f}" for part in counts.values()),
            *(number(per_class[name].get(key)) for key in measured if per_class),
        ]
        for name in names
    ]
    header = ["class", *(f"in {part}" for part in counts), *(measured.values() if per_class else ())]
    return Table(header, rows)


def group_table(groups: pd.DataFrame, main: str) -> tuple[Table | None, Chart | None]:
    """List the groups, the worst first, and draw their scores in order.

    Args:
        groups: as groups.csv has them.
        main: name of the score that they are ordered by.

    Returns:
        Both, None where there are no groups to tell apart; no chart of so few that the table says all.
    """
    if len(groups) < FEWEST_GROUPS or main not in groups:
        return None, None
    if (groups["examples"] == 1).all():
        return Table(
            [], [], "Every example is a group of its own: no group has a score worth the name."
        ), None
    ordered = groups.sort_values([main, "examples"], ascending=[True, False], kind="stable")
    columns = [name for name in ordered if name not in ("group", "examples")]
    rows = [
        [excerpt(row["group"]), f"{row['examples']}", *(number(row[name]) for name in columns)]
        for row in ordered.head(MOST_GROUPS).to_dict("records")
    ]
    more = len(ordered) - len(rows)
    note = f"The {more} best groups are left out; groups.csv has all." if more else ""
    spoken = {**ONE, **SEVERAL}.get(main, main)
    chart = (
        None
        if len(ordered) < FEWEST_POINTS
        else line_chart(
            f"{spoken} of the {len(ordered)} groups",
            "group, from the worst to the best",
            spoken,
            {spoken: [(range(1, len(ordered) + 1), ordered[main])]},
            f"{spoken} of {len(ordered)} groups, from {ordered[main].min():.3f} to {ordered[main].max():.3f}",
            ranges=((1, len(ordered)), (0, 1)),
        )
    )
    names = [{**ONE, **SEVERAL}.get(name, name.replace("_", " ")) for name in columns]
    return Table(["group", "examples", *names], rows, note), chart


def member_table(scores: AnyScores) -> Table | None:
    """Put each model in a row, and what a temperature and weights make of their mean.

    Args:
        scores: of a part.

    Returns:
        The table; None where nothing but one model is known.
    """
    known = cast(AnyMapping, scores)
    weights = known.get("weighted", {}).get("weights", {})
    rows = {short(name): row for name, row in known.get("members", {}).items()}
    more = max(0, len(rows) - MOST_MEMBERS)
    if "weighted" in known:
        rows["weighted mean"] = known["weighted"]
    if "tempered" in known:
        rows[f"at temperature {known['tempered']['temperature']:.3g}"] = known["tempered"]
    if not rows:
        return None
    measured = [name for name in next(iter(rows.values())) if name not in ("temperature", "weights")]
    body = [
        [name, *(number(row[each]) for each in measured), *([number(weights.get(name))] if weights else [])]
        for name, row in [*rows.items()][more:]
    ]
    header = ["model", *(name.replace("_", " ").replace("kl", "KL") for name in measured)]
    note = "The weights and the temperature are those that suit the validation part best."
    note += f" {number_of(more, 'model is', 'models are')} left out." if more else ""
    return Table([*header, *(["weight"] if weights else [])], body, note)


MOST_ACCEPTS = 100
"""False accepts an hour beyond which a chart shows none: nobody would take such a detector."""


def stream_table(scores: Mapping[str, AnyMapping]) -> Table:
    """Put each stream in a row: what a detector found and missed, with intervals.

    Args:
        scores: `StreamScores` by the stream's name.
    """
    rows = []
    for name, found in scores.items():
        accepts = _with_interval(found["false_accepts_per_hour"], found["false_accepts_interval"], 1)
        rejects = _with_interval(found["false_reject_rate"], found["false_rejects_interval"], 3)
        late = "" if found["after_end_median"] is None else f"{found['after_end_median']:.2f} s"
        rows.append([name, f"{found['hours']:.3g}", str(found["events"]), accepts, rejects, late])
    header = ["stream", "hours", "events", "false accepts an hour", "false rejects", "median after the end"]
    return Table(header, rows, "At the thresholds that the detector has; intervals of 95%.")


def stream_chart(curves: Mapping[str, pd.DataFrame]) -> Chart:
    """Draw what is missed against how often something is found that is not there.

    Args:
        curves: by the stream's name, `false_accepts_per_hour` and `false_reject_rate` for many thresholds.
    """
    lines = {}
    for name, curve in curves.items():
        shown_ones = curve[curve["false_accepts_per_hour"] <= MOST_ACCEPTS].sort_values(
            "false_accepts_per_hour"
        )
        lines[name] = [(shown_ones["false_accepts_per_hour"], shown_ones["false_reject_rate"])]
    return line_chart("one threshold for all classes", "false accepts an hour", "false rejects", lines)


def _with_interval(value: float | None, interval: Sequence[float] | None, digits: int) -> str:
    if value is None or interval is None:
        return ""
    low, high = interval
    return f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


FILES = {"saved_model": "SavedModel", "tflite": "TFLite", "streaming": "streaming TFLite"}
"""What exported files are called."""


def export_table(parity: Mapping[str, AnyMapping]) -> Table:
    """Put each exported file in a row: how far it is from the Keras model, how large and how fast.

    Args:
        parity: as export/parity.json has it.
    """
    rows = []
    for name, found in parity.items():
        same = next((found[key] for key in found if key.startswith("same_")), None)
        rows.append(
            [
                FILES.get(name, name),
                "" if same is None else f"{same:.2%}",
                f"{found['largest_difference']:.1e}" if "largest_difference" in found else "",
                f"{found['hops']} hops" if "hops" in found else str(found.get("signals", "")),
                f"{found['bytes'] / 1000:,.0f} kB" if "bytes" in found else "",
                f"{found['milliseconds']:.2g} ms" if "milliseconds" in found else "",
                str(found.get("quantize", "")),
            ]
        )
    return Table(
        [
            "file",
            "same as Keras",
            "largest difference",
            "signals",
            "size",
            "one signal or hop, one core",
            "quantised",
        ],
        rows,
        "Each file was compared with the Keras model, probability by probability.",
    )


def history_charts(history: pd.DataFrame) -> list[Chart]:
    """Draw loss and metrics against the epoch, as `figures.history_figure` does.

    Args:
        history: columns `member`, `loss` and maybe `val_loss`, and such pairs of metrics.

    Example:
        >>> history = pd.DataFrame({"member": ["", ""], "loss": [2.0, 1.0], "val_loss": [2.0, 1.5]})
        >>> [(chart.title, [*chart.legend]) for chart in history_charts(history)]
        [('loss', ['training', 'validation'])]
    """
    names = ["loss", *(name for name in history if f"val_{name}" in history and name != "loss")]
    charts = []
    for name in names:
        columns = {"training": name, "validation": f"val_{name}"}
        lines = {kind: member_lines(history, column) for kind, column in columns.items() if column in history}
        spoken = name.replace("_", " ")
        last = ", ".join(f"{kind} ends at {its[-1][1][-1]:.3f}" for kind, its in lines.items())
        charts.append(line_chart(spoken, "epoch", spoken, lines, f"{spoken} by epoch: {last}"))
    return charts


def member_lines(history: pd.DataFrame, column: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return epochs, from 1 on, and values of each model; NaN where an epoch has none.

    Args:
        history: as `Run.history`.
        column: of the values.
    """
    of_members = history[column].groupby(history["member"], sort=False)
    each = [values.to_numpy(np.float64) for _, values in of_members]
    return [(np.arange(1, len(values) + 1), values) for values in each]


def number(value: Any) -> str:
    """Write a score with three digits after the point; nothing for what is not known.

    Args:
        value: a number, or None.

    Example:
        >>> number(0.12345), number(None)
        ('0.123', '')
    """
    if value is None or value == "" or value != value:
        return ""
    return f"{float(value) + 0.0:.3f}"
