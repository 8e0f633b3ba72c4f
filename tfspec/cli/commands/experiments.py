"""Commands that make a run, and those that go on with one."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from tfspec.base.errors import UserError
from tfspec.base.files import check_place, check_run_folder, written_beside
from tfspec.base.options import Expression, Hertz, Name, Quantize, Range, Strategy
from tfspec.base.progress import silenced
from tfspec.base.text import shown

if TYPE_CHECKING:
    from tfspec.experiment.pipeline import Pipeline
    from tfspec.experiment.steps import Steps


def train(pipeline: Pipeline) -> None:
    """Train a pipeline: `tfspec train NAME [options]`, NAME one of the built-in ones or a Python file."""
    from tfspec.cli.summaries import print_run

    print_run(pipeline.train(), pipeline)


def prepare(pipeline: Pipeline) -> None:
    """Compute a pipeline's features and keep them, for `tfspec train` with the same options to find."""
    from tfspec.cli.printing import console

    store = pipeline.prepare()
    megabytes = sum(path.stat().st_size for path in store.shards) / 1e6
    shape = " × ".join(map(str, store.signal_shape))
    made = f"Features of {store.num_rows} examples, {shape} {store.dtype}, {megabytes:.1f} MB"
    console.print(f"{made}: {store.folder}")


def evaluate(
    run: Positional[Path],
    data: Path | None = None,
    part: Literal["validation", "test"] = "validation",
    on_bad_file: Literal["stop", "skip"] | None = None,
    pipeline: Name | None = None,
    json: bool = False,
) -> None:
    """Score a run's best model again, or on another data set.

    Args:
        run: run folder.
        data: data set of the same kind, scored whole; the run's own if not given.
        part: of the run's own data.
        on_bad_file: stop if a file of `data` cannot be used, or leave these out; as in training if not given.
        pipeline: Python file of the run's pipeline, where that has moved or changed.
        json: print one JSON document and nothing else.
    """
    check_run_folder(run)
    from tfspec.cli.printing import print_json
    from tfspec.cli.summaries import print_scores
    from tfspec.experiment.registry import pipeline_of
    from tfspec.experiment.run import Run

    trained = Run(run)
    with silenced(json):
        scores = pipeline_of(trained, pipeline).evaluate(trained, data, on_bad_file, part)
    if json:
        print_json(scores)
    else:
        print_scores(scores, trained.evaluation_folder(data, part))


def resume(run: Positional[Path], strategy: Strategy | None = None, pipeline: Name | None = None) -> None:
    """Go on with a run that was interrupted; it ends as if it never was.

    Args:
        run: run folder.
        strategy: devices to train on; as the run began if not given.
        pipeline: Python file of the run's pipeline, where that has moved or changed.
    """
    check_run_folder(run)
    from tfspec.cli.summaries import print_run
    from tfspec.experiment.registry import pipeline_of
    from tfspec.experiment.run import Run

    begun = Run(run)
    made_by = pipeline_of(begun, pipeline)
    if strategy:
        made_by = dataclasses.replace(made_by, strategy=strategy)
    print_run(made_by.resume(begun), made_by)


def view(
    run: Positional[Path],
    example: Annotated[int, Range(0, 10**9)] = 0,
    part: Literal["validation", "test"] = "validation",
    out: Path | None = None,
    pipeline: Name | None = None,
) -> None:
    """Draw an example beside the probabilities of its classes.

    Args:
        run: run folder.
        example: its place in predictions.csv, from 0.
        part: of the run's own data.
        out: png, pdf or svg file to write, replaced if it is there; figures/view_EXAMPLE.png in the run
            folder if not given.
        pipeline: Python file of the run's pipeline, where that has moved or changed.
    """
    if out and out.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UserError(f"The picture must be a png, pdf or svg file. Received: {out}")
    if out:
        check_place(out)
    check_run_folder(run)
    from tfspec.cli.printing import console
    from tfspec.experiment.registry import pipeline_of
    from tfspec.experiment.run import Run

    trained = Run(run)
    figure = pipeline_of(trained, pipeline).view(trained, example, part)
    path = out or trained.evaluation_folder(part=part) / "figures" / f"view_{example}.png"
    with written_beside(path) as temporary:
        figure.savefig(temporary)
    console.print(f"Drawn: {path}")


def export(
    run: Positional[Path],
    quantize: Quantize = "none",
    calibrated: bool = False,
    streaming: bool = False,
    target: Literal["host", "micro"] = "host",
    signal_ops: bool = False,
    pipeline: Name | None = None,
) -> None:
    """Write a SavedModel and a TFLite file that take the raw signal, and prove them on the validation part.

    Args:
        run: run folder; the files go to its folder export/.
        quantize: make the TFLite file smaller: the backbone's weights in float16; in int8 (dynamic); or its
            activations in int8 too, calibrated on the training part. The front end stays in float32.
        calibrated: divide the logits by the temperature that suits the validation part best, so that
            probabilities are worth what they say.
        streaming: also write streaming.tflite, which takes the next samples and its own state, hop by hop,
            for devices that listen all day; its network is in float32, or with --quantize int8 in int8.
        target: micro writes the folder micro/ instead: C for microcontrollers, and the network in int8 for
            TensorFlow Lite for Microcontrollers.
        signal_ops: with --target micro, also a file of front end and network, for firmware that has that
            library with its signal operators.
        pipeline: Python file of the run's pipeline, where that has moved or changed.
    """
    if target == "micro" and (streaming or quantize != "none"):
        raise UserError("--target micro always streams, in int8: leave out --streaming and --quantize.")
    if streaming and quantize in ("float16", "dynamic"):
        raise UserError(f"--streaming goes with --quantize none or int8. Received: {quantize}")
    if target != "micro" and signal_ops:
        raise UserError("--signal-ops is for --target micro.")
    check_run_folder(run)
    from tfspec.cli.printing import console
    from tfspec.cli.summaries import print_micro, print_parity
    from tfspec.experiment.registry import pipeline_of
    from tfspec.experiment.run import Run

    trained = Run(run)
    made_by = pipeline_of(trained, pipeline)
    if target == "micro":
        print_micro(made_by.export_micro(trained, calibrated, signal_ops), run)
        return
    parity = made_by.export(trained, quantize, calibrated, streaming)
    if parity["tflite"]["quantize"] != quantize:
        console.print("A backbone with a loop has no int8 activations: quantised as with --quantize dynamic")
    print_parity(parity, run)


def check(
    data: Positional[Path],
    sample_rate: Hertz | None = None,
    min_seconds: Annotated[float, Range(0, 86_400)] = 0.1,
    groups: Expression | None = None,
    path_column: Name | None = None,
    label_column: Name | None = None,
    class_columns: tuple[Name, ...] | None = None,
    group_column: Name | None = None,
    pipeline: Name | None = None,
    json: bool = False,
) -> None:
    """List what is wrong with a data set, and what training on it would do.

    Exit code 1 if examples cannot be used, or training would stop; what is only odd (silent, clipped, short
    or copied recordings, other sample rates) is listed all the same. Of each problem the first cases are
    named, with --json all.

    Args:
        data: your own data, as of `tfspec train DATA`, or what the pipeline takes as `--data`.
        sample_rate: the sample rate that all should have; the commonest one if not given.
        min_seconds: recordings below this length are too short.
        groups: as of `tfspec train DATA`: regular expression that finds the group in a file's name.
        path_column: as of `tfspec train DATA`: column of a table that has the recordings' paths.
        label_column: the same: column that has the labels.
        class_columns: the same: columns of numbers, one a class.
        group_column: the same: column that has the groups.
        pipeline: name or Python file of the pipeline whose data it is.
        json: print one JSON document and nothing else.
    """
    from tfspec.cli.printing import console, print_json
    from tfspec.cli.summaries import print_check
    from tfspec.data.check import FATAL, check_examples
    from tfspec.data.sources.recognise import looking_once
    from tfspec.experiment.registry import find_pipeline
    from tfspec.experiment.splitting import foreseen, inspected

    with silenced(json), looking_once():
        if pipeline is None:
            steps: Steps = _own_data(
                data,
                groups=groups,
                path_column=path_column,
                label_column=label_column,
                class_columns=class_columns,
                group_column=group_column,
            )
        else:
            steps = find_pipeline(pipeline)().on_data(data)
        manifest = inspected(steps)
        result = check_examples(manifest, sample_rate, min_seconds)
        if not json:
            print_check(result, steps.takes)
        result["training"] = foreseen(steps, manifest)
    if json:
        print_json(result)
    elif stop := result["training"]["stops"]:
        console.print(f"Training would stop: {stop}")
    if result["training"]["stops"] or any(result["problems"][name] for name in FATAL):
        sys.exit(1)


def _own_data(data: Path, **options) -> Pipeline:
    """Make the pipeline for data of one's own, with the options that are given."""
    from tfspec.data.sources.columns import Columns
    from tfspec.experiment.registry import pipeline_for

    given = {name: value for name, value in options.items() if value}
    path, label = (given.get(f"{role}_column") for role in ("path", "label"))
    columns = Columns(path, label, given.get("class_columns", ()), given.get("group_column"))
    kind, settled = pipeline_for(os.fspath(data), columns)
    known = {field.name for field in dataclasses.fields(kind)}
    if unknown := sorted(set(given) - known):
        raise UserError(f"{shown(data)} is checked without {', '.join(unknown)}.")
    return kind(**settled, **given)
