"""The page of a run: gathered from its folder, its pipeline and its data, as far as these are there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.base.progress import say
from tfspec.base.text import number_of, shown
from tfspec.data.label_targets import targets
from tfspec.data.splits import group_names
from tfspec.experiment.clips import clips_of, why_none
from tfspec.experiment.event_pages import events_of
from tfspec.experiment.members import check_finished, members_of
from tfspec.experiment.predicting import asked_of, rows_of
from tfspec.experiment.repeating import option_table, repeating_command
from tfspec.experiment.run import Run, Scored
from tfspec.experiment.splitting import described, folds_of
from tfspec.experiment.steps import Steps
from tfspec.report import tables
from tfspec.report.answers import Answers, matrix_of
from tfspec.report.charts import Chart
from tfspec.report.curves import curves_of
from tfspec.report.page import Clip, Page, Table, written
from tfspec.scores.types import AnyScores

MISTAKES, DOUBTFUL = 12, 8
"""Examples that are shown."""
PAGE = "report.html"
NOTHING_SCORED = "Nothing was held out: nobody knows how good it is. The model is that of the last epoch."


def write_report(
    run: Run, steps: Steps | None = None, part: Scored | None = None, data: Path | None = None
) -> Path:
    """Write the page of a run.

    Args:
        run: the run, finished.
        steps: its pipeline, which reads and draws examples; None where it is not there any more.
        part: of the run's own data; None for the validation part, or where there is none the test part.
        data: where the signals are now; None for where they were.

    Returns:
        The file: report.html in the run folder, or in evaluations/test for that part.

    Raises:
        UserError: the run is not finished, or the part was not scored.
    """
    page = page_of(run, steps, part, data)
    path = run.evaluation_folder(part=part or "validation") / PAGE
    with written_beside(path) as temporary:
        temporary.write_text(written(page), "utf-8")
    return path


def page_of(
    run: Run, steps: Steps | None = None, part: Scored | None = None, data: Path | None = None
) -> Page:
    """Gather what the page of a run shows; see `write_report`."""
    if steps is not None:
        check_finished(run, members_of(steps, run.split))
    if part is not None:
        run.check_scored(part)
    scored = {each: run.metrics(each) for each in run.scored_parts}
    part = part or next(iter(scored), None)
    scores = scored[part] if part else None
    streams, stream_chart = _streams(run)
    page = Page(
        title=f"{run.config['pipeline']}: {shown(run.folder.resolve().name)}",
        sentences=[NOTHING_SCORED],
        scores=tables.score_table({f"{each} part": its for each, its in scored.items()}),
        facts=_facts(run),
        classes=tables.class_table(scores, _counts(run, scores)),
        history=tables.history_charts(run.history),
        exported=_exported(run),
        streams=streams,
        stream_chart=stream_chart,
        options=option_table(run, steps),
        environment=_environment(run),
        command=repeating_command(run, steps),
    )
    return _with_part(page, steps, run, part, scores, data) if part and scores else page


def _with_part(
    page: Page, steps: Steps | None, run: Run, part: Scored, scores: AnyScores, data: Path | None
) -> Page:
    """Add what was answered of a part, and how good that is."""
    answers = Answers.of(run.table("predictions", part), scores)
    groups, group_chart = _groups(run, part, scores)
    curves, curves_note = curves_of(answers)
    event_tables, event_pictures, events_note = events_of(steps, run, part, scores, data)
    mistakes, doubtful, clips_note = _clips(steps, run, part, answers, data)
    return dataclasses.replace(
        page,
        sentences=tables.score_sentences(scores, part),
        answers=answers,
        matrix=matrix_of(answers),
        mistakes=mistakes,
        doubtful=doubtful,
        clips_note=clips_note,
        curves=curves,
        curves_note=curves_note,
        event_tables=event_tables,
        event_pictures=event_pictures,
        events_note=events_note,
        groups=groups,
        group_chart=group_chart,
        members=tables.member_table(scores),
    )


def _of_groups(examples: int, groups: int) -> str:
    if not groups:
        return ", of unknown groups"
    return ", each a group of its own" if groups == examples else f" of {number_of(groups, 'group')}"


def _facts(run: Run) -> dict[str, str]:
    """Say what was trained on what."""
    history, split = run.history, run.split
    facts = {
        "Data": str(run.config["options"].get("data") or "made by the pipeline itself"),
        "Examples": f"{len(split):,}{_of_groups(len(split), len(group_names(split)))}",
        "Split": described(split) + (f", in {len(folds_of(split))} folds" if "fold" in split else ""),
        **_model_facts(run),
        "Epochs": ", ".join(map(str, sorted(set(history.groupby("member").size())))),
    }
    if (bad := run.folder / "bad_files.csv").exists():
        facts["Left out"] = (
            f"{number_of(len(pd.read_csv(bad)), 'example')} that cannot be used, listed in bad_files.csv"
        )
    if "seconds" in history:
        facts["Training took"] = _duration(history["seconds"].sum())
    return facts


def _model_facts(run: Run) -> dict[str, str]:
    """Say what the model takes and how large it is; nothing where it cannot be loaded here."""
    try:
        model = run.classifier
    except UserError:
        return {}
    shape, rate = " × ".join(f"{size:,}" for size in model.signal_shape), model.sample_rate
    length = f"{model.signal_shape[0] / rate:.3g} s at {rate:,} Hz, " if rate else ""
    weights, models = model.backbone.count_params(), run.history["member"].nunique()
    network = f"{models} × {weights // models:,} weights" if models > 1 else f"{weights:,} weights"
    return {"Signals": f"{length}{shape} numbers", "Network": network}


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _counts(run: Run, scores: AnyScores | None) -> dict[str, dict[str, float]]:
    """Count the examples of each class in each part; shares count as such."""
    names = list(scores["per_class"]) if scores else list(run.classifier.class_names)
    kind = scores["labels"] if scores else run.classifier.labels
    counts = {}
    for part in ("train", "validation", "test"):
        if len(rows := run.part(part)):
            known = targets(rows, names, kind)
            sums = (
                np.nansum(known, axis=0)
                if known.ndim == 2
                else np.bincount(known[known >= 0], minlength=len(names))
            )
            counts[part] = dict(zip(names, np.round(sums, 1).tolist(), strict=True))
    return counts


def _groups(run: Run, part: Scored, scores: AnyScores) -> tuple[Table | None, Chart | None]:
    """Show the scores of each group; earlier versions did not keep them."""
    if not (run.evaluation_folder(part=part) / "groups.csv").exists():
        return None, None
    main = "accuracy" if scores["labels"] == "one" else "macro_f1"
    return tables.group_table(run.table("groups", part), main)


def _clips(
    steps: Steps | None, run: Run, part: Scored, answers: Answers, data: Path | None
) -> tuple[list[Clip], list[Clip], str]:
    """Show the surest mistakes and the most doubtful answers; what goes wrong there is said, no more."""
    if steps is None:
        return [], [], "No example is shown: the run's pipeline, which reads them, is not there any more."
    wrong = answers.surest_mistakes(MISTAKES)
    places = [*wrong, *answers.most_doubtful(DOUBTFUL, without=wrong)]
    try:
        rows = rows_of(asked_of(members_of(steps, run.split), part))
        clips = clips_of(steps, run, rows, answers, places, data)
    except Exception as error:  # whatever a user's own pipeline or a decoder comes to
        say(note := why_none(error))
        return [], [], note
    return (
        [each for each in clips if each.place in wrong],
        [each for each in clips if each.place not in wrong],
        _note(places, clips),
    )


def _note(places: Sequence[int], clips: Sequence[Clip]) -> str:
    if missing := len(places) - len(clips):
        return f"{missing} of {len(places)} examples are not shown: the data is gone, and only some was kept."
    return ""


def _exported(run: Run) -> Table | None:
    path = run.folder / "export" / "parity.json"
    if not path.exists():
        return None
    try:
        return tables.export_table(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError, AttributeError, KeyError):
        raise UserError(f"{path} is damaged: `tfspec export {run.folder}` writes it anew.") from None


def _streams(run: Run) -> tuple[Table | None, Chart | None]:
    """Show what the run came to on long recordings."""
    if not run.streams:
        return None, None
    try:
        scores = {
            name: json.loads((folder / "scores.json").read_text("utf-8"))["scores"]
            for name, folder in run.streams.items()
        }
        curves = {name: pd.read_csv(folder / "curve.csv") for name, folder in run.streams.items()}
        return tables.stream_table(scores), tables.stream_chart(curves)
    except (OSError, ValueError, TypeError, KeyError):
        raise UserError(
            f"{run.folder / 'streams'} is damaged: `tfspec evaluate-stream` writes its folders anew."
        ) from None


def _environment(run: Run) -> dict[str, str]:
    """Say what the run was trained with; earlier versions did not keep it."""
    kept: dict[str, Any] = run.config.get("environment") or {"environment": "not kept by that version"}
    return {
        "tfspec": str(run.config.get("tfspec", "unknown")),
        **{name: str(value) for name, value in kept.items()},
    }
