"""The five experiments, as published and by default: from data to files of every kind."""

from pathlib import Path

import pytest
from overlaps import write_overlaps
from scenes import RATE, write_scenes
from tones import write_tones
from wrists import write_people

from tfspec.experiment.registry import find_pipeline
from tfspec.export import parity

FEW = {"epochs": 1, "batch_size": 4}


def tones(folder: Path) -> dict:
    data = write_tones(folder / "tones", {"high": 2000, "low": 300}, speakers=6)
    return {"data": data, "validation_fraction": 1 / 3, "clip_seconds": 0.5}


def mixtures(folder: Path) -> dict:
    data = write_overlaps(folder / "mixtures", train=12, test=4)
    return {"data": data, "width": 2, "num_members": 1, "precision": "float32"}


def people(folder: Path) -> dict:
    frames = {"sample_rate": 20, "frame_length": 24, "frame_step": 10, "label_column": "label:simple"}
    return {
        "data": write_people(folder / "people"),
        "test": 2,
        "validation": 2,
        "cross_validation": 0,
        **frames,
    }


def signals(folder: Path) -> dict:
    return {"num_train": 24, "num_validation": 8, "weights": "none"}


def scenes(folder: Path) -> dict:
    write_scenes(folder / "scenes", "train", 4)
    write_scenes(folder / "scenes", "test", 1)
    data = {"data": folder / "scenes", "sample_rate": RATE, "slice_seconds": 0.5}
    return {**data, "weights": "none", "num_folds": 2, "batch_size": 2}


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["default", "published"])
@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("speech_commands", tones),
        ("overlapped_speech", mixtures),
        ("capture24", people),
        ("radio_signals", signals),
        ("rainforest", scenes),
    ],
)
def test_each_trains_and_exports_in_every_mode(name, small, preset, tmp_path, monkeypatch):
    # In one epoch a network learns too little to be sure of anything, and rounding decides between equals.
    monkeypatch.setattr(
        parity, "SAME_PREDICTION", dict.fromkeys(parity.SAME_PREDICTION, 0.0) | {"none": 0.99}
    )
    options = {**FEW, **small(tmp_path), "out": tmp_path / "run"}
    pipeline = find_pipeline(name).preset(preset, **options)
    run = pipeline.train(verbose=0)
    found = {mode: pipeline.export(run, mode) for mode in ("none", "float16", "dynamic", "int8")}
    assert all(each["saved_model"]["same_top_class"] == 1 for each in found.values())
    sizes = [found[mode]["tflite"]["bytes"] for mode in ("none", "float16", "dynamic")]
    assert sizes == sorted(sizes, reverse=True)
    assert found["float16"]["tflite"]["largest_difference"] < 0.05
    assert max(each["tflite"]["largest_difference"] for each in found.values()) < 0.5
